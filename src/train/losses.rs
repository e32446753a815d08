//! Losses of training on their way from the model to the event file.

use std::collections::VecDeque;

use super::TrainError;
use super::event_log::EventLog;
use crate::model::{MeanLoss, Model};

/// Losses that were asked for, and have not arrived.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// The oldest first.
    awaited: VecDeque<Moment>,
    /// One that has arrived before those.
    last: Option<(Moment, MeanLoss)>,
}

/// Step and learning rate.
type Moment = (u64, f32);

impl Losses {
    /// Asks for the loss up to `step`, and logs what has arrived of those asked for before.
    pub(super) fn request(
        &mut self,
        step: u64,
        model: &mut dyn Model,
        log: &mut EventLog,
    ) -> Result<(), TrainError> {
        self.log_arrived(model, log)?;
        self.awaited.push_back((step, model.learning_rate()));
        match model.request_loss()? {
            Some(loss) => self.log_oldest(loss, log),
            None => Ok(()),
        }
    }

    /// The same at the end of an epoch, which waits for its last step, so that the epoch's time is
    /// honest.
    pub(super) fn take(
        &mut self,
        step: u64,
        model: &mut dyn Model,
        log: &mut EventLog,
    ) -> Result<(), TrainError> {
        self.last = Some(((step, model.learning_rate()), model.take_loss()?));
        self.log_arrived(model, log)?;
        self.log_last(log)
    }

    /// The same where the callback has ended the run, which may be just after a loss was asked for.
    pub(super) fn settle(
        &mut self,
        step: u64,
        model: &mut dyn Model,
        log: &mut EventLog,
    ) -> Result<(), TrainError> {
        let loss = model.take_loss()?;
        self.log_arrived(model, log)?;
        if loss.examples > 0 {
            self.last = Some(((step, model.learning_rate()), loss));
        }
        self.log_last(log)
    }

    /// Whether all that were asked for have arrived.
    pub(super) fn is_settled(&self) -> bool {
        self.awaited.is_empty() && self.last.is_none()
    }

    pub(super) fn log_arrived(
        &mut self,
        model: &mut dyn Model,
        log: &mut EventLog,
    ) -> Result<(), TrainError> {
        while !self.awaited.is_empty() {
            let Some(loss) = model.poll_loss()? else {
                break;
            };
            self.log_oldest(loss, log)?;
        }
        Ok(())
    }

    fn log_oldest(&mut self, loss: MeanLoss, log: &mut EventLog) -> Result<(), TrainError> {
        let moment = self.awaited.pop_front();
        moment.map_or(Ok(()), |moment| log_loss(moment, loss, log))
    }

    /// The one behind all that were awaited.
    fn log_last(&mut self, log: &mut EventLog) -> Result<(), TrainError> {
        // All have arrived that the callback has not taken for itself.
        self.awaited.clear();
        let last = self.last.take();
        last.map_or(Ok(()), |(moment, loss)| log_loss(moment, loss, log))
    }

    /// After an error: the losses before it, as far as the model still has them.
    pub(super) fn log_what_is_left(&mut self, model: &mut dyn Model, log: &mut EventLog) {
        if self.is_settled() || model.take_loss().is_err() {
            return;
        }
        let logged = self.log_arrived(model, log);
        if let Err(error) = logged.and_then(|()| self.log_last(log)) {
            log::warn!("losses before the error are missing from the event file: {error}");
        }
    }
}

fn log_loss((step, rate): Moment, loss: MeanLoss, log: &mut EventLog) -> Result<(), TrainError> {
    let loss = loss.mean;
    log.scalar(step, "loss/train", loss);
    log.scalar(step, "learning_rate", rate);
    if loss.is_finite() {
        Ok(())
    } else {
        Err(TrainError::Diverged { step, loss })
    }
}
