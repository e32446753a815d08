//! `Mlp` as a [`Model`] and a [`ResidentModel`]: its asynchronous methods, waited for.

use ndarray::{Array2, ArrayView2};

use crate::device::GpuError;
use crate::kernel::PrepareError;
use crate::model::{
    LayerHistograms, LayerParameters, Loss, MeanLoss, MlpConfig, Model, ModelError, ResidentModel,
    Targets, TrainingState,
};

use super::data::DeviceDataset;
use super::mlp::Mlp;

impl Model for Mlp {
    fn layer_sizes(&self) -> &[usize] {
        &self.config.layer_sizes
    }

    fn device(&self) -> String {
        self.gpu.description()
    }

    fn config(&self) -> Option<&MlpConfig> {
        Some(&self.config)
    }

    fn train_batch(
        &mut self,
        x: ArrayView2<'_, f32>,
        targets: Targets<'_>,
    ) -> Result<(), ModelError> {
        Mlp::train_batch(self, x, targets)
    }

    fn pending_batches(&self) -> u32 {
        Mlp::pending_batches(self)
    }

    fn take_loss(&mut self) -> Result<MeanLoss, ModelError> {
        pollster::block_on(self.take_loss_async())
    }

    fn predict(&mut self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>, ModelError> {
        pollster::block_on(self.predict_async(x))
    }

    fn loss(&self) -> Loss {
        self.config.loss
    }

    fn learning_rate(&self) -> f32 {
        Mlp::learning_rate(self)
    }

    fn set_learning_rate(&mut self, learning_rate: f32) -> Result<(), ModelError> {
        Mlp::set_learning_rate(self, learning_rate)
    }

    fn parameters(&self) -> Result<Vec<LayerParameters>, ModelError> {
        pollster::block_on(self.parameters_async())
    }

    fn set_parameters(&mut self, parameters: &[LayerParameters]) -> Result<(), ModelError> {
        Mlp::set_parameters(self, parameters)
    }

    fn training_state(&self) -> Result<TrainingState, ModelError> {
        pollster::block_on(self.training_state_async())
    }

    fn set_training_state(&mut self, state: &TrainingState) -> Result<(), ModelError> {
        Mlp::set_training_state(self, state)
    }

    fn histograms(&mut self) -> Result<Vec<LayerHistograms>, ModelError> {
        pollster::block_on(self.histograms_async())
    }

    fn request_loss(&mut self) -> Result<Option<MeanLoss>, ModelError> {
        // Natively it waits until it can say yes.
        Mlp::request_loss(self).map(|_| None)
    }

    fn poll_loss(&mut self) -> Result<Option<MeanLoss>, ModelError> {
        Mlp::poll_loss(self)
    }

    fn resident(&mut self) -> Option<&mut dyn ResidentModel> {
        Some(self)
    }
}

impl ResidentModel for Mlp {
    fn load(&mut self, x: ArrayView2<'_, f32>, targets: Targets<'_>) -> Result<bool, ModelError> {
        match DeviceDataset::new(&self.gpu, x, targets) {
            Ok(data) => self.load_dataset(data).map(|()| true),
            Err(
                ModelError::Prepare(PrepareError::Limit { .. })
                | ModelError::Gpu(GpuError::BufferTooLarge { .. } | GpuError::OutOfMemory { .. }),
            ) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn unload(&mut self) -> Result<(), ModelError> {
        Mlp::unload(self)
    }

    fn set_order(&mut self, indices: &[usize], batch: usize) -> Result<(), ModelError> {
        Mlp::set_order(self, indices, batch)
    }

    fn train_next(&mut self) -> Result<bool, ModelError> {
        Mlp::train_next(self)
    }
}
