//! A multi-layer perceptron on the GPU.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ndarray::{Array2, ArrayView2};

use crate::device::{Gpu, GpuError};
use crate::model::{
    LayerHistograms, LayerParameters, MeanLoss, MlpConfig, ModelError, Targets, check_batch,
    check_inputs,
};

use super::layer_histograms::Histograms;
use super::loss_ring::{LossRing, mean_loss};
use super::parameters::Parameters;
use super::queue::Queue;
use super::resident::Resident;
use super::steps::{Network, Steps, batch_rows};

/// Rows that [`Mlp::predict_async`] sends through the network at a time, where the widest layer
/// allows it.
const PREDICT_ROWS: usize = 1024;

/// A multi-layer perceptron whose weights, gradients and optimizer state stay on the device.
///
/// A training step is one list of dispatches, prepared once per batch size and recorded into one
/// compute pass. Its twin, [`crate::reference::Mlp`], computes the same on the CPU.
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
    pub(super) parameters: Parameters,
    /// Sum of losses and number of examples since they were last read.
    pub(super) total: wgpu::Buffer,
    pub(super) losses: LossRing,
    pub(super) steps: Steps,
    /// The data set on the device.
    pub(super) resident: Option<Resident>,
    /// Prepared when first asked for.
    histograms: Option<Histograms>,
    /// In a lock, so that reading through a shared reference can submit what waits.
    queue: Mutex<Queue>,
}

impl Mlp {
    /// A network with the weights of [`initial_parameters`](crate::model::initial_parameters).
    ///
    /// # Errors
    /// [`ModelError::LayerSizes`] or [`ModelError::Setting`] where `config` describes no network,
    /// [`ModelError::Gpu`] where the device has not enough memory.
    pub fn new(gpu: &Gpu, config: MlpConfig) -> Result<Self, ModelError> {
        config.check()?;
        Ok(Self {
            parameters: Parameters::new(gpu, &config)?,
            total: gpu.zeros("wgpu_linear::total", 2)?,
            losses: LossRing::new(gpu)?,
            steps: Steps::new(gpu, &config.layer_sizes)?,
            resident: None,
            histograms: None,
            queue: Mutex::new(Queue::new()),
            gpu: gpu.clone(),
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
            write_f32(&self.gpu, &self.steps.buffers().x, rows)?;
            let network = Network {
                config: &self.config,
                parameters: &self.parameters,
                total: &self.total,
            };
            self.gpu.run(self.steps.predict(network, batch)?)?;
            let buffer = self.steps.buffers().outputs();
            let len = rows.nrows() * outputs;
            values.extend(self.gpu.read_range_async::<f32>(buffer, 0, len).await?);
        }
        // The number of values is right by construction.
        Ok(Array2::from_shape_vec((x.nrows(), outputs), values).unwrap_or_default())
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

    /// One optimizer step on one batch; see
    /// [`Model::train_batch`](crate::model::Model::train_batch).
    ///
    /// # Errors
    /// As [`Model::train_batch`](crate::model::Model::train_batch).
    pub fn train_batch(
        &mut self,
        x: ArrayView2<'_, f32>,
        targets: Targets<'_>,
    ) -> Result<(), ModelError> {
        check_batch(&self.config.layer_sizes, self.config.loss, x, targets)?;
        if targets.is_empty() {
            return Ok(());
        }
        let rows = batch_rows(x.nrows(), x.ncols())?;
        self.prepare_train(rows)?;
        self.submit()?;
        let gpu = self.gpu.clone();
        self.queue().admit_one(&gpu)?;
        self.upload_batch(x, targets)?;
        let submission = self.gpu.run(self.steps.train(rows))?;
        self.queue().submitted_one(submission);
        Ok(())
    }

    fn upload_batch(&self, x: ArrayView2<'_, f32>, targets: Targets<'_>) -> Result<(), GpuError> {
        let buffers = self.steps.buffers();
        write_f32(&self.gpu, &buffers.x, x)?;
        match targets {
            Targets::Classes(classes) => {
                let classes = bytemuck::cast_slice(classes);
                self.gpu.write(&buffers.targets, 0, classes)
            }
            Targets::Values(values) => write_f32(&self.gpu, &buffers.targets, values),
        }
    }

    /// The mean loss since the last call; see [`Model::take_loss`](crate::model::Model::take_loss).
    ///
    /// # Errors
    /// As [`Model::take_loss`](crate::model::Model::take_loss).
    pub async fn take_loss_async(&mut self) -> Result<MeanLoss, ModelError> {
        self.submit()?;
        let total = self.gpu.read_range_async::<u32>(&self.total, 0, 2).await?;
        self.gpu.write(&self.total, 0, &[0; 8])?;
        Ok(mean_loss([total[0], total[1]]))
    }

    /// A copy of weights and biases; see [`Model::parameters`](crate::model::Model::parameters).
    ///
    /// # Errors
    /// As [`Model::parameters`](crate::model::Model::parameters).
    pub async fn parameters_async(&self) -> Result<Vec<LayerParameters>, ModelError> {
        self.submit()?;
        self.parameters
            .read(&self.gpu, self.parameters.values())
            .await
    }

    /// The gradients of the last batch, in the shapes of the parameters; zeros before the first.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn gradients_async(&self) -> Result<Vec<LayerParameters>, ModelError> {
        self.submit()?;
        self.parameters
            .read(&self.gpu, self.parameters.gradients())
            .await
    }

    /// How weights, biases and gradients are spread; see
    /// [`Model::histograms`](crate::model::Model::histograms).
    ///
    /// # Errors
    /// As [`Model::histograms`](crate::model::Model::histograms);
    /// [`PrepareError::Limit`](crate::PrepareError::Limit) for a layer of 2³² weights or more.
    pub async fn histograms_async(&mut self) -> Result<Vec<LayerHistograms>, ModelError> {
        self.submit()?;
        let histograms = match self.histograms.take() {
            Some(prepared) => prepared,
            None => Histograms::new(&self.gpu, self.steps.kernels(), &self.parameters)?,
        };
        self.histograms.insert(histograms).count(&self.gpu).await
    }

    /// Makes room for batches of `rows` rows.
    pub(super) fn reserve(&mut self, rows: u32) -> Result<(), ModelError> {
        if !self.steps.have_room_for(rows) {
            self.submit()?;
            self.steps
                .make_room(&self.gpu, &self.config.layer_sizes, rows)?;
        }
        Ok(())
    }

    /// Makes room and dispatches for training on batches of `rows` rows.
    pub(super) fn prepare_train(&mut self, rows: u32) -> Result<(), ModelError> {
        self.reserve(rows)?;
        if !self.steps.can_train(rows) {
            // The dispatches of steps that wait may go.
            self.submit()?;
            let network = Network {
                config: &self.config,
                parameters: &self.parameters,
                total: &self.total,
            };
            let limits = self.gpu.device().limits();
            self.steps.prepare_train(network, &limits, rows)?;
        }
        Ok(())
    }

    /// Hands the steps that wait to the device, without waiting for it.
    ///
    /// # Errors
    /// What the device reports.
    pub fn submit(&self) -> Result<(), ModelError> {
        self.submit_with(None)
    }

    /// Submits the steps that wait, and behind them what `after` records.
    pub(super) fn submit_with(
        &self,
        after: Option<&dyn Fn(&mut wgpu::CommandEncoder)>,
    ) -> Result<(), ModelError> {
        let mut queue = self.lock_queue();
        if queue.is_empty() && after.is_none() {
            return Ok(());
        }
        queue.admit_many(&self.gpu)?;
        let mut encoder = self.gpu.encoder("wgpu_linear::train");
        self.record_waiting(&queue, &mut encoder);
        if let Some(after) = after {
            after(&mut encoder);
        }
        let submission = self.gpu.submit(encoder)?;
        queue.submitted_all(submission);
        Ok(())
    }

    fn record_waiting(&self, queue: &Queue, encoder: &mut wgpu::CommandEncoder) {
        let Some(resident) = self.resident.as_ref().filter(|_| !queue.is_empty()) else {
            return;
        };
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("wgpu_linear::train"),
            timestamp_writes: None,
        });
        let order = resident.order();
        for i in queue.waiting() {
            self.steps
                .record(&mut pass, order.rows(i), order.offset_bytes(i));
        }
    }

    fn lock_queue(&self) -> MutexGuard<'_, Queue> {
        // A panic elsewhere cannot leave this half written: the steps are taken out after they
        // were submitted.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn queue(&mut self) -> &mut Queue {
        self.queue.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, where that is possible, until the device has done all that was submitted.
    pub(super) fn drain(&mut self) -> Result<(), GpuError> {
        let gpu = self.gpu.clone();
        self.queue().drain(&gpu)
    }
}

fn write_f32(
    gpu: &Gpu,
    buffer: &wgpu::Buffer,
    values: ArrayView2<'_, f32>,
) -> Result<(), GpuError> {
    let values = values.as_standard_layout();
    // In standard layout there is always a slice.
    let values = values.as_slice().unwrap_or_default();
    gpu.write(buffer, 0, bytemuck::cast_slice(values))
}
