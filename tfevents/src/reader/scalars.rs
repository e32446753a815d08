//! The scalars of a run, with what is left out.

use std::collections::BTreeMap;
use std::path::Path;

use super::damage::ReadError;
use super::directory::Reader;

/// The scalars of a run, one after the other.
///
/// What is no scalar is counted by its kind, and damage is collected, so that what can be read is
/// read.
///
/// ```
/// use tfevents::reader::Scalars;
/// use tfevents::{Summary, Writer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let temporary = tempfile::tempdir()?;
/// # let run = temporary.path().join("run-1");
/// let writer = Writer::create(&run)?;
/// writer.scalar("loss", 7, 0.1);
/// writer.summary(7, &Summary::new().text("note", "better"));
/// writer.close()?;
///
/// let mut scalars = Scalars::open(&run)?;
/// let loss = scalars.next_scalar()?.ok_or("a loss")?;
/// assert_eq!((loss.tag.as_str(), loss.step, loss.digits.as_str()), ("loss", 7, "0.1"));
/// assert!(scalars.next_scalar()?.is_none());
/// assert_eq!(scalars.left_out()["text"], 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Scalars {
    reader: Reader,
    left_out: BTreeMap<String, u64>,
    damages: Vec<ReadError>,
}

/// One scalar.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct ScalarPoint {
    /// The tag.
    pub tag: String,
    /// The step.
    pub step: i64,
    /// When it was logged, in seconds since 1970.
    pub wall_time: f64,
    /// The number, in the fewest digits that lead back to it in its precision.
    pub digits: String,
}

impl Scalars {
    /// Those of a directory, or of one event file.
    ///
    /// # Errors
    /// [`ReadError::List`] or [`ReadError::Open`].
    pub fn open(run: impl AsRef<Path>) -> Result<Self, ReadError> {
        Ok(Self {
            reader: Reader::open(run)?,
            left_out: BTreeMap::new(),
            damages: Vec::new(),
        })
    }

    /// The next one; `None` at the end.
    ///
    /// # Errors
    /// [`ReadError`] except for damage, which is in [`Self::damages`].
    pub fn next_scalar(&mut self) -> Result<Option<ScalarPoint>, ReadError> {
        loop {
            match self.reader.next_point() {
                Ok(None) => return Ok(None),
                Ok(Some(point)) => match point.value.digits() {
                    Some(digits) => {
                        return Ok(Some(ScalarPoint {
                            tag: point.tag,
                            step: point.step,
                            wall_time: point.wall_time,
                            digits,
                        }));
                    }
                    None => *self.left_out.entry(point.value.kind()).or_default() += 1,
                },
                Err(error @ ReadError::Damaged { .. }) => self.damages.push(error),
                Err(error) => return Err(error),
            }
        }
    }

    /// How many points of other kinds were passed over so far, by their kind.
    #[must_use]
    pub fn left_out(&self) -> &BTreeMap<String, u64> {
        &self.left_out
    }

    /// What was damaged so far.
    #[must_use]
    pub fn damages(&self) -> &[ReadError] {
        &self.damages
    }
}
