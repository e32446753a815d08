//! `sum_slabs.wgsl`: the second half of a product whose terms were dealt out to several slabs.

use super::cost::Work;
use super::launch::{Launch, Traffic};
use crate::kernel::{Constant, File, file};

/// Threads of a workgroup, and columns of each.
const WORKGROUP: u32 = 64;
const COLUMNS: u32 = 4;
/// Slabs that a thread loads before it adds the first, where there are so many.
const AT_ONCE: u32 = 8;

/// What the host knows of the kernel that adds slabs up.
pub(in crate::linear) struct SumSlabs {
    pub(in crate::linear) file: File,
    pub(in crate::linear) entry_point: &'static str,
    pub(in crate::linear) workgroup: [u32; 3],
}

pub(in crate::linear) fn sum_slabs() -> SumSlabs {
    SumSlabs {
        file: file!("sum_slabs.wgsl"),
        entry_point: "sum_slabs",
        workgroup: [WORKGROUP, 1, 1],
    }
}

impl SumSlabs {
    fn at_once(slabs: u32) -> u32 {
        slabs.clamp(1, AT_ONCE).next_power_of_two()
    }

    /// A word without spaces, for the names of kernels.
    pub(in crate::linear) fn name(&self, slabs: u32) -> String {
        format!("sum_slabs_{}", Self::at_once(slabs))
    }

    pub(in crate::linear) fn constants(&self, slabs: u32) -> Vec<(&'static str, Constant)> {
        vec![
            ("WORKGROUP", Constant::U32(WORKGROUP)),
            ("AT_ONCE", Constant::U32(Self::at_once(slabs))),
        ]
    }

    /// Workgroups for slabs of `rows` × `columns`.
    pub(in crate::linear) fn workgroups(&self, rows: u32, columns: u32) -> u64 {
        let quads = u64::from(rows) * u64::from(columns.div_ceil(COLUMNS));
        quads.div_ceil(u64::from(WORKGROUP))
    }

    /// Estimated time on hardware. Its terms are slabs.
    pub(super) fn nanoseconds(&self, work: &Work<'_>) -> f64 {
        let [m, _, n] = work.product;
        let launch = Launch {
            workgroups: self.workgroups(m, n),
            threads: WORKGROUP,
            registers: 48 * WORKGROUP,
            shared_bytes: 0,
            results: WORKGROUP * COLUMNS,
            step: AT_ONCE,
            efficiency: 0.2,
            prefetches: false,
        };
        let bytes = 4.0 * f64::from(m) * f64::from(n) * f64::from(work.slabs + 1);
        let traffic = Traffic {
            once: bytes,
            asked: bytes,
        };
        launch.nanoseconds(work.slabs, 1, &traffic, work.capabilities)
    }
}
