//! What an event says: tagged values, encoded as they are handed in.

mod edges;
mod histogram;
mod hparams;
mod image;
#[cfg(feature = "ndarray")]
mod image_array;
#[cfg(feature = "image")]
mod image_buffer;
mod layout;
mod pr_curve;
mod tensor;
mod text;

pub use self::image::{Image, ImageError};
pub use histogram::{Histogram, HistogramError};
pub use hparams::{HParamValue, HParams, SessionStatus};
pub use layout::{Category, Layout, Margin};
pub use pr_curve::{PrCurve, PrCurveError};

use super::number::stored_value;
use super::{Scalar, wire};

/// Values of one moment, each under a tag: the content of one event.
///
/// ```
/// use tfevents::Summary;
///
/// let summary = Summary::new().scalar("loss/train", 0.25).scalar("learning_rate", 1e-3);
/// assert!(!summary.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// The fields of a `Summary` message: repeated `Summary.Value`, field 1.
    bytes: Vec<u8>,
    /// For each of them its tag, and where it ends.
    values: Vec<(Box<str>, usize)>,
}

impl Summary {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is no value. An empty summary is not written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Adds a point of the curve `tag`. TensorBoard groups tags by what precedes their first slash.
    /// NaN and infinities are kept.
    #[must_use]
    pub fn scalar(self, tag: &str, value: impl Scalar) -> Self {
        let value = stored_value(value);
        self.value(tag, |data| wire::put_f32(data, SIMPLE_VALUE, value))
    }

    /// Adds a `Summary.Value`; `encode` appends its fields behind the tag.
    fn value(mut self, tag: &str, encode: impl FnOnce(&mut Vec<u8>)) -> Self {
        wire::put_message(&mut self.bytes, VALUE, |data| {
            wire::put_text(data, TAG, tag);
            encode(data);
        });
        self.values.push((tag.into(), self.bytes.len()));
        self
    }

    /// Each value: its tag, and the encoded field of the message.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        let mut begin = 0;
        self.values.iter().map(move |(tag, end)| {
            let field = &self.bytes[begin..*end];
            begin = *end;
            (&**tag, field)
        })
    }
}

/// Fields of `Summary` and `Summary.Value`.
const VALUE: u8 = 1;
const TAG: u8 = 1;
const SIMPLE_VALUE: u8 = 2;
