//! A run on its way to a checkpoint, and back.

use super::checkpoint::{Checkpoint, Saver};
use super::position::Position;
use super::run::Run;
use super::run_state::RunState;
use super::{Evaluation, TrainError};
use crate::model::ModelError;

impl Run<'_> {
    /// Goes on from the checkpoint, if there is one: it has been checked.
    pub(super) fn take_up(&mut self) -> Result<(), TrainError> {
        let Some(start) = self.start.take() else {
            return Ok(());
        };
        start.restore(self.model)?;
        let Some(progress) = start.progress else {
            return Ok(());
        };
        self.base_rate = progress.base_learning_rate;
        self.model.set_learning_rate(self.base_rate)?;
        self.position = Position {
            epochs: progress.epochs_done,
            batches: progress.batches_done,
            step: progress.step,
        };
        self.best_loss = progress.best_loss;
        self.plateau = progress.plateau;
        if let (Some(judge), Some(state)) = (&mut self.judge, progress.stopping) {
            judge.resume(state);
        }
        Ok(())
    }

    /// Whether the loss is the smallest so far, where nobody else looks for the best epoch.
    pub(super) fn is_lowest(&mut self, evaluation: &Evaluation) -> bool {
        let is_asked = self.judge.is_none() && self.saver.is_some();
        let is_lower = self.best_loss.is_none_or(|best| evaluation.loss < best);
        if is_asked && is_lower && evaluation.loss.is_finite() {
            self.best_loss = Some(evaluation.loss);
            return true;
        }
        false
    }

    /// What writes checkpoints, where there may be one now.
    fn open_saver(&self) -> Option<&Saver> {
        self.saver.as_ref().filter(|_| self.is_between_updates())
    }

    /// Whatever is due in the midst of an epoch; at the end of one, evaluating comes first.
    pub(super) fn save_after_step(&mut self, is_last: bool) -> Result<(), TrainError> {
        let saver = self.open_saver().filter(|_| !is_last);
        match saver {
            Some(saver) if saver.is_due_after_step(self.position.step) => self.save(),
            _ => Ok(()),
        }
    }

    pub(super) fn save_after_epoch(&mut self, is_best: bool) -> Result<(), TrainError> {
        let Some(saver) = self.open_saver() else {
            return Ok(());
        };
        let Position { epochs, step, .. } = self.position;
        let is_due = saver.is_due_after_epoch(epochs) || saver.is_due_after_step(step);
        let is_best = is_best && saver.keeps_best();
        Ok(self.save_as([is_due, is_best])?)
    }

    /// The last checkpoint of a run, unless it is there already.
    pub(super) fn save_end(&mut self) -> Result<(), TrainError> {
        if self.saved == Some(self.position) {
            return Ok(());
        }
        self.save()
    }

    /// A regular checkpoint.
    pub(super) fn save(&mut self) -> Result<(), TrainError> {
        Ok(self.save_as([true, false])?)
    }

    fn save_as(&mut self, [is_regular, is_best]: [bool; 2]) -> Result<(), ModelError> {
        if self.saver.is_none() || !(is_regular || is_best) {
            return Ok(());
        }
        let checkpoint = self.checkpoint()?;
        let step = self.position.step;
        if let (Some(saver), Some(checkpoint)) = (&mut self.saver, checkpoint) {
            saver.save(checkpoint, step, [is_regular, is_best]);
        }
        if is_regular {
            self.saved = Some(self.position);
        }
        Ok(())
    }

    /// `None` for a model without a configuration, which has been refused.
    fn checkpoint(&self) -> Result<Option<Checkpoint>, ModelError> {
        let Some(config) = self.model.config() else {
            return Ok(None);
        };
        let mut config = config.clone();
        config.optimizer.set_learning_rate(self.base_rate)?;
        Ok(Some(Checkpoint {
            state: Some(self.model.training_state()?),
            progress: Some(self.state()),
            ..Checkpoint::new(config, self.model.parameters()?)
        }))
    }

    fn state(&self) -> RunState {
        let (options, position) = (&self.setup.options, self.position);
        RunState {
            epochs_done: position.epochs,
            batches_done: position.batches,
            step: position.step,
            seed: options.seed,
            batch: options.batch,
            epochs: options.epochs,
            examples: self.setup.train.len(),
            base_learning_rate: self.base_rate,
            stopping: self.judge.as_ref().map(|judge| judge.state()),
            best_loss: self.best_loss,
            plateau: self.plateau,
        }
    }
}
