//! Where a run stands between two steps.

use super::early_stopping::StoppingState;
use super::plateau::PlateauState;

/// Where a run stands between two steps: what its next step depends on beside the model, the data
/// and the options.
///
/// The order of an epoch follows from [`Self::seed`]: the shuffles of the epochs before are
/// repeated.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct RunState {
    /// Epochs done, evaluation included.
    pub epochs_done: u32,
    /// Batches done in the epoch at hand.
    pub batches_done: u64,
    /// Steps done in all.
    pub step: u64,
    /// [`TrainOptions::seed`](super::TrainOptions::seed).
    pub seed: u64,
    /// [`TrainOptions::batch`](super::TrainOptions::batch).
    pub batch: usize,
    /// [`TrainOptions::epochs`](super::TrainOptions::epochs).
    pub epochs: u32,
    /// How many examples there are to train on.
    pub examples: usize,
    /// The learning rate that the schedule multiplies.
    pub base_learning_rate: f32,
    /// Where [`EarlyStopping`](super::EarlyStopping) stands, if there is one.
    pub stopping: Option<StoppingState>,
    /// The smallest loss of an epoch on the set that epochs are judged by; measured where
    /// checkpoints are kept, without early stopping.
    pub best_loss: Option<f32>,
    /// Where [`ReduceOnPlateau`](super::ReduceOnPlateau) stands, if there is one; as at the
    /// beginning otherwise.
    pub plateau: PlateauState,
}
