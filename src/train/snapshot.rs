//! The state of a run in memory.

use super::Evaluation;
use super::checkpoint::Checkpoint;
use super::position::Position;
use super::run_state::RunState;
use crate::model::{LayerParameters, MlpConfig, Model, ModelError, TrainingState};

/// A run between two steps: all that it needs to go on with the same bits.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) parameters: Vec<LayerParameters>,
    pub(super) state: TrainingState,
    pub(super) progress: RunState,
    /// Of the last epoch, on the set that epochs are judged by.
    pub(super) last: Option<Evaluation>,
}

impl Snapshot {
    /// Reads `model`, and waits for its device.
    pub(super) fn of(
        model: &dyn Model,
        progress: RunState,
        last: Option<Evaluation>,
    ) -> Result<Self, ModelError> {
        Ok(Self {
            state: model.training_state()?,
            parameters: model.parameters()?,
            progress,
            last,
        })
    }

    /// What a checkpoint holds, unless it is of no run.
    pub(super) fn of_checkpoint(checkpoint: Checkpoint) -> Option<Self> {
        Some(Self {
            parameters: checkpoint.parameters,
            state: checkpoint.state?,
            progress: checkpoint.progress?,
            last: None,
        })
    }

    /// A checkpoint of a model that was made from `config`.
    pub(super) fn into_checkpoint(self, config: &MlpConfig) -> Result<Checkpoint, ModelError> {
        let mut config = config.clone();
        let rate = self.progress.base_learning_rate;
        config.optimizer.set_learning_rate(rate)?;
        Ok(Checkpoint {
            state: Some(self.state),
            progress: Some(self.progress),
            ..Checkpoint::new(config, self.parameters)
        })
    }

    /// Gives everything that a model has of it to `model`.
    pub(super) fn restore(&self, model: &mut dyn Model) -> Result<(), ModelError> {
        // First what has more to be refused for.
        model.set_training_state(&self.state)?;
        model.set_parameters(&self.parameters)?;
        model.set_learning_rate(self.progress.base_learning_rate)
    }

    pub(super) fn position(&self) -> Position {
        Position {
            epochs: self.progress.epochs_done,
            batches: self.progress.batches_done,
            step: self.progress.step,
        }
    }
}
