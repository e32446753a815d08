//! Where in the data a run is.

/// Where in the data a run is, between two steps; of two, the later one is the larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// Epochs done, evaluation included.
    pub(super) epochs: u32,
    /// Batches done in the epoch at hand.
    pub(super) batches: u64,
    /// Steps done in all.
    pub(super) step: u64,
}

impl Position {
    pub(super) fn after_step(self) -> Self {
        Self {
            batches: self.batches + 1,
            step: self.step + 1,
            ..self
        }
    }

    /// The epoch counts from 1.
    pub(super) fn after_epoch(self, epoch: u32) -> Self {
        Self {
            epochs: epoch,
            batches: 0,
            ..self
        }
    }
}
