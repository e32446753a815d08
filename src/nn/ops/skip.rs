//! Steps of optimizers that are left out where a gradient is not finite: `parts/skip/`.

use std::borrow::Cow;

use crate::kernel::{Binding, Kernel, Operand, Probe, Vector, file};

/// The last binding of an optimizer's kernel, which only the one that is told has.
pub(super) const VERDICT: Binding = Binding::read(7, "verdict");

/// Of a kernel with [`VERDICT`]: itself, or the one that always takes its step.
pub(super) fn kernel(kernel: Kernel, is_told: bool) -> Kernel {
    let (_, without) = kernel.bindings.split_last().unwrap_or((&VERDICT, &[]));
    if is_told {
        Kernel {
            variant: Cow::Borrowed("unless_told"),
            choices: Cow::Borrowed(&[file!("parts/skip/when_told.wgsl")]),
            ..kernel
        }
    } else {
        Kernel {
            choices: Cow::Borrowed(&[file!("parts/skip/never.wgsl")]),
            bindings: without,
            ..kernel
        }
    }
}

/// Both.
pub(super) fn both(of: Kernel) -> [Kernel; 2] {
    [kernel(of.clone(), false), kernel(of, true)]
}

/// These operands, and the verdict where there is one.
pub(super) fn operands<'a>(
    operands: &[Operand<'a>],
    verdict: Option<Vector<'a>>,
) -> Vec<Operand<'a>> {
    let verdict = verdict.map(|verdict| Operand::vector("verdict", verdict));
    operands.iter().copied().chain(verdict).collect()
}

/// The same for a probe: nothing is left out.
pub(super) fn probe(probe: Probe, is_told: bool) -> Probe {
    if is_told {
        probe.reads_words(vec![7, 0])
    } else {
        probe
    }
}
