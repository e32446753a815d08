//! The kernels of the matrix products: an algorithm with the operands and the epilogue of one of
//! the operations.

use std::borrow::Cow;

use super::activation::Activation;
use super::algorithms::{self, Algorithm, Sum, bias_grad_kernels, sum_slabs};
use super::dims::ProductDims;
use super::elements::Elements;
use crate::kernel::{Binding, Constant, ElementType, File, Kernel, file};

/// Bindings of every matrix product, in order. What an operation does not use is bound to a few
/// spare bytes.
pub(super) const BINDINGS: &[Binding] = &[
    Binding::dims::<ProductDims>(),
    Binding::read(1, "left"),
    Binding::read(2, "right"),
    Binding::read(3, "bias"),
    Binding::read(4, "t"),
    Binding::write(5, "product"),
    Binding::write(6, "activated"),
    Binding::write(7, "db"),
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
    pub(super) elements: Elements,
    /// The left factor is stored as k × m.
    pub(super) left_is_transposed: bool,
    /// The right factor is stored as n × k.
    pub(super) right_is_transposed: bool,
    /// Every row of every operand is a multiple of 4 elements.
    pub(super) aligned: bool,
    /// Every row of the left factor is.
    pub(super) left_aligned: bool,
    /// Four elements are loaded as two words of 64 bits.
    pub(super) wide_loads: bool,
    pub(super) add_bias: bool,
    /// Also store f(product).
    pub(super) activate: Option<Activation>,
    /// Store f(product) in its place.
    pub(super) activate_alone: Option<Activation>,
    /// Multiply by f′(t).
    pub(super) times_slope: Option<Activation>,
    /// Also sum the columns of the right factor.
    pub(super) sum_columns: bool,
    /// Terms of each sum.
    pub(super) terms: u32,
    /// Columns of the product.
    pub(super) columns: u32,
    /// Not the first pass of a long sum: add to what is there, and no bias.
    pub(super) accumulate: bool,
    /// More passes follow: no activation yet.
    pub(super) unfinished: bool,
}

impl Variant {
    /// The kernel that multiplies: into the product, or into slabs.
    pub(super) fn multiply(&self, algorithm: Algorithm, to_slab: bool) -> Kernel {
        let room = algorithm.room();
        let sum = Sum {
            terms: self.terms,
            columns: self.columns,
            aligned: self.aligned,
            has_short_epilogue: self.function(to_slab).is_none_or(Activation::is_short),
        };
        let mut constants = room.constants(sum);
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
        let mut choices = [&self.choices(to_slab), room.choices()].concat();
        if room.loads_whole_blocks() {
            choices.extend(self.of_whole_blocks());
        }
        let bindings = if room.sums_columns() {
            BINDINGS
        } else {
            BINDINGS.split_at(7).0
        };
        Kernel {
            label: self.label,
            variant: Cow::Owned(self.name(&room.name(), &constants, to_slab)),
            file: room.file(),
            choices: Cow::Owned(choices),
            entry_point: room.entry_point(),
            constants: Cow::Owned(self.all_constants(constants, to_slab)),
            workgroup: room.workgroup(),
            shared_bytes: room.shared_bytes(),
            bindings,
            trusted: true,
        }
    }

    /// The kernel that adds slabs up.
    pub(super) fn sum_slabs(&self, slabs: u32) -> Kernel {
        let room = sum_slabs();
        // What it loads as the left factor are slabs, in rows like those of the product.
        let of_slabs = Self {
            left_aligned: self.aligned,
            elements: Elements {
                results: self.elements.results,
                ..Elements::default()
            },
            ..*self
        };
        let constants = room.constants(slabs);
        Kernel {
            label: self.label,
            variant: Cow::Owned(of_slabs.name(&room.name(slabs), &constants, false)),
            file: room.file,
            choices: Cow::Owned(of_slabs.choices(false)),
            entry_point: room.entry_point,
            constants: Cow::Owned(of_slabs.all_constants(constants, false)),
            workgroup: room.workgroup,
            shared_bytes: 0,
            bindings: SUM_BINDINGS,
            trusted: true,
        }
    }

    /// Those of the algorithm, and whatever else is switched on.
    fn all_constants(
        &self,
        of_algorithm: Vec<(&'static str, Constant)>,
        to_slab: bool,
    ) -> Vec<(&'static str, Constant)> {
        let mut constants = [of_algorithm, self.epilogue(to_slab)].concat();
        constants.extend(self.stored(to_slab).aliases());
        constants
    }

    /// Slabs are f32.
    fn stored(&self, to_slab: bool) -> Elements {
        match to_slab {
            true => Elements {
                results: ElementType::F32,
                ..self.elements
            },
            false => self.elements,
        }
    }

    /// The activation that the kernel applies, or whose slope it multiplies by.
    fn function(&self, to_slab: bool) -> Option<Activation> {
        let wanted = !self.unfinished && !to_slab;
        let function = self.activate.or(self.activate_alone);
        function.or(self.times_slope).filter(|_| wanted)
    }

    /// The files of operands and activation.
    fn choices(&self, to_slab: bool) -> Vec<File> {
        let operands = [
            file!("parts/operands/vec4.wgsl"),
            file!("parts/operands/f32.wgsl"),
        ];
        let left = [
            file!("parts/left_factor/vec4.wgsl"),
            file!("parts/left_factor/f32.wgsl"),
        ];
        let fours = match (self.aligned || self.left_aligned, self.wide_loads) {
            (false, _) => None,
            (true, false) => Some(file!("parts/fours/f32.wgsl")),
            (true, true) => Some(file!("parts/fours/u64.wgsl")),
        };
        let function = self.function(to_slab).unwrap_or(Activation::Identity);
        let chosen = [
            by_width(self.aligned, operands),
            by_width(self.left_aligned, left),
            function.file(),
        ];
        chosen.into_iter().chain(fours).collect()
    }

    /// The files by which whole blocks are loaded.
    fn of_whole_blocks(&self) -> [File; 2] {
        let left = [
            file!("parts/left_four/vec4.wgsl"),
            file!("parts/left_four/f32.wgsl"),
        ];
        let right = [
            file!("parts/right_four/vec4.wgsl"),
            file!("parts/right_four/f32.wgsl"),
        ];
        [
            by_width(self.left_aligned, left),
            by_width(self.aligned, right),
        ]
    }

    fn epilogue(&self, to_slab: bool) -> Vec<(&'static str, Constant)> {
        let finished = !self.unfinished;
        let constants = if to_slab {
            vec![("TO_SLAB", true)]
        } else {
            vec![
                ("ADD_BIAS", self.add_bias && !self.accumulate),
                ("ACCUMULATE", self.accumulate),
                ("ACTIVATE", self.activate.is_some() && finished),
                ("TIMES_SLOPE", self.times_slope.is_some() && finished),
                ("ACTIVATE_ALONE", self.activate_alone.is_some() && finished),
            ]
        };
        [("SUM_COLUMNS", self.sum_columns)]
            .into_iter()
            .chain(constants)
            .map(|(name, value)| (name, Constant::Bool(value)))
            .collect()
    }

    /// For the name of the kernel: the algorithm, the width of loads, and whatever is switched on.
    fn name(
        &self,
        algorithm: &str,
        constants: &[(&'static str, Constant)],
        to_slab: bool,
    ) -> String {
        let width = match (self.aligned, self.left_aligned) {
            (true, _) => "vec4",
            (false, true) => "f32-left_vec4",
            (false, false) => "f32",
        };
        let mut words = vec![algorithm.to_owned(), width.to_owned()];
        if self.wide_loads && (self.aligned || self.left_aligned) {
            words.push("by_twos".to_owned());
        }
        let constants = [constants, &self.epilogue(to_slab)].concat();
        let is_on = |(name, value): &(&str, Constant)| {
            *value == Constant::Bool(true) && !name.ends_with("TRANSPOSED")
        };
        words.extend(
            constants
                .iter()
                .filter(|constant| is_on(constant))
                .map(|(name, _)| name.to_lowercase()),
        );
        words.extend(self.stored(to_slab).words().map(str::to_owned));
        words.extend(self.function(to_slab).map(|f| f.name().to_owned()));
        words.join("-")
    }
}

/// The file for rows of a multiple of 4 elements, or that for all others.
fn by_width(aligned: bool, [vec4, f32]: [File; 2]) -> File {
    if aligned { vec4 } else { f32 }
}

pub(super) const FORWARD: &str = "wgpu_linear::forward";
pub(super) const INPUT_GRAD: &str = "wgpu_linear::input_grad";
pub(super) const WEIGHT_GRAD: &str = "wgpu_linear::weight_grad";

/// Every algorithm with every layout of its operands, and every epilogue; for [`crate::kernels`].
pub(crate) fn all() -> Vec<Kernel> {
    let mut kernels = bias_grad_kernels().to_vec();
    for [aligned, left_aligned] in [[true, true], [false, true], [false, false]] {
        for variant in &variants(aligned, left_aligned) {
            let fits = |algorithm: &Algorithm| {
                !variant.left_is_transposed || algorithm.room().sums_columns()
            };
            for algorithm in algorithms::examples().into_iter().filter(fits) {
                kernels.push(variant.multiply(algorithm, false));
                // Slabs do not know of activations.
                if variant.function(false).is_none() {
                    kernels.push(variant.multiply(algorithm, true));
                    let later = Variant {
                        accumulate: true,
                        ..*variant
                    };
                    kernels.push(later.multiply(algorithm, false));
                }
            }
            if left_aligned && variant.function(false).is_none() {
                let wide = Variant {
                    wide_loads: true,
                    ..*variant
                };
                kernels.push(wide.multiply(Algorithm::Naive, false));
            }
            // Without db that of a weight gradient is that of an input gradient.
            let sums_alike = variant.left_is_transposed && !variant.sum_columns;
            if left_aligned == aligned && !sums_alike {
                kernels.extend([2, 4, 8].map(|slabs| variant.sum_slabs(slabs)));
            }
        }
        kernels.extend(of_f16(aligned, left_aligned));
    }
    kernels
}

/// Of matrices of f16: every algorithm, with an epilogue where there is one, and its slabs; and a
/// few of factors that are stored in different ways.
fn of_f16(aligned: bool, left_aligned: bool) -> Vec<Kernel> {
    let [_, forward, _, _, input_grad, weight_grad, _] = variants(aligned, left_aligned);
    let stored = |variant: Variant, [left, right, results]: [ElementType; 3]| Variant {
        elements: Elements {
            left,
            right,
            results,
        },
        ..variant
    };
    let (f16, f32) = (ElementType::F16, ElementType::F32);
    let mut kernels = Vec::new();
    for variant in [forward, input_grad, weight_grad] {
        let whole = stored(variant, [f16; 3]);
        let fits =
            |algorithm: &Algorithm| !variant.left_is_transposed || algorithm.room().sums_columns();
        let algorithms = algorithms::examples().into_iter().filter(fits);
        kernels.extend(algorithms.map(|algorithm| whole.multiply(algorithm, false)));
        kernels.push(whole.multiply(Algorithm::Naive, true));
        let mixed = match variant.left_is_transposed {
            true => [f16, f16, f32],
            false => [f16, f32, f16],
        };
        let mixed = stored(variant, mixed);
        kernels.push(mixed.multiply(Algorithm::Naive, false));
        for algorithm in algorithms::cooperative_examples() {
            kernels.push(whole.multiply(algorithm, false));
            kernels.push(mixed.multiply(algorithm, false));
            kernels.push(whole.multiply(algorithm, true));
        }
        // The sum of slabs knows no left factor.
        if left_aligned == aligned {
            kernels.push(whole.sum_slabs(1));
        }
    }
    kernels
}

fn variants(aligned: bool, left_aligned: bool) -> [Variant; 7] {
    let forward = Variant {
        label: FORWARD,
        aligned,
        left_aligned,
        add_bias: true,
        terms: 1024,
        ..Variant::default()
    };
    let input_grad = Variant {
        label: INPUT_GRAD,
        aligned,
        left_aligned,
        right_is_transposed: true,
        terms: 1024,
        ..Variant::default()
    };
    let weight_grad = Variant {
        label: WEIGHT_GRAD,
        aligned,
        left_aligned,
        left_is_transposed: true,
        sum_columns: true,
        // Few, as in small batches.
        terms: 16,
        ..Variant::default()
    };
    let gelu = Some(Activation::Gelu);
    [
        forward,
        Variant {
            activate: gelu,
            ..forward
        },
        Variant {
            activate_alone: gelu,
            ..forward
        },
        input_grad,
        Variant {
            times_slope: gelu,
            ..input_grad
        },
        weight_grad,
        Variant {
            sum_columns: false,
            ..weight_grad
        },
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::linear::capabilities::Capabilities;
    use crate::linear::shape::{Operation, Shape};

    /// The value of a constant expression of the shader, as naga evaluates it.
    fn constant(module: &naga::Module, name: &str) -> Option<u32> {
        let (_, found) = module
            .constants
            .iter()
            .find(|(_, constant)| constant.name.as_deref() == Some(name))?;
        match module.global_expressions[found.init] {
            naga::Expression::Literal(naga::Literal::U32(value)) => Some(value),
            _ => None,
        }
    }

    /// `scripts/isa` compiles what [`crate::kernels`] lists.
    #[test]
    fn all_has_every_algorithm_for_hardware_also_into_slabs() {
        let names: Vec<_> = all().iter().map(Kernel::name).collect();
        let hardware = Capabilities::hardware();
        for batch in [1, 2, 3, 4, 7, 8, 9, 4096] {
            for operation in [
                Operation::Forward,
                Operation::InputGrad,
                Operation::WeightGrad,
            ] {
                let shape = Shape {
                    batch,
                    inputs: 4096,
                    outputs: 4096,
                };
                for algorithm in algorithms::candidates(shape, operation, &hardware) {
                    let variant = match operation {
                        Operation::InputGrad => variants(true, true)[3],
                        Operation::WeightGrad => variants(true, true)[5],
                        _ => variants(true, true)[0],
                    };
                    for to_slab in [false, true] {
                        let name = variant.multiply(algorithm, to_slab).name();
                        assert!(names.contains(&name), "{name}");
                    }
                }
            }
        }
    }

    #[test]
    fn kernels_are_named_by_operation_files_and_what_is_on() {
        let naive = |variant: Variant| variant.multiply(Algorithm::Naive, false);
        let [forward, activated, .., grad, _] = variants(false, true).map(naive);
        let end = |kernel: &Kernel| kernel.name().split_once("-f32").unwrap().1.to_owned();
        assert_eq!(end(&forward), "-left_vec4-add_bias");
        assert_eq!(end(&activated), "-left_vec4-add_bias-activate-gelu");
        assert_eq!(end(&grad), "-left_vec4-sum_columns");
        let labels: BTreeSet<_> = all().iter().map(|kernel| kernel.label).collect();
        let wanted = [
            FORWARD,
            INPUT_GRAD,
            WEIGHT_GRAD,
            bias_grad_kernels()[0].label,
        ];
        assert_eq!(labels, BTreeSet::from(wanted));
    }

    #[test]
    fn tiles_of_the_host_are_those_of_the_shaders() {
        let variant = variants(true, true)[0];
        for algorithm in algorithms::examples()
            .into_iter()
            .chain(algorithms::cooperative_examples())
        {
            let wgsl = variant.multiply(algorithm, false).wgsl().unwrap();
            let module = naga::front::wgsl::parse_str(&wgsl).unwrap();
            let tile = ["TILE_ROWS", "TILE_COLUMNS"].map(|name| constant(&module, name));
            assert_eq!(tile, algorithm.tile().map(Some), "{algorithm}");
        }
        let module = naga::front::wgsl::parse_str(&bias_grad_kernels()[0].wgsl().unwrap()).unwrap();
        let [_, columns] = Algorithm::SumRows.tile();
        assert_eq!(constant(&module, "COLUMNS"), Some(columns));
    }
}
