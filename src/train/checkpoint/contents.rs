//! What a checkpoint holds.

use std::collections::BTreeMap;

use super::super::run_state::RunState;
use super::error::CheckpointError;
use crate::model::{LayerParameters, MlpConfig, Model, TrainingState};

/// A model with all that its training needs to go on.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::model::{MlpConfig, Model, Targets};
/// use wgpu_linear::reference::Mlp;
/// use wgpu_linear::train::checkpoint::Checkpoint;
///
/// let mut mlp = Mlp::<f32>::new(MlpConfig::new(&[1, 4, 1]))?;
/// let checkpoint = Checkpoint::of(&mlp)?;
/// # #[cfg(feature = "checkpoint")] {
/// let checkpoint = Checkpoint::from_bytes(&checkpoint.to_bytes()?)?;
/// # }
/// let mut copy = Mlp::<f32>::new(checkpoint.config.clone())?;
/// checkpoint.restore(&mut copy)?;
/// assert_eq!(copy.parameters()?, mlp.parameters()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// What the model was made from. Its learning rate is the one that a schedule multiplies.
    pub config: MlpConfig,
    /// Weights and biases, first layer first.
    pub parameters: Vec<LayerParameters>,
    /// What the optimizer remembers; `None` for a model that is only to predict.
    pub state: Option<TrainingState>,
    /// Where the run stands; `None` outside of one.
    pub progress: Option<RunState>,
    /// Whatever a program wants to find again, under names of its own.
    pub extra: BTreeMap<String, String>,
}

impl Checkpoint {
    /// A checkpoint of these parameters alone.
    #[must_use]
    pub fn new(config: MlpConfig, parameters: Vec<LayerParameters>) -> Self {
        Self {
            config,
            parameters,
            state: None,
            progress: None,
            extra: BTreeMap::new(),
        }
    }

    /// A copy of parameters and training state, outside of a run. Waits for the device.
    ///
    /// # Errors
    /// [`CheckpointError::NoConfig`] where the model has no [`Model::config`];
    /// [`CheckpointError::Model`] for what the device reports.
    pub fn of(model: &dyn Model) -> Result<Self, CheckpointError> {
        let config = model.config().ok_or(CheckpointError::NoConfig)?;
        Ok(Self {
            state: Some(model.training_state()?),
            ..Self::new(config.clone(), model.parameters()?)
        })
    }

    /// Gives parameters, learning rate and, where there is one, training state to `model`, which
    /// was made from [`Self::config`], on whatever device.
    ///
    /// # Errors
    /// [`CheckpointError::Shape`] where layers have other sizes; nothing is changed then.
    /// [`CheckpointError::Model`] where numbers are not finite or the state is of another
    /// optimizer, and for what the device reports.
    pub fn restore(&self, model: &mut dyn Model) -> Result<(), CheckpointError> {
        self.check_sizes(model)?;
        // First what has more to be refused for.
        if let Some(state) = &self.state {
            model.set_training_state(state)?;
        }
        model.set_parameters(&self.parameters)?;
        Ok(model.set_learning_rate(self.config.optimizer.learning_rate())?)
    }

    /// Refuses a model of other sizes.
    pub(in crate::train) fn check_sizes(&self, model: &dyn Model) -> Result<(), CheckpointError> {
        check_sizes(model.layer_sizes(), &self.parameters)
    }
}

/// Refuses parameters of a network of other sizes.
pub(super) fn check_sizes(
    sizes: &[usize],
    parameters: &[LayerParameters],
) -> Result<(), CheckpointError> {
    let expected: Vec<_> = sizes.windows(2).map(|ends| (ends[0], ends[1])).collect();
    let layers = expected.len().max(parameters.len());
    for i in 0..layers {
        let actual = parameters.get(i).map(|layer| layer.w.dim());
        let fits = parameters
            .get(i)
            .is_none_or(|layer| layer.b.len() == layer.w.ncols());
        if actual != expected.get(i).copied() || !fits {
            return Err(CheckpointError::Shape {
                layer: i + 1,
                expected: expected.get(i).map(|(inputs, outputs)| [*inputs, *outputs]),
                actual: actual.map(|(inputs, outputs)| [inputs, outputs]),
            });
        }
    }
    Ok(())
}
