//! A search over learning rate and width: random, seeded, and each trial a run of its own.

use std::path::Path;

use serde::Serialize;

use super::{Finished, Prepared, Trained, network, train};
use crate::CliError;
use crate::config::Settings;
use crate::device::Place;
use crate::output::Output;
use crate::stop::Stop;

/// Widths of the hidden layer that are tried.
const WIDTHS: [usize; 5] = [32, 64, 128, 256, 512];
/// By up to so much the learning rate is larger or smaller than it is without a search.
const RATE_RANGE: f64 = 10.0;

/// A trial and how it did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// From 1.
    pub number: u32,
    /// Its step size.
    pub learning_rate: f32,
    /// Its hidden layer.
    pub width: usize,
    /// The loss on the validation rows; not finite where the training diverged.
    pub loss: f32,
}

/// Trains `trials` networks, each in a folder of its own below `out`, and gives the settings of the
/// one whose loss on the validation rows is smallest. Ends early when asked to, with `None` where
/// no trial is done by then.
///
/// # Errors
/// [`CliError::Failure`] where no trial succeeds, as none does without rows for a validation.
pub fn search(
    settings: &Settings,
    data: &Prepared,
    place: &mut Place,
    out: &Path,
    trials: u32,
    stop: &Stop,
    output: Output,
) -> Result<Option<(Settings, Vec<Trial>)>, CliError> {
    let mut random = fastrand::Rng::with_seed(settings.training.seed.unwrap_or(0));
    let mut done = Vec::new();
    for number in 1..=trials {
        let tried = draw(settings, &mut random);
        let folder = out.join("trials").join(format!("trial-{number:03}"));
        let loss = match one(&tried, data, place, &folder, stop, output) {
            Ok(finished) => finished.summary.validation.map_or(f32::NAN, |v| v.loss),
            // Another trial may do.
            Err(CliError::Failure(why)) => {
                output.note(&format!("trial {number}: {why}"));
                f32::NAN
            }
            Err(error) => return Err(error),
        };
        if stop.is_asked() {
            break;
        }
        let trial = describe(number, &tried, loss);
        output.note(&format!(
            "trial {number} of {trials}: width {}, learning rate {:.2e}: loss {loss:.4} on the validation rows",
            trial.width, trial.learning_rate
        ));
        done.push((tried, trial));
    }
    if done.is_empty() {
        return Ok(None);
    }
    let best = done
        .iter()
        .filter(|(_, trial)| trial.loss.is_finite())
        .min_by(|(_, a), (_, b)| a.loss.total_cmp(&b.loss));
    let best = best.map(|(settings, _)| settings.clone()).ok_or_else(|| {
        CliError::Failure(
            "no trial came to an end with a finite loss; try a smaller --learning-rate".into(),
        )
    })?;
    let trials = done.into_iter().map(|(_, trial)| trial).collect();
    Ok(Some((best, trials)))
}

fn draw(settings: &Settings, random: &mut fastrand::Rng) -> Settings {
    let mut tried = settings.clone();
    let rate = f64::from(settings.training.optimizer().learning_rate());
    // Evenly over the orders of magnitude.
    let factor = RATE_RANGE.powf(2.0 * random.f64() - 1.0);
    tried.training.learning_rate = Some((rate * factor) as f32);
    let width = WIDTHS[random.usize(..WIDTHS.len())];
    let layers = settings.network.hidden.as_ref().map_or(1, Vec::len).max(1);
    tried.network.hidden = Some(vec![width.to_string(); layers]);
    tried
}

fn describe(number: u32, settings: &Settings, loss: f32) -> Trial {
    let hidden = settings.network.hidden.as_deref().unwrap_or_default();
    Trial {
        number,
        learning_rate: settings.training.optimizer().learning_rate(),
        width: hidden
            .first()
            .and_then(|width| width.parse().ok())
            .unwrap_or(0),
        loss,
    }
}

fn one(
    settings: &Settings,
    data: &Prepared,
    place: &mut Place,
    folder: &Path,
    stop: &Stop,
    output: Output,
) -> Result<Finished, CliError> {
    let mut model = place.network(network(settings, data)?)?;
    let model = &mut model;
    let trained = Trained { model, place };
    train(settings, data, trained, folder, None, stop, output)
}
