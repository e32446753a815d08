//! How long a product takes on hardware.

use super::cost::Work;
use super::launch::{Launch, Traffic};
use super::slabs::sum_slabs;

/// Between dispatches of which one needs what the other has written, in ns.
const DISPATCH: f64 = 3_000.0;
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
