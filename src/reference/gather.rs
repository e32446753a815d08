//! Twin of `gather.wgsl`.

use ndarray::{Array2, ArrayView2, Axis};

/// The rows of `data` at `indices`, in that order: gathered_ij = data_(index_i, j).
///
/// Serves examples, values wanted and, as a matrix of one column, labels.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::reference::gather;
/// assert_eq!(gather(array![[1, 2], [3, 4]].view(), &[1, 0, 1]), array![[3, 4], [1, 2], [3, 4]]);
/// ```
///
/// # Panics
/// Where an index is not below the number of rows.
#[must_use]
pub fn gather<T: Copy>(data: ArrayView2<'_, T>, indices: &[u32]) -> Array2<T> {
    let rows: Vec<_> = indices.iter().map(|index| *index as usize).collect();
    data.select(Axis(0), &rows)
}

/// The same for a data set of bytes: gathered_ij = `scale` · data_(index_i, j).
///
/// # Panics
/// As [`gather`].
#[must_use]
pub fn gather_bytes(data: ArrayView2<'_, u8>, scale: f32, indices: &[u32]) -> Array2<f32> {
    gather(data, indices).mapv(|byte| f32::from(byte) * scale)
}
