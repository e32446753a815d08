//! Why training stopped.

use std::path::PathBuf;

use super::Summary;
use super::checkpoint::CheckpointError;
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
    /// A metric may not have that name: it is empty, or that of the loss.
    #[error("a metric cannot be called {name:?}")]
    MetricName {
        /// The name.
        name: String,
    },
    /// Early stopping, or a learning rate that falls on plateaus, goes by a metric that is not
    /// measured.
    #[error("there is no metric {name:?} to go by, only {}", known.join(", "))]
    UnknownMetric {
        /// The name.
        name: String,
        /// Those that are measured.
        known: Vec<String>,
    },
    /// The loss is no longer a finite number, in training or on a data set that was evaluated. A
    /// device may have taken a few more steps before that was seen.
    ///
    /// On a GPU it may go unseen: shaders may assume that there is no NaN, and a ReLU turns one
    /// into 0. Then the loss is finite and does not fall.
    #[error(
        "the loss is {loss} after step {step}: training diverged; try a smaller learning rate, or look for non-finite inputs"
    )]
    Diverged {
        /// Steps taken when the loss was measured.
        step: u64,
        /// The mean loss since the last report, or that on the data set.
        loss: f32,
    },
    /// The run cannot go on from the checkpoint, or keep others.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The model reports an error.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The device has failed, and the run could not go on on another one, which failed in its turn,
    /// could not be had, or would compute something else; see
    /// [`Trainer::run_recovering`](super::Trainer::run_recovering).
    #[error(
        "the device failed after step {step} ({failure}), and the training could not go on on another; recoveries: {recoveries}"
    )]
    NotRecovered {
        /// Steps done when the failure was noticed that the run recovered from last, or was to
        /// recover from.
        step: u64,
        /// How often the run has gone on on another device.
        recoveries: u32,
        /// That failure.
        failure: Box<ModelError>,
        /// What ended the run.
        source: Box<TrainError>,
    },
    /// The training went through, but its last checkpoint, or the best, could not be written.
    #[error("the model is trained, but the checkpoints in {} are incomplete", folder.display())]
    Checkpoints {
        /// Their folder.
        folder: PathBuf,
        /// What the training brought.
        summary: Box<Summary>,
        /// Why the checkpoint could not be written.
        source: Box<CheckpointError>,
    },
    /// The training went through, but points are missing from the event file.
    #[error("the model is trained, but the event file {} is incomplete", path.display())]
    Events {
        /// The file.
        path: PathBuf,
        /// What the training brought.
        summary: Box<Summary>,
        /// Why the file could not be written.
        source: WriteError,
    },
}

impl TrainError {
    /// What the training brought, where it went through and only a file is incomplete.
    #[must_use]
    pub fn summary(&self) -> Option<&Summary> {
        match self {
            Self::Checkpoints { summary, .. } | Self::Events { summary, .. } => Some(summary),
            _ => None,
        }
    }

    /// Whether a device has failed: on another one the run may go on from its last checkpoint.
    #[must_use]
    pub fn is_device_failure(&self) -> bool {
        match self {
            Self::Model(error) => error.is_device_failure(),
            error => matches!(error, Self::NotRecovered { .. }),
        }
    }

    /// The error of a device that has failed, if it is one.
    pub(super) fn into_device_failure(self) -> Result<ModelError, Self> {
        match self {
            Self::Model(error) if error.is_device_failure() => Ok(error),
            error => Err(error),
        }
    }
}
