//! Operands larger than a device can bind at once.

use ndarray::{Array1, Array2};
use wgpu_linear::linear::{Capabilities, Operation, Shape, candidates};
use wgpu_linear::model::Activation;
use wgpu_linear::{
    Forward, ForwardActivated, ForwardInference, Gpu, InputGrad, InputGradActivated, LinearKernels,
    Matrix, PrepareError, Vector, WeightGrad, reference,
};

use crate::compare::same;
use crate::support::{integers, row};

/// A device like that of the other tests, which binds no more than `binding_bytes` at once.
pub(crate) fn narrow_gpu(binding_bytes: u64) -> Gpu {
    gpu_with(|adapter| wgpu::Limits {
        max_storage_buffer_binding_size: binding_bytes,
        ..adapter
    })
}

/// A device with limits made from those of its adapter.
pub(crate) fn gpu_with(limits: impl FnOnce(wgpu::Limits) -> wgpu::Limits) -> Gpu {
    gpu_with_features(wgpu::Features::SUBGROUP, limits)
}

/// The same with those of these features that the adapter has.
pub(crate) fn gpu_with_features(
    features: wgpu::Features,
    limits: impl FnOnce(wgpu::Limits) -> wgpu::Limits,
) -> Gpu {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
    let descriptor = wgpu::DeviceDescriptor {
        required_features: adapter.features() & features,
        required_limits: limits(adapter.limits()),
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
    Gpu::wrap(device, queue)
}

/// One that binds as little as the longest row below allows: parts begin where the device can bind
/// them, which may be every 64 rows.
pub(crate) fn gpu_in_parts() -> Gpu {
    gpu_with(|adapter| {
        let least = 257 * u64::from(adapter.min_storage_buffer_offset_alignment);
        wgpu::Limits {
            max_storage_buffer_binding_size: least.max(16 << 10),
            ..adapter
        }
    })
}

/// Every operand is larger than a binding; aligned to 4 elements, and not.
#[test]
fn linear_operations_are_exact_in_parts() {
    let gpu = gpu_in_parts();
    let kernels = LinearKernels::new(gpu.device());
    let mut random = fastrand::Rng::with_seed(11);
    for sizes in [[260, 132, 96], [131, 257, 77]] {
        // A plan with slabs as well, which parts cannot follow.
        let shape = shape(sizes);
        let split = candidates(shape, Operation::WeightGrad, kernels.capabilities());
        if let Some(split) = split.into_iter().find(|plan| plan.slabs > 1) {
            kernels.use_plan(shape, Operation::WeightGrad, split);
        }
        check_parts(&gpu, &kernels, sizes, &mut random);
    }
}

/// The same by the kernels for hardware, which say where a block lies in what is bound.
#[test]
fn kernels_for_hardware_are_exact_in_parts() {
    let gpu = gpu_in_parts();
    let kernels = LinearKernels::new(gpu.device());
    let mut random = fastrand::Rng::with_seed(13);
    let large = [[260, 132, 96], [131, 257, 77]];
    let few = [[8, 1004, 96], [7, 501, 77]];
    for (wanted, sizes) in [
        ("tiled 128×128", large),
        ("tiled 64×64, prefetched", large),
        ("tiled 32×32", large),
        ("naive", large),
        ("small batch of 8", few),
    ] {
        for sizes in sizes {
            let shape = shape(sizes);
            let mut used = 0;
            for operation in [
                Operation::Forward,
                Operation::InputGrad,
                Operation::WeightGrad,
            ] {
                let plans = candidates(shape, operation, &Capabilities::hardware());
                if let Some(plan) = plans.iter().find(|plan| plan.to_string() == wanted) {
                    kernels.use_plan(shape, operation, *plan);
                    used += 1;
                }
            }
            assert!(used >= 2, "{wanted}");
            check_parts(&gpu, &kernels, sizes, &mut random);
        }
    }
}

fn shape([batch, inputs, outputs]: [usize; 3]) -> Shape {
    Shape {
        batch: batch as u32,
        inputs: inputs as u32,
        outputs: outputs as u32,
    }
}

/// All operations on a layer of these sizes against the reference.
fn check_parts(
    gpu: &Gpu,
    kernels: &LinearKernels,
    [batch, inputs, outputs]: [usize; 3],
    random: &mut fastrand::Rng,
) {
    let mut matrix = |rows, columns| integers(random, rows, columns, 9);
    let (x, w, dt) = (
        matrix(batch, inputs),
        matrix(inputs, outputs),
        matrix(batch, outputs),
    );
    let b = row(matrix(1, outputs));
    let upload = |values: &Array2<f32>| gpu.upload("in", values.as_slice().unwrap()).unwrap();
    let [x_buffer, w_buffer, dt_buffer] = [&x, &w, &dt].map(upload);
    let b_buffer = gpu.upload("b", b.as_slice().unwrap()).unwrap();
    let nan = |len: usize| gpu.upload("out", &vec![f32::NAN; len]).unwrap();
    let [t, t2, a, a2, dx, dx2, dw, db] = [
        batch * outputs,
        batch * outputs,
        batch * outputs,
        batch * outputs,
        batch * inputs,
        batch * inputs,
        inputs * outputs,
        outputs,
    ]
    .map(nan);
    let [m, k, n] = [batch, inputs, outputs].map(|size| size as u32);
    let (xv, wv) = (Matrix::new(&x_buffer, m, k), Matrix::new(&w_buffer, k, n));
    let dtv = Matrix::new(&dt_buffer, m, n);
    let bv = Some(Vector::new(&b_buffer, n));
    let function = Activation::LeakyRelu { slope: -2.0 };
    gpu.run(&[
        kernels
            .forward(Forward {
                x: xv,
                w: wv,
                b: bv,
                t: Matrix::new(&t, m, n),
            })
            .unwrap(),
        kernels
            .forward_activated(ForwardActivated {
                x: xv,
                w: wv,
                b: bv,
                function,
                t: Matrix::new(&t2, m, n),
                a: Matrix::new(&a, m, n),
            })
            .unwrap(),
        kernels
            .forward_inference(ForwardInference {
                x: xv,
                w: wv,
                b: bv,
                function,
                a: Matrix::new(&a2, m, n),
            })
            .unwrap(),
        kernels
            .input_grad(InputGrad {
                dt: dtv,
                w: wv,
                dx: Matrix::new(&dx, m, k),
            })
            .unwrap(),
        kernels
            .input_grad_activated(InputGradActivated {
                dt: dtv,
                w: wv,
                function,
                t_below: xv,
                dt_below: Matrix::new(&dx2, m, k),
            })
            .unwrap(),
        kernels
            .weight_grad(WeightGrad {
                x: xv,
                dt: dtv,
                dw: Matrix::new(&dw, k, n),
                db: Some(Vector::new(&db, n)),
            })
            .unwrap(),
    ])
    .unwrap();
    let [x, w, dt] = [&x, &w, &dt].map(|matrix| matrix.mapv(f64::from));
    let expected_t = reference::forward(x.view(), w.view(), Some(b.mapv(f64::from).view()));
    let expected_dx = reference::input_grad(dt.view(), w.view());
    let read = |buffer, rows, columns| {
        Array2::from_shape_vec((rows, columns), gpu.read::<f32>(buffer).unwrap()).unwrap()
    };
    for (buffer, expected) in [
        (&t, expected_t.clone()),
        (&t2, expected_t.clone()),
        (&a, reference::activation(function, expected_t.view())),
        (&a2, reference::activation(function, expected_t.view())),
        (&dx, expected_dx.clone()),
        (
            &dx2,
            reference::activation_grad(function, x.view(), expected_dx.view()),
        ),
        (&dw, reference::weight_grad(x.view(), dt.view())),
    ] {
        let (rows, columns) = expected.dim();
        same(read(buffer, rows, columns).view(), expected.view()).unwrap();
    }
    let db = Array1::from(gpu.read::<f32>(&db).unwrap());
    same(db.view(), reference::bias_grad(dt.view()).view()).unwrap();
}

#[test]
fn operations_refuse_rows_larger_than_a_binding() {
    let gpu = narrow_gpu(16 << 10);
    let kernels = LinearKernels::new(gpu.device());
    let (x, w, t) = (
        gpu.zeros("x", 5000).unwrap(),
        gpu.zeros("w", 5000).unwrap(),
        gpu.zeros("t", 1).unwrap(),
    );
    let result = kernels.forward(Forward {
        x: Matrix::new(&x, 1, 5000),
        w: Matrix::new(&w, 5000, 1),
        b: None,
        t: Matrix::new(&t, 1, 1),
    });
    assert!(
        matches!(result, Err(PrepareError::Limit { required, .. }) if required >= 20_000),
        "{result:?}"
    );
}
