//! `dequantise.wgsl`: quantised weights as f32.

use std::borrow::Cow;
use std::ops::Range;

use super::quantised::{FORWARD_QUANTISED, FOUR, packed, wholes, words};
use super::windows::rows_together;
use crate::kernel::{
    Binding, Constant, ElementType, Grid, Kernel, KernelCache, Operand, PrepareError, Probe,
    Uniform, Wanted, file, quarters, uniform,
};

/// Threads of a workgroup.
const WORKGROUP: u32 = 256;

uniform! {
    /// `Dims` in `dequantise.wgsl`.
    struct Dims {
        outputs: u32,
        words: u32,
        first_row: u32,
        end_row: u32,
    }
}

const BINDINGS: &[Binding] = &[
    Binding::dims::<Dims>(),
    Binding::read(1, "q"),
    Binding::read(2, "s"),
    Binding::write(3, "w"),
];

pub(super) fn kernel() -> Kernel {
    Kernel {
        variant: Cow::Borrowed("dequantise"),
        ..Kernel::new(
            FORWARD_QUANTISED,
            (file!("dequantise.wgsl"), "dequantise"),
            &[("WORKGROUP", Constant::U32(WORKGROUP))],
            WORKGROUP,
            BINDINGS,
        )
    }
}

/// Ŵ, which has so many rows and columns, in parts where it is larger than a binding.
pub(super) fn grids(
    cache: &KernelCache,
    [inputs, outputs]: [u32; 2],
    [q, s, w]: [Operand<'_>; 3],
) -> Result<Vec<Grid>, PrepareError> {
    if inputs == 0 {
        return Ok(Vec::new());
    }
    let w_rows = [(outputs, ElementType::F32)];
    rows_together(FORWARD_QUANTISED, inputs, &w_rows, cache.limits())?
        .map(|rows| {
            let dims = dims([inputs, outputs], &rows).contents();
            let operands = [q, s, w.rows(outputs, &rows)].map(Some);
            let workgroups = [workgroups(outputs, &rows), 1];
            cache.grid(&kernel(), Some(&dims), &operands, workgroups, &probe)
        })
        .collect()
}

fn dims([inputs, outputs]: [u32; 2], rows: &Range<u32>) -> Dims {
    Dims {
        outputs,
        words: words(inputs),
        first_row: rows.start,
        end_row: rows.end,
    }
}

fn workgroups(outputs: u32, rows: &Range<u32>) -> u64 {
    let threads = u64::from(words(rows.end - rows.start)) * u64::from(outputs);
    threads.div_ceil(WORKGROUP.into())
}

/// More words than a workgroup has threads, the last of a column short; from the second row of
/// words on.
fn probe() -> Probe {
    let (inputs, outputs) = (4 * FOUR + 3, WORKGROUP / 4 + 3);
    let rows = FOUR..inputs;
    let q = wholes(8, [outputs, inputs]);
    let scales = quarters(9, outputs as usize);
    let wanted = rows.clone().flat_map(|k| {
        let columns = q.iter().zip(&scales);
        columns.map(move |(column, s)| f64::from(*s) * f64::from(column[k as usize]))
    });
    Probe::new(
        dims([inputs, outputs], &rows).contents(),
        workgroups(outputs, &rows),
    )
    .reads_words(packed(&q))
    .reads(&scales)
    .writes(Wanted::exactly(wanted))
}
