//! `sum_weights.wgsl` and `parts/weights/`: what the rows of a batch weigh.

use std::borrow::Cow;
use std::ops::Range;

use super::kernels::NetworkKernels;
use crate::kernel::{
    Binding, Constant, Dispatch, File, Kernel, Matrix, Operand, PrepareError, Probe, Uniform,
    Vector, Wanted, expect_vector, file, passes, quarters, uniform,
};

/// Threads of the workgroup.
const LANES: u32 = 256;

/// What the weight of a row is, as a part of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weights {
    /// 1.
    None,
    /// That of its class.
    Classes,
    /// A number behind the values wanted.
    Rows,
}

impl Weights {
    /// Its functions `weight` and `batch_weight` in WGSL.
    pub(super) const fn file(self) -> File {
        match self {
            Self::None => file!("parts/weights/none.wgsl"),
            Self::Classes => file!("parts/weights/classes.wgsl"),
            Self::Rows => file!("parts/weights/rows.wgsl"),
        }
    }
}

/// Operands of [`NetworkKernels::class_weight_sum`].
#[derive(Clone, Copy, Debug)]
pub struct ClassWeightSum<'a> {
    /// The class of each row, u32; one that is not below the number of classes weighs 0. Read.
    pub labels: Vector<'a>,
    /// The weight of each class, as many as there are classes; read.
    pub class_weights: Vector<'a>,
    /// One element, the sum of weights; overwritten.
    pub sum: Vector<'a>,
}

/// Operands of [`NetworkKernels::row_weight_sum`].
#[derive(Clone, Copy, Debug)]
pub struct RowWeightSum<'a> {
    /// The values wanted and, in the last column, the weight of each row; read.
    pub y: Matrix<'a>,
    /// One element, the sum of weights; overwritten.
    pub sum: Vector<'a>,
}

uniform! {
    /// `Dims` in `sum_weights.wgsl`.
    struct Dims {
        first: u32,
        end: u32,
        outputs: u32,
        classes: u32,
    }
}

const CLASS_BINDINGS: &[Binding] = &[
    Binding::dims::<Dims>(),
    Binding::read(1, "labels"),
    Binding::write(3, "sum"),
    Binding::read(5, "class_weights"),
];

const ROW_BINDINGS: &[Binding] = &[
    Binding::dims::<Dims>(),
    Binding::read(2, "y"),
    Binding::write(3, "sum"),
];

fn kernel(label: &'static str, weights: Weights, bindings: &'static [Binding]) -> Kernel {
    const CONSTANTS: &[(&str, Constant)] = &[("LANES", Constant::U32(LANES))];
    let file = (file!("sum_weights.wgsl"), "sum_weights");
    Kernel {
        choices: Cow::Owned(vec![weights.file()]),
        ..Kernel::new(label, file, CONSTANTS, LANES, bindings).sharing(4 * LANES)
    }
}

pub(super) fn class_weight_sum_kernel() -> Kernel {
    let label = "wgpu_linear::class_weight_sum";
    kernel(label, Weights::Classes, CLASS_BINDINGS)
}

pub(super) fn row_weight_sum_kernel() -> Kernel {
    kernel("wgpu_linear::row_weight_sum", Weights::Rows, ROW_BINDINGS)
}

impl NetworkKernels {
    /// sum = Σ_i class_weights_(label_i), in a fixed order.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn class_weight_sum(&self, operands: ClassWeightSum<'_>) -> Result<Dispatch, PrepareError> {
        let ClassWeightSum {
            labels,
            class_weights,
            sum,
        } = operands;
        let operands = [
            Operand::vector("labels", labels),
            Operand::vector("sum", sum),
            Operand::vector("class_weights", class_weights),
        ];
        let dims = Dims {
            classes: class_weights.len,
            ..Dims::default()
        };
        let kernel = class_weight_sum_kernel();
        self.sum_weights(&kernel, (labels.len, dims), sum, &operands, &class_probe)
    }

    /// sum = Σ_i y_(i, last), in a fixed order.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`]; [`PrepareError::Shape`] where `y` has no column.
    pub fn row_weight_sum(&self, operands: RowWeightSum<'_>) -> Result<Dispatch, PrepareError> {
        let RowWeightSum { y, sum } = operands;
        let kernel = row_weight_sum_kernel();
        let outputs = y.columns.checked_sub(1).ok_or(PrepareError::Shape {
            operation: kernel.label,
            operand: "y",
            expected: [y.rows, 1],
            actual: [y.rows, 0],
        })?;
        let operands = [Operand::matrix("y", y), Operand::vector("sum", sum)];
        let dims = Dims {
            outputs,
            ..Dims::default()
        };
        self.sum_weights(&kernel, (y.rows, dims), sum, &operands, &row_probe)
    }

    fn sum_weights(
        &self,
        kernel: &Kernel,
        (rows, dims): (u32, Dims),
        sum: Vector<'_>,
        operands: &[Operand<'_>],
        probe: &dyn Fn() -> Probe,
    ) -> Result<Dispatch, PrepareError> {
        expect_vector(kernel.label, "sum", sum, 1)?;
        let of_range = |Range { start: first, end }| Dims { first, end, ..dims }.contents();
        let per_pass = self.cache.loop_elements(LANES, 1);
        let passes: Vec<_> = passes(rows, per_pass).map(of_range).collect();
        self.cache.prepare(kernel, &passes, operands, 1, probe)
    }

    /// Room for a sum of weights.
    pub(super) fn weight_sum(&self) -> Result<wgpu::Buffer, PrepareError> {
        self.cache.scratch("wgpu_linear::weight_sum", 4)
    }
}

/// More rows than threads; the first few belong to another pass.
const PROBED_ROWS: Range<u32> = 3..LANES + 37;

/// Some labels are none of the classes.
fn class_probe() -> Probe {
    let class_weights = quarters(1, 5);
    let labels: Vec<u32> = (0..PROBED_ROWS.end).map(|i| i * i % 7).collect();
    let weight = |label: &u32| class_weights.get(*label as usize).copied();
    let counted = &labels[PROBED_ROWS.start as usize..];
    let sum: f32 = counted.iter().filter_map(weight).sum();
    probe(0, 5)
        .reads_words(labels)
        .updates(&[1.0], Wanted::exactly([f64::from(1.0 + sum)]))
        .reads(&class_weights)
}

fn row_probe() -> Probe {
    let y = quarters(1, 3 * PROBED_ROWS.end as usize);
    let rows = y.chunks_exact(3).skip(PROBED_ROWS.start as usize);
    let sum: f32 = rows.map(|row| row[2]).sum();
    probe(2, 0)
        .reads(&y)
        .updates(&[1.0], Wanted::exactly([f64::from(1.0 + sum)]))
}

fn probe(outputs: u32, classes: u32) -> Probe {
    let Range { start: first, end } = PROBED_ROWS;
    let dims = Dims {
        first,
        end,
        outputs,
        classes,
    };
    Probe::new(dims.contents(), 1)
}
