//! `matmul_cooperative.wgsl`: for GPUs with matrix units, both factors staged as f16.

use std::fmt;

use super::cost::Work;
use super::hardware::hardware;
use super::launch::Launch;
use super::room::{Loops, Room, Sum, is_product};
use crate::device::MatrixUnits;
use crate::kernel::{Constant, File, file};
use crate::linear::capabilities::Capabilities;
use crate::linear::shape::{Operation, Shape};

/// Square tiles of both factors, multiplied by the matrix units of the adapter. Factors of f32 are
/// rounded to f16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cooperative {
    /// How the units multiply. Subgroups may have fewer threads, so many times fewer: several of them
    /// then do the same.
    pub units: MatrixUnits,
    /// Matrices of sums that a subgroup owns, along rows and along columns: 2 or 4.
    pub owned: u32,
}

/// Subgroups of a workgroup, two by two.
const SUBGROUPS: u32 = 4;
/// Terms that are staged at a time.
const DEPTH: u32 = 16;
/// From one row of a staged tile to the next, in elements.
const STRIDE: u32 = DEPTH + 8;

/// Large tiles first, which read each element less often.
pub(super) fn candidates(units: MatrixUnits) -> impl Iterator<Item = Cooperative> {
    let tiles = [4, 2].map(|owned| Cooperative { units, owned });
    tiles.into_iter().filter(|tile| tile.stages_everything())
}

/// Of every kind of units that there is.
pub(super) fn examples() -> impl Iterator<Item = Cooperative> {
    let kinds = [[16, 32], [16, 64], [8, 32], [8, 8]];
    let units = kinds.map(|[size, lanes]| MatrixUnits { size, lanes });
    units.into_iter().flat_map(candidates)
}

impl Cooperative {
    /// Rows and columns of a tile.
    fn side(self) -> u32 {
        2 * self.owned * self.units.size
    }

    fn threads(self) -> u32 {
        SUBGROUPS * self.units.lanes
    }

    fn is_for(self, units: MatrixUnits) -> bool {
        self.units.size == units.size && self.units.lanes.is_multiple_of(units.lanes)
    }

    /// Whether there are threads for all blocks of a tile: as many as its side.
    fn stages_everything(self) -> bool {
        self.threads() >= self.side()
    }
}

impl Room for Cooperative {
    fn file(&self) -> File {
        file!("matmul_cooperative.wgsl")
    }

    fn entry_point(&self) -> &'static str {
        "matmul_cooperative"
    }

    fn name(&self) -> String {
        let MatrixUnits { size, lanes } = self.units;
        format!("cooperative_{}_of_{size}_by_{lanes}", self.side())
    }

    fn choices(&self) -> &'static [File] {
        const EIGHT: &[File] = &[file!("parts/matrices/8.wgsl")];
        const SIXTEEN: &[File] = &[file!("parts/matrices/16.wgsl")];
        match self.units.size {
            8 => EIGHT,
            _ => SIXTEEN,
        }
    }

    fn loads_whole_blocks(&self) -> bool {
        true
    }

    fn constants(&self, _: Sum) -> Vec<(&'static str, Constant)> {
        let constants = [("LANES", self.units.lanes), ("OWNED", self.owned)];
        let constants = constants.map(|(name, value)| (name, Constant::U32(value)));
        constants.to_vec()
    }

    fn workgroup(&self) -> [u32; 3] {
        [self.threads(), 1, 1]
    }

    /// Two tiles of f16, and a matrix of f32 for each subgroup.
    fn shared_bytes(&self) -> u32 {
        2 * 2 * self.side() * STRIDE + 4 * SUBGROUPS * self.units.size.pow(2)
    }

    fn tile(&self) -> [u32; 2] {
        [self.side(); 2]
    }

    fn loops(&self) -> Loops {
        Loops {
            iterations: 1,
            terms: DEPTH,
        }
    }

    fn serves(&self, _: Shape, operation: Operation, capabilities: &Capabilities) -> bool {
        is_product(operation)
            && capabilities.rounds_factors
            && capabilities
                .matrix_units
                .is_some_and(|units| self.is_for(units))
            && matches!(self.owned, 2 | 4)
            && self.stages_everything()
            && self.threads() <= capabilities.max_invocations
            && self.shared_bytes() <= capabilities.max_workgroup_bytes
    }

    /// Registers as RADV and NVK give them. What share of the units' multiply-adds it reaches no
    /// machine has told yet: half of the share that the instructions of its inner loop leave them.
    fn nanoseconds(&self, work: &Work<'_>) -> f64 {
        let processor = &work.capabilities.processor;
        if processor.matrix_multiply_adds == 0 {
            return f64::INFINITY;
        }
        let [units, others] = [processor.matrix_multiply_adds, processor.multiply_adds];
        let times_as_fast = f64::from(units) / f64::from(others);
        let share = if self.owned == 4 { 0.4 } else { 0.2 };
        let [m, _, n] = work.product;
        let launch = Launch {
            workgroups: self.workgroups(m, n),
            threads: self.threads(),
            registers: self.threads() * if self.owned == 4 { 192 } else { 96 },
            shared_bytes: self.shared_bytes(),
            results: self.side().pow(2),
            step: DEPTH,
            efficiency: times_as_fast * share,
            prefetches: true,
        };
        hardware(work, &launch, self.tile())
    }
}

impl fmt::Display for Cooperative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (side, size) = (self.side(), self.units.size);
        write!(f, "cooperative {side}×{side} of {size}×{size}")
    }
}
