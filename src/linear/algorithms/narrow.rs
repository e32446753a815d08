//! `matmul_narrow.wgsl`: few columns on an adapter that runs on the CPU, so the terms are dealt out
//! to the threads.

use std::fmt;

use super::cost::{SOFTWARE_LOAD, Work, like_llvmpipe};
use super::room::{Loops, Room, Sum};
use crate::kernel::{Constant, File, file};
use crate::linear::capabilities::Capabilities;
use crate::linear::shape::{Operation, Shape};

/// Rows by the eight, all columns of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Narrow {
    /// Groups of 8 rows that a workgroup computes.
    pub groups: u32,
    /// Vectors of 4 columns: as many as the product has.
    pub vectors: u32,
}

/// More rows would share what is read of the right factor, but their sums leave the registers.
const GROUPS: [u32; 2] = [1, 2];
/// With more, threads that own columns are as quick.
const MOST_VECTORS: u32 = 2;
/// Threads of a workgroup, a subgroup.
const LANES: u32 = 8;

pub(super) fn candidates(columns: u32) -> [Narrow; 2] {
    GROUPS.map(|groups| Narrow {
        groups,
        vectors: columns.div_ceil(4).max(1),
    })
}

pub(super) fn examples() -> [Narrow; 2] {
    [(2, 1), (1, 2)].map(|(groups, vectors)| Narrow { groups, vectors })
}

impl Room for Narrow {
    fn file(&self) -> File {
        file!("matmul_narrow.wgsl")
    }

    fn entry_point(&self) -> &'static str {
        "matmul_narrow"
    }

    fn name(&self) -> String {
        let [rows, columns] = self.tile();
        format!("narrow_{rows}x{columns}")
    }

    fn constants(&self, _: Sum) -> Vec<(&'static str, Constant)> {
        let constants = [
            ("GROUPS", self.groups),
            ("VECTORS", self.vectors),
            ("LANES", LANES),
        ];
        constants
            .map(|(name, value)| (name, Constant::U32(value)))
            .to_vec()
    }

    fn workgroup(&self) -> [u32; 3] {
        [LANES, 1, 1]
    }

    /// A vec4 for each row and vector.
    fn shared_bytes(&self) -> u32 {
        16 * 8 * self.groups * self.vectors
    }

    fn tile(&self) -> [u32; 2] {
        [8 * self.groups, 4 * self.vectors]
    }

    fn loops(&self) -> Loops {
        Loops {
            iterations: 1 + self.vectors + self.groups * (1 + 8 * (1 + self.vectors)),
            terms: 4 * LANES,
        }
    }

    /// Only the left factor of a weight gradient has a db beside it, and that is transposed.
    fn sums_columns(&self) -> bool {
        false
    }

    fn serves(&self, shape: Shape, operation: Operation, capabilities: &Capabilities) -> bool {
        let [_, _, columns] = operation.product(shape);
        matches!(operation, Operation::Forward | Operation::InputGrad)
            && GROUPS.contains(&self.groups)
            && (1..=MOST_VECTORS).contains(&self.vectors)
            && columns <= 4 * self.vectors
            && capabilities.is_software()
            && capabilities.shuffles()
            && self.shared_bytes() <= capabilities.max_workgroup_bytes
            && LANES <= capabilities.max_invocations
    }

    /// As in `broadcast.rs`: per vector of 4 columns and row 1.4 ns for a term and 1.3 ns for an
    /// iteration. Adding up and storing eight rows takes as long as four loads.
    fn nanoseconds(&self, work: &Work<'_>) -> f64 {
        let (g, v) = (f64::from(self.groups), f64::from(self.vectors));
        let per_step = SOFTWARE_LOAD * (8.0 * g + 4.0 * v) + 8.0 * g * v * (4.0 * 1.4 + 1.3) + 10.0;
        let [m, k, n] = work.product;
        let steps = f64::from(k.div_ceil(4 * LANES)) / f64::from(work.slabs);
        let store = g * v * SOFTWARE_LOAD * 4.0;
        like_llvmpipe(work, self.workgroups(m, n), steps * per_step + store)
    }
}

impl fmt::Display for Narrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, columns] = self.tile();
        write!(f, "narrow {rows}×{columns}")
    }
}
