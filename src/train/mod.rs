//! Training loops: epochs, seeded mini-batches, schedules, evaluation, and a stream of metrics. Knows [`Model`], not the GPU.
//!
//! [`Model`]: crate::model::Model

#[cfg(feature = "data")]
pub mod data;
mod dataset;
mod metrics;
mod schedule;
mod trainer;

pub use dataset::{Dataset, DatasetError};
pub use schedule::Schedule;
pub use trainer::{
    EpochReport, Evaluation, Progress, Summary, TrainError, TrainOptions, Trainer, evaluate,
};
