//! The matrix algorithms, a room each: shader, constants, tile, loop bound, cost and candidates.

mod broadcast;
mod cooperative;
mod cost;
mod hardware;
pub(super) mod int8;
mod launch;
mod naive;
mod narrow;
mod room;
mod slabs;
mod small_batch;
mod sum_rows;
mod tiled;

pub use broadcast::Broadcast;
pub use cooperative::Cooperative;
pub use narrow::Narrow;
pub use small_batch::SmallBatch;
pub use tiled::Tiled;

pub(super) use cost::Work;
pub(super) use room::Sum;
pub(super) use slabs::sum_slabs;
pub(super) use sum_rows::{BIAS_GRAD, kernels as bias_grad_kernels, prepare as prepare_sum_rows};

use std::fmt;

use super::capabilities::Capabilities;
use super::shape::{Operation, Shape};
use int8::Int8;
use naive::Naive;
use room::Room;
use sum_rows::SumRows;

/// The kernels to choose from, with their geometry.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `matmul_tiled.wgsl`: square tiles, both factors staged in workgroup memory.
    Tiled(Tiled),
    /// `matmul_cooperative.wgsl`: square tiles, multiplied by matrix units.
    Cooperative(Cooperative),
    /// `matmul_broadcast.wgsl`: no workgroup memory, for adapters that run on the CPU.
    Broadcast(Broadcast),
    /// `matmul_small_batch.wgsl`: a few rows; terms dealt out to the threads of a workgroup.
    SmallBatch(SmallBatch),
    /// `matmul_narrow.wgsl`: a few columns; terms dealt out to the threads of a subgroup, for
    /// adapters that run on the CPU.
    Narrow(Narrow),
    /// `matmul_naive.wgsl`: each thread computes 4 × 4 elements from what it reads itself.
    Naive,
    /// `sum_rows.wgsl`: 32 columns a workgroup.
    SumRows,
    /// `matmul_int8.wgsl`: whole numbers of eight bits, 64 × 64 results a workgroup; planned only
    /// where it was measured.
    Int8,
}

impl Algorithm {
    pub(super) fn room(&self) -> &dyn Room {
        match self {
            Self::Tiled(tiled) => tiled,
            Self::Cooperative(cooperative) => cooperative,
            Self::Broadcast(broadcast) => broadcast,
            Self::SmallBatch(small_batch) => small_batch,
            Self::Narrow(narrow) => narrow,
            Self::Naive => &Naive,
            Self::SumRows => &SumRows,
            Self::Int8 => &Int8,
        }
    }

    /// Rows and columns of results that one workgroup computes; for [`Self::Naive`], which numbers
    /// blocks across rows, those of a thread.
    #[must_use]
    pub fn tile(self) -> [u32; 2] {
        self.room().tile()
    }

    /// Workgroups for `rows` × `columns` results.
    #[must_use]
    pub fn workgroups(self, rows: u32, columns: u32) -> u64 {
        self.room().workgroups(rows, columns)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.room().fmt(f)
    }
}

/// The algorithms worth trying for `operation` on a layer of `shape`; never empty.
pub(super) fn candidates(
    shape: Shape,
    operation: Operation,
    capabilities: &Capabilities,
) -> Vec<Algorithm> {
    if operation == Operation::BiasGrad {
        return vec![Algorithm::SumRows];
    }
    if operation == Operation::QuantisedForward {
        let mut candidates = candidates(shape, operation.of_f32(), capabilities);
        if Int8.serves(shape, operation, capabilities) {
            candidates.push(Algorithm::Int8);
        }
        return candidates;
    }
    let serves = |algorithm: &Algorithm| algorithm.room().serves(shape, operation, capabilities);
    let units = capabilities.matrix_units.into_iter();
    let cooperative = units
        .flat_map(cooperative::candidates)
        .map(Algorithm::Cooperative);
    if capabilities.is_software() {
        if capabilities.most_unrolled == 0 {
            return vec![Algorithm::Naive];
        }
        let [rows, _, columns] = operation.product(shape);
        let broadcast = broadcast::candidates(rows, capabilities).map(Algorithm::Broadcast);
        let narrow = narrow::candidates(columns).map(Algorithm::Narrow);
        let all = broadcast.chain(narrow).chain(cooperative);
        let mut candidates: Vec<_> = all.filter(serves).collect();
        if candidates.is_empty() {
            candidates.push(Algorithm::Naive);
        }
        return candidates;
    }
    let tiled = tiled::candidates().map(Algorithm::Tiled);
    let small = small_batch::candidate(shape, operation).map(Algorithm::SmallBatch);
    tiled
        .chain(cooperative)
        .chain(small)
        .filter(serves)
        .chain([Algorithm::Naive])
        .collect()
}

/// Whatever else serves, for where all candidates compute wrong results: slow here, or slow to
/// compile.
pub(super) fn substitutes(
    shape: Shape,
    operation: Operation,
    capabilities: &Capabilities,
) -> impl Iterator<Item = Algorithm> {
    let candidates = candidates(shape, operation, capabilities);
    // The simplest kernels are the last.
    examples().into_iter().rev().filter(move |algorithm| {
        let serves = algorithm.room().serves(shape, operation, capabilities);
        serves && !candidates.contains(algorithm)
    })
}

/// Those for matrix units, of every kind, the largest tiles first; for [`crate::kernels`].
pub(super) fn cooperative_examples() -> impl Iterator<Item = Algorithm> {
    cooperative::examples().map(Algorithm::Cooperative)
}

/// One of each that takes f32 as it is, in the geometries that differ most; for [`crate::kernels`].
pub(super) fn examples() -> Vec<Algorithm> {
    let tiled: Vec<_> = tiled::candidates().map(Algorithm::Tiled).collect();
    let broadcast = broadcast::examples().map(Algorithm::Broadcast);
    let small = small_batch::examples().map(Algorithm::SmallBatch);
    let narrow = narrow::examples().map(Algorithm::Narrow);
    let naive = [Algorithm::Naive];
    [&tiled[..], &broadcast, &small, &narrow, &naive].concat()
}
