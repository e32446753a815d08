//! What goes wrong is a typed error with its sizes, the objects serve on afterwards, and the
//! application's handlers and error scopes hear nothing of it.

use std::time::Duration;

use ndarray::Array2;
use wgpu_linear::model::{MlpConfig, Model, ModelError, Targets};
use wgpu_linear::nn::{DeviceDataset, Mlp};
use wgpu_linear::{
    Dispatch, Forward, Gpu, GpuError, GpuOptions, LinearKernels, Matrix, PrepareError,
};

use crate::busy::{LONG_READ, excuse_missing_time_out};
use crate::operations::Operations;
use crate::support::{Heard, square_product};

/// Of products that take some milliseconds.
const SIDE: u32 = 512;
const CLASSES: [u32; 8] = [0, 1, 2, 0, 1, 2, 0, 1];

fn impatient() -> Gpu {
    Gpu::open(&GpuOptions {
        timeout: Duration::from_nanos(1),
        // Which would be waited for too.
        first_use_checks: false,
        ..GpuOptions::default()
    })
    .unwrap()
}

/// Waits as long as is usual.
fn patient(gpu: &Gpu) -> Gpu {
    Gpu::wrap(gpu.device().clone(), gpu.queue().clone())
}

/// Asserts what the error says.
fn is_late_reading(error: &GpuError) {
    let GpuError::Timeout {
        operation,
        bytes,
        waited,
        behind: None,
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!((operation.as_str(), *bytes), ("reading", 1 << 26));
    assert_eq!(*waited, Duration::from_nanos(1));
    assert_eq!(
        error.to_string(),
        "the GPU did not finish reading 67108864 bytes within 1ns"
    );
}

/// A wait that was too long says what it was for, and the device serves on.
#[test]
fn time_outs_say_what_was_waited_for() {
    let gpu = impatient();
    let (dispatch, t) = square_product(&gpu, SIDE);
    let long = gpu.zeros("long", LONG_READ).unwrap();
    // Twice the work each time, until the device is still busy when we come to ask.
    let error = (0..12).find_map(|doublings| {
        gpu.run(&vec![dispatch.clone(); 1 << doublings]).unwrap();
        gpu.read::<f32>(&long).err()
    });
    match error {
        Some(error) => is_late_reading(&error),
        None => excuse_missing_time_out("what a read that times out says"),
    }

    let values = patient(&gpu).read::<f32>(&long).unwrap();
    assert!(values.iter().all(|value| *value == 0.0));

    // What it waited for is over, and nothing is in front any more.
    let error = (0..12).find_map(|doublings| {
        let busy = gpu.run(&vec![dispatch.clone(); 1 << doublings]).unwrap();
        gpu.wait(busy).err()
    });
    let text = error.unwrap().to_string();
    assert_eq!(text, "the GPU did not finish the submission within 1ns");

    // Device, queue and buffers serve on.
    let values = patient(&gpu).read::<f32>(&t).unwrap();
    assert!(values.iter().all(|value| *value == 0.0));
}

/// What cannot be waited for is not judged: the same device answers with patience.
#[test]
fn a_device_that_does_not_answer_in_time_is_no_verdict() {
    let hasty = impatient();
    let (busy, _) = square_product(&hasty, SIDE);
    let ones = [1.0_f32; 36 * 36];
    let [x, w, t] = ["x", "w", "t"].map(|label| hasty.upload(label, &ones).unwrap());
    let matrix = |buffer| Matrix::new(buffer, 36, 36);
    let operands = Forward {
        x: matrix(&x),
        w: matrix(&w),
        b: None,
        t: matrix(&t),
    };
    let checked = |gpu: &Gpu| {
        let fresh = gpu.clone().with_first_use_checks(true);
        let dispatch = LinearKernels::of(&fresh).forward(operands);
        assert!(fresh.condemned_kernels().is_empty());
        dispatch
    };
    // What a check computes is little, and over soon where only that is waited for: many tries.
    // Then twice the work each time, until the device is still busy when it is asked.
    let mut loads = std::iter::repeat_n(1, 40).chain((1..10).map(|doublings| 1 << doublings));
    let stopped = loads.find_map(|load| {
        hasty.run(&vec![busy.clone(); load]).unwrap();
        checked(&hasty).err()
    });
    match stopped {
        Some(error) => assert!(matches!(error, PrepareError::Timeout { .. }), "{error:?}"),
        None => excuse_missing_time_out("that a check that times out is no verdict"),
    }
    let patient = patient(&hasty);
    patient.run(&[checked(&patient).unwrap()]).unwrap();
    let values = patient.read::<f32>(&t).unwrap();
    assert!(values.iter().all(|value| *value == 36.0));
}

fn is_timeout(error: &ModelError) -> bool {
    matches!(error, ModelError::Gpu(GpuError::Timeout { .. }))
}

/// Calls until the device has caught up.
fn insist<T>(waits: &mut u32, mut call: impl FnMut() -> Result<T, ModelError>) -> T {
    loop {
        match call() {
            Ok(value) => return value,
            Err(error) => assert!(is_timeout(&error), "{error:?}"),
        }
        *waits += 1;
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A training on a device that is always too slow: it ends with the same bits.
#[test]
fn networks_go_on_after_time_outs() {
    let gpu = impatient();
    let (slow, _) = square_product(&gpu, SIDE);
    // Something else is on the queue now and then.
    let keep_busy = |gpu: &Gpu, load| gpu.run(&vec![slow.clone(); load]).map(|_| ()).unwrap();
    let trained = |gpu: &Gpu, load, waits: &mut u32| {
        let x = Array2::from_shape_fn((8, 64), |(i, j)| ((i + 2 * j) % 5) as f32 / 8.0);
        let mut mlp = Mlp::new(gpu, MlpConfig::new(&[64, 256, 3])).unwrap();
        let data = DeviceDataset::new(gpu, x.view(), Targets::Classes(&CLASSES)).unwrap();
        insist(waits, || mlp.load_dataset(data.clone()));
        let order: Vec<_> = (0..400).map(|i| i % 8).collect();
        insist(waits, || mlp.set_order(&order, 4));
        for step in 0..100 {
            if step % 40 == 0 {
                keep_busy(gpu, load);
            }
            assert!(insist(waits, || mlp.train_next()));
        }
        keep_busy(gpu, load);
        assert!(!insist(waits, || mlp.train_next()));
        for _ in 0..20 {
            insist(waits, || {
                mlp.train_batch(x.view(), Targets::Classes(&CLASSES))
            });
        }
        let loss = insist(waits, || mlp.take_loss());
        (
            loss,
            insist(waits, || mlp.predict(x.view())),
            insist(waits, || mlp.parameters()),
        )
    };
    let (mut waits, mut none) = (0, 0);
    let usual = trained(&patient(&gpu), 1, &mut none);
    assert_eq!(none, 0);
    // More work each time, until the device is still busy when somebody asks.
    for load in (3..9).map(|doublings| 1 << doublings) {
        assert_eq!(trained(&gpu, load, &mut waits), usual);
        if waits > 0 {
            break;
        }
    }
    if waits == 0 {
        excuse_missing_time_out("that networks go on after time-outs");
    }
    assert_eq!(usual.0.examples, 400 + 20 * 8);
}

/// A mistake of the application.
fn mistake(device: &wgpu::Device) {
    drop(device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 4,
        usage: wgpu::BufferUsages::empty(),
        mapped_at_creation: false,
    }));
}

/// Whatever goes wrong in our calls, and whatever does not.
fn right_and_wrong(gpu: &Gpu) {
    let device = gpu.device();
    let other = Gpu::new().unwrap();
    let foreign = Operations::with_buffers_of(device, other.device(), false);
    assert!(foreign.prepare().iter().all(|(_, result)| result.is_err()));
    let destroyed = Operations::new(device);
    let prepared = destroyed.prepare();
    destroyed.destroy_buffers();
    assert!(
        destroyed
            .prepare()
            .iter()
            .all(|(_, result)| result.is_err())
    );
    for (name, dispatch) in prepared {
        assert!(gpu.run([&dispatch.unwrap()]).is_err(), "{name}");
    }
    assert!(gpu.zeros("huge", usize::MAX / 8).is_err());
    let gone = gpu.zeros("gone", 4).unwrap();
    gone.destroy();
    assert!(gpu.read::<f32>(&gone).is_err());

    let x = Array2::from_shape_fn((8, 4), |(i, j)| ((i + 2 * j) % 5) as f32);
    let mut mlp = Mlp::new(gpu, MlpConfig::new(&[4, 5, 3])).unwrap();
    let data = DeviceDataset::new(gpu, x.view(), Targets::Classes(&CLASSES)).unwrap();
    mlp.load_dataset(data).unwrap();
    mlp.train_indices(&[0, 1, 2, 3, 4, 5], 2).unwrap();
    mlp.request_loss().unwrap();
    mlp.train_batch(x.view(), Targets::Classes(&CLASSES))
        .unwrap();
    mlp.predict(x.view()).unwrap();
    mlp.histograms().unwrap();
    // Its weights are destroyed by somebody: each call says so, also where all is prepared.
    mlp.set_order(&[0, 1, 2, 3, 4, 5], 2).unwrap();
    assert!(mlp.train_next().unwrap());
    mlp.network().unwrap().layers()[0].w().buffer.destroy();
    for _ in 0..2 {
        let results = [
            mlp.train_batch(x.view(), Targets::Classes(&CLASSES)),
            mlp.train_next().and_then(|_| mlp.submit()),
            mlp.predict(x.view()).map(drop),
            mlp.parameters().map(drop),
        ];
        for result in results {
            assert!(
                matches!(
                    result,
                    Err(ModelError::Gpu(GpuError::Refused { .. })
                        | ModelError::Prepare(PrepareError::Refused { .. }))
                ),
                "{result:?}"
            );
        }
    }
}

#[test]
fn handlers_and_scopes_of_the_application_stay_its_own() {
    use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
    let gpu = Gpu::new().unwrap();
    let device = gpu.device();
    let heard = Heard::of(device);
    right_and_wrong(&gpu);
    assert_eq!(heard.counts(), [0, 0]);

    let scopes = [Internal, OutOfMemory, Validation].map(|filter| device.push_error_scope(filter));
    right_and_wrong(&gpu);
    let heard_in_scopes = |scopes: [wgpu::ErrorScopeGuard; 3]| {
        let [internal, memory, validation] = scopes;
        [validation, memory, internal].map(|scope| pollster::block_on(scope.pop()))
    };
    let quiet = heard_in_scopes(scopes);
    assert!(quiet.iter().all(Option::is_none), "{quiet:?}");

    // What is theirs goes where it went before.
    let scopes = [Internal, OutOfMemory, Validation].map(|filter| device.push_error_scope(filter));
    mistake(device);
    assert!(matches!(heard_in_scopes(scopes), [Some(_), None, None]));
    assert_eq!(heard.counts(), [0, 0]);
    mistake(device);
    assert_eq!(heard.counts(), [1, 0]);
    drop(gpu.zeros("after", 4).unwrap());
    device.destroy();
    // They hear of the loss when what was under way is through.
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    assert!(matches!(gpu.zeros("lost", 4), Err(GpuError::DeviceLost)));
    assert_eq!(heard.counts(), [1, 1]);
}

fn assert_refused(prepared: Vec<(&'static str, Result<Dispatch, PrepareError>)>) {
    assert_eq!(prepared.len(), 29);
    for (name, result) in prepared {
        let Err(PrepareError::Refused { operation, .. }) = result else {
            panic!("{name}: {result:?}");
        };
        assert!(operation.starts_with("wgpu_linear::"), "{operation}");
    }
}

#[test]
fn every_operation_refuses_buffers_that_are_destroyed_or_of_another_device() {
    let [ours, other] = [(); 2].map(|()| Gpu::new().unwrap());
    let heard = [&ours, &other].map(|gpu| Heard::of(gpu.device()));
    let foreign = Operations::with_buffers_of(ours.device(), other.device(), false);
    assert_refused(foreign.prepare());
    let destroyed = Operations::new(ours.device());
    let mut prepared = destroyed.prepare();
    destroyed.destroy_buffers();
    assert_refused(destroyed.prepare());
    // What was prepared before, and what was prepared for the other device.
    let theirs = Operations::new(other.device());
    prepared.extend(theirs.prepare());
    for (name, dispatch) in prepared {
        let result = ours.run([&dispatch.unwrap()]);
        assert!(
            matches!(result, Err(GpuError::Refused { .. })),
            "{name}: {result:?}"
        );
    }
    for (name, result) in Operations::new(ours.device()).prepare() {
        assert!(result.is_ok(), "{name}");
    }
    assert_eq!(heard.map(|heard| heard.counts()), [[0, 0]; 2]);
}

/// A buffer may be filled after it was bound; as long as it is mapped, what uses it is refused.
#[test]
fn every_dispatch_refuses_to_run_on_buffers_that_are_mapped() {
    let gpu = Gpu::new().unwrap();
    let heard = Heard::of(gpu.device());
    let mapped = Operations::with_buffers_of(gpu.device(), gpu.device(), true);
    for (name, dispatch) in mapped.prepare() {
        let result = gpu.run([&dispatch.unwrap()]);
        assert!(
            matches!(result, Err(GpuError::Refused { .. })),
            "{name}: {result:?}"
        );
    }
    assert_eq!(heard.counts(), [0, 0]);
}

/// A driver that tells how much memory is left, where nothing is enough.
#[test]
#[ignore = "needs a driver that tells its memory budget, which llvmpipe and SwiftShader do not"]
fn budgets_that_are_spent_are_told() {
    let descriptor = wgpu::InstanceDescriptor {
        memory_budget_thresholds: wgpu::MemoryBudgetThresholds {
            for_resource_creation: Some(0),
            for_device_loss: None,
        },
        ..wgpu::InstanceDescriptor::new_without_display_handle_from_env()
    };
    let options = GpuOptions {
        instance: Some(wgpu::Instance::new(descriptor)),
        ..GpuOptions::default()
    };
    let gpu = Gpu::open(&options).unwrap();
    let heard = Heard::of(gpu.device());
    let buffer = gpu.zeros("small", 6);
    assert!(
        matches!(&buffer, Err(GpuError::OutOfMemory { label, bytes: 24 }) if label == "small"),
        "{buffer:?}"
    );
    let network = Mlp::new(&gpu, MlpConfig::new(&[4, 5, 3]));
    assert!(
        matches!(network, Err(ModelError::Gpu(GpuError::OutOfMemory { .. }))),
        "{network:?}"
    );
    assert_eq!(heard.counts(), [0, 0]);
}
