//! What a trainable model is.

use ndarray::{Array2, ArrayView2};

use super::batch::Targets;
use super::config::MlpConfig;
use super::error::ModelError;
use super::loss::Loss;
use super::parameters::{LayerHistograms, LayerParameters};
use super::state::TrainingState;
use crate::events::Histogram;

/// Mean loss over a number of examples. With weights, Σ weight · loss / Σ weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanLoss {
    /// Σ loss / examples; NaN without examples that weigh anything, and where the loss of a batch
    /// was not finite.
    pub mean: f32,
    /// How many examples it is the mean of, those of weight 0 included.
    pub examples: u64,
}

/// Something that learns from batches: [`crate::nn::Mlp`] on the GPU, [`crate::reference::Mlp`] on
/// the CPU.
pub trait Model {
    /// Sizes of input, hidden layers and output.
    fn layer_sizes(&self) -> &[usize];

    /// Where the work is done, in words: for a GPU its name, backend and driver.
    fn device(&self) -> String;

    /// The description that the model was made from, with its learning rate of now; `None` where
    /// there is no such description, which is what the provided method says.
    fn config(&self) -> Option<&MlpConfig> {
        None
    }

    /// One optimizer step on one batch: forward, loss, backward, update. May return before the
    /// device has finished.
    ///
    /// With [`MlpConfig::accumulation`] an update takes so many calls; those before it change no
    /// parameter. An empty batch changes nothing.
    ///
    /// # Errors
    /// [`ModelError::Shape`], [`ModelError::NonFinite`], [`ModelError::Class`],
    /// [`ModelError::Probability`], [`ModelError::Weight`] or [`ModelError::TargetKind`] where batch
    /// and model do not fit, [`ModelError::Memory`] for a batch that is too large for the host; the
    /// model is unchanged then. Otherwise what the device reports.
    fn train_batch(
        &mut self,
        x: ArrayView2<'_, f32>,
        targets: Targets<'_>,
    ) -> Result<(), ModelError>;

    /// Batches whose gradients wait for the update that further batches complete, always 0 without
    /// [`MlpConfig::accumulation`]; 0 is what the provided method says.
    ///
    /// Gradients wait over the end of an epoch. A run that is to go on later from what
    /// [`Self::parameters`] says ends where there are none.
    fn pending_batches(&self) -> u32 {
        0
    }

    /// The mean loss over all examples trained on since the last call, each measured before its own
    /// update. Waits for the device.
    ///
    /// # Errors
    /// What the device reports.
    fn take_loss(&mut self) -> Result<MeanLoss, ModelError>;

    /// The outputs (logits, for cross-entropy) for each row of `x`: batch × outputs.
    ///
    /// # Errors
    /// [`ModelError::Shape`] where `x` has other columns than the model has inputs,
    /// [`ModelError::NonFinite`], [`ModelError::Memory`] where the outputs are too many for the
    /// host; otherwise what the device reports.
    fn predict(&mut self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>, ModelError>;

    /// The loss that the model minimizes.
    fn loss(&self) -> Loss;

    /// The step size of the optimizer.
    fn learning_rate(&self) -> f32;

    /// Sets the step size from the next update on.
    ///
    /// # Errors
    /// [`ModelError::Setting`] where it is negative or not finite; the old one stays then.
    fn set_learning_rate(&mut self, learning_rate: f32) -> Result<(), ModelError>;

    /// A copy of weights and biases, first layer first.
    ///
    /// # Errors
    /// What the device reports.
    fn parameters(&self) -> Result<Vec<LayerParameters>, ModelError>;

    /// Replaces weights and biases; the optimizer's state stays.
    ///
    /// Numbers must be finite, as those of a batch must: a GPU need not keep a NaN, since shaders
    /// may assume that there is none, and a ReLU turns one into 0. In [`Self::parameters`] NaN and
    /// infinities of a training that has diverged may or may not show.
    ///
    /// # Errors
    /// [`ModelError::Shape`] where a shape differs, [`ModelError::NonFiniteParameter`]; nothing is
    /// changed then.
    fn set_parameters(&mut self, parameters: &[LayerParameters]) -> Result<(), ModelError>;

    /// What the next step depends on beside parameters, configuration and batch: a copy of what the
    /// optimizer remembers, and the number of batches trained on. Waits for the device.
    ///
    /// The provided method knows of none: its state is empty.
    ///
    /// # Errors
    /// What the device reports.
    fn training_state(&self) -> Result<TrainingState, ModelError> {
        Ok(TrainingState::default())
    }

    /// Goes on from a state of [`Self::training_state`] with the next batch; parameters and
    /// learning rate stay.
    ///
    /// Numbers must be finite, as in [`Self::set_parameters`].
    ///
    /// # Errors
    /// [`ModelError::StateNames`] where the state is of another optimizer, [`ModelError::State`]
    /// where a shape differs or a number is not finite; nothing is changed then. The provided
    /// method refuses all but an empty state: [`ModelError::Stateless`]. Otherwise what the device
    /// reports.
    fn set_training_state(&mut self, state: &TrainingState) -> Result<(), ModelError> {
        if state.is_empty() {
            Ok(())
        } else {
            Err(ModelError::Stateless)
        }
    }

    /// How weights, biases and the gradients of the last step are spread, first layer first. Waits
    /// for the device.
    ///
    /// The provided method knows weights and biases alone: its histograms of gradients are empty,
    /// not even counting zeros.
    ///
    /// # Errors
    /// What the device reports.
    fn histograms(&mut self) -> Result<Vec<LayerHistograms>, ModelError> {
        let layer = |layer: &LayerParameters| LayerHistograms {
            w: Histogram::of(layer.w.iter().copied()),
            b: Histogram::of(layer.b.iter().copied()),
            dw: Histogram::of([0.0; 0]),
            db: Histogram::of([0.0; 0]),
        };
        Ok(self.parameters()?.iter().map(layer).collect())
    }

    /// The model as one that trains on data where it computes; `None` where it gains nothing by
    /// that, which is what the provided method says.
    fn resident(&mut self) -> Option<&mut dyn ResidentModel> {
        None
    }

    /// [`Self::take_loss`] without waiting: either the loss, or `None`, and [`Self::poll_loss`]
    /// will bring it. The provided method waits.
    ///
    /// # Errors
    /// What the device reports.
    fn request_loss(&mut self) -> Result<Option<MeanLoss>, ModelError> {
        self.take_loss().map(Some)
    }

    /// The oldest loss of [`Self::request_loss`] that has arrived since. Does not wait; but
    /// whatever waits for the device, such as [`Self::take_loss`], waits for all that were
    /// requested before.
    ///
    /// # Errors
    /// What the device reports.
    fn poll_loss(&mut self) -> Result<Option<MeanLoss>, ModelError> {
        Ok(None)
    }
}

/// A model that trains on a data set which lies where it computes, so that no step moves a row.
pub trait ResidentModel: Model {
    /// Copies a data set to where the model computes; whether there was room.
    ///
    /// # Errors
    /// As [`Model::train_batch`].
    fn load(&mut self, x: ArrayView2<'_, f32>, targets: Targets<'_>) -> Result<bool, ModelError>;

    /// Lets go of the data set of [`Self::load`].
    ///
    /// # Errors
    /// What the device reports.
    fn unload(&mut self) -> Result<(), ModelError>;

    /// Sets the order in which [`Self::train_next`] takes the loaded examples: each `batch` of
    /// `indices` is one step, the last may be smaller.
    ///
    /// # Errors
    /// [`ModelError::NoData`] where nothing is loaded, [`ModelError::Index`],
    /// [`ModelError::BatchSize`]; otherwise what the device reports.
    fn set_order(&mut self, indices: &[usize], batch: usize) -> Result<(), ModelError>;

    /// The step of [`Model::train_batch`] for the next batch of [`Self::set_order`]; whether there
    /// was one left.
    ///
    /// May hand several steps to the device together, but none later than when anything else is
    /// asked of the model.
    ///
    /// # Errors
    /// [`ModelError::NoData`] where nothing is loaded; otherwise what the device reports.
    fn train_next(&mut self) -> Result<bool, ModelError>;
}
