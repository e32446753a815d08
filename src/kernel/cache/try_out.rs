//! Whether a kernel computes right, found out before it is used.

use std::sync::Arc;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::atomic::Ordering;

use super::KernelCache;
#[cfg(not(target_arch = "wasm32"))]
use super::{filled_buffer, grid};
#[cfg(not(target_arch = "wasm32"))]
use crate::kernel::Dispatch;
use crate::kernel::compile::Compiled;
#[cfg(not(target_arch = "wasm32"))]
use crate::kernel::first_use::{FirstUse, Placed, Stopped, Verdict, required_bytes};
use crate::kernel::probe::Probe;
use crate::kernel::{Kernel, PrepareError};

impl KernelCache {
    /// Finds out whether the kernel computes right, if nobody knows.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn try_out(
        &self,
        kernel: &Arc<Kernel>,
        compiled: &Compiled,
        probe: &dyn Fn() -> Probe,
    ) -> Result<(), PrepareError> {
        let Some(known) = &self.first_use else {
            return Ok(());
        };
        if compiled.is_cleared.load(Ordering::Acquire) {
            return Ok(());
        }
        let verdict = match known.verdict(kernel, self.checks) {
            Some(verdict) => verdict,
            None => {
                let probe = probe();
                if required_bytes(&probe) > self.largest_buffer() {
                    return Ok(());
                }
                let verdict = self.first_run(known, kernel, compiled, &probe)?;
                if let Verdict::Wrong(found) = &verdict {
                    log::warn!("{}", self.miscompiled(kernel, found));
                }
                known.note(kernel, self.checks, verdict.clone());
                verdict
            }
        };
        match verdict {
            Verdict::Right => {
                compiled.is_cleared.store(true, Ordering::Release);
                Ok(())
            }
            Verdict::Wrong(found) => Err(self.miscompiled(kernel, &found)),
        }
    }

    /// A browser does not allow to wait for results.
    #[cfg(target_arch = "wasm32")]
    pub(super) fn try_out(
        &self,
        _: &Arc<Kernel>,
        _: &Compiled,
        _: &dyn Fn() -> Probe,
    ) -> Result<(), PrepareError> {
        Ok(())
    }

    /// In bytes. Some who try things out have devices with room for next to nothing.
    #[cfg(not(target_arch = "wasm32"))]
    fn largest_buffer(&self) -> u64 {
        let limits = &self.limits;
        limits
            .max_buffer_size
            .min(limits.max_storage_buffer_binding_size)
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn first_run(
        &self,
        known: &FirstUse,
        kernel: &Arc<Kernel>,
        compiled: &Compiled,
        probe: &Probe,
    ) -> Result<Verdict, PrepareError> {
        let operation = kernel.label;
        let workgroups = self.folded(kernel, probe.workgroups, probe.layers.into())?;
        let placeholders = self.placeholders(operation)?;
        let (placed, bindings) = self.guard(operation, required_bytes(probe), || {
            let placed = Placed::new(probe, |usage, contents| {
                filled_buffer(&self.device, "wgpu_linear::first_use", usage, contents)
            });
            let operands = placed.operands(probe);
            let layout = &compiled.layout;
            let dims = probe.dims.as_ref();
            let bindings = self.bind(kernel, layout, dims, (&operands, placeholders));
            (placed, bindings)
        })?;
        let grids = vec![grid(kernel.clone(), compiled.clone(), bindings, workgroups)];
        let label = operation;
        match known.run(&Dispatch { label, grids }, &placed.written) {
            Ok(words) => Ok(placed.judge(kernel, probe, &words)),
            Err(Stopped::Lost) => Err(PrepareError::DeviceLost { operation }),
            Err(Stopped::Timeout(waited)) => Err(PrepareError::Timeout { operation, waited }),
            Err(Stopped::Other(source)) => Err(PrepareError::FirstUse { operation, source }),
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn miscompiled(&self, kernel: &Kernel, found: &str) -> PrepareError {
        let info = self.device.adapter_info();
        let driver = [info.driver, info.driver_info].join(" ");
        PrepareError::Miscompiled {
            operation: kernel.label,
            kernel: kernel.name(),
            adapter: info.name,
            driver: match driver.trim() {
                "" => "that it does not name".to_owned(),
                driver => driver.to_owned(),
            },
            found: found.into(),
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    use super::super::compiled::tests::{cache, kernel};
    use super::*;
    use crate::kernel::Runner;

    /// Never has results, and counts how often it was asked for some.
    #[derive(Clone, Debug, Default)]
    struct Broken(Arc<AtomicU32>);

    impl Runner for Broken {
        fn run(&self, _: &Dispatch, _: &wgpu::Buffer) -> Result<Vec<u32>, Stopped> {
            match self.0.fetch_add(1, Ordering::SeqCst) {
                0 => Err(Stopped::Lost),
                1 => Err(Stopped::Timeout(Duration::from_secs(1))),
                _ => Err(Stopped::Other("broken".into())),
            }
        }
    }

    #[test]
    fn a_first_run_that_fails_is_no_verdict() {
        let broken = Broken::default();
        let first_use = FirstUse::new(Box::new(broken.clone()));
        let cache = cache().with_first_use(Some(Arc::new(first_use)));
        let probe = || Probe::without_dims(1);
        let errors = [(); 3].map(|()| {
            let result = cache.prepare_without_dims(&kernel("new"), &[], 1, &probe);
            result.unwrap_err()
        });
        let [lost, late, other] = errors;
        assert!(matches!(lost, PrepareError::DeviceLost { .. }), "{lost:?}");
        assert!(matches!(late, PrepareError::Timeout { .. }), "{late:?}");
        assert!(matches!(other, PrepareError::FirstUse { .. }), "{other:?}");
        assert!(cache.condemned().is_empty());
        assert_eq!(broken.0.load(Ordering::SeqCst), 3);
    }
}
