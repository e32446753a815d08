//! Twin of `histogram.wgsl` and `merge_histograms.wgsl`.

use ndarray::NdFloat;

use crate::events::Histogram;

/// How `values` spread over the buckets of [`Histogram`], with minimum, maximum, Σ v and Σ v², in
/// f64.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::reference::histogram;
/// let counted = histogram(&array![[1.0_f32, -3.0], [f32::NAN, 0.5]]);
/// assert_eq!((counted.min(), counted.max(), counted.sum()), (-3.0, 1.0, -1.5));
/// assert_eq!((counted.num(), counted.non_finite()), (3, 1));
/// ```
#[must_use]
pub fn histogram<'a, F: NdFloat>(values: impl IntoIterator<Item = &'a F>) -> Histogram {
    Histogram::of(
        values
            .into_iter()
            .map(|value| value.to_f64().unwrap_or(f64::NAN)),
    )
}
