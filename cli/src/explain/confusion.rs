//! Which classes are taken for which.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ndarray::ArrayView2;
use serde::Serialize;
use wgpu_linear::model::IGNORED;

use super::errors::predicted_class;

/// How many examples of one class were taken for one class, be it another or the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Confused {
    /// The class that is right.
    pub actual: usize,
    /// The class that the network answered.
    pub predicted: usize,
    /// How many examples; never 0.
    pub count: u64,
}

/// Counts of examples by true and predicted class. Pairs that never occur are left out, so that
/// thousands of classes do not fill the memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Number of classes.
    pub classes: usize,
    /// The pairs that occur, by true class, then by predicted class.
    pub cells: Vec<Confused>,
}

/// How well one class is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClassScores {
    /// The share of the examples given this answer that are of this class; `None` where the answer
    /// was never given.
    pub precision: Option<f64>,
    /// The share of the examples of this class that were given this answer; `None` where there are
    /// none.
    pub recall: Option<f64>,
    /// 2 · precision · recall / (precision + recall), that is 2 · hits / (examples + answers);
    /// `None` where there are neither.
    pub f1: Option<f64>,
    /// Examples of this class.
    pub support: u64,
}

impl Confusion {
    /// Counts pairs of (true class, predicted class), each below `classes`.
    #[must_use]
    pub fn of_pairs(classes: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut counts = BTreeMap::new();
        for pair in pairs {
            *counts.entry(pair).or_insert(0_u64) += 1;
        }
        let cell = |((actual, predicted), count)| Confused {
            actual,
            predicted,
            count,
        };
        Self {
            classes,
            cells: counts.into_iter().map(cell).collect(),
        }
    }

    /// Of the outputs of a network, examples × classes, and the classes that are right, as the
    /// accuracy counts them.
    ///
    /// ```
    /// use ndarray::array;
    /// use wgpu_linear_cli::explain::Confusion;
    ///
    /// let outputs = array![[2.0, 1.0], [0.0, 1.0], [3.0, 1.0]];
    /// let confusion = Confusion::of(outputs.view(), &[0, 1, 1]);
    /// assert_eq!((confusion.total(), confusion.hits()), (3, 2));
    /// assert_eq!(confusion.count(1, 0), 1);
    /// ```
    #[must_use]
    pub fn of(outputs: ArrayView2<'_, f32>, labels: &[u32]) -> Self {
        let classes = outputs.ncols();
        let known = |label: u32| label != IGNORED && (label as usize) < classes;
        let rows = outputs.rows().into_iter().zip(labels);
        let pairs = rows
            .filter(|(_, label)| known(**label))
            .map(|(row, label)| (*label as usize, predicted_class(row, *label as usize)));
        Self::of_pairs(classes, pairs)
    }

    /// A full matrix of counts, true classes downwards, without its zeros.
    #[must_use]
    pub fn of_counts(counts: ArrayView2<'_, u64>) -> Self {
        let cell = |((actual, predicted), count): ((usize, usize), &u64)| Confused {
            actual,
            predicted,
            count: *count,
        };
        let cells = counts.indexed_iter().map(cell);
        Self {
            classes: counts.nrows(),
            cells: cells.filter(|cell| cell.count > 0).collect(),
        }
    }

    /// How many examples of class `actual` were taken for `predicted`.
    #[must_use]
    pub fn count(&self, actual: usize, predicted: usize) -> u64 {
        let place = |cell: &Confused| (cell.actual, cell.predicted);
        let found = self
            .cells
            .binary_search_by_key(&(actual, predicted), place)
            .ok();
        found.map_or(0, |index| self.cells[index].count)
    }

    /// All examples.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.cells.iter().map(|cell| cell.count).sum()
    }

    /// Examples whose class was recognised.
    #[must_use]
    pub fn hits(&self) -> u64 {
        let hits = self.cells.iter().filter(|c| c.actual == c.predicted);
        hits.map(|cell| cell.count).sum()
    }

    /// Precision, recall, F1 and support of each class.
    #[must_use]
    pub fn scores(&self) -> Vec<ClassScores> {
        let mut sums = vec![[0_u64; 3]; self.classes];
        for cell in &self.cells {
            sums[cell.actual][0] += cell.count;
            sums[cell.predicted][1] += cell.count;
            if cell.actual == cell.predicted {
                sums[cell.actual][2] += cell.count;
            }
        }
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let scores = |[support, answers, hits]: [u64; 3]| ClassScores {
            precision: share(hits, answers),
            recall: share(hits, support),
            f1: share(2 * hits, support + answers),
            support,
        };
        sums.into_iter().map(scores).collect()
    }
}

/// The `n` most frequent mistakes, the most frequent first; equally frequent ones in the order of
/// the classes.
///
/// ```
/// use wgpu_linear_cli::explain::{Confusion, top_confusions};
///
/// let confusion = Confusion::of_pairs(3, [(0, 0), (0, 1), (2, 1), (2, 1)]);
/// let worst = top_confusions(&confusion, 1);
/// assert_eq!((worst[0].actual, worst[0].predicted, worst[0].count), (2, 1, 2));
/// ```
#[must_use]
pub fn top_confusions(confusion: &Confusion, n: usize) -> Vec<Confused> {
    let mistakes = confusion.cells.iter().filter(|c| c.actual != c.predicted);
    let mut mistakes: Vec<Confused> = mistakes.copied().collect();
    // The sort is stable.
    mistakes.sort_by_key(|cell| Reverse(cell.count));
    mistakes.truncate(n);
    mistakes
}
