//! Files of tuned plans. Their checksums are not looked at, so that what is behind them is reached.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wgpu_linear::LinearKernels;
use wgpu_linear::linear::TuneCache;
use wgpu_linear_fuzz::{bounded, file};

static KERNELS: LazyLock<LinearKernels> = LazyLock::new(|| {
    let (device, _) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
    LinearKernels::new(&device)
});

fuzz_target!(|bytes: &[u8]| {
    let cache = TuneCache::at(file("tuned.tsv", bytes));
    let kernels = &*KERNELS;
    bounded(bytes, (256, 64 << 10), || {
        let _ = cache.count();
        kernels.use_plans(&cache);
    });
});
