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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default = "MlpConfig::unsized_default"))]
pub struct MlpConfig {
    /// Sizes of input, hidden layers and output: two or more.
    pub layer_sizes: Vec<usize>,
    /// The activation after every layer but the last.
    pub activation: Activation,
    /// The activation after the last layer; usually none.
    pub output_activation: Activation,
    /// The loss.
    pub loss: Loss,
    /// The weight of each class in [`Loss::SoftmaxCrossEntropy`], from 0 and finite; empty where
    /// each weighs 1. The loss is Σ weight · loss / Σ weight over the examples, each with the weight
    /// of its class, as PyTorch's *CrossEntropyLoss* has it.
    pub class_weights: Vec<f32>,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The norm to which the gradient is clipped, over all weights and biases of the network; `None`
    /// leaves it as it is. See [`NetworkKernels::clip`](crate::nn::NetworkKernels::clip).
    pub clip_norm: Option<f32>,
    /// The distribution of the first weights and biases.
    pub initialization: Initialization,
    /// Seed of the first weights: equal seeds give equal weights, on the GPU and in the reference.
    pub seed: u64,
}

impl MlpConfig {
    /// ReLU, none behind the last layer, softmax cross-entropy without weights, Adam with its usual
    /// settings, no clipping, He initialisation, seed 0.
    #[must_use]
    pub fn new(layer_sizes: &[usize]) -> Self {
        Self {
            layer_sizes: layer_sizes.to_vec(),
            activation: Activation::Relu,
            output_activation: Activation::Identity,
            loss: Loss::SoftmaxCrossEntropy,
            class_weights: Vec::new(),
            optimizer: Optimizer::Adam(AdamSettings::default()),
            clip_norm: None,
            initialization: Initialization::He,
            seed: 0,
        }
    }

    /// What is left out where a configuration is written down: all but the sizes.
    #[cfg(feature = "serde")]
    fn unsized_default() -> Self {
        Self::new(&[])
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
            .class_weights(config.class_weights.clone())
            .optimizer(config.optimizer)
            .seed(config.seed);
        network.clip_norm = config.clip_norm;
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
