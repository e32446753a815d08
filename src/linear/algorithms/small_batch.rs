//! `matmul_small_batch.wgsl`: few rows, so the time goes into reading the right factor once.

use std::fmt;

use super::cost::Work;
use super::hardware::hardware;
use super::launch::Launch;
use super::room::{Loops, Room, Sum};
use crate::kernel::{Constant, File, file};
use crate::linear::capabilities::Capabilities;
use crate::linear::shape::{Operation, Shape};

/// At most `rows` rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SmallBatch {
    /// Rows that a thread owns: 1, 2, 4 or 8.
    pub rows: u32,
}

const MOST_ROWS: u32 = 8;
/// Vectors of 4 columns that a workgroup computes, and threads that share the terms of each.
const QUADS: u32 = 16;
const SLICES: u32 = 16;

pub(super) fn candidate(shape: Shape, operation: Operation) -> Option<SmallBatch> {
    let [rows, ..] = operation.product(shape);
    (rows <= MOST_ROWS).then_some(SmallBatch {
        rows: rows.next_power_of_two(),
    })
}

pub(super) fn examples() -> [SmallBatch; 4] {
    [1, 2, 4, MOST_ROWS].map(|rows| SmallBatch { rows })
}

impl Room for SmallBatch {
    fn file(&self) -> File {
        file!("matmul_small_batch.wgsl")
    }

    fn entry_point(&self) -> &'static str {
        "matmul_small_batch"
    }

    fn name(&self) -> String {
        format!("small_batch_{}", self.rows)
    }

    fn loads_whole_blocks(&self) -> bool {
        true
    }

    fn constants(&self, _: Sum) -> Vec<(&'static str, Constant)> {
        let constants = [
            ("TILE_ROWS", self.rows),
            ("QUADS", QUADS),
            ("SLICES", SLICES),
        ];
        constants
            .map(|(name, value)| (name, Constant::U32(value)))
            .to_vec()
    }

    fn workgroup(&self) -> [u32; 3] {
        [QUADS * SLICES, 1, 1]
    }

    fn shared_bytes(&self) -> u32 {
        16 * QUADS * SLICES
    }

    fn tile(&self) -> [u32; 2] {
        [self.rows, 4 * QUADS]
    }

    fn loops(&self) -> Loops {
        Loops {
            iterations: 1 + self.rows,
            terms: 4 * SLICES,
        }
    }

    /// Too few rows to be a weight gradient, so never beside db.
    fn sums_columns(&self) -> bool {
        false
    }

    fn serves(&self, shape: Shape, operation: Operation, capabilities: &Capabilities) -> bool {
        let [rows, ..] = operation.product(shape);
        matches!(operation, Operation::Forward | Operation::InputGrad)
            && self.rows.is_power_of_two()
            && self.rows <= MOST_ROWS
            && rows <= self.rows
            && capabilities.max_invocations >= QUADS * SLICES
            && capabilities.max_workgroup_bytes >= self.shared_bytes()
    }

    fn nanoseconds(&self, work: &Work<'_>) -> f64 {
        let [rows, columns] = self.tile();
        let [m, _, n] = work.product;
        let launch = Launch {
            workgroups: self.workgroups(m, n),
            threads: QUADS * SLICES,
            registers: (32 + 4 * self.rows) * QUADS * SLICES,
            shared_bytes: self.shared_bytes(),
            results: rows * columns,
            step: 4 * SLICES,
            efficiency: 0.2,
            prefetches: false,
        };
        hardware(work, &launch, self.tile())
    }
}

impl fmt::Display for SmallBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "small batch of {}", self.rows)
    }
}
