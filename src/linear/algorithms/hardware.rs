//! How long a product takes on hardware.

use super::cost::Work;
use super::launch::{Launch, Traffic};
use super::slabs::sum_slabs;

/// Between dispatches of which one needs what the other has written, in ns.
const DISPATCH: f64 = 4_000.0;
/// Slabs begin at a multiple of so many terms.
const SLAB_STEP: u32 = 16;

/// By workgroups that read tiles of so many rows and columns, in ns.
pub(super) fn hardware(work: &Work<'_>, launch: &Launch, [rows, columns]: [u32; 2]) -> f64 {
    let capabilities = work.capabilities;
    if capabilities.is_software() {
        return f64::INFINITY;
    }
    let [m, k, n] = work.product;
    let elements = |a: u32, b: u32| f64::from(a) * f64::from(b);
    let (left, right) = (elements(m, k), elements(k, n));
    let written = elements(m, n) * f64::from(work.slabs);
    let read = left * f64::from(n.div_ceil(columns)) + right * f64::from(m.div_ceil(rows));
    let traffic = Traffic {
        once: 4.0 * (left + right + written),
        asked: 4.0 * (read + written),
    };
    let terms = k.div_ceil(work.slabs).next_multiple_of(SLAB_STEP);
    let multiply = launch.nanoseconds(terms, work.slabs, &traffic, capabilities);
    let add = if work.slabs > 1 {
        sum_slabs().nanoseconds(work)
    } else {
        0.0
    };
    multiply + add + work.more_dispatches() * DISPATCH
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linear::capabilities::Capabilities;

    /// 384 GB/s, and four times that from the caches.
    #[test]
    fn factors_are_read_once_a_tile_of_the_other_side() {
        let time = |tile| {
            let work = Work {
                product: [1024, 512, 2048],
                slabs: 1,
                terms_per_pass: 1 << 30,
                capabilities: &Capabilities::hardware(),
            };
            let launch = Launch {
                workgroups: 1,
                threads: 64,
                registers: 4_096,
                shared_bytes: 0,
                results: 1,
                step: 512,
                efficiency: 1.0,
                prefetches: false,
            };
            hardware(&work, &launch, tile)
        };
        let bytes_per_ns = 4.0 * 384.0;
        let [whole, rows, columns] = [[64, 64], [32, 64], [64, 32]].map(time);
        let right_again = 4.0 * 512.0 * 2048.0 * 16.0 / bytes_per_ns;
        let left_again = 4.0 * 1024.0 * 512.0 * 32.0 / bytes_per_ns;
        assert!((rows - whole - right_again).abs() <= 1e-6 * whole);
        assert!((columns - whole - left_again).abs() <= 1e-6 * whole);
    }
}
