//! Training loops: epochs, seeded mini-batches, schedules, evaluation, and a stream of metrics.
//! Knows [`Model`], not the GPU.
//!
//! [`Model`]: crate::model::Model

pub mod checkpoint;
mod confusion;
#[cfg(feature = "data")]
pub mod data;
mod dataset;
mod early_stopping;
mod error;
mod evaluate;
mod event_log;
mod losses;
mod metric;
mod options;
mod position;
mod progress;
mod report;
mod resume;
mod run;
mod run_state;
mod saving;
mod schedule;
mod setup;
mod trainer;

pub use dataset::{Dataset, DatasetError};
pub use early_stopping::{EarlyStopping, Goal};
pub use error::TrainError;
pub use evaluate::{Evaluation, evaluate, evaluate_with};
pub use metric::Metric;
pub use options::TrainOptions;
pub use progress::{EpochReport, Progress, Summary};
pub use schedule::Schedule;
pub use trainer::Trainer;
