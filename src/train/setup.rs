//! What a run is made of, beside the model.

use super::curve::Curve;
use super::evaluate::LOSS;
use super::{Dataset, EarlyStopping, Metric, ReduceOnPlateau, TrainError, TrainOptions};
use crate::model::{Model, ModelError, check_batch};

pub(super) const TEST: &str = "test";
pub(super) const VALIDATION: &str = "validation";

/// What a run is made of, beside the model.
#[derive(Debug)]
pub(super) struct Setup<'a> {
    pub(super) options: TrainOptions,
    pub(super) curve: Curve<'a>,
    /// All that are measured, beside the loss.
    pub(super) metrics: Vec<Metric>,
    pub(super) stopping: Option<EarlyStopping>,
    pub(super) plateau: Option<ReduceOnPlateau>,
    /// Whether nothing is evaluated where the callback ends the run.
    pub(super) quick_stop: bool,
    pub(super) train: &'a Dataset,
    pub(super) validation: Option<&'a Dataset>,
    pub(super) test: &'a Dataset,
}

impl<'a> Setup<'a> {
    /// Refuses what trains nothing, and names that lead nowhere.
    pub(super) fn check(&self) -> Result<(), TrainError> {
        self.options.check(self.train)?;
        let mut names = self.metrics.iter().map(Metric::name);
        if let Some(name) = names.find(|name| name.is_empty() || *name == LOSS) {
            let name = name.to_owned();
            return Err(TrainError::MetricName { name });
        }
        let names = || self.metrics.iter().map(Metric::name);
        if let Some(plateau) = &self.plateau {
            plateau.check(names())?;
        }
        self.stopping
            .as_ref()
            .map_or(Ok(()), |stopping| stopping.check(names()))
    }

    /// Refuses data that would only be found wanting after an epoch, or after the last. The
    /// training set is the model's to check.
    pub(super) fn check_against(&self, model: &dyn Model) -> Result<(), ModelError> {
        let (sizes, loss) = (model.layer_sizes(), model.loss());
        if sizes.is_empty() {
            return Ok(());
        }
        let mut sets = self.validation.into_iter().chain([self.test]);
        sets.try_for_each(|set| check_batch(sizes, loss, set.x().view(), set.targets()))
    }

    /// The set that epochs are judged by, with its name.
    pub(super) fn judging(&self) -> (&'static str, &'a Dataset) {
        match self.validation {
            Some(validation) => (VALIDATION, validation),
            None => (TEST, self.test),
        }
    }

    /// All steps, should nothing end the run early.
    pub(super) fn steps(&self) -> u64 {
        let batches = self.train.len().div_ceil(self.options.batch);
        u64::from(self.options.epochs) * batches as u64
    }

    /// What the learning rate is multiplied by at a step, from 0.
    pub(super) fn factor(&self, step: u64, epoch: u32) -> f32 {
        let warmup = self.options.warmup_steps;
        self.curve.factor(warmup, step, self.steps(), epoch)
    }
}
