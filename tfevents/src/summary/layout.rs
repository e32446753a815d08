//! The page of charts that show several curves.

use super::tensor::{self, Elements};
use super::{Summary, wire};

/// What TensorBoard shows under *Custom Scalars*: charts of several curves, in categories that can
/// be folded.
///
/// One layout holds for all runs of a log directory; write it once, at step 0.
///
/// ```
/// use tfevents::{Category, Layout, Margin, Summary};
///
/// let losses = Category::new("losses")
///     .multiline("train and test", &["loss/train", "loss/test"])
///     .margin("bounds", &[Margin { value: "loss/mean", lower: "loss/min", upper: "loss/max" }]);
/// let summary = Summary::new().layout(&Layout::new().category(losses));
/// ```
///
/// Source: `tensorboard/plugins/custom_scalar/layout.proto`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// The fields of a `Layout` message.
    bytes: Vec<u8>,
}

impl Layout {
    /// A page without categories.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a category below the others.
    #[must_use]
    pub fn category(mut self, category: Category) -> Self {
        wire::put_bytes(&mut self.bytes, CATEGORY, &category.bytes);
        self
    }
}

/// Charts of a [`Layout`] under a common title.
#[derive(Clone, Debug, PartialEq)]
pub struct Category {
    /// The fields of a `Category` message.
    bytes: Vec<u8>,
}

impl Category {
    /// A category without charts.
    #[must_use]
    pub fn new(title: &str) -> Self {
        let mut bytes = Vec::new();
        wire::put_text(&mut bytes, TITLE, title);
        Self { bytes }
    }

    /// Adds a chart of all curves whose tag matches one of the regular expressions `tags`.
    #[must_use]
    pub fn multiline(mut self, title: &str, tags: &[&str]) -> Self {
        put_chart(&mut self.bytes, title, MULTILINE, |data| {
            for tag in tags {
                wire::put_bytes(data, TAG, tag.as_bytes());
            }
        });
        self
    }

    /// Adds a chart of curves between margins.
    #[must_use]
    pub fn margin(mut self, title: &str, series: &[Margin<'_>]) -> Self {
        put_chart(&mut self.bytes, title, MARGIN, |data| {
            for curve in series {
                wire::put_message(data, SERIES, |data| {
                    wire::put_text(data, SERIES_VALUE, curve.value);
                    wire::put_text(data, SERIES_LOWER, curve.lower);
                    wire::put_text(data, SERIES_UPPER, curve.upper);
                });
            }
        });
        self
    }
}

/// A curve and its margins, by their tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Margin<'a> {
    /// Tag of the curve in the middle.
    pub value: &'a str,
    /// Tag of the curve below it.
    pub lower: &'a str,
    /// Tag of the curve above it.
    pub upper: &'a str,
}

fn put_chart(data: &mut Vec<u8>, title: &str, content: u8, encode: impl FnOnce(&mut Vec<u8>)) {
    wire::put_message(data, CHART, |data| {
        wire::put_text(data, TITLE, title);
        wire::put_message(data, content, encode);
    });
}

impl Summary {
    /// Adds the layout of TensorBoard's page *Custom Scalars*.
    #[must_use]
    pub fn layout(self, layout: &Layout) -> Self {
        self.value("custom_scalars__config__", |data| {
            tensor::put(data, &[], &Elements::Bytes(&layout.bytes));
            tensor::put_plugin(data, "custom_scalars", &[]);
        })
    }
}

/// Field of `Layout`.
const CATEGORY: u8 = 2;
/// Fields of `Category` and `Chart`.
const TITLE: u8 = 1;
const CHART: u8 = 2;
const MULTILINE: u8 = 2;
const MARGIN: u8 = 3;
/// Field of `MultilineChartContent`.
const TAG: u8 = 1;
/// Fields of `MarginChartContent` and its `Series`.
const SERIES: u8 = 1;
const SERIES_VALUE: u8 = 1;
const SERIES_LOWER: u8 = 2;
const SERIES_UPPER: u8 = 3;
