//! Batches copied from a data set, in memory that is kept from step to step.

use ndarray::{Array2, ArrayView2, s};

use super::Dataset;
use crate::model::Targets;

/// The buffers of a batch, which grow with the first of its size.
#[derive(Debug, Default)]
pub(super) struct Batch {
    x: Array2<f32>,
    labels: Vec<u32>,
    y: Array2<f32>,
}

impl Batch {
    /// The examples of `data` at `indices`, in that order, and their targets.
    pub(super) fn copy(
        &mut self,
        data: &Dataset,
        indices: &[usize],
    ) -> (ArrayView2<'_, f32>, Targets<'_>) {
        let targets = match data.values() {
            Some(y) => Targets::Values(rows(&mut self.y, y, indices)),
            None => {
                let labels = indices.iter().map(|index| data.labels()[*index]);
                self.labels.clear();
                self.labels.extend(labels);
                Targets::Classes(&self.labels)
            }
        };
        (rows(&mut self.x, data.x(), indices), targets)
    }
}

/// Some rows, in a buffer that has room for them or is made so large.
fn rows<'a>(
    buffer: &'a mut Array2<f32>,
    from: &Array2<f32>,
    indices: &[usize],
) -> ArrayView2<'a, f32> {
    if buffer.nrows() < indices.len() {
        *buffer = Array2::zeros((indices.len(), from.ncols()));
    }
    for (mut row, index) in buffer.rows_mut().into_iter().zip(indices) {
        row.assign(&from.row(*index));
    }
    buffer.slice(s![..indices.len(), ..])
}
