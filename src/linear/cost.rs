//! How long a plan takes, roughly: a model good enough to rank plans. `tune` measures instead.

use super::capabilities::Capabilities;
use super::plan::{Algorithm, Plan};

/// Mesa's llvmpipe silently leaves the loops of a shader after 65,535 iterations, which all its loops share
/// (`LP_MAX_TGSI_LOOP_ITERATIONS` in Mesa's `lp_limits.h`). Loops that the compiler does not unroll count with every iteration, and a
/// thousand are kept back for the epilogue. The bound also keeps a dispatch short where a driver ends those that take seconds.
const LOOP_ITERATIONS: u32 = 64_000;

/// Terms that a workgroup may add up in one dispatch: the largest power of two within [`LOOP_ITERATIONS`].
pub(super) fn terms_per_pass(algorithm: Algorithm) -> u32 {
    // Iterations of all loops for so many terms, none of them unrolled.
    let (iterations, terms) = match algorithm {
        Algorithm::Tiled { side } => {
            let owned = if side == 128 { 2 } else { 1 };
            (16 * (1 + 2 * owned + owned * (1 + owned)) + 4, 16)
        }
        Algorithm::Broadcast {
            groups, vectors, ..
        } => (1 + vectors + groups * (1 + vectors * 9), 4),
        Algorithm::SmallBatch { rows } => (1 + rows, 64),
        Algorithm::Naive => (1, 4),
        Algorithm::SumRows => (1, 8),
    };
    let most = LOOP_ITERATIONS / iterations * terms;
    1 << most.ilog2().min(18)
}

/// Estimated time of `plan` for an m × n product of k terms.
pub(super) fn nanoseconds(plan: &Plan, product: [u32; 3], capabilities: &Capabilities) -> f64 {
    if capabilities.is_software() {
        software(plan, product, capabilities.parallel_workgroups)
    } else {
        hardware(plan, product, capabilities.parallel_workgroups)
    }
}

/// Rounds of workgroups until all are done.
fn rounds(plan: &Plan, [m, _, n]: [u32; 3], parallel: u32) -> f64 {
    (plan.algorithm.workgroups(m, n) * u64::from(plan.slabs)).div_ceil(u64::from(parallel.max(1)))
        as f64
}

/// Fitted to llvmpipe (LLVM 15, 256 bits, Mesa 22.3) on one core of an AMD EPYC: 18 ns for eight threads to load four elements each, and
/// per vector of 4 columns and row 1.4 ns for a term and 1.3 ns for an iteration.
fn software(plan: &Plan, product: [u32; 3], threads: u32) -> f64 {
    const LOAD: f64 = 18.0;
    const DISPATCH: f64 = 40_000.0;
    let Algorithm::Broadcast {
        groups,
        vectors,
        shuffle,
    } = plan.algorithm
    else {
        return f64::INFINITY;
    };
    let (g, v) = (f64::from(groups), f64::from(vectors));
    // Without shuffles all sixteen threads, two registers' worth, load all eight rows.
    let (left_loads, registers) = if shuffle { (g, 1.0) } else { (8.0 * g, 2.0) };
    let per_four_terms = LOAD * (left_loads + 4.0 * v) + 8.0 * g * v * (4.0 * 1.4 + 1.3) + 10.0;
    let [m, k, n] = product;
    let terms = f64::from(k.div_ceil(4)) / f64::from(plan.slabs);
    let store = 8.0 * g * v * LOAD * 1.5;
    let tiles = rounds(plan, product, threads) * registers * (terms * per_four_terms + store);
    let slab_elements = f64::from(m) * f64::from(n) * f64::from(plan.slabs);
    let sum_slabs = match plan.slabs {
        1 => 0.0,
        _ => slab_elements / 32.0 * LOAD / f64::from(threads),
    };
    tiles + sum_slabs + more_dispatches(plan, k) * DISPATCH
}

/// Dispatches beyond the first: one for each further pass, and one for each sum of slabs.
fn more_dispatches(plan: &Plan, k: u32) -> f64 {
    let terms = plan.terms_per_pass.saturating_mul(plan.slabs);
    let passes = k.div_ceil(terms).max(1);
    let each = if plan.slabs > 1 { 2 } else { 1 };
    f64::from(passes * each - 1)
}

/// A GPU of the middle class: 10 TFLOP/s with the largest tile and less with smaller ones, 500 GB/s once two workgroups wait on every
/// multiprocessor, 3 µs for a second dispatch.
fn hardware(plan: &Plan, product: [u32; 3], multiprocessors: u32) -> f64 {
    const FLOP_PER_NS: f64 = 10_000.0;
    const BYTES_PER_NS: f64 = 500.0;
    const DISPATCH: f64 = 3_000.0;
    let [m, k, n] = product.map(f64::from);
    let [rows, columns] = plan.algorithm.tile().map(f64::from);
    // Workgroups that share a multiprocessor, what part of its peak they reach, and results per workgroup.
    let (sharing, efficiency, results) = match plan.algorithm {
        Algorithm::Tiled { side: 128 } => (1, 1.0, rows * columns),
        Algorithm::Tiled { side: 64 } => (2, 0.75, rows * columns),
        Algorithm::Tiled { .. } => (8, 0.4, rows * columns),
        Algorithm::Naive => (8, 0.1, rows * columns * 64.0),
        _ => (4, 0.2, rows * columns),
    };
    let slots = multiprocessors * sharing;
    let flop = 2.0 * results * (k / f64::from(plan.slabs)).max(16.0);
    let compute =
        rounds(plan, product, slots) * flop * f64::from(slots) / (FLOP_PER_NS * efficiency);
    // Tiles of one row read the right factor once; further rows find much of it in the cache.
    let rereads = (m / rows).ceil().min(2.0);
    let traffic = 4.0 * (m * k + k * n * rereads + m * n * f64::from(2 * plan.slabs - 1));
    let waiting = rounds(plan, product, 1) / f64::from(2 * multiprocessors);
    let memory = traffic / (BYTES_PER_NS * waiting.min(1.0));
    compute.max(memory) + more_dispatches(plan, product[1]) * DISPATCH
}
