//! What a run brings, epoch by epoch.

use super::Evaluation;

/// What one epoch brought.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochReport {
    /// Which epoch, from 1.
    pub epoch: u32,
    /// On the test set, after the epoch.
    pub test: Evaluation,
    /// Training examples per second of wall time, evaluation excluded.
    pub examples_per_second: f64,
}

/// What the callback of [`Trainer::run`](super::Trainer::run) gets to see.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// A step was handed to the model, which may hand several to the device together.
    Step {
        /// Steps so far.
        step: u64,
        /// Steps in all.
        steps: u64,
    },
    /// An epoch was evaluated.
    Epoch(EpochReport),
}

/// What a whole run brought.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Steps taken.
    pub steps: u64,
    /// On the test set, at the end.
    pub test: Evaluation,
}
