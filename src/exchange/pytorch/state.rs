//! What an optimizer remembers, as PyTorch calls it.

use crate::model::{AdamSettings, LayerParameters, Moment, Optimizer, TrainingState};

/// What an optimizer of PyTorch remembers of each parameter, laid out as the layers are.
///
/// | in a file | what it is | here |
/// |---|---|---|
/// | `optimizer.exp_avg.PREFIX.weight`, `….bias` | mean of the gradient | Adam and AdamW: m |
/// | `optimizer.exp_avg_sq.PREFIX.weight`, `….bias` | mean of its square | Adam and AdamW: v |
/// | `optimizer.momentum_buffer.PREFIX.weight`, `….bias` | direction | SGD with momentum: velocity |
/// | `optimizer.step` | steps taken, i64 | Adam's 1 − βˢ |
///
/// Weights are transposed as parameters are. `docs/EXCHANGE.md` has the lines of Python that write
/// such a file from *optimizer.state* and read it back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerState {
    /// Name, such as `exp_avg`, and values in the shapes of the parameters. A name has no dot.
    pub moments: Vec<(String, Vec<LayerParameters>)>,
    /// Steps taken; `None` where the optimizer does not count them.
    pub steps: Option<u64>,
}

impl OptimizerState {
    /// PyTorch's name of each moment, and that of the formulas in `shaders/`.
    pub const NAMES: [(&str, &str); 3] = [
        ("exp_avg", "m"),
        ("exp_avg_sq", "v"),
        ("momentum_buffer", "velocity"),
    ];

    /// Adam's 1 − β1ˢ and 1 − β2ˢ after the s steps taken; `None` where these are not known.
    ///
    /// ```
    /// use wgpu_linear::exchange::pytorch::OptimizerState;
    /// use wgpu_linear::model::AdamSettings;
    ///
    /// let state = OptimizerState { steps: Some(2), ..OptimizerState::default() };
    /// let settings = AdamSettings { beta1: 0.5, beta2: 0.75, ..AdamSettings::default() };
    /// assert_eq!(state.corrections(&settings), Some([0.75, 0.4375]));
    /// ```
    #[must_use]
    pub fn corrections(&self, settings: &AdamSettings) -> Option<[f32; 2]> {
        let steps = self.steps? as f64;
        let betas = [settings.beta1, settings.beta2];
        Some(betas.map(|beta| (1.0 - f64::from(beta).powf(steps)) as f32))
    }

    /// The state with which a model of this optimizer goes on where PyTorch has left off: for
    /// [`Model::set_training_state`](crate::model::Model::set_training_state).
    ///
    /// A step counts as a batch. Moments whose names are not PyTorch's keep them, and are refused
    /// by the model.
    #[must_use]
    pub fn training_state(&self, optimizer: &Optimizer) -> TrainingState {
        let corrections = match optimizer {
            Optimizer::Adam(settings) | Optimizer::AdamW(settings) => self.corrections(settings),
            _ => None,
        };
        let corrections = corrections.map(|values| ("corrections".to_owned(), values.to_vec()));
        TrainingState {
            moments: self.moments.iter().map(moment).collect(),
            scalars: corrections.into_iter().collect(),
            batches: self.steps.unwrap_or(0),
        }
    }

    /// What PyTorch needs of the [state](crate::model::Model::training_state) of a model, which has
    /// taken `steps` steps: as many as batches, unless gradients were accumulated.
    #[must_use]
    pub fn of(state: &TrainingState, steps: u64) -> Self {
        let theirs = |ours: &str| Self::NAMES.iter().find(|(_, name)| *name == ours);
        let named = |moment: &Moment| {
            let name = theirs(&moment.name).map_or(&moment.name[..], |(name, _)| name);
            (name.to_owned(), moment.layers.clone())
        };
        Self {
            moments: state.moments.iter().map(named).collect(),
            steps: state.scalar("corrections").map(|_| steps),
        }
    }

    /// The moment of this name.
    #[must_use]
    pub fn moment(&self, name: &str) -> Option<&[LayerParameters]> {
        self.moments
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, layers)| &layers[..])
    }
}

/// Under the name that it has here.
fn moment((name, layers): &(String, Vec<LayerParameters>)) -> Moment {
    let known = OptimizerState::NAMES;
    let ours = known.iter().find(|(theirs, _)| theirs == name);
    Moment {
        name: ours.map_or(&name[..], |(_, ours)| ours).to_owned(),
        layers: layers.clone(),
    }
}
