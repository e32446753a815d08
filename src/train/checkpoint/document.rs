//! What a checkpoint says in words and numbers, as JSON: all but the tensors.
//!
//! A field that is added later has to be `serde(default)`, so that older files load. Where an older
//! program must not overlook it, `VERSION` in `format.rs` goes up.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::super::early_stopping::{BestEpoch, StoppingState};
use super::super::run_state::RunState;
use super::contents::Checkpoint;
use crate::model::{LayerParameters, MlpConfig, TrainingState};
use crate::train::Evaluation;
use crate::train::plateau::PlateauState;

#[derive(Serialize, Deserialize)]
pub(super) struct Document {
    pub(super) config: MlpConfig,
    #[serde(default)]
    pub(super) state: Option<State>,
    #[serde(default)]
    pub(super) progress: Option<Progress>,
    #[serde(default)]
    pub(super) extra: BTreeMap<String, String>,
}

/// The names of the tensors of a training state.
#[derive(Serialize, Deserialize)]
pub(super) struct State {
    pub(super) moments: Vec<String>,
    pub(super) scalars: Vec<String>,
    pub(super) batches: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Progress {
    epochs_done: u32,
    batches_done: u64,
    step: u64,
    seed: u64,
    batch: usize,
    epochs: u32,
    examples: usize,
    base_learning_rate: Number,
    #[serde(default)]
    stopping: Option<Stopping>,
    #[serde(default)]
    best_loss: Option<Number>,
    #[serde(default)]
    plateau: Plateau,
}

#[derive(Serialize, Deserialize)]
struct Stopping {
    metric: String,
    best: Option<Best>,
    waited: u32,
}

/// All but the parameters.
#[derive(Serialize, Deserialize)]
struct Best {
    epoch: u32,
    loss: Number,
    metrics: Vec<(String, Number)>,
}

/// Every f32 there is, as text: JSON knows neither NaN nor infinities.
#[derive(Clone, Copy)]
struct Number(f32);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The shortest text that is read as the same number.
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

impl Document {
    pub(super) fn of(checkpoint: &Checkpoint) -> Self {
        Self {
            config: checkpoint.config.clone(),
            state: checkpoint.state.as_ref().map(State::of),
            progress: checkpoint.progress.as_ref().map(Progress::of),
            extra: checkpoint.extra.clone(),
        }
    }
}

impl State {
    fn of(state: &TrainingState) -> Self {
        let (moments, scalars) = (state.moments.iter(), state.scalars.iter());
        Self {
            moments: moments.map(|moment| moment.name.clone()).collect(),
            scalars: scalars.map(|(name, _)| name.clone()).collect(),
            batches: state.batches,
        }
    }
}

impl Progress {
    fn of(state: &RunState) -> Self {
        Self {
            epochs_done: state.epochs_done,
            batches_done: state.batches_done,
            step: state.step,
            seed: state.seed,
            batch: state.batch,
            epochs: state.epochs,
            examples: state.examples,
            base_learning_rate: Number(state.base_learning_rate),
            stopping: state.stopping.as_ref().map(Stopping::of),
            best_loss: state.best_loss.map(Number),
            plateau: Plateau::of(state.plateau),
        }
    }

    /// Whether there are parameters of a best epoch.
    pub(super) fn has_best(&self) -> bool {
        let stopping = self.stopping.as_ref();
        stopping.is_some_and(|stopping| stopping.best.is_some())
    }

    /// The state, with the parameters of the best epoch.
    pub(super) fn into_state(self, best: Vec<LayerParameters>) -> RunState {
        RunState {
            epochs_done: self.epochs_done,
            batches_done: self.batches_done,
            step: self.step,
            seed: self.seed,
            batch: self.batch,
            epochs: self.epochs,
            examples: self.examples,
            base_learning_rate: self.base_learning_rate.0,
            stopping: self.stopping.map(|stopping| stopping.into_state(best)),
            best_loss: self.best_loss.map(|loss| loss.0),
            plateau: self.plateau.into_state(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Plateau {
    factor: Number,
    best: Option<Number>,
    waited: u32,
    cooling: u32,
}

impl Default for Plateau {
    fn default() -> Self {
        Self::of(PlateauState::default())
    }
}

impl Plateau {
    fn of(state: PlateauState) -> Self {
        Self {
            factor: Number(state.factor),
            best: state.best.map(Number),
            waited: state.waited,
            cooling: state.cooling,
        }
    }

    fn into_state(self) -> PlateauState {
        PlateauState {
            factor: self.factor.0,
            best: self.best.map(|best| best.0),
            waited: self.waited,
            cooling: self.cooling,
        }
    }
}

impl Stopping {
    fn of(state: &StoppingState) -> Self {
        let best = |best: &BestEpoch| Best {
            epoch: best.epoch,
            loss: Number(best.evaluation.loss),
            metrics: (best.evaluation.metrics())
                .map(|(name, value)| (name.to_owned(), Number(value)))
                .collect(),
        };
        Self {
            metric: state.metric.clone(),
            best: state.best.as_ref().map(best),
            waited: state.waited,
        }
    }

    fn into_state(self, parameters: Vec<LayerParameters>) -> StoppingState {
        let best = |best: Best| {
            let metrics = best.metrics.into_iter();
            let metrics = metrics.map(|(name, value)| (name, value.0)).collect();
            BestEpoch {
                epoch: best.epoch,
                evaluation: Evaluation::of_values(best.loss.0, metrics),
                parameters,
            }
        };
        StoppingState {
            metric: self.metric,
            best: self.best.map(best),
            waited: self.waited,
        }
    }
}
