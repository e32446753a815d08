//! `matmul_tiled.wgsl`: for GPUs, both factors staged in workgroup memory.

use std::fmt;

use super::cost::Work;
use super::hardware::hardware;
use super::launch::Launch;
use super::room::{Loops, Room, Sum, is_product};
use crate::kernel::{Constant, File, file};
use crate::linear::capabilities::Capabilities;
use crate::linear::shape::{Operation, Shape};

/// Square tiles of both factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tiled {
    /// Rows and columns of a tile: 128, 64 or 32.
    pub side: u32,
    /// Whether the next tiles are loaded while these are multiplied: twice the workgroup memory, and
    /// one barrier a step instead of two.
    pub prefetch: bool,
}

/// Large products want large tiles, which read each element less often.
const SIDES: [u32; 3] = [128, 64, 32];
/// Terms that are staged at a time.
const DEPTH: u32 = 16;

pub(super) fn candidates() -> impl Iterator<Item = Tiled> {
    let prefetched = SIDES.map(|side| Tiled {
        side,
        prefetch: true,
    });
    SIDES.map(Tiled::new).into_iter().chain(prefetched)
}

impl Tiled {
    /// Square tiles of `side` rows and columns, loaded when they are needed.
    #[must_use]
    pub const fn new(side: u32) -> Self {
        Self {
            side,
            prefetch: false,
        }
    }

    /// Blocks of 4 rows, and vectors of 4 columns, that a thread owns.
    fn owned(self) -> [u32; 2] {
        match self.side {
            128 => [2, 2],
            64 => [2, 1],
            _ => [1, 1],
        }
    }

    /// Of tiles, one of each factor, in workgroup memory.
    fn pairs(self) -> u32 {
        1 + u32::from(self.prefetch)
    }

    fn threads(self) -> u32 {
        let [quads, vectors] = self.owned();
        (self.side / 4).pow(2) / (quads * vectors)
    }
}

impl Room for Tiled {
    fn file(&self) -> File {
        file!("matmul_tiled.wgsl")
    }

    fn entry_point(&self) -> &'static str {
        "matmul_tiled"
    }

    fn name(&self) -> String {
        let prefetch = if self.prefetch { "_prefetch" } else { "" };
        format!("tiled_{}{prefetch}", self.side)
    }

    fn loads_whole_blocks(&self) -> bool {
        true
    }

    fn constants(&self, _: Sum) -> Vec<(&'static str, Constant)> {
        let [quads, vectors] = self.owned();
        let constants = [
            ("TILE_ROWS", self.side),
            ("TILE_COLUMNS", self.side),
            ("QUADS", quads),
            ("VECTORS", vectors),
            ("PAIRS", self.pairs()),
        ];
        let constants = constants.map(|(name, value)| (name, Constant::U32(value)));
        constants.to_vec()
    }

    fn workgroup(&self) -> [u32; 3] {
        [self.threads(), 1, 1]
    }

    fn shared_bytes(&self) -> u32 {
        self.pairs() * 2 * self.side * DEPTH * 4
    }

    fn tile(&self) -> [u32; 2] {
        [self.side, self.side]
    }

    fn loops(&self) -> Loops {
        Loops {
            iterations: 1,
            terms: DEPTH,
        }
    }

    fn serves(&self, _: Shape, operation: Operation, capabilities: &Capabilities) -> bool {
        is_product(operation)
            && SIDES.contains(&self.side)
            && self.side <= capabilities.processor.largest_tile
            && capabilities.max_invocations >= 256
            && self.shared_bytes() <= capabilities.max_workgroup_bytes
    }

    /// Registers as NVIDIA's driver gives them, and the share of multiply-adds that an H200 reaches.
    fn nanoseconds(&self, work: &Work<'_>) -> f64 {
        let (registers, efficiency) = match (self.side, self.prefetch) {
            (128, true) => (43_008, 0.87),
            (128, false) => (43_008, 0.72),
            (64, _) => (14_336, 0.64),
            _ => (5_632, 0.45),
        };
        let [m, _, n] = work.product;
        let [width, height, _] = self.workgroup();
        let launch = Launch {
            workgroups: self.workgroups(m, n),
            threads: width * height,
            registers,
            shared_bytes: self.shared_bytes(),
            results: self.side.pow(2),
            step: DEPTH,
            efficiency,
            prefetches: self.prefetch,
        };
        hardware(work, &launch, self.tile())
    }
}

impl fmt::Display for Tiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefetch = if self.prefetch { ", prefetched" } else { "" };
        write!(f, "tiled {0}×{0}{prefetch}", self.side)
    }
}
