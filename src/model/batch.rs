//! Batches, and whether a model can learn from them: both implementors answer alike.

use ndarray::{ArrayView1, ArrayView2, Axis};

use super::error::ModelError;
use super::loss::{Loss, TargetKind};
use super::parameters::LayerParameters;

/// What a batch should have come out as.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// The class of each example, or [`IGNORED`], for [`Loss::SoftmaxCrossEntropy`].
    Classes(&'a [u32]),
    /// The outputs wanted, batch × outputs, for all other losses.
    Values(ArrayView2<'a, f32>),
    /// The same, with a weight for each example: the loss is Σ weight_i loss_i / Σ weight_i. An
    /// example of weight 0 is as good as absent.
    WeightedValues {
        /// The outputs wanted, batch × outputs.
        values: ArrayView2<'a, f32>,
        /// As many as examples, from 0, finite.
        weights: &'a [f32],
    },
}

/// The class of an example that is to be passed over, as if it were absent: the loss is the mean
/// over the others.
pub const IGNORED: u32 = u32::MAX;

impl Targets<'_> {
    /// Number of examples.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(values) | Self::WeightedValues { values, .. } => values.nrows(),
        }
    }

    /// Whether there is no example.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether some examples weigh more than others, given the weights of classes.
    pub(crate) fn is_weighted(&self, class_weights: &[f32]) -> bool {
        match self {
            Self::Classes(classes) => !class_weights.is_empty() || classes.contains(&IGNORED),
            Self::Values(_) => false,
            Self::WeightedValues { .. } => true,
        }
    }
}

/// Checks a batch against a model, so that both implementors answer alike.
pub(crate) fn check_batch(
    sizes: &[usize],
    loss: Loss,
    x: ArrayView2<'_, f32>,
    targets: Targets<'_>,
) -> Result<(), ModelError> {
    check_inputs(sizes, x)?;
    let outputs = sizes[sizes.len() - 1];
    match (loss.targets(), targets) {
        (TargetKind::Classes, Targets::Classes(classes)) => {
            check_shape("classes", [1, x.nrows()], [1, classes.len()])?;
            let is_wrong = |class: &u32| *class as usize >= outputs && *class != IGNORED;
            match classes.iter().position(is_wrong) {
                Some(example) => Err(ModelError::Class {
                    example,
                    class: classes[example],
                    classes: outputs,
                }),
                None => Ok(()),
            }
        }
        (TargetKind::Values, Targets::Values(values)) => {
            check_values([x.nrows(), outputs], loss, values)
        }
        (TargetKind::Values, Targets::WeightedValues { values, weights }) => {
            check_values([x.nrows(), outputs], loss, values)?;
            check_weights(x.nrows(), weights)
        }
        _ => Err(ModelError::TargetKind { loss }),
    }
}

fn check_values(
    expected: [usize; 2],
    loss: Loss,
    values: ArrayView2<'_, f32>,
) -> Result<(), ModelError> {
    check_shape("target values", expected, [values.nrows(), values.ncols()])?;
    check_finite("target values", values)?;
    check_probabilities(loss, || first_other_than_probability(values))
}

/// Refuses weights of examples that are not from 0 and finite.
pub(crate) fn check_weights(examples: usize, weights: &[f32]) -> Result<(), ModelError> {
    check_shape("weights", [1, examples], [1, weights.len()])?;
    match weights.iter().position(|weight| !is_weight(*weight)) {
        Some(example) => Err(ModelError::Weight {
            example,
            weight: weights[example],
        }),
        None => Ok(()),
    }
}

/// A NaN is none.
pub(super) fn is_weight(value: f32) -> bool {
    (0.0..f32::INFINITY).contains(&value)
}

pub(crate) fn check_inputs(sizes: &[usize], x: ArrayView2<'_, f32>) -> Result<(), ModelError> {
    check_shape("x", [x.nrows(), sizes[0]], [x.nrows(), x.ncols()])?;
    check_finite("x", x)
}

pub(crate) fn check_finite(
    what: &'static str,
    values: ArrayView2<'_, f32>,
) -> Result<(), ModelError> {
    // Every batch passes here: without a way out in mid-row, the compiler checks many numbers at a
    // time.
    let is_finite = |row: ArrayView1<'_, f32>| row.fold(true, |all, value| all & value.is_finite());
    if values.rows().into_iter().all(is_finite) {
        return Ok(());
    }
    match values.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((row, column), value)) => Err(ModelError::NonFinite {
            what,
            row,
            column,
            value: *value,
        }),
        None => Ok(()),
    }
}

/// The first value that is no probability, with row and column.
pub(crate) type NoProbability = Option<([usize; 2], f32)>;

pub(crate) fn first_other_than_probability(values: ArrayView2<'_, f32>) -> NoProbability {
    values
        .indexed_iter()
        .find(|(_, value)| !(0.0..=1.0).contains(*value))
        .map(|((row, column), value)| ([row, column], *value))
}

/// Refuses values that are no probabilities where the loss wants them.
pub(crate) fn check_probabilities(
    loss: Loss,
    first: impl FnOnce() -> NoProbability,
) -> Result<(), ModelError> {
    let is_asked_for = loss.wants_probabilities();
    match is_asked_for.then(first).flatten() {
        Some(([row, column], value)) => Err(ModelError::Probability { row, column, value }),
        None => Ok(()),
    }
}

/// Checks parameters against a network, all shapes first.
pub(crate) fn check_parameters(
    sizes: &[usize],
    parameters: &[LayerParameters],
) -> Result<(), ModelError> {
    check_layers(sizes.windows(2).map(|ends| [ends[0], ends[1]]), parameters)
}

/// Checks parameters, or what has their shapes, against inputs and outputs of layers, all shapes
/// first.
pub(crate) fn check_layers(
    sizes: impl ExactSizeIterator<Item = [usize; 2]>,
    parameters: &[LayerParameters],
) -> Result<(), ModelError> {
    check_shape("layers", [1, sizes.len()], [1, parameters.len()])?;
    for (layer, [inputs, outputs]) in parameters.iter().zip(sizes) {
        check_shape("w", [inputs, outputs], [layer.w.nrows(), layer.w.ncols()])?;
        check_shape("b", [1, outputs], [1, layer.b.len()])?;
    }
    for (number, layer) in (1..).zip(parameters) {
        check_finite_parameter(number, "w", layer.w.view())?;
        check_finite_parameter(number, "b", layer.b.view().insert_axis(Axis(0)))?;
    }
    Ok(())
}

fn check_finite_parameter(
    layer: usize,
    what: &'static str,
    values: ArrayView2<'_, f32>,
) -> Result<(), ModelError> {
    check_finite(what, values).map_err(|error| match error {
        ModelError::NonFinite {
            row, column, value, ..
        } => ModelError::NonFiniteParameter {
            layer,
            what,
            row,
            column,
            value,
        },
        other => other,
    })
}

pub(crate) fn check_shape(
    what: &'static str,
    expected: [usize; 2],
    actual: [usize; 2],
) -> Result<(), ModelError> {
    if expected == actual {
        Ok(())
    } else {
        Err(ModelError::Shape {
            what,
            expected,
            actual,
        })
    }
}
