//! `quantise_rows.wgsl`: the rows of X as whole numbers of eight bits, with a scale for each.

use std::borrow::Cow;

use super::quantised::{FORWARD_QUANTISED, FOUR, packed, wholes, words};
use crate::kernel::{
    Binding, Constant, Grid, Kernel, KernelCache, Operand, PrepareError, Probe, Uniform, Wanted,
    file, uniform,
};

/// Threads of a workgroup, which share a row.
const LANES: u32 = 64;

uniform! {
    /// `Dims` in `quantise_rows.wgsl`.
    struct Dims {
        rows: u32,
        inputs: u32,
        words: u32,
    }
}

const BINDINGS: &[Binding] = &[
    Binding::dims::<Dims>(),
    Binding::read(1, "x"),
    Binding::write(2, "p"),
    Binding::write(3, "r"),
];

pub(super) fn kernel() -> Kernel {
    Kernel {
        // A part of that algorithm, which goes where this computes wrong results.
        variant: Cow::Borrowed("int8-quantise_rows"),
        ..Kernel::new(
            FORWARD_QUANTISED,
            (file!("quantise_rows.wgsl"), "quantise_rows"),
            &[("LANES", Constant::U32(LANES))],
            LANES,
            BINDINGS,
        )
        .sharing(4 * LANES)
    }
}

/// P and r of X, which has so many rows and columns.
pub(super) fn grid(
    cache: &KernelCache,
    [rows, inputs]: [u32; 2],
    operands: [Operand<'_>; 3],
) -> Result<Grid, PrepareError> {
    let dims = dims([rows, inputs]).contents();
    let workgroups = [rows.into(), 1];
    let operands = operands.map(Some);
    cache.grid(&kernel(), Some(&dims), &operands, workgroups, &probe)
}

fn dims([rows, inputs]: [u32; 2]) -> Dims {
    Dims {
        rows,
        inputs,
        words: words(inputs),
    }
}

/// More elements, and more words, than there are threads; whole numbers, so that no quotient is
/// near the middle between two of them. One row is of zeros, one has the largest element in the
/// last place.
fn probe() -> Probe {
    let (rows, inputs) = (4, FOUR * (LANES + 1) + 3);
    let mut p = wholes(7, [rows, inputs]);
    for (row, place) in [(0, 0), (1, inputs as usize / 2), (2, inputs as usize - 1)] {
        p[row][place] = -127;
    }
    p[3].fill(0);
    let factors = [1.0, 0.5, 4.0, 0.0];
    let rows_of_x = p.iter().zip(factors);
    let x = rows_of_x.flat_map(|(row, r)| row.iter().map(move |p| r * f32::from(*p)));
    Probe::new(dims([rows, inputs]).contents(), rows.into())
        .reads(&x.collect::<Vec<_>>())
        .writes(Wanted::words(packed(&p)))
        // WGSL divides with 2.5 units in the last place.
        .writes(Wanted::near(factors.map(f64::from)))
}
