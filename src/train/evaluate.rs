//! How well a model does.

use ndarray::ArrayView2;

use super::Dataset;
use super::confusion::Confusion;
use super::metric::{ACCURACY, Metric};
use crate::model::{Loss, Model, ModelError, check_batch};
use crate::reference::sum_losses;

/// The loss has a name too.
pub(super) const LOSS: &str = "loss";
/// Rows that are in f64 at a time.
const ROWS: usize = 1024;

/// How well a model does on a data set.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The mean of the loss that the model minimizes; NaN without examples, and where an output is
    /// not finite.
    pub loss: f32,
    /// The metric `accuracy`: the fraction of examples whose largest output is their class. NaN
    /// where there is none: without examples, and for values.
    pub accuracy: f32,
    metrics: Box<[(String, f32)]>,
}

impl Evaluation {
    /// Of nothing: no number is known.
    pub(super) fn unknown() -> Self {
        Self::of_values(f32::NAN, Box::default())
    }

    /// The loss, and the metrics with their names.
    pub(super) fn of_values(loss: f32, metrics: Box<[(String, f32)]>) -> Self {
        let accuracy = f32::NAN;
        let mut evaluation = Self {
            loss,
            accuracy,
            metrics,
        };
        evaluation.accuracy = evaluation.metric(ACCURACY).unwrap_or(accuracy);
        evaluation
    }

    /// The metrics with their names, without the loss.
    pub fn metrics(&self) -> impl Iterator<Item = (&str, f32)> {
        let metrics = self.metrics.iter();
        metrics.map(|(name, value)| (name.as_str(), *value))
    }

    /// The metric of this name, `loss` being one; `None` where there is none.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<f32> {
        if name == LOSS {
            return Some(self.loss);
        }
        let mut metrics = self.metrics();
        metrics
            .find(|metric| metric.0 == name)
            .map(|metric| metric.1)
    }
}

/// Equal numbers, where a NaN equals another: there is none to tell apart.
impl PartialEq for Evaluation {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (f32, f32)| a == b || (a.is_nan() && b.is_nan());
        let names = self.metrics().map(|metric| metric.0);
        let values = self.metrics().map(|metric| metric.1);
        names.eq(other.metrics().map(|metric| metric.0))
            && values.zip(other.metrics().map(|metric| metric.1)).all(same)
            && same((self.loss, other.loss))
            && same((self.accuracy, other.accuracy))
    }
}

/// The loss of a model on `data`, and the [`Metric`]s that suit it.
///
/// # Errors
/// As [`Model::predict`]; [`ModelError::TargetKind`] where the model's loss takes other targets,
/// [`ModelError::Class`] where a label is out of range, [`ModelError::Shape`] where the model gives
/// another number of rows than it was given or the targets have other columns than its outputs,
/// [`ModelError::NonFinite`] where a target is not finite.
pub fn evaluate(model: &mut dyn Model, data: &Dataset) -> Result<Evaluation, ModelError> {
    evaluate_with(model, data, &[])
}

/// [`evaluate()`], with `metrics` of your own. One with the name of another takes its place.
///
/// # Errors
/// As [`evaluate()`].
pub fn evaluate_with(
    model: &mut dyn Model,
    data: &Dataset,
    metrics: &[Metric],
) -> Result<Evaluation, ModelError> {
    let metrics = Metric::suiting(data.targets(), metrics);
    measure(model, data, &metrics, |_| ()).map(|(evaluation, ())| evaluation)
}

/// The loss and just these metrics, with the confusion of the same predictions; `None` where the
/// targets are no classes, or too many for a picture.
pub(super) fn evaluate_with_confusion(
    model: &mut dyn Model,
    data: &Dataset,
    metrics: &[Metric],
) -> Result<(Evaluation, Option<Confusion>), ModelError> {
    measure(model, data, metrics, |outputs| match data.values() {
        None => Confusion::of(outputs, data.labels()),
        Some(_) => None,
    })
}

/// The loss and just these metrics, with what `look` makes of the model's outputs.
pub(super) fn measure<T>(
    model: &mut dyn Model,
    data: &Dataset,
    metrics: &[Metric],
    look: impl FnOnce(ArrayView2<'_, f32>) -> T,
) -> Result<(Evaluation, T), ModelError> {
    let outputs = model.predict(data.x().view())?;
    let (outputs, loss) = (outputs.view(), model.loss());
    let class_weights = model
        .config()
        .map_or(&[][..], |config| &config.class_weights);
    check_outputs(loss, outputs, data)?;
    let value = |metric: &Metric| {
        let value = metric.measure(outputs, data.targets());
        (metric.name().to_owned(), value)
    };
    let loss = mean_loss(loss, class_weights, outputs, data);
    let evaluation = Evaluation::of_values(loss, metrics.iter().map(value).collect());
    Ok((evaluation, look(outputs)))
}

fn check_outputs(
    loss: Loss,
    outputs: ArrayView2<'_, f32>,
    data: &Dataset,
) -> Result<(), ModelError> {
    if outputs.nrows() != data.len() {
        return Err(ModelError::Shape {
            what: "the model's outputs",
            expected: [data.len(), outputs.ncols()],
            actual: [outputs.nrows(), outputs.ncols()],
        });
    }
    let sizes = [data.x().ncols(), outputs.ncols()];
    check_batch(&sizes, loss, data.x().view(), data.targets())
}

fn mean_loss(
    loss: Loss,
    class_weights: &[f32],
    outputs: ArrayView2<'_, f32>,
    data: &Dataset,
) -> f32 {
    if outputs.iter().any(|output| !output.is_finite()) {
        return f32::NAN;
    }
    let part = |first| {
        let (outputs, targets) = data.part(outputs, first..data.len().min(first + ROWS));
        sum_losses(loss, class_weights, outputs.mapv(f64::from).view(), targets)
    };
    let parts = (0..data.len()).step_by(ROWS).map(part);
    let [sum, weight] = parts.fold([0.0; 2], |[a, b], [c, d]| [a + c, b + d]);
    (sum / weight) as f32
}
