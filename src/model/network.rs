//! The description of a network whose layers each have an activation of their own.

use super::batch::{check_shape, is_weight};
use super::dropout::DropoutSettings;
use super::error::ModelError;
use super::initialization::Initialization;
use super::loss::{Loss, TargetKind};
use super::loss_scaling::LossScaling;
use super::optimizer::{AdamSettings, Optimizer};
use crate::kernel::ElementType;
use crate::linear::{Activation, Precision};

/// A layer A = f(X·W + b) of a [`NetworkConfig`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LayerConfig {
    /// Columns of X.
    pub inputs: usize,
    /// Columns of A.
    pub outputs: usize,
    /// f.
    pub activation: Activation,
    /// The distribution of the first weights.
    pub initialization: Initialization,
}

impl LayerConfig {
    /// A layer drawn with [`Initialization::He`].
    #[must_use]
    pub const fn new(inputs: usize, outputs: usize, activation: Activation) -> Self {
        Self {
            inputs,
            outputs,
            activation,
            initialization: Initialization::He,
        }
    }
}

/// A network of linear layers, each with an activation of its own, the last one too.
///
/// [`MlpConfig`](super::MlpConfig) describes the usual case in fewer words; it converts into one of these.
///
/// ```
/// use wgpu_linear::model::{Activation, Loss, NetworkConfig};
///
/// let config = NetworkConfig::new(32)
///     .layer(64, Activation::Relu)
///     .layer(3, Activation::Sigmoid)
///     .loss(Loss::MeanSquaredError);
/// assert_eq!(config.layer_sizes(), [32, 64, 3]);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default = "NetworkConfig::unsized_default"))]
pub struct NetworkConfig {
    inputs: usize,
    /// The layers, first to last; each takes what the one before gives.
    layers: Vec<LayerConfig>,
    /// The probability with which each element of A is dropped, for each layer.
    dropout: Vec<f32>,
    /// The loss.
    pub loss: Loss,
    /// The weight of each class, as [`MlpConfig::class_weights`](super::MlpConfig::class_weights).
    pub class_weights: Vec<f32>,
    /// Label smoothing, as [`MlpConfig::label_smoothing`](super::MlpConfig::label_smoothing).
    pub label_smoothing: f32,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// Batches that make an update, as [`MlpConfig::accumulation`](super::MlpConfig::accumulation).
    pub accumulation: u32,
    /// The norm to which the gradient is clipped, as
    /// [`MlpConfig::clip_norm`](super::MlpConfig::clip_norm).
    pub clip_norm: Option<f32>,
    /// What lies between the layers is stored as, as
    /// [`MlpConfig::precision`](super::MlpConfig::precision).
    pub precision: Precision,
    /// As [`MlpConfig::loss_scaling`](super::MlpConfig::loss_scaling).
    pub loss_scaling: LossScaling,
    /// Seed of the first weights and of what is dropped: equal seeds give equal weights, on the GPU
    /// and in the reference.
    pub seed: u64,
}

impl NetworkConfig {
    /// No layers yet, softmax cross-entropy without weights or smoothing, Adam with its usual
    /// settings, an update a batch, no clipping, f32, seed 0.
    #[must_use]
    pub fn new(inputs: usize) -> Self {
        Self {
            inputs,
            layers: Vec::new(),
            dropout: Vec::new(),
            loss: Loss::SoftmaxCrossEntropy,
            class_weights: Vec::new(),
            label_smoothing: 0.0,
            accumulation: 1,
            clip_norm: None,
            precision: Precision::F32,
            loss_scaling: LossScaling::default(),
            optimizer: Optimizer::Adam(AdamSettings::default()),
            seed: 0,
        }
    }

    /// What is left out where a configuration is written down: all but the sizes.
    #[cfg(feature = "serde")]
    fn unsized_default() -> Self {
        Self::new(0)
    }

    /// A network of one layer.
    pub(crate) fn of_layer(layer: LayerConfig) -> Self {
        Self::new(layer.inputs).layer_drawn(layer.outputs, layer.activation, layer.initialization)
    }

    /// The same with one more layer at the end, drawn with [`Initialization::He`].
    #[must_use]
    pub fn layer(self, outputs: usize, activation: Activation) -> Self {
        self.layer_drawn(outputs, activation, Initialization::He)
    }

    /// [`Self::layer`], with first weights of another distribution.
    #[must_use]
    pub fn layer_drawn(
        mut self,
        outputs: usize,
        activation: Activation,
        initialization: Initialization,
    ) -> Self {
        let [_, inputs] = self.ends();
        self.layers.push(LayerConfig {
            inputs,
            outputs,
            activation,
            initialization,
        });
        self.dropout.push(0.0);
        self
    }

    /// The same with dropout behind the layer that was added last, as
    /// [`MlpConfig::dropout`](super::MlpConfig::dropout); not behind the last of the network.
    ///
    /// ```
    /// use wgpu_linear::model::{Activation, NetworkConfig};
    ///
    /// let config = NetworkConfig::new(32)
    ///     .layer(64, Activation::Relu)
    ///     .dropout(0.5)
    ///     .layer(10, Activation::Identity);
    /// assert_eq!(config.dropouts(), [0.5, 0.0]);
    /// ```
    #[must_use]
    pub fn dropout(mut self, dropout: f32) -> Self {
        if let Some(last) = self.dropout.last_mut() {
            *last = dropout;
        }
        self
    }

    /// The same with another loss.
    #[must_use]
    pub fn loss(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }

    /// The same with a weight for each class.
    #[must_use]
    pub fn class_weights(self, class_weights: Vec<f32>) -> Self {
        Self {
            class_weights,
            ..self
        }
    }

    /// The same with smoothed labels.
    #[must_use]
    pub fn label_smoothing(self, label_smoothing: f32) -> Self {
        Self {
            label_smoothing,
            ..self
        }
    }

    /// The same with so many batches an update.
    #[must_use]
    pub fn accumulation(self, accumulation: u32) -> Self {
        Self {
            accumulation,
            ..self
        }
    }

    /// The same with the gradient clipped to this norm.
    #[must_use]
    pub fn clip_norm(self, clip_norm: f32) -> Self {
        Self {
            clip_norm: Some(clip_norm),
            ..self
        }
    }

    /// The same with what lies between the layers stored otherwise.
    #[must_use]
    pub fn precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The same with other settings of loss scaling.
    #[must_use]
    pub fn loss_scaling(self, loss_scaling: LossScaling) -> Self {
        Self {
            loss_scaling,
            ..self
        }
    }

    /// The same with another optimizer.
    #[must_use]
    pub fn optimizer(self, optimizer: Optimizer) -> Self {
        Self { optimizer, ..self }
    }

    /// The same with another seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The layers, first to last.
    #[must_use]
    pub fn layers(&self) -> &[LayerConfig] {
        &self.layers
    }

    /// The probability with which each element behind a layer is dropped, first layer first.
    #[must_use]
    pub fn dropouts(&self) -> &[f32] {
        &self.dropout
    }

    /// Sizes of input, hidden layers and output.
    #[must_use]
    pub fn layer_sizes(&self) -> Vec<usize> {
        let outputs = self.layers.iter().map(|layer| layer.outputs);
        [self.inputs].into_iter().chain(outputs).collect()
    }

    /// What T and A of a layer are stored as, from 0, and their gradients: those of the last layer
    /// as f32, since they are what the loss is of.
    pub(crate) fn element_of(&self, layer: usize) -> ElementType {
        if layer + 1 < self.layers.len() {
            self.precision.activations()
        } else {
            ElementType::F32
        }
    }

    /// How the loss is scaled, where it is.
    pub(crate) fn scales_loss(&self) -> Option<LossScaling> {
        (self.precision == Precision::Mixed).then_some(self.loss_scaling)
    }

    /// What is dropped behind a layer, from 0; `None` where nothing is.
    pub(crate) fn dropout_behind(&self, layer: usize) -> Option<DropoutSettings> {
        let rate = self.dropout.get(layer).copied()?;
        (rate > 0.0).then_some(DropoutSettings {
            rate,
            seed: self.seed,
            // There are fewer layers than bytes.
            layer: layer as u32,
        })
    }

    /// Columns of the inputs, and of the outputs.
    pub(crate) fn ends(&self) -> [usize; 2] {
        let outputs = self.layers.last().map_or(self.inputs, |last| last.outputs);
        [self.inputs, outputs]
    }

    /// Refuses sizes and settings that make no network.
    pub(crate) fn check(&self) -> Result<(), ModelError> {
        let sized = |size: usize| size > 0 && u32::try_from(size).is_ok();
        // As many bytes as an array may have on this machine.
        let fits = |layer: &LayerConfig| {
            sized(layer.outputs)
                && layer
                    .inputs
                    .checked_mul(layer.outputs)
                    .is_some_and(|w| w <= isize::MAX as usize / 8)
        };
        // Those of a configuration that was written down may not follow each other.
        let ends = self.layers.iter().map(|layer| layer.outputs);
        let befores = [self.inputs].into_iter().chain(ends);
        let follows =
            (self.layers.iter().zip(befores)).all(|(layer, before)| layer.inputs == before);
        if self.layers.is_empty()
            || !sized(self.inputs)
            || !follows
            || !self.layers.iter().all(fits)
        {
            return Err(ModelError::LayerSizes {
                sizes: self.layer_sizes(),
            });
        }
        for layer in &self.layers {
            if let Some((name, value)) = layer.activation.parameter()
                && !value.is_finite()
            {
                return Err(ModelError::Setting { name, value });
            }
            layer.initialization.check()?;
        }
        let clip_norm = self.clip_norm.map(|norm| ("clip_norm", norm));
        let positive = clip_norm.into_iter().chain(self.loss.parameter());
        for (name, value) in positive {
            // A NaN is in no range.
            if !(f32::MIN_POSITIVE..f32::INFINITY).contains(&value) {
                return Err(ModelError::Setting { name, value });
            }
        }
        self.loss_scaling.check()?;
        if self.precision == Precision::F16 {
            return Err(ModelError::Precision(self.precision));
        }
        self.check_class_weights()?;
        self.check_label_smoothing()?;
        self.check_dropouts()?;
        if self.accumulation == 0 {
            let (name, value) = ("accumulation", 0.0);
            return Err(ModelError::Setting { name, value });
        }
        self.optimizer.check()
    }

    fn check_label_smoothing(&self) -> Result<(), ModelError> {
        let value = self.label_smoothing;
        if !(0.0..1.0).contains(&value) {
            let name = "label_smoothing";
            return Err(ModelError::Setting { name, value });
        }
        if value > 0.0 && self.loss != Loss::SoftmaxCrossEntropy {
            return Err(ModelError::TargetKind { loss: self.loss });
        }
        Ok(())
    }

    /// The outputs of the network are what the loss is of: none of them is dropped.
    fn check_dropouts(&self) -> Result<(), ModelError> {
        self.dropout.iter().copied().try_for_each(check_dropout)?;
        match self.dropout.last() {
            Some(value) if *value > 0.0 => Err(ModelError::Setting {
                name: "dropout of the last layer",
                value: *value,
            }),
            _ => Ok(()),
        }
    }

    fn check_class_weights(&self) -> Result<(), ModelError> {
        let (weights, outputs) = (&self.class_weights, self.layers.last());
        if weights.is_empty() {
            return Ok(());
        }
        if self.loss.targets() != TargetKind::Classes {
            return Err(ModelError::TargetKind { loss: self.loss });
        }
        let expected = [1, outputs.map_or(0, |layer| layer.outputs)];
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

/// Refuses what is no probability, and 1, which would leave nothing.
pub(super) fn check_dropout(value: f32) -> Result<(), ModelError> {
    // A NaN is in no range.
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    let name = "dropout";
    Err(ModelError::Setting { name, value })
}
