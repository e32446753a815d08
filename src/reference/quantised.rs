//! Twins of `quantise_rows.wgsl` and `matmul_int8.wgsl`.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, NdFloat};

use super::float::cast;
use crate::linear::QuantisedWeights;

/// r_i = max_k |x_ik| / 127 and p_ik = x_ik / r_i, rounded to the nearest, ties to even: each row
/// of X as whole numbers from −127 to 127 with a scale.
///
/// A row whose largest magnitude is below 2⁻¹¹⁹ becomes zeros with a scale of 0. One with an
/// infinity or a NaN becomes zeros with a scale of NaN.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::reference::quantise_rows;
/// let (p, r) = quantise_rows(array![[127.0, -2.25], [0.0, 0.0]].view());
/// assert_eq!((p, r), (array![[127, -2], [0, 0]], array![1.0, 0.0]));
/// ```
#[must_use]
pub fn quantise_rows<F: NdFloat>(x: ArrayView2<'_, F>) -> (Array2<i8>, Array1<F>) {
    let r = x.map_axis(Axis(1), |row| scale(row.iter()));
    let p = Array2::from_shape_fn(x.dim(), |(i, k)| {
        let is_number = r[i] > F::zero();
        let quotient = if is_number {
            x[[i, k]] / r[i]
        } else {
            F::zero()
        };
        quotient.to_f64().map_or(0, |q| q.round_ties_even() as i8)
    });
    (p, r)
}

fn scale<'a, F: NdFloat>(row: impl Iterator<Item = &'a F> + Clone) -> F {
    if row.clone().any(|x| !x.is_finite()) {
        return F::nan();
    }
    let largest = row.fold(F::zero(), |largest, x| largest.max(x.abs()));
    if largest < cast(f32::MIN_POSITIVE * 128.0) {
        return F::zero();
    }
    largest / cast(127.0)
}

/// t_ij = r_i s_j Σ_k p_ik q_kj + b_j, with X batch × inputs as [`quantise_rows`] makes it.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::linear::QuantisedWeights;
/// use wgpu_linear::reference::forward_quantised;
/// # fn main() -> Result<(), wgpu_linear::linear::QuantiseError> {
/// let w = QuantisedWeights::new(&[127.0, -2.0], 2, 1)?;
/// let t = forward_quantised(array![[127.0, 3.0]].view(), &w, Some(array![0.5].view()));
/// assert_eq!(t, array![[16_123.5]]);
/// # Ok(()) }
/// ```
///
/// # Panics
/// Where shapes disagree.
#[must_use]
pub fn forward_quantised<F: NdFloat>(
    x: ArrayView2<'_, F>,
    w: &QuantisedWeights,
    b: Option<ArrayView1<'_, F>>,
) -> Array2<F> {
    let (p, r) = quantise_rows(x);
    let shape = [w.inputs(), w.outputs()].map(|size| size as usize);
    let q = Array2::from_shape_fn(shape, |(k, j)| i64::from(w.whole(k, j)));
    let sums = p.mapv(i64::from).dot(&q);
    let t = Array2::from_shape_fn(sums.dim(), |(i, j)| {
        let sum = F::from(sums[[i, j]]).unwrap_or_else(F::nan);
        cast::<F>(w.scales()[j]) * sum * r[i]
    });
    match b {
        Some(b) => t + b,
        None => t,
    }
}
