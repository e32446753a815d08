//! How well the outputs rank and weigh classes, beyond the largest of them.

use ndarray::{ArrayView1, ArrayView2, Axis};

use crate::model::IGNORED;

/// The mean of −log p_label over the examples, with p = softmax(t).
pub(super) fn log_loss(outputs: ArrayView2<'_, f32>, labels: &[u32]) -> f64 {
    let mut sum = 0.0;
    let mut count = 0.0;
    for (row, label) in known(outputs, labels) {
        let (largest, exponentials) = exponentials(row);
        sum += exponentials.ln() + largest - f64::from(row[label]);
        count += 1.0;
    }
    sum / count
}

/// The area below the curve of true against false positives: that of class 1 where there are two
/// classes; else the mean over the classes that have both examples and others, each against the
/// rest. NaN where there are none, and where an output is NaN.
pub(super) fn roc_auc(outputs: ArrayView2<'_, f32>, labels: &[u32]) -> f64 {
    let rows: Vec<_> = known(outputs, labels)
        .map(|(row, label)| (LogOdds::of(row), label))
        .collect();
    let first = usize::from(outputs.ncols() == 2);
    let areas = (first..outputs.ncols()).filter_map(|class| {
        let mut scores: Vec<_> = rows
            .iter()
            .map(|(row, label)| (row.class(class), *label == class))
            .collect();
        area(&mut scores)
    });
    let (sum, count) = areas.fold((0.0, 0.0), |(sum, n), area| (sum + area, n + 1.0));
    sum / count
}

/// The examples with a class, and that class.
fn known<'a>(
    outputs: ArrayView2<'a, f32>,
    labels: &'a [u32],
) -> impl Iterator<Item = (ArrayView1<'a, f32>, usize)> {
    let known = labels.iter().enumerate().filter(|(_, l)| **l != IGNORED);
    known.map(move |(example, label)| {
        let row = outputs.index_axis_move(Axis(0), example);
        (row, *label as usize)
    })
}

/// The share of the pairs of a positive and another example in which the positive has the larger
/// score, where a tie is half a pair: Mann and Whitney's U, divided by the number of pairs. `None`
/// where there are none.
fn area(scores: &mut [(f64, bool)]) -> Option<f64> {
    if scores.iter().any(|(score, _)| score.is_nan()) {
        return Some(f64::NAN);
    }
    scores.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut positives, mut others, mut twice) = (0_u64, 0_u64, 0_u128);
    for tied in scores.chunk_by(|a, b| a.0 == b.0) {
        let here = tied.iter().filter(|(_, is_positive)| *is_positive).count() as u64;
        let others_here = tied.len() as u64 - here;
        twice += u128::from(here) * u128::from(2 * others + others_here);
        positives += here;
        others += others_here;
    }
    let pairs = u128::from(positives) * u128::from(others);
    (pairs > 0).then(|| twice as f64 / (2 * pairs) as f64)
}

/// What log(p / (1 − p)) of every class follows from: it ranks as the probability p does, and does
/// not saturate where p is near 1.
struct LogOdds<'a> {
    row: ArrayView1<'a, f32>,
    /// The class of the largest output, and its log-odds.
    top: (usize, f64),
    largest: f64,
    /// Σ exp(t − largest).
    exponentials: f64,
}

impl<'a> LogOdds<'a> {
    fn of(row: ArrayView1<'a, f32>) -> Self {
        let (largest, exponentials) = self::exponentials(row);
        let top = row.iter().position(|t| f64::from(*t) == largest);
        let top = top.unwrap_or(0);
        let others = row.iter().enumerate().filter(|(class, _)| *class != top);
        let others = others.map(|(_, t)| f64::from(*t));
        let second = others.clone().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = others.map(|t| (t - second).exp()).sum();
        Self {
            row,
            top: (top, largest - second - sum.ln()),
            largest,
            exponentials,
        }
    }

    /// t_class − log Σ exp t over the other classes.
    fn class(&self, class: usize) -> f64 {
        if class == self.top.0 {
            return self.top.1;
        }
        // At most half of the sum is taken away, so nothing cancels.
        let t = f64::from(self.row[class]) - self.largest;
        t - (self.exponentials - t.exp()).ln()
    }
}

/// (largest, Σ exp(t − largest)); NaN where an output is.
fn exponentials(row: ArrayView1<'_, f32>) -> (f64, f64) {
    let values = row.iter().map(|t| f64::from(*t));
    let largest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    (largest, values.map(|t| (t - largest).exp()).sum())
}
