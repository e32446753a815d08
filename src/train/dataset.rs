//! Examples in memory, with what they should come out as.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, s};

use super::split::{split_off, split_rows, taken_at_random, taken_by_class};
use crate::model::{TargetKind, Targets};

/// Examples with their classes, or with the values that a model should give for them.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::train::Dataset;
///
/// let x = array![[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]];
/// let classes = Dataset::new(x.clone(), vec![0, 1, 1])?;
/// assert_eq!(classes.labels(), [0, 1, 1]);
/// let values = Dataset::with_values(x, array![[0.5], [1.5], [2.5]])?;
/// assert_eq!(values.values(), Some(&array![[0.5], [1.5], [2.5]]));
/// # Ok::<(), wgpu_linear::train::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    x: Array2<f32>,
    wanted: Wanted,
}

#[derive(Clone, Debug, PartialEq)]
enum Wanted {
    Classes(Vec<u32>),
    Values(Array2<f32>),
}

/// Examples and targets do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{examples} examples, but {targets} targets")]
pub struct DatasetError {
    /// Rows of x.
    pub examples: usize,
    /// Number of labels, or rows of y.
    pub targets: usize,
}

impl Dataset {
    /// A data set of the rows of `x` and the class of each.
    ///
    /// # Errors
    /// [`DatasetError`] where there are not as many labels as rows.
    pub fn new(x: Array2<f32>, labels: Vec<u32>) -> Result<Self, DatasetError> {
        let targets = labels.len();
        Self::of(x, Wanted::Classes(labels), targets)
    }

    /// A data set of the rows of `x` and the values wanted for each: `y`, examples × outputs.
    ///
    /// # Errors
    /// [`DatasetError`] where `y` has not as many rows as `x`.
    pub fn with_values(x: Array2<f32>, y: Array2<f32>) -> Result<Self, DatasetError> {
        let targets = y.nrows();
        Self::of(x, Wanted::Values(y), targets)
    }

    fn of(x: Array2<f32>, wanted: Wanted, targets: usize) -> Result<Self, DatasetError> {
        let examples = x.nrows();
        if examples == targets {
            Ok(Self { x, wanted })
        } else {
            Err(DatasetError { examples, targets })
        }
    }

    /// The examples, one a row.
    #[must_use]
    pub fn x(&self) -> &Array2<f32> {
        &self.x
    }

    /// The class of each example; none where the data set has values.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        match &self.wanted {
            Wanted::Classes(labels) => labels,
            Wanted::Values(_) => &[],
        }
    }

    /// The values wanted, examples × outputs; `None` where the data set has classes.
    #[must_use]
    pub fn values(&self) -> Option<&Array2<f32>> {
        match &self.wanted {
            Wanted::Classes(_) => None,
            Wanted::Values(y) => Some(y),
        }
    }

    /// The classes or the values, as a model takes them.
    #[must_use]
    pub fn targets(&self) -> Targets<'_> {
        match &self.wanted {
            Wanted::Classes(labels) => Targets::Classes(labels),
            Wanted::Values(y) => Targets::Values(y.view()),
        }
    }

    /// Whether it has classes or values.
    #[must_use]
    pub fn kind(&self) -> TargetKind {
        match &self.wanted {
            Wanted::Classes(_) => TargetKind::Classes,
            Wanted::Values(_) => TargetKind::Values,
        }
    }

    /// [`Self::targets`] of some examples, with what belongs to the same rows of `outputs`.
    pub(super) fn part<'a>(
        &'a self,
        outputs: ArrayView2<'a, f32>,
        rows: Range<usize>,
    ) -> (ArrayView2<'a, f32>, Targets<'a>) {
        let targets = match &self.wanted {
            Wanted::Classes(labels) => Targets::Classes(&labels[rows.clone()]),
            Wanted::Values(y) => Targets::Values(y.slice(s![rows.clone(), ..])),
        };
        (outputs.slice_move(s![rows, ..]), targets)
    }

    /// Number of examples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.x.nrows()
    }

    /// Whether there is no example.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The examples at `indices`, in that order.
    ///
    /// # Panics
    /// Where an index is not below [`Self::len`].
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let wanted = match &self.wanted {
            Wanted::Classes(labels) => {
                Wanted::Classes(indices.iter().map(|index| labels[*index]).collect())
            }
            Wanted::Values(y) => Wanted::Values(y.select(Axis(0), indices)),
        };
        Self {
            x: self.x.select(Axis(0), indices),
            wanted,
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
        self.split_where(|index| index.is_multiple_of(every))
    }

    /// (the rest, a part of the examples): each example is as likely in the part as any other, the
    /// same ones for the same `seed`, and both keep their order. The part has `share` of the
    /// examples, rounded to a whole number.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use wgpu_linear::train::Dataset;
    ///
    /// let all = Dataset::new(Array2::zeros((100, 3)), vec![0; 100])?;
    /// let (rest, test) = all.split_random(0.2, 1);
    /// let (train, validation) = rest.split_random(0.25, 2);
    /// assert_eq!([train.len(), validation.len(), test.len()], [60, 20, 20]);
    /// # Ok::<(), wgpu_linear::train::DatasetError>(())
    /// ```
    ///
    /// # Panics
    /// Where `share` is not within 0 and 1.
    #[must_use]
    pub fn split_random(&self, share: f64, seed: u64) -> (Self, Self) {
        let is_taken = taken_at_random(self.len(), share, seed);
        self.split_where(|index| is_taken[index])
    }

    /// [`Self::split_random`], where each class has the same share of both as far as whole numbers
    /// allow: the part has `share` of each class, rounded down, and one more example of those
    /// classes that lose most by rounding. A class with one example goes to the rest. Values are
    /// split as by [`Self::split_random`].
    ///
    /// ```
    /// use ndarray::Array2;
    /// use wgpu_linear::train::Dataset;
    ///
    /// let labels = (0..100).map(|i| u32::from(i % 10 == 0)).collect();
    /// let all = Dataset::new(Array2::zeros((100, 3)), labels)?;
    /// let (rest, test) = all.split_stratified(0.2, 1);
    /// let rare = |set: &Dataset| set.labels().iter().filter(|label| **label == 1).count();
    /// assert_eq!([rare(&rest), rest.len(), rare(&test), test.len()], [8, 80, 2, 20]);
    /// # Ok::<(), wgpu_linear::train::DatasetError>(())
    /// ```
    ///
    /// # Panics
    /// Where `share` is not within 0 and 1.
    #[must_use]
    pub fn split_stratified(&self, share: f64, seed: u64) -> (Self, Self) {
        let is_taken = self.stratified(share, seed);
        self.split_where(|index| is_taken[index])
    }

    fn stratified(&self, share: f64, seed: u64) -> Vec<bool> {
        match &self.wanted {
            Wanted::Classes(labels) => taken_by_class(labels, share, seed),
            Wanted::Values(_) => taken_at_random(self.len(), share, seed),
        }
    }

    /// (the others, those of whose index it is true), without ever holding the data twice: the rest
    /// moves together where it is, and what is taken is all that is copied.
    ///
    /// Beside the data it takes the memory of the part that is taken, and a byte for each example;
    /// splits at random take an index for each as well. Arrays that are not in row-major order are
    /// brought into it first, which takes a copy.
    ///
    /// ```
    /// use ndarray::array;
    /// use wgpu_linear::train::Dataset;
    ///
    /// let all = Dataset::new(array![[0.0], [1.0], [2.0], [3.0]], vec![7, 8, 9, 10])?;
    /// let (train, test) = all.into_split(|index| index == 1);
    /// assert_eq!((train.labels(), test.labels()), (&[7, 9, 10][..], &[8][..]));
    /// # Ok::<(), wgpu_linear::train::DatasetError>(())
    /// ```
    #[must_use]
    pub fn into_split(self, is_taken: impl Fn(usize) -> bool) -> (Self, Self) {
        let is_taken: Vec<_> = (0..self.len()).map(is_taken).collect();
        self.into_parts(&is_taken)
    }

    /// [`Self::split_random`] in the way of [`Self::into_split`].
    ///
    /// # Panics
    /// Where `share` is not within 0 and 1.
    #[must_use]
    pub fn into_split_random(self, share: f64, seed: u64) -> (Self, Self) {
        let is_taken = taken_at_random(self.len(), share, seed);
        self.into_parts(&is_taken)
    }

    /// [`Self::split_stratified`] in the way of [`Self::into_split`].
    ///
    /// # Panics
    /// Where `share` is not within 0 and 1.
    #[must_use]
    pub fn into_split_stratified(self, share: f64, seed: u64) -> (Self, Self) {
        let is_taken = self.stratified(share, seed);
        self.into_parts(&is_taken)
    }

    fn into_parts(self, is_taken: &[bool]) -> (Self, Self) {
        let (rest, taken) = match self.wanted {
            Wanted::Classes(mut labels) => {
                let taken = split_off(&mut labels, 1, is_taken);
                (Wanted::Classes(labels), Wanted::Classes(taken))
            }
            Wanted::Values(y) => {
                let (rest, taken) = split_rows(y, is_taken);
                (Wanted::Values(rest), Wanted::Values(taken))
            }
        };
        let (x, taken_x) = split_rows(self.x, is_taken);
        let part = |x, wanted| Self { x, wanted };
        (part(x, rest), part(taken_x, taken))
    }

    /// (the others, those of whose index it is true).
    fn split_where(&self, is_taken: impl Fn(usize) -> bool) -> (Self, Self) {
        let (taken, rest): (Vec<_>, Vec<_>) = (0..self.len()).partition(|index| is_taken(*index));
        (self.select(&rest), self.select(&taken))
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
