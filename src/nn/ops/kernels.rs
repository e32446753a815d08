//! What prepares the operations around the linear layer.

use std::sync::OnceLock;

use crate::device::Gpu;
use crate::kernel::{KernelCache, ShaderChecks};

/// Prepares activations, losses and optimizer steps on one device; the counterpart of
/// [`crate::LinearKernels`].
///
/// Every operation returns the errors that [`crate::LinearKernels::forward`] lists.
#[derive(Debug)]
pub struct NetworkKernels {
    pub(super) cache: KernelCache,
    /// What histograms search, uploaded when first needed.
    pub(super) edges: OnceLock<wgpu::Buffer>,
}

impl NetworkKernels {
    /// Kernels for `device`. Compiles nothing yet.
    #[must_use]
    pub fn new(device: &wgpu::Device) -> Self {
        Self {
            cache: KernelCache::new(device, ShaderChecks::default()),
            edges: OnceLock::new(),
        }
    }

    /// The same, kept and checked as [`LinearKernels::of`](crate::LinearKernels::of) says.
    #[must_use]
    pub fn of(gpu: &Gpu) -> Self {
        Self {
            cache: gpu.kernel_cache(ShaderChecks::default()),
            edges: OnceLock::new(),
        }
    }

    /// Limits of the device.
    pub(in crate::nn) fn limits(&self) -> &wgpu::Limits {
        self.cache.limits()
    }
}
