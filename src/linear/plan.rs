//! Which kernel does an operation, and with which geometry. Pure functions: no GPU is needed to
//! read or test them.

use std::fmt;

use super::algorithms::{self, Algorithm, Work};
use super::capabilities::Capabilities;
use super::shape::{Operation, Shape};

/// A choice of kernel and geometry.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// The kernel.
    pub algorithm: Algorithm,
    /// Into how many partial products the terms of each sum are split, to be added up in a fixed
    /// order by `sum_slabs.wgsl`; 1: not split.
    pub slabs: u32,
    /// How many terms a workgroup adds up in one dispatch; longer sums take several, one after the
    /// other.
    pub terms_per_pass: u32,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.algorithm)?;
        if self.slabs > 1 {
            write!(f, ", {} slabs", self.slabs)?;
        }
        Ok(())
    }
}

impl Plan {
    fn new(algorithm: Algorithm, slabs: u32, capabilities: &Capabilities) -> Self {
        let loops = algorithm.room().loops();
        let terms_per_pass = loops.terms_per_pass(capabilities.loop_iterations);
        // What a workgroup computes cannot be interrupted, and software is slow.
        let most = match capabilities.is_software() {
            true if capabilities.slowness() > 1.0 => 1 << 10,
            true => 1 << 18,
            false => 1 << 21,
        };
        Self {
            algorithm,
            slabs,
            terms_per_pass: terms_per_pass.min(most),
        }
    }

    /// The plan as such an adapter can follow it, with no more terms a pass than its loops allow;
    /// `None` where it cannot: some kernels know fewer rows, one layout, or subgroups of one size,
    /// and all load terms by the four and stage them by the sixteen.
    pub(super) fn fitted(
        self,
        shape: Shape,
        operation: Operation,
        capabilities: &Capabilities,
    ) -> Option<Self> {
        let whole = self.terms_per_pass > 0 && self.terms_per_pass.is_multiple_of(16);
        if !whole || !self.serves(shape, operation, capabilities) {
            return None;
        }
        let own = Self::new(self.algorithm, self.slabs, capabilities);
        Some(Self {
            terms_per_pass: self.terms_per_pass.min(own.terms_per_pass),
            ..self
        })
    }

    /// Whether the kernel computes `operation` on a layer of `shape` at all on such an adapter,
    /// however slowly.
    pub(super) fn serves(
        &self,
        shape: Shape,
        operation: Operation,
        capabilities: &Capabilities,
    ) -> bool {
        let room = self.algorithm.room();
        room.serves(shape, self.computed(operation), capabilities)
    }

    /// What its kernel computes of `operation`: all but one multiply weights that have been made
    /// f32 before.
    fn computed(&self, operation: Operation) -> Operation {
        match self.algorithm {
            Algorithm::Int8 => operation,
            _ => operation.of_f32(),
        }
    }

    /// Whether no estimate puts it first: it is used where it was measured to be the fastest, or
    /// asked for.
    pub(super) fn needs_measuring(&self) -> bool {
        self.algorithm == Algorithm::Int8
    }

    /// Whether it runs one of these kernels for `operation`, in whatever variant.
    pub(super) fn is_by(&self, operation: Operation, kernels: &[String]) -> bool {
        let runs = |kernel: &String| {
            let rest = kernel.strip_prefix(self.computed(operation).kernel_label());
            let variant = rest.and_then(|rest| rest.strip_prefix('/'));
            let algorithm = variant.and_then(|variant| variant.split('-').next());
            algorithm.is_some_and(|name| {
                let adds = self.slabs > 1 && name.starts_with("sum_slabs");
                adds || name == self.algorithm.room().name()
            })
        };
        kernels.iter().any(runs)
    }

    /// What the names of its kernels have behind the operation.
    #[cfg(test)]
    pub(crate) fn kernel_name(&self) -> String {
        self.algorithm.room().name()
    }

    /// Estimated time of one dispatch, which adds up all k terms in so many slabs.
    pub(super) fn dispatch_nanoseconds(
        &self,
        product: [u32; 3],
        slabs: u32,
        capabilities: &Capabilities,
    ) -> f64 {
        let estimate = self.algorithm.room().nanoseconds(&Work {
            product,
            slabs,
            terms_per_pass: u32::MAX,
            capabilities,
        });
        if estimate.is_finite() {
            return estimate;
        }
        // A kernel for hardware on software, or the other way round.
        let terms: f64 = product.map(f64::from).iter().product();
        let processors = f64::from(capabilities.parallel_workgroups.max(1));
        terms * UNFITTED / processors * capabilities.slowness()
    }

    /// Estimated time for an m × n product of k terms.
    fn nanoseconds(&self, product: [u32; 3], capabilities: &Capabilities) -> f64 {
        self.algorithm.room().nanoseconds(&Work {
            product,
            slabs: self.slabs,
            terms_per_pass: self.terms_per_pass,
            capabilities,
        })
    }
}

/// What a processor takes for a multiply-add by a kernel that is not made for it, in ns.
const UNFITTED: f64 = 2.0;

/// At most so many slabs on software, and on hardware, where loads overlap.
const MOST_SLABS: [u32; 2] = [64, 1024];
/// On software that is slow: all of them are multiplied in one dispatch.
const MOST_SLOW_SLABS: u32 = 4;
/// A slab takes at least this many terms, on software and on hardware: with fewer, the second pass
/// costs more than the split gains.
const LEAST_TERMS_PER_SLAB: [u32; 2] = [128, 64];
/// All slabs together have at most this many elements: 16 MiB.
const MOST_SLAB_ELEMENTS: u64 = 1 << 22;
/// A processor of hardware gains little by more workgroups than this.
const ENOUGH_WORKGROUPS: u64 = 8;

/// Chooses the kernel for `operation` on a layer of `shape`: the first of [`ranked_candidates`].
///
/// ```
/// use wgpu_linear::linear::{Algorithm, Capabilities, Operation, Shape, Tiled, plan};
/// let shape = Shape { batch: 4096, inputs: 4096, outputs: 4096 };
/// let chosen = plan(shape, Operation::Forward, &Capabilities::hardware());
/// let tiles = Tiled { side: 128, prefetch: true };
/// assert_eq!(chosen.algorithm, Algorithm::Tiled(tiles));
/// assert_eq!(chosen.algorithm.workgroups(4096, 4096), 32 * 32);
/// ```
#[must_use]
pub fn plan(shape: Shape, operation: Operation, capabilities: &Capabilities) -> Plan {
    ranked_candidates(shape, operation, capabilities)
        .into_iter()
        .next()
        .unwrap_or(Plan::new(Algorithm::Naive, 1, capabilities))
}

/// The kernels and geometries worth trying for `operation` on a layer of `shape`; never empty.
#[must_use]
pub fn candidates(shape: Shape, operation: Operation, capabilities: &Capabilities) -> Vec<Plan> {
    let product = operation.product(shape);
    let mut plans = Vec::new();
    for algorithm in algorithms::candidates(shape, operation, capabilities) {
        let whole = Plan::new(algorithm, 1, capabilities);
        plans.push(whole);
        if whole.needs_measuring() {
            continue; // Its sums are not split.
        }
        let split = slabs(algorithm, product, capabilities)
            .map(|slabs| Plan::new(algorithm, slabs, capabilities));
        plans.extend(split);
    }
    plans
}

/// Plans for where the kernels of all [`candidates`] compute wrong results.
pub(super) fn substitutes(
    shape: Shape,
    operation: Operation,
    capabilities: &Capabilities,
) -> impl Iterator<Item = Plan> {
    algorithms::substitutes(shape, operation.of_f32(), capabilities)
        .map(|algorithm| Plan::new(algorithm, 1, capabilities))
}

/// Slabs to try: powers of two, so that sums are split evenly; as many as the processors need.
fn slabs(
    algorithm: Algorithm,
    [m, k, n]: [u32; 3],
    capabilities: &Capabilities,
) -> impl Iterator<Item = u32> {
    let kind = usize::from(!capabilities.is_software());
    let (mut most, least_terms) = (MOST_SLABS[kind], LEAST_TERMS_PER_SLAB[kind]);
    if capabilities.slowness() > 1.0 {
        most = MOST_SLOW_SLABS;
    }
    let needed = if capabilities.is_software() {
        u64::MAX
    } else {
        u64::from(capabilities.parallel_workgroups) * ENOUGH_WORKGROUPS
    };
    let elements = (u64::from(m) + 1) * u64::from(n);
    let workgroups = algorithm.workgroups(m, n);
    std::iter::successors(Some(2_u32), |slabs| slabs.checked_mul(2))
        .take_while(move |slabs| *slabs <= most && k / slabs >= least_terms)
        .take_while(move |slabs| elements * u64::from(*slabs) <= MOST_SLAB_ELEMENTS)
        .take_while(move |slabs| workgroups * u64::from(*slabs) / 2 < needed)
}

/// [`candidates`], the least estimated time first; [`plan()`] is the first of them. Those by
/// [`Algorithm::Int8`], whose results have other bounds, are the last.
#[must_use]
pub fn ranked_candidates(
    shape: Shape,
    operation: Operation,
    capabilities: &Capabilities,
) -> Vec<Plan> {
    let cost = |plan: &Plan| match plan.needs_measuring() {
        true => f64::INFINITY,
        false => plan.nanoseconds(operation.product(shape), capabilities),
    };
    let mut plans: Vec<_> = candidates(shape, operation, capabilities)
        .into_iter()
        .map(|plan| (cost(&plan), plan))
        .collect();
    plans.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    plans.into_iter().map(|(_, plan)| plan).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linear::algorithms::{Broadcast, Narrow, SmallBatch, Tiled};

    const TILED_128: Algorithm = Algorithm::Tiled(Tiled {
        side: 128,
        prefetch: true,
    });

    const OPERATIONS: [Operation; 3] = [
        Operation::Forward,
        Operation::InputGrad,
        Operation::WeightGrad,
    ];

    fn shape([batch, inputs, outputs]: [u32; 3]) -> Shape {
        Shape {
            batch,
            inputs,
            outputs,
        }
    }

    fn on_hardware(sizes: [u32; 3], operation: Operation) -> Plan {
        plan(shape(sizes), operation, &Capabilities::hardware())
    }

    #[test]
    fn plan_takes_large_tiles_for_large_products_on_hardware() {
        for operation in OPERATIONS {
            let chosen = on_hardware([4096; 3], operation);
            assert_eq!(chosen.algorithm, TILED_128);
            assert_eq!(chosen.slabs, 1);
            // Two pairs of these would fit, but take 4 % longer on an H200.
            let mut small = Capabilities::hardware();
            small.max_workgroup_bytes = 16_384;
            let chosen = plan(shape([4096; 3]), operation, &small);
            assert_eq!(chosen.to_string(), "tiled 64×64");
        }
    }

    /// On an H200 256³ takes 12 µs so, and as long in slabs; 14 µs by tiles of 64.
    #[test]
    fn plan_takes_small_tiles_where_they_keep_more_processors_busy() {
        let mut many = Capabilities::hardware();
        many.parallel_workgroups = 132;
        for operation in OPERATIONS {
            let chosen = plan(shape([256; 3]), operation, &many);
            assert_eq!(chosen.to_string(), "tiled 32×32, prefetched");
        }
    }

    #[test]
    fn plan_splits_tall_and_skinny_sums_on_hardware() {
        assert!(on_hardware([65_536, 64, 64], Operation::WeightGrad).slabs > 1);
        assert!(on_hardware([16, 4096, 64], Operation::Forward).slabs > 1);
        assert_eq!(on_hardware([65_536, 64, 64], Operation::Forward).slabs, 1);
    }

    #[test]
    fn plan_has_a_kernel_for_small_batches_on_hardware() {
        for operation in [Operation::Forward, Operation::InputGrad] {
            let chosen = on_hardware([1, 4096, 4096], operation);
            assert_eq!(
                chosen.algorithm,
                Algorithm::SmallBatch(SmallBatch { rows: 1 })
            );
        }
    }

    #[test]
    fn plan_respects_what_a_device_cannot_do() {
        let mut weak = Capabilities::hardware();
        weak.max_workgroup_bytes = 8_192;
        for operation in OPERATIONS {
            let plans = candidates(shape([4096; 3]), operation, &weak);
            let fits = |plan: &Plan| plan.algorithm.room().shared_bytes() <= 8_192;
            assert!(plans.iter().all(fits));
            weak.max_invocations = 64;
            let plans = candidates(shape([4096; 3]), operation, &weak);
            assert!(plans.iter().all(|plan| plan.algorithm == Algorithm::Naive));
            weak.max_invocations = 256;
        }
    }

    #[test]
    fn plan_on_software_fits_the_workgroup_memory() {
        let mut weak = Capabilities::software(2);
        weak.subgroup_sizes = None;
        for bytes in [16_384, 16_383, 2_048, 0] {
            weak.max_workgroup_bytes = bytes;
            let plans = candidates(shape([512; 3]), Operation::Forward, &weak);
            let rooms = plans.iter().map(|plan| plan.algorithm.room());
            assert!(rooms.into_iter().all(|room| room.shared_bytes() <= bytes));
            let naive = plans.iter().all(|plan| plan.algorithm == Algorithm::Naive);
            assert_eq!(naive, bytes == 0, "{bytes}");
        }
    }

    #[test]
    fn plan_shuffles_on_software_where_subgroups_have_eight_threads() {
        let mut software = Capabilities::software(2);
        for (sizes, shuffles) in [
            (Some([8, 8]), true),
            (Some([4, 4]), false),
            (Some([4, 8]), false),
            (None, false),
        ] {
            software.subgroup_sizes = sizes;
            let chosen = plan(shape([512; 3]), Operation::Forward, &software).algorithm;
            assert!(
                matches!(chosen, Algorithm::Broadcast(Broadcast { shuffle, .. }) if shuffle == shuffles),
                "{chosen:?}"
            );
        }
    }

    #[test]
    fn plan_deals_terms_out_for_few_columns_on_software() {
        let eight = Capabilities::software(2);
        let narrow = |vectors| Algorithm::Narrow(Narrow { groups: 2, vectors });
        for (sizes, operation, vectors) in [
            ([16_384, 64, 1], Operation::Forward, 1),
            ([16_384, 64, 3], Operation::Forward, 1),
            ([16_384, 64, 8], Operation::Forward, 2),
            ([16_384, 4, 64], Operation::InputGrad, 1),
        ] {
            let chosen = plan(shape(sizes), operation, &eight).algorithm;
            assert_eq!(chosen, narrow(vectors), "{sizes:?} {operation:?}");
        }
    }

    #[test]
    fn plan_knows_where_few_columns_are_not_dealt_with_apart() {
        let eight = Capabilities::software(2);
        let mut four = eight.clone();
        four.subgroup_sizes = Some([4, 4]);
        let mut small = eight.clone();
        small.max_workgroup_bytes = 127;
        for (sizes, operation, adapter) in [
            ([512, 64, 9], Operation::Forward, &eight),
            ([512, 64, 3], Operation::InputGrad, &eight),
            ([512, 64, 3], Operation::WeightGrad, &eight),
            ([512, 64, 3], Operation::Forward, &four),
            ([512, 64, 3], Operation::Forward, &small),
            ([512, 64, 3], Operation::Forward, &Capabilities::hardware()),
        ] {
            let plans = candidates(shape(sizes), operation, adapter);
            let narrow = |plan: &Plan| matches!(plan.algorithm, Algorithm::Narrow(_));
            assert!(!plans.iter().any(narrow), "{sizes:?} {operation:?}");
        }
    }

    #[test]
    fn plan_has_no_work_for_empty_outputs() {
        for adapter in [Capabilities::hardware(), Capabilities::software(2)] {
            for (sizes, operation) in [
                ([0, 3, 3], Operation::Forward),
                ([3, 0, 3], Operation::InputGrad),
                ([3, 3, 0], Operation::WeightGrad),
                ([3, 3, 0], Operation::BiasGrad),
            ] {
                let [m, _, n] = operation.product(shape(sizes));
                let chosen = plan(shape(sizes), operation, &adapter).algorithm;
                assert_eq!(chosen.workgroups(m, n), 0, "{operation:?}");
            }
        }
    }

    #[test]
    fn workgroups_cover_ragged_products() {
        assert_eq!(Algorithm::Tiled(Tiled::new(64)).workgroups(129, 64), 3);
        assert_eq!(
            Algorithm::Naive.workgroups(129, 64),
            (33 * 16_u64).div_ceil(64)
        );
        assert_eq!(Algorithm::SumRows.workgroups(1, 33), 2);
    }

    #[test]
    fn long_sums_are_cut_for_software_alone() {
        let sizes = shape([64, 65_536, 64]);
        for operation in [Operation::Forward, Operation::BiasGrad] {
            for plan in candidates(sizes, operation, &Capabilities::hardware()) {
                assert!(plan.terms_per_pass >= 1 << 21, "{plan:?}");
            }
        }
        let llvmpipe = Capabilities::software(2);
        let mut other = llvmpipe.clone();
        other.loop_iterations = None;
        for software in [&llvmpipe, &other] {
            let plan = plan(sizes, Operation::Forward, software);
            assert!(plan.terms_per_pass <= 1 << 18, "{plan:?}");
        }
        let narrow = Algorithm::Narrow(Narrow {
            groups: 2,
            vectors: 2,
        });
        let terms =
            [&llvmpipe, &other].map(|software| Plan::new(narrow, 1, software).terms_per_pass);
        assert_eq!(terms, [1 << 15, 1 << 10]);
    }

    #[test]
    fn plans_are_refused_where_the_adapter_cannot_run_them() {
        let eight = Capabilities::software(2);
        let four = Capabilities {
            subgroup_sizes: Some([4, 4]),
            ..eight.clone()
        };
        let sizes = shape([512; 3]);
        let shuffles = plan(sizes, Operation::Forward, &eight);
        assert!(shuffles.serves(sizes, Operation::Forward, &eight));
        assert!(!shuffles.serves(sizes, Operation::Forward, &four));
        let odd = Plan {
            algorithm: Algorithm::Tiled(Tiled::new(48)),
            ..shuffles
        };
        assert!(!odd.serves(sizes, Operation::Forward, &Capabilities::hardware()));
    }

    /// In every geometry that can be written down.
    fn all_algorithms() -> Vec<Algorithm> {
        let few = [0, 1, 2, 3, 4, 5, 8, u32::MAX];
        let mut all = vec![Algorithm::Naive, Algorithm::SumRows];
        for a in few {
            all.push(Algorithm::SmallBatch(SmallBatch { rows: a }));
            for b in few {
                all.push(Algorithm::Narrow(Narrow {
                    groups: a,
                    vectors: b,
                }));
                all.extend([false, true].map(|shuffle| {
                    Algorithm::Broadcast(Broadcast {
                        groups: a,
                        vectors: b,
                        shuffle,
                    })
                }));
            }
        }
        for side in [0, 16, 32, 48, 64, 128, 256, u32::MAX] {
            let tiled = [false, true].map(|prefetch| Tiled { side, prefetch });
            all.extend(tiled.map(Algorithm::Tiled));
        }
        all
    }

    fn doctored() -> Vec<Capabilities> {
        let mut all = Vec::new();
        for adapter in [Capabilities::hardware(), Capabilities::software(2)] {
            for subgroup_sizes in [
                None,
                Some([4, 4]),
                Some([4, 8]),
                Some([8, 8]),
                Some([8, 32]),
            ] {
                for max_invocations in [1, 8, 16, 64, 128, 256] {
                    for max_workgroup_bytes in [0, 127, 2_048, 4_096, 16_384] {
                        all.push(Capabilities {
                            subgroup_sizes,
                            max_invocations,
                            max_workgroup_bytes,
                            ..adapter.clone()
                        });
                    }
                }
            }
        }
        all
    }

    #[test]
    fn no_plan_is_accepted_that_the_adapter_cannot_run() {
        let operations = [&OPERATIONS[..], &[Operation::BiasGrad]].concat();
        let mut accepted = 0;
        for algorithm in all_algorithms() {
            let plan = Plan {
                algorithm,
                slabs: 1,
                terms_per_pass: 1 << 30,
            };
            let shuffles = matches!(
                algorithm,
                Algorithm::Narrow(_) | Algorithm::Broadcast(Broadcast { shuffle: true, .. })
            );
            for adapter in &doctored() {
                for (sizes, operation) in [[512, 64, 64], [8, 64, 3]]
                    .into_iter()
                    .flat_map(|sizes| operations.iter().map(move |operation| (sizes, *operation)))
                {
                    if plan.fitted(shape(sizes), operation, adapter).is_none() {
                        continue;
                    }
                    accepted += 1;
                    let room = algorithm.room();
                    let threads: u32 = room.workgroup().iter().product();
                    assert!(threads <= adapter.max_invocations, "{plan:?} {adapter:?}");
                    assert!(
                        room.shared_bytes() <= adapter.max_workgroup_bytes,
                        "{plan:?}"
                    );
                    assert!(
                        !shuffles || adapter.subgroup_sizes == Some([8, 8]),
                        "{plan:?}"
                    );
                    let sums_rows = algorithm == Algorithm::SumRows;
                    assert_eq!(sums_rows, operation == Operation::BiasGrad, "{plan:?}");
                }
            }
        }
        assert!(accepted > 1000, "{accepted}");
    }

    /// llvmpipe leaves loops that go round more often, in silence.
    #[test]
    fn passes_are_cut_to_what_the_adapter_does_right() {
        let (sizes, llvmpipe) = (shape([64, 1 << 20, 64]), Capabilities::software(2));
        let foreign = Plan {
            algorithm: Algorithm::Tiled(Tiled::new(32)),
            slabs: 1,
            terms_per_pass: 1 << 30,
        };
        let fitted = foreign
            .fitted(sizes, Operation::Forward, &llvmpipe)
            .unwrap();
        assert!(fitted.terms_per_pass <= 64_000 * 16, "{fitted:?}");
        for terms_per_pass in [0, 4, 1_000] {
            let odd = Plan {
                terms_per_pass,
                ..foreign
            };
            assert_eq!(odd.fitted(sizes, Operation::Forward, &llvmpipe), None);
        }
    }

    fn adapter(name: &str, driver_info: &str) -> Capabilities {
        let info = wgpu::AdapterInfo {
            name: name.into(),
            driver_info: driver_info.into(),
            subgroup_min_size: 8,
            subgroup_max_size: 8,
            ..wgpu::AdapterInfo::new(wgpu::DeviceType::Cpu, wgpu::Backend::Vulkan)
        };
        let limits = wgpu::Limits::default();
        Capabilities::of_adapter(&info, wgpu::Features::SUBGROUP, &limits)
    }

    #[test]
    fn plan_gives_software_what_its_compiler_writes_out() {
        let most_groups = |adapter: &Capabilities| {
            let plans = candidates(shape([512; 3]), Operation::Forward, adapter);
            let groups = plans.iter().map(|plan| match plan.algorithm {
                Algorithm::Broadcast(Broadcast { groups, .. }) => groups,
                _ => 0,
            });
            groups.max().unwrap()
        };
        let llvmpipe = "llvmpipe (LLVM 15.0.6, 256 bits)";
        for (name, driver_info, groups) in [
            (llvmpipe, "Mesa 22.3.6 (LLVM 15.0.6)", 4),
            (llvmpipe, "Mesa 25.0.7-2~bpo12+1 (LLVM 15.0.6)", 2),
            (llvmpipe, "Mesa 26.2.6-1 (LLVM 22.1.8)", 4),
            (llvmpipe, "", 4),
            ("SwiftShader Device (Subzero)", "", 0),
        ] {
            assert_eq!(
                most_groups(&adapter(name, driver_info)),
                groups,
                "{driver_info}"
            );
        }
    }

    #[test]
    fn plan_splits_long_sums_where_nothing_is_written_out() {
        let swiftshader = adapter("SwiftShader Device (Subzero)", "");
        let plan = |sizes| plan(shape(sizes), Operation::Forward, &swiftshader);
        assert_eq!(plan([512; 3]).algorithm, Algorithm::Naive);
        assert_eq!(plan([512; 3]).slabs, 1);
        assert!(plan([16, 4096, 64]).slabs > 1);
    }

    /// Slabs and passes begin where vectors of four terms and staged tiles do.
    #[test]
    fn passes_are_powers_of_two_of_at_least_a_thousand_terms() {
        for adapter in [Capabilities::hardware(), Capabilities::software(2)] {
            for operation in OPERATIONS {
                for plan in candidates(shape([8, 4096, 4096]), operation, &adapter) {
                    let terms = plan.terms_per_pass;
                    assert!(terms >= 1024 && terms.is_power_of_two(), "{plan:?}");
                }
            }
        }
    }
}
