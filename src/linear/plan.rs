//! Which kernel does an operation, and over how many workgroups. Pure functions: no GPU is needed to read or test them.

use std::fmt;
use std::ops::Range;

use crate::dispatch::passes;

/// The sizes of a linear layer and its batch.
///
/// X is `batch` × `inputs`, W is `inputs` × `outputs`, T is `batch` × `outputs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Rows of X and T.
    pub batch: u32,
    /// Columns of X, rows of W.
    pub inputs: u32,
    /// Columns of W and T.
    pub outputs: u32,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}×{}", self.batch, self.inputs, self.outputs)
    }
}

/// The four operations of a linear layer.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// T = X·W + b, or T = X·W without a bias.
    Forward {
        /// Whether b is added.
        bias: bool,
    },
    /// dX = dT·Wᵀ.
    InputGrad,
    /// dW = Xᵀ·dT.
    WeightGrad,
    /// db = Σ_i dT_i·.
    BiasGrad,
}

/// The kernels to choose from.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `matmul_tiled.wgsl`: 64 × 64 tiles of the product, both operands staged in workgroup memory.
    MatmulTiled,
    /// `sum_rows.wgsl`: 32 columns a workgroup.
    SumRows,
}

/// A choice of kernel, grid and passes.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// The kernel.
    pub algorithm: Algorithm,
    /// How many workgroups a pass takes in all; 0 where the output has no elements.
    pub workgroups: u64,
    /// Number of terms in each sum: inputs for T, outputs for dX, batch for dW and db.
    pub terms: u32,
    /// How many of them a pass adds up; the passes are dispatched one after the other.
    pub terms_per_pass: u32,
}

impl Plan {
    /// The terms of each pass, in order. At least one pass, so that a sum over nothing is stored too.
    pub fn passes(&self) -> impl Iterator<Item = Range<u32>> {
        passes(self.terms, self.terms_per_pass)
    }
}

/// Rows and columns of the product that one workgroup of [`Algorithm::MatmulTiled`] computes: `TILE` in the shader.
pub const MATMUL_TILE: u32 = 64;
/// Columns that one workgroup of [`Algorithm::SumRows`] sums: `COLUMNS` in the shader.
pub const SUM_ROWS_COLUMNS: u32 = 32;

/// Terms that a workgroup of [`Algorithm::MatmulTiled`] adds up in one pass.
///
/// Mesa's llvmpipe silently leaves the loops of a shader after 65,535 iterations, which all its loops share
/// (`LP_MAX_TGSI_LOOP_ITERATIONS` in Mesa's `lp_limits.h`): without this bound, sums of more than a million terms came out wrong. Here they
/// are at most 21 iterations per 16 terms, 43,008 in all. A bound also keeps a dispatch short where a driver ends those that take
/// seconds.
const MATMUL_TERMS_PER_PASS: u32 = 1 << 15;
/// The same for [`Algorithm::SumRows`]: one iteration per 8 rows, 32,776 in all.
const SUM_ROWS_TERMS_PER_PASS: u32 = 1 << 18;

/// Chooses the kernel for `operation` on a layer of `shape`.
///
/// ```
/// use wgpu_linear::linear::{Algorithm, Operation, Shape, plan};
/// let shape = Shape { batch: 65, inputs: 784, outputs: 128 };
/// let plan = plan(shape, Operation::Forward { bias: true });
/// assert_eq!(plan.algorithm, Algorithm::MatmulTiled);
/// assert_eq!(plan.workgroups, 2 * 2); // ⌈65/64⌉ × ⌈128/64⌉ tiles
/// ```
#[must_use]
pub fn plan(shape: Shape, operation: Operation) -> Plan {
    let Shape {
        batch,
        inputs,
        outputs,
    } = shape;
    let tiled = |rows: u32, columns: u32, terms: u32| Plan {
        algorithm: Algorithm::MatmulTiled,
        workgroups: u64::from(rows.div_ceil(MATMUL_TILE))
            * u64::from(columns.div_ceil(MATMUL_TILE)),
        terms,
        terms_per_pass: MATMUL_TERMS_PER_PASS,
    };
    match operation {
        Operation::Forward { .. } => tiled(batch, outputs, inputs),
        Operation::InputGrad => tiled(batch, inputs, outputs),
        Operation::WeightGrad => tiled(inputs, outputs, batch),
        Operation::BiasGrad => Plan {
            algorithm: Algorithm::SumRows,
            workgroups: u64::from(outputs.div_ceil(SUM_ROWS_COLUMNS)),
            terms: batch,
            terms_per_pass: SUM_ROWS_TERMS_PER_PASS,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plan_has_no_work_for_empty_outputs() {
        for (shape, operation) in [
            (
                Shape {
                    batch: 0,
                    inputs: 3,
                    outputs: 3,
                },
                Operation::Forward { bias: true },
            ),
            (
                Shape {
                    batch: 3,
                    inputs: 0,
                    outputs: 3,
                },
                Operation::InputGrad,
            ),
            (
                Shape {
                    batch: 3,
                    inputs: 3,
                    outputs: 0,
                },
                Operation::WeightGrad,
            ),
            (
                Shape {
                    batch: 3,
                    inputs: 3,
                    outputs: 0,
                },
                Operation::BiasGrad,
            ),
        ] {
            assert_eq!(plan(shape, operation).workgroups, 0, "{operation:?}");
        }
    }

    #[test]
    fn plan_covers_ragged_products() {
        let shape = Shape {
            batch: 129,
            inputs: 1,
            outputs: 64,
        };
        assert_eq!(
            plan(shape, Operation::Forward { bias: false }).workgroups,
            3
        );
        assert_eq!(plan(shape, Operation::InputGrad).workgroups, 3);
        assert_eq!(plan(shape, Operation::WeightGrad).workgroups, 1);
        assert_eq!(plan(shape, Operation::BiasGrad).workgroups, 2);
    }

    #[test]
    fn passes_cover_every_term_once_and_in_order() {
        for batch in [0, 1, 1 << 15, (1 << 15) + 1, 3 << 15, u32::MAX] {
            let plan = plan(
                Shape {
                    batch,
                    inputs: 1,
                    outputs: 1,
                },
                Operation::WeightGrad,
            );
            let passes: Vec<_> = plan.passes().collect();
            assert_eq!(passes[0].start, 0);
            assert_eq!(passes[passes.len() - 1].end, batch);
            assert!(passes.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert!(passes.iter().all(|pass| pass.end - pass.start <= 1 << 15));
            assert!(batch == 0 || passes.iter().all(|pass| !pass.is_empty()));
        }
    }
}
