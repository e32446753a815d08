//! `matmul_broadcast.wgsl`: no barriers and no staged tiles, for adapters that run on the CPU.

use std::fmt;

use super::cost::{SOFTWARE_LOAD, Work, like_llvmpipe};
use super::room::{Loops, Room, Sum, is_product};
use crate::kernel::{Constant, File, file};
use crate::linear::capabilities::Capabilities;
use crate::linear::shape::{Operation, Shape};

/// Rows by the eight, columns by the vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Broadcast {
    /// Groups of 8 rows that a thread owns.
    pub groups: u32,
    /// Vectors of 4 columns that a thread owns.
    pub vectors: u32,
    /// Whether threads hand each other the left factor through subgroups.
    pub shuffle: bool,
}

/// Up to so many terms, storing a result takes about as long as adding it up; where all tiles are
/// whole, up to twice as many.
const FEW_TERMS: u32 = 32;
/// Groups and vectors.
const GEOMETRIES: [(u32, u32); 6] = [(1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 2)];
/// For few rows: wider, so that what is read of a row of the right factor is longer than a cache
/// line or two.
const FLAT_GEOMETRIES: [(u32, u32); 3] = [(1, 1), (1, 2), (1, 4)];
/// Up to so many rows.
const FEW_ROWS: u32 = 8;

pub(super) fn candidates(
    rows: u32,
    capabilities: &Capabilities,
) -> impl Iterator<Item = Broadcast> + use<> {
    let shuffle = capabilities.shuffles();
    let most_groups = capabilities.most_unrolled;
    let geometries: &[_] = if rows <= FEW_ROWS {
        &FLAT_GEOMETRIES
    } else {
        &GEOMETRIES
    };
    let written_out = geometries
        .iter()
        .filter(move |(groups, _)| *groups <= most_groups);
    written_out.map(move |&(groups, vectors)| Broadcast {
        groups,
        vectors,
        shuffle,
    })
}

pub(super) fn examples() -> [Broadcast; 2] {
    let example = |groups, vectors, shuffle| Broadcast {
        groups,
        vectors,
        shuffle,
    };
    [example(4, 2, true), example(2, 1, false)]
}

impl Broadcast {
    /// How threads get at the left factor, in a word.
    fn way(self) -> &'static str {
        if self.shuffle { "shuffle" } else { "broadcast" }
    }

    /// Threads of a workgroup.
    fn lanes(self) -> u32 {
        if self.shuffle { 8 } else { 16 }
    }
}

impl Room for Broadcast {
    fn file(&self) -> File {
        file!("matmul_broadcast.wgsl")
    }

    fn entry_point(&self) -> &'static str {
        "matmul_broadcast"
    }

    fn name(&self) -> String {
        let [rows, columns] = self.tile();
        let way = self.way();
        format!("{way}_{rows}x{columns}")
    }

    fn choices(&self) -> &'static [File] {
        if self.shuffle {
            &[file!("parts/left/by_shuffle.wgsl")]
        } else {
            &[file!("parts/left/by_load.wgsl")]
        }
    }

    fn constants(&self, sum: Sum) -> Vec<(&'static str, Constant)> {
        let [_, columns] = self.tile();
        let few = FEW_TERMS << u32::from(sum.columns.is_multiple_of(columns));
        let directly = sum.aligned && sum.terms <= few && sum.has_short_epilogue;
        vec![
            ("GROUPS", Constant::U32(self.groups)),
            ("VECTORS", Constant::U32(self.vectors)),
            ("LANES", Constant::U32(self.lanes())),
            ("STORE_DIRECTLY", Constant::Bool(directly)),
        ]
    }

    fn workgroup(&self) -> [u32; 3] {
        [self.lanes(), 1, 1]
    }

    /// A vec4 for each row and vector of each thread, unless they are stored directly.
    fn shared_bytes(&self) -> u32 {
        16 * 8 * self.groups * self.vectors * self.lanes()
    }

    fn tile(&self) -> [u32; 2] {
        [8 * self.groups, 4 * self.vectors * self.lanes()]
    }

    fn loops(&self) -> Loops {
        Loops {
            iterations: 1 + self.vectors + self.groups * (1 + self.vectors * 9),
            terms: 4,
        }
    }

    fn serves(&self, _: Shape, operation: Operation, capabilities: &Capabilities) -> bool {
        let geometry = (self.groups, self.vectors);
        is_product(operation)
            && (GEOMETRIES.contains(&geometry) || FLAT_GEOMETRIES.contains(&geometry))
            && (!self.shuffle || capabilities.shuffles())
            && self.shared_bytes() <= capabilities.max_workgroup_bytes
            && self.lanes() <= capabilities.max_invocations
    }

    /// Fitted to llvmpipe (LLVM 15, 256 bits, Mesa 22.3) on one core of an AMD EPYC: 18 ns for
    /// eight threads to load four elements each, and per vector of 4 columns and row 1.4 ns for a
    /// term and 1.3 ns for an iteration.
    fn nanoseconds(&self, work: &Work<'_>) -> f64 {
        let (g, v) = (f64::from(self.groups), f64::from(self.vectors));
        // Without shuffles all sixteen threads, two registers' worth, load all eight rows.
        let (left_loads, registers) = if self.shuffle {
            (g, 1.0)
        } else {
            (8.0 * g, 2.0)
        };
        let per_four_terms =
            SOFTWARE_LOAD * (left_loads + 4.0 * v) + 8.0 * g * v * (4.0 * 1.4 + 1.3) + 10.0;
        let [m, k, n] = work.product;
        let terms = f64::from(k.div_ceil(4)) / f64::from(work.slabs);
        let store = 8.0 * g * v * SOFTWARE_LOAD * 1.5;
        let tile = registers * (terms * per_four_terms + store);
        like_llvmpipe(work, self.workgroups(m, n), tile)
    }
}

impl fmt::Display for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, columns] = self.tile();
        let way = self.way();
        write!(f, "{way} {rows}×{columns}")
    }
}
