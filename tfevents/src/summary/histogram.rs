//! Histograms of values that spread over many orders of magnitude, such as weights and gradients.

use std::error::Error;
use std::fmt;

use super::edges::{self, EDGES, EDGES_F32};
use super::{Summary, wire};

/// How often values fall into buckets whose widths grow with their distance from 0.
///
/// Bucket *i* counts the values with `edges[i] <= value < edges[i + 1]`. There are 1548 of them in
/// the format of TensorFlow: the edges are 0 and ±10⁻¹²·1.1ⁿ below 10²⁰. What lies outside is
/// counted in the first or the last bucket (`PyTorch` leaves it out). NaN and infinite values are
/// counted apart and are in no bucket, minimum, maximum or sum.
///
/// ```
/// use tfevents::Histogram;
///
/// let histogram = Histogram::of([0.5_f32, -2.0, 0.5, f32::NAN]);
/// assert_eq!((histogram.num(), histogram.non_finite()), (3, 1));
/// assert_eq!((histogram.min(), histogram.max(), histogram.sum()), (-2.0, 0.5, -1.0));
/// assert_eq!(histogram.buckets()[Histogram::bucket_of(0.5)], 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    min: f64,
    max: f64,
    num: u64,
    sum: f64,
    sum_squares: f64,
    buckets: Vec<u64>,
    non_finite: u64,
}

impl Histogram {
    /// Number of buckets: one less than there are [edges](Self::edges).
    pub const BUCKETS: usize = edges::COUNT - 1;

    /// The edges between buckets, ascending: `BUCKETS + 1` values, equal to those of `PyTorch` bit
    /// for bit.
    #[must_use]
    pub fn edges() -> &'static [f64] {
        &EDGES
    }

    /// For each of the [edges](Self::edges) the smallest `f32` that is not below it.
    ///
    /// They divide `f32` values into the same buckets, and need no `f64`, which shaders do not
    /// have.
    #[must_use]
    pub fn edges_f32() -> &'static [f32] {
        &EDGES_F32
    }

    /// The bucket of a value: what is below the first edge is in the first bucket, what is above
    /// the last edge in the last one.
    ///
    /// NaN and infinities have no bucket; for these the result means nothing.
    #[must_use]
    pub fn bucket_of(value: f64) -> usize {
        let edges_not_above = EDGES.partition_point(|edge| *edge <= value);
        edges_not_above.saturating_sub(1).min(Self::BUCKETS - 1)
    }

    /// The histogram of `values`. Sums are taken in `f64`, in the order of the values.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = impl Into<f64>>) -> Self {
        let mut histogram = Self::empty();
        for value in values {
            histogram.count(value.into());
        }
        histogram.normalized()
    }

    /// The histogram of values that were counted elsewhere, in the buckets between
    /// [edges](Self::edges).
    ///
    /// `min`, `max`, `sum` and `sum_squares` are those of the values in `counts`; where there are
    /// none, they are taken as 0.
    ///
    /// ```
    /// use tfevents::Histogram;
    ///
    /// let mut counts = vec![0; Histogram::BUCKETS];
    /// counts[Histogram::bucket_of(0.5)] = 2;
    /// let histogram = Histogram::from_buckets(0.5, 0.5, 1.0, 0.5, &counts, 0)?;
    /// assert_eq!(histogram, Histogram::of([0.5, 0.5]));
    /// # Ok::<(), tfevents::HistogramError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// * [`HistogramError::Buckets`]: there are not [`BUCKETS`](Self::BUCKETS) counts.
    /// * [`HistogramError::NotFinite`]: one of the statistics is NaN or infinite.
    /// * [`HistogramError::Order`]: the minimum is above the maximum.
    pub fn from_buckets(
        min: f64,
        max: f64,
        sum: f64,
        sum_squares: f64,
        counts: &[u64],
        non_finite: u64,
    ) -> Result<Self, HistogramError> {
        if counts.len() != Self::BUCKETS {
            return Err(HistogramError::Buckets {
                counts: counts.len(),
            });
        }
        let num = counts.iter().fold(0_u64, |num, n| num.saturating_add(*n));
        if num == 0 {
            return Ok(Self {
                non_finite,
                ..Self::empty().normalized()
            });
        }
        check_statistics(min, max, sum, sum_squares)?;
        Ok(Self {
            min,
            max,
            num,
            sum,
            sum_squares,
            buckets: counts.to_vec(),
            non_finite,
        })
    }

    /// The least finite value; 0 where there is none.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.min
    }

    /// The greatest finite value; 0 where there is none.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.max
    }

    /// How many finite values there are.
    #[must_use]
    pub fn num(&self) -> u64 {
        self.num
    }

    /// Σ v of the finite values.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Σ v² of the finite values.
    #[must_use]
    pub fn sum_squares(&self) -> f64 {
        self.sum_squares
    }

    /// How many values are in each bucket: [`BUCKETS`](Self::BUCKETS) counts.
    #[must_use]
    pub fn buckets(&self) -> &[u64] {
        &self.buckets
    }

    /// How many values were NaN or infinite. The format has no place for them; give them a curve of
    /// their own.
    #[must_use]
    pub fn non_finite(&self) -> u64 {
        self.non_finite
    }

    /// The neutral elements of minimum, maximum and sum.
    pub(crate) fn empty() -> Self {
        Self {
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            num: 0,
            sum: 0.0,
            sum_squares: 0.0,
            buckets: vec![0; Self::BUCKETS],
            non_finite: 0,
        }
    }

    pub(crate) fn count(&mut self, value: f64) {
        if !value.is_finite() {
            self.non_finite += 1;
            return;
        }
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.num += 1;
        self.sum += value;
        self.sum_squares += value * value;
        self.buckets[Self::bucket_of(value)] += 1;
    }

    pub(crate) fn normalized(mut self) -> Self {
        if self.num == 0 {
            (self.min, self.max) = (0.0, 0.0);
        }
        self
    }

    /// The buckets that TensorBoard needs: those between the first and the last that are not empty,
    /// and an empty one before them, since a bucket is stored with its upper limit only.
    ///
    /// TensorBoard takes minimum and maximum for the outer limits, and cannot read a histogram
    /// without any bucket. One that has no values is stored as one empty bucket.
    fn stored(&self) -> (&[f64], Vec<f64>) {
        let filled = |count: &u64| *count > 0;
        let Some(first) = self.buckets.iter().position(filled) else {
            return (&[0.0], vec![0.0]);
        };
        let last = self.buckets.iter().rposition(filled).unwrap_or(first);
        let counts = self.buckets[first..=last].iter().map(|count| *count as f64);
        (
            &EDGES[first..last + 2],
            std::iter::once(0.0).chain(counts).collect(),
        )
    }
}

/// The numbers do not describe a histogram.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum HistogramError {
    /// There are too many or too few counts.
    Buckets {
        /// How many counts there are.
        counts: usize,
    },
    /// A statistic is NaN or infinite.
    NotFinite {
        /// Name of the argument.
        statistic: &'static str,
        /// Its value.
        value: f64,
    },
    /// The minimum is above the maximum.
    Order {
        /// The minimum.
        min: f64,
        /// The maximum.
        max: f64,
    },
}

impl fmt::Display for HistogramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buckets { counts } => {
                let buckets = Histogram::BUCKETS;
                write!(f, "{counts} counts where a histogram has {buckets} buckets")
            }
            Self::NotFinite { statistic, value } => write!(f, "`{statistic}` is {value}"),
            Self::Order { min, max } => {
                write!(f, "the minimum {min} is above the maximum {max}")
            }
        }
    }
}

impl Error for HistogramError {}

fn check_statistics(min: f64, max: f64, sum: f64, sum_squares: f64) -> Result<(), HistogramError> {
    let named = [
        ("min", min),
        ("max", max),
        ("sum", sum),
        ("sum_squares", sum_squares),
    ];
    for (statistic, value) in named {
        if !value.is_finite() {
            return Err(HistogramError::NotFinite { statistic, value });
        }
    }
    if min > max {
        return Err(HistogramError::Order { min, max });
    }
    Ok(())
}

impl Summary {
    /// Adds a histogram: TensorBoard shows it under *Histograms* and *Distributions*.
    ///
    /// An empty histogram is kept: it is shown as one bucket at 0 that counts nothing.
    ///
    /// ```
    /// use tfevents::{Histogram, Summary};
    ///
    /// let weights = [0.25_f32, -0.5, 1.0];
    /// let summary = Summary::new().histogram("layer1/w", &Histogram::of(weights));
    /// ```
    #[must_use]
    pub fn histogram(self, tag: &str, histogram: &Histogram) -> Self {
        self.value(tag, |data| {
            wire::put_message(data, HISTO, |data| put_histogram(data, histogram));
        })
    }
}

fn put_histogram(data: &mut Vec<u8>, histogram: &Histogram) {
    let (limits, counts) = histogram.stored();
    wire::put_f64_unless_zero(data, MIN, histogram.min);
    wire::put_f64_unless_zero(data, MAX, histogram.max);
    wire::put_f64_unless_zero(data, NUM, histogram.num as f64);
    wire::put_f64_unless_zero(data, SUM, histogram.sum);
    wire::put_f64_unless_zero(data, SUM_SQUARES, histogram.sum_squares);
    wire::put_packed_f64(data, BUCKET_LIMIT, limits);
    wire::put_packed_f64(data, BUCKET, &counts);
}

/// Field of `Summary.Value`.
const HISTO: u8 = 5;
/// Fields of `HistogramProto`.
const MIN: u8 = 1;
const MAX: u8 = 2;
const NUM: u8 = 3;
const SUM: u8 = 4;
const SUM_SQUARES: u8 = 5;
const BUCKET_LIMIT: u8 = 6;
const BUCKET: u8 = 7;
