//! Numbers with names that say how well outputs fit targets.

use std::fmt;
use std::sync::Arc;

use ndarray::{ArrayView2, Axis};

use super::confusion::predicted;
use crate::model::{IGNORED, Targets};

type Function = dyn Fn(ArrayView2<'_, f32>, Targets<'_>) -> f32 + Send + Sync;

/// A number with a name that says how well outputs fit targets, over a whole data set.
///
/// [`Trainer`](super::Trainer) and [`evaluate`](super::evaluate()) measure [`Self::accuracy`] of
/// classes, and [`Self::mean_absolute_error`] and [`Self::r2`] of values. Others are added by
/// [`Trainer::with_metric`](super::Trainer::with_metric).
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::model::Targets;
/// use wgpu_linear::train::Metric;
///
/// let worst = Metric::new("worst", |outputs, targets| match targets {
///     Targets::Values(y) => (&outputs - &y).fold(0.0, |worst, d| d.abs().max(worst)),
///     _ => f32::NAN,
/// });
/// let (outputs, wanted) = (array![[1.0], [2.0]], array![[1.5], [4.0]]);
/// assert_eq!(worst.measure(outputs.view(), Targets::Values(wanted.view())), 2.0);
/// ```
#[derive(Clone)]
pub struct Metric {
    name: String,
    function: Arc<Function>,
}

impl Metric {
    /// A metric of your own: `function` of the outputs of a model for all examples, examples ×
    /// outputs, and their targets.
    pub fn new(
        name: impl Into<String>,
        function: impl Fn(ArrayView2<'_, f32>, Targets<'_>) -> f32 + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            function: Arc::new(function),
        }
    }

    /// `accuracy`: the fraction of examples whose largest output is that of their class. In a tie,
    /// and next to a NaN, it is not. NaN without examples, and for values.
    #[must_use]
    pub fn accuracy() -> Self {
        Self::new(ACCURACY, accuracy)
    }

    /// `mean_absolute_error`: Σ_ij |t_ij − y_ij| / (examples · outputs). NaN without examples, and
    /// for classes.
    #[must_use]
    pub fn mean_absolute_error() -> Self {
        Self::new("mean_absolute_error", mean_absolute_error)
    }

    /// `r2`, the coefficient of determination: 1 − Σ_ij (t_ij − y_ij)² / Σ_ij (y_ij − ȳ_j)² with
    /// the mean ȳ_j of each column.
    ///
    /// 1 for a perfect model, 0 for one that always gives the means. NaN where no column of y
    /// varies, and for classes. With several outputs it is what scikit-learn calls
    /// `variance_weighted`.
    #[must_use]
    pub fn r2() -> Self {
        Self::new("r2", r2)
    }

    /// Its name: the tags are `NAME/test` and `NAME/validation`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number itself.
    #[must_use]
    pub fn measure(&self, outputs: ArrayView2<'_, f32>, targets: Targets<'_>) -> f32 {
        (self.function)(outputs, targets)
    }

    /// Those that suit the targets, and then `others`; of two with one name, the later.
    pub(super) fn suiting(targets: Targets<'_>, others: &[Self]) -> Vec<Self> {
        let mut metrics = match targets {
            Targets::Classes(_) => vec![Self::accuracy()],
            Targets::Values(_) | Targets::WeightedValues { .. } => {
                vec![Self::mean_absolute_error(), Self::r2()]
            }
        };
        for other in others {
            metrics.retain(|metric| metric.name != other.name);
            metrics.push(other.clone());
        }
        metrics
    }
}

impl fmt::Debug for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metric").field(&self.name).finish()
    }
}

pub(super) const ACCURACY: &str = "accuracy";

fn accuracy(outputs: ArrayView2<'_, f32>, targets: Targets<'_>) -> f32 {
    let Targets::Classes(labels) = targets else {
        return f32::NAN;
    };
    let rows = outputs.rows().into_iter().zip(labels);
    let mut counted = 0_usize;
    let hits = rows
        .filter(|(_, label)| **label != IGNORED)
        .inspect(|_| counted += 1)
        .map(|(row, label)| (row, *label as usize))
        .filter(|(row, label)| predicted(row.view(), *label) == *label)
        .count();
    (hits as f64 / counted as f64) as f32
}

fn mean_absolute_error(outputs: ArrayView2<'_, f32>, targets: Targets<'_>) -> f32 {
    let Targets::Values(y) = targets else {
        return f32::NAN;
    };
    let errors = outputs
        .iter()
        .zip(&y)
        .map(|(t, y)| difference(*t, *y).abs());
    (errors.sum::<f64>() / y.len() as f64) as f32
}

fn r2(outputs: ArrayView2<'_, f32>, targets: Targets<'_>) -> f32 {
    let Targets::Values(y) = targets else {
        return f32::NAN;
    };
    let squares = outputs
        .iter()
        .zip(&y)
        .map(|(t, y)| difference(*t, *y).powi(2));
    let variation: f64 = y
        .axis_iter(Axis(1))
        .map(|column| variation(&column.to_vec()))
        .sum();
    // 0 / 0 would be NaN by itself; errors where nothing varies would be an infinity.
    if variation == 0.0 {
        return f32::NAN;
    }
    (1.0 - squares.sum::<f64>() / variation) as f32
}

fn difference(t: f32, y: f32) -> f64 {
    f64::from(t) - f64::from(y)
}

/// Σ_i (y_i − ȳ)²
fn variation(column: &[f32]) -> f64 {
    let mean = column.iter().copied().map(f64::from).sum::<f64>() / column.len() as f64;
    let squares = column.iter().map(|y| (f64::from(*y) - mean).powi(2));
    squares.sum()
}
