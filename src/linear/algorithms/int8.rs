//! `matmul_int8.wgsl`: the product of whole numbers of eight bits.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::cost::{Work, software};
use super::hardware::hardware;
use super::launch::Launch;
use super::room::{Loops, Room, Sum};
use crate::kernel::{
    Binding, Constant, File, Grid, Kernel, KernelCache, Operand, PrepareError, Probe, Uniform,
    Wanted, file, quarters, uniform,
};
use crate::linear::capabilities::Capabilities;
use crate::linear::quantised::{FORWARD_QUANTISED, FOUR, packed, wholes, words};
use crate::linear::shape::{Operation, Shape};

pub(super) struct Int8;

/// Rows and columns of a tile.
const SIDE: u32 = 64;
/// Threads of a workgroup across a tile.
const THREADS: u32 = SIDE / 4;
/// Words of a step.
const STEP: u32 = THREADS / 2;
/// Sums of more terms, each at most 127², may pass what i32 holds.
const MOST_TERMS: u32 = i32::MAX as u32 / (127 * 127);
/// What a thread takes on software for a word of its sixteen sums, in ns of one core: a guess, four
/// times what SwiftShader takes by `naive.rs` for as many terms.
const SOFTWARE_STEP: f64 = 440.0;

uniform! {
    /// `Dims` in `matmul_int8.wgsl`.
    struct Dims {
        n: u32,
        words: u32,
        first_row: u32,
        end_row: u32,
        first_column: u32,
        end_column: u32,
    }
}

const BINDINGS: &[Binding] = &[
    Binding::dims::<Dims>(),
    Binding::read(1, "p"),
    Binding::read(2, "r"),
    Binding::read(3, "q"),
    Binding::read(4, "s"),
    Binding::read(5, "b"),
    Binding::write(6, "t"),
];

fn kernel(add_bias: bool) -> Kernel {
    Kernel {
        variant: Cow::Borrowed(if add_bias { "int8-add_bias" } else { "int8" }),
        constants: Cow::Owned(vec![
            ("ADD_BIAS", Constant::Bool(add_bias)),
            ("SIDE", Constant::U32(SIDE)),
        ]),
        workgroup: Int8.workgroup(),
        ..Kernel::new(
            FORWARD_QUANTISED,
            (Int8.file(), Int8.entry_point()),
            &[],
            1,
            BINDINGS,
        )
        .sharing(Int8.shared_bytes())
    }
}

/// All of them.
pub(in crate::linear) fn kernels() -> [Kernel; 2] {
    [false, true].map(kernel)
}

/// Some rows and columns of T. `operands` are P, r, Q, s, b and T; no b adds none.
pub(in crate::linear) fn grid(
    cache: &KernelCache,
    [inputs, outputs]: [u32; 2],
    [rows, columns]: [&Range<u32>; 2],
    operands: &[Option<Operand<'_>>; 6],
) -> Result<Grid, PrepareError> {
    let add_bias = operands[4].is_some();
    let dims = dims([inputs, outputs], [rows, columns]).contents();
    let workgroups = Int8.workgroups(rows.end - rows.start, columns.end - columns.start);
    let probe = || probe(add_bias);
    let kernel = kernel(add_bias);
    cache.grid(&kernel, Some(&dims), operands, [workgroups, 1], &probe)
}

fn dims([inputs, outputs]: [u32; 2], [rows, columns]: [&Range<u32>; 2]) -> Dims {
    Dims {
        n: outputs,
        words: words(inputs),
        first_row: rows.start,
        end_row: rows.end,
        first_column: columns.start,
        end_column: columns.end,
    }
}

/// Two tiles and two steps in either direction, the second ones short. Scales are powers of two, so
/// that all results are exact.
fn probe(add_bias: bool) -> Probe {
    let [m, k, n] = [SIDE + 5, FOUR * (STEP + 1) - 1, SIDE + 3];
    let (p, q) = (wholes(1, [m, k]), wholes(2, [n, k]));
    let scales = |len: u32| -> Vec<f32> {
        let powers = [0.25, 2.0, 1.0, 0.5, 4.0];
        powers.into_iter().cycle().take(len as usize).collect()
    };
    let (r, s, b) = (scales(m), scales(n), quarters(3, n as usize));
    let mut wanted = Vec::new();
    for (p, r) in p.iter().zip(&r) {
        for ((q, s), b) in q.iter().zip(&s).zip(&b) {
            let terms = p.iter().zip(q).map(|(p, q)| i32::from(*p) * i32::from(*q));
            let product = f64::from(r * s) * f64::from(terms.sum::<i32>());
            wanted.push(product + if add_bias { f64::from(*b) } else { 0.0 });
        }
    }
    let probe = Probe::new(
        dims([k, n], [&(0..m), &(0..n)]).contents(),
        Int8.workgroups(m, n),
    )
    .reads_words(packed(&p))
    .reads(&r)
    .reads_words(packed(&q))
    .reads(&s);
    let probe = match add_bias {
        true => probe.reads(&b),
        false => probe.absent(),
    };
    probe.writes(Wanted::exactly(wanted))
}

impl Room for Int8 {
    fn file(&self) -> File {
        file!("matmul_int8.wgsl")
    }

    fn entry_point(&self) -> &'static str {
        "matmul_int8"
    }

    fn name(&self) -> String {
        "int8".to_owned()
    }

    fn constants(&self, _: Sum) -> Vec<(&'static str, Constant)> {
        kernel(true).constants.to_vec()
    }

    fn workgroup(&self) -> [u32; 3] {
        [THREADS, THREADS, 1]
    }

    /// Two tiles of vec4, the rows of which are one longer than they need be.
    fn shared_bytes(&self) -> u32 {
        2 * 16 * STEP * (THREADS + 1)
    }

    fn tile(&self) -> [u32; 2] {
        [SIDE, SIDE]
    }

    fn loops(&self) -> Loops {
        Loops {
            iterations: 1,
            terms: FOUR * STEP,
        }
    }

    /// All terms are added up in one dispatch.
    fn serves(&self, shape: Shape, operation: Operation, capabilities: &Capabilities) -> bool {
        let most = self.loops().terms_per_pass(capabilities.loop_iterations);
        operation == Operation::QuantisedForward
            && shape.inputs <= most.min(MOST_TERMS)
            && THREADS * THREADS <= capabilities.max_invocations
            && self.shared_bytes() <= capabilities.max_workgroup_bytes
    }

    /// Of the product alone, as if it were one of f32: for how long a dispatch may take, not for
    /// the plan.
    fn nanoseconds(&self, work: &Work<'_>) -> f64 {
        let [m, k, n] = work.product;
        let threads = THREADS * THREADS;
        if work.capabilities.is_software() {
            let steps = f64::from(words(k)) + 1.0;
            let workgroup = f64::from(threads) * steps * SOFTWARE_STEP;
            return software(work, self.workgroups(m, n), workgroup);
        }
        let launch = Launch {
            workgroups: self.workgroups(m, n),
            threads,
            registers: 64 * threads,
            shared_bytes: self.shared_bytes(),
            results: SIDE * SIDE,
            step: FOUR * STEP,
            efficiency: 0.5,
            prefetches: false,
        };
        hardware(work, &launch, self.tile())
    }
}

impl fmt::Display for Int8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("int8 64×64")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_as_many_terms_as_it_takes_fit_i32() {
        let largest = i64::from(MOST_TERMS) * 127 * 127;
        assert!(largest <= i64::from(i32::MAX) && largest + 127 * 127 > i64::from(i32::MAX));
    }
}
