//! The description of a multi-layer perceptron.

use super::error::ModelError;
use super::initialization::Initialization;
use super::loss::Loss;
use super::network::NetworkConfig;
use super::optimizer::{AdamSettings, Optimizer};
use crate::linear::Activation;

/// A multi-layer perceptron: linear layers with the same activation between them.
///
/// [`NetworkConfig`] gives each layer an activation of its own.
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
    /// The activation after the last layer; usually none.
    pub output_activation: Activation,
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
    /// ReLU, none behind the last layer, softmax cross-entropy, Adam with its usual settings, He initialisation, seed 0.
    #[must_use]
    pub fn new(layer_sizes: &[usize]) -> Self {
        Self {
            layer_sizes: layer_sizes.to_vec(),
            activation: Activation::Relu,
            output_activation: Activation::Identity,
            loss: Loss::SoftmaxCrossEntropy,
            optimizer: Optimizer::Adam(AdamSettings::default()),
            initialization: Initialization::He,
            seed: 0,
        }
    }

    /// Refuses sizes and settings that make no network.
    pub(crate) fn check(&self) -> Result<(), ModelError> {
        let network = NetworkConfig::from(self).check();
        match network {
            Err(ModelError::LayerSizes { .. }) => Err(ModelError::LayerSizes {
                sizes: self.layer_sizes.clone(),
            }),
            result => result,
        }
    }
}

impl From<&MlpConfig> for NetworkConfig {
    fn from(config: &MlpConfig) -> Self {
        let (inputs, outputs) = config.layer_sizes.split_first().unwrap_or((&0, &[]));
        let mut network = Self::new(*inputs)
            .loss(config.loss)
            .optimizer(config.optimizer)
            .seed(config.seed);
        for (i, size) in outputs.iter().enumerate() {
            let activation = if i + 1 == outputs.len() {
                config.output_activation
            } else {
                config.activation
            };
            network = network.layer_drawn(*size, activation, config.initialization);
        }
        network
    }
}
