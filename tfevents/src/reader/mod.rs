//! Reading event files back: of a run that is over, or of one that is being written.
//!
//! [`Reader`] yields the points of a file or of a run's directory. Beneath it stand
//! [`RecordReader`], the records of any [`std::io::Read`], and [`Event::decode`], what one record
//! says. Both checksums of every record are verified, and damage is reported with its place instead
//! of becoming a wrong point.
//!
//! ```
//! use tfevents::reader::{ReadError, Reader};
//! use tfevents::Writer;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let temporary = tempfile::tempdir()?;
//! # let run = temporary.path().join("run-1");
//! let writer = Writer::create(&run)?;
//! writer.scalar("loss", 7, 0.5);
//! writer.flush()?;
//!
//! let mut reader = Reader::open(&run)?;
//! let point = reader.next_point()?.unwrap();
//! assert_eq!((point.tag.as_str(), point.step, point.value.scalar()), ("loss", 7, Some(0.5)));
//! assert!(reader.next_point()?.is_none());
//!
//! writer.scalar("loss", 8, 0.25); // the file grows, and the reader goes on
//! writer.flush()?;
//! for point in reader.points() {
//!     match point {
//!         Ok(point) => println!("{} {}: {:?}", point.tag, point.step, point.value),
//!         Err(ReadError::Damaged { path, damage }) => eprintln!("{}: {damage}", path.display()),
//!         Err(error) => return Err(error.into()),
//!     }
//! }
//! if let Some((path, tail)) = reader.tail() {
//!     println!("{} has a torn tail of {} bytes", path.display(), tail.torn_bytes);
//! }
//! # writer.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Torn tails
//!
//! The end of the last file is where a writer is, or where it died, so half a record there is no
//! error: reading stops before it, and [`Reader::tail`] says where. A file that others follow is
//! not written to any more: half a record at its end is damage and reported as
//! [`DamageKind::Torn`].

mod damage;
mod decode;
mod directory;
mod event;
mod fields;
mod overview;
mod printable;
mod records;
mod runs;
mod scalars;
mod tensor;

pub use damage::{Damage, DamageKind, Malformed, ReadError, RecordError, Tail};
pub use directory::{Points, Reader};
pub use event::{
    Content, Event, HistogramValue, ImageValue, PluginData, Point, Session, SummaryValue,
    TensorData, TensorValue, Value,
};
pub use overview::{NamedRun, Overview, Series, named_runs};
pub use printable::printable;
pub use records::{Record, RecordReader};
pub use runs::{Runs, runs};
pub use scalars::{ScalarPoint, Scalars};
