//! What training depends on beside parameters, configuration and data.

use ndarray::{ArrayView1, Axis};

use super::batch::{check_finite, check_layers, check_shape};
use super::error::ModelError;
use super::parameters::LayerParameters;

/// What the next training step of a model depends on beside its parameters, its configuration and
/// the batch: what the optimizer remembers, and how many batches there were.
///
/// [`Model::training_state`](super::Model::training_state) takes it out, and
/// [`Model::set_training_state`](super::Model::set_training_state) puts it into another model with
/// the same optimizer, on the GPU or on the CPU: names and shapes are the same there. With the
/// [parameters](super::Model::parameters) of the first, the second goes on with the bits that the
/// first would have had on the same device.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::model::{MlpConfig, Model, Targets};
/// use wgpu_linear::reference::Mlp;
///
/// let (x, labels) = (array![[0.0, 1.0], [1.0, 0.0]], [0, 1]);
/// let mut first = Mlp::<f32>::new(MlpConfig::new(&[2, 8, 2]))?;
/// first.train_batch(x.view(), Targets::Classes(&labels))?;
/// let state = first.training_state()?;
/// assert_eq!((state.moments[0].name.as_str(), state.batches), ("m", 1));
///
/// let mut second = Mlp::<f32>::new(MlpConfig::new(&[2, 8, 2]))?;
/// second.set_parameters(&first.parameters()?)?;
/// second.set_training_state(&state)?;
/// for mlp in [&mut first, &mut second] {
///     mlp.train_batch(x.view(), Targets::Classes(&labels))?;
/// }
/// assert_eq!(first.parameters()?, second.parameters()?);
/// # Ok::<(), wgpu_linear::model::ModelError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainingState {
    /// What the optimizer remembers of every parameter, such as Adam's `m` and `v`.
    pub moments: Vec<Moment>,
    /// Other numbers that it remembers, under their names: Adam's `corrections`, 1 − β1ˢ and
    /// 1 − β2ˢ after s steps.
    pub scalars: Vec<(String, Vec<f32>)>,
    /// Batches that the model has trained on, empty ones left out.
    pub batches: u64,
}

/// What an optimizer remembers of every parameter, in the shapes of the parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// Its name in the formulas of the optimizer, such as `velocity`.
    pub name: String,
    /// Its layers, first to last.
    pub layers: Vec<LayerParameters>,
}

impl TrainingState {
    /// The layers of the moment of this name.
    #[must_use]
    pub fn moment(&self, name: &str) -> Option<&[LayerParameters]> {
        let mut moments = self.moments.iter();
        let moment = moments.find(|moment| moment.name == name)?;
        Some(&moment.layers)
    }

    /// The numbers of this name.
    #[must_use]
    pub fn scalar(&self, name: &str) -> Option<&[f32]> {
        let mut scalars = self.scalars.iter();
        let (_, values) = scalars.find(|(known, _)| known == name)?;
        Some(values)
    }

    /// Whether nothing is remembered and nothing was trained.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.moments.is_empty() && self.scalars.is_empty() && self.batches == 0
    }
}

/// What a model remembers, to which a state has to fit.
#[derive(Clone, Debug)]
pub(crate) struct StateShape {
    pub(crate) moments: Vec<&'static str>,
    /// Names, and how many numbers there are.
    pub(crate) scalars: Vec<(&'static str, usize)>,
    /// Inputs and outputs of each layer.
    pub(crate) layers: Vec<[usize; 2]>,
}

impl StateShape {
    /// Refuses a state of another optimizer or network, and numbers that are not finite.
    pub(crate) fn check(&self, state: &TrainingState) -> Result<(), ModelError> {
        let moments = state.moments.iter().map(|moment| moment.name.as_str());
        check_names("moments", self.moments.iter().copied(), moments)?;
        let scalars = state.scalars.iter().map(|(name, _)| name.as_str());
        check_names(
            "scalars",
            self.scalars.iter().map(|(name, _)| *name),
            scalars,
        )?;
        for Moment { name, layers } in &state.moments {
            check_layers(self.layers.iter().copied(), layers).map_err(|error| of(name, error))?;
        }
        for (name, len) in &self.scalars {
            let values = state.scalar(name).unwrap_or_default();
            check_scalars(*len, values).map_err(|error| of(name, error))?;
        }
        Ok(())
    }
}

fn check_names<'a>(
    what: &'static str,
    expected: impl Iterator<Item = &'a str>,
    actual: impl Iterator<Item = &'a str>,
) -> Result<(), ModelError> {
    let mut expected: Vec<_> = expected.map(str::to_owned).collect();
    let mut actual: Vec<_> = actual.map(str::to_owned).collect();
    expected.sort_unstable();
    actual.sort_unstable();
    if expected == actual {
        return Ok(());
    }
    Err(ModelError::StateNames {
        what,
        expected,
        actual,
    })
}

fn check_scalars(len: usize, values: &[f32]) -> Result<(), ModelError> {
    check_shape("numbers", [1, len], [1, values.len()])?;
    check_finite("numbers", ArrayView1::from(values).insert_axis(Axis(0)))
}

fn of(name: &str, error: ModelError) -> ModelError {
    ModelError::State {
        name: name.to_owned(),
        source: Box::new(error),
    }
}
