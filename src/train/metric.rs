//! Numbers with names that say how well outputs fit targets.

use std::fmt;
use std::sync::Arc;

use ndarray::ArrayView2;

use super::class_counts::{ClassCounts, accuracy, balanced_accuracy, macro_mean};
use super::probability::{log_loss, roc_auc};
use super::value_errors::{ValueErrors, max_error, mean, mean_r2, total_r2};
use crate::model::{ModelError, TargetKind, Targets};

type Function = dyn Fn(ArrayView2<'_, f32>, Targets<'_>) -> f32 + Send + Sync;

/// A number with a name that says how well outputs fit targets, over a whole data set.
///
/// [`Trainer`](super::Trainer) and [`evaluate`](super::evaluate()) measure [`Self::accuracy`] of
/// classes, and [`Self::mean_absolute_error`] and [`Self::r2`] of values. Others are added by
/// [`Trainer::with_metric`](super::Trainer::with_metric):
///
/// | name | of | range, best first |
/// |---|---|---|
/// | `accuracy` | classes | 1 … 0 |
/// | `balanced_accuracy` | classes | 1 … 0 |
/// | `precision`, `recall`, `f1` | classes | 1 … 0 |
/// | `roc_auc` | classes | 1 … 0, 0.5 by chance |
/// | `log_loss` | classes | 0 … ∞ |
/// | `mean_absolute_error` | values | 0 … ∞ |
/// | `root_mean_squared_error` | values | 0 … ∞ |
/// | `max_error` | values | 0 … ∞ |
/// | `r2`, `mean_r2` | values | 1 … −∞ |
///
/// Each is what scikit-learn calls so, up to the precision of an f32. Examples that are
/// [`IGNORED`](crate::model::IGNORED) are passed over. A metric is NaN where there is nothing to
/// measure, and for targets of the other kind; trainer and evaluation refuse it there.
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
/// assert_eq!(Metric::max_error().measure(outputs.view(), Targets::Values(wanted.view())), 2.0);
/// ```
#[derive(Clone)]
pub struct Metric {
    name: String,
    takes: Option<TargetKind>,
    function: Arc<Function>,
}

impl Metric {
    /// A metric of your own: `function` of the outputs of a model for all examples, examples ×
    /// outputs, and their targets, of either kind.
    pub fn new(
        name: impl Into<String>,
        function: impl Fn(ArrayView2<'_, f32>, Targets<'_>) -> f32 + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            takes: None,
            function: Arc::new(function),
        }
    }

    /// A number that follows from outputs and labels.
    fn of_classes(name: &str, function: fn(ArrayView2<'_, f32>, &[u32]) -> f64) -> Self {
        let measure = move |outputs: ArrayView2<'_, f32>, targets: Targets<'_>| match targets {
            Targets::Classes(labels) => function(outputs, labels) as f32,
            _ => f32::NAN,
        };
        Self {
            takes: Some(TargetKind::Classes),
            ..Self::new(name, measure)
        }
    }

    /// A number that follows from how often each class is meant, predicted and hit.
    fn of_counts(name: &str, function: fn(&[ClassCounts]) -> f64) -> Self {
        let measure = move |outputs: ArrayView2<'_, f32>, targets: Targets<'_>| match targets {
            Targets::Classes(labels) => function(&ClassCounts::of(outputs, labels)) as f32,
            _ => f32::NAN,
        };
        Self {
            takes: Some(TargetKind::Classes),
            ..Self::new(name, measure)
        }
    }

    /// A number that follows from the errors of each output.
    fn of_values(name: &str, function: fn(&[ValueErrors]) -> f64) -> Self {
        let measure = move |outputs: ArrayView2<'_, f32>, targets: Targets<'_>| match targets {
            Targets::Values(y) => function(&ValueErrors::of_columns(outputs, y)) as f32,
            _ => f32::NAN,
        };
        Self {
            takes: Some(TargetKind::Values),
            ..Self::new(name, measure)
        }
    }

    /// `accuracy`: the fraction of examples whose largest output is that of their class. In a tie,
    /// and next to a NaN, it is not. NaN without examples, and for values.
    #[must_use]
    pub fn accuracy() -> Self {
        Self::of_counts(ACCURACY, accuracy)
    }

    /// `balanced_accuracy`: the mean over the classes that have examples of the fraction of these
    /// whose largest output is that of their class.
    #[must_use]
    pub fn balanced_accuracy() -> Self {
        Self::of_counts("balanced_accuracy", balanced_accuracy)
    }

    /// `precision`: [`ConfusionMatrix::precision`](super::ConfusionMatrix::precision), the mean over
    /// the classes that occur or are predicted (*macro*), each with the same weight; also of two
    /// classes.
    #[must_use]
    pub fn precision() -> Self {
        Self::of_counts("precision", |classes| macro_mean(classes).precision)
    }

    /// `recall`: [`ConfusionMatrix::recall`](super::ConfusionMatrix::recall), as a mean like
    /// [`Self::precision`].
    #[must_use]
    pub fn recall() -> Self {
        Self::of_counts("recall", |classes| macro_mean(classes).recall)
    }

    /// `f1`: [`ConfusionMatrix::f1`](super::ConfusionMatrix::f1), as a mean like
    /// [`Self::precision`].
    #[must_use]
    pub fn f1() -> Self {
        Self::of_counts("f1", |classes| macro_mean(classes).f1)
    }

    /// `roc_auc`: the probability that an example of a class has a larger softmax probability of it
    /// than another example, where a tie counts half; the area below the receiver operating
    /// characteristic.
    ///
    /// Of two classes it is that of class 1. Of more it is the mean over the classes, each against
    /// the rest (scikit-learn's *ovr* and *macro*); a class without examples, or without others, is
    /// left out. NaN where there is none left.
    #[must_use]
    pub fn roc_auc() -> Self {
        Self::of_classes("roc_auc", roc_auc)
    }

    /// `log_loss`: Σ_i (log Σ_j exp t_ij − t_i,class) / examples, the softmax cross-entropy without
    /// weights of classes.
    #[must_use]
    pub fn log_loss() -> Self {
        Self::of_classes("log_loss", log_loss)
    }

    /// `mean_absolute_error`: Σ_ij |t_ij − y_ij| / (examples · outputs). NaN without examples, and
    /// for classes.
    #[must_use]
    pub fn mean_absolute_error() -> Self {
        Self::of_values("mean_absolute_error", |outputs| {
            mean(outputs, |output| output.mean_absolute_error)
        })
    }

    /// `root_mean_squared_error`: √(Σ_i (t_ij − y_ij)² / examples), the mean over the outputs j.
    #[must_use]
    pub fn root_mean_squared_error() -> Self {
        Self::of_values("root_mean_squared_error", |outputs| {
            mean(outputs, |output| output.root_mean_squared_error)
        })
    }

    /// `max_error`: the largest |t_ij − y_ij|.
    #[must_use]
    pub fn max_error() -> Self {
        Self::of_values("max_error", max_error)
    }

    /// `r2`, the coefficient of determination: 1 − Σ_ij (t_ij − y_ij)² / Σ_ij (y_ij − ȳ_j)² with
    /// the mean ȳ_j of each column.
    ///
    /// 1 for a perfect model, 0 for one that always gives the means. NaN where no column of y
    /// varies, and for classes. With several outputs it is what scikit-learn calls
    /// `variance_weighted`; [`Self::mean_r2`] is its default.
    #[must_use]
    pub fn r2() -> Self {
        Self::of_values("r2", total_r2)
    }

    /// `mean_r2`: R² of each output by itself, the mean over the outputs whose y varies.
    #[must_use]
    pub fn mean_r2() -> Self {
        Self::of_values("mean_r2", mean_r2)
    }

    /// All metrics of this crate for targets of this kind.
    ///
    /// ```
    /// use wgpu_linear::model::TargetKind;
    /// use wgpu_linear::train::Metric;
    ///
    /// let all = Metric::all(TargetKind::Classes);
    /// assert!(all.iter().any(|metric| metric.name() == "roc_auc"));
    /// ```
    #[must_use]
    pub fn all(kind: TargetKind) -> Vec<Self> {
        match kind {
            TargetKind::Classes => vec![
                Self::accuracy(),
                Self::balanced_accuracy(),
                Self::precision(),
                Self::recall(),
                Self::f1(),
                Self::roc_auc(),
                Self::log_loss(),
            ],
            TargetKind::Values => vec![
                Self::mean_absolute_error(),
                Self::root_mean_squared_error(),
                Self::max_error(),
                Self::r2(),
                Self::mean_r2(),
            ],
        }
    }

    /// The metric of this crate with this name; `None` where there is none.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let kinds = [TargetKind::Classes, TargetKind::Values];
        let mut all = kinds.into_iter().flat_map(Self::all);
        all.find(|metric| metric.name == name)
    }

    /// Its name: the tags are `NAME/test` and `NAME/validation`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The targets that it takes; `None` where it takes either kind.
    #[must_use]
    pub fn takes(&self) -> Option<TargetKind> {
        self.takes
    }

    /// The number itself.
    #[must_use]
    pub fn measure(&self, outputs: ArrayView2<'_, f32>, targets: Targets<'_>) -> f32 {
        (self.function)(outputs, targets)
    }

    /// Those that are always measured, and then `others`; of two with one name, the later.
    pub(super) fn suiting(targets: Targets<'_>, others: &[Self]) -> Result<Vec<Self>, ModelError> {
        let kind = kind(targets);
        let mut metrics = match kind {
            TargetKind::Classes => vec![Self::accuracy()],
            TargetKind::Values => vec![Self::mean_absolute_error(), Self::r2()],
        };
        for other in others {
            if let Some(takes) = other.takes.filter(|takes| *takes != kind) {
                let metric = other.name.clone();
                return Err(ModelError::MetricTargets { metric, takes });
            }
            metrics.retain(|metric| metric.name != other.name);
            metrics.push(other.clone());
        }
        Ok(metrics)
    }
}

pub(super) fn kind(targets: Targets<'_>) -> TargetKind {
    match targets {
        Targets::Classes(_) => TargetKind::Classes,
        Targets::Values(_) | Targets::WeightedValues { .. } => TargetKind::Values,
    }
}

impl fmt::Debug for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metric").field(&self.name).finish()
    }
}

pub(super) const ACCURACY: &str = "accuracy";
