//! `accumulate_loss.wgsl`: the running total of losses.

use super::kernels::NetworkKernels;
use super::loss_total::{LOSS_TOTAL_WORDS, mean_and_examples};
use crate::kernel::{
    Binding, Constant, Dispatch, Kernel, Operand, PrepareError, Probe, Uniform, Vector, Wanted,
    expect_vector, file, passes, quarters, uniform,
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
    /// One element, the sum of the weights that the losses were multiplied by; read. `None` where
    /// each example weighs 1.
    pub weight_sum: Option<Vector<'a>>,
    /// [`LOSS_TOTAL_WORDS`] elements of u32 for
    /// [`mean_loss_from_words`](super::mean_loss_from_words), zeros at first; added to.
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

pub(super) const ACCUMULATE_WEIGHTED_LOSS: Kernel = Kernel::new(
    "wgpu_linear::accumulate_weighted_loss",
    (file!("accumulate_loss.wgsl"), "accumulate_weighted_loss"),
    &[("LANES", Constant::U32(LANES))],
    LANES,
    &[
        Binding::dims::<Dims>(),
        Binding::read(1, "losses"),
        Binding::write(2, "total"),
        Binding::read(3, "weight_sum"),
    ],
)
.sharing(4 * LANES);

impl NetworkKernels {
    /// total += (Σ losses, batch), or (Σ losses, `weight_sum`). The losses of the batch are added up in f32, in a fixed order;
    /// the total is exact, over any number of batches.
    ///
    /// A sum that is not finite is counted in the total, and makes the mean NaN.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn accumulate_loss(&self, operands: AccumulateLoss<'_>) -> Result<Dispatch, PrepareError> {
        let AccumulateLoss {
            losses,
            batch,
            weight_sum,
            total,
        } = operands;
        let kernel = match weight_sum {
            None => ACCUMULATE_LOSS,
            Some(_) => ACCUMULATE_WEIGHTED_LOSS,
        };
        expect_vector(kernel.label, "total", total, LOSS_TOTAL_WORDS)?;
        let mut operands = vec![
            Operand::vector("losses", losses),
            Operand::vector("total", total),
        ];
        if let Some(weight_sum) = weight_sum {
            expect_vector(kernel.label, "weight_sum", weight_sum, 1)?;
            operands.push(Operand::vector("weight_sum", weight_sum));
        }
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
        let probe = || probe(weight_sum.is_some());
        self.cache.prepare(&kernel, &passes, &operands, 1, &probe)
    }
}

/// More losses than threads, in a total whose number of examples overflows its lower word.
fn probe(is_weighted: bool) -> Probe {
    let losses: Vec<f32> = quarters(1, 300).iter().map(|loss| loss.abs()).collect();
    let (batch, weight_sum) = (256, 16.0);
    let dims = Dims {
        first: 0,
        end: losses.len() as u32,
        batch,
    };
    let mut total = vec![0; LOSS_TOTAL_WORDS as usize];
    total[20] = u32::MAX;
    let all = if is_weighted {
        weight_sum
    } else {
        batch as f32
    };
    let mean = losses.iter().sum::<f32>() / all;
    let examples = f64::from(u32::MAX) + f64::from(batch);
    let wanted = Wanted::exactly([f64::from(mean), examples]).decoded(mean_and_examples);
    let probe = Probe::new(dims.contents(), 1)
        .reads(&losses)
        .updates_words(total, wanted);
    if is_weighted {
        probe.reads(&[weight_sum])
    } else {
        probe
    }
}
