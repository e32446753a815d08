//! All cases, and how they are gone through.

use std::time::Instant;

use super::case::{Case, Kernels, Prepared};
use super::outcome::{CheckError, CheckName, SelfCheck};
use super::{
    accumulation, activations, buffers, clipping, cross_entropy, dropout, linear, loss_scale,
    losses, optimizers, quantised, totals,
};
use crate::device::Gpu;
use crate::kernel::{Job, side_by_side};
use crate::linear::{Capabilities, LinearKernels};
use crate::nn::NetworkKernels;

/// Runs every kernel that this adapter would run, and compares what it computes with the twin in
/// f64: exactly on small whole numbers, elsewhere within the bounds of rounding.
///
/// Of matrix products these are the planner's choice for shapes of every kind, and the best
/// geometry of each other kernel that it might choose, whole and in slabs; with every activation
/// beside them. Then products with quantised weights, activations, losses, optimizers, gathering,
/// histograms, clipping, dropout and gradients that are accumulated. What lies around the results
/// must stay as it was.
///
/// It takes one or two seconds on a GPU, most of which is compiling, and some more on a software
/// adapter. A driver that computes wrong results is no error: [`SelfCheck::failures`] has it.
///
/// ```
/// use wgpu_linear::{Gpu, check::selfcheck_of};
///
/// let gpu = Gpu::new()?;
/// // All of it: wgpu_linear::selfcheck(&gpu)?
/// let found = selfcheck_of(&gpu, |name| name.operation == "activation" && name.variant == "relu")?;
/// assert!(found.is_right(), "{:?}", found.failures().collect::<Vec<_>>());
/// assert_eq!(found.checks.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`CheckError`] where the device is lost, has no memory or does not answer in time, with the
/// kernels that it was given last. What a device refuses to compile, or has no limits for, is
/// [`Verdict::Refused`](super::Verdict::Refused).
pub fn selfcheck(gpu: &Gpu) -> Result<SelfCheck, CheckError> {
    selfcheck_of(gpu, |_| true)
}

/// [`selfcheck`] of those checks whose names `filter` takes: some operation, or one of each.
///
/// # Errors
/// As [`selfcheck`].
pub fn selfcheck_of(
    gpu: &Gpu,
    filter: impl FnMut(&CheckName) -> bool,
) -> Result<SelfCheck, CheckError> {
    // What is checked here need not be checked before.
    let gpu = &gpu.clone().with_first_use_checks(false);
    let (linear, network) = (LinearKernels::of(gpu), NetworkKernels::of(gpu));
    let kernels = Kernels {
        gpu,
        linear: &linear,
        network: &network,
    };
    run(cases(linear.capabilities(), filter), &kernels)
}

pub(super) fn run(cases: Vec<Case>, kernels: &Kernels<'_>) -> Result<SelfCheck, CheckError> {
    let (begin, gpu, mut ahead) = (Instant::now(), kernels.gpu, cases);
    let mut checks = Vec::new();
    while !ahead.is_empty() {
        for prepared in prepare_next(&mut ahead, kernels) {
            checks.push(prepared.check(gpu)?);
        }
    }
    Ok(SelfCheck {
        adapter: gpu.description(),
        checks,
        duration: begin.elapsed(),
    })
}

/// Those that the filter takes, for such an adapter.
pub(super) fn cases(
    capabilities: &Capabilities,
    mut filter: impl FnMut(&CheckName) -> bool,
) -> Vec<Case> {
    let mut cases = linear::cases(capabilities);
    cases.extend(quantised::cases(capabilities));
    cases.extend(activations::cases());
    cases.extend(cross_entropy::cases());
    cases.extend(losses::cases());
    cases.extend(totals::cases());
    cases.extend(optimizers::cases());
    cases.extend(buffers::cases());
    cases.extend(clipping::cases());
    cases.extend(dropout::cases(capabilities.has_f16));
    cases.extend(loss_scale::cases());
    cases.extend(accumulation::cases());
    cases.retain(|case| filter(&case.name));
    cases
}

/// The next cases, prepared side by side: as many as need no two plans for one shape.
pub(super) fn prepare_next(ahead: &mut Vec<Case>, kernels: &Kernels<'_>) -> Vec<Prepared> {
    let mut planned = Vec::new();
    let is_free = |case: &Case| {
        let Some((shape, operation, plan)) = case.plan else {
            return true;
        };
        let key = (shape, operation);
        let known = planned.iter().find(|(other, _)| *other == key);
        if let Some((_, other)) = known {
            return *other == plan;
        }
        planned.push((key, plan));
        kernels.linear.use_plan(shape, operation, plan);
        true
    };
    let (now, later): (Vec<_>, _) = ahead.drain(..).partition(is_free);
    *ahead = later;
    let job = |case| -> Job<'_, Prepared> { Box::new(move || Case::prepare(case, kernels)) };
    side_by_side(now.iter().map(job).collect())
}
