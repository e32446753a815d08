//! How to train.

use super::{Dataset, Schedule, TrainError};

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainOptions {
    /// How often to go through the training set.
    pub epochs: u32,
    /// Examples per step; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// Seed of the shuffling.
    pub seed: u64,
    /// How the learning rate changes. [`Trainer::with_schedule`](super::Trainer::with_schedule)
    /// puts a function in its place.
    pub schedule: Schedule,
    /// Steps over which the learning rate rises linearly to the first of the schedule, which begins
    /// behind them (Goyal et al., "Accurate, Large Minibatch SGD", 2017): 1 / (n + 1) of it at the
    /// first of n steps. 0 for none.
    pub warmup_steps: u64,
    /// Steps between two values of `loss/train`, beside the one at the end of each epoch, which
    /// alone waits for the device.
    pub report_every: u64,
    /// Epochs between two looks at how weights and gradients are spread and which classes are
    /// confused, in the event file; the last of [`Self::epochs`] always ends with one. 0 for none
    /// at all.
    pub histograms_every: u32,
}

impl Default for TrainOptions {
    /// 50 epochs of batches of 64, seed 0, constant learning rate without warm-up, a value every 10
    /// steps, histograms every 10 epochs.
    fn default() -> Self {
        Self {
            epochs: 50,
            batch: 64,
            seed: 0,
            schedule: Schedule::Constant,
            warmup_steps: 0,
            report_every: 10,
            histograms_every: 10,
        }
    }
}

impl TrainOptions {
    /// Refuses what trains nothing.
    pub(super) fn check(&self, train: &Dataset) -> Result<(), TrainError> {
        if train.is_empty() {
            return Err(TrainError::NoExamples);
        }
        if self.batch == 0 {
            return Err(TrainError::Zero { name: "batch" });
        }
        if self.report_every == 0 {
            return Err(TrainError::Zero {
                name: "report_every",
            });
        }
        Ok(())
    }

    /// Whether the epoch, from 1, ends with histograms.
    pub(super) fn has_histograms(&self, epoch: u32) -> bool {
        let every = self.histograms_every;
        every > 0 && (epoch.is_multiple_of(every) || epoch == self.epochs)
    }
}
