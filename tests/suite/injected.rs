//! Faults put into real devices in the midst of a training: destroyed, without memory. It
//! goes on on another device of the same adapter, to the same bits.
//!
//! Every round asserts that the failure has its type, comes within five seconds, is no panic and
//! nothing that the device's handler hears of, and that model, checkpoints and event file are those
//! of a run without faults. `scripts/test --long` takes fifty rounds at every kind of call.

use std::cell::Cell;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use wgpu_linear::model::{Model, ModelError};
use wgpu_linear::train::{DeviceFailure, Recovery};
use wgpu_linear::{Gpu, GpuError, GpuOptions, PrepareError, nn};

use crate::busy::{Slow, slow_workgroups, waits_end_at_time_outs};
use crate::failing::{Failing, Fault, Strike, panics};
use crate::recovery::{Case, End, SETTINGS, config, healthy};
use crate::support::{Heard, gpu};

/// No failure may take longer to be noticed.
const LONGEST: Duration = Duration::from_secs(5);

fn network(gpu: &Gpu) -> Box<dyn Model> {
    Box::new(nn::Mlp::new(gpu, config()).unwrap())
}

/// The run without faults: the same for every setting of a recovery.
fn undisturbed() -> &'static End {
    static END: OnceLock<End> = OnceLock::new();
    END.get_or_init(|| healthy(&Case::new(SETTINGS[0]), network(gpu())).0)
}

/// The calls of a run without faults.
fn calls(recovery: Recovery) -> &'static [&'static str] {
    static CALLS: Mutex<Vec<(Recovery, &'static [&'static str])>> = Mutex::new(Vec::new());
    let mut known = CALLS.lock().unwrap();
    if let Some((_, calls)) = known.iter().find(|(of, _)| *of == recovery) {
        return calls;
    }
    let calls = healthy(&Case::new(recovery), network(gpu())).1.leak();
    known.push((recovery, calls));
    calls
}

/// When the fault came, as far as it did.
type Struck = Arc<Mutex<Option<Instant>>>;

/// A device of its own, with a handler that counts.
struct Doomed {
    gpu: Gpu,
    heard: Heard,
    struck: Struck,
}

impl Doomed {
    fn open(options: &GpuOptions) -> Self {
        let gpu = Gpu::open(options).unwrap();
        Self {
            heard: Heard::of(gpu.device()),
            gpu,
            struck: Struck::default(),
        }
    }

    /// A training on it that goes on on another device, with what is asserted of every round;
    /// whether the fault was noticed at all.
    fn check(
        &self,
        recovery: Recovery,
        fault: Option<Fault>,
        is_right: fn(&ModelError) -> bool,
    ) -> bool {
        let before = panics("injected").len();
        let case = Case::new(recovery);
        let mut model: Box<dyn Model> = Box::new(Failing::new(network(&self.gpu), fault));
        let recoveries = Cell::new(0);
        let summary = case.run(&mut model, |failure: &DeviceFailure<'_>| {
            recoveries.set(recoveries.get() + 1);
            assert!(is_right(failure.error), "{failure:?}");
            let struck = self.struck.lock().unwrap().unwrap();
            let waited = struck.elapsed();
            assert!(waited <= LONGEST, "{waited:?}");
            Ok(network(gpu()))
        });
        let end = case.end(model.as_ref(), summary.unwrap(), recoveries.get());
        assert!(end == *undisturbed(), "{end:#?}");
        assert_eq!(self.heard.counts()[0], 0);
        let panics = panics("injected").split_off(before);
        let ours: Vec<_> = panics
            .iter()
            .filter(|place| !place.contains("/wgpu"))
            .collect();
        assert!(ours.is_empty(), "{ours:?}");
        if !panics.is_empty() {
            eprintln!("caught: {panics:?}");
        }
        recoveries.get() > 0
    }

    fn destroying(&self) -> Strike {
        let (device, struck) = (self.gpu.device().clone(), self.struck.clone());
        Box::new(move || {
            device.destroy();
            struck.lock().unwrap().get_or_insert_with(Instant::now);
            Ok(())
        })
    }
}

fn is_lost(error: &ModelError) -> bool {
    matches!(
        error,
        ModelError::Gpu(GpuError::DeviceLost)
            | ModelError::Prepare(PrepareError::DeviceLost { .. })
    )
}

fn is_timeout(error: &ModelError) -> bool {
    matches!(error, ModelError::Gpu(GpuError::Timeout { .. }))
}

fn is_out_of_memory(error: &ModelError) -> bool {
    matches!(error, ModelError::Gpu(GpuError::OutOfMemory { .. }))
}

/// The kinds of calls that a run has, each with one of them at random.
fn some_of_each(calls: &[&'static str], random: &mut fastrand::Rng) -> Vec<(&'static str, usize)> {
    let mut kinds = calls.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    let one = |kind: &&'static str| calls.iter().filter(|call| *call == kind).count();
    kinds
        .iter()
        .map(|kind| (*kind, random.usize(0..one(kind))))
        .collect()
}

/// Rounds of a fault: at each kind of call of a run, or at so many of them on a push.
fn rounds(seed: u64, short: usize, mut round: impl FnMut(Recovery, &'static str, usize, bool)) {
    let mut random = fastrand::Rng::with_seed(seed);
    let is_long = std::env::var_os("WGPU_LINEAR_LONG").is_some();
    for i in 0..if is_long { 50 } else { 1 } {
        let recovery = SETTINGS[random.usize(0..SETTINGS.len())];
        let mut points = some_of_each(calls(recovery), &mut random);
        if !is_long {
            random.shuffle(&mut points);
            points.truncate(short);
        }
        for (of, at) in points {
            let after = random.bool();
            eprintln!("round {i}: call {at} of {of}, after it: {after}, {recovery:?}");
            round(recovery, of, at, after);
        }
    }
}

fn fault(of: &'static str, at: usize, after: bool, strike: Strike) -> Option<Fault> {
    Some(Fault {
        of: Some(of),
        at,
        after,
        lasts: false,
        strike,
    })
}

#[test]
fn a_device_that_is_destroyed_at_a_call_leaves_no_trace() {
    rounds(1, 4, |recovery, of, at, after| {
        let doomed = Doomed::open(&GpuOptions::default());
        let fault = fault(of, at, after, doomed.destroying());
        doomed.check(recovery, fault, is_lost);
    });
}

/// By another thread, whatever the run is at.
#[test]
fn a_device_that_is_destroyed_at_any_moment_leaves_no_trace() {
    let mut random = fastrand::Rng::with_seed(2);
    let is_long = std::env::var_os("WGPU_LINEAR_LONG").is_some();
    let mut noticed = 0;
    let rounds = if is_long { 50 } else { 3 };
    for round in 0..50 {
        // Where the machine is quick, a run may be over before.
        if round >= rounds && noticed > 0 {
            break;
        }
        let doomed = Doomed::open(&GpuOptions::default());
        let recovery = SETTINGS[random.usize(0..SETTINGS.len())];
        undisturbed();
        let pause = Duration::from_millis(random.u64(0..300));
        let (device, struck) = (doomed.gpu.device().clone(), doomed.struck.clone());
        let thread = std::thread::Builder::new().name("injected".to_owned());
        let thread = thread.spawn(move || {
            std::thread::sleep(pause);
            struck.lock().unwrap().get_or_insert_with(Instant::now);
            device.destroy();
        });
        noticed += u32::from(doomed.check(recovery, None, is_lost));
        thread.unwrap().join().unwrap();
    }
    assert!(noticed > 0);
}

#[test]
fn a_device_that_is_too_slow_leaves_no_trace() {
    let (mut all, mut noticed) = (0, 0);
    rounds(3, 3, |recovery, of, at, after| {
        let options = GpuOptions {
            timeout: Duration::from_millis(500),
            ..GpuOptions::default()
        };
        let doomed = Doomed::open(&options);
        let slow = Slow::new(&doomed.gpu);
        let (gpu, struck) = (doomed.gpu.clone(), doomed.struck.clone());
        // Where it is slow before that, by others that compute, the failure is the same.
        struck.lock().unwrap().get_or_insert_with(Instant::now);
        let workgroups = slow_workgroups();
        let strike = Box::new(move || {
            *struck.lock().unwrap() = Some(Instant::now());
            slow.submit(&gpu, workgroups);
            Ok(())
        });
        all += 1;
        let fault = fault(of, at, after, strike);
        noticed += u32::from(doomed.check(recovery, fault, is_timeout));
    });
    // But behind the last wait of a run.
    let is_met = 2 * noticed >= all;
    assert!(is_met || !waits_end_at_time_outs(), "{noticed} of {all}");
}

/// As where another program has taken the memory: the call has the error, and the device is there.
#[test]
fn a_device_without_memory_leaves_no_trace() {
    rounds(4, 3, |recovery, of, at, after| {
        let doomed = Doomed::open(&GpuOptions::default());
        let struck = doomed.struck.clone();
        let strike = Box::new(move || {
            struck.lock().unwrap().get_or_insert_with(Instant::now);
            let label = "wgpu_linear::staging".to_owned();
            Err(GpuError::OutOfMemory { label, bytes: 8 }.into())
        });
        let is_noticed = doomed.check(recovery, fault(of, at, after, strike), is_out_of_memory);
        // How often losses are polled differs from run to run.
        assert!(is_noticed || of == "poll_loss");
    });
}

fn budget(for_resource_creation: Option<u8>, for_device_loss: Option<u8>) -> Result<Gpu, GpuError> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        memory_budget_thresholds: wgpu::MemoryBudgetThresholds {
            for_resource_creation,
            for_device_loss,
        },
        ..wgpu::InstanceDescriptor::new_without_display_handle_from_env()
    });
    let options = GpuOptions {
        instance: Some(instance),
        ..GpuOptions::default()
    };
    Gpu::open(&options)
}

/// A budget of nothing refuses every buffer, and loses every device that is asked for work, where
/// the driver knows of budgets (`VK_EXT_memory_budget`): llvmpipe since Mesa 25, where no device is
/// opened at all. On others, such as SwiftShader, all goes well.
#[test]
fn a_memory_budget_that_is_used_up_is_an_error_with_a_type() {
    let is_typed = |result: Result<Vec<f32>, GpuError>| match result {
        Ok(numbers) => assert_eq!(numbers, [1.0, 2.0]),
        Err(error) => assert!(
            matches!(error, GpuError::OutOfMemory { .. } | GpuError::DeviceLost),
            "{error:?}"
        ),
    };
    for (creation, loss) in [(Some(0), None), (None, Some(0)), (Some(0), Some(0))] {
        let gpu = match budget(creation, loss) {
            Ok(gpu) => gpu,
            Err(error) => {
                let GpuError::RequestDevice { source, .. } = &error else {
                    panic!("{error:?}");
                };
                // wgpu does not let anybody match it.
                assert!(format!("{source:?}").contains("OutOfMemory"), "{error:?}");
                continue;
            }
        };
        for _ in 0..3 {
            let buffer = gpu.upload("numbers", &[1.0, 2.0]);
            is_typed(buffer.and_then(|buffer| gpu.read(&buffer)));
        }
        match nn::Mlp::new(&gpu, config()) {
            Ok(mut mlp) => assert!(mlp.predict(ndarray::Array2::zeros((2, 6)).view()).is_ok()),
            Err(error) => assert!(error.is_device_failure(), "{error:?}"),
        }
    }
}
