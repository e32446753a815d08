//! How a network learns.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use wgpu_linear::model::{self, AdamSettings, LionSettings, SgdSettings};

use super::over::over;

/// How the gradient becomes a step.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Stochastic gradient descent; see --momentum and --nesterov.
    Sgd,
    /// Adam.
    Adam,
    /// Adam with decoupled weight decay.
    #[value(name = "adamw")]
    #[serde(rename = "adamw")]
    AdamW,
    /// Lion.
    Lion,
}

/// What lies between the layers is stored as.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Four bytes a number.
    F32,
    /// Two, with parameters of four; for adapters that have f16.
    Mixed,
}

/// How a network learns.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[command(next_help_heading = "Training")]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrainingSettings {
    /// How often to go through the training rows [default: for about 10,000 steps, 20 to 200]
    #[arg(long, value_name = "N")]
    pub epochs: Option<u32>,
    /// Rows per step [default: 64, and for small tables a tenth of their rows]
    #[arg(long, value_name = "ROWS")]
    pub batch: Option<usize>,
    /// Seed of the first weights, of the order and of dropout [default: 0]
    #[arg(long)]
    pub seed: Option<u64>,
    /// How the gradient becomes a step [default: adam]
    #[arg(long, value_enum)]
    pub optimizer: Option<Optimizer>,
    /// Step size [default: 0.001; sgd 0.01, lion 0.0001]
    #[arg(long, value_name = "RATE")]
    pub learning_rate: Option<f32>,
    /// How much of the last direction sgd keeps [default: 0]
    #[arg(long, value_name = "SHARE")]
    pub momentum: Option<f32>,
    /// Have sgd look ahead along the momentum
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub nesterov: Option<bool>,
    /// Pull of all weights towards 0 [default: 0]
    #[arg(long, value_name = "FACTOR")]
    pub weight_decay: Option<f32>,
    /// Norm that the whole gradient is clipped to
    #[arg(long, value_name = "NORM")]
    pub clip_norm: Option<f32>,
    /// How the step size changes: constant, cosine:FLOOR, linear:END, one-cycle, steps:EPOCHS:FACTOR
    /// or exponential:FACTOR [default: constant]
    #[arg(long, value_name = "NAME")]
    pub schedule: Option<String>,
    /// Steps over which the step size rises at first [default: 0]
    #[arg(long, value_name = "STEPS")]
    pub warmup: Option<u64>,
    /// Epochs without a gain after which the step size is cut to a tenth; 0 for never [default: 0]
    #[arg(long, value_name = "EPOCHS")]
    pub plateau: Option<u32>,
    /// Epochs without a gain after which the training ends; the best epoch's weights are kept. 0
    /// for never [default: 0]
    #[arg(long, value_name = "EPOCHS")]
    pub early_stopping: Option<u32>,
    /// Share of each label that is given to all classes alike [default: 0]
    #[arg(long, value_name = "SHARE")]
    pub label_smoothing: Option<f32>,
    /// What classes weigh: none, balanced, or a number for each, by commas [default: none]
    #[arg(long, value_name = "WEIGHTS", value_delimiter = ',')]
    pub class_weights: Option<Vec<String>>,
    /// Batches whose gradients are averaged for a step [default: 1]
    #[arg(long, value_name = "BATCHES")]
    pub accumulation: Option<u32>,
    /// What lies between the layers is stored as [default: f32]
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
}

impl TrainingSettings {
    pub(super) fn over(self, other: Self) -> Self {
        over!(
            self,
            other,
            epochs,
            batch,
            seed,
            optimizer,
            learning_rate,
            momentum,
            nesterov,
            weight_decay,
            clip_norm,
            schedule,
            warmup,
            plateau,
            early_stopping,
            label_smoothing,
            class_weights,
            accumulation,
            precision,
        )
    }

    /// Whether a momentum is set that the optimizer does not take.
    #[must_use]
    pub fn has_idle_momentum(&self) -> bool {
        let is_set = self.momentum.is_some() || self.nesterov.is_some();
        is_set && self.optimizer != Some(Optimizer::Sgd)
    }

    /// What lies between the layers is stored as.
    #[must_use]
    pub fn precision(&self) -> model::Precision {
        match self.precision {
            None | Some(Precision::F32) => model::Precision::F32,
            Some(Precision::Mixed) => model::Precision::Mixed,
        }
    }

    /// The optimizer that they describe.
    #[must_use]
    pub fn optimizer(&self) -> model::Optimizer {
        let weight_decay = self.weight_decay.unwrap_or(0.0);
        let adam = AdamSettings {
            learning_rate: self.learning_rate.unwrap_or(1e-3),
            weight_decay,
            ..AdamSettings::default()
        };
        match self.optimizer.unwrap_or(Optimizer::Adam) {
            Optimizer::Adam => model::Optimizer::Adam(adam),
            Optimizer::AdamW => model::Optimizer::AdamW(adam),
            Optimizer::Sgd => model::Optimizer::Sgd(SgdSettings {
                learning_rate: self.learning_rate.unwrap_or(1e-2),
                momentum: self.momentum.unwrap_or(0.0),
                nesterov: self.nesterov.unwrap_or(false),
                weight_decay,
            }),
            Optimizer::Lion => model::Optimizer::Lion(LionSettings {
                learning_rate: self.learning_rate.unwrap_or(1e-4),
                weight_decay,
                ..LionSettings::default()
            }),
        }
    }
}
