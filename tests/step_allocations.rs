//! What a training step on the device costs the host: no wgpu object, and no memory of this crate's
//! own.
//!
//! A step goes through wgpu's command encoding, which allocates as it likes, so the number of
//! allocations alone says nothing. Two measurements separate its part from ours, both on the thread
//! that trains (a driver's threads do not count):
//!
//! - Steps that are not submitted yet must not allocate at all: wgpu has not been called.
//! - The submission of n steps is compared with one that this test encodes by itself, with nothing
//!   but wgpu calls, from the same pipelines, bind groups and offsets. What is left over is ours,
//!   and must not grow with n.
//!
//! wgpu's counters and reports know live objects only: one that is created and dropped in a step
//! would not show. wgpu-core logs each creation at level trace, so the log is counted instead; and
//! the live objects as well, which finds leaks.

#![expect(
    clippy::unwrap_used,
    reason = "a test says what it expects by panicking"
)]
#![allow(
    unsafe_code,
    reason = "a global allocator cannot be written without; it forwards every call unchanged to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use ndarray::Array2;
use wgpu_linear::model::{MlpConfig, Model, Targets};
use wgpu_linear::nn::{DeviceDataset, Goal, Mlp, Network, Training};
use wgpu_linear::{Gpu, Matrix, Vector};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // Fails only while a thread ends, when nobody measures.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system allocator with the arguments it came with; counting touches
// a thread-local number, which does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(old, layout, size) }
    }
    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATIONS.get();
    let result = work();
    (ALLOCATIONS.get() - before, result)
}

/// Counts wgpu-core's reports of what it creates.
struct Creations {
    objects: AtomicUsize,
    encoders: AtomicUsize,
    writes: AtomicUsize,
}

static CREATIONS: Creations = Creations {
    objects: AtomicUsize::new(0),
    encoders: AtomicUsize::new(0),
    writes: AtomicUsize::new(0),
};

impl Creations {
    fn take(&self) -> [usize; 3] {
        [&self.objects, &self.encoders, &self.writes].map(|count| count.swap(0, Ordering::SeqCst))
    }
}

impl log::Log for Creations {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("wgpu_core")
    }
    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut message = String::new();
        write!(message, "{}", record.args()).unwrap();
        let counter = if message.starts_with("Device::create_command_encoder") {
            &self.encoders
        } else if message.starts_with("Device::create_") {
            &self.objects
        } else if message.starts_with("Queue::write_buffer")
            || message.starts_with("Queue::create_staging_buffer")
        {
            &self.writes
        } else {
            return;
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }
    fn flush(&self) {}
}

const BATCH: usize = 8;

/// A device of an instance that this test can ask for its report.
fn open() -> (wgpu::Instance, Gpu) {
    let instance = wgpu::Instance::default();
    let adapter =
        pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()));
    let (device, queue) = pollster::block_on(
        adapter
            .unwrap()
            .request_device(&wgpu::DeviceDescriptor::default()),
    )
    .unwrap();
    (instance, Gpu::wrap(device, queue))
}

/// A small network with everything that may belong to a step of one batch.
fn config() -> MlpConfig {
    MlpConfig {
        dropout: 0.25,
        label_smoothing: 0.1,
        ..MlpConfig::new(&[4, 8, 3])
    }
}

/// A network on a data set of `steps` batches and a half, with as many steps behind it as it
/// takes to know that many fit a submission.
fn trained(gpu: &Gpu, config: MlpConfig, steps: usize) -> (Mlp, Vec<usize>) {
    let mut mlp = Mlp::new(gpu, config).unwrap();
    let examples = steps * BATCH + BATCH / 2;
    let x = Array2::from_shape_fn((examples, 4), |(i, j)| ((i * 7 + j * 3) % 11) as f32 / 11.0);
    let classes: Vec<u32> = (0..examples as u32).map(|i| i % 3).collect();
    let data = DeviceDataset::new(gpu, x.view(), Targets::Classes(&classes)).unwrap();
    mlp.load_dataset(data).unwrap();
    let order: Vec<usize> = (0..examples).rev().collect();
    for _ in 0..30 {
        mlp.train_indices(&order, BATCH).unwrap();
    }
    mlp.take_loss().unwrap();
    (mlp, order)
}

/// What `steps` steps in one submission take of wgpu alone.
fn submit_by_hand(gpu: &Gpu, mlp: &Mlp, stride: u32, steps: u32, earlier: &wgpu::SubmissionIndex) {
    // The network, too, looks whether an earlier submission is through.
    let look = wgpu::PollType::Wait {
        submission_index: Some(earlier.clone()),
        timeout: Some(std::time::Duration::ZERO),
    };
    gpu.device().poll(look).unwrap();
    let mut encoder = gpu
        .device()
        .create_command_encoder(&wgpu::CommandEncoderDescriptor {
            label: Some("wgpu_linear::train"),
        });
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("wgpu_linear::train"),
            timestamp_writes: None,
        });
        for step in 0..steps {
            for (i, (pipeline, bindings, [x, y, z])) in mlp.prepared_step(BATCH as u32).enumerate()
            {
                let offset = [step * stride];
                pass.set_pipeline(pipeline);
                pass.set_bind_group(0, bindings, &offset[..usize::from(i == 0)]);
                pass.dispatch_workgroups(x, y, z);
            }
        }
    }
    let objections = objections(gpu.device(), || {
        gpu.queue().submit([encoder.finish()]);
    });
    assert_eq!(objections, 0);
    ask_whether_lost(gpu.device());
}

/// As the network asks after a submission: a device that is there does not make such a buffer.
fn ask_whether_lost(device: &wgpu::Device) {
    let nothing = wgpu::BufferDescriptor {
        label: None,
        size: 4,
        usage: wgpu::BufferUsages::empty(),
        mapped_at_creation: false,
    };
    let objections = objections(device, || drop(device.create_buffer(&nothing)));
    assert_eq!(objections, 1);
}

/// How many errors the device has of `call`, which nobody else hears.
fn objections(device: &wgpu::Device, call: impl FnOnce()) -> usize {
    use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
    let scopes = [Internal, OutOfMemory, Validation].map(|filter| device.push_error_scope(filter));
    call();
    let errors = scopes.into_iter().rev().map(|scope| {
        let mut context = Context::from_waker(Waker::noop());
        pin!(scope.pop()).poll(&mut context)
    });
    let objections = errors.filter(|error| matches!(error, Poll::Ready(Some(_))));
    objections.count()
}

fn wait(gpu: &Gpu) {
    gpu.device()
        .poll(wgpu::PollType::wait_indefinitely())
        .unwrap();
}

/// The allocations of `steps` steps: until they are submitted, of their submission, and of the same
/// by hand.
fn measure(gpu: &Gpu, mlp: &mut Mlp, order: &[usize], steps: usize) -> [usize; 3] {
    let stride = (BATCH as u32 * 4)
        .next_multiple_of(gpu.device().limits().min_storage_buffer_offset_alignment);
    let earlier = gpu.queue().submit([]);
    let mut least = [usize::MAX; 3];
    // The least of several: tables inside wgpu grow now and then.
    for _ in 0..10 {
        mlp.set_order(order, BATCH).unwrap();
        // The first uploads the indices; submitting nothing makes wgpu carry that out now.
        mlp.train_next().unwrap();
        gpu.queue().submit([]);
        let (waiting, ()) = allocations(|| {
            for _ in 1..steps {
                mlp.train_next().unwrap();
            }
        });
        wait(gpu);
        let (submission, ()) = allocations(|| mlp.submit().unwrap());
        wait(gpu);
        let (by_hand, ()) =
            allocations(|| submit_by_hand(gpu, mlp, stride, steps as u32, &earlier));
        wait(gpu);
        for (least, now) in least.iter_mut().zip([waiting, submission, by_hand]) {
            *least = now.min(*least);
        }
    }
    least
}

#[test]
fn steps_allocate_nothing_and_create_no_objects() {
    log::set_logger(&CREATIONS).unwrap();
    let (instance, gpu) = open();
    let (mut mlp, order) = trained(&gpu, config(), 16);

    let [few, many] = [4, 12].map(|steps| measure(&gpu, &mut mlp, &order, steps));
    println!(
        "allocations before the submission, in it, and by hand: 4 steps {few:?}, 12 steps {many:?}"
    );
    assert_eq!([few[0], many[0]], [0, 0], "a step that waits allocates");
    let ours = |[_, submission, by_hand]: [usize; 3]| submission as isize - by_hand as isize;
    assert!(
        ours(many) <= ours(few),
        "{} of our own for 4 steps, {} for 12",
        ours(few),
        ours(many)
    );
    assert!(
        ours(many) <= 0,
        "a submission allocates {} times",
        ours(many)
    );

    let live = || {
        let report = instance.generate_report().unwrap();
        let hub = report.hub_report();
        [
            hub.buffers.num_allocated,
            hub.bind_groups.num_allocated,
            hub.bind_group_layouts.num_allocated,
            hub.compute_pipelines.num_allocated,
            hub.shader_modules.num_allocated,
        ]
    };
    let before = live();
    log::set_max_level(log::LevelFilter::Trace);
    CREATIONS.take();
    const EPOCHS: usize = 20;
    for _ in 0..EPOCHS {
        mlp.train_indices(&order, BATCH).unwrap();
        assert!(mlp.request_loss().unwrap());
        while mlp.poll_loss().unwrap().is_some() {}
    }
    log::set_max_level(log::LevelFilter::Off);
    let [objects, encoders, writes] = CREATIONS.take();
    let steps = EPOCHS * order.len().div_ceil(BATCH);
    println!(
        "{steps} steps: {objects} objects, {encoders} encoders, {writes} writes; live {before:?}"
    );
    assert_eq!(objects, 0);
    assert_eq!(live(), before);
    // The order goes up, once an epoch.
    assert_eq!(writes, EPOCHS);
    assert!(
        (1..steps).contains(&encoders),
        "{encoders} submissions for {steps} steps"
    );

    frames_allocate_nothing_and_create_no_objects(&instance, &gpu, &mlp);
    accumulated_steps_allocate_nothing_and_create_no_objects(&gpu);

    // What was counted is what is there: a new batch size has to show.
    log::set_max_level(log::LevelFilter::Trace);
    mlp.train_indices(&order, BATCH - 1).unwrap();
    assert!(CREATIONS.take()[0] > 0);
}

/// The same where three batches make an update, over the ends of epochs. A batch without one takes
/// less of wgpu than what is recorded by hand.
fn accumulated_steps_allocate_nothing_and_create_no_objects(gpu: &Gpu) {
    let accumulating = MlpConfig {
        accumulation: 3,
        ..config()
    };
    let (mut mlp, order) = trained(gpu, accumulating, 16);
    let [waiting, submission, by_hand] = measure(gpu, &mut mlp, &order, 12);
    assert_eq!(waiting, 0, "a step that waits allocates");
    assert!(
        submission <= by_hand,
        "{submission} allocations, {by_hand} by hand"
    );
    log::set_max_level(log::LevelFilter::Trace);
    CREATIONS.take();
    for _ in 0..10 {
        mlp.train_indices(&order, BATCH).unwrap();
    }
    log::set_max_level(log::LevelFilter::Off);
    assert_eq!(CREATIONS.take()[0], 0);
}

/// The same for a network in the caller's frames: `mlp` is of the same layers, so its dispatches
/// take as much of wgpu.
fn frames_allocate_nothing_and_create_no_objects(instance: &wgpu::Instance, gpu: &Gpu, mlp: &Mlp) {
    let network = Network::new(gpu, &config()).unwrap();
    let x = gpu.upload("x", &[0.5_f32; 4 * BATCH]).unwrap();
    let labels = gpu.upload("labels", &[1_u32; BATCH]).unwrap();
    let outputs = gpu.zeros("outputs", 3 * BATCH).unwrap();
    let x = Matrix::new(&x, BATCH as u32, 4);
    let goal = Goal::Classes(Vector::new(&labels, BATCH as u32));
    let step = network.training(Training::new(x, goal)).unwrap();
    let outputs = Matrix::new(&outputs, BATCH as u32, 3);
    let predict = network.predict_into(x, outputs).unwrap();
    let mut losses = network.losses().unwrap();

    // The first of the prepared dispatches gathers.
    let by_hand: Vec<_> = mlp.prepared_step(BATCH as u32).skip(1).collect();
    assert_eq!(by_hand.len(), step.dispatches().len());
    let submit = |record: &dyn Fn(&mut wgpu::ComputePass<'_>)| {
        let frame = || {
            let descriptor = wgpu::CommandEncoderDescriptor::default();
            let mut encoder = gpu.device().create_command_encoder(&descriptor);
            record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
            gpu.queue().submit([encoder.finish()]);
        };
        let counts = (0..10).map(|_| {
            let (count, ()) = allocations(frame);
            wait(gpu);
            count
        });
        counts.min().unwrap()
    };
    for steps in [1, 8] {
        let ours = submit(&|pass| (0..steps).for_each(|_| step.record(pass)));
        let theirs = submit(&|pass| {
            for (pipeline, bindings, [x, y, z]) in
                by_hand.iter().cycle().take(steps * by_hand.len())
            {
                pass.set_pipeline(pipeline);
                pass.set_bind_group(0, *bindings, &[]);
                pass.dispatch_workgroups(*x, *y, *z);
            }
        });
        println!("{steps} steps in a frame: {ours} allocations, by hand {theirs}");
        assert!(ours <= theirs, "{ours} allocations, {theirs} by hand");
    }

    let live = || {
        instance
            .generate_report()
            .unwrap()
            .hub_report()
            .buffers
            .num_allocated
    };
    let before = live();
    log::set_max_level(log::LevelFilter::Trace);
    CREATIONS.take();
    const FRAMES: usize = 100;
    let mut arrived = 0;
    for frame in 0..FRAMES {
        let descriptor = wgpu::CommandEncoderDescriptor::default();
        let mut encoder = gpu.device().create_command_encoder(&descriptor);
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            step.record(&mut pass);
            predict.record(&mut pass);
        }
        if frame % 10 == 0 {
            losses.record(&mut encoder);
        }
        gpu.queue().submit([encoder.finish()]);
        losses.request();
        arrived += usize::from(losses.poll().unwrap().is_some());
        if frame % 10 == 9 {
            wait(gpu);
        }
    }
    log::set_max_level(log::LevelFilter::Off);
    let [objects, encoders, writes] = CREATIONS.take();
    println!("{FRAMES} frames: {objects} objects, {encoders} encoders, {writes} writes");
    assert_eq!([objects, encoders, writes], [0, FRAMES, 0]);
    assert_eq!(live(), before);
    assert!(arrived >= 8, "{arrived} losses arrived");
}
