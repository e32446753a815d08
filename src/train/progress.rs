//! What a run brings, epoch by epoch.

use std::path::PathBuf;

use super::Evaluation;

/// What one epoch brought.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct EpochReport {
    /// Which epoch, from 1.
    pub epoch: u32,
    /// After the epoch, on the validation set; without one, on the test set.
    pub evaluation: Evaluation,
    /// Whether [`EarlyStopping`](super::EarlyStopping) takes it for the best epoch so far.
    pub is_best: bool,
    /// Training examples per second of wall time, evaluation excluded.
    pub examples_per_second: f64,
}

/// What the callback of [`Trainer::run`](super::Trainer::run) gets to see.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// A step was handed to the model, which may hand several to the device together. A run that
    /// [recovers](super::Trainer::run_recovering) takes some steps again, and tells of them again.
    Step {
        /// Steps so far.
        step: u64,
        /// Steps in all, should nothing end the run early.
        steps: u64,
    },
    /// An epoch was evaluated.
    Epoch(EpochReport),
}

/// What a whole run brought.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Steps taken, those before a [resume](super::Trainer::resume) included.
    pub steps: u64,
    /// On the test set, at the end. All NaN, without metrics, where the callback has ended the run
    /// [at once](super::Trainer::with_quick_stop).
    pub test: Evaluation,
    /// On the validation set, after the epoch whose weights the model has; `None` without one, or
    /// where no epoch was trained.
    pub validation: Option<Evaluation>,
    /// The epoch, from 1, whose weights the model has: with
    /// [`EarlyStopping`](super::EarlyStopping), which may have found none.
    pub best_epoch: Option<u32>,
    /// Whether the callback has ended the run.
    pub stopped: bool,
    /// How often the run has gone on on another device, see
    /// [`Trainer::run_recovering`](super::Trainer::run_recovering).
    pub recoveries: u32,
    /// The last of the checkpoints that were written.
    pub checkpoint: Option<PathBuf>,
}
