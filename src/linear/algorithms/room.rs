//! What the host knows of a matrix algorithm.

use std::fmt;

use super::cost::Work;
use crate::kernel::{Constant, File};
use crate::linear::capabilities::Capabilities;
use crate::linear::shape::{Operation, Shape};

/// The sum that a kernel is compiled for.
#[derive(Clone, Copy, Debug)]
pub(in crate::linear) struct Sum {
    /// Terms of each result.
    pub(in crate::linear) terms: u32,
    /// Columns of results.
    pub(in crate::linear) columns: u32,
    /// Whether every row of every operand is a multiple of 4 elements.
    pub(in crate::linear) aligned: bool,
    /// Whether little is done to a result before it is stored.
    pub(in crate::linear) has_short_epilogue: bool,
}

/// What the host knows of a matrix algorithm.
pub(in crate::linear) trait Room: fmt::Display {
    fn file(&self) -> File;

    fn entry_point(&self) -> &'static str;

    /// A word without spaces, for the names of kernels.
    fn name(&self) -> String;

    /// The parts that the shader leaves to the host, beside operands and activation.
    fn choices(&self) -> &'static [File] {
        &[]
    }

    /// Whether its shader has the part `whole_blocks`, which loads four elements in its own way.
    fn loads_whole_blocks(&self) -> bool {
        false
    }

    /// The geometry, and whatever else differs from sum to sum.
    fn constants(&self, sum: Sum) -> Vec<(&'static str, Constant)>;

    /// Threads of a workgroup.
    fn workgroup(&self) -> [u32; 3];

    /// Workgroup memory that it uses, in bytes.
    fn shared_bytes(&self) -> u32 {
        0
    }

    /// Rows and columns of results that one workgroup computes.
    fn tile(&self) -> [u32; 2];

    /// Workgroups for `rows` × `columns` results.
    fn workgroups(&self, rows: u32, columns: u32) -> u64 {
        self.tiles(rows, columns)
    }

    /// Tiles that cover `rows` × `columns` results.
    fn tiles(&self, rows: u32, columns: u32) -> u64 {
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
pub(in crate::linear) struct Loops {
    pub(in crate::linear) iterations: u32,
    pub(in crate::linear) terms: u32,
}

impl Loops {
    /// Terms that a workgroup may add up in one dispatch, a power of two, where its loops may go
    /// round `most` times, if there is such a limit.
    pub(in crate::linear) fn terms_per_pass(self, most: Option<u32>) -> u32 {
        let Some(most) = most else {
            return 1 << 30;
        };
        let terms = most / self.iterations * self.terms;
        1 << terms.ilog2()
    }
}

/// Whether it is a matrix product, that is, anything but db alone.
pub(super) fn is_product(operation: Operation) -> bool {
    operation != Operation::BiasGrad
}
