//! Kernels compiled when first needed, and kept.

use std::sync::{Arc, PoisonError};

use wgpu::Features;

use super::{KernelCache, Slot};
use crate::kernel::compile::{Compiled, compile};
use crate::kernel::limits::check_limits;
#[cfg(not(target_arch = "wasm32"))]
use crate::kernel::pipelines::Pipelines;
use crate::kernel::{Kernel, PrepareError};

impl KernelCache {
    pub(super) fn compiled(
        &self,
        kernel: &Kernel,
    ) -> Result<(Arc<Kernel>, Compiled), PrepareError> {
        let (shared, slot) = self.slot(kernel);
        // Whoever wants the same kernel waits here; after a panic the slot is still empty.
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = &*slot {
            return Ok((shared, found.clone()));
        }
        check_limits(kernel, &self.limits)?;
        self.check_features(kernel)?;
        let wgsl = kernel.wgsl()?;
        #[cfg(test)]
        let wgsl = match self.fault {
            Some(fault) => fault.planted(&kernel.name(), wgsl),
            None => wgsl,
        };
        let fresh = self.guard(kernel.label, 0, || {
            #[cfg(test)]
            self.fault
                .inspect(|fault| fault.lose(&self.device, &kernel.name()));
            compile(
                &self.device,
                kernel,
                &wgsl,
                self.checks,
                self.pipeline_cache(),
            )
        });
        // wgpu gives up the whole device where a driver refuses a pipeline for a reason of its own.
        if let Err(PrepareError::DeviceLost { .. }) = &fresh {
            let name = kernel.name();
            log::error!("the device is lost, and may be for the kernel {name}, just compiled");
        }
        let fresh = fresh?;
        self.note_news();
        *slot = Some(fresh.clone());
        Ok((shared, fresh))
    }

    /// That the device was opened with what the kernel needs.
    fn check_features(&self, kernel: &Kernel) -> Result<(), PrepareError> {
        let lacks = |needs: bool, feature| needs && !self.features.contains(feature);
        let feature = if lacks(kernel.uses_f16(), Features::SHADER_F16) {
            "SHADER_F16"
        } else if lacks(
            kernel.uses_matrix_units(),
            Features::EXPERIMENTAL_COOPERATIVE_MATRIX,
        ) {
            "EXPERIMENTAL_COOPERATIVE_MATRIX"
        } else {
            return Ok(());
        };
        Err(PrepareError::Feature {
            operation: kernel.label,
            feature,
        })
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn pipeline_cache(&self) -> Option<&wgpu::PipelineCache> {
        self.pipelines.as_ref().map(Pipelines::cache)
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn note_news(&self) {
        if let Some(pipelines) = &self.pipelines {
            pipelines.note_news();
        }
    }

    /// Browsers keep what they compile by themselves.
    #[cfg(target_arch = "wasm32")]
    fn pipeline_cache(&self) -> Option<&wgpu::PipelineCache> {
        None
    }

    #[cfg(target_arch = "wasm32")]
    fn note_news(&self) {}

    fn slot(&self, kernel: &Kernel) -> (Arc<Kernel>, Arc<Slot>) {
        // A panic elsewhere cannot leave the map half written: entries are inserted whole.
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((shared, slot)) = compiled.get_key_value(kernel) {
            return (shared.clone(), slot.clone());
        }
        let (shared, slot) = (Arc::new(kernel.clone()), Arc::default());
        compiled.insert(Arc::clone(&shared), Arc::clone(&slot));
        (shared, slot)
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
pub(super) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::kernel::fault::Fault;
    use crate::kernel::{File, ShaderChecks, is_lost};

    pub(in crate::kernel::cache) fn cache() -> KernelCache {
        let (device, _) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
        KernelCache::new(&device, ShaderChecks::default())
    }

    pub(in crate::kernel::cache) fn kernel(label: &'static str) -> Kernel {
        let (name, source) = (label, "@compute @workgroup_size(1) fn nothing() {}");
        Kernel::new(label, (File { name, source }, "nothing"), &[], 1, &[])
    }

    #[test]
    fn a_kernel_that_is_being_compiled_holds_up_no_other() {
        let (cache, slow) = (Arc::new(cache()), kernel("slow"));
        let (_, slot) = cache.slot(&slow);
        let compiling = slot.lock().unwrap();
        let (send, receive) = mpsc::channel();
        let ask = |kernel: Kernel, name: &'static str| {
            let (cache, send) = (cache.clone(), send.clone());
            thread::spawn(move || {
                cache.compiled(&kernel).unwrap();
                send.send(name).unwrap();
            })
        };
        let waits = ask(slow, "slow");
        // Until it waits: it holds the slot too, then.
        while Arc::strong_count(&slot) < 3 {
            thread::yield_now();
        }
        let _ = ask(kernel("other"), "other");
        let long = Duration::from_secs(60);
        assert_eq!(receive.recv_timeout(long), Ok("other"));
        drop(compiling);
        assert_eq!(receive.recv_timeout(long), Ok("slow"));
        waits.join().unwrap();
    }

    /// A cache with a kernel that is `broken`, and how much the application has heard.
    fn broken(instead: &'static str) -> (KernelCache, Arc<AtomicUsize>) {
        let (device, _) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
        let heard = Arc::new(AtomicUsize::new(0));
        let counter = heard.clone();
        device.on_uncaptured_error(Arc::new(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        }));
        let fault = Fault {
            kernel: "broken",
            text: "fn nothing",
            instead,
            checks: ShaderChecks::default(),
            slack_bytes: 0,
        };
        let cache = KernelCache::new(&device, ShaderChecks::default());
        (cache.with_fault(Some(fault)), heard)
    }

    #[test]
    fn a_kernel_that_is_refused_takes_nothing_with_it() {
        for instead in ["fn no thing", "fn otherwise", "fn nothing_at_all"] {
            let (cache, heard) = broken(instead);
            for _ in 0..2 {
                let refused = cache.compiled(&kernel("broken"));
                assert!(
                    matches!(
                        refused,
                        Err(PrepareError::Refused {
                            operation: "broken",
                            source: wgpu::Error::Validation { .. }
                        })
                    ),
                    "{refused:?}"
                );
                assert!(cache.compiled(&kernel("other")).is_ok());
            }
            assert!(!is_lost(&cache.device));
            assert_eq!(heard.load(Ordering::SeqCst), 0);
        }
    }

    #[test]
    fn a_kernel_that_takes_the_device_with_it_does_not_do_so_unnoticed() {
        let (cache, heard) = broken(Fault::LOSES_THE_DEVICE);
        assert!(cache.compiled(&kernel("before")).is_ok());
        for label in ["broken", "broken", "other"] {
            let lost = cache.compiled(&kernel(label));
            assert!(
                matches!(lost, Err(PrepareError::DeviceLost { operation }) if operation == label),
                "{lost:?}"
            );
        }
        assert_eq!(heard.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_kernel_that_several_want_is_compiled_once() {
        let (cache, kernel) = (cache(), kernel("wanted"));
        let pipelines: Vec<_> = thread::scope(|scope| {
            let ask = || cache.compiled(&kernel).unwrap().1.pipeline;
            let threads = [(); 4].map(|()| scope.spawn(ask));
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert!(pipelines.iter().all(|pipeline| *pipeline == pipelines[0]));
    }
}
