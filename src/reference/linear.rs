//! Twins of `matmul_tiled.wgsl` and `sum_rows.wgsl`.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, NdFloat};

/// T = X·W + b, with X batch × inputs, W inputs × outputs, b outputs.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::reference::forward;
/// let t = forward(array![[1.0, 2.0, 3.0]].view(), array![[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]].view(), Some(array![0.5, -0.5].view()));
/// assert_eq!(t, array![[14.5, 31.5]]);
/// ```
///
/// # Panics
/// Where shapes disagree, as ndarray does; so do all functions of this module.
#[must_use]
pub fn forward<F: NdFloat>(
    x: ArrayView2<'_, F>,
    w: ArrayView2<'_, F>,
    b: Option<ArrayView1<'_, F>>,
) -> Array2<F> {
    let t = x.dot(&w);
    match b {
        Some(b) => t + b,
        None => t,
    }
}

/// dX = dT·Wᵀ, with dT batch × outputs, W inputs × outputs.
#[must_use]
pub fn input_grad<F: NdFloat>(dt: ArrayView2<'_, F>, w: ArrayView2<'_, F>) -> Array2<F> {
    dt.dot(&w.t())
}

/// dW = Xᵀ·dT, with X batch × inputs, dT batch × outputs.
#[must_use]
pub fn weight_grad<F: NdFloat>(x: ArrayView2<'_, F>, dt: ArrayView2<'_, F>) -> Array2<F> {
    x.t().dot(&dt)
}

/// db = Σ_i dT_i·, with dT batch × outputs: the rows are added up.
#[must_use]
pub fn bias_grad<F: NdFloat>(dt: ArrayView2<'_, F>) -> Array1<F> {
    dt.sum_axis(Axis(0))
}
