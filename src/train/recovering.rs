//! A run that goes on on another device where its own fails.

use super::kept::Kept;
use super::run::{OnProgress, Run};
use super::setup::Setup;
use super::{DeviceFailure, Summary, TrainError, report, resume};
use crate::model::{Model, ModelError};

/// A model in the place of one whose device has failed.
pub(super) type Rebuild<'a, 'm> =
    &'a mut dyn FnMut(&DeviceFailure<'_>) -> Result<Box<dyn Model + 'm>, ModelError>;

/// From the first step to the last, on as many devices as that takes and the settings allow.
pub(super) fn run<'m>(
    setup: &Setup<'_>,
    kept: &mut Kept,
    model: &mut Box<dyn Model + 'm>,
    rebuild: Rebuild<'_, 'm>,
    on_progress: OnProgress<'_>,
) -> Result<Summary, TrainError> {
    let mut failures = Failures::new(kept.recovery.map_or(0, |recovery| recovery.most_times));
    loop {
        let mut run = Run::new(setup, model.as_mut(), &mut *on_progress, kept);
        let error = match run.run() {
            Ok(summary) => return run.end(Ok(summary)),
            Err(error) => error,
        };
        let failure = match failures.admit(error, run.position.step) {
            Ok(failure) => failure,
            Err(error) => return run.end(Err(error)),
        };
        let is_hanging = failure.error.is_timeout();
        let next = match run.next_model(failure, rebuild) {
            Ok(next) => next,
            Err(error) => return run.end(Err(failures.give_up(error))),
        };
        failures.recoveries += 1;
        kept.recoveries = failures.recoveries;
        let failed = std::mem::replace(model, next);
        if is_hanging {
            // Whoever drops the last handle of a device waits until it has done its work.
            std::mem::forget(failed);
        }
    }
}

/// A failure that a run is to recover from.
struct Failure {
    error: ModelError,
    /// Steps done when it was noticed.
    step: u64,
    /// Which one of the run, from 1.
    number: u32,
}

/// The failures of a run.
struct Failures {
    most_times: u32,
    recoveries: u32,
    last: Option<Failure>,
}

impl Failures {
    fn new(most_times: u32) -> Self {
        Self {
            most_times,
            recoveries: 0,
            last: None,
        }
    }

    /// Takes the error in, unless it ends the run: what is no failure of a device, what has come
    /// back before anything more was done, and what comes too often.
    fn admit(&mut self, error: TrainError, step: u64) -> Result<&Failure, TrainError> {
        let error = error.into_device_failure()?;
        let is_further = self.last.as_ref().is_none_or(|last| step > last.step);
        if !is_further || self.recoveries >= self.most_times {
            return Err(self.give_up(error.into()));
        }
        Ok(self.last.insert(Failure {
            error,
            step,
            number: self.recoveries + 1,
        }))
    }

    /// The end of the run by this error.
    fn give_up(&mut self, error: TrainError) -> TrainError {
        match self.last.take() {
            None => error,
            Some(Failure {
                error: last, step, ..
            }) => TrainError::NotRecovered {
                step,
                recoveries: self.recoveries,
                failure: Box::new(last),
                source: Box::new(error),
            },
        }
    }
}

impl Run<'_> {
    /// Another model like the one that has failed.
    fn next_model<'m>(
        &mut self,
        failure: &Failure,
        rebuild: Rebuild<'_, 'm>,
    ) -> Result<Box<dyn Model + 'm>, TrainError> {
        let Failure {
            error,
            step,
            number,
        } = failure;
        let back_to = self.kept.snapshot.as_ref();
        let back_to = back_to.map(|snapshot| snapshot.progress.step);
        // It takes most of the memory, and the device may have it still.
        if let Some(resident) = self.model.resident() {
            let _ = resident.unload();
        }
        let next = rebuild(&DeviceFailure {
            error,
            step: *step,
            back_to,
            number: *number,
        })?;
        if let (Some(before), Some(now)) = (self.model.config(), next.config()) {
            resume::check_config(before, now)?;
        }
        let (failed, device) = (self.model.device(), next.device());
        let back_to = back_to.unwrap_or(0);
        let text = format!("{failed}: {error}. On from step {back_to} on {device}");
        log::warn!("after step {step}, {text}");
        let log = &mut self.kept.log;
        log.summary(*step, report::RECOVERY, &report::recovery(&text));
        Ok(next)
    }
}
