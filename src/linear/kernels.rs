//! The kernels of the four operations: files, entry point, constants and bindings.

use std::borrow::Cow;

use crate::kernel::{Access, Binding, Kernel};
use crate::model::Activation;
use crate::shader::{Constant, File, file};

use super::plan::{Algorithm, SMALL_BATCH_ROWS};

/// Bindings of every matrix product, in order. What an operation does not use is bound to a few spare bytes.
pub(super) const BINDINGS: &[Binding] = &[
    Binding::new(0, "dims", Access::Uniform),
    Binding::new(1, "left", Access::Read),
    Binding::new(2, "right", Access::Read),
    Binding::new(3, "bias", Access::Read),
    Binding::new(4, "t", Access::Read),
    Binding::new(5, "product", Access::ReadWrite),
    Binding::new(6, "activated", Access::ReadWrite),
    Binding::new(7, "db", Access::ReadWrite),
];
/// Those of `sum_slabs`, which has no right factor.
const SUM_BINDINGS: &[Binding] = &[
    BINDINGS[0],
    BINDINGS[1],
    BINDINGS[3],
    BINDINGS[4],
    BINDINGS[5],
    BINDINGS[6],
    BINDINGS[7],
];

/// What distinguishes one matrix product from another, beside its sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Variant {
    pub(super) label: &'static str,
    /// The left factor is stored as k × m.
    pub(super) left_is_transposed: bool,
    /// The right factor is stored as n × k.
    pub(super) right_is_transposed: bool,
    /// Every row of every operand is a multiple of 4 elements.
    pub(super) aligned: bool,
    pub(super) add_bias: bool,
    /// Also store f(product).
    pub(super) activate: Option<Activation>,
    /// Multiply by f′(t).
    pub(super) times_slope: Option<Activation>,
    /// Also sum the columns of the right factor.
    pub(super) sum_columns: bool,
    /// Storing takes as long as adding up.
    pub(super) few_terms: bool,
    /// Not the first pass of a long sum: add to what is there, and no bias.
    pub(super) accumulate: bool,
    /// More passes follow: no activation yet.
    pub(super) unfinished: bool,
}

impl Variant {
    /// The kernel that multiplies: into the product, or into slabs.
    pub(super) fn multiply(&self, algorithm: Algorithm, to_slab: bool) -> Kernel {
        let (main, entry_point, geometry) = match algorithm {
            Algorithm::Tiled { side } => {
                let owned = if side == 128 { 2 } else { 1 };
                let geometry = vec![
                    ("TILE_ROWS", side),
                    ("TILE_COLUMNS", side),
                    ("QUADS", owned),
                    ("VECTORS", owned),
                ];
                (file!("matmul_tiled.wgsl"), "matmul_tiled", geometry)
            }
            Algorithm::Broadcast {
                groups, vectors, ..
            } => {
                let geometry = vec![("GROUPS", groups), ("VECTORS", vectors)];
                (file!("matmul_broadcast.wgsl"), "matmul_broadcast", geometry)
            }
            Algorithm::SmallBatch { rows } => {
                let main = file!("matmul_small_batch.wgsl");
                (main, "matmul_small_batch", vec![("ROWS", rows)])
            }
            Algorithm::Naive | Algorithm::SumRows => {
                (file!("matmul_naive.wgsl"), "matmul_naive", Vec::new())
            }
        };
        let mut files = vec![main, file!("parts/blocks.wgsl")];
        if let Algorithm::Broadcast { shuffle, .. } = algorithm {
            files.push(if shuffle {
                file!("parts/left_by_shuffle.wgsl")
            } else {
                file!("parts/left_by_load.wgsl")
            });
        }
        let mut constants: Vec<_> = geometry
            .into_iter()
            .map(|(name, value)| (name, Constant::U32(value)))
            .collect();
        if matches!(algorithm, Algorithm::Broadcast { .. }) {
            let directly = self.aligned && self.few_terms;
            constants.push(("STORE_DIRECTLY", Constant::Bool(directly)));
        }
        constants.extend([
            (
                "LEFT_IS_TRANSPOSED",
                Constant::Bool(self.left_is_transposed),
            ),
            (
                "RIGHT_IS_TRANSPOSED",
                Constant::Bool(self.right_is_transposed),
            ),
        ]);
        let bindings = match algorithm {
            // Too few rows to be a weight gradient, so never beside db.
            Algorithm::SmallBatch { .. } => BINDINGS.split_at(7).0,
            _ => BINDINGS,
        };
        self.kernel(files, entry_point, constants, bindings, to_slab)
    }

    /// The kernel that adds slabs up.
    pub(super) fn sum_slabs(&self) -> Kernel {
        let files = vec![file!("sum_slabs.wgsl")];
        self.kernel(files, "sum_slabs", Vec::new(), SUM_BINDINGS, false)
    }

    fn kernel(
        &self,
        mut files: Vec<File>,
        entry_point: &'static str,
        mut constants: Vec<(&'static str, Constant)>,
        bindings: &'static [Binding],
        to_slab: bool,
    ) -> Kernel {
        files.extend([
            file!("parts/dims.wgsl"),
            if self.aligned {
                file!("parts/operands_vec4.wgsl")
            } else {
                file!("parts/operands_f32.wgsl")
            },
            file!("parts/activation_functions.wgsl"),
            file!("parts/epilogue.wgsl"),
        ]);
        constants.push(("SUM_COLUMNS", Constant::Bool(self.sum_columns)));
        if to_slab {
            constants.push(("TO_SLAB", Constant::Bool(true)));
        } else {
            let function = self
                .activate
                .or(self.times_slope)
                .filter(|_| !self.unfinished);
            let adds_bias = self.add_bias && !self.accumulate;
            let activates = self.activate.is_some() && !self.unfinished;
            let times_slope = self.times_slope.is_some() && !self.unfinished;
            let kind = function.map_or(0, Activation::kind);
            constants.extend([
                ("ADD_BIAS", Constant::Bool(adds_bias)),
                ("ACCUMULATE", Constant::Bool(self.accumulate)),
                ("ACTIVATE", Constant::Bool(activates)),
                ("TIMES_SLOPE", Constant::Bool(times_slope)),
                ("KIND", Constant::U32(kind)),
            ]);
        }
        Kernel {
            label: self.label,
            files: Cow::Owned(files),
            entry_point,
            constants: Cow::Owned(constants),
            bindings,
            trusted: true,
        }
    }
}

pub(super) const FORWARD: &str = "wgpu_linear::forward";
pub(super) const INPUT_GRAD: &str = "wgpu_linear::input_grad";
pub(super) const WEIGHT_GRAD: &str = "wgpu_linear::weight_grad";

pub(super) const BIAS_GRAD: Kernel = Kernel {
    label: "wgpu_linear::bias_grad",
    files: Cow::Borrowed(&[file!("sum_rows.wgsl")]),
    entry_point: "sum_rows",
    constants: Cow::Borrowed(&[]),
    bindings: &[
        Binding::new(0, "dims", Access::Uniform),
        Binding::new(1, "dt", Access::Read),
        Binding::new(2, "db", Access::ReadWrite),
    ],
    trusted: true,
};

/// Every algorithm with every layout of its operands, and every epilogue once; for [`crate::kernels`].
pub(crate) fn all() -> Vec<Kernel> {
    let broadcast = |groups, vectors, shuffle| Algorithm::Broadcast {
        groups,
        vectors,
        shuffle,
    };
    let algorithms = [
        Algorithm::Tiled { side: 128 },
        Algorithm::Tiled { side: 64 },
        Algorithm::Tiled { side: 32 },
        broadcast(4, 2, true),
        broadcast(2, 1, false),
        Algorithm::SmallBatch { rows: 1 },
        Algorithm::SmallBatch {
            rows: SMALL_BATCH_ROWS,
        },
        Algorithm::Naive,
    ];
    let mut kernels = vec![BIAS_GRAD];
    for aligned in [true, false] {
        let variants = variants(aligned);
        for variant in &variants {
            let fits = |algorithm: &Algorithm| {
                !(variant.left_is_transposed && matches!(algorithm, Algorithm::SmallBatch { .. }))
            };
            let multiply = |algorithm| variant.multiply(algorithm, false);
            kernels.extend(algorithms.into_iter().filter(fits).map(multiply));
            // Slabs do not know of activations.
            if variant.activate.or(variant.times_slope).is_none() {
                kernels.push(variant.multiply(Algorithm::Naive, true));
                let later = Variant {
                    accumulate: true,
                    ..*variant
                };
                kernels.push(later.multiply(Algorithm::Naive, false));
            }
            kernels.push(variant.sum_slabs());
        }
    }
    kernels
}

fn variants(aligned: bool) -> [Variant; 5] {
    let forward = Variant {
        label: FORWARD,
        aligned,
        add_bias: true,
        ..Variant::default()
    };
    let input_grad = Variant {
        label: INPUT_GRAD,
        aligned,
        right_is_transposed: true,
        ..Variant::default()
    };
    let weight_grad = Variant {
        label: WEIGHT_GRAD,
        aligned,
        left_is_transposed: true,
        sum_columns: true,
        few_terms: true,
        ..Variant::default()
    };
    let gelu = Some(Activation::Gelu);
    [
        forward,
        Variant {
            activate: gelu,
            ..forward
        },
        input_grad,
        Variant {
            times_slope: gelu,
            ..input_grad
        },
        weight_grad,
    ]
}
