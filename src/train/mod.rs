//! Training loops: epochs, seeded mini-batches, schedules, evaluation, and a stream of metrics.
//! Knows [`Model`], not the GPU.
//!
//! [`Model`]: crate::model::Model

mod batch;
pub mod checkpoint;
mod class_counts;
mod confusion;
mod confusion_image;
mod curve;
#[cfg(feature = "data")]
pub mod data;
mod dataset;
mod early_stopping;
mod error;
mod evaluate;
mod event_log;
mod kept;
mod losses;
mod metric;
mod options;
mod plateau;
mod position;
mod probability;
mod progress;
mod recovering;
mod recovery;
mod report;
mod resume;
mod run;
mod run_state;
mod saving;
mod schedule;
mod setup;
mod snapshot;
mod split;
mod trainer;
mod value_errors;

pub use class_counts::ClassScores;
pub use confusion::ConfusionMatrix;
pub use dataset::{Dataset, DatasetError};
pub use early_stopping::{EarlyStopping, Goal};
pub use error::TrainError;
pub use evaluate::{DetailedEvaluation, Evaluation, evaluate, evaluate_in_detail, evaluate_with};
pub use metric::Metric;
pub use options::TrainOptions;
pub use plateau::{PlateauState, ReduceOnPlateau};
pub use progress::{EpochReport, Progress, Summary};
pub use recovery::{DeviceFailure, Recovery};
pub use schedule::{Schedule, ScheduleError};
pub use split::{taken_at_random, taken_by_class};
pub use trainer::Trainer;
pub use value_errors::ValueErrors;
