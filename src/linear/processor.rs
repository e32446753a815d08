//! What one processor of a GPU can do.

/// The figures of one processor: a streaming multiprocessor (NVIDIA), a compute unit (AMD), an Xe
/// core (Intel), a GPU core (Apple), half a shader processor (Qualcomm).
///
/// wgpu tells none of them. They come from a table by vendor and name of the adapter, with a
/// default where the name is not in it, and are as good as a ranking of plans needs. Change what is
/// wrong, and hand it to
/// [`LinearKernels::with_capabilities`](super::LinearKernels::with_capabilities).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Processor {
    /// f32 multiply-adds in a clock cycle.
    pub multiply_adds: u32,
    /// Multiply-adds of f16 into f32 in a clock cycle, by its matrix units; 0 where it has none.
    pub matrix_multiply_adds: u32,
    /// Clock under load, in MHz.
    pub megahertz: u32,
    /// Registers of 32 bits, of all its threads together.
    pub registers: u32,
    /// Threads that it holds at the same time.
    pub threads: u32,
    /// Workgroup memory of all its workgroups together, in bytes.
    pub workgroup_bytes: u32,
    /// Its share of the bandwidth of the memory, in GB/s.
    pub gigabytes_per_s: u32,
    /// Its share of the largest cache, in KiB.
    pub cache_kilobytes: u32,
    /// Rows and columns of the largest tile that compilers for it keep in registers: with larger
    /// ones sums are spilled to memory.
    pub largest_tile: u32,
}

impl Processor {
    /// Of a GPU of the middle class, of whom nothing is known.
    pub(super) const UNKNOWN: Self = Self {
        multiply_adds: 128,
        matrix_multiply_adds: 0,
        megahertz: 1_600,
        registers: 65_536,
        threads: 1_024,
        workgroup_bytes: 65_536,
        gigabytes_per_s: 12,
        cache_kilobytes: 128,
        largest_tile: 128,
    };

    /// Multiply-adds in a nanosecond.
    pub(super) fn rate(&self) -> f64 {
        f64::from(self.multiply_adds) * f64::from(self.megahertz) / 1e3
    }

    /// How many workgroups it holds at the same time, each of which has so many threads, registers
    /// and bytes of workgroup memory; at least one.
    pub(super) fn workgroups(&self, threads: u32, registers: u32, shared_bytes: u32) -> u32 {
        let by_threads = self.threads / threads.max(1);
        let by_registers = self.registers / registers.max(1);
        let by_memory = self.workgroup_bytes / shared_bytes.max(1);
        by_threads.min(by_registers).min(by_memory).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 1,024 threads, 65,536 registers and 65,536 bytes.
    #[test]
    fn workgroups_are_held_as_far_as_threads_registers_and_memory_go() {
        for (threads, registers, bytes, held) in [
            (256, 4_096, 0, 4),
            (64, 32_768, 0, 2),
            (64, 4_096, 16_896, 3),
            (64, 4_096, 0, 16),
            (2_048, 4_096, 0, 1),
        ] {
            let found = Processor::UNKNOWN.workgroups(threads, registers, bytes);
            assert_eq!(found, held, "{threads} {registers} {bytes}");
        }
    }
}
