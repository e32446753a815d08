//! How the first weights are drawn.

use super::error::ModelError;

/// How the first weights and biases are drawn.
///
/// | | weights | biases |
/// |---|---|---|
/// | [`Self::He`] | ±√(6 / inputs) | 0 |
/// | [`Self::Xavier`] | ±√(6 / (inputs + outputs)) | 0 |
/// | [`Self::KaimingUniform`] | ±1 / √inputs | ±1 / √inputs |
/// | [`Self::Siren`] | ±1 / inputs in the first layer, ±√(6 / inputs) / ω in all others | ±1 / √inputs |
/// | [`Self::Zeros`] | 0 | 0 |
///
/// Uniform distributions are used throughout: they need no transcendental functions, so the numbers
/// are the same everywhere.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Initialization {
    /// Uniform in ±√(6 / inputs) (He et al. 2015), for ReLU and its relatives.
    He,
    /// Uniform in ±√(6 / (inputs + outputs)) (Glorot & Bengio 2010), for tanh and sigmoid.
    Xavier,
    /// What PyTorch's linear layers begin with: *kaiming_uniform* with a = √5, which is ±1 /
    /// √inputs, and biases from the same range.
    KaimingUniform,
    /// For networks of sines, sin(ω t) (Sitzmann et al. 2020, *Implicit Neural Representations with
    /// Periodic Activation Functions*). The paper says nothing of biases; as in its authors' code,
    /// they are those of PyTorch.
    Siren {
        /// ω, that of [`Activation::Sine`](super::Activation::Sine); above 0.
        frequency: f32,
    },
    /// All 0, for a last layer that should begin with nothing. Layers below such a layer learn from
    /// its second step on; several of them in a row never do.
    Zeros,
}

impl Initialization {
    /// How far weights and biases of a layer may be from 0.
    pub(super) fn limits(self, inputs: usize, outputs: usize, is_first: bool) -> Limits {
        let root = |over: f32, fan: usize| (over / fan as f32).sqrt();
        let [w, b] = match self {
            Self::He => [root(6.0, inputs), 0.0],
            Self::Xavier => [root(6.0, inputs + outputs), 0.0],
            Self::KaimingUniform => [root(1.0, inputs); 2],
            Self::Siren { .. } if is_first => [1.0 / inputs as f32, root(1.0, inputs)],
            Self::Siren { frequency } => [root(6.0, inputs) / frequency, root(1.0, inputs)],
            Self::Zeros => [0.0; 2],
        };
        Limits { w, b }
    }

    /// Refuses a frequency that no weight can be divided by.
    pub(super) fn check(self) -> Result<(), ModelError> {
        match self {
            // A NaN is in no range.
            Self::Siren { frequency }
                if !(f32::MIN_POSITIVE..f32::INFINITY).contains(&frequency) =>
            {
                let (name, value) = ("frequency", frequency);
                Err(ModelError::Setting { name, value })
            }
            _ => Ok(()),
        }
    }
}

/// The largest weight and the largest bias of a layer; 0 where none is drawn.
pub(super) struct Limits {
    pub(super) w: f32,
    pub(super) b: f32,
}
