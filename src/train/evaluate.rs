//! How well a model does.

use ndarray::{Array2, ArrayView2};

use super::Dataset;
use super::confusion::ConfusionMatrix;
use super::confusion_image::MOST_CLASSES;
use super::metric::{ACCURACY, Metric, kind};
use super::value_errors::ValueErrors;
use crate::model::{Loss, Model, ModelError, check_batch};
use crate::reference::sum_losses;

/// The loss has a name too.
pub(super) const LOSS: &str = "loss";
/// Rows that are in f64 at a time.
const ROWS: usize = 1024;
/// A confusion of more classes takes more than 128 MiB.
const MOST_CLASSES_COUNTED: usize = 4096;

/// How well a model does on a data set.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The mean of the loss that the model minimizes, of labels that are not smoothed; NaN without
    /// examples, and where an output is not finite.
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
/// As [`evaluate()`]; [`ModelError::MetricTargets`] where a metric is not one of such targets.
pub fn evaluate_with(
    model: &mut dyn Model,
    data: &Dataset,
    metrics: &[Metric],
) -> Result<Evaluation, ModelError> {
    let metrics = Metric::suiting(data.targets(), metrics)?;
    measure(model, data, &metrics, |_| ()).map(|(evaluation, ())| evaluation)
}

/// Everything that there is to say of how well a model does on a data set.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct DetailedEvaluation {
    /// The loss, and all metrics that suit the targets.
    pub evaluation: Evaluation,
    /// What the model gives for each example, examples × outputs.
    pub outputs: Array2<f32>,
    /// Which classes are taken for which; `None` for values, and for more than 4,096 classes, where
    /// the table would take hundreds of megabytes.
    pub confusion: Option<ConfusionMatrix>,
    /// The errors of each output; none for classes.
    pub errors: Vec<ValueErrors>,
}

/// [`evaluate()`] with all metrics that suit the targets, the model's outputs, and the confusion of
/// classes or the errors of each output: everything from one prediction.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::model::MlpConfig;
/// use wgpu_linear::reference::Mlp;
/// use wgpu_linear::train::{Dataset, evaluate_in_detail};
///
/// let data = Dataset::new(array![[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], vec![0, 1, 1])?;
/// let mut mlp = Mlp::<f32>::new(MlpConfig::new(&[2, 8, 2]))?;
/// let details = evaluate_in_detail(&mut mlp, &data)?;
/// assert!(details.evaluation.metric("roc_auc").is_some());
/// assert_eq!(details.outputs.dim(), (3, 2));
/// assert_eq!(details.confusion.map(|confusion| confusion.support(1)), Some(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`evaluate()`].
pub fn evaluate_in_detail(
    model: &mut dyn Model,
    data: &Dataset,
) -> Result<DetailedEvaluation, ModelError> {
    let metrics = Metric::all(kind(data.targets()));
    let (evaluation, outputs) = measure(model, data, &metrics, |outputs| outputs)?;
    let errors = match data.values() {
        Some(y) => ValueErrors::of_columns(outputs.view(), y.view()),
        None => Vec::new(),
    };
    Ok(DetailedEvaluation {
        confusion: confusion(outputs.view(), data, MOST_CLASSES_COUNTED)?,
        evaluation,
        outputs,
        errors,
    })
}

/// The confusion of up to `most` classes; `None` for more, and for values.
fn confusion(
    outputs: ArrayView2<'_, f32>,
    data: &Dataset,
    most: usize,
) -> Result<Option<ConfusionMatrix>, ModelError> {
    if data.values().is_some() || !(1..=most).contains(&outputs.ncols()) {
        return Ok(None);
    }
    ConfusionMatrix::new(outputs, data.labels()).map(Some)
}

/// The loss and just these metrics, with the confusion of the same predictions; `None` where the
/// targets are no classes, or too many for a picture.
pub(super) fn evaluate_with_confusion(
    model: &mut dyn Model,
    data: &Dataset,
    metrics: &[Metric],
) -> Result<(Evaluation, Option<ConfusionMatrix>), ModelError> {
    let look = |outputs: Array2<f32>| confusion(outputs.view(), data, MOST_CLASSES);
    let (evaluation, confusion) = measure(model, data, metrics, look)?;
    Ok((evaluation, confusion?))
}

/// The loss and just these metrics, with what `look` makes of the model's outputs.
pub(super) fn measure<T>(
    model: &mut dyn Model,
    data: &Dataset,
    metrics: &[Metric],
    look: impl FnOnce(Array2<f32>) -> T,
) -> Result<(Evaluation, T), ModelError> {
    let predicted = model.predict(data.x().view())?;
    let (outputs, loss) = (predicted.view(), model.loss());
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
    Ok((evaluation, look(predicted)))
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
