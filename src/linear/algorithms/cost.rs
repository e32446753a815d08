//! How long work takes, roughly: a model good enough to rank plans. `tune` measures instead.

use crate::linear::capabilities::Capabilities;

/// A matrix product as a plan cuts it.
#[derive(Clone, Copy, Debug)]
pub(in crate::linear) struct Work<'a> {
    /// \[m, k, n\].
    pub(in crate::linear) product: [u32; 3],
    /// Into how many partial products each sum is split.
    pub(in crate::linear) slabs: u32,
    /// Terms that a workgroup adds up in one dispatch.
    pub(in crate::linear) terms_per_pass: u32,
    /// The adapter.
    pub(in crate::linear) capabilities: &'a Capabilities,
}

impl Work<'_> {
    /// Rounds until all workgroups are done, so many for each slab, where `parallel` run at the
    /// same time.
    pub(super) fn rounds(&self, workgroups: u64, parallel: u32) -> f64 {
        let workgroups = workgroups * u64::from(self.slabs);
        workgroups.div_ceil(u64::from(parallel.max(1))) as f64
    }

    /// Dispatches beyond the first: one for each further pass, and one for each sum of slabs.
    pub(super) fn more_dispatches(&self) -> f64 {
        let [_, k, _] = self.product;
        let terms = self.terms_per_pass.saturating_mul(self.slabs);
        let passes = k.div_ceil(terms).max(1);
        let each = if self.slabs > 1 { 2 } else { 1 };
        f64::from(passes * each - 1)
    }
}

/// What eight threads take to load four elements each on llvmpipe, in ns: it loads them one by one.
pub(super) const SOFTWARE_LOAD: f64 = 18.0;

/// [`software`] for a kernel that was measured on llvmpipe: others take longer.
pub(super) fn like_llvmpipe(work: &Work<'_>, workgroups: u64, per_workgroup: f64) -> f64 {
    software(work, workgroups, per_workgroup) * work.capabilities.slowness()
}

/// A software adapter, whose workgroups take `per_workgroup` ns each; 40 µs for a dispatch.
pub(super) fn software(work: &Work<'_>, workgroups: u64, per_workgroup: f64) -> f64 {
    const DISPATCH: f64 = 40_000.0;
    if !work.capabilities.is_software() {
        return f64::INFINITY;
    }
    let threads = work.capabilities.parallel_workgroups;
    let [m, _, n] = work.product;
    let slab_elements = f64::from(m) * f64::from(n) * f64::from(work.slabs);
    let sum_slabs = match work.slabs {
        1 => 0.0,
        _ => slab_elements / 32.0 * SOFTWARE_LOAD / f64::from(threads),
    };
    work.rounds(workgroups, threads) * per_workgroup + sum_slabs + work.more_dispatches() * DISPATCH
}
