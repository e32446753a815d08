//! How well a model does.

use ndarray::ArrayView2;

use super::Dataset;
use super::confusion::{Confusion, predicted};
use crate::model::{Model, ModelError};

/// How well a model does on a data set.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean softmax cross-entropy; NaN without examples.
    pub loss: f32,
    /// Fraction of examples whose largest output is their class; NaN without examples.
    pub accuracy: f32,
}

/// Loss and accuracy of a classifier on `data`.
///
/// # Errors
/// As [`Model::predict`]; [`ModelError::Class`] where a label is out of range,
/// [`ModelError::Shape`] where the model gives another number of rows than it was given.
pub fn evaluate(model: &mut impl Model, data: &Dataset) -> Result<Evaluation, ModelError> {
    evaluate_with(model, data, |_| ()).map(|(evaluation, ())| evaluation)
}

/// The same, with the confusion of the same predictions; `None` where there are too many classes
/// for a picture.
pub(super) fn evaluate_with_confusion(
    model: &mut impl Model,
    data: &Dataset,
) -> Result<(Evaluation, Option<Confusion>), ModelError> {
    evaluate_with(model, data, |logits| Confusion::of(logits, data.labels()))
}

/// The same, with what `look` makes of the model's outputs.
fn evaluate_with<T>(
    model: &mut impl Model,
    data: &Dataset,
    look: impl FnOnce(ArrayView2<'_, f32>) -> T,
) -> Result<(Evaluation, T), ModelError> {
    let logits = model.predict(data.x().view())?;
    check_outputs(logits.view(), data)?;
    let (losses, _) =
        crate::reference::softmax_cross_entropy(logits.mapv(f64::from).view(), data.labels());
    let hits = count_hits(logits.view(), data.labels());
    let examples = data.len() as f64;
    let evaluation = Evaluation {
        loss: (losses.sum() / examples) as f32,
        accuracy: (hits as f64 / examples) as f32,
    };
    Ok((evaluation, look(logits.view())))
}

fn check_outputs(logits: ArrayView2<'_, f32>, data: &Dataset) -> Result<(), ModelError> {
    let classes = logits.ncols();
    if logits.nrows() != data.len() {
        let (expected, actual) = ([data.len(), classes], [logits.nrows(), classes]);
        return Err(ModelError::Shape {
            what: "the model's outputs",
            expected,
            actual,
        });
    }
    let is_wrong = |label: &u32| *label as usize >= classes;
    match data.labels().iter().position(is_wrong) {
        Some(example) => Err(ModelError::Class {
            example,
            class: data.labels()[example],
            classes,
        }),
        None => Ok(()),
    }
}

/// How many rows stand for their label.
fn count_hits(logits: ArrayView2<'_, f32>, labels: &[u32]) -> usize {
    logits
        .rows()
        .into_iter()
        .zip(labels)
        .filter(|(row, label)| predicted(row.view(), **label as usize) == **label as usize)
        .count()
}
