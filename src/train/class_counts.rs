//! How often each class is meant, predicted and hit, and what follows from that.

use ndarray::{ArrayView1, ArrayView2};

use crate::model::IGNORED;

/// The class that a row of outputs stands for, given the right one: that of the largest output. In
/// a tie, and next to a NaN, it is a wrong one.
pub(super) fn predicted(row: ArrayView1<'_, f32>, label: usize) -> usize {
    let mut wrong: Option<(usize, f32)> = None;
    for (class, value) in row.iter().copied().enumerate() {
        let beats = |(_, best): (usize, f32)| value.is_nan() || value > best;
        if class != label && wrong.is_none_or(beats) {
            wrong = Some((class, value));
        }
    }
    // Strictly larger: next to a NaN, on either side, nothing is.
    let is_hit = wrong.is_none_or(|(_, value)| row[label] > value);
    wrong.filter(|_| !is_hit).map_or(label, |(class, _)| class)
}

/// The true and the predicted class of each example that has one.
pub(super) fn pairs<'a>(
    outputs: ArrayView2<'a, f32>,
    labels: &'a [u32],
) -> impl Iterator<Item = (usize, usize)> + 'a {
    let known = labels.iter().enumerate().filter(|(_, l)| **l != IGNORED);
    known.map(move |(example, label)| {
        let label = *label as usize;
        (label, predicted(outputs.row(example), label))
    })
}

/// How often a class is meant, predicted, and both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ClassCounts {
    pub(super) support: u64,
    pub(super) predicted: u64,
    pub(super) hits: u64,
}

impl ClassCounts {
    /// Of every class.
    pub(super) fn of(outputs: ArrayView2<'_, f32>, labels: &[u32]) -> Vec<Self> {
        let mut counts = vec![Self::default(); outputs.ncols()];
        for (label, predicted) in pairs(outputs, labels) {
            counts[label].support += 1;
            counts[predicted].predicted += 1;
            counts[label].hits += u64::from(label == predicted);
        }
        counts
    }

    pub(super) fn scores(self) -> ClassScores {
        ClassScores {
            precision: share(self.hits, self.predicted),
            recall: share(self.hits, self.support),
            f1: share(2 * self.hits, self.predicted + self.support),
        }
    }

    fn occurs(self) -> bool {
        self.predicted + self.support > 0
    }
}

/// 0 where there is nothing to have a share of.
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// How well a class is told from the others, or classes on average.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassScores {
    /// Of the examples taken for the class, the share that are of it; 0 where none are taken for
    /// it.
    pub precision: f64,
    /// Of the examples of the class, the share that are taken for it; 0 where there are none.
    pub recall: f64,
    /// The harmonic mean of precision and recall, 2 · hits / (predicted + support); 0 where the
    /// class neither occurs nor is predicted.
    pub f1: f64,
}

impl ClassScores {
    fn mean(classes: impl Iterator<Item = (f64, ClassCounts)>) -> Self {
        let mut sums = [0.0; 4];
        for (weight, counts) in classes {
            let Self {
                precision,
                recall,
                f1,
            } = counts.scores();
            let terms = [precision, recall, f1, 1.0];
            for (sum, term) in sums.iter_mut().zip(terms) {
                *sum += weight * term;
            }
        }
        let [precision, recall, f1, weight] = sums;
        Self {
            precision: precision / weight,
            recall: recall / weight,
            f1: f1 / weight,
        }
    }
}

/// The mean over the classes that occur or are predicted; NaN without any.
pub(super) fn macro_mean(classes: &[ClassCounts]) -> ClassScores {
    let occurring = classes.iter().filter(|counts| counts.occurs());
    ClassScores::mean(occurring.map(|counts| (1.0, *counts)))
}

/// The mean over classes, each with the weight of its examples; NaN without any.
pub(super) fn weighted_mean(classes: &[ClassCounts]) -> ClassScores {
    ClassScores::mean(
        classes
            .iter()
            .map(|counts| (counts.support as f64, *counts)),
    )
}

/// The share of the examples that are hits; NaN without any.
pub(super) fn accuracy(classes: &[ClassCounts]) -> f64 {
    let sum = |of: fn(&ClassCounts) -> u64| classes.iter().map(of).sum::<u64>() as f64;
    sum(|counts| counts.hits) / sum(|counts| counts.support)
}

/// The mean recall of the classes that have examples; NaN without any.
pub(super) fn balanced_accuracy(classes: &[ClassCounts]) -> f64 {
    let with_examples = classes.iter().filter(|counts| counts.support > 0);
    ClassScores::mean(with_examples.map(|counts| (1.0, *counts))).recall
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn predicted_takes_ties_and_nan_for_misses() {
        let logits = array![
            [1.0, 2.0, 0.0],
            [2.0, 2.0, 0.0],
            [f32::NAN, 2.0, 3.0],
            [3.0, f32::NAN, 1.0],
            [f32::NAN, 1.0, 2.0],
            [0.0, 1.0, f32::INFINITY],
            [3.0, 1.0, f32::NAN],
        ];
        let labels = [1, 1, 1, 0, 0, 2, 0];
        let classes: Vec<_> = logits
            .rows()
            .into_iter()
            .zip(labels)
            .map(|(row, label)| predicted(row, label))
            .collect();
        assert_eq!(classes, [1, 0, 0, 1, 2, 2, 2]);
        assert_eq!(predicted(array![7.0].view(), 0), 0);
    }
}
