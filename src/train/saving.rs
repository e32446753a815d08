//! A run on its way to a checkpoint, and back.

use super::checkpoint::Saver;
use super::position::Position;
use super::run::Run;
use super::run_state::RunState;
use super::snapshot::Snapshot;
use super::{Evaluation, TrainError};
use crate::model::ModelError;

impl Run<'_> {
    /// Goes on from the last state, if there is one: it has been checked.
    pub(super) fn take_up(&mut self) -> Result<(), TrainError> {
        let Some(start) = &self.kept.snapshot else {
            return Ok(());
        };
        start.restore(self.model)?;
        let progress = &start.progress;
        self.base_rate = progress.base_learning_rate;
        self.position = start.position();
        self.best_loss = progress.best_loss;
        self.plateau = progress.plateau;
        self.last.clone_from(&start.last);
        if let (Some(judge), Some(state)) = (&mut self.judge, progress.stopping.clone()) {
            judge.resume(state);
        }
        if self.kept.recovery.is_none() {
            self.kept.snapshot = None;
        }
        Ok(())
    }

    /// Before the first step, for a run that recovers.
    pub(super) fn keep_beginning(&mut self) -> Result<(), TrainError> {
        let is_wanted = self.wants_snapshot();
        self.keep([false, false], is_wanted)
    }

    /// Whether the loss is the smallest so far, where nobody else looks for the best epoch.
    pub(super) fn is_lowest(&mut self, evaluation: &Evaluation) -> bool {
        let is_asked = self.judge.is_none() && self.kept.saver.is_some();
        let is_lower = self.best_loss.is_none_or(|best| evaluation.loss < best);
        if is_asked && is_lower && evaluation.loss.is_finite() {
            self.best_loss = Some(evaluation.loss);
            return true;
        }
        false
    }

    /// What writes checkpoints, where there may be one now.
    fn open_saver(&self) -> Option<&Saver> {
        let saver = self.kept.saver.as_ref();
        saver.filter(|_| self.is_between_updates())
    }

    /// Whether the state is to be taken for a recovery, and may be.
    fn wants_snapshot(&self) -> bool {
        self.kept.wants_snapshot(self.position) && self.is_between_updates()
    }

    /// Whatever is due in the midst of an epoch, where the loss was asked for just now or not; at
    /// the end of one, evaluating comes first.
    pub(super) fn save_after_step(
        &mut self,
        is_last: bool,
        is_reported: bool,
    ) -> Result<(), TrainError> {
        if is_last {
            return Ok(());
        }
        let saver = self.open_saver();
        let is_due = saver.is_some_and(|saver| saver.is_due_after_step(self.position.step));
        // Losses that nobody has asked for are not in it.
        let is_wanted = is_reported && self.wants_snapshot();
        self.keep([is_due, false], is_wanted)
    }

    pub(super) fn save_after_epoch(&mut self, is_best: bool) -> Result<(), TrainError> {
        let Position { epochs, step, .. } = self.position;
        let kinds = self.open_saver().map_or([false, false], |saver| {
            let is_due = saver.is_due_after_epoch(epochs) || saver.is_due_after_step(step);
            [is_due, is_best && saver.keeps_best()]
        });
        let is_wanted = self.wants_snapshot();
        self.keep(kinds, is_wanted)
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
        self.keep([true, false], false)
    }

    /// Reads the model once: for a regular checkpoint, for the best, and for a recovery.
    fn keep(&mut self, kinds: [bool; 2], is_wanted: bool) -> Result<(), TrainError> {
        let is_saved = self.kept.saver.is_some() && kinds.contains(&true);
        if !is_saved && !is_wanted {
            return Ok(());
        }
        let snapshot = Snapshot::of(self.model, self.state(), self.last.clone())?;
        if is_wanted {
            // Reading has waited for them.
            self.losses.log_arrived(self.model, &mut self.kept.log)?;
        }
        if is_wanted && self.losses.is_settled() {
            self.kept.snapshot = Some(snapshot.clone());
        }
        if is_saved {
            self.write(snapshot, kinds)?;
        }
        Ok(())
    }

    /// Has a checkpoint written; a model without a configuration has been refused.
    fn write(&mut self, snapshot: Snapshot, kinds: [bool; 2]) -> Result<(), ModelError> {
        let position = snapshot.position();
        let (saver, config) = (&mut self.kept.saver, self.model.config());
        if let (Some(saver), Some(config)) = (saver, config) {
            saver.save(snapshot.into_checkpoint(config)?, position.step, kinds);
        }
        if kinds[0] {
            self.saved = Some(position);
        }
        Ok(())
    }

    /// A checkpoint of the last state in memory, where a run ends that could not recover.
    pub(super) fn save_snapshot(&mut self) {
        let snapshot = self.kept.snapshot.take();
        let snapshot = snapshot.filter(|snapshot| self.saved < Some(snapshot.position()));
        let saved = snapshot.map_or(Ok(()), |snapshot| self.write(snapshot, [true, false]));
        if let Err(error) = saved {
            log::warn!("the last state could not be saved: {error}");
        }
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
