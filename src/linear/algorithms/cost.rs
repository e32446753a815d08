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

/// How a kernel uses a multiprocessor.
pub(super) struct Occupancy {
    /// Workgroups that share it.
    pub(super) sharing: u32,
    /// What part of the peak they reach.
    pub(super) efficiency: f64,
    /// Results of a workgroup.
    pub(super) results: f64,
    /// Rows that share what is read of the right factor.
    pub(super) tile_rows: u32,
    /// Workgroups for all results.
    pub(super) workgroups: u64,
}

/// A GPU of the middle class: 10 TFLOP/s with the largest tile and less with smaller ones, 500 GB/s
/// once two workgroups wait on every multiprocessor, 3 µs for a second dispatch.
pub(super) fn hardware(work: &Work<'_>, occupancy: &Occupancy) -> f64 {
    const FLOP_PER_NS: f64 = 10_000.0;
    const BYTES_PER_NS: f64 = 500.0;
    const DISPATCH: f64 = 3_000.0;
    if work.capabilities.is_software() {
        return f64::INFINITY;
    }
    let [m, k, n] = work.product.map(f64::from);
    let multiprocessors = work.capabilities.parallel_workgroups;
    let slots = multiprocessors * occupancy.sharing;
    let flop = 2.0 * occupancy.results * (k / f64::from(work.slabs)).max(16.0);
    let compute = work.rounds(occupancy.workgroups, slots) * flop * f64::from(slots)
        / (FLOP_PER_NS * occupancy.efficiency);
    // Tiles of one row read the right factor once; further rows find much of it in the cache.
    let rereads = (m / f64::from(occupancy.tile_rows)).ceil().min(2.0);
    let traffic = 4.0 * (m * k + k * n * rereads + m * n * f64::from(2 * work.slabs - 1));
    let waiting = work.rounds(occupancy.workgroups, 1) / f64::from(2 * multiprocessors);
    let memory = traffic / (BYTES_PER_NS * waiting.min(1.0));
    compute.max(memory) + work.more_dispatches() * DISPATCH
}
