//! Which classes a model takes for which.

use ndarray::{Array2, ArrayView2, Axis};

use super::class_counts::{
    ClassCounts, ClassScores, accuracy, balanced_accuracy, macro_mean, pairs, weighted_mean,
};
use crate::model::{IGNORED, ModelError};

/// Counts of examples by true class (rows) and predicted class (columns), with the scores that
/// follow from them as scikit-learn defines them.
///
/// A class is predicted where its output is the largest; in a tie, and next to a NaN, it is a wrong
/// one. Examples that are [`IGNORED`] are passed over.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::train::ConfusionMatrix;
///
/// let outputs = array![[2.0, 1.0], [0.0, 3.0], [0.5, 0.0], [0.1, 0.2]];
/// let confusion = ConfusionMatrix::new(outputs.view(), &[0, 0, 0, 1])?;
/// assert_eq!(confusion.counts(), &array![[2, 1], [0, 1]]);
/// assert_eq!((confusion.accuracy(), confusion.support(0)), (0.75, 3));
/// assert_eq!(confusion.scores(1).precision, 0.5);
/// # Ok::<(), wgpu_linear::model::ModelError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ConfusionMatrix {
    counts: Array2<u64>,
}

impl ConfusionMatrix {
    /// Of `outputs`, examples × classes, and the class of each. It takes 8 bytes for each pair of
    /// classes.
    ///
    /// # Errors
    /// [`ModelError::Shape`] where there are not as many labels as rows, [`ModelError::Class`] where
    /// a label is neither a column nor [`IGNORED`].
    pub fn new(outputs: ArrayView2<'_, f32>, labels: &[u32]) -> Result<Self, ModelError> {
        let (examples, classes) = outputs.dim();
        if labels.len() != examples {
            return Err(ModelError::Shape {
                what: "classes",
                expected: [1, examples],
                actual: [1, labels.len()],
            });
        }
        let is_wrong = |label: &u32| *label as usize >= classes && *label != IGNORED;
        if let Some(example) = labels.iter().position(is_wrong) {
            let class = labels[example];
            return Err(ModelError::Class {
                example,
                class,
                classes,
            });
        }
        let mut counts = Array2::zeros((classes, classes));
        for pair in pairs(outputs, labels) {
            counts[pair] += 1;
        }
        Ok(Self { counts })
    }

    /// The counts: true class downwards, predicted class to the right.
    #[must_use]
    pub fn counts(&self) -> &Array2<u64> {
        &self.counts
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.counts.nrows()
    }

    /// Number of examples of a class.
    ///
    /// # Panics
    /// Where there is no such class.
    #[must_use]
    pub fn support(&self, class: usize) -> u64 {
        self.counts.row(class).sum()
    }

    /// How well a class is told from the others.
    ///
    /// # Panics
    /// Where there is no such class.
    #[must_use]
    pub fn scores(&self, class: usize) -> ClassScores {
        self.class(class).scores()
    }

    /// [`ClassScores::precision`] of a class.
    ///
    /// # Panics
    /// Where there is no such class.
    #[must_use]
    pub fn precision(&self, class: usize) -> f64 {
        self.scores(class).precision
    }

    /// [`ClassScores::recall`] of a class.
    ///
    /// # Panics
    /// Where there is no such class.
    #[must_use]
    pub fn recall(&self, class: usize) -> f64 {
        self.scores(class).recall
    }

    /// [`ClassScores::f1`] of a class.
    ///
    /// # Panics
    /// Where there is no such class.
    #[must_use]
    pub fn f1(&self, class: usize) -> f64 {
        self.scores(class).f1
    }

    /// The mean of [`Self::scores`] over the classes that occur or are predicted, each with the same
    /// weight; NaN without examples.
    #[must_use]
    pub fn macro_mean(&self) -> ClassScores {
        macro_mean(&self.all())
    }

    /// The mean of [`Self::scores`], each class with the weight of its examples; NaN without any.
    #[must_use]
    pub fn weighted_mean(&self) -> ClassScores {
        weighted_mean(&self.all())
    }

    /// The share of the examples that are taken for their class; NaN without any.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        accuracy(&self.all())
    }

    /// The mean recall of the classes that have examples; NaN without any.
    #[must_use]
    pub fn balanced_accuracy(&self) -> f64 {
        balanced_accuracy(&self.all())
    }

    fn class(&self, class: usize) -> ClassCounts {
        ClassCounts {
            support: self.support(class),
            predicted: self.counts.column(class).sum(),
            hits: self.counts[[class, class]],
        }
    }

    fn all(&self) -> Vec<ClassCounts> {
        let predicted = self.counts.sum_axis(Axis(0));
        let support = self.counts.sum_axis(Axis(1));
        let classes = support.iter().zip(predicted).zip(self.counts.diag());
        let counts = classes.map(|((support, predicted), hits)| ClassCounts {
            support: *support,
            predicted,
            hits: *hits,
        });
        counts.collect()
    }
}
