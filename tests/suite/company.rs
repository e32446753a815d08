//! Many threads on one device, every order of letting go, and applications that are full of other
//! things.

use std::any::Any;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ndarray::Array2;
use wgpu_linear::linear::Activation;
use wgpu_linear::model::{MlpConfig, Model, ModelError, Optimizer, SgdSettings, Targets};
use wgpu_linear::nn::{
    ActivationForward, Goal, HISTOGRAM_WORDS, HistogramOf, Mlp, Network, NetworkKernels, Sgd,
    SoftmaxCrossEntropy, Training, settings_bytes,
};
use wgpu_linear::train::{Dataset, TrainOptions, Trainer};
use wgpu_linear::{
    BiasGrad, Dispatch, Forward, ForwardActivated, Gpu, InputGrad, LinearKernels, Matrix,
    PrepareError, Vector, WeightGrad, reference,
};

use crate::support::{gpu, linear_kernels, network_kernels, reals};

/// Many where there is time.
fn rounds(few: usize, many: usize) -> usize {
    match std::env::var_os("WGPU_LINEAR_LONG") {
        Some(_) => many,
        None => few,
    }
}

const BATCH: usize = 13;
const INPUTS: usize = 40;
const OUTPUTS: usize = 24;
/// Operations of [`Operands::compute`].
const KINDS: usize = 9;

/// Operands of all operations, drawn from a seed.
struct Operands {
    x: wgpu::Buffer,
    w: wgpu::Buffer,
    b: wgpu::Buffer,
    dt: wgpu::Buffer,
    labels: wgpu::Buffer,
    settings: wgpu::Buffer,
}

impl Operands {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let labels: Vec<u32> = (0..BATCH).map(|_| random.u32(0..OUTPUTS as u32)).collect();
        let mut upload = |rows, columns| {
            let values = reals(&mut random, rows, columns);
            gpu().upload("in", values.as_slice().unwrap()).unwrap()
        };
        let settings = gpu().device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 256,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let bytes = settings_bytes(&Optimizer::Sgd(SgdSettings::default()));
        gpu().queue().write_buffer(&settings, 0, &bytes);
        Self {
            x: upload(BATCH, INPUTS),
            w: upload(INPUTS, OUTPUTS),
            b: upload(1, OUTPUTS),
            dt: upload(BATCH, OUTPUTS),
            labels: gpu().upload("labels", &labels).unwrap(),
            settings,
        }
    }

    /// The bits of what one of the operations computes, prepared, run and read by this thread.
    fn compute(&self, kind: usize) -> Vec<u32> {
        let out = |len: usize| gpu().upload("out", &vec![0.25_f32; len]).unwrap();
        let results = match kind {
            0..5 => [INPUTS * OUTPUTS, BATCH * INPUTS].map(out),
            _ => [BATCH * OUTPUTS, HISTOGRAM_WORDS as usize].map(out),
        };
        let dispatch = if kind < 5 {
            self.product(kind, &results)
        } else {
            self.other(kind, &results)
        };
        gpu().run([&dispatch.unwrap()]).unwrap();
        let bits = |buffer| gpu().read::<u32>(buffer).unwrap();
        results.iter().flat_map(bits).collect()
    }

    fn product(
        &self,
        kind: usize,
        [first, second]: &[wgpu::Buffer; 2],
    ) -> Result<Dispatch, PrepareError> {
        let kernels = linear_kernels();
        let [batch, inputs, outputs] = [BATCH, INPUTS, OUTPUTS].map(|size| size as u32);
        let x = Matrix::new(&self.x, batch, inputs);
        let w = Matrix::new(&self.w, inputs, outputs);
        let dt = Matrix::new(&self.dt, batch, outputs);
        let b = Some(Vector::new(&self.b, outputs));
        let t = Matrix::new(first, batch, outputs);
        match kind {
            0 => kernels.forward(Forward { x, w, b, t }),
            1 => kernels.forward_activated(ForwardActivated {
                x,
                w,
                b,
                function: Activation::Tanh,
                t,
                a: Matrix::new(second, batch, outputs),
            }),
            2 => kernels.input_grad(InputGrad {
                dt,
                w,
                dx: Matrix::new(second, batch, inputs),
            }),
            3 => kernels.weight_grad(WeightGrad {
                x,
                dt,
                dw: Matrix::new(first, inputs, outputs),
                db: Some(Vector::new(second, outputs)),
            }),
            _ => kernels.bias_grad(BiasGrad {
                dt,
                db: Vector::new(first, outputs),
            }),
        }
    }

    fn other(
        &self,
        kind: usize,
        [first, second]: &[wgpu::Buffer; 2],
    ) -> Result<Dispatch, PrepareError> {
        let kernels = network_kernels();
        let len = (BATCH * OUTPUTS) as u32;
        let matrix = |buffer| Matrix::new(buffer, BATCH as u32, OUTPUTS as u32);
        let vector = |buffer| Vector::new(buffer, len);
        match kind {
            5 => kernels.activation(ActivationForward {
                function: Activation::Gelu,
                t: vector(&self.dt),
                a: vector(first),
            }),
            6 => kernels.softmax_cross_entropy(SoftmaxCrossEntropy {
                t: matrix(&self.dt),
                labels: Vector::new(&self.labels, BATCH as u32),
                weights: None,
                label_smoothing: 0.0,
                row_loss: Vector::new(second, BATCH as u32),
                dt: matrix(first),
            }),
            7 => kernels.histogram(HistogramOf {
                values: vector(&self.dt),
                result: Vector::new(second, HISTOGRAM_WORDS),
            }),
            _ => kernels.sgd(Sgd {
                settings: &self.settings,
                gradients: vector(&self.dt),
                velocity: vector(second),
                parameters: vector(first),
                verdict: None,
            }),
        }
    }
}

/// Each thread prepares, runs and reads all kinds of operations, on operands of its own, and gets
/// what a single thread gets.
#[test]
fn eight_threads_get_the_bits_of_one() {
    const THREADS: usize = 8;
    let operands: Vec<_> = (0..THREADS as u64).map(Operands::new).collect();
    let expected: Vec<Vec<_>> = operands
        .iter()
        .map(|operands| (0..KINDS).map(|kind| operands.compute(kind)).collect())
        .collect();
    for (i, bits) in expected.iter().enumerate() {
        assert!(expected[..i].iter().all(|others| others != bits), "{i}");
    }
    let operations = rounds(60, 1000);
    std::thread::scope(|scope| {
        for (seed, (operands, expected)) in operands.iter().zip(&expected).enumerate() {
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed as u64);
                for i in 0..operations {
                    let kind = random.usize(0..KINDS);
                    assert!(operands.compute(kind) == expected[kind], "{i}: {kind}");
                }
            });
        }
    });
}

/// What an application may hold, in an order of its own.
fn belongings(gpu: Gpu) -> Vec<Box<dyn Any>> {
    let kernels = LinearKernels::of(&gpu);
    let [x, w, t, outputs] = [8, 12, 6, 6].map(|len| gpu.zeros("operand", len).unwrap());
    let labels = gpu.zeros("labels", 2).unwrap();
    let x = Matrix::new(&x, 2, 4);
    let forward = Forward {
        x,
        w: Matrix::new(&w, 4, 3),
        b: None,
        t: Matrix::new(&t, 2, 3),
    };
    let dispatch = kernels.forward(forward).unwrap();
    let network = Network::new(&gpu, &MlpConfig::new(&[4, 5, 3])).unwrap();
    let goal = Goal::Classes(Vector::new(&labels, 2));
    let step = network.training(Training::new(x, goal)).unwrap();
    let prediction = network
        .predict_into(x, Matrix::new(&outputs, 2, 3))
        .unwrap();
    // Under way while everything goes.
    gpu.run([&dispatch]).unwrap();
    gpu.run(step.dispatches()).unwrap();
    gpu.run(prediction.dispatches()).unwrap();
    let (device, queue) = (gpu.device().clone(), gpu.queue().clone());
    vec![
        Box::new(device),
        Box::new(queue),
        Box::new(kernels),
        Box::new(dispatch),
        Box::new(network),
        Box::new((step, prediction)),
        Box::new(gpu),
    ]
}

/// The permutation of so many things with this number.
fn permutation(len: usize, mut number: usize) -> Vec<usize> {
    let mut left: Vec<_> = (0..len).collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        order.push(left.remove(number % left.len()));
        number /= left.len() + 1;
    }
    order
}

fn let_go(gpu: Gpu, number: usize) {
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = heard.clone();
    gpu.device().on_uncaptured_error(Arc::new(move |error| {
        eprintln!("heard: {error}");
        counter.fetch_add(1, Ordering::SeqCst);
    }));
    let mut things: Vec<_> = belongings(gpu).into_iter().map(Some).collect();
    for i in permutation(things.len(), number) {
        drop(things[i].take().unwrap());
    }
    assert_eq!(heard.load(Ordering::SeqCst), 0, "order {number}");
}

const ORDERS: usize = 7 * 6 * 5 * 4 * 3 * 2;

/// All 5,040 orders on a device that executes nothing.
#[test]
fn device_queue_kernels_dispatch_and_network_are_dropped_in_any_order() {
    let all: std::collections::HashSet<_> = (0..ORDERS).map(|i| permutation(7, i)).collect();
    assert_eq!(all.len(), ORDERS);
    for number in (0..ORDERS).step_by(rounds(41, 1)) {
        let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
        let_go(Gpu::wrap(device, queue), number);
    }
}

/// The same with work under way.
#[test]
fn what_is_under_way_outlives_the_objects() {
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..rounds(4, 60) {
        let_go(Gpu::new().unwrap(), random.usize(0..ORDERS));
    }
}

fn examples() -> (Array2<f32>, Vec<u32>) {
    let x = Array2::from_shape_fn((64, 8), |(i, j)| ((i * 7 + j * 3) % 11) as f32 / 11.0);
    let classes = (0..64).map(|i| (i * i) % 3).collect();
    (x, classes)
}

fn config() -> MlpConfig {
    MlpConfig::new(&[8, 16, 3])
}

/// A run of 20 steps; the parameters in bits.
fn train(model: &mut impl Model) -> Vec<u32> {
    let (x, classes) = examples();
    let data = Dataset::new(x, classes).unwrap();
    let options = TrainOptions {
        epochs: 5,
        batch: 16,
        ..TrainOptions::default()
    };
    let run = Trainer::new(options).run(model, &data, &data, |_| ControlFlow::Continue(()));
    assert_eq!(run.unwrap().steps, 20);
    bits(model)
}

fn bits(model: &impl Model) -> Vec<u32> {
    let layers = model.parameters().unwrap();
    let values = layers
        .iter()
        .flat_map(|layer| layer.w.iter().chain(&layer.b));
    values.map(|value| value.to_bits()).collect()
}

fn assert_close(found: &[u32], expected: &[u32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let [found, expected] = [found, expected].map(|bits| f32::from_bits(*bits));
        assert!((found - expected).abs() <= 2e-5, "{found} {expected}");
    }
}

/// A device of the default adapter, opened with these features and limits, whose handler panics.
fn crowded(features: wgpu::Features, limits: wgpu::Limits) -> Gpu {
    let instance =
        wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
    let descriptor = wgpu::DeviceDescriptor {
        required_features: adapter.features() & features,
        required_limits: limits,
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
    device.on_uncaptured_error(Arc::new(|error| panic!("heard: {error}")));
    Gpu::wrap(device, queue)
}

/// Old hardware has four storage buffers a stage, which is too few; all else of it is enough.
fn downlevel() -> wgpu::Limits {
    let least = wgpu::Limits::default();
    wgpu::Limits {
        max_storage_buffers_per_shader_stage: least.max_storage_buffers_per_shader_stage,
        ..wgpu::Limits::downlevel_defaults()
    }
}

/// Another pass is being recorded and other scopes are open, nothing optional is there, and a
/// mistake would be a panic.
#[test]
fn trainings_run_in_a_crowded_application() {
    use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
    let expected = train(&mut reference::Mlp::<f32>::new(config()).unwrap());
    let small = wgpu::Limits {
        max_storage_buffer_binding_size: 4096,
        max_buffer_size: 1 << 16,
        max_compute_workgroups_per_dimension: 16,
        max_compute_workgroup_storage_size: 10_300,
        ..wgpu::Limits::default()
    };
    for (features, limits) in [
        (wgpu::Features::empty(), wgpu::Limits::default()),
        (wgpu::Features::SUBGROUP, downlevel()),
        (wgpu::Features::empty(), small),
    ] {
        let gpu = crowded(features, limits);
        let device = gpu.device();
        let scopes =
            [Internal, OutOfMemory, Validation].map(|filter| device.push_error_scope(filter));
        let mut theirs = device.create_command_encoder(&Default::default());
        let pass = theirs.begin_compute_pass(&Default::default());
        let mut mlp = Mlp::new(&gpu, config()).unwrap();
        assert_close(&train(&mut mlp), &expected);
        drop(pass);
        gpu.queue().submit([theirs.finish()]);
        let [internal, memory, validation] = scopes;
        for scope in [validation, memory, internal] {
            assert!(pollster::block_on(scope.pop()).is_none());
        }
    }
    // With less than it needs a network says so.
    let gpu = crowded(wgpu::Features::empty(), wgpu::Limits::downlevel_defaults());
    let (x, classes) = examples();
    let mut mlp = Mlp::new(&gpu, config()).unwrap();
    let result = mlp.train_batch(x.view(), Targets::Classes(&classes));
    assert!(
        matches!(result, Err(ModelError::Prepare(PrepareError::Limit { .. }))),
        "{result:?}"
    );
}

/// Ends what another thread goes on with, also where a test fails: nobody waits for it for ever.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The same run again and again, while another thread keeps the queue busy.
#[test]
fn reruns_beside_other_work_have_the_same_bits() {
    let expected = train(&mut Mlp::new(gpu(), config()).unwrap());
    let operands = Operands::new(99);
    let kernels = NetworkKernels::new(gpu().device());
    let done = AtomicBool::new(false);
    let others = std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            let mut others = 0;
            while !done.load(Ordering::Relaxed) {
                let out = gpu().zeros("other", BATCH * OUTPUTS).unwrap();
                let len = (BATCH * OUTPUTS) as u32;
                let activation = kernels.activation(ActivationForward {
                    function: Activation::Silu,
                    t: Vector::new(&operands.dt, len),
                    a: Vector::new(&out, len),
                });
                gpu().run([&activation.unwrap()]).unwrap();
                others += operands.compute(others % KINDS).len().min(1);
            }
            others
        });
        let stop = Stop(&done);
        for rerun in 0..rounds(8, 50) {
            let found = train(&mut Mlp::new(gpu(), config()).unwrap());
            assert!(found == expected, "rerun {rerun}");
        }
        drop(stop);
        busy.join().unwrap()
    });
    assert!(others > 0);
}
