//! Inference between the caller's buffers: part by part, through memory for two layers.

use crate::device::{Gpu, GpuError};
use crate::kernel::{Dispatch, ElementType, Job, Matrix, PrepareError, passes, side_by_side};
use crate::model::ModelError;

use super::linear::InferredLayer;

/// What a part's widest layer may take, so that it stays in caches, and no dispatch takes long.
const PART_BYTES: u64 = 2 << 20;
/// Rows of a part are a multiple of these, so that every part begins where a device can bind it:
/// 128 rows of f16, or of f32, are a multiple of 256 bytes, whatever the number of columns.
const ROWS: u64 = 128;
/// No more gain anything.
const MOST_ROWS: u64 = 1 << 16;

const LABEL: &str = "wgpu_linear::predict";

/// The outputs of a network for a number of rows, prepared once and recorded into any compute pass
/// of the device, as often as you like.
///
/// Large batches are taken in parts, one behind the other. Between them lie two buffers, which
/// belong to this object.
#[derive(Clone, Debug)]
pub struct Prediction {
    dispatches: Vec<Dispatch>,
    /// Dispatches of a part.
    layers: usize,
}

impl Prediction {
    pub(super) fn new(
        gpu: &Gpu,
        (layers, element): (&[InferredLayer<'_>], ElementType),
        x: Matrix<'_>,
        outputs: Matrix<'_>,
    ) -> Result<Self, ModelError> {
        expect_rows(x, outputs)?;
        let hidden = &layers[..layers.len() - 1];
        let widest = hidden.iter().map(|layer| layer.b.len).max().unwrap_or(1);
        let most = part_rows(widest, &gpu.device().limits()).min(x.rows);
        let scratch = Scratch::new(gpu, hidden.len(), element, [most, widest])?;
        let mut jobs = Vec::new();
        // At least one part: without rows there is nothing to do, but shapes are checked.
        for part in passes(x.rows, most) {
            let rows = part.end - part.start;
            let ends = (x.rows(part.start, rows), outputs.rows(part.start, rows));
            jobs.extend(scratch.layers(layers, ends));
        }
        let dispatches = side_by_side(jobs).into_iter();
        Ok(Self {
            dispatches: dispatches.collect::<Result<_, _>>()?,
            layers: layers.len(),
        })
    }

    /// Records everything.
    pub fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        for dispatch in &self.dispatches {
            dispatch.record(pass);
        }
    }

    /// The parts, each the dispatches of some rows, for those who spread them over several passes
    /// or frames. They are recorded in order: they share the buffers between the layers.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = &[Dispatch]> {
        self.dispatches.chunks(self.layers)
    }

    /// What [`Self::record`] records, in order.
    #[must_use]
    pub fn dispatches(&self) -> &[Dispatch] {
        &self.dispatches
    }
}

/// Rows of a part.
fn part_rows(widest: u32, limits: &wgpu::Limits) -> u32 {
    let bytes = limits.max_storage_buffer_binding_size.min(PART_BYTES);
    let rows = bytes / (4 * u64::from(widest)) / ROWS * ROWS;
    // Below 2¹⁶ by then.
    rows.clamp(ROWS, MOST_ROWS) as u32
}

/// What lies between the layers: each reads one buffer and writes the other.
#[derive(Debug)]
struct Scratch {
    buffers: Vec<wgpu::Buffer>,
    element: ElementType,
}

impl Scratch {
    fn new(
        gpu: &Gpu,
        hidden: usize,
        element: ElementType,
        [rows, widest]: [u32; 2],
    ) -> Result<Self, GpuError> {
        let elements = u64::from(rows) * u64::from(widest);
        let buffer = |_| gpu.zeros_as(LABEL, element, elements);
        let buffers = (0..hidden.min(2)).map(buffer).collect::<Result<_, _>>()?;
        Ok(Self { buffers, element })
    }

    /// A part of the rows, layer by layer.
    fn layers<'a>(
        &'a self,
        layers: &'a [InferredLayer<'_>],
        (x, outputs): (Matrix<'a>, Matrix<'a>),
    ) -> impl Iterator<Item = Job<'a, Result<Dispatch, PrepareError>>> {
        let mut input = x;
        layers.iter().enumerate().map(move |(i, layer)| {
            let output = if i + 1 == layers.len() {
                outputs
            } else {
                Matrix::new(&self.buffers[i % 2], x.rows, layer.b.len).stored_as(self.element)
            };
            let from = std::mem::replace(&mut input, output);
            Box::new(move || layer.infer(from, output)) as Job<'a, _>
        })
    }
}

/// Refuses outputs that are not as many rows as inputs.
fn expect_rows(x: Matrix<'_>, outputs: Matrix<'_>) -> Result<(), PrepareError> {
    if x.rows == outputs.rows {
        return Ok(());
    }
    Err(PrepareError::Shape {
        operation: LABEL,
        operand: "outputs",
        expected: [x.rows, outputs.columns],
        actual: [outputs.rows, outputs.columns],
    })
}

#[cfg(test)]
mod tests {
    use super::part_rows;

    #[test]
    fn parts_are_bounded_and_begin_where_they_can_be_bound() {
        let limits = wgpu::Limits::default();
        for widest in [1, 3, 64, 1000, 100_000, u32::MAX / 4] {
            let rows = part_rows(widest, &limits);
            assert!(rows.is_multiple_of(128) && (128..=1 << 16).contains(&rows));
        }
        assert_eq!(part_rows(64, &limits), 8_192);
    }
}
