//! A multi-layer perceptron on the GPU.

use std::collections::HashMap;
use std::sync::Mutex;

use ndarray::{Array2, ArrayView2};

use crate::dispatch::Dispatch;
use crate::error::PrepareError;
use crate::gpu::Gpu;
use crate::linear::LinearKernels;
use crate::model::{
    LayerParameters, MeanLoss, MlpConfig, ModelError, Targets, check_batch, check_inputs,
    initial_parameters,
};

use super::layer_histograms::Histograms;
use super::loss_ring::{LossRing, mean_loss};
use super::operations::NetworkKernels;
use super::resident::{Pending, Resident};
use super::step::{Builder, Workspace};
use super::storage::{Layout, OptimizerState};

/// Rows that [`Mlp::predict_async`] sends through the network at a time, where the widest layer allows it.
const PREDICT_ROWS: usize = 1024;
/// Batch sizes whose dispatches are kept: more than a training run has, few enough to bound memory.
const KEPT_BATCH_SIZES: usize = 64;
/// Steps that may wait on the queue: enough to keep a GPU busy, few enough to bound memory.
const STEPS_IN_FLIGHT: usize = 32;

/// A multi-layer perceptron whose weights, gradients and optimizer state stay on the device.
///
/// A training step is one list of dispatches, prepared once per batch size and recorded into one compute pass. Its twin,
/// [`crate::reference::Mlp`], computes the same on the CPU.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::Gpu;
/// use wgpu_linear::model::{MlpConfig, Model, Targets};
/// use wgpu_linear::nn::Mlp;
///
/// let mut mlp = Mlp::new(&Gpu::new()?, MlpConfig::new(&[2, 16, 2]))?;
/// let x = array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
/// for _ in 0..500 {
///     mlp.train_batch(x.view(), Targets::Classes(&[0, 1, 1, 0]))?;
/// }
/// println!("mean loss {}", mlp.take_loss()?.mean);
/// # Ok::<(), wgpu_linear::model::ModelError>(())
/// ```
#[derive(Debug)]
pub struct Mlp {
    pub(super) gpu: Gpu,
    pub(super) config: MlpConfig,
    linear: LinearKernels,
    pub(super) network: NetworkKernels,
    pub(super) layout: Layout,
    pub(super) parameters: wgpu::Buffer,
    pub(super) gradients: wgpu::Buffer,
    pub(super) optimizer: OptimizerState,
    /// Sum of losses and number of examples since they were last read.
    pub(super) total: wgpu::Buffer,
    pub(super) workspace: Workspace,
    /// Prepared dispatches by batch size.
    predict_steps: HashMap<u32, Vec<Dispatch>>,
    pub(super) train_steps: HashMap<u32, Vec<Dispatch>>,
    /// The data set on the device.
    pub(super) resident: Option<Resident>,
    pub(super) losses: LossRing,
    /// Prepared when first asked for.
    pub(super) histograms: Option<Histograms>,
    /// In a lock, so that reading through a shared reference can submit what waits.
    pub(super) pending: Mutex<Pending>,
}

impl Mlp {
    /// A network with the weights of [`initial_parameters`].
    ///
    /// # Errors
    /// [`ModelError::LayerSizes`] or [`ModelError::Setting`] where `config` describes no network, [`ModelError::Gpu`] where the device has
    /// not enough memory.
    pub fn new(gpu: &Gpu, config: MlpConfig) -> Result<Self, ModelError> {
        config.check()?;
        let layout = Layout::new(&config.layer_sizes, &gpu.device().limits());
        // Asked for before the weights are drawn: a network that does not fit is refused before it fills the host's memory.
        let parameters = gpu.zeros("wgpu_linear::parameters", (layout.bytes() / 4) as usize)?;
        let gradients = gpu.zeros("wgpu_linear::gradients", (layout.bytes() / 4) as usize)?;
        let flat = layout.pack(&initial_parameters(&config));
        gpu.queue()
            .write_buffer(&parameters, 0, bytemuck::cast_slice(&flat));
        Ok(Self {
            linear: LinearKernels::new(gpu.device()),
            network: NetworkKernels::new(gpu.device()),
            optimizer: OptimizerState::new(gpu, &config.optimizer, &layout)?,
            total: gpu.zeros("wgpu_linear::total", 2)?,
            workspace: Workspace::new(gpu, &config.layer_sizes, 0)?,
            predict_steps: HashMap::new(),
            train_steps: HashMap::new(),
            resident: None,
            losses: LossRing::new(gpu)?,
            histograms: None,
            pending: Mutex::new(Pending::new(STEPS_IN_FLIGHT)),
            gpu: gpu.clone(),
            parameters,
            gradients,
            layout,
            config,
        })
    }

    /// The outputs for each row of `x`; see [`Model::predict`](crate::model::Model::predict).
    ///
    /// # Errors
    /// As [`Model::predict`](crate::model::Model::predict).
    pub async fn predict_async(
        &mut self,
        x: ArrayView2<'_, f32>,
    ) -> Result<Array2<f32>, ModelError> {
        check_inputs(&self.config.layer_sizes, x)?;
        self.submit()?;
        let outputs = self.config.layer_sizes[self.config.layer_sizes.len() - 1];
        let mut values = Vec::with_capacity(x.nrows() * outputs);
        for rows in x.axis_chunks_iter(ndarray::Axis(0), self.predict_rows()) {
            let batch = rows.nrows() as u32;
            self.reserve(batch)?;
            write_f32(&self.gpu, &self.workspace.x, rows);
            if !self.predict_steps.contains_key(&batch) {
                let step = self.builder(batch).forward()?;
                keep(&mut self.predict_steps, batch, step);
            }
            self.gpu.run(&self.predict_steps[&batch]);
            values.extend(
                self.gpu
                    .read_range_async::<f32>(self.workspace.outputs(), 0, rows.nrows() * outputs)
                    .await?,
            );
        }
        // The number of values is right by construction.
        Ok(Array2::from_shape_vec((x.nrows(), outputs), values).unwrap_or_default())
    }

    /// The mean loss since the last call; see [`Model::take_loss`](crate::model::Model::take_loss).
    ///
    /// # Errors
    /// As [`Model::take_loss`](crate::model::Model::take_loss).
    pub async fn take_loss_async(&mut self) -> Result<MeanLoss, ModelError> {
        self.submit()?;
        let total = self.gpu.read_range_async::<u32>(&self.total, 0, 2).await?;
        self.gpu.queue().write_buffer(&self.total, 0, &[0; 8]);
        Ok(mean_loss([total[0], total[1]]))
    }

    /// A copy of weights and biases; see [`Model::parameters`](crate::model::Model::parameters).
    ///
    /// # Errors
    /// As [`Model::parameters`](crate::model::Model::parameters).
    pub async fn parameters_async(&self) -> Result<Vec<LayerParameters>, ModelError> {
        self.download(&self.parameters).await
    }

    /// The gradients of the last batch, in the shapes of the parameters; zeros before the first.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn gradients_async(&self) -> Result<Vec<LayerParameters>, ModelError> {
        self.download(&self.gradients).await
    }

    async fn download(&self, flat: &wgpu::Buffer) -> Result<Vec<LayerParameters>, ModelError> {
        self.submit()?;
        let values = self
            .gpu
            .read_range_async::<f32>(flat, 0, (self.layout.bytes() / 4) as usize)
            .await?;
        Ok(self.layout.unpack(&values))
    }

    pub(super) fn upload_parameters(
        &self,
        parameters: &[LayerParameters],
    ) -> Result<(), ModelError> {
        self.submit()?;
        let flat = self.layout.pack(parameters);
        self.gpu
            .queue()
            .write_buffer(&self.parameters, 0, bytemuck::cast_slice(&flat));
        Ok(())
    }

    /// As many rows as every layer's buffer can hold within one binding.
    fn predict_rows(&self) -> usize {
        let widest = self
            .config
            .layer_sizes
            .iter()
            .max()
            .map_or(1, |size| *size as u64);
        let allowed = self.gpu.device().limits().max_storage_buffer_binding_size / (4 * widest);
        usize::try_from(allowed).map_or(PREDICT_ROWS, |allowed| allowed.clamp(1, PREDICT_ROWS))
    }

    /// Makes room for batches of `batch` rows.
    pub(super) fn reserve(&mut self, batch: u32) -> Result<(), ModelError> {
        if batch > self.workspace.capacity {
            self.submit()?;
            self.workspace = Workspace::new(&self.gpu, &self.config.layer_sizes, batch)?;
            // They refer to the old buffers.
            self.predict_steps.clear();
            self.train_steps.clear();
            self.resident.iter_mut().for_each(Resident::forget_steps);
        }
        Ok(())
    }

    fn builder(&self, batch: u32) -> Builder<'_> {
        Builder {
            linear: &self.linear,
            network: &self.network,
            layout: &self.layout,
            activation: self.config.activation,
            workspace: &self.workspace,
            parameters: &self.parameters,
            batch,
        }
    }

    /// Makes room and dispatches for training on batches of `batch` rows.
    pub(super) fn prepare_train_step(&mut self, batch: u32) -> Result<(), ModelError> {
        self.reserve(batch)?;
        if !self.train_steps.contains_key(&batch) {
            // The dispatches of steps that wait may go.
            self.submit()?;
            let step = self.train_step(batch)?;
            keep(&mut self.train_steps, batch, step);
        }
        Ok(())
    }

    fn train_step(&self, batch: u32) -> Result<Vec<Dispatch>, PrepareError> {
        let builder = self.builder(batch);
        let limits = self.gpu.device().limits();
        Ok([
            builder.forward()?,
            builder.loss(self.config.loss, &self.total)?,
            builder.backward(&self.gradients)?,
            self.optimizer
                .update(&self.network, &limits, &self.gradients, &self.parameters)?,
        ]
        .concat())
    }

    fn upload_batch(&self, x: ArrayView2<'_, f32>, targets: Targets<'_>) {
        write_f32(&self.gpu, &self.workspace.x, x);
        match targets {
            Targets::Classes(classes) => {
                self.gpu.queue().write_buffer(
                    &self.workspace.targets,
                    0,
                    bytemuck::cast_slice(classes),
                );
            }
            Targets::Values(values) => write_f32(&self.gpu, &self.workspace.targets, values),
        }
    }

    /// One optimizer step on one batch; see [`Model::train_batch`](crate::model::Model::train_batch).
    ///
    /// # Errors
    /// As [`Model::train_batch`](crate::model::Model::train_batch).
    pub fn train_on(
        &mut self,
        x: ArrayView2<'_, f32>,
        targets: Targets<'_>,
    ) -> Result<(), ModelError> {
        check_batch(&self.config.layer_sizes, self.config.loss, x, targets)?;
        if targets.is_empty() {
            return Ok(());
        }
        let batch = batch_rows(x)?;
        self.prepare_train_step(batch)?;
        self.submit()?;
        self.admit(STEPS_IN_FLIGHT)?;
        self.upload_batch(x, targets);
        let submission = self.gpu.run(&self.train_steps[&batch]);
        self.pending().pace.submitted(submission, 1);
        Ok(())
    }
}

/// Adds the dispatches for a batch size; when too many have gathered, all others go.
pub(super) fn keep<T>(steps: &mut HashMap<u32, T>, batch: u32, step: T) {
    if steps.len() >= KEPT_BATCH_SIZES {
        steps.clear();
    }
    steps.insert(batch, step);
}

fn write_f32(gpu: &Gpu, buffer: &wgpu::Buffer, values: ArrayView2<'_, f32>) {
    let values = values.as_standard_layout();
    // In standard layout there is always a slice.
    if let Some(values) = values.as_slice() {
        gpu.queue()
            .write_buffer(buffer, 0, bytemuck::cast_slice(values));
    }
}

fn batch_rows(x: ArrayView2<'_, f32>) -> Result<u32, ModelError> {
    u32::try_from(x.nrows()).map_err(|_| ModelError::Shape {
        what: "x",
        expected: [u32::MAX as usize, x.ncols()],
        actual: [x.nrows(), x.ncols()],
    })
}
