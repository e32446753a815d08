//! `parts/elements.wgsl`: kernels with one thread an element.

use super::kernels::NetworkKernels;
use crate::kernel::{
    Binding, Constant, Contents, Dispatch, File, Kernel, Operand, PrepareError, Probe,
};

/// Threads of a workgroup.
pub(super) const WORKGROUP: u32 = 256;

/// What a thread reads and writes at most: a gathering thread four elements each, an optimizer seven
/// numbers.
const MOST_BYTES: u64 = 32;

/// What every kernel of this kind is specialised with.
pub(super) const CONSTANTS: &[(&str, Constant)] = &[("WORKGROUP", Constant::U32(WORKGROUP))];

/// A kernel of this kind that is the only one of its label.
pub(super) const fn kernel(
    label: &'static str,
    file: (File, &'static str),
    bindings: &'static [Binding],
) -> Kernel {
    Kernel::new(label, file, CONSTANTS, WORKGROUP, bindings)
}

/// Elements that such a kernel is first given: more than a workgroup has, by two of them.
pub(super) const PROBED: usize = WORKGROUP as usize + 37;
pub(super) const PROBED_WORKGROUPS: u64 = 2;

impl NetworkKernels {
    /// One thread for each of `elements`.
    pub(super) fn elementwise(
        &self,
        kernel: &Kernel,
        dims: Contents,
        operands: &[Operand<'_>],
        elements: u64,
        probe: &dyn Fn() -> Probe,
    ) -> Result<Dispatch, PrepareError> {
        let workgroups = elements.div_ceil(u64::from(WORKGROUP));
        let prepared = self
            .cache
            .prepare(kernel, &[dims], operands, workgroups, probe);
        // Of a data set a batch takes a part.
        let most = self.cache.moving(elements * MOST_BYTES);
        prepared.map(|dispatch| dispatch.taking_at_most(most))
    }
}
