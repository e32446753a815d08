//! Labelled examples in memory.

use ndarray::{Array2, Axis};

/// Examples with their classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    x: Array2<f32>,
    labels: Vec<u32>,
}

/// Examples and labels do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{examples} examples, but {labels} labels")]
pub struct DatasetError {
    /// Rows of x.
    pub examples: usize,
    /// Number of labels.
    pub labels: usize,
}

impl Dataset {
    /// A data set of the rows of `x` and the class of each.
    ///
    /// # Errors
    /// [`DatasetError`] where there are not as many labels as rows.
    pub fn new(x: Array2<f32>, labels: Vec<u32>) -> Result<Self, DatasetError> {
        if x.nrows() == labels.len() {
            return Ok(Self { x, labels });
        }
        Err(DatasetError {
            examples: x.nrows(),
            labels: labels.len(),
        })
    }

    /// The examples, one a row.
    #[must_use]
    pub fn x(&self) -> &Array2<f32> {
        &self.x
    }

    /// The class of each example.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Number of examples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no example.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The examples at `indices`, in that order.
    ///
    /// # Panics
    /// Where an index is not below [`Self::len`].
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let labels = indices.iter().map(|index| self.labels[*index]).collect();
        Self {
            x: self.x.select(Axis(0), indices),
            labels,
        }
    }

    /// (training set, test set): the test set is every example whose index is a multiple of
    /// `every`.
    ///
    /// # Panics
    /// Where `every` is 0.
    #[must_use]
    pub fn split_every(&self, every: usize) -> (Self, Self) {
        assert!(every > 0, "a split needs a positive interval");
        let (test, train): (Vec<_>, Vec<_>) =
            (0..self.len()).partition(|index| index.is_multiple_of(every));
        (self.select(&train), self.select(&test))
    }

    /// The same with every element of x multiplied by `factor`.
    #[must_use]
    pub fn scaled(self, factor: f32) -> Self {
        Self {
            x: self.x * factor,
            ..self
        }
    }
}
