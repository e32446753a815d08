//! Operands that are stored as f16: the four operations by every plan against their twins in f64,
//! what is refused, and the way to the device and back.

use half::f16;
use ndarray::{Array1, Array2, Axis};
use wgpu_linear::kernel::ElementType;
use wgpu_linear::linear::{Operation, Plan, Precision, Shape, candidates};
use wgpu_linear::model::Activation;
use wgpu_linear::nn::ActivationForward;
use wgpu_linear::{
    BiasGrad, Forward, ForwardActivated, Gpu, InputGrad, LinearKernels, Matrix, PrepareError,
    Vector, WeightGrad, reference,
};

use crate::compare::{hard_bound, magnitude};
use crate::support::{gpu, integers, reals};
use crate::windows::{gpu_with, gpu_with_features};

const STORED: [Precision; 2] = [Precision::F16, Precision::Mixed];
pub(crate) const OPERATIONS: [Operation; 3] = [
    Operation::Forward,
    Operation::InputGrad,
    Operation::WeightGrad,
];

/// The device of all tests, where it has numbers of 16 bits; SwiftShader has none.
pub(crate) fn gpu_with_f16() -> Option<&'static Gpu> {
    let gpu = gpu();
    let has_f16 = gpu.device().features().contains(wgpu::Features::SHADER_F16);
    if !has_f16 {
        eprintln!("SKIPPED: {} has no SHADER_F16", gpu.description());
    }
    has_f16.then_some(gpu)
}

/// A matrix on a device.
struct Stored {
    buffer: wgpu::Buffer,
    shape: (usize, usize),
    element: ElementType,
}

impl Stored {
    fn new(gpu: &Gpu, element: ElementType, values: &Array2<f32>) -> Self {
        let all: Vec<f32> = values.iter().copied().collect();
        let halves = || all.iter().copied().map(f16::from_f32).collect::<Vec<_>>();
        let buffer = match element {
            ElementType::F16 => gpu.upload("stored", &halves()),
            _ => gpu.upload("stored", &all),
        };
        Self {
            buffer: buffer.unwrap(),
            shape: values.dim(),
            element,
        }
    }

    /// NaN, so that a missing store shows.
    fn output(gpu: &Gpu, element: ElementType, shape: (usize, usize)) -> Self {
        Self::new(gpu, element, &Array2::from_elem(shape, f32::NAN))
    }

    fn view(&self) -> Matrix<'_> {
        let (rows, columns) = self.shape;
        Matrix::new(&self.buffer, rows as u32, columns as u32).stored_as(self.element)
    }

    fn read(&self, gpu: &Gpu) -> Array2<f64> {
        let len = self.shape.0 * self.shape.1;
        let values: Vec<f64> = match self.element {
            ElementType::F16 => {
                let halves: Vec<f16> = gpu.read_range(&self.buffer, 0, len).unwrap();
                halves.into_iter().map(f64::from).collect()
            }
            _ => {
                let floats: Vec<f32> = gpu.read_range(&self.buffer, 0, len).unwrap();
                floats.into_iter().map(f64::from).collect()
            }
        };
        Array2::from_shape_vec(self.shape, values).unwrap()
    }
}

/// A layer whose numbers are those that are stored.
pub(crate) struct Layer {
    pub(crate) x: Array2<f32>,
    pub(crate) w: Array2<f32>,
    pub(crate) b: Array2<f32>,
    pub(crate) dt: Array2<f32>,
    pub(crate) precision: Precision,
}

/// T, dX, dW, db beside it and db alone, in this order.
pub(crate) type Results = [Array2<f64>; 5];

impl Layer {
    pub(crate) fn new(
        [batch, inputs, outputs]: [usize; 3],
        precision: Precision,
        mut matrix: impl FnMut(usize, usize) -> Array2<f32>,
    ) -> Self {
        let rounded = |values: Array2<f32>| values.mapv(|value| f16::from_f32(value).to_f32());
        Self {
            x: rounded(matrix(batch, inputs)),
            w: rounded(matrix(inputs, outputs)),
            b: matrix(1, outputs),
            dt: rounded(matrix(batch, outputs)),
            precision,
        }
    }

    pub(crate) fn run(&self, gpu: &Gpu, kernels: &LinearKernels) -> Results {
        let (activations, weights) = (self.precision.activations(), self.precision.weights());
        let stored = |element, values| Stored::new(gpu, element, values);
        let [x, dt] = [&self.x, &self.dt].map(|values| stored(activations, values));
        let (w, b) = (stored(weights, &self.w), stored(ElementType::F32, &self.b));
        let output = |element, of: &Array2<f32>| Stored::output(gpu, element, of.dim());
        let (t, dx) = (output(activations, &self.dt), output(activations, &self.x));
        let dw = output(weights, &self.w);
        let [db, db_alone] = [0; 2].map(|_| output(ElementType::F32, &self.b));
        let outputs = b.view().columns;
        let dispatches = [
            kernels.forward(Forward {
                x: x.view(),
                w: w.view(),
                b: Some(Vector::new(&b.buffer, outputs)),
                t: t.view(),
            }),
            kernels.input_grad(InputGrad {
                dt: dt.view(),
                w: w.view(),
                dx: dx.view(),
            }),
            kernels.weight_grad(WeightGrad {
                x: x.view(),
                dt: dt.view(),
                dw: dw.view(),
                db: Some(Vector::new(&db.buffer, outputs)),
            }),
            kernels.bias_grad(BiasGrad {
                dt: dt.view(),
                db: Vector::new(&db_alone.buffer, outputs),
            }),
        ];
        gpu.run(&dispatches.map(Result::unwrap)).unwrap();
        [&t, &dx, &dw, &db, &db_alone].map(|stored| stored.read(gpu))
    }

    /// The twins of [`Self::run`] in f64, and Σ |a||b| of each, with how many terms there are.
    pub(crate) fn expected(&self) -> [(Array2<f64>, Array2<f64>, usize); 5] {
        let [x, w, dt, b] =
            [&self.x, &self.w, &self.dt, &self.b].map(|values| values.mapv(f64::from));
        let [ax, aw, adt, ab] = [&self.x, &self.w, &self.dt, &self.b].map(|v| magnitude(v.view()));
        let row = |values: Array1<f64>| values.insert_axis(Axis(0));
        let bias: Array1<f64> = b.row(0).to_owned();
        let db = (
            row(reference::bias_grad(dt.view())),
            row(adt.sum_axis(Axis(0))),
            x.nrows(),
        );
        [
            (
                reference::forward(x.view(), w.view(), Some(bias.view())),
                ax.dot(&aw) + &ab,
                w.nrows() + 1,
            ),
            (
                reference::input_grad(dt.view(), w.view()),
                adt.dot(&aw.t()),
                w.ncols(),
            ),
            (
                reference::weight_grad(x.view(), dt.view()),
                ax.t().dot(&adt),
                x.nrows(),
            ),
            db.clone(),
            db,
        ]
    }

    fn elements(&self) -> [ElementType; 5] {
        let (activations, weights) = (self.precision.activations(), self.precision.weights());
        let f32 = ElementType::F32;
        [activations, activations, weights, f32, f32]
    }

    pub(crate) fn check(&self, gpu: &Gpu, kernels: &LinearKernels, exact: bool, what: &str) {
        let names = ["t", "dx", "dw", "db", "db alone"];
        let found = self.run(gpu, kernels).into_iter().zip(self.expected());
        for ((name, element), (found, (expected, magnitude, terms))) in
            names.into_iter().zip(self.elements()).zip(found)
        {
            for ((found, expected), magnitude) in found.iter().zip(&expected).zip(&magnitude) {
                let sum = if exact {
                    0.0
                } else {
                    hard_bound(terms, *magnitude)
                };
                let bound = sum + stored_bound(element, *expected, sum);
                let error = (found - expected).abs();
                assert!(
                    error <= bound,
                    "{what}, {}, {name}: {found} instead of {expected}, allowed {bound}",
                    self.precision
                );
            }
        }
    }
}

/// What storing may change in a number that is `off` from `value`: nothing where it is one that f16
/// has; else 2⁻¹⁰ of it, since WGSL leaves the direction of rounding open, or the distance of
/// subnormal numbers.
fn stored_bound(element: ElementType, value: f64, off: f64) -> f64 {
    let is_one = f64::from(f16::from_f64(value)) == value;
    match element {
        ElementType::F32 => 0.0,
        _ if is_one && off == 0.0 => 0.0,
        _ => (value.abs() + off) * 2.0_f64.powi(-10) + 2.0_f64.powi(-24),
    }
}

pub(crate) fn shape([batch, inputs, outputs]: [usize; 3]) -> Shape {
    let [batch, inputs, outputs] = [batch, inputs, outputs].map(|size| size as u32);
    Shape {
        batch,
        inputs,
        outputs,
    }
}

/// Those of f16, also by matrix units where the device was opened with them.
fn candidates_of_f16(kernels: &LinearKernels, shape: Shape, operation: Operation) -> Vec<Plan> {
    let capabilities = kernels.capabilities().rounding_factors();
    candidates(shape, operation, &capabilities)
}

/// Runs the layer by each plan for each operation.
fn by_every_plan(gpu: &Gpu, layer: &Layer, sizes: [usize; 3], exact: bool) -> usize {
    let kernels = LinearKernels::new(gpu.device());
    let plans = OPERATIONS.map(|operation| candidates_of_f16(&kernels, shape(sizes), operation));
    let most = plans.iter().map(Vec::len).max().unwrap();
    for i in 0..most {
        let chosen: Vec<Plan> = plans.iter().map(|plans| plans[i % plans.len()]).collect();
        for (operation, plan) in OPERATIONS.into_iter().zip(&chosen) {
            kernels.use_plan(shape(sizes), operation, *plan);
        }
        let names: Vec<_> = chosen.iter().map(Plan::to_string).collect();
        layer.check(gpu, &kernels, exact, &format!("{sizes:?} by {names:?}"));
    }
    most
}

/// Sums stay below 2,048, up to where f16 has every whole number.
#[test]
fn every_plan_is_exact_on_small_integers() {
    let Some(gpu) = gpu_with_f16() else {
        return;
    };
    let mut random = fastrand::Rng::with_seed(1);
    let mut tried = 0;
    for sizes in [
        [3, 5, 7],
        [13, 131, 35],
        [64, 64, 64],
        [1, 132, 36],
        [9, 20, 4],
    ] {
        for precision in STORED {
            let layer = Layer::new(sizes, precision, |rows, columns| {
                integers(&mut random, rows, columns, 3)
            });
            tried += by_every_plan(gpu, &layer, sizes, true);
        }
    }
    assert!(tried >= 20, "{tried}");
}

#[test]
fn every_plan_is_within_its_bound_on_reals() {
    let Some(gpu) = gpu_with_f16() else {
        return;
    };
    let mut random = fastrand::Rng::with_seed(2);
    for sizes in [[13, 67, 35], [36, 132, 68]] {
        for precision in STORED {
            let layer = Layer::new(sizes, precision, |rows, columns| {
                reals(&mut random, rows, columns)
            });
            by_every_plan(gpu, &layer, sizes, false);
        }
    }
}

/// Partial sums of 2²² that cancel to a few hundred: they are f32 and exact.
#[test]
fn sums_may_pass_what_f16_holds() {
    let Some(gpu) = gpu_with_f16() else {
        return;
    };
    let (batch, inputs, outputs) = (5, 128, 12);
    for precision in STORED {
        let layer = Layer {
            x: Array2::from_elem((batch, inputs), 32.0),
            // One half of the terms of a sum, then the other, of the other sign.
            w: Array2::from_shape_fn((inputs, outputs), |(i, j)| {
                let sign = if i < 64 { 1.0 } else { -1.0 };
                let rest = if i % 64 == 3 { 2 * (j % 3) } else { 0 };
                sign * 2048.0 + rest as f32
            }),
            b: Array2::from_elem((1, outputs), 1.0),
            dt: Array2::from_elem((batch, outputs), 0.25),
            precision,
        };
        by_every_plan(gpu, &layer, [batch, inputs, outputs], true);
        // They do pass it.
        let (x, w) = (layer.x.row(0), layer.w.column(0));
        let half = x.iter().zip(w).take(64);
        let largest: f32 = half.map(|(x, w)| x * w).sum();
        assert!(largest > 65_504.0);
    }
}

/// What f16 cannot hold is an infinity, or the largest number, as the device rounds.
#[test]
fn results_past_what_f16_holds_are_at_least_its_largest_number() {
    let Some(gpu) = gpu_with_f16() else {
        return;
    };
    let mut layer = Layer::new([4, 8, 4], Precision::F16, |rows, columns| {
        Array2::from_elem((rows, columns), 256.0)
    });
    layer.b.fill(0.0);
    let kernels = LinearKernels::new(gpu.device());
    for plan in candidates_of_f16(&kernels, shape([4, 8, 4]), Operation::Forward) {
        kernels.use_plan(shape([4, 8, 4]), Operation::Forward, plan);
        let [t, ..] = layer.run(gpu, &kernels);
        assert!(t.iter().all(|t| *t >= 65_504.0), "{plan}: {t}");
    }
}

/// Products of 2⁻¹⁴ and less are subnormal in f16, and neither lost nor far off.
#[test]
fn subnormal_numbers_are_kept() {
    let Some(gpu) = gpu_with_f16() else {
        return;
    };
    let mut random = fastrand::Rng::with_seed(3);
    for precision in STORED {
        let mut layer = Layer::new([7, 24, 9], precision, |rows, columns| {
            reals(&mut random, rows, columns) * 2.0_f32.powi(-10)
        });
        layer.b.fill(0.0);
        by_every_plan(gpu, &layer, [7, 24, 9], false);
        let [t, ..] = layer.run(gpu, &LinearKernels::new(gpu.device()));
        let smallest_normal = 2.0_f64.powi(-14);
        assert!(t.iter().any(|t| *t != 0.0 && t.abs() < smallest_normal));
    }
}

/// Of 48 terms, the first sixteen of which add up to 2,049, which f16 does not have: it would be
/// 2,048 or 2,050. All of them add up to 1.
fn term(i: usize) -> f32 {
    match i {
        0 => 129.0,
        1..16 => 128.0,
        16..32 => -128.0,
        _ => 0.0,
    }
}

/// Plans of sixteen terms a pass.
fn cut(kernels: &LinearKernels, operation: Operation) -> Vec<Plan> {
    let mut plans = candidates_of_f16(kernels, shape([48; 3]), operation);
    plans.iter_mut().for_each(|plan| plan.terms_per_pass = 16);
    plans
}

/// What one pass has added up is what the next one goes on from, in f32.
#[test]
fn sums_in_passes_are_not_rounded_in_between() {
    let Some(gpu) = gpu_with_f16() else {
        return;
    };
    let kernels = LinearKernels::new(gpu.device());
    let square =
        |value: &dyn Fn(usize, usize) -> f32| Array2::from_shape_fn((48, 48), |(i, j)| value(i, j));
    let (ones, zeros) = (square(&|_, _| 1.0), square(&|_, _| 0.0));
    let (down, across) = (square(&|i, _| term(i)), square(&|_, j| term(j)));
    for (operation, x, w, dt) in [
        (Operation::Forward, &ones, &down, &zeros),
        (Operation::InputGrad, &zeros, &ones, &across),
        (Operation::WeightGrad, &down, &zeros, &ones),
    ] {
        for plan in cut(&kernels, operation) {
            kernels.use_plan(shape([48; 3]), operation, plan);
            for precision in STORED {
                let layer = Layer {
                    x: x.clone(),
                    w: w.clone(),
                    b: Array2::zeros((1, 48)),
                    dt: dt.clone(),
                    precision,
                };
                layer.check(gpu, &kernels, true, &format!("{operation:?} by {plan}"));
            }
        }
    }
}

/// With activations behind the last pass.
#[test]
fn activations_come_behind_the_last_pass() {
    let Some(gpu) = gpu_with_f16() else {
        return;
    };
    let kernels = LinearKernels::new(gpu.device());
    let sign = |j: usize| if j.is_multiple_of(2) { 1.0_f32 } else { -1.0 };
    let x = Array2::from_elem((48, 48), 1.0);
    let w = Array2::from_shape_fn((48, 48), |(i, j)| sign(j) * term(i));
    let f16 = ElementType::F16;
    let [x, w] = [x, w].map(|values| Stored::new(gpu, f16, &values));
    for plan in cut(&kernels, Operation::Forward) {
        kernels.use_plan(shape([48; 3]), Operation::Forward, plan);
        let [t, a] = [0; 2].map(|_| Stored::output(gpu, f16, (48, 48)));
        let forward = kernels.forward_activated(ForwardActivated {
            x: x.view(),
            w: w.view(),
            b: None,
            function: Activation::Relu,
            t: t.view(),
            a: a.view(),
        });
        gpu.run(&[forward.unwrap()]).unwrap();
        let expected = Array2::from_shape_fn((48, 48), |(_, j)| f64::from(sign(j)));
        assert_eq!(t.read(gpu), expected, "{plan}");
        assert_eq!(a.read(gpu), expected.mapv(|t: f64| t.max(0.0)), "{plan}");
    }
}

/// Larger than a device can bind at once, with an odd number of columns.
#[test]
fn operands_of_f16_are_exact_in_parts() {
    if gpu_with_f16().is_none() {
        return;
    }
    let features = wgpu::Features::SUBGROUP | wgpu::Features::SHADER_F16;
    let gpu = gpu_with_features(features, |adapter| {
        let least = 257 * u64::from(adapter.min_storage_buffer_offset_alignment);
        wgpu::Limits {
            max_storage_buffer_binding_size: least.max(21 << 10),
            ..adapter
        }
    });
    let kernels = LinearKernels::new(gpu.device());
    let mut random = fastrand::Rng::with_seed(4);
    for sizes in [[131, 157, 77], [260, 132, 32]] {
        for precision in STORED {
            let layer = Layer::new(sizes, precision, |rows, columns| {
                integers(&mut random, rows, columns, 2)
            });
            layer.check(&gpu, &kernels, true, &format!("{sizes:?} in parts"));
        }
    }
}

#[test]
fn an_odd_number_of_f16_comes_back_as_it_went() {
    let gpu = gpu();
    for len in [1, 2, 3, 5, 8] {
        let values: Vec<f16> = (0..len).map(|i| f16::from_f32(i as f32 + 0.5)).collect();
        let buffer = gpu.upload("halves", &values).unwrap();
        assert_eq!(gpu.read_range::<f16>(&buffer, 0, len).unwrap(), values);
    }
}

/// What belongs to the results is stored as they are, and vectors are f32.
#[test]
fn types_that_disagree_are_refused_by_name() {
    let Some(gpu) = gpu_with_f16() else {
        return;
    };
    let kernels = LinearKernels::new(gpu.device());
    let [x, w, b, t, a] = [0; 5].map(|_| gpu.zeros("operand", 64).unwrap());
    let half = |buffer| Matrix::new(buffer, 4, 4).stored_as(ElementType::F16);
    let operands = ForwardActivated {
        x: half(&x),
        w: half(&w),
        b: Some(Vector::new(&b, 4)),
        function: Activation::Relu,
        t: half(&t),
        a: half(&a),
    };
    assert!(kernels.forward_activated(operands).is_ok());
    let a_is_f32 = ForwardActivated {
        a: Matrix::new(&a, 4, 4),
        ..operands
    };
    let b_is_f16 = ForwardActivated {
        b: Some(Vector::new(&b, 4).stored_as(ElementType::F16)),
        ..operands
    };
    for (bad, name, wanted) in [
        (a_is_f32, "a", ElementType::F16),
        (b_is_f16, "b", ElementType::F32),
    ] {
        let error = kernels.forward_activated(bad).unwrap_err();
        assert!(
            matches!(error, PrepareError::ElementType { operand, expected, .. }
                if operand == name && expected == wanted),
            "{error:?}"
        );
    }
    let vector = |buffer| Vector::new(buffer, 4).stored_as(ElementType::F16);
    let error = crate::support::network_kernels().activation(ActivationForward {
        function: Activation::Relu,
        t: vector(&t),
        a: vector(&a),
    });
    assert!(matches!(
        error,
        Err(PrepareError::ElementType { operand: "t", .. })
    ));
}

#[test]
fn a_device_without_f16_names_the_feature() {
    let gpu = gpu_with(|limits| limits); // opened with subgroups alone
    let kernels = LinearKernels::new(gpu.device());
    let [x, w, t] = [0; 3].map(|_| gpu.zeros("operand", 16).unwrap());
    let half = |buffer| Matrix::new(buffer, 4, 4).stored_as(ElementType::F16);
    let forward = |x| {
        kernels.forward(Forward {
            x,
            w: Matrix::new(&w, 4, 4),
            b: None,
            t: Matrix::new(&t, 4, 4),
        })
    };
    let error = forward(half(&x)).unwrap_err();
    assert!(
        matches!(
            error,
            PrepareError::Feature {
                feature: "SHADER_F16",
                ..
            }
        ),
        "{error:?}"
    );
    assert!(forward(Matrix::new(&x, 4, 4)).is_ok());
}

/// A buffer of an odd number of f16 must have room for its last word.
#[test]
fn buffers_are_as_large_as_whole_words() {
    let Some(gpu) = gpu_with_f16() else {
        return;
    };
    let kernels = LinearKernels::new(gpu.device());
    let [x, w] = [0; 2].map(|_| gpu.zeros("operand", 16).unwrap());
    let t = gpu.zeros("t", 1).unwrap();
    let view =
        |rows, columns, buffer| Matrix::new(buffer, rows, columns).stored_as(ElementType::F16);
    let forward = |rows| {
        kernels.forward(Forward {
            x: view(rows, 1, &x),
            w: view(1, 1, &w),
            b: None,
            t: view(rows, 1, &t),
        })
    };
    assert!(forward(1).is_ok());
    assert!(forward(2).is_ok());
    let error = forward(3).unwrap_err();
    assert!(
        matches!(
            error,
            PrepareError::BufferTooSmall {
                required_bytes: 8,
                actual_bytes: 4,
                ..
            }
        ),
        "{error:?}"
    );
}
