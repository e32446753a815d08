//! Precision and recall of a classifier, over all thresholds.

use std::error::Error;
use std::fmt;

use super::tensor::{self, Elements};
use super::{Summary, wire};

/// Precision and recall of a classifier with two classes, at thresholds that divide 0..=1 evenly.
///
/// At threshold *k* of *n*, the examples with `⌊prediction · (n − 1)⌋ >= k` are called positive.
/// With the numbers of true and false positives and negatives TP, FP, TN and FN, precision = TP /
/// max(10⁻⁷, TP + FP) and recall = TP / max(10⁻⁷, TP + FN).
///
/// Source: `tensorboard/plugins/pr_curve/summary.py`; numbers and bytes are those of `PyTorch`'s
/// `add_pr_curve` for `float32`.
#[derive(Clone, Debug, PartialEq)]
pub struct PrCurve {
    /// Six rows of a column per threshold: TP, FP, TN, FN, precision, recall.
    rows: Vec<f32>,
    thresholds: usize,
}

impl PrCurve {
    /// The most thresholds of a curve. `PyTorch` allows 127.
    pub const MAX_THRESHOLDS: usize = 10_000;

    /// The curve of `predictions`, the probabilities of the positive class, for examples that are
    /// positive where `labels` is true.
    ///
    /// ```
    /// use tfevents::{PrCurve, Summary};
    ///
    /// let curve = PrCurve::of(&[false, true, true], &[0.1, 0.4, 0.9], 127)?;
    /// let summary = Summary::new().pr_curve("test", &curve);
    /// # Ok::<(), tfevents::PrCurveError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// * [`PrCurveError::Lengths`]: there are more labels than predictions, or fewer.
    /// * [`PrCurveError::Thresholds`]: `thresholds` is not in `2..=MAX_THRESHOLDS`.
    /// * [`PrCurveError::Prediction`]: a prediction is NaN, below 0 or above 1.
    pub fn of(
        labels: &[bool],
        predictions: &[f32],
        thresholds: usize,
    ) -> Result<Self, PrCurveError> {
        if labels.len() != predictions.len() {
            return Err(PrCurveError::Lengths {
                labels: labels.len(),
                predictions: predictions.len(),
            });
        }
        if !(2..=Self::MAX_THRESHOLDS).contains(&thresholds) {
            return Err(PrCurveError::Thresholds { thresholds });
        }
        let outside = |p: &f32| !(0.0..=1.0).contains(p);
        if let Some(index) = predictions.iter().position(outside) {
            let value = predictions[index];
            return Err(PrCurveError::Prediction { index, value });
        }
        let [positives, negatives] = count(labels, predictions, thresholds);
        Ok(Self {
            rows: rows(&positives, &negatives),
            thresholds,
        })
    }
}

/// For every threshold how many examples are called positive: those that are, and those that are
/// not.
fn count(labels: &[bool], predictions: &[f32], thresholds: usize) -> [Vec<u64>; 2] {
    let mut counts = [vec![0; thresholds], vec![0; thresholds]];
    for (label, prediction) in labels.iter().zip(predictions) {
        // In f32, as PyTorch does: a product in f64 may be rounded to the other side of a
        // threshold.
        let bucket = (prediction * (thresholds - 1) as f32) as usize;
        counts[usize::from(!label)][bucket] += 1;
    }
    for counts in &mut counts {
        for threshold in (1..thresholds).rev() {
            counts[threshold - 1] += counts[threshold];
        }
    }
    counts
}

fn rows(true_positives: &[u64], false_positives: &[u64]) -> Vec<f32> {
    let negatives = |positives: &[u64]| positives.iter().map(|n| positives[0] - n).collect();
    let true_negatives: Vec<u64> = negatives(false_positives);
    let false_negatives: Vec<u64> = negatives(true_positives);
    let ratios = |others: &[u64]| -> Vec<f32> {
        let pairs = true_positives.iter().zip(others);
        pairs.map(|(tp, other)| ratio(*tp, tp + other)).collect()
    };
    let counts = [
        true_positives,
        false_positives,
        &true_negatives,
        &false_negatives,
    ];
    let mut rows: Vec<f32> = counts.concat().iter().map(|count| *count as f32).collect();
    rows.extend(ratios(false_positives));
    rows.extend(ratios(&false_negatives));
    rows
}

/// 0 where nothing is counted.
fn ratio(part: u64, whole: u64) -> f32 {
    (part as f64 / (whole as f64).max(1e-7)) as f32
}

/// Labels and predictions do not make a curve.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum PrCurveError {
    /// Labels and predictions do not belong together.
    Lengths {
        /// How many labels there are.
        labels: usize,
        /// How many predictions there are.
        predictions: usize,
    },
    /// There are too few thresholds for a curve, or too many.
    Thresholds {
        /// How many were asked for.
        thresholds: usize,
    },
    /// A prediction is no probability.
    Prediction {
        /// From 0.
        index: usize,
        /// Its value.
        value: f32,
    },
}

impl fmt::Display for PrCurveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lengths {
                labels,
                predictions,
            } => {
                write!(f, "{labels} labels for {predictions} predictions")
            }
            Self::Thresholds { thresholds } => {
                let most = PrCurve::MAX_THRESHOLDS;
                write!(f, "{thresholds} thresholds where 2 to {most} are allowed")
            }
            Self::Prediction { index, value } => {
                write!(f, "prediction {index} is {value}, not in 0..=1")
            }
        }
    }
}

impl Error for PrCurveError {}

impl Summary {
    /// Adds a curve of precision over recall: TensorBoard shows it under *PR Curves*.
    #[must_use]
    pub fn pr_curve(self, tag: &str, curve: &PrCurve) -> Self {
        self.value(tag, |data| {
            let sizes = [curve.rows.len() / curve.thresholds, curve.thresholds];
            tensor::put(data, &sizes, &Elements::Floats(&curve.rows));
            let mut content = Vec::new();
            wire::put_integer(&mut content, NUM_THRESHOLDS, curve.thresholds as i64);
            tensor::put_plugin(data, "pr_curves", &content);
        })
    }
}

/// Field of `PrCurvePluginData`.
const NUM_THRESHOLDS: u8 = 2;
