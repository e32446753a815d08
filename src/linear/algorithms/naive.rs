//! `matmul_naive.wgsl`: each thread reads what it needs; for products too small to stage.

use std::fmt;

use super::cost::{Work, software};
use super::hardware::hardware;
use super::launch::Launch;
use super::room::{Loops, Room, Sum, is_product};
use crate::kernel::{Constant, File, file};
use crate::linear::capabilities::Capabilities;
use crate::linear::shape::{Operation, Shape};

pub(super) struct Naive;

/// Threads of a workgroup.
const WORKGROUP: u32 = 64;
/// What a thread takes on SwiftShader for four terms of its sixteen sums, and to store these, in ns
/// of one core: measured at 256³ on an AMD EPYC. Loads take most of it.
const SOFTWARE_STEP: f64 = 110.0;

impl Room for Naive {
    fn file(&self) -> File {
        file!("matmul_naive.wgsl")
    }

    fn entry_point(&self) -> &'static str {
        "matmul_naive"
    }

    fn name(&self) -> String {
        "naive".to_owned()
    }

    fn loads_whole_blocks(&self) -> bool {
        true
    }

    fn constants(&self, _: Sum) -> Vec<(&'static str, Constant)> {
        vec![("WORKGROUP", Constant::U32(WORKGROUP))]
    }

    fn workgroup(&self) -> [u32; 3] {
        [WORKGROUP, 1, 1]
    }

    /// Of a thread: its block.
    fn tile(&self) -> [u32; 2] {
        [4, 4]
    }

    /// Blocks are numbered across rows.
    fn workgroups(&self, rows: u32, columns: u32) -> u64 {
        self.tiles(rows, columns).div_ceil(u64::from(WORKGROUP))
    }

    fn loops(&self) -> Loops {
        Loops {
            iterations: 1,
            terms: 4,
        }
    }

    fn serves(&self, _: Shape, operation: Operation, capabilities: &Capabilities) -> bool {
        is_product(operation) && WORKGROUP <= capabilities.max_invocations
    }

    fn nanoseconds(&self, work: &Work<'_>) -> f64 {
        let [rows, columns] = self.tile();
        let [m, k, n] = work.product;
        if work.capabilities.is_software() {
            let steps = f64::from(k.div_ceil(4)) / f64::from(work.slabs);
            let workgroup = f64::from(WORKGROUP) * (steps + 1.0) * SOFTWARE_STEP;
            return software(work, self.workgroups(m, n), workgroup);
        }
        let launch = Launch {
            workgroups: self.workgroups(m, n),
            threads: WORKGROUP,
            registers: 64 * WORKGROUP,
            shared_bytes: 0,
            results: rows * columns * WORKGROUP,
            step: 4,
            efficiency: 0.2,
            prefetches: false,
        };
        hardware(work, &launch, self.tile())
    }
}

impl fmt::Display for Naive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("naive")
    }
}
