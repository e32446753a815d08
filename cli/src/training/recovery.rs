//! A training whose GPU fails: opened anew, or how to go on later.

use std::fmt;
use std::path::Path;

use wgpu_linear::model::{Model, ModelError};
use wgpu_linear::train::checkpoint::{Checkpoint, Checkpoints};
use wgpu_linear::train::{DeviceFailure, Recovery, TrainError};

use super::saved::CHECKPOINTS;
use super::{Prepared, network};
use crate::CliError;
use crate::config::Settings;
use crate::device::Place;
use crate::error::with_causes;

/// A model that is trained, and where it computes: both are others in the end where a GPU has
/// failed in between.
pub struct Trained<'a> {
    /// The model.
    pub model: &'a mut Box<dyn Model>,
    /// Where it computes.
    pub place: &'a mut Place,
}

impl fmt::Debug for Trained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trained")
            .field(&self.model.device())
            .finish()
    }
}

/// How a training recovers: the CPU does not fail.
pub(super) fn recovery(settings: &Settings, place: &Place) -> Recovery {
    let most_times = settings.run.recover.unwrap_or(3);
    Recovery {
        most_times: if place.gpu().is_some() { most_times } else { 0 },
        ..Recovery::default()
    }
}

type Rebuilt = Result<Box<dyn Model>, ModelError>;

/// A model in the place of one whose GPU has failed.
pub(super) fn rebuild<'p>(
    settings: &Settings,
    data: &Prepared,
    model: &dyn Model,
    place: &'p mut Place,
) -> Result<impl FnMut(&DeviceFailure<'_>) -> Rebuilt + use<'p>, CliError> {
    let config = network(settings, data)?;
    let first = match &settings.network.initial {
        Some(_) => Some(Checkpoint::of(model).map_err(|error| CliError::failure(&error))?),
        None => None,
    };
    Ok(move |failure: &DeviceFailure<'_>| {
        let mut model = place.reopened(failure.error, config.clone())?;
        // Weights of its own are not those that this one was to begin with.
        if let (None, Some(first)) = (failure.back_to, &first) {
            model.set_parameters(&first.parameters)?;
            model.set_training_state(first.state.as_ref().unwrap_or(&Default::default()))?;
        }
        Ok(model)
    })
}

/// What is said when a GPU has failed.
pub(super) fn what_failed(failure: &DeviceFailure<'_>) -> String {
    let DeviceFailure { error, step, .. } = failure;
    format!(
        "After step {step}: {}. The GPU is opened anew, and the training goes on from step {}.",
        with_causes(error),
        failure.back_to.unwrap_or(0)
    )
}

/// Why a training has failed, and how to go on where another device may do.
pub(super) fn failure(error: &TrainError, out: &Path) -> CliError {
    let why = with_causes(error);
    let has_state = || matches!(Checkpoints::latest(out.join(CHECKPOINTS)), Ok(Some(_)));
    CliError::Failure(match error.is_device_failure() && has_state() {
        true => format!(
            "{why}; to go on: wgpu-linear train --resume {} (--device cpu does without a GPU)",
            out.display()
        ),
        false => why,
    })
}
