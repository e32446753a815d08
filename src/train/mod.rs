//! Training loops: epochs, seeded mini-batches, schedules, evaluation, and a stream of metrics.
//! Knows [`Model`], not the GPU.
//!
//! [`Model`]: crate::model::Model

mod confusion;
#[cfg(feature = "data")]
pub mod data;
mod dataset;
mod error;
mod evaluate;
mod metrics;
mod options;
mod progress;
mod report;
mod schedule;
mod trainer;

pub use dataset::{Dataset, DatasetError};
pub use error::TrainError;
pub use evaluate::{Evaluation, evaluate};
pub use options::TrainOptions;
pub use progress::{EpochReport, Progress, Summary};
pub use schedule::Schedule;
pub use trainer::Trainer;
