//! The description of a multi-layer perceptron: sizes, activation, loss, optimizer, initialisation.

use super::ModelError;

/// The function between two linear layers, element by element; formulas in `shaders/activation.wgsl`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// f(t) = t.
    Identity,
    /// f(t) = max(t, 0), with f′(0) = 0. A NaN may come out as 0: WGSL lets compilers assume that there is none.
    Relu,
    /// f(t) = t where t > 0, else slope · t.
    LeakyRelu {
        /// The slope of the left half; 0.01 is usual.
        slope: f32,
    },
    /// f(t) = tanh t.
    Tanh,
    /// f(t) = 1 / (1 + e⁻ᵗ).
    Sigmoid,
    /// f(t) = t Φ(t) with the exact normal distribution Φ, not its tanh approximation (Hendrycks & Gimpel 2016).
    Gelu,
}

impl Activation {
    /// `KIND` in the shaders.
    pub(crate) const fn kind(self) -> u32 {
        match self {
            Self::Identity => 0,
            Self::Relu => 1,
            Self::LeakyRelu { .. } => 2,
            Self::Tanh => 3,
            Self::Sigmoid => 4,
            Self::Gelu => 5,
        }
    }

    /// The slope of a leaky ReLU, which its shaders read from a uniform.
    pub(crate) fn slope(self) -> f32 {
        match self {
            Self::LeakyRelu { slope } => slope,
            _ => 0.0,
        }
    }
}

/// What is minimized: the mean over the examples of a batch.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// log Σ_j exp t_ij − t_i,class: the outputs are logits.
    SoftmaxCrossEntropy,
    /// Σ_j (t_ij − y_ij)² / outputs.
    MeanSquaredError,
}

/// How the first weights are drawn; biases begin at 0.
///
/// Uniform distributions are used throughout: they need no transcendental functions, so the numbers are the same everywhere.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initialization {
    /// Uniform in ±√(6 / inputs) (He et al. 2015), for ReLU and its relatives.
    He,
    /// Uniform in ±√(6 / (inputs + outputs)) (Glorot & Bengio 2010), for tanh and sigmoid.
    Xavier,
}

/// Settings of stochastic gradient descent; formulas in `shaders/sgd.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
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
pub struct AdamSettings {
    /// Step size.
    pub learning_rate: f32,
    /// Decay of the mean of the gradient.
    pub beta1: f32,
    /// Decay of the mean of its square.
    pub beta2: f32,
    /// Added to the denominator; above 0, since a gradient that is always 0 would otherwise give 0 / 0.
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

/// How the gradient becomes a step.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent, with momentum if asked for.
    Sgd(SgdSettings),
    /// Adam (Kingma & Ba 2015); weight decay is added to the gradient.
    Adam(AdamSettings),
    /// AdamW (Loshchilov & Hutter 2019); weight decay acts on the weights alone.
    AdamW(AdamSettings),
}

impl Optimizer {
    /// The step size.
    #[must_use]
    pub fn learning_rate(&self) -> f32 {
        match self {
            Self::Sgd(settings) => settings.learning_rate,
            Self::Adam(settings) | Self::AdamW(settings) => settings.learning_rate,
        }
    }

    /// Changes nothing where the new rate is out of range.
    pub(crate) fn set_learning_rate(&mut self, learning_rate: f32) -> Result<(), ModelError> {
        let mut changed = *self;
        match &mut changed {
            Self::Sgd(settings) => settings.learning_rate = learning_rate,
            Self::Adam(settings) | Self::AdamW(settings) => settings.learning_rate = learning_rate,
        }
        changed.check()?;
        *self = changed;
        Ok(())
    }

    fn check(&self) -> Result<(), ModelError> {
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

/// A multi-layer perceptron: linear layers with an activation between them, and none behind the last.
///
/// ```
/// use wgpu_linear::model::{Activation, MlpConfig};
/// let config = MlpConfig { activation: Activation::Gelu, seed: 7, ..MlpConfig::new(&[64, 128, 10]) };
/// assert_eq!(config.layer_sizes, [64, 128, 10]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MlpConfig {
    /// Sizes of input, hidden layers and output: two or more.
    pub layer_sizes: Vec<usize>,
    /// The activation after every layer but the last.
    pub activation: Activation,
    /// The loss.
    pub loss: Loss,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The distribution of the first weights.
    pub initialization: Initialization,
    /// Seed of the first weights: equal seeds give equal weights, on the GPU and in the reference.
    pub seed: u64,
}

impl MlpConfig {
    /// ReLU, softmax cross-entropy, Adam with its usual settings, He initialisation, seed 0.
    #[must_use]
    pub fn new(layer_sizes: &[usize]) -> Self {
        Self {
            layer_sizes: layer_sizes.to_vec(),
            activation: Activation::Relu,
            loss: Loss::SoftmaxCrossEntropy,
            optimizer: Optimizer::Adam(AdamSettings::default()),
            initialization: Initialization::He,
            seed: 0,
        }
    }

    /// Refuses sizes and settings that make no network.
    pub(crate) fn check(&self) -> Result<(), ModelError> {
        let sizes = &self.layer_sizes;
        let sized = |size: &usize| *size > 0 && u32::try_from(*size).is_ok();
        // As many bytes as an array may have on this machine.
        let fits = |ends: &[usize]| {
            ends[0]
                .checked_mul(ends[1])
                .is_some_and(|w| w <= isize::MAX as usize / 8)
        };
        if sizes.len() < 2 || !sizes.iter().all(sized) || !sizes.windows(2).all(fits) {
            return Err(ModelError::LayerSizes {
                sizes: sizes.clone(),
            });
        }
        if let Activation::LeakyRelu { slope } = self.activation
            && !slope.is_finite()
        {
            return Err(ModelError::Setting {
                name: "slope",
                value: slope,
            });
        }
        self.optimizer.check()
    }
}
