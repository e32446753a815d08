//! The description of a multi-layer perceptron.

use super::error::ModelError;
use super::initialization::Initialization;
use super::loss::Loss;
use super::loss_scaling::LossScaling;
use super::network::{NetworkConfig, check_dropout};
use super::optimizer::{AdamSettings, Optimizer};
use crate::linear::{Activation, Precision};

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
    /// each weighs 1. The loss is Σ weight · loss / Σ weight over the examples, each with the
    /// weight of its class, as PyTorch's *CrossEntropyLoss* has it.
    pub class_weights: Vec<f32>,
    /// s, from 0, below 1: [`Loss::SoftmaxCrossEntropy`] is trained towards (1 − s) · onehot + s /
    /// classes; 0 for none. With weights of classes w, the loss of an example of class y is (1 − s)
    /// w_y (−log p_y) + s / classes · Σ_c w_c (−log p_c), and the mean Σ loss / Σ w_y, as PyTorch's
    /// *CrossEntropyLoss(label_smoothing, weight)* has it. What is evaluated is the loss without
    /// it.
    pub label_smoothing: f32,
    /// p, from 0, below 1: the probability with which each element behind a hidden layer's
    /// activation is 0 in training; the others are divided by 1 − p. Predictions drop nothing. See
    /// [`NetworkKernels::dropout`](crate::nn::NetworkKernels::dropout).
    pub dropout: f32,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// How many batches make an update, 1 or more: the optimizer takes a step with the mean of
    /// their gradients, as PyTorch does where each loss is divided by that number, and with the
    /// learning rate of the last of them. A trainer's steps are batches. Gradients that wait at the
    /// end of an epoch wait for batches of the next; what waits at the end of training is lost. See
    /// [`Model::pending_batches`](super::Model::pending_batches).
    pub accumulation: u32,
    /// The norm to which the gradient is clipped, over all weights and biases of the network;
    /// `None` leaves it as it is. See [`NetworkKernels::clip`](crate::nn::NetworkKernels::clip).
    pub clip_norm: Option<f32>,
    /// What lies between the layers is stored as: with [`Precision::Mixed`] activations and their
    /// gradients are f16, which needs [`wgpu::Features::SHADER_F16`], and parameters, gradients of
    /// parameters and what the optimizer remembers stay f32. `docs/PRECISION.md` has the details.
    /// [`Precision::F16`] is refused: so few digits lose small updates. It is for
    /// [`Network::predictor`](crate::nn::Network::predictor). Where a device may lack f16,
    /// [`Precision::or_f32`] takes f32 on request.
    pub precision: Precision,
    /// What keeps gradients of f16 from vanishing; without effect in f32.
    pub loss_scaling: LossScaling,
    /// The distribution of the first weights and biases.
    pub initialization: Initialization,
    /// Seed of the first weights and of what is dropped: equal seeds give equal weights, on the GPU
    /// and in the reference.
    pub seed: u64,
}

impl MlpConfig {
    /// ReLU, none behind the last layer, softmax cross-entropy without weights or smoothing, no
    /// dropout, Adam with its usual settings, an update a batch, no clipping, f32, He initialisation,
    /// seed 0.
    #[must_use]
    pub fn new(layer_sizes: &[usize]) -> Self {
        Self {
            layer_sizes: layer_sizes.to_vec(),
            activation: Activation::Relu,
            output_activation: Activation::Identity,
            loss: Loss::SoftmaxCrossEntropy,
            class_weights: Vec::new(),
            label_smoothing: 0.0,
            dropout: 0.0,
            optimizer: Optimizer::Adam(AdamSettings::default()),
            accumulation: 1,
            clip_norm: None,
            precision: Precision::F32,
            loss_scaling: LossScaling::default(),
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
        // Where there are no hidden layers, the network does not know it.
        check_dropout(self.dropout)?;
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
            .label_smoothing(config.label_smoothing)
            .optimizer(config.optimizer)
            .accumulation(config.accumulation)
            .precision(config.precision)
            .loss_scaling(config.loss_scaling)
            .seed(config.seed);
        network.clip_norm = config.clip_norm;
        for (i, size) in outputs.iter().enumerate() {
            let (activation, dropout) = if i + 1 == outputs.len() {
                (config.output_activation, 0.0)
            } else {
                (config.activation, config.dropout)
            };
            network = network
                .layer_drawn(*size, activation, config.initialization)
                .dropout(dropout);
        }
        network
    }
}
