//! Twins of `accumulate_gradients.wgsl`.

use ndarray::{ArrayView, ArrayViewMut, Dimension, NdFloat, Zip};

use super::float::count;

/// sum ← gradients, of the first of several batches.
///
/// # Panics
/// Where the shapes differ.
pub fn keep_gradients<F: NdFloat, D: Dimension>(
    gradients: ArrayView<'_, F, D>,
    mut sum: ArrayViewMut<'_, F, D>,
) {
    sum.assign(&gradients);
}

/// sum ← sum + gradients, of the batches between.
///
/// # Panics
/// Where the shapes differ.
pub fn add_gradients<F: NdFloat, D: Dimension>(
    gradients: ArrayView<'_, F, D>,
    sum: ArrayViewMut<'_, F, D>,
) {
    Zip::from(sum).and(gradients).for_each(|sum, g| *sum += *g);
}

/// gradients ← (sum + gradients) / batches, of the last batch: the mean of all.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::reference::{add_gradients, keep_gradients, mean_gradients};
///
/// let mut sum = array![0.0_f32];
/// keep_gradients(array![1.0].view(), sum.view_mut());
/// add_gradients(array![2.0].view(), sum.view_mut());
/// let mut last = array![5.0];
/// mean_gradients(4, sum.view(), last.view_mut());
/// assert_eq!(last, array![2.0]);
/// ```
///
/// # Panics
/// Where the shapes differ.
pub fn mean_gradients<F: NdFloat, D: Dimension>(
    batches: u32,
    sum: ArrayView<'_, F, D>,
    gradients: ArrayViewMut<'_, F, D>,
) {
    let factor = F::one() / count(batches as usize);
    Zip::from(gradients)
        .and(sum)
        .for_each(|g, sum| *g = factor * (*sum + *g));
}
