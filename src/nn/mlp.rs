//! A multi-layer perceptron on the GPU.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ndarray::{Array2, ArrayView2};

use crate::device::{Gpu, GpuError};
use crate::kernel::{Grid, Portions};
use crate::model::{
    LayerHistograms, LayerParameters, MeanLoss, MlpConfig, ModelError, Targets, TrainingState,
    check_batch, check_inputs, check_parameters,
};

use super::data::with_weights;
use super::layer_histograms::Histograms;
use super::loss_ring::LossRing;
use super::network::Network;
use super::ops::{TOTAL_WORDS, mean_loss};
use super::queue::Queue;
use super::resident::Resident;
use super::steps::{BatchKind, Steps, batch_rows};

/// What [`Mlp::predict_async`] copies at a time, in bytes of the wider of inputs and outputs.
const PREDICTED_BYTES: u64 = 16 << 20;

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
    pub(super) network: Network,
    pub(super) losses: LossRing,
    pub(super) steps: Steps,
    /// Batches trained on, those that wait included.
    pub(super) batches: u64,
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
        let network = Network::new(gpu, &config)?;
        Ok(Self {
            losses: LossRing::new(gpu)?,
            steps: Steps::new(gpu, &network)?,
            network,
            batches: 0,
            resident: None,
            histograms: None,
            queue: Mutex::new(Queue::new(config.accumulation)),
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
            let (buffers, dispatches) = self.steps.predict(&self.gpu, &self.network, batch)?;
            write_f32(&self.gpu, &buffers.x, rows)?;
            self.gpu.run(dispatches)?;
            let len = rows.nrows() * outputs;
            let part = self.gpu.read_range_async::<f32>(&buffers.outputs, 0, len);
            values.extend(part.await?);
        }
        // The number of values is right by construction.
        Ok(Array2::from_shape_vec((x.nrows(), outputs), values).unwrap_or_default())
    }

    /// Rows that are copied at a time.
    fn predict_rows(&self) -> usize {
        let sizes = &self.config.layer_sizes;
        let widest = sizes[0].max(sizes[sizes.len() - 1]) as u64;
        let allowed = self.gpu.device().limits().max_storage_buffer_binding_size;
        let rows = allowed.min(PREDICTED_BYTES) / (4 * widest);
        // At most four million.
        rows.max(1) as usize
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
        let batch = BatchKind {
            rows,
            is_weighted: targets.is_weighted(&self.config.class_weights),
        };
        self.prepare_train(batch)?;
        self.submit()?;
        let gpu = self.gpu.clone();
        self.queue().admit_one(&gpu)?;
        self.upload_batch(x, targets)?;
        let since_update = self.queue().pending();
        let submission = self.gpu.run(self.steps.train(batch, since_update))?;
        self.queue().submitted_one(submission);
        self.batches += 1;
        Ok(())
    }

    fn upload_batch(&self, x: ArrayView2<'_, f32>, targets: Targets<'_>) -> Result<(), GpuError> {
        let buffers = self.steps.batch();
        write_f32(&self.gpu, &buffers.x, x)?;
        match targets {
            Targets::Classes(classes) => {
                let classes = bytemuck::cast_slice(classes);
                self.gpu.write(&buffers.targets, 0, classes)
            }
            Targets::Values(values) => write_f32(&self.gpu, &buffers.targets, values),
            Targets::WeightedValues { values, weights } => {
                let values = with_weights(values, weights);
                write_f32(&self.gpu, &buffers.targets, values.view())
            }
        }
    }

    /// The network that does the work, for those who want to record it by themselves: its layers,
    /// its parameters on the device, predictions between buffers of their own.
    ///
    /// Steps that wait are submitted first, so that whatever you submit comes behind them.
    ///
    /// # Errors
    /// What the device reports.
    pub fn network(&self) -> Result<&Network, ModelError> {
        self.submit()?;
        Ok(&self.network)
    }

    /// The step size of the optimizer.
    #[must_use]
    pub fn learning_rate(&self) -> f32 {
        self.config.optimizer.learning_rate()
    }

    /// Sets the step size from the next update on, without waiting for the device.
    ///
    /// # Errors
    /// [`ModelError::Setting`] where it is negative or not finite; the old one stays then.
    pub fn set_learning_rate(&mut self, learning_rate: f32) -> Result<(), ModelError> {
        // Steps that wait still take the old one.
        self.submit()?;
        self.network.set_learning_rate(learning_rate)?;
        self.config.optimizer.set_learning_rate(learning_rate)
    }

    /// Replaces weights and biases for the steps to come, without waiting for the device; see
    /// [`Model::set_parameters`](crate::model::Model::set_parameters).
    ///
    /// # Errors
    /// As [`Model::set_parameters`](crate::model::Model::set_parameters).
    pub fn set_parameters(&mut self, parameters: &[LayerParameters]) -> Result<(), ModelError> {
        check_parameters(&self.config.layer_sizes, parameters)?;
        self.submit()?;
        self.network.set_parameters(parameters)
    }

    /// Goes on from a state of [`Self::training_state_async`] with the next batch, without waiting
    /// for the device; see
    /// [`Model::set_training_state`](crate::model::Model::set_training_state).
    ///
    /// # Errors
    /// As [`Model::set_training_state`](crate::model::Model::set_training_state).
    pub fn set_training_state(&mut self, state: &TrainingState) -> Result<(), ModelError> {
        self.submit()?;
        self.network.set_training_state(state)?;
        self.set_batches(state.batches)
    }

    /// The mean loss since the last call; see [`Model::take_loss`](crate::model::Model::take_loss).
    ///
    /// # Errors
    /// As [`Model::take_loss`](crate::model::Model::take_loss).
    pub async fn take_loss_async(&mut self) -> Result<MeanLoss, ModelError> {
        self.submit()?;
        let total = self.network.total();
        let read = self.gpu.read_range_async(total, 0, TOTAL_WORDS);
        let words: Vec<u32> = read.await?;
        let zeros = [0_u32; TOTAL_WORDS];
        self.gpu.write(total, 0, bytemuck::cast_slice(&zeros))?;
        Ok(mean_loss(
            words.try_into().map_err(|_| GpuError::DeviceLost)?,
        ))
    }

    /// A copy of weights and biases; see [`Model::parameters`](crate::model::Model::parameters).
    ///
    /// # Errors
    /// As [`Model::parameters`](crate::model::Model::parameters).
    pub async fn parameters_async(&self) -> Result<Vec<LayerParameters>, ModelError> {
        self.submit()?;
        self.network.parameters_async().await
    }

    /// What the next step depends on beside parameters, configuration and batch; see
    /// [`Model::training_state`](crate::model::Model::training_state).
    ///
    /// # Errors
    /// As [`Model::training_state`](crate::model::Model::training_state).
    pub async fn training_state_async(&self) -> Result<TrainingState, ModelError> {
        self.submit()?;
        Ok(TrainingState {
            batches: self.batches,
            ..self.network.training_state_async().await?
        })
    }

    /// The gradients of the last batch, in the shapes of the parameters; zeros before the first.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn gradients_async(&self) -> Result<Vec<LayerParameters>, ModelError> {
        self.submit()?;
        let parameters = self.network.storage();
        parameters.read(&self.gpu, parameters.gradients()).await
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
            None => Histograms::new(&self.gpu, self.network.kernels(), self.network.storage())?,
        };
        self.histograms.insert(histograms).count(&self.gpu).await
    }

    /// Goes on as after `batches` batches: the next one drops what it would drop there, see
    /// [`MlpConfig::dropout`], and is the first of an update.
    ///
    /// # Errors
    /// What the device reports.
    pub fn set_batches(&mut self, batches: u64) -> Result<(), ModelError> {
        self.submit()?;
        self.queue().forget_accumulated();
        self.batches = batches;
        self.network.set_batches(batches)
    }

    /// Makes room for batches of `rows` rows.
    pub(super) fn reserve(&mut self, rows: u32) -> Result<(), ModelError> {
        if !self.steps.have_room_for(rows) {
            self.submit()?;
            self.steps.make_room(&self.gpu, &self.network, rows)?;
        }
        Ok(())
    }

    /// Makes room and dispatches for training on batches of this kind.
    pub(super) fn prepare_train(&mut self, batch: BatchKind) -> Result<(), ModelError> {
        self.reserve(batch.rows)?;
        if !self.steps.can_train(batch) {
            // The dispatches of steps that wait may go.
            self.submit()?;
            self.steps.prepare_train(&self.network, batch)?;
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
        let mut work = Portions::of(self.waiting(&queue));
        let submission = loop {
            let mut encoder = self.gpu.encoder("wgpu_linear::train");
            if !work.is_done() {
                work.record(&mut encoder, "wgpu_linear::train");
            }
            if work.is_done() {
                if let Some(after) = after {
                    after(&mut encoder);
                }
                break self.gpu.submit(encoder)?;
            }
            self.gpu.submit(encoder)?;
        };
        drop(work);
        queue.submitted_all(submission);
        Ok(())
    }

    /// The dispatches of the steps that wait.
    fn waiting<'a>(&'a self, queue: &'a Queue) -> impl Iterator<Item = (&'a Grid, u32)> {
        let resident = self.resident.iter();
        resident.flat_map(move |resident| {
            let order = resident.order();
            queue.waiting().flat_map(move |i| {
                let batch = self.resident_batch(resident, order.rows(i));
                let batch = (batch, queue.since_update(i));
                self.steps.grids(batch, order.offset_bytes(i))
            })
        })
    }

    /// What a batch of the data set on the device is.
    pub(super) fn resident_batch(&self, resident: &Resident, rows: u32) -> BatchKind {
        let has_weights = resident.data().is_weighted();
        BatchKind {
            rows,
            is_weighted: has_weights || !self.config.class_weights.is_empty(),
        }
    }

    /// Batches whose gradients wait for an update; see
    /// [`Model::pending_batches`](crate::model::Model::pending_batches).
    #[must_use]
    pub fn pending_batches(&self) -> u32 {
        self.lock_queue().pending()
    }

    pub(super) fn lock_queue(&self) -> MutexGuard<'_, Queue> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_to_be_predicted_are_as_many_as_fill_the_buffers() {
        let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
        let gpu = Gpu::wrap(device, queue);
        for (sizes, rows) in [([3, 5, 7], 599_186), ([1 << 10, 5, 7], 4096)] {
            let mlp = Mlp::new(&gpu, MlpConfig::new(&sizes)).unwrap();
            assert_eq!(mlp.predict_rows(), rows);
        }
    }
}
