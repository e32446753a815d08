//! How long a launch takes on hardware: `docs/PERFORMANCE.md` says what the model assumes.

use crate::linear::capabilities::Capabilities;

/// Equal workgroups, each of which goes on in steps: it waits for memory, then multiplies.
pub(super) struct Launch {
    /// Workgroups for all results, of one slab.
    pub(super) workgroups: u64,
    /// Threads of a workgroup.
    pub(super) threads: u32,
    /// 32-bit registers of a workgroup.
    pub(super) registers: u32,
    /// Workgroup memory, in bytes.
    pub(super) shared_bytes: u32,
    /// Results of a workgroup.
    pub(super) results: u32,
    /// Terms of a step.
    pub(super) step: u32,
    /// Share of the multiply-adds of a processor that it reaches when it never waits.
    pub(super) efficiency: f64,
    /// Whether it waits for the values of the next step while it computes this one.
    pub(super) prefetches: bool,
}

/// From the load to the value, in ns, with the barrier behind it. What a workgroup does before its
/// first and after its last step takes about twice that.
const LATENCY: f64 = 500.0;
/// What is left of it where the values were loaded a step ahead.
const BARRIER: f64 = 200.0;
/// What part of the shorter of multiplying and moving does not overlap with the longer.
const SERIAL: f64 = 0.1;
/// How much faster than memory the caches are.
const CACHE: f64 = 4.0;

impl Launch {
    /// Until the last of `slabs` times the workgroups has done its `terms` terms, in ns.
    pub(super) fn nanoseconds(
        &self,
        terms: u32,
        slabs: u32,
        traffic: &Traffic,
        capabilities: &Capabilities,
    ) -> f64 {
        let multiplying = self.multiplying(terms, slabs, capabilities);
        let moving = traffic.nanoseconds(capabilities);
        multiplying.max(moving) + SERIAL * multiplying.min(moving)
    }

    /// The same if memory were as fast as the caches. The busiest processor has as many workgroups
    /// as there are for each, rounded up, and holds some of them at the same time.
    fn multiplying(&self, terms: u32, slabs: u32, capabilities: &Capabilities) -> f64 {
        let processor = &capabilities.processor;
        let step = f64::from(self.results) * f64::from(self.step);
        let multiply = step / (processor.rate() * self.efficiency);
        let steps = f64::from(terms.div_ceil(self.step));
        let waits = if self.prefetches { BARRIER } else { LATENCY };
        // Those that share a processor multiply in turn, and wait at the same time.
        let together = |workgroups: u64| {
            let multiply_all = workgroups as f64 * multiply;
            steps * multiply_all.max(multiply + waits) + 2.0 * LATENCY
        };
        let processors = u64::from(capabilities.parallel_workgroups.max(1));
        let each = (self.workgroups * u64::from(slabs)).div_ceil(processors);
        let held = processor.workgroups(self.threads, self.registers, self.shared_bytes);
        let (waves, rest) = (each / u64::from(held), each % u64::from(held));
        let last = if rest > 0 { together(rest) } else { 0.0 };
        waves as f64 * together(u64::from(held)) + last
    }
}

/// Bytes that are read and written.
pub(super) struct Traffic {
    /// Counting each once.
    pub(super) once: f64,
    /// Counting each as often as it is asked for.
    pub(super) asked: f64,
}

impl Traffic {
    /// From memory what the caches cannot hold, and all else from the caches.
    fn nanoseconds(&self, capabilities: &Capabilities) -> f64 {
        let processors = f64::from(capabilities.parallel_workgroups.max(1));
        let processor = &capabilities.processor;
        let memory = processors * f64::from(processor.gigabytes_per_s);
        let asked = self.asked / (memory * CACHE);
        if self.once > cached_bytes(capabilities) {
            asked.max(self.once / memory)
        } else {
            asked
        }
    }
}

/// What the largest caches of all processors hold together.
pub(super) fn cached_bytes(capabilities: &Capabilities) -> f64 {
    let processors = f64::from(capabilities.parallel_workgroups.max(1));
    processors * f64::from(capabilities.processor.cache_kilobytes) * 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_TRAFFIC: Traffic = Traffic {
        once: 0.0,
        asked: 0.0,
    };

    fn launch(workgroups: u64) -> Launch {
        Launch {
            workgroups,
            threads: 256,
            registers: 32_768,
            shared_bytes: 16_384,
            results: 128 * 128,
            step: 16,
            efficiency: 0.8,
            prefetches: false,
        }
    }

    /// With two workgroups at a time on each of 32 processors.
    fn nanoseconds(workgroups: u64, terms: u32, slabs: u32) -> f64 {
        launch(workgroups).nanoseconds(terms, slabs, &NO_TRAFFIC, &Capabilities::hardware())
    }

    #[test]
    fn idle_processors_take_work_for_nothing() {
        let one = nanoseconds(1, 1024, 1);
        assert!(nanoseconds(32, 1024, 1) <= one);
        assert!(nanoseconds(8, 1024, 4) <= one);
        assert!(nanoseconds(33, 1024, 1) > one);
    }

    /// The second on a processor multiplies while the first waits; the third begins when they are
    /// done.
    #[test]
    fn a_workgroup_too_many_takes_a_turn_of_its_own() {
        let [one, two, three] = [32, 64, 96].map(|workgroups| nanoseconds(workgroups, 1024, 1));
        assert!(two > 1.2 * one && two < 1.9 * one, "{one} {two}");
        assert!(
            (three - two - one).abs() <= 1e-6 * three,
            "{one} {two} {three}"
        );
        assert!(nanoseconds(65, 1024, 1) >= three);
    }

    #[test]
    fn a_step_takes_its_multiply_adds_and_the_wait_for_memory() {
        let step = nanoseconds(1, 32, 1) - nanoseconds(1, 16, 1);
        let multiply = 128.0 * 128.0 * 16.0 / (128.0 * 1.6 * 0.8);
        assert!((step - multiply - 500.0).abs() <= 1e-6 * step, "{step}");
        let ahead = Launch {
            prefetches: true,
            ..launch(1)
        };
        let time = |terms| ahead.nanoseconds(terms, 1, &NO_TRAFFIC, &Capabilities::hardware());
        let step = time(32) - time(16);
        assert!((step - multiply - 200.0).abs() <= 1e-6 * step, "{step}");
        // Without any terms there is still a launch.
        assert!(nanoseconds(1, 0, 1) >= 500.0);
    }

    /// 384 GB/s, 4 MiB of cache.
    #[test]
    fn memory_bounds_what_does_not_fit_the_caches() {
        let of = |once: f64, asked: f64| {
            let traffic = Traffic { once, asked };
            traffic.nanoseconds(&Capabilities::hardware())
        };
        let (small, large) = (4e6, 5e6);
        assert!((of(large, large) - large / 384.0).abs() <= 1e-6 * large);
        assert!((of(small, small) - small / 384.0 / 4.0).abs() <= 1e-6 * small);
        assert!((of(large, 8.0 * large) - 2.0 * large / 384.0).abs() <= 1e-6 * large);
        let moving = Traffic {
            once: 1e9,
            asked: 1e9,
        };
        let total = launch(1).nanoseconds(16, 1, &moving, &Capabilities::hardware());
        assert!(total > of(1e9, 1e9) && total < 1.2 * of(1e9, 1e9));
    }
}
