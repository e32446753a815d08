//! The optimizers and their settings.

use super::error::ModelError;

/// Settings of stochastic gradient descent; formulas in `shaders/sgd.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct SgdSettings {
    /// Step size.
    pub learning_rate: f32,
    /// How much of the last direction is kept; 0 for none.
    pub momentum: f32,
    /// Look ahead along the momentum.
    pub nesterov: bool,
    /// L2 penalty added to the gradient.
    pub weight_decay: f32,
}

impl Default for SgdSettings {
    fn default() -> Self {
        Self {
            learning_rate: 1e-2,
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        }
    }
}

/// Settings of Adam and AdamW; formulas in `shaders/adam.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct AdamSettings {
    /// Step size.
    pub learning_rate: f32,
    /// Decay of the mean of the gradient.
    pub beta1: f32,
    /// Decay of the mean of its square.
    pub beta2: f32,
    /// Added to the denominator; above 0, since a gradient that is always 0 would otherwise give 0
    /// / 0.
    pub epsilon: f32,
    /// L2 penalty (Adam) or decoupled decay (AdamW); 0 for none.
    pub weight_decay: f32,
}

impl Default for AdamSettings {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
        }
    }
}

/// Settings of Lion; formulas in `shaders/lion.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct LionSettings {
    /// Step size: how far every parameter moves. A third to a tenth of Adam's is usual.
    pub learning_rate: f32,
    /// Weight of the mean of the gradient in the direction of a step.
    pub beta1: f32,
    /// Decay of the mean of the gradient.
    pub beta2: f32,
    /// Decoupled decay; 0 for none. Three to ten times AdamW's is usual.
    pub weight_decay: f32,
}

impl Default for LionSettings {
    fn default() -> Self {
        Self {
            learning_rate: 1e-4,
            beta1: 0.9,
            beta2: 0.99,
            weight_decay: 0.0,
        }
    }
}

/// How the gradient becomes a step.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Optimizer {
    /// Stochastic gradient descent, with momentum if asked for.
    Sgd(SgdSettings),
    /// Adam (Kingma & Ba 2015); weight decay is added to the gradient.
    Adam(AdamSettings),
    /// AdamW (Loshchilov & Hutter 2019); weight decay acts on the weights alone.
    AdamW(AdamSettings),
    /// Lion (Chen et al. 2023); weight decay acts on the weights alone.
    Lion(LionSettings),
}

impl Optimizer {
    /// Its name, such as `adam`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd(_) => "sgd",
            Self::Adam(_) => "adam",
            Self::AdamW(_) => "adamw",
            Self::Lion(_) => "lion",
        }
    }

    /// The step size.
    #[must_use]
    pub fn learning_rate(&self) -> f32 {
        match self {
            Self::Sgd(settings) => settings.learning_rate,
            Self::Adam(settings) | Self::AdamW(settings) => settings.learning_rate,
            Self::Lion(settings) => settings.learning_rate,
        }
    }

    /// Changes nothing where the new rate is out of range.
    pub(crate) fn set_learning_rate(&mut self, learning_rate: f32) -> Result<(), ModelError> {
        let mut changed = *self;
        match &mut changed {
            Self::Sgd(settings) => settings.learning_rate = learning_rate,
            Self::Adam(settings) | Self::AdamW(settings) => settings.learning_rate = learning_rate,
            Self::Lion(settings) => settings.learning_rate = learning_rate,
        }
        changed.check()?;
        *self = changed;
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<(), ModelError> {
        let tiny = f32::MIN_POSITIVE;
        let settings = match *self {
            Self::Sgd(s) => vec![
                ("learning_rate", s.learning_rate, 0.0..f32::INFINITY),
                ("momentum", s.momentum, 0.0..1.0),
                ("weight_decay", s.weight_decay, 0.0..f32::INFINITY),
            ],
            Self::Adam(s) | Self::AdamW(s) => vec![
                ("learning_rate", s.learning_rate, 0.0..f32::INFINITY),
                ("beta1", s.beta1, 0.0..1.0),
                ("beta2", s.beta2, 0.0..1.0),
                ("epsilon", s.epsilon, tiny..f32::INFINITY),
                ("weight_decay", s.weight_decay, 0.0..f32::INFINITY),
            ],
            Self::Lion(s) => vec![
                ("learning_rate", s.learning_rate, 0.0..f32::INFINITY),
                ("beta1", s.beta1, 0.0..1.0),
                ("beta2", s.beta2, 0.0..1.0),
                ("weight_decay", s.weight_decay, 0.0..f32::INFINITY),
            ],
        };
        // Half-open ranges: a β of 1 would never learn. A NaN is in none.
        match settings
            .into_iter()
            .find(|(_, value, range)| !range.contains(value))
        {
            Some((name, value, _)) => Err(ModelError::Setting { name, value }),
            None => Ok(()),
        }
    }
}
