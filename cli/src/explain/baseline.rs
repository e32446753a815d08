//! What can be had without a network.

use ndarray::{ArrayView2, Axis};

/// The answer that is always the same: the most frequent class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MostFrequent {
    /// The class that is most frequent in training; of several, the first.
    pub class: usize,
    /// The share of the other set that has this class.
    pub accuracy: f64,
}

/// How often the most frequent class of the training labels is right for `labels`; `None` where
/// either is empty.
///
/// ```
/// use wgpu_linear_cli::explain::most_frequent;
///
/// let baseline = most_frequent(&[0, 1, 1], &[1, 0, 0, 0]).ok_or("empty")?;
/// assert_eq!((baseline.class, baseline.accuracy), (1, 0.25));
/// # Ok::<(), &str>(())
/// ```
#[must_use]
pub fn most_frequent(train: &[u32], labels: &[u32]) -> Option<MostFrequent> {
    let largest = *train.iter().max()? as usize;
    let mut counts = vec![0_u64; largest + 1];
    for label in train {
        counts[*label as usize] += 1;
    }
    let most = counts.iter().max()?;
    let class = counts.iter().position(|count| count == most)?;
    if labels.is_empty() {
        return None;
    }
    let hits = labels.iter().filter(|label| **label as usize == class);
    let accuracy = hits.count() as f64 / labels.len() as f64;
    Some(MostFrequent { class, accuracy })
}

/// The answer that is always the same: the mean of the training values, for each output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanBaseline {
    /// Σ_ij |ȳ_j − y_ij| / (examples · outputs), with ȳ of the training values.
    pub mean_absolute_error: f64,
    /// √(Σ_ij (ȳ_j − y_ij)² / (examples · outputs)).
    pub root_mean_squared_error: f64,
}

/// How far the means of the training values are from `values`, both examples × outputs; `None`
/// where either is empty.
#[must_use]
pub fn mean_baseline(
    train: ArrayView2<'_, f32>,
    values: ArrayView2<'_, f32>,
) -> Option<MeanBaseline> {
    let means = train.mapv(f64::from).mean_axis(Axis(0))?;
    if values.is_empty() || means.len() != values.ncols() {
        return None;
    }
    let differences = values.mapv(f64::from) - &means;
    let mean = |of: fn(f64) -> f64| differences.mapv(of).mean();
    Some(MeanBaseline {
        mean_absolute_error: mean(f64::abs)?,
        root_mean_squared_error: mean(|d| d * d)?.sqrt(),
    })
}
