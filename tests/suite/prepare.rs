//! Bad operands get a typed error before anything is encoded. No adapter is needed: wgpu's noop
//! device does.

use wgpu::{BufferUsages, Limits};
use wgpu_linear::kernel::Constant;
use wgpu_linear::linear::{Capabilities, Operation, Shape, candidates};
use wgpu_linear::model::Loss;
use wgpu_linear::nn::{
    AccumulateLoss, ElementwiseLoss, Examples, Gather, NetworkKernels, SoftmaxCrossEntropy,
};
use wgpu_linear::{
    BiasGrad, Forward, InputGrad, LinearKernels, Matrix, PrepareError, Vector, WeightGrad,
};

struct Noop {
    device: wgpu::Device,
    kernels: LinearKernels,
}

impl Noop {
    fn new() -> Self {
        let (device, _) = wgpu::Device::noop(&wgpu::DeviceDescriptor {
            required_limits: Limits {
                max_storage_buffer_binding_size: 1 << 20,
                ..Limits::default()
            },
            ..Default::default()
        });
        let kernels = LinearKernels::new(&device);
        Self { device, kernels }
    }

    fn buffer(&self, elements: u64) -> wgpu::Buffer {
        self.buffer_with(elements, BufferUsages::STORAGE)
    }

    fn buffer_with(&self, elements: u64, usage: BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 4 * elements,
            usage,
            mapped_at_creation: false,
        })
    }
}

#[test]
fn forward_refuses_wrong_shapes_and_names_the_operand() {
    let noop = Noop::new();
    let [x, w, b, t] = [0; 4].map(|_| noop.buffer(64));
    let good = Forward {
        x: Matrix::new(&x, 2, 3),
        w: Matrix::new(&w, 3, 4),
        b: Some(Vector::new(&b, 4)),
        t: Matrix::new(&t, 2, 4),
    };
    assert!(noop.kernels.forward(good).is_ok());
    for (bad, name, want, have) in [
        (
            Forward {
                w: Matrix::new(&w, 4, 3),
                ..good
            },
            "w",
            [3, 3],
            [4, 3],
        ),
        (
            Forward {
                t: Matrix::new(&t, 4, 2),
                ..good
            },
            "t",
            [2, 4],
            [4, 2],
        ),
        (
            Forward {
                b: Some(Vector::new(&b, 3)),
                ..good
            },
            "b",
            [1, 4],
            [1, 3],
        ),
    ] {
        let error = noop.kernels.forward(bad).unwrap_err();
        let PrepareError::Shape {
            operation: "wgpu_linear::forward",
            operand,
            expected,
            actual,
        } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!((operand, expected, actual), (name, want, have));
    }
    assert!(noop.kernels.forward(good).is_ok());
}

/// What is printed is what runs: the entry point, and every constant with its value.
#[test]
fn dispatches_show_the_wgsl_that_they_run() {
    let noop = Noop::new();
    let [x, w, b, t] = [0; 4].map(|_| noop.buffer(1 << 14));
    let operands = |k| Forward {
        x: Matrix::new(&x, 2, k),
        w: Matrix::new(&w, k, 4),
        b: Some(Vector::new(&b, 4)),
        t: Matrix::new(&t, 2, 4),
    };
    let dispatch = noop.kernels.forward(operands(3)).unwrap();
    assert_eq!(dispatch.kernels().len(), dispatch.workgroups().len());
    let kernel = dispatch.kernels().next().unwrap();
    assert_eq!(kernel.label, dispatch.label());
    let wgsl = kernel.wgsl().unwrap();
    assert!(wgsl.contains(&format!("fn {}(", kernel.entry_point)));
    assert!(
        kernel
            .constants
            .contains(&("ADD_BIAS", Constant::Bool(true)))
    );
    for (name, value) in kernel.constants.iter() {
        let begin = format!("const {name}: ");
        let end = format!(" = {value};");
        let declares = |line: &str| line.starts_with(&begin) && line.contains(&end);
        assert!(wgsl.lines().any(declares), "{name} = {value}");
    }
    // Slabs and their sum are two kernels of one dispatch.
    let long = noop.kernels.forward(operands(4096)).unwrap();
    let names: Vec<_> = long.kernels().map(|kernel| kernel.name()).collect();
    assert!(names.len() > 1 && names[0] != names[1], "{names:?}");
    assert_eq!(
        noop.kernels.forward(operands(0)).unwrap().kernels().len(),
        1
    );
}

#[test]
fn gradients_refuse_wrong_shapes() {
    let noop = Noop::new();
    let [a, b, c] = [0; 3].map(|_| noop.buffer(64));
    let matrix = Matrix::new;
    let shape = |result: Result<_, PrepareError>, name| {
        assert!(
            matches!(result, Err(PrepareError::Shape { operand, .. }) if operand == name),
            "{result:?}"
        );
    };
    shape(
        noop.kernels.input_grad(InputGrad {
            dt: matrix(&a, 2, 4),
            w: matrix(&b, 4, 3),
            dx: matrix(&c, 2, 3),
        }),
        "w",
    );
    shape(
        noop.kernels.input_grad(InputGrad {
            dt: matrix(&a, 2, 4),
            w: matrix(&b, 3, 4),
            dx: matrix(&c, 3, 2),
        }),
        "dx",
    );
    shape(
        noop.kernels.weight_grad(WeightGrad {
            x: matrix(&a, 2, 3),
            dt: matrix(&b, 3, 4),
            dw: matrix(&c, 3, 4),
            db: None,
        }),
        "dt",
    );
    shape(
        noop.kernels.weight_grad(WeightGrad {
            x: matrix(&a, 2, 3),
            dt: matrix(&b, 2, 4),
            dw: matrix(&c, 4, 3),
            db: None,
        }),
        "dw",
    );
    shape(
        noop.kernels.bias_grad(BiasGrad {
            dt: matrix(&a, 2, 4),
            db: Vector::new(&b, 2),
        }),
        "db",
    );
}

#[test]
fn losses_refuse_wrong_shapes() {
    let noop = Noop::new();
    let kernels = NetworkKernels::new(&noop.device);
    let [t, labels, losses, dt] = [0; 4].map(|_| noop.buffer(64));
    let good = SoftmaxCrossEntropy {
        t: Matrix::new(&t, 2, 3),
        labels: Vector::new(&labels, 2),
        weights: None,
        label_smoothing: 0.0,
        row_loss: Vector::new(&losses, 2),
        dt: Matrix::new(&dt, 2, 3),
    };
    assert!(kernels.softmax_cross_entropy(good).is_ok());
    let bad = SoftmaxCrossEntropy {
        labels: Vector::new(&labels, 3),
        ..good
    };
    assert!(matches!(
        kernels.softmax_cross_entropy(bad),
        Err(PrepareError::Shape {
            operand: "labels",
            ..
        })
    ));
    let bad = ElementwiseLoss {
        loss: Loss::MeanSquaredError,
        t: good.t,
        y: Matrix::new(&labels, 3, 2),
        weight_sum: None,
        element_loss: Matrix::new(&losses, 2, 3),
        dt: good.dt,
    };
    assert!(matches!(
        kernels.elementwise_loss(bad),
        Err(PrepareError::Shape { operand: "y", .. })
    ));
    let bad = ElementwiseLoss {
        loss: Loss::SoftmaxCrossEntropy,
        y: Matrix::new(&labels, 2, 3),
        ..bad
    };
    assert!(matches!(
        kernels.elementwise_loss(bad),
        Err(PrepareError::Source(_))
    ));
    let bad = AccumulateLoss {
        losses: Vector::new(&losses, 2),
        batch: 2,
        weight_sum: None,
        total: Vector::new(&t, 2),
    };
    assert!(matches!(
        kernels.accumulate_loss(bad),
        Err(PrepareError::Shape {
            operand: "total",
            ..
        })
    ));
}

#[test]
fn operations_refuse_short_buffers() {
    let noop = Noop::new();
    let [dt, db] = [noop.buffer(8), noop.buffer(67)];
    let short = BiasGrad {
        dt: Matrix::new(&dt, 3, 3),
        db: Vector::new(&db, 3),
    };
    let error = noop.kernels.bias_grad(short).unwrap_err();
    assert!(
        matches!(
            error,
            PrepareError::BufferTooSmall {
                operand: "dt",
                required_bytes: 36,
                actual_bytes: 32,
                ..
            }
        ),
        "{error:?}"
    );
    let past_the_end = BiasGrad {
        dt: Matrix::new(&dt, 2, 4),
        db: Vector::new(&db, 4).at(256),
    };
    let error = noop.kernels.bias_grad(past_the_end).unwrap_err();
    assert!(
        matches!(
            error,
            PrepareError::BufferTooSmall {
                operand: "db",
                required_bytes: 272,
                ..
            }
        ),
        "{error:?}"
    );
}

/// Sizes whose product overflows 32 and 64 bits must not wrap around into something that fits.
#[test]
fn operations_refuse_sizes_that_overflow() {
    let noop = Noop::new();
    let [dt, db] = [noop.buffer(8), noop.buffer(8)];
    let huge = BiasGrad {
        dt: Matrix::new(&dt, u32::MAX, u32::MAX),
        db: Vector::new(&db, u32::MAX),
    };
    assert!(matches!(
        noop.kernels.bias_grad(huge),
        Err(PrepareError::BufferTooSmall { operand: "dt", .. })
    ));
    let far = BiasGrad {
        dt: Matrix::new(&dt, 1, 1).at(u64::MAX - 3),
        db: Vector::new(&db, 1),
    };
    assert!(matches!(
        noop.kernels.bias_grad(far),
        Err(PrepareError::BufferTooSmall { operand: "dt", .. })
    ));
}

#[test]
fn operations_refuse_missing_usage_flags() {
    let noop = Noop::new();
    let [dt, db] = [noop.buffer(8), noop.buffer_with(8, BufferUsages::COPY_DST)];
    let bad = BiasGrad {
        dt: Matrix::new(&dt, 2, 4),
        db: Vector::new(&db, 4),
    };
    let error = noop.kernels.bias_grad(bad).unwrap_err();
    let PrepareError::MissingUsage {
        operand: "db",
        required,
        actual,
        ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!(
        (required, actual),
        (BufferUsages::STORAGE, BufferUsages::COPY_DST)
    );
}

#[test]
fn operations_refuse_misaligned_offsets() {
    let noop = Noop::new();
    let [dt, db] = [noop.buffer(128), noop.buffer(128)];
    let bad = BiasGrad {
        dt: Matrix::new(&dt, 2, 4).at(4),
        db: Vector::new(&db, 4),
    };
    let error = noop.kernels.bias_grad(bad).unwrap_err();
    assert!(
        matches!(
            error,
            PrepareError::MisalignedOffset {
                operand: "dt",
                offset_bytes: 4,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn operations_refuse_an_output_that_shares_a_buffer() {
    let noop = Noop::new();
    let [one, other] = [noop.buffer(128), noop.buffer(128)];
    let bad = BiasGrad {
        dt: Matrix::new(&one, 2, 4),
        db: Vector::new(&one, 4).at(256),
    };
    let error = noop.kernels.bias_grad(bad).unwrap_err();
    assert!(
        matches!(
            error,
            PrepareError::Aliased {
                written: "db",
                other: "dt",
                ..
            }
        ),
        "{error:?}"
    );
    let good = BiasGrad {
        dt: Matrix::new(&one, 2, 4),
        db: Vector::new(&other, 4),
    };
    assert!(noop.kernels.bias_grad(good).is_ok());
}

#[test]
fn operations_refuse_more_than_a_binding_holds() {
    let noop = Noop::new();
    let elements = (1 << 18) + 1;
    let [dt, db] = [noop.buffer(elements), noop.buffer(1)];
    let bad = BiasGrad {
        dt: Matrix::new(&dt, elements as u32, 1),
        db: Vector::new(&db, 1),
    };
    let error = noop.kernels.bias_grad(bad).unwrap_err();
    assert!(
        matches!(
            error,
            PrepareError::Limit {
                name: "max_storage_buffer_binding_size",
                required: 1_048_580,
                allowed: 1_048_576,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn operations_without_output_elements_have_no_work() {
    let noop = Noop::new();
    let [x, w, t] = [0; 3].map(|_| noop.buffer(8));
    let empty = Forward {
        x: Matrix::new(&x, 0, 3),
        w: Matrix::new(&w, 3, 0),
        b: None,
        t: Matrix::new(&t, 0, 0),
    };
    assert_eq!(noop.kernels.forward(empty).unwrap().workgroups().len(), 0);
}

#[test]
fn softmax_cross_entropy_refuses_more_classes_than_it_can_sum() {
    let (device, _) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
    let noop = Noop {
        kernels: LinearKernels::new(&device),
        device,
    };
    let classes = (1 << 20) + 1;
    let [t, labels, losses, dt] = [classes, 1, 1, classes].map(|len| noop.buffer(len));
    let operands = SoftmaxCrossEntropy {
        t: Matrix::new(&t, 1, classes as u32),
        labels: Vector::new(&labels, 1),
        weights: None,
        label_smoothing: 0.0,
        row_loss: Vector::new(&losses, 1),
        dt: Matrix::new(&dt, 1, classes as u32),
    };
    let error = NetworkKernels::new(&noop.device)
        .softmax_cross_entropy(operands)
        .unwrap_err();
    assert!(
        matches!(
            error,
            PrepareError::Limit {
                name: "classes",
                ..
            }
        ),
        "{error:?}"
    );
}

/// One slab of dW, 256 × 256, fills a quarter of what can be bound.
#[test]
fn slabs_are_as_many_as_can_be_bound() {
    let noop = Noop::new();
    let (batch, side) = (512, 256);
    let shape = Shape {
        batch,
        inputs: side,
        outputs: side,
    };
    let operation = Operation::WeightGrad;
    let plans = candidates(shape, operation, &Capabilities::hardware());
    let many = plans.iter().find(|plan| plan.slabs >= 8).unwrap();
    let kernels = &noop.kernels;
    kernels.use_plan(shape, operation, *many);
    assert_eq!(kernels.plan(shape, operation).slabs, many.slabs);
    let elements = u64::from(batch * side);
    let [x, dt, dw] = [0; 3].map(|_| noop.buffer(elements));
    let grad = kernels.weight_grad(WeightGrad {
        x: Matrix::new(&x, batch, side),
        dt: Matrix::new(&dt, batch, side),
        dw: Matrix::new(&dw, side, side),
        db: None,
    });
    assert!(grad.is_ok(), "{grad:?}");
}

#[test]
fn gather_refuses_more_bytes_than_its_shader_can_number() {
    let noop = Noop::new();
    let buffers = [0; 5].map(|_| noop.buffer(64));
    let [indices, data, wanted, x, targets] = &buffers;
    let error = NetworkKernels::new(&noop.device).gather(Gather {
        indices: Vector::new(indices, 1),
        data: Examples::Bytes {
            words: Vector::new(data, 64),
            examples: 1 << 20,
            inputs: 1 << 13,
            scale: 1.0,
        },
        wanted: Matrix::new(wanted, 1 << 20, 1),
        x: Matrix::new(x, 1, 1 << 13),
        targets: Matrix::new(targets, 1, 1),
    });
    assert!(
        matches!(error, Err(PrepareError::Limit { required, allowed, .. })
            if (required, allowed) == (1 << 33, u64::from(u32::MAX))),
        "{error:?}"
    );
}
