//! The matrix algorithms, a room each: shader, constants, tile, loop bound, cost and candidates.

mod broadcast;
mod cost;
mod naive;
mod slabs;
mod small_batch;
mod sum_rows;
mod tiled;

pub use broadcast::Broadcast;
pub use small_batch::SmallBatch;
pub use tiled::Tiled;

pub(super) use cost::Work;
pub(super) use slabs::sum_slabs;
pub(super) use sum_rows::{BIAS_GRAD, prepare as prepare_sum_rows};

use std::fmt;

use super::capabilities::Capabilities;
use super::shape::{Operation, Shape};
use crate::kernel::{Constant, File};
use naive::Naive;
use sum_rows::SumRows;

/// The kernels to choose from, with their geometry.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `matmul_tiled.wgsl`: square tiles, both factors staged in workgroup memory.
    Tiled(Tiled),
    /// `matmul_broadcast.wgsl`: no workgroup memory, for adapters that run on the CPU.
    Broadcast(Broadcast),
    /// `matmul_small_batch.wgsl`: a few rows; terms dealt out to the threads of a workgroup.
    SmallBatch(SmallBatch),
    /// `matmul_naive.wgsl`: each thread computes 4 × 4 elements from what it reads itself.
    Naive,
    /// `sum_rows.wgsl`: 32 columns a workgroup.
    SumRows,
}

/// The sum that a kernel is compiled for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum {
    /// Terms of each result.
    pub(super) terms: u32,
    /// Whether every row of every operand is a multiple of 4 elements.
    pub(super) aligned: bool,
}

/// What the host knows of a matrix algorithm.
pub(super) trait Room: fmt::Display {
    fn file(&self) -> File;

    fn entry_point(&self) -> &'static str;

    /// A word without spaces, for the names of kernels.
    fn name(&self) -> String;

    /// The parts that the shader leaves to the host, beside operands and activation.
    fn choices(&self) -> &'static [File] {
        &[]
    }

    /// The geometry, and whatever else differs from sum to sum.
    fn constants(&self, sum: Sum) -> Vec<(&'static str, Constant)>;

    /// Threads of a workgroup.
    fn workgroup(&self) -> [u32; 3];

    /// Rows and columns of results that one workgroup computes.
    fn tile(&self) -> [u32; 2];

    /// Workgroups for `rows` × `columns` results.
    fn workgroups(&self, rows: u32, columns: u32) -> u64 {
        let [tile_rows, tile_columns] = self.tile();
        u64::from(rows.div_ceil(tile_rows)) * u64::from(columns.div_ceil(tile_columns))
    }

    /// Iterations of all loops for so many terms, none of them unrolled.
    fn loops(&self) -> Loops;

    /// Whether it can sum the columns of the right factor on the way.
    fn sums_columns(&self) -> bool {
        true
    }

    /// Whether it computes `operation` on a layer of `shape` at all, on such an adapter.
    fn serves(&self, shape: Shape, operation: Operation, capabilities: &Capabilities) -> bool;

    /// Estimated time.
    fn nanoseconds(&self, work: &Work<'_>) -> f64;
}

/// How often the loops of a shader go round for a number of terms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loops {
    pub(super) iterations: u32,
    pub(super) terms: u32,
}

impl Loops {
    /// Terms that a workgroup may add up in one dispatch, a power of two, where its loops may go
    /// round `most` times, if there is such a limit.
    pub(super) fn terms_per_pass(self, most: Option<u32>) -> u32 {
        let Some(most) = most else {
            return 1 << 30;
        };
        let terms = most / self.iterations * self.terms;
        // Software adapters answer more often.
        1 << terms.ilog2().min(18)
    }
}

impl Algorithm {
    pub(super) fn room(&self) -> &dyn Room {
        match self {
            Self::Tiled(tiled) => tiled,
            Self::Broadcast(broadcast) => broadcast,
            Self::SmallBatch(small_batch) => small_batch,
            Self::Naive => &Naive,
            Self::SumRows => &SumRows,
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
    if capabilities.is_software() {
        let [rows, ..] = operation.product(shape);
        return broadcast::candidates(rows, capabilities)
            .map(Algorithm::Broadcast)
            .collect();
    }
    let tiled = tiled::candidates().map(Algorithm::Tiled);
    let small = small_batch::candidate(shape, operation).map(Algorithm::SmallBatch);
    tiled
        .into_iter()
        .chain(small)
        .chain([Algorithm::Naive])
        .filter(|algorithm| algorithm.room().serves(shape, operation, capabilities))
        .collect()
}

/// One of each, in the geometries that differ most; for [`crate::kernels`].
pub(super) fn examples() -> Vec<Algorithm> {
    let tiled = tiled::candidates().map(Algorithm::Tiled);
    let broadcast = broadcast::examples().map(Algorithm::Broadcast);
    let small = small_batch::examples().map(Algorithm::SmallBatch);
    let naive = [Algorithm::Naive];
    [&tiled[..], &broadcast, &small, &naive].concat()
}

/// Whether it is a matrix product, that is, anything but db alone.
fn is_product(operation: Operation) -> bool {
    operation != Operation::BiasGrad
}
