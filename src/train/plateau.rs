//! A learning rate that falls where a metric no longer gets better.

use super::early_stopping::{Goal, check_metric};
use super::{Evaluation, TrainError};
use crate::model::ModelError;

/// Multiplies the learning rate by `factor` after more than `patience` epochs without an
/// improvement, on top of whatever the schedule says: PyTorch's *ReduceLROnPlateau* in its mode
/// *rel*.
///
/// Epochs are judged by a metric on the validation set or, without one, on the test set, which then
/// is no longer an honest test. A NaN is no improvement.
///
/// ```
/// use wgpu_linear::train::{PlateauState, ReduceOnPlateau};
///
/// let plateau = ReduceOnPlateau { factor: 0.5, patience: 1, ..ReduceOnPlateau::min("loss") };
/// let losses = [0.9, 0.7, 0.7, 0.7, 0.6];
/// let factors = losses.iter().scan(PlateauState::default(), |state, loss| {
///     *state = state.after(&plateau, *loss);
///     Some(state.factor)
/// });
/// assert_eq!(factors.collect::<Vec<_>>(), [1.0, 1.0, 1.0, 0.5, 0.5]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ReduceOnPlateau {
    /// The name of a [`Metric`](super::Metric) of the run, or `loss`.
    pub metric: String,
    /// Which of its values are better.
    pub goal: Goal,
    /// What the learning rate is multiplied by, each time: above 0 and below 1.
    pub factor: f32,
    /// So many epochs in a row may be no improvement; the one after them reduces the rate. With 0
    /// every epoch that is no improvement does.
    pub patience: u32,
    /// By more than this share of the best before, in magnitude, a value must be better to be an
    /// improvement; not negative.
    pub threshold: f32,
    /// So many epochs after a reduction are not counted as waited.
    pub cooldown: u32,
    /// All reductions together multiply by no less; within 0 and 1.
    pub min_factor: f32,
}

impl ReduceOnPlateau {
    /// The smaller the metric, the better, with the settings that PyTorch has: factor 0.1, patience
    /// 10, threshold 0.0001, no cooldown, no least factor.
    pub fn min(metric: impl Into<String>) -> Self {
        Self {
            metric: metric.into(),
            goal: Goal::Min,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            cooldown: 0,
            min_factor: 0.0,
        }
    }

    /// The larger the metric, the better; otherwise as [`Self::min`].
    pub fn max(metric: impl Into<String>) -> Self {
        Self {
            goal: Goal::Max,
            ..Self::min(metric)
        }
    }

    /// Refuses settings out of range, and metrics that there are not; `metrics` are those there
    /// are.
    pub(super) fn check<'a>(
        &self,
        metrics: impl Iterator<Item = &'a str>,
    ) -> Result<(), TrainError> {
        for (name, value, is_right) in [
            (
                "factor",
                self.factor,
                self.factor > 0.0 && self.factor < 1.0,
            ),
            (
                "threshold",
                self.threshold,
                (0.0..f32::INFINITY).contains(&self.threshold),
            ),
            (
                "min_factor",
                self.min_factor,
                (0.0..=1.0).contains(&self.min_factor),
            ),
        ] {
            if !is_right {
                return Err(ModelError::Setting { name, value }.into());
            }
        }
        check_metric(&self.metric, metrics)
    }

    fn is_improvement(&self, value: f32, best: f32) -> bool {
        let least = self.threshold * best.abs();
        match self.goal {
            Goal::Min => value < best - least,
            Goal::Max => value > best + least,
        }
    }
}

/// What [`ReduceOnPlateau`] remembers between epochs: enough to go on where a run was broken off.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PlateauState {
    /// What the learning rate is multiplied by.
    pub factor: f32,
    /// The best value so far; none before the first that is a number.
    pub best: Option<f32>,
    /// Epochs in a row that were no improvement, since the last reduction.
    pub waited: u32,
    /// Epochs of the cooldown that are left.
    pub cooling: u32,
}

impl Default for PlateauState {
    /// Before the first epoch.
    fn default() -> Self {
        Self {
            factor: 1.0,
            best: None,
            waited: 0,
            cooling: 0,
        }
    }
}

impl PlateauState {
    /// The state after one more epoch, which has this value of the metric.
    #[must_use]
    pub fn after(self, settings: &ReduceOnPlateau, value: f32) -> Self {
        let mut next = self;
        let is_better = |best| settings.is_improvement(value, best);
        if !value.is_nan() && self.best.is_none_or(is_better) {
            (next.best, next.waited) = (Some(value), 0);
        } else {
            next.waited = self.waited.saturating_add(1);
        }
        if self.cooling > 0 {
            (next.cooling, next.waited) = (self.cooling - 1, 0);
        }
        if next.waited > settings.patience {
            next.factor = (self.factor * settings.factor).max(settings.min_factor);
            (next.cooling, next.waited) = (settings.cooldown, 0);
        }
        next
    }

    /// The same after an epoch of a run; a metric that it lacks is as good as NaN.
    pub(super) fn after_epoch(self, settings: &ReduceOnPlateau, evaluation: &Evaluation) -> Self {
        let value = evaluation.metric(&settings.metric);
        self.after(settings, value.unwrap_or(f32::NAN))
    }
}
