//! `sum_rows.wgsl`: db = Σ_i dT_i·, the rows of dT added up.

use std::borrow::Cow;
use std::fmt;

use super::cost::Work;
use super::room::{Loops, Room, Sum};
use crate::kernel::{
    Binding, Constant, Dispatch, File, Kernel, KernelCache, Matrix, Operand, PrepareError, Uniform,
    Vector, file, passes, uniform,
};
use crate::linear::capabilities::Capabilities;
use crate::linear::shape::{Operation, Shape};

/// Columns that one workgroup sums, and threads that share the rows of each.
const COLUMNS: u32 = 32;
const LANES: u32 = 8;

uniform! {
    /// `Dims` in `sum_rows.wgsl`.
    pub(super) struct SumRowsDims {
        columns: u32,
        first_row: u32,
        end_row: u32,
    }
}

pub(in crate::linear) const BIAS_GRAD: Kernel = Kernel {
    label: "wgpu_linear::bias_grad",
    variant: Cow::Borrowed(""),
    file: file!("sum_rows.wgsl"),
    choices: Cow::Borrowed(&[]),
    entry_point: "sum_rows",
    constants: Cow::Borrowed(&[
        ("COLUMNS", Constant::U32(COLUMNS)),
        ("LANES", Constant::U32(LANES)),
    ]),
    workgroup: [COLUMNS, LANES, 1],
    shared_bytes: 4 * COLUMNS * LANES,
    bindings: &[
        Binding::dims::<SumRowsDims>(),
        Binding::read(1, "dt"),
        Binding::write(2, "db"),
    ],
    trusted: true,
};

/// One dispatch, or several where there are more than `rows_per_pass`.
pub(in crate::linear) fn prepare(
    cache: &KernelCache,
    rows_per_pass: u32,
    dt: Matrix<'_>,
    db: Vector<'_>,
) -> Result<Dispatch, PrepareError> {
    let dims = |rows: std::ops::Range<u32>| SumRowsDims {
        columns: dt.columns,
        first_row: rows.start,
        end_row: rows.end,
    };
    let passes: Vec<_> = passes(dt.rows, rows_per_pass)
        .map(|rows| dims(rows).contents())
        .collect();
    let operands = [Operand::matrix("dt", dt), Operand::vector("db", db)];
    let workgroups = SumRows.workgroups(1, dt.columns);
    cache.prepare(&BIAS_GRAD, &passes, &operands, workgroups)
}

pub(super) struct SumRows;

impl Room for SumRows {
    fn file(&self) -> File {
        BIAS_GRAD.file
    }

    fn entry_point(&self) -> &'static str {
        BIAS_GRAD.entry_point
    }

    fn name(&self) -> String {
        "sum_rows".to_owned()
    }

    fn constants(&self, _: Sum) -> Vec<(&'static str, Constant)> {
        BIAS_GRAD.constants.to_vec()
    }

    fn workgroup(&self) -> [u32; 3] {
        BIAS_GRAD.workgroup
    }

    fn shared_bytes(&self) -> u32 {
        BIAS_GRAD.shared_bytes
    }

    fn tile(&self) -> [u32; 2] {
        [1, COLUMNS]
    }

    fn loops(&self) -> Loops {
        Loops {
            iterations: 1,
            terms: LANES,
        }
    }

    fn serves(&self, _: Shape, operation: Operation, _: &Capabilities) -> bool {
        operation == Operation::BiasGrad
    }

    /// It has no rival.
    fn nanoseconds(&self, _: &Work<'_>) -> f64 {
        0.0
    }
}

impl fmt::Display for SumRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sum_rows")
    }
}
