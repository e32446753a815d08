//! `accumulate_loss.wgsl`: the running total of losses.

use super::kernels::NetworkKernels;
use crate::kernel::{
    Binding, Constant, Dispatch, Kernel, Operand, PrepareError, Uniform, Vector, expect_vector,
    file, passes, uniform,
};

/// Threads of the workgroup.
const LANES: u32 = 256;

/// Operands of [`NetworkKernels::accumulate_loss`].
#[derive(Clone, Copy, Debug)]
pub struct AccumulateLoss<'a> {
    /// Losses of rows or elements, read.
    pub losses: Vector<'a>,
    /// How many examples they belong to.
    pub batch: u32,
    /// One f32, the sum of losses, and one u32, the number of examples; both are added to.
    pub total: Vector<'a>,
}

uniform! {
    /// `Dims` in `accumulate_loss.wgsl`.
    struct Dims {
        first: u32,
        end: u32,
        batch: u32,
    }
}

pub(super) const ACCUMULATE_LOSS: Kernel = Kernel::new(
    "wgpu_linear::accumulate_loss",
    (file!("accumulate_loss.wgsl"), "accumulate_loss"),
    &[("LANES", Constant::U32(LANES))],
    LANES,
    &[
        Binding::dims::<Dims>(),
        Binding::read(1, "losses"),
        Binding::write(2, "total"),
    ],
)
.sharing(4 * LANES);

impl NetworkKernels {
    /// total += (Σ losses, batch), in a fixed order.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn accumulate_loss(&self, operands: AccumulateLoss<'_>) -> Result<Dispatch, PrepareError> {
        let AccumulateLoss {
            losses,
            batch,
            total,
        } = operands;
        let kernel = ACCUMULATE_LOSS;
        expect_vector(kernel.label, "total", total, 2)?;
        let operands = [
            Operand::vector("losses", losses),
            Operand::vector("total", total),
        ];
        // Only the first pass counts the examples.
        let dims = |range: std::ops::Range<u32>| Dims {
            first: range.start,
            end: range.end,
            batch: if range.start == 0 { batch } else { 0 },
        };
        let per_pass = self.cache.loop_elements(LANES, 1);
        let passes: Vec<_> = passes(losses.len, per_pass)
            .map(|range| dims(range).contents())
            .collect();
        self.cache.prepare(&kernel, &passes, &operands, 1)
    }
}
