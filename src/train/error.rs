//! Why training stopped.

use std::path::PathBuf;

use super::Summary;
use crate::events::WriteError;
use crate::model::ModelError;

/// Training stopped early.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// There is nothing to learn from.
    #[error("the training set is empty")]
    NoExamples,
    /// A batch of 0 examples, or a report every 0 steps.
    #[error("{name} must be at least 1")]
    Zero {
        /// The option.
        name: &'static str,
    },
    /// The loss is no longer a finite number. A device may have taken a few more steps before that
    /// was seen.
    #[error(
        "the loss is {loss} after step {step}: training diverged; try a smaller learning rate, or look for non-finite inputs"
    )]
    Diverged {
        /// Steps taken when the loss was measured.
        step: u64,
        /// The mean loss since the last report.
        loss: f32,
    },
    /// The model reports an error.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The training went through, but points are missing from the event file.
    #[error("the model is trained, but the event file {} is incomplete", path.display())]
    Events {
        /// The file.
        path: PathBuf,
        /// What the training brought.
        summary: Summary,
        /// Why the file could not be written.
        source: WriteError,
    },
}
