//! The four operations, prepared once: `cargo bench`.
//!
//! Every result is checked against the twin in f64 before it is timed. What is timed is one submission that runs the operation many times,
//! and the wait for it, divided by the number of times.

#![expect(
    clippy::expect_used,
    reason = "a benchmark without its device has nothing to go on with"
)]

use std::hint::black_box;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array1, Array2};
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
/// Operations in one submission: enough to hide what a submission costs.
const REPEATS: u64 = 16;

fn random(rows: usize, columns: usize) -> Array2<f32> {
    let mut random = fastrand::Rng::with_seed((rows * 10_007 + columns) as u64);
    Array2::from_shape_simple_fn((rows, columns), || 2.0 * random.f32() - 1.0)
}

/// Runs `dispatch` once and compares what it wrote to `output` with `expected`.
fn verify(gpu: &Gpu, dispatch: &Dispatch, output: &wgpu::Buffer, expected: &[f64], terms: usize) {
    gpu.run(std::slice::from_ref(dispatch));
    let actual: Vec<f32> = gpu.read(output).expect("the result can be read");
    // Elements are at most 1, so Σ |a||b| is at most the number of terms.
    let bound = terms as f64 * (terms as f64 * 2.0_f64.powi(-23));
    for (actual, expected) in actual.iter().zip(expected) {
        let error = (f64::from(*actual) - expected).abs();
        assert!(
            error <= bound,
            "{}: {actual} instead of {expected}",
            dispatch.label()
        );
    }
}

fn prepared(criterion: &mut Criterion) {
    let gpu = Gpu::new().expect("the benchmark needs a GPU adapter");
    println!("adapter: {}", gpu.description());
    let kernels = LinearKernels::new(gpu.device());
    let mut group = criterion.benchmark_group("prepared");
    for shape in SHAPES {
        let [batch, inputs, outputs] = shape;
        let name = format!("{batch}x{inputs}x{outputs}");
        for (dispatch, operations) in dispatches(&gpu, &kernels, shape) {
            let label = dispatch
                .label()
                .trim_start_matches("wgpu_linear::")
                .to_owned();
            let many = vec![dispatch; REPEATS as usize];
            group.throughput(Throughput::Elements(operations));
            group.bench_function(BenchmarkId::new(label, &name), |bencher| {
                bencher.iter_custom(|iterations| {
                    let begin = Instant::now();
                    for _ in 0..iterations.div_ceil(REPEATS) {
                        let submission = gpu.run(black_box(&many));
                        gpu.wait(submission).expect("the device finishes");
                    }
                    begin.elapsed().mul_f64(
                        iterations as f64 / (iterations.div_ceil(REPEATS) * REPEATS) as f64,
                    )
                });
            });
        }
    }
    group.finish();
}

/// The operations on one shape, verified, each with its number of floating-point operations.
fn dispatches(
    gpu: &Gpu,
    kernels: &LinearKernels,
    [batch, inputs, outputs]: [usize; 3],
) -> Vec<(Dispatch, u64)> {
    let (x, w, dt) = (
        random(batch, inputs),
        random(inputs, outputs),
        random(batch, outputs),
    );
    let b: Array1<f32> = random(1, outputs).into_iter().collect();
    let upload = |values: &[f32]| gpu.upload("operand", values).expect("the operands fit");
    let zeros = |len| gpu.zeros("result", len).expect("the results fit");
    let [x_buffer, w_buffer, dt_buffer] =
        [&x, &w, &dt].map(|m| upload(&m.iter().copied().collect::<Vec<_>>()));
    let b_buffer = upload(&b.to_vec());
    let [t, dx, dw, db] = [batch * outputs, batch * inputs, inputs * outputs, outputs].map(zeros);

    let (m, k, n) = (batch as u32, inputs as u32, outputs as u32);
    let (xv, wv, dtv) = (
        Matrix::new(&x_buffer, m, k),
        Matrix::new(&w_buffer, k, n),
        Matrix::new(&dt_buffer, m, n),
    );
    let forward = Forward {
        x: xv,
        w: wv,
        b: Some(Vector::new(&b_buffer, n)),
        t: Matrix::new(&t, m, n),
    };
    let prepared = [
        kernels.forward(forward),
        kernels.input_grad(InputGrad {
            dt: dtv,
            w: wv,
            dx: Matrix::new(&dx, m, k),
        }),
        kernels.weight_grad(WeightGrad {
            x: xv,
            dt: dtv,
            dw: Matrix::new(&dw, k, n),
            db: None,
        }),
        kernels.bias_grad(BiasGrad {
            dt: dtv,
            db: Vector::new(&db, n),
        }),
    ]
    .map(|prepared| prepared.expect("the operands are right"));

    let [x, w, dt] = [x, w, dt].map(|m| m.mapv(f64::from));
    let expected = [
        reference::forward(x.view(), w.view(), Some(b.mapv(f64::from).view()))
            .into_iter()
            .collect(),
        reference::input_grad(dt.view(), w.view())
            .into_iter()
            .collect(),
        reference::weight_grad(x.view(), dt.view())
            .into_iter()
            .collect::<Vec<_>>(),
        reference::bias_grad(dt.view()).to_vec(),
    ];
    let terms = [inputs + 1, outputs, batch, batch];
    for (((dispatch, output), expected), terms) in prepared
        .iter()
        .zip([&t, &dx, &dw, &db])
        .zip(&expected)
        .zip(terms)
    {
        verify(gpu, dispatch, output, expected, terms);
    }
    let product = 2 * (batch * inputs * outputs) as u64;
    prepared
        .into_iter()
        .zip([product, product, product, (batch * outputs) as u64])
        .collect()
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = prepared
}
criterion_main!(benches);
