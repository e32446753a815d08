//! Whether a network is as often right as it is sure.

use ndarray::ArrayView2;
use serde::Serialize;
use wgpu_linear::model::IGNORED;

use super::errors::{predicted_class, probabilities};

/// Bins of equal width between 0 and 1.
const BINS: usize = 10;

/// Answers of similar confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ConfidenceBin {
    /// The mean of the probabilities that the network gave its answers.
    pub confidence: f64,
    /// The share of these answers that are right.
    pub accuracy: f64,
    /// How many answers.
    pub count: u64,
}

/// The confidence of answers beside how often they are right (a reliability diagram; Guo et al.,
/// *On Calibration of Modern Neural Networks*, 2017).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Calibration {
    /// The bins that have answers, the least confident first.
    pub bins: Vec<ConfidenceBin>,
    /// Σ_bin count · |accuracy − confidence| / Σ_bin count.
    pub expected_error: f64,
}

/// The calibration of a network's logits, examples × classes; `None` without examples, and where a
/// confidence is not a number.
#[must_use]
pub fn calibration(logits: ArrayView2<'_, f32>, labels: &[u32]) -> Option<Calibration> {
    let mut sums = [(0.0, 0_u64, 0_u64); BINS];
    let known = |label: u32| label != IGNORED && (label as usize) < logits.ncols();
    let rows = logits.rows().into_iter().zip(labels);
    for (row, label) in rows.filter(|(_, label)| known(**label)) {
        let predicted = predicted_class(row, *label as usize);
        let confidence = probabilities(row)[predicted];
        if !confidence.is_finite() {
            return None;
        }
        let bin = ((confidence * BINS as f64) as usize).min(BINS - 1);
        let (sum, hits, count) = &mut sums[bin];
        *sum += confidence;
        *hits += u64::from(predicted == *label as usize);
        *count += 1;
    }
    let bins: Vec<_> = sums.into_iter().filter(|sum| sum.2 > 0).map(bin).collect();
    let total: u64 = bins.iter().map(|bin| bin.count).sum();
    let gaps = bins
        .iter()
        .map(|bin| bin.count as f64 * (bin.accuracy - bin.confidence).abs());
    let expected_error = gaps.sum::<f64>() / total as f64;
    (total > 0).then_some(Calibration {
        bins,
        expected_error,
    })
}

fn bin((confidences, hits, count): (f64, u64, u64)) -> ConfidenceBin {
    ConfidenceBin {
        confidence: confidences / count as f64,
        accuracy: hits as f64 / count as f64,
        count,
    }
}
