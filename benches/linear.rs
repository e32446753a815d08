//! The four operations: `cargo bench`. The example `bench` measures more, against others and against the ceilings of the adapter.
//!
//! - `prepared`: the operation is prepared once; timed are its submission and the wait for it.
//! - `oneshot`: all that somebody pays who computes one result: preparing, submitting and reading back. Pipelines are there already.
//!
//! Every result is checked against the twin in f64 before it is timed.

#![expect(
    clippy::expect_used,
    reason = "a benchmark without its device has nothing to go on with"
)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array2, Axis};
use wgpu_linear::{
    BiasGrad, Dispatch, Forward, Gpu, InputGrad, LinearKernels, Matrix, Vector, WeightGrad,
    reference,
};

/// batch, inputs, outputs
const SHAPES: [[usize; 3]; 4] = [
    [64, 64, 64],
    [128, 784, 128],
    [100, 333, 77],
    [256, 256, 256],
];
const OPERATIONS: [&str; 4] = ["forward", "input_grad", "weight_grad", "bias_grad"];

/// A layer on the device with seeded random operands.
struct Layer {
    gpu: Gpu,
    kernels: LinearKernels,
    shape: [usize; 3],
    /// x, w, b, dt
    operands: [Array2<f32>; 4],
    inputs: [wgpu::Buffer; 4],
    /// t, dx, dw, db
    outputs: [wgpu::Buffer; 4],
}

impl Layer {
    fn new(gpu: &Gpu, shape: [usize; 3]) -> Self {
        let [m, k, n] = shape;
        let mut random = fastrand::Rng::with_seed((m * 10_007 + k * 101 + n) as u64);
        let operands = [(m, k), (k, n), (1, n), (m, n)]
            .map(|size| Array2::from_shape_simple_fn(size, || 2.0 * random.f32() - 1.0));
        let upload = |operand: &Array2<f32>| {
            let values: Vec<_> = operand.iter().copied().collect();
            gpu.upload("operand", &values).expect("the operands fit")
        };
        Self {
            kernels: LinearKernels::new(gpu.device()),
            inputs: operands.each_ref().map(upload),
            outputs: [m * n, m * k, k * n, n]
                .map(|len| gpu.zeros("result", len).expect("the results fit")),
            gpu: gpu.clone(),
            operands,
            shape,
        }
    }

    fn prepare(&self, operation: usize) -> Dispatch {
        let [m, k, n] = self.shape.map(|size| size as u32);
        let ([x, w, b, dt], [t, dx, dw, db]) = (&self.inputs, &self.outputs);
        let (x, w, dt) = (
            Matrix::new(x, m, k),
            Matrix::new(w, k, n),
            Matrix::new(dt, m, n),
        );
        let (b, db) = (Some(Vector::new(b, n)), Vector::new(db, n));
        let (t, dx, dw) = (
            Matrix::new(t, m, n),
            Matrix::new(dx, m, k),
            Matrix::new(dw, k, n),
        );
        let prepared = match operation {
            0 => self.kernels.forward(Forward { x, w, b, t }),
            1 => self.kernels.input_grad(InputGrad { dt, w, dx }),
            2 => self.kernels.weight_grad(WeightGrad {
                x,
                dt,
                dw,
                db: None,
            }),
            _ => self.kernels.bias_grad(BiasGrad { dt, db }),
        };
        prepared.expect("the operands are right")
    }

    fn run(&self, dispatch: &Dispatch) {
        let submission = self.gpu.run(std::slice::from_ref(dispatch));
        let submission = submission.expect("the device takes work");
        self.gpu.wait(submission).expect("the device finishes");
    }

    fn read(&self, operation: usize) -> Vec<f32> {
        let output = &self.outputs[operation];
        self.gpu.read(output).expect("the result can be read")
    }

    fn verify(&self, operation: usize) {
        self.run(&self.prepare(operation));
        let [x, w, b, dt] = self.operands.each_ref().map(|m| m.mapv(f64::from));
        let [m, k, n] = self.shape;
        let (expected, terms) = match operation {
            0 => (
                reference::forward(x.view(), w.view(), Some(b.row(0))),
                k + 1,
            ),
            1 => (reference::input_grad(dt.view(), w.view()), n),
            2 => (reference::weight_grad(x.view(), dt.view()), m),
            _ => (reference::bias_grad(dt.view()).insert_axis(Axis(0)), m),
        };
        // Elements are at most 1, so Σ |a||b| is at most the number of terms.
        let bound = (terms * terms) as f64 * 2.0_f64.powi(-23);
        for (actual, expected) in self.read(operation).iter().zip(&expected) {
            let error = (f64::from(*actual) - expected).abs();
            assert!(
                error <= bound,
                "{}: {actual} instead of {expected}",
                OPERATIONS[operation]
            );
        }
    }

    fn operations(&self, operation: usize) -> u64 {
        let [m, k, n] = self.shape;
        (if operation == 3 { m * n } else { 2 * m * k * n }) as u64
    }
}

/// One group over all shapes and operations; `time` is what is timed of a layer, an operation and its dispatch.
fn bench(criterion: &mut Criterion, group: &str, time: fn(&Layer, usize, &Dispatch)) {
    let gpu = Gpu::new().expect("the benchmark needs a GPU adapter");
    println!("adapter: {}", gpu.description());
    let mut group = criterion.benchmark_group(group);
    for shape in SHAPES {
        let layer = Layer::new(&gpu, shape);
        for (operation, name) in OPERATIONS.iter().enumerate() {
            layer.verify(operation);
            let dispatch = layer.prepare(operation);
            group.throughput(Throughput::Elements(layer.operations(operation)));
            let id = BenchmarkId::new(*name, shape.map(|size| size.to_string()).join("x"));
            group.bench_function(id, |bencher| {
                bencher.iter(|| time(&layer, operation, &dispatch));
            });
        }
    }
    group.finish();
}

fn prepared(criterion: &mut Criterion) {
    bench(criterion, "prepared", |layer, _, dispatch| {
        layer.run(dispatch)
    });
}

fn oneshot(criterion: &mut Criterion) {
    bench(criterion, "oneshot", |layer, operation, _| {
        layer
            .gpu
            .run(&[layer.prepare(operation)])
            .expect("the device takes work");
        std::hint::black_box(layer.read(operation));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = prepared, oneshot
}
criterion_main!(benches);
