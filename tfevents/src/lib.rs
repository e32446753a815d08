//! TensorBoard event files: opened once, appended to, flushed when asked, closed when told. Knows
//! nothing of GPUs.
//!
//! [`Writer`] is for training runs: any thread logs in a tenth of a microsecond, a thread of its
//! own writes. [`StreamWriter`] writes to any [`std::io::Write`] in the caller's thread. A
//! [`Summary`] holds what else TensorBoard shows beside scalars. [`Reader`] reads the files of any
//! writer back.
//!
//! ```
//! use tfevents::Writer;
//!
//! # let temporary = tempfile::tempdir()?;
//! # let run = temporary.path().join("run-1");
//! let events = Writer::create(run)?; // runs/run-1, say; then: tensorboard --logdir runs
//! for step in 0..100 {
//!     let loss = 1.0 / (1 + step) as f32;
//!     events.scalar("train/loss", step, loss);
//! }
//! events.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Format
//!
//! An event file is a sequence of *records*, each of them framed as a TFRecord, all integers
//! little-endian:
//!
//! | bytes  | content                                             |
//! |--------|-----------------------------------------------------|
//! | 8      | `length` of the data, `u64`                         |
//! | 4      | masked CRC-32C of these eight bytes, `u32`          |
//! | length | data: one `Event`, a protocol-buffer message        |
//! | 4      | masked CRC-32C of the data, `u32`                   |
//!
//! `masked(crc) = (crc rotated right by 15 bits) + 0xa282ead8`, modulo 2³². The fields that scalars
//! need:
//!
//! | message         | field          | number | type                                              |
//! |-----------------|----------------|--------|---------------------------------------------------|
//! | `Event`         | `wall_time`    | 1      | `double`, seconds since 1970-01-01 00:00 UTC      |
//! | `Event`         | `step`         | 2      | `int64`                                           |
//! | `Event`         | `file_version` | 3      | `string`, `brain.Event:2`, in the first record    |
//! | `Event`         | `summary`      | 5      | `Summary`                                         |
//! | `Summary`       | `value`        | 1      | `Summary.Value`, one or more                      |
//! | `Summary.Value` | `tag`          | 1      | `string`, the name of the curve                   |
//! | `Summary.Value` | `simple_value` | 2      | `float`                                           |
//!
//! As in every proto3 encoder, a `wall_time`, `step` or `tag` that is zero or empty is left out and
//! read back as such.
//!
//! Sources: TensorFlow's
//! [`event.proto`](https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/event.proto)
//! and
//! [`summary.proto`](https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/summary.proto),
//! its [description of
//! TFRecord](https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details), and
//! the [encoding of protocol buffers](https://protobuf.dev/programming-guides/encoding/).
//!
//! # Resuming
//!
//! Readers give up on a file at its first damaged record. To append behind a tail that an earlier
//! crash has torn would therefore hide everything that follows. A resumed run calls
//! [`Writer::create`] on the same directory: it opens a new file, and TensorBoard shows the files
//! of a directory as one run. With [`resume_at`](WriterBuilder::resume_at) it forgets what the
//! earlier files have from that step on.
//!
//! # Features
//!
//! All of them are off by default: `image` (`Image::from_dynamic`), `metrics` (`MetricsRecorder`),
//! `ndarray` (`Image::from_array`) and `tracing` (`TracingLayer`).

/// The examples of `README.md` are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(any(feature = "metrics", feature = "tracing"))]
mod bridge;
mod checksum;
mod clock;
mod error;
mod graph;
mod identity;
mod lock;
mod message;
mod mutex;
mod name;
mod number;
mod outbox;
pub mod reader;
mod record;
mod shape;
mod steps;
mod stream_writer;
mod summary;
mod time;
mod wire;
mod writer;

#[cfg(feature = "metrics")]
pub use bridge::MetricsRecorder;
#[cfg(feature = "tracing")]
pub use bridge::TracingLayer;
pub use error::{CreateError, FileFate, Place, WriteError};
pub use graph::{Graph, Node};
pub use number::{Scalar, Step};
pub use reader::{Point, ReadError, Reader, Value};
pub use steps::{BackwardSteps, StepPolicy};
pub use stream_writer::StreamWriter;
pub use summary::Summary;
pub use summary::{Category, Layout, Margin};
pub use summary::{HParamValue, HParams, SessionStatus};
pub use summary::{Histogram, HistogramError};
pub use summary::{Image, ImageError};
pub use summary::{PrCurve, PrCurveError};
pub use writer::{Closed, Writer, WriterBuilder};
