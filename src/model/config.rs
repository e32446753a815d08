//! The description of a multi-layer perceptron.

use super::batch::{check_shape, is_weight};
use super::error::ModelError;
use super::initialization::Initialization;
use super::loss::{Loss, TargetKind};
use super::optimizer::{AdamSettings, Optimizer};
use crate::linear::Activation;

/// A multi-layer perceptron: linear layers with an activation between them, and none behind the
/// last.
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
    /// ReLU, softmax cross-entropy without weights, Adam with its usual settings, no clipping, He initialisation,
    /// seed 0.
    #[must_use]
    pub fn new(layer_sizes: &[usize]) -> Self {
        Self {
            layer_sizes: layer_sizes.to_vec(),
            activation: Activation::Relu,
            loss: Loss::SoftmaxCrossEntropy,
            class_weights: Vec::new(),
            optimizer: Optimizer::Adam(AdamSettings::default()),
            clip_norm: None,
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
        if let Some((name, value)) = self.activation.parameter()
            && !value.is_finite()
        {
            return Err(ModelError::Setting { name, value });
        }
        let clip_norm = self.clip_norm.map(|norm| ("clip_norm", norm));
        let positive = clip_norm.into_iter().chain(self.loss.parameter());
        for (name, value) in positive {
            // A NaN is in no range.
            if !(f32::MIN_POSITIVE..f32::INFINITY).contains(&value) {
                return Err(ModelError::Setting { name, value });
            }
        }
        self.check_class_weights()?;
        self.initialization.check()?;
        self.optimizer.check()
    }

    fn check_class_weights(&self) -> Result<(), ModelError> {
        let (weights, outputs) = (&self.class_weights, self.layer_sizes.last());
        if weights.is_empty() {
            return Ok(());
        }
        if self.loss.targets() != TargetKind::Classes {
            return Err(ModelError::TargetKind { loss: self.loss });
        }
        let expected = [1, outputs.copied().unwrap_or_default()];
        check_shape("class weights", expected, [1, weights.len()])?;
        match weights.iter().find(|weight| !is_weight(**weight)) {
            Some(value) => Err(ModelError::Setting {
                name: "class_weights",
                value: *value,
            }),
            None => Ok(()),
        }
    }
}
