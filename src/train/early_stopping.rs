//! When to stop before the last epoch, and which weights to keep.

use super::evaluate::LOSS;
use super::{Evaluation, TrainError};
use crate::model::{LayerParameters, ModelError};

/// Which numbers are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Small ones, as for a loss.
    Min,
    /// Large ones, as for an accuracy.
    Max,
}

/// Ends a run that no longer gets better, and keeps the weights of its best epoch.
///
/// Epochs are judged by a metric on the validation set or, without one, on the test set, which then
/// is no longer an honest test. A NaN is no improvement, and weights that are not all finite are
/// never the best.
///
/// ```
/// use wgpu_linear::train::EarlyStopping;
///
/// let by_loss = EarlyStopping::min("loss", 5);
/// let by_accuracy = EarlyStopping { min_improvement: 0.002, ..EarlyStopping::max("accuracy", 5) };
/// assert_eq!((by_loss.min_improvement, by_accuracy.patience), (0.0, 5));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct EarlyStopping {
    /// The name of a [`Metric`](super::Metric) of the run, or `loss`.
    pub metric: String,
    /// Which of its values are better.
    pub goal: Goal,
    /// So many epochs in a row without an improvement end the run; at least 1.
    pub patience: u32,
    /// By more than that a value must be better than the best before to be an improvement; not
    /// negative.
    pub min_improvement: f32,
}

impl EarlyStopping {
    /// The smaller the metric, the better; any improvement counts.
    pub fn min(metric: impl Into<String>, patience: u32) -> Self {
        Self {
            metric: metric.into(),
            goal: Goal::Min,
            patience,
            min_improvement: 0.0,
        }
    }

    /// The larger the metric, the better; any improvement counts.
    pub fn max(metric: impl Into<String>, patience: u32) -> Self {
        Self {
            goal: Goal::Max,
            ..Self::min(metric, patience)
        }
    }

    /// Refuses what would never stop, or stop at once; `metrics` are the names there are.
    pub(super) fn check<'a>(
        &self,
        metrics: impl Iterator<Item = &'a str>,
    ) -> Result<(), TrainError> {
        if self.patience == 0 {
            return Err(TrainError::Zero { name: "patience" });
        }
        let least = self.min_improvement;
        if !(0.0..f32::INFINITY).contains(&least) {
            let (name, value) = ("min_improvement", least);
            return Err(ModelError::Setting { name, value }.into());
        }
        check_metric(&self.metric, metrics)
    }
}

/// Refuses to go by a metric that is neither the loss nor among `metrics`.
pub(super) fn check_metric<'a>(
    name: &str,
    metrics: impl Iterator<Item = &'a str>,
) -> Result<(), TrainError> {
    let known: Vec<_> = std::iter::once(LOSS).chain(metrics).collect();
    if known.contains(&name) {
        return Ok(());
    }
    Err(TrainError::UnknownMetric {
        name: name.to_owned(),
        known: known.into_iter().map(str::to_owned).collect(),
    })
}

/// Where [`EarlyStopping`] stands in a run.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct StoppingState {
    /// The metric that it goes by.
    pub metric: String,
    /// The best epoch so far, if one was good enough to be kept.
    pub best: Option<BestEpoch>,
    /// Epochs since the best.
    pub waited: u32,
}

/// The best epoch so far.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct BestEpoch {
    /// Which one, from 1.
    pub epoch: u32,
    /// How well the model did after it.
    pub evaluation: Evaluation,
    /// Its weights and biases after it.
    pub parameters: Vec<LayerParameters>,
}

/// Early stopping under way.
#[derive(Debug)]
pub(super) struct Judge {
    settings: EarlyStopping,
    best: Option<BestEpoch>,
    /// Epochs since the best.
    waited: u32,
}

impl Judge {
    pub(super) fn new(settings: EarlyStopping) -> Self {
        Self {
            settings,
            best: None,
            waited: 0,
        }
    }

    /// Goes on from `state`, which is of the same metric.
    pub(super) fn resume(&mut self, state: StoppingState) {
        self.best = state.best;
        self.waited = state.waited;
    }

    pub(super) fn state(&self) -> StoppingState {
        StoppingState {
            metric: self.settings.metric.clone(),
            best: self.best.clone(),
            waited: self.waited,
        }
    }

    pub(super) fn best(&self) -> Option<&BestEpoch> {
        self.best.as_ref()
    }

    /// Whether there was no better epoch.
    pub(super) fn is_improvement(&self, evaluation: &Evaluation) -> bool {
        let value = |evaluation: &Evaluation| evaluation.metric(&self.settings.metric);
        let Some(value_now) = value(evaluation).filter(|value| !value.is_nan()) else {
            return false;
        };
        let best = self.best.as_ref().and_then(|best| value(&best.evaluation));
        let least = self.settings.min_improvement;
        best.is_none_or(|best| match self.settings.goal {
            Goal::Min => value_now < best - least,
            Goal::Max => value_now > best + least,
        })
    }

    /// The epoch was better than all before, and is kept if its weights are finite; whether it is.
    pub(super) fn keep(&mut self, best: BestEpoch) -> bool {
        let layers = best.parameters.iter();
        let mut numbers = layers.flat_map(|layer| layer.w.iter().chain(&layer.b));
        if !numbers.all(|number| number.is_finite()) {
            self.wait();
            return false;
        }
        self.best = Some(best);
        self.waited = 0;
        true
    }

    /// The epoch was no better.
    pub(super) fn wait(&mut self) {
        self.waited += 1;
    }

    pub(super) fn is_out_of_patience(&self) -> bool {
        self.waited >= self.settings.patience
    }
}
