//! A network of layers on the caller's device.

use std::sync::Arc;

use crate::device::Gpu;
use crate::kernel::Matrix;
use crate::linear::{LinearKernels, Precision};
use crate::model::{
    LayerParameters, ModelError, NetworkConfig, TargetKind, TrainingState, check_parameters,
    initial_parameters,
};

use super::linear::Linear;
use super::losses::Losses;
use super::ops::{BatchNumber, NetworkKernels, TOTAL_WORDS};
use super::parameters::Parameters;
use super::prediction::Prediction;
use super::predictor::Predictor;
use super::training::{Builder, Goal, Training, TrainingStep};
use super::update::Update;
use super::workspace::Workspace;

/// A network whose parameters, gradients and optimizer state are kept on your device, and whose
/// work is recorded into your compute passes, between your buffers.
///
/// [`Self::training`] and [`Self::predict_into`] prepare work once; recording it makes no object
/// and allocates nothing. [`Losses`] brings the loss without a stall. [`Mlp`](super::Mlp) is for
/// those who want the copying and submitting done for them.
///
/// ```
/// use wgpu_linear::model::{Activation, Loss, NetworkConfig};
/// use wgpu_linear::nn::{Goal, Network, Training};
/// use wgpu_linear::{Gpu, Matrix};
///
/// let gpu = Gpu::new()?; // or Gpu::wrap(device, queue)
/// let config = NetworkConfig::new(2)
///     .layer(16, Activation::Tanh)
///     .layer(1, Activation::Sigmoid)
///     .loss(Loss::MeanSquaredError);
/// let network = Network::new(&gpu, config)?;
/// let x = gpu.upload("x", &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0])?; // 4 × 2
/// let y = gpu.upload("y", &[0.0, 1.0, 1.0, 0.0])?;
/// let outputs = gpu.zeros("outputs", 4)?;
///
/// let x = Matrix::new(&x, 4, 2);
/// let step = network.training(Training::new(x, Goal::Values(Matrix::new(&y, 4, 1))))?;
/// let predict = network.predict_into(x, Matrix::new(&outputs, 4, 1))?;
/// let mut encoder = gpu.device().create_command_encoder(&Default::default());
/// {
///     let mut pass = encoder.begin_compute_pass(&Default::default());
///     for _ in 0..100 {
///         step.record(&mut pass);
///     }
///     predict.record(&mut pass);
/// }
/// gpu.queue().submit([encoder.finish()]);
/// println!("{:?}", gpu.read::<f32>(&outputs)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Network {
    gpu: Gpu,
    config: NetworkConfig,
    kernels: NetworkKernels,
    layers: Vec<Linear>,
    parameters: Arc<Parameters>,
    update: Update,
    /// The total of losses and examples since it was last read.
    total: wgpu::Buffer,
    /// The number of the batch, where it matters: where something is dropped.
    batches: Option<BatchNumber>,
}

impl Network {
    /// A network with the weights of [`initial_parameters`].
    ///
    /// # Errors
    /// [`ModelError::LayerSizes`] or [`ModelError::Setting`] where `config` describes no network,
    /// [`ModelError::Gpu`] where the device has not enough memory.
    pub fn new(gpu: &Gpu, config: impl Into<NetworkConfig>) -> Result<Self, ModelError> {
        let config = config.into();
        config.check()?;
        let linear = Arc::new(LinearKernels::of(gpu));
        // Asked for before the weights are drawn: a network that does not fit is refused before it
        // fills the host's memory.
        let parameters = Arc::new(Parameters::new(gpu, config.layers())?);
        let layers = Linear::layers(&linear, &parameters, config.layers());
        let update = Update::new(gpu, config.optimizer, &layers)?
            .clipped(config.clip_norm)
            .scaled(gpu, config.scales_loss())?
            .accumulating(gpu, config.accumulation)?;
        let drops = config.dropouts().iter().any(|rate| *rate > 0.0);
        let network = Self {
            update,
            batches: drops.then(|| BatchNumber::new(gpu)).transpose()?,
            total: gpu.zeros("wgpu_linear::total", TOTAL_WORDS)?,
            kernels: NetworkKernels::of(gpu),
            gpu: gpu.clone(),
            config,
            layers,
            parameters,
        };
        let first = initial_parameters(network.config.clone());
        network.parameters.write(gpu, &first)?;
        Ok(network)
    }

    /// What the network was made from.
    #[must_use]
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// The layers, first to last: their parameters and gradients are buffers of the device.
    #[must_use]
    pub fn layers(&self) -> &[Linear] {
        &self.layers
    }

    /// The optimizer, with its state on the device.
    #[must_use]
    pub fn update(&self) -> &Update {
        &self.update
    }

    /// Sets the step size of whatever is submitted from now on.
    ///
    /// # Errors
    /// [`ModelError::Setting`] where it is negative or not finite; the old one stays then.
    pub fn set_learning_rate(&mut self, learning_rate: f32) -> Result<(), ModelError> {
        self.update.set_learning_rate(&self.gpu, learning_rate)
    }

    /// Sets the number of the batch that comes next, for whatever is submitted from now on: what is
    /// dropped depends on it. It begins with 0, and every [`TrainingStep`] moves it on by 1.
    /// Without dropout this does nothing.
    ///
    /// # Errors
    /// [`ModelError::Gpu`] as the device reports it.
    pub fn set_batches(&self, batches: u64) -> Result<(), ModelError> {
        match &self.batches {
            Some(number) => Ok(number.set(&self.gpu, batches)?),
            None => Ok(()),
        }
    }

    /// Prepares training steps on batches of the size of `operands.x`, between your buffers.
    ///
    /// # Errors
    /// [`ModelError::TargetKind`] where the goal is none for the loss; [`ModelError::Prepare`] as
    /// [`LinearKernels::forward`]; [`ModelError::Gpu`] where the device has not enough memory for
    /// what lies between the layers.
    pub fn training(&self, operands: Training<'_>) -> Result<TrainingStep, ModelError> {
        let workspace = Workspace::new(&self.gpu, &self.config, operands.x.rows)?;
        self.training_in(&workspace, operands)
    }

    /// [`Self::training`] in a workspace that has room.
    pub(super) fn training_in(
        &self,
        workspace: &Workspace,
        operands: Training<'_>,
    ) -> Result<TrainingStep, ModelError> {
        let loss = self.config.loss;
        match (operands.goal, loss.targets()) {
            (Goal::Gradient(_), _)
            | (Goal::Classes(_) | Goal::MaskedClasses(_), TargetKind::Classes)
            | (Goal::Values(_) | Goal::WeightedValues(_), TargetKind::Values) => {}
            _ => return Err(ModelError::TargetKind { loss }),
        }
        let builder = Builder {
            layers: &self.layers,
            kernels: &self.kernels,
            config: &self.config,
            batches: self.batches.as_ref(),
            total: &self.total,
            update: &self.update,
            workspace,
            operands,
        };
        let step = builder.step()?;
        self.gpu.keep_pipelines();
        Ok(step)
    }

    /// Prepares the outputs for each row of `x`, batch × inputs, into `outputs`, batch × outputs;
    /// any number of rows, in bounded dispatches and with memory for two layers of one part.
    ///
    /// # Errors
    /// [`ModelError::Prepare`] as [`LinearKernels::forward`]; [`ModelError::Gpu`] where the device
    /// has not enough memory.
    pub fn predict_into(
        &self,
        x: Matrix<'_>,
        outputs: Matrix<'_>,
    ) -> Result<Prediction, ModelError> {
        let element = self.config.precision.activations();
        let layers: Vec<_> = self.layers.iter().map(Linear::inferred).collect();
        let prediction = Prediction::new(&self.gpu, (&layers, element), x, outputs)?;
        self.gpu.keep_pipelines();
        Ok(prediction)
    }

    /// A copy of weights and biases for inference, stored as `precision` says: those of whatever
    /// was submitted before. The network may be dropped, or trained on.
    ///
    /// # Errors
    /// [`PrepareError::Feature`](crate::PrepareError::Feature) where the device has no f16 and
    /// `precision` needs it, which [`Precision::or_f32`] avoids; [`ModelError::Gpu`] where it has
    /// not enough memory.
    pub fn predictor(&self, precision: Precision) -> Result<Predictor, ModelError> {
        // There is a layer at least.
        let linear = self.layers[0].kernels();
        Predictor::new(&self.gpu, (linear, &self.kernels), &self.layers, precision)
    }

    /// A way to read the running loss without a stall.
    ///
    /// # Errors
    /// [`ModelError::Gpu`] where the device has not enough memory.
    pub fn losses(&self) -> Result<Losses, ModelError> {
        Ok(Losses::new(&self.gpu, &self.total)?)
    }

    /// The running loss on the device: what [`TrainingStep::record_backward`] adds to.
    pub(super) fn total(&self) -> &wgpu::Buffer {
        &self.total
    }

    pub(super) fn kernels(&self) -> &NetworkKernels {
        &self.kernels
    }

    pub(super) fn storage(&self) -> &Parameters {
        &self.parameters
    }

    /// Replaces weights and biases for whatever is submitted from now on; the optimizer's state
    /// stays.
    ///
    /// # Errors
    /// [`ModelError::Shape`] where a shape differs; nothing is changed then.
    pub fn set_parameters(&self, parameters: &[LayerParameters]) -> Result<(), ModelError> {
        check_parameters(&self.config.layer_sizes(), parameters)?;
        Ok(self.parameters.write(&self.gpu, parameters)?)
    }

    /// A copy of weights and biases, first layer first, after all work submitted before.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn parameters_async(&self) -> Result<Vec<LayerParameters>, ModelError> {
        let parameters = &self.parameters;
        parameters.read(&self.gpu, parameters.values()).await
    }

    /// [`Self::parameters_async`], waiting for the answer.
    ///
    /// # Errors
    /// What the device reports.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn parameters(&self) -> Result<Vec<LayerParameters>, ModelError> {
        pollster::block_on(self.parameters_async())
    }

    /// A copy of what the optimizer remembers, after all work submitted before. Of how many batches
    /// it is, you know: `batches` is 0.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn training_state_async(&self) -> Result<TrainingState, ModelError> {
        self.update.training_state_async(&self.gpu).await
    }

    /// [`Self::training_state_async`], waiting for the answer.
    ///
    /// # Errors
    /// What the device reports.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn training_state(&self) -> Result<TrainingState, ModelError> {
        pollster::block_on(self.training_state_async())
    }

    /// Has whatever is submitted from now on go on from a state of [`Self::training_state_async`];
    /// the parameters stay, and `batches` is left alone.
    ///
    /// # Errors
    /// As [`Update::set_training_state`].
    pub fn set_training_state(&self, state: &TrainingState) -> Result<(), ModelError> {
        self.update.set_training_state(&self.gpu, state)
    }
}
