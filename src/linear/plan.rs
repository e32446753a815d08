//! Which kernel does an operation, and with which geometry. Pure functions: no GPU is needed to read or test them.

use std::fmt;

use super::capabilities::Capabilities;
use super::cost::{nanoseconds, terms_per_pass};

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
    /// T = X·W + b.
    Forward,
    /// dX = dT·Wᵀ.
    InputGrad,
    /// dW = Xᵀ·dT, and db with it where it is asked for.
    WeightGrad,
    /// db = Σ_i dT_i·.
    BiasGrad,
}

impl Operation {
    /// \[m, k, n\] of the product that the operation is: m × n results of k terms each; for db, 1 row.
    #[must_use]
    pub fn product(self, shape: Shape) -> [u32; 3] {
        let Shape {
            batch,
            inputs,
            outputs,
        } = shape;
        match self {
            Self::Forward => [batch, inputs, outputs],
            Self::InputGrad => [batch, outputs, inputs],
            Self::WeightGrad => [inputs, batch, outputs],
            Self::BiasGrad => [1, batch, outputs],
        }
    }
}

/// The kernels to choose from, with their geometry.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `matmul_tiled.wgsl`: square tiles of 128, 64 or 32, both factors staged in workgroup memory.
    Tiled {
        /// Rows and columns of a tile.
        side: u32,
    },
    /// `matmul_broadcast.wgsl`: no workgroup memory, for adapters that run on the CPU.
    Broadcast {
        /// Groups of 8 rows that a thread owns.
        groups: u32,
        /// Vectors of 4 columns that a thread owns.
        vectors: u32,
        /// Whether threads hand each other the left factor through subgroups.
        shuffle: bool,
    },
    /// `matmul_small_batch.wgsl`: at most `rows` rows; terms dealt out to the threads of a workgroup.
    SmallBatch {
        /// Rows that a thread owns.
        rows: u32,
    },
    /// `matmul_naive.wgsl`: each thread computes 4 × 4 elements from what it reads itself.
    Naive,
    /// `sum_rows.wgsl`: 32 columns a workgroup.
    SumRows,
}

impl Algorithm {
    /// Rows and columns of results that one workgroup computes; for [`Self::Naive`], which numbers blocks across rows, those of a thread.
    #[must_use]
    pub fn tile(self) -> [u32; 2] {
        match self {
            Self::Tiled { side } => [side, side],
            Self::Broadcast {
                groups,
                vectors,
                shuffle,
            } => [8 * groups, 4 * vectors * if shuffle { 8 } else { 16 }],
            Self::SmallBatch { rows } => [rows, 64],
            Self::Naive => [4, 4],
            Self::SumRows => [1, SUM_ROWS_COLUMNS],
        }
    }

    /// Workgroups for `rows` × `columns` results.
    #[must_use]
    pub fn workgroups(self, rows: u32, columns: u32) -> u64 {
        let [tile_rows, tile_columns] = self.tile();
        let tiles = u64::from(rows.div_ceil(tile_rows)) * u64::from(columns.div_ceil(tile_columns));
        match self {
            Self::Naive => tiles.div_ceil(u64::from(NAIVE_WORKGROUP)),
            _ => tiles,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, columns] = self.tile();
        match self {
            Self::Tiled { .. } => write!(f, "tiled {rows}×{columns}"),
            Self::Broadcast { shuffle: true, .. } => write!(f, "shuffle {rows}×{columns}"),
            Self::Broadcast { shuffle: false, .. } => write!(f, "broadcast {rows}×{columns}"),
            Self::SmallBatch { rows } => write!(f, "small batch of {rows}"),
            Self::Naive => write!(f, "naive"),
            Self::SumRows => write!(f, "sum_rows"),
        }
    }
}

/// A choice of kernel and geometry.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// The kernel.
    pub algorithm: Algorithm,
    /// Into how many partial products the terms of each sum are split, to be added up in a fixed order by `sum_slabs.wgsl`; 1: not split.
    pub slabs: u32,
    /// How many terms a workgroup adds up in one dispatch; longer sums take several, one after the other.
    pub terms_per_pass: u32,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.algorithm)?;
        if self.slabs > 1 {
            write!(f, ", {} slabs", self.slabs)?;
        }
        Ok(())
    }
}

impl Plan {
    fn new(algorithm: Algorithm, slabs: u32) -> Self {
        Self {
            algorithm,
            slabs,
            terms_per_pass: terms_per_pass(algorithm),
        }
    }

    /// Whether the kernel computes `operation` on a layer of `shape` at all, however slowly. Some know fewer rows, or one layout.
    pub(super) fn serves(&self, shape: Shape, operation: Operation) -> bool {
        let [m, ..] = operation.product(shape);
        match self.algorithm {
            Algorithm::SumRows => operation == Operation::BiasGrad,
            Algorithm::SmallBatch { rows } => {
                m <= rows && matches!(operation, Operation::Forward | Operation::InputGrad)
            }
            _ => operation != Operation::BiasGrad,
        }
    }
}

/// Columns that one workgroup of [`Algorithm::SumRows`] sums: `COLUMNS` in the shader.
pub const SUM_ROWS_COLUMNS: u32 = 32;
/// Threads of a workgroup of [`Algorithm::Naive`]: `WORKGROUP` in the shader.
const NAIVE_WORKGROUP: u32 = 64;
/// Largest batch of [`Algorithm::SmallBatch`].
pub(super) const SMALL_BATCH_ROWS: u32 = 8;

/// Slabs to try: powers of two, so that sums are split evenly.
const SLABS: [u32; 6] = [2, 4, 8, 16, 32, 64];
/// A slab takes at least this many terms, or the second pass costs more than the split gains.
const LEAST_TERMS_PER_SLAB: u32 = 128;
/// All slabs together have at most this many elements: 16 MiB.
const MOST_SLAB_ELEMENTS: u64 = 1 << 22;

/// Chooses the kernel for `operation` on a layer of `shape`: the first of [`ranked_candidates`].
///
/// ```
/// use wgpu_linear::linear::{Algorithm, Capabilities, Operation, Shape, plan};
/// let shape = Shape { batch: 4096, inputs: 4096, outputs: 4096 };
/// let chosen = plan(shape, Operation::Forward, &Capabilities::hardware());
/// assert_eq!(chosen.algorithm, Algorithm::Tiled { side: 128 });
/// assert_eq!(chosen.algorithm.workgroups(4096, 4096), 32 * 32);
/// ```
#[must_use]
pub fn plan(shape: Shape, operation: Operation, capabilities: &Capabilities) -> Plan {
    ranked_candidates(shape, operation, capabilities)
        .into_iter()
        .next()
        .unwrap_or(Plan::new(Algorithm::Naive, 1))
}

/// The kernels and geometries worth trying for `operation` on a layer of `shape`; never empty.
#[must_use]
pub fn candidates(shape: Shape, operation: Operation, capabilities: &Capabilities) -> Vec<Plan> {
    if operation == Operation::BiasGrad {
        return vec![Plan::new(Algorithm::SumRows, 1)];
    }
    let product = operation.product(shape);
    let mut plans = Vec::new();
    for algorithm in algorithms(product, operation, capabilities) {
        plans.push(Plan::new(algorithm, 1));
        let split = SLABS.into_iter().filter(|slabs| may_split(product, *slabs));
        plans.extend(split.map(|slabs| Plan::new(algorithm, slabs)));
    }
    plans
}

/// [`candidates`], the least estimated time first; [`plan()`] is the first of them.
#[must_use]
pub fn ranked_candidates(
    shape: Shape,
    operation: Operation,
    capabilities: &Capabilities,
) -> Vec<Plan> {
    let cost = |plan: &Plan| nanoseconds(plan, operation.product(shape), capabilities);
    let mut plans: Vec<_> = candidates(shape, operation, capabilities)
        .into_iter()
        .map(|plan| (cost(&plan), plan))
        .collect();
    plans.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    plans.into_iter().map(|(_, plan)| plan).collect()
}

fn algorithms(
    [m, ..]: [u32; 3],
    operation: Operation,
    capabilities: &Capabilities,
) -> Vec<Algorithm> {
    if capabilities.is_software() {
        let shuffle = capabilities.shuffles();
        let geometries: &[_] = if m <= SMALL_BATCH_ROWS {
            // Wider, so that what is read of a row of the right factor is longer than a cache line or two.
            &[(1, 1), (1, 2), (1, 4)]
        } else {
            &[(1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 2)]
        };
        let broadcast = |&(groups, vectors): &(u32, u32)| Algorithm::Broadcast {
            groups,
            vectors,
            shuffle,
        };
        return geometries.iter().map(broadcast).collect();
    }
    let fits = |side: &u32| {
        capabilities.max_invocations >= 256 && 2 * side * 16 * 4 <= capabilities.max_workgroup_bytes
    };
    let mut algorithms: Vec<_> = [128, 64, 32]
        .into_iter()
        .filter(fits)
        .map(|side| Algorithm::Tiled { side })
        .collect();
    if m <= SMALL_BATCH_ROWS && operation != Operation::WeightGrad && fits(&64) {
        let rows = m.next_power_of_two();
        algorithms.push(Algorithm::SmallBatch { rows });
    }
    algorithms.push(Algorithm::Naive);
    algorithms
}

fn may_split([m, k, n]: [u32; 3], slabs: u32) -> bool {
    k / slabs >= LEAST_TERMS_PER_SLAB
        && (u64::from(m) + 1) * u64::from(n) * u64::from(slabs) <= MOST_SLAB_ELEMENTS
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATIONS: [Operation; 3] = [
        Operation::Forward,
        Operation::InputGrad,
        Operation::WeightGrad,
    ];

    fn shape([batch, inputs, outputs]: [u32; 3]) -> Shape {
        Shape {
            batch,
            inputs,
            outputs,
        }
    }

    fn on_hardware(sizes: [u32; 3], operation: Operation) -> Plan {
        plan(shape(sizes), operation, &Capabilities::hardware())
    }

    #[test]
    fn plan_takes_large_tiles_for_large_products_on_hardware() {
        for operation in OPERATIONS {
            let chosen = on_hardware([4096; 3], operation);
            assert_eq!(chosen.algorithm, Algorithm::Tiled { side: 128 });
            assert_eq!(chosen.slabs, 1);
        }
    }

    #[test]
    fn plan_splits_tall_and_skinny_sums_on_hardware() {
        assert!(on_hardware([65_536, 64, 64], Operation::WeightGrad).slabs > 1);
        assert!(on_hardware([16, 4096, 64], Operation::Forward).slabs > 1);
        assert_eq!(on_hardware([65_536, 64, 64], Operation::Forward).slabs, 1);
    }

    #[test]
    fn plan_has_a_kernel_for_small_batches_on_hardware() {
        for operation in [Operation::Forward, Operation::InputGrad] {
            let chosen = on_hardware([1, 4096, 4096], operation);
            assert_eq!(chosen.algorithm, Algorithm::SmallBatch { rows: 1 });
        }
    }

    #[test]
    fn plan_respects_what_a_device_cannot_do() {
        let mut weak = Capabilities::hardware();
        weak.max_workgroup_bytes = 8_192;
        for operation in OPERATIONS {
            let plans = candidates(shape([4096; 3]), operation, &weak);
            assert!(
                plans
                    .iter()
                    .all(|plan| plan.algorithm != Algorithm::Tiled { side: 128 })
            );
            weak.max_invocations = 64;
            let plans = candidates(shape([4096; 3]), operation, &weak);
            assert!(plans.iter().all(|plan| plan.algorithm == Algorithm::Naive));
            weak.max_invocations = 256;
        }
    }

    #[test]
    fn plan_shuffles_on_software_where_subgroups_have_eight_threads() {
        let mut software = Capabilities::software(2);
        for (sizes, shuffles) in [
            (Some([8, 8]), true),
            (Some([4, 4]), false),
            (Some([4, 8]), false),
            (None, false),
        ] {
            software.subgroup_sizes = sizes;
            let chosen = plan(shape([512; 3]), Operation::Forward, &software).algorithm;
            assert!(
                matches!(chosen, Algorithm::Broadcast { shuffle, .. } if shuffle == shuffles),
                "{chosen:?}"
            );
        }
    }

    #[test]
    fn plan_has_no_work_for_empty_outputs() {
        for adapter in [Capabilities::hardware(), Capabilities::software(2)] {
            for (sizes, operation) in [
                ([0, 3, 3], Operation::Forward),
                ([3, 0, 3], Operation::InputGrad),
                ([3, 3, 0], Operation::WeightGrad),
                ([3, 3, 0], Operation::BiasGrad),
            ] {
                let [m, _, n] = operation.product(shape(sizes));
                let chosen = plan(shape(sizes), operation, &adapter).algorithm;
                assert_eq!(chosen.workgroups(m, n), 0, "{operation:?}");
            }
        }
    }

    #[test]
    fn workgroups_cover_ragged_products() {
        assert_eq!(Algorithm::Tiled { side: 64 }.workgroups(129, 64), 3);
        assert_eq!(
            Algorithm::Naive.workgroups(129, 64),
            (33 * 16_u64).div_ceil(64)
        );
        assert_eq!(Algorithm::SumRows.workgroups(1, 33), 2);
    }

    /// Slabs and passes begin where vectors of four terms and staged tiles do.
    #[test]
    fn passes_are_powers_of_two_of_at_least_a_thousand_terms() {
        for adapter in [Capabilities::hardware(), Capabilities::software(2)] {
            for operation in OPERATIONS {
                for plan in candidates(shape([8, 4096, 4096]), operation, &adapter) {
                    let terms = plan.terms_per_pass;
                    assert!(terms >= 1024 && terms.is_power_of_two(), "{plan:?}");
                }
            }
        }
    }
}
