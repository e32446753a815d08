//! Activations, losses and optimizers on the GPU against their twins in f64.

use ndarray::{Array1, Array2, Axis};
use wgpu_linear::model::{Activation, AdamSettings, LionSettings, Optimizer, SgdSettings};
use wgpu_linear::nn::{
    AccumulateLoss, ActivationForward, ActivationGrad, Adam, Lion, MeanSquaredError,
    NetworkKernels, SMALL_LOSS_ELEMENTS, Sgd, SoftmaxCrossEntropy, SoftmaxCrossEntropySmall,
    settings_bytes,
};
use wgpu_linear::reference::{self, AdamCorrections};
use wgpu_linear::{Dispatch, Vector};

use crate::compare::{U_ANY, gamma, within, within_all};
use crate::reference::ACTIVATIONS;
use crate::support::{Guarded, gpu, network_kernels, reals, row};

fn run(dispatches: &[Dispatch]) {
    gpu().run(dispatches).unwrap();
}

fn f64s(values: &[f32]) -> Array1<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Arguments from tiny to the largest f32, both signs, both zeros, dense around 0.
fn arguments() -> Vec<f32> {
    let mut values: Vec<f32> = (-2000..=2000).map(|i| i as f32 / 200.0).collect();
    for exponent in -100..=127 {
        values.extend([2.0_f32.powi(exponent), -(2.0_f32.powi(exponent))]);
    }
    values.extend([-0.0, f32::MAX, f32::MIN, 88.0, -88.0, 104.0, -104.0]);
    values
}

/// f(t), as the GPU computes it; one row.
fn activation_on_gpu(kernels: &NetworkKernels, function: Activation, t: &[f32]) -> Array2<f32> {
    let (input, a) = (Guarded::input(t), Guarded::output(t.len()));
    let operands = ActivationForward {
        function,
        t: input.vector(),
        a: a.vector(),
    };
    run(&[kernels.activation(operands).unwrap()]);
    a.read_matrix(1, t.len())
}

/// da · f′(t), as the GPU computes it; one row.
fn activation_grad_on_gpu(
    kernels: &NetworkKernels,
    function: Activation,
    t: &[f32],
    da: &[f32],
) -> Array2<f32> {
    let (input, upstream, dt) = (
        Guarded::input(t),
        Guarded::input(da),
        Guarded::output(t.len()),
    );
    let operands = ActivationGrad {
        function,
        t: input.vector(),
        da: upstream.vector(),
        dt: dt.vector(),
    };
    run(&[kernels.activation_grad(operands).unwrap()]);
    dt.read_matrix(1, t.len())
}

/// WGSL grants exp an error of 3 + 2|x| units in the last place, which x·e⁻ˣ turns into a few 1e-7
/// at most; the polynomial of erf adds 1.5e-7. So 1e-6 of the scale of the result is asked for.
#[test]
fn activations_match_the_twin_over_the_whole_range() {
    let (kernels, t) = (network_kernels(), arguments());
    let twin_t = f64s(&t).insert_axis(Axis(0));
    for function in ACTIVATIONS {
        let expected = reference::activation(function, twin_t.view());
        let bound = expected.mapv(|a| 1e-6 * a.abs().max(1.0)) + phase_error(function, &twin_t);
        within(
            activation_on_gpu(kernels, function, &t).view(),
            expected.view(),
            bound.view(),
        )
        .unwrap_or_else(|error| panic!("{function:?}: {error}"));
    }
}

#[test]
fn activation_gradients_match_the_twin_over_the_whole_range() {
    let (kernels, t) = (network_kernels(), arguments());
    let da: Vec<f32> = (0..t.len()).map(|i| 1.0 + (i % 5) as f32).collect();
    let (twin_t, twin_da) = (
        f64s(&t).insert_axis(Axis(0)),
        f64s(&da).insert_axis(Axis(0)),
    );
    for function in ACTIVATIONS {
        let expected = reference::activation_grad(function, twin_t.view(), twin_da.view());
        let bound = phase_error(function, &twin_t) * &twin_da + 5e-6;
        within(
            activation_grad_on_gpu(kernels, function, &t, &da).view(),
            expected.view(),
            bound.view(),
        )
        .unwrap_or_else(|error| panic!("{function:?}: {error}"));
    }
}

/// What the rounding of its argument may do to a sine: anything from some thousand periods on.
fn phase_error(function: Activation, t: &Array2<f64>) -> Array2<f64> {
    let Activation::Sine { frequency } = function else {
        return Array2::zeros(t.raw_dim());
    };
    let frequency = f64::from(frequency);
    let of_sine = |t: &f64| {
        let argument = (frequency * t).abs();
        if argument <= 8192.0 {
            U_ANY * argument
        } else {
            2.0
        }
    };
    t.map(of_sine) * frequency.abs().max(1.0)
}

/// WGSL's own sine may be off by 2⁻¹¹. This one is as good as its argument over thousands of
/// periods.
#[test]
fn sines_are_accurate_over_many_periods() {
    let kernels = network_kernels();
    let t: Vec<f32> = (-4096..=4096).map(|i| i as f32 * 0.06).collect();
    let twin_t = f64s(&t).insert_axis(Axis(0));
    let ones = Array2::ones(twin_t.raw_dim());
    for frequency in [1.0, -1.0, 0.0, 30.0] {
        let function = Activation::Sine { frequency };
        let phase = twin_t.mapv(|t: f64| U_ANY * (f64::from(frequency) * t).abs() + 4e-7);
        let sine = activation_on_gpu(kernels, function, &t);
        let expected = reference::activation(function, twin_t.view());
        within(sine.view(), expected.view(), phase.view()).unwrap();
        let slope = activation_grad_on_gpu(kernels, function, &t, &vec![1.0; t.len()]);
        let expected = reference::activation_grad(function, twin_t.view(), ones.view());
        let bound = phase * f64::from(frequency).abs();
        within(slope.view(), expected.view(), bound.view()).unwrap();
    }
}

/// tanh near 0, and the slopes of tanh and sigmoid far out, where forms that subtract from 1 would
/// have no correct digit left. WGSL grants exp 3 + 2|x| units in the last place.
#[test]
fn saturating_activations_keep_their_relative_accuracy() {
    let kernels = network_kernels();
    let t: Vec<f32> = arguments()
        .into_iter()
        .filter(|t| t.abs() <= 40.0)
        .collect();
    let twin_t = f64s(&t).insert_axis(Axis(0));
    let ones = vec![1.0; t.len()];
    let check = |name: &str, actual: Array2<f32>, expected: Array2<f64>| {
        let steps = twin_t.mapv(|t: f64| 16.0 + 4.0 * t.abs());
        let bound = U_ANY * steps * expected.mapv(f64::abs) + f64::from(f32::MIN_POSITIVE);
        within(actual.view(), expected.view(), bound.view())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    };
    let tanh = activation_on_gpu(kernels, Activation::Tanh, &t);
    check(
        "tanh",
        tanh,
        reference::activation(Activation::Tanh, twin_t.view()),
    );
    for function in [Activation::Tanh, Activation::Sigmoid] {
        let slope = activation_grad_on_gpu(kernels, function, &t, &ones);
        let da = Array2::ones(twin_t.raw_dim());
        check(
            "slope",
            slope,
            reference::activation_grad(function, twin_t.view(), da.view()),
        );
    }
}

#[test]
fn activation_and_loss_are_right_when_the_grid_folds() {
    let kernels = network_kernels();
    // More than 65,535 workgroups of 256 elements.
    let len = 65_536 * 256 + 5;
    let t: Vec<f32> = (0..len).map(|i| (i % 7) as f32 - 3.0).collect();
    let (input, a) = (Guarded::input(&t), Guarded::output(len));
    let operands = ActivationForward {
        function: Activation::Relu,
        t: input.vector(),
        a: a.vector(),
    };
    let dispatch = kernels.activation(operands).unwrap();
    assert_eq!(dispatch.workgroups().collect::<Vec<_>>(), [[65_535, 2, 1]]);
    run(&[dispatch]);
    assert!(a.read().iter().zip(&t).all(|(a, t)| *a == t.max(0.0)));
    // More than 65,535 rows.
    let t = Array2::from_shape_fn((65_540, 2), |(i, j)| ((i + j) % 5) as f32);
    let classes: Vec<u32> = (0..65_540).map(|i| i % 2).collect();
    check_cross_entropy(kernels, &t, &classes, 2e-6);
}

#[test]
fn activation_of_nothing_has_no_work() {
    let (t, a) = (Guarded::input(&[]), Guarded::output(0));
    let operands = ActivationForward {
        function: Activation::Gelu,
        t: t.vector(),
        a: a.vector(),
    };
    let dispatch = network_kernels().activation(operands).unwrap();
    assert_eq!(dispatch.workgroups().len(), 0);
    run(&[dispatch]);
    assert_eq!(a.read(), [0.0; 0]);
}

fn labels(buffer: &wgpu::Buffer, len: usize) -> Vector<'_> {
    Vector::new(buffer, len as u32)
}

/// Loss of each row, and the gradient, as the GPU computes them.
fn cross_entropy(
    kernels: &NetworkKernels,
    t: &Array2<f32>,
    classes: &[u32],
) -> (Array1<f32>, Array2<f32>) {
    let (batch, columns) = t.dim();
    let (input, class_buffer) = (Guarded::input(t), gpu().upload("labels", classes).unwrap());
    let (row_loss, dt) = (Guarded::output(batch), Guarded::output(batch * columns));
    let operands = SoftmaxCrossEntropy {
        t: input.matrix(batch, columns),
        labels: labels(&class_buffer, batch),
        row_loss: row_loss.vector(),
        dt: dt.matrix(batch, columns),
    };
    run(&[kernels.softmax_cross_entropy(operands).unwrap()]);
    (row_loss.read().into(), dt.read_matrix(batch, columns))
}

fn check_cross_entropy(kernels: &NetworkKernels, t: &Array2<f32>, classes: &[u32], tolerance: f64) {
    let (batch, columns) = t.dim();
    let (row_loss, dt) = cross_entropy(kernels, t, classes);
    let (expected_loss, expected_dt) =
        reference::softmax_cross_entropy(t.mapv(f64::from).view(), classes);
    let loss_bound = expected_loss.mapv(|loss| tolerance * loss.abs().max(1.0));
    within(row_loss.view(), expected_loss.view(), loss_bound.view())
        .unwrap_or_else(|error| panic!("loss of {batch}×{columns}: {error}"));
    within_all(
        dt.view(),
        expected_dt.view(),
        tolerance / batch.max(1) as f64,
    )
    .unwrap_or_else(|error| panic!("gradient of {batch}×{columns}: {error}"));
    if t.len() as u64 <= SMALL_LOSS_ELEMENTS {
        check_cross_entropy_small(kernels, t, classes, tolerance);
    }
}

/// The same by the kernel for small batches, which adds to the total instead of storing a loss for
/// each row.
fn check_cross_entropy_small(
    kernels: &NetworkKernels,
    t: &Array2<f32>,
    classes: &[u32],
    tolerance: f64,
) {
    let (batch, columns) = t.dim();
    let (input, class_buffer) = (Guarded::input(t), gpu().upload("labels", classes).unwrap());
    let dt = Guarded::output(batch * columns);
    let total = gpu().upload("total", &[1.5_f32.to_bits(), 7]).unwrap();
    let operands = SoftmaxCrossEntropySmall {
        t: input.matrix(batch, columns),
        labels: labels(&class_buffer, batch),
        dt: dt.matrix(batch, columns),
        total: Vector::new(&total, 2),
    };
    run(&[kernels.softmax_cross_entropy_small(operands).unwrap()]);
    let (expected_loss, expected_dt) =
        reference::softmax_cross_entropy(t.mapv(f64::from).view(), classes);
    within_all(
        dt.read_matrix(batch, columns).view(),
        expected_dt.view(),
        tolerance / batch.max(1) as f64,
    )
    .unwrap_or_else(|error| panic!("small gradient of {batch}×{columns}: {error}"));
    let total = gpu().read::<u32>(&total).unwrap();
    let error = (f64::from(f32::from_bits(total[0])) - 1.5 - expected_loss.sum()).abs();
    let magnitude = expected_loss.mapv(f64::abs).sum().max(1.5);
    assert!(
        error <= tolerance * (1 + batch) as f64 * magnitude,
        "small loss of {batch}×{columns}: {error:e}"
    );
    assert_eq!(total[1], 7 + batch as u32);
}

#[test]
fn softmax_cross_entropy_matches_the_twin_on_ragged_shapes() {
    let (kernels, mut random) = (network_kernels(), fastrand::Rng::with_seed(21));
    for batch in [0, 1, 3, 65] {
        for classes in [1, 2, 3, 10, 63, 64, 65, 1000] {
            let t = 4.0 * reals(&mut random, batch, classes);
            let labels: Vec<u32> = (0..batch).map(|_| random.u32(0..classes as u32)).collect();
            check_cross_entropy(kernels, &t, &labels, 2e-6);
        }
    }
}

/// As many classes as the kernel takes: each of 64 threads adds up 16,384 of them. Each element of
/// the gradient is held to its own size: the elements are near 1e-6 / 2, so that an absolute
/// tolerance would accept zeros.
#[test]
fn softmax_cross_entropy_matches_the_twin_on_a_million_classes() {
    let t = reals(&mut fastrand::Rng::with_seed(26), 2, 1 << 20);
    let classes = [5, (1 << 20) - 1];
    let (row_loss, dt) = cross_entropy(network_kernels(), &t, &classes);
    let (expected_loss, expected_dt) =
        reference::softmax_cross_entropy(t.mapv(f64::from).view(), &classes);
    let relative = gamma((1 << 14) + 32);
    within(
        row_loss.view(),
        expected_loss.view(),
        expected_loss.mapv(|l| relative * l).view(),
    )
    .unwrap_or_else(|error| panic!("loss: {error}"));
    let bound = expected_dt.mapv(|dt| relative * dt.abs());
    within(dt.view(), expected_dt.view(), bound.view())
        .unwrap_or_else(|error| panic!("gradient: {error}"));
}

#[test]
fn softmax_cross_entropy_is_stable_for_large_logits() {
    let t = ndarray::array![
        [1e4, -1e4, 0.0],
        [3e37, -3e37, 3e37],
        [-1e4, -1e4, -1e4],
        [80.0, 90.0, -90.0]
    ];
    check_cross_entropy(network_kernels(), &t, &[1, 2, 0, 1], 2e-6);
}

/// The kernel must not write outside its rows for a label that the host failed to reject.
#[test]
fn softmax_cross_entropy_touches_nothing_else_for_a_label_out_of_range() {
    let (input, class_buffer) = (
        Guarded::input(&[1.0, 2.0]),
        gpu().upload("labels", &[u32::MAX]).unwrap(),
    );
    let (row_loss, dt) = (Guarded::output(1), Guarded::output(2));
    let operands = SoftmaxCrossEntropy {
        t: input.matrix(1, 2),
        labels: labels(&class_buffer, 1),
        row_loss: row_loss.vector(),
        dt: dt.matrix(1, 2),
    };
    run(&[network_kernels().softmax_cross_entropy(operands).unwrap()]);
    assert!(
        row_loss.read()[0].is_nan(),
        "no class matches, so no loss is stored"
    );
    assert!(dt.read().iter().all(|dt| dt.is_finite()));
}

#[test]
fn mean_squared_error_matches_the_twin_on_ragged_shapes() {
    let (kernels, mut random) = (network_kernels(), fastrand::Rng::with_seed(22));
    for (batch, outputs) in [(0, 3), (1, 1), (3, 1), (1, 300), (65, 7)] {
        let (t, y) = (
            reals(&mut random, batch, outputs),
            reals(&mut random, batch, outputs),
        );
        let (t_in, y_in) = (Guarded::input(&t), Guarded::input(&y));
        let (loss, dt) = (
            Guarded::output(batch * outputs),
            Guarded::output(batch * outputs),
        );
        let operands = MeanSquaredError {
            t: t_in.matrix(batch, outputs),
            y: y_in.matrix(batch, outputs),
            element_loss: loss.matrix(batch, outputs),
            dt: dt.matrix(batch, outputs),
        };
        run(&[kernels.mean_squared_error(operands).unwrap()]);
        let (expected_loss, expected_dt) =
            reference::mean_squared_error(t.mapv(f64::from).view(), y.mapv(f64::from).view());
        // Subtraction, product, division, and 2.5 units in the last place that WGSL grants a
        // division.
        let relative = 12.0 * U_ANY;
        let bound = expected_loss.mapv(|loss| relative * loss);
        within(
            loss.read_matrix(batch, outputs).view(),
            expected_loss.view(),
            bound.view(),
        )
        .unwrap();
        let bound = expected_dt.mapv(|dt| relative * dt.abs());
        within(
            dt.read_matrix(batch, outputs).view(),
            expected_dt.view(),
            bound.view(),
        )
        .unwrap();
    }
}

/// Small whole numbers, whose sums f32 holds exactly: a loss left out or counted twice shows. The
/// last length takes two passes.
#[test]
fn accumulate_loss_adds_to_what_was_there() {
    let (kernels, mut random) = (network_kernels(), fastrand::Rng::with_seed(23));
    let total = gpu().zeros("total", 2).unwrap();
    let (mut sum, mut examples) = (0.0, 0);
    for len in [0, 1, 255, 256, 257, 1000, (1 << 23) + 3] {
        let losses: Vec<f32> = (0..len).map(|_| f32::from(random.bool())).collect();
        let input = Guarded::input(&losses);
        let operands = AccumulateLoss {
            losses: input.vector(),
            batch: 7,
            total: Vector::new(&total, 2),
        };
        run(&[kernels.accumulate_loss(operands).unwrap()]);
        sum += losses.iter().copied().map(f64::from).sum::<f64>();
        examples += 7;
        let read: Vec<u32> = gpu().read(&total).unwrap();
        assert_eq!(
            (f64::from(f32::from_bits(read[0])), read[1]),
            (sum, examples),
            "{len}"
        );
    }
}

/// Random gradients and parameters; the state carries over from step to step.
struct Steps {
    gradients: Vec<Array1<f32>>,
    parameters: Array1<f32>,
}

fn steps(seed: u64) -> Steps {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut vector = || row(reals(&mut random, 1, 300));
    Steps {
        gradients: (0..20).map(|_| vector()).collect(),
        parameters: vector(),
    }
}

fn settings(optimizer: Optimizer) -> wgpu::Buffer {
    use wgpu::util::DeviceExt;
    gpu()
        .device()
        .create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents: &settings_bytes(&optimizer),
            usage: wgpu::BufferUsages::UNIFORM,
        })
}

#[test]
fn sgd_matches_the_twin_over_many_steps() {
    let kernels = network_kernels();
    for (momentum, nesterov, weight_decay) in
        [(0.0, false, 0.0), (0.9, false, 0.01), (0.9, true, 0.01)]
    {
        let twin_settings = SgdSettings {
            learning_rate: 0.1,
            momentum,
            nesterov,
            weight_decay,
        };
        let uniform = settings(Optimizer::Sgd(twin_settings));
        let Steps {
            gradients,
            parameters,
        } = steps(24);
        let (device_p, device_v) = (Guarded::input(&parameters), Guarded::input(&[0.0; 300]));
        let (mut p, mut v) = (parameters.mapv(f64::from), Array1::zeros(300));
        for gradient in gradients {
            let g = Guarded::input(&gradient);
            let operands = Sgd {
                settings: &uniform,
                gradients: g.vector(),
                velocity: device_v.vector(),
                parameters: device_p.vector(),
            };
            run(&[kernels.sgd(operands).unwrap()]);
            reference::sgd(
                &twin_settings,
                gradient.mapv(f64::from).view(),
                v.view_mut(),
                p.view_mut(),
            );
        }
        within_all(Array1::from(device_p.read()).view(), p.view(), 2e-5).unwrap();
    }
}

#[test]
fn adam_and_adamw_match_the_twin_over_many_steps() {
    let kernels = network_kernels();
    for (decoupled, weight_decay) in [(false, 0.0), (false, 0.1), (true, 0.1)] {
        let twin_settings = AdamSettings {
            learning_rate: 0.01,
            weight_decay,
            ..AdamSettings::default()
        };
        let uniform = settings(if decoupled {
            Optimizer::AdamW(twin_settings)
        } else {
            Optimizer::Adam(twin_settings)
        });
        let Steps {
            gradients,
            parameters,
        } = steps(25);
        let device_p = Guarded::input(&parameters);
        let [device_m, device_v] = [0; 2].map(|_| Guarded::input(&[0.0; 300]));
        let device_c = Guarded::input(&[0.0; 2]);
        let (mut p, mut m, mut v) = (
            parameters.mapv(f64::from),
            Array1::zeros(300),
            Array1::zeros(300),
        );
        let mut corrections = AdamCorrections {
            first: 0.0,
            second: 0.0,
        };
        for gradient in gradients {
            let g = Guarded::input(&gradient);
            let operands = Adam {
                settings: &uniform,
                corrections: device_c.vector(),
                gradients: g.vector(),
                m: device_m.vector(),
                v: device_v.vector(),
                parameters: device_p.vector(),
            };
            run(&[
                kernels.adam_advance(&uniform, device_c.vector()).unwrap(),
                kernels.adam(operands).unwrap(),
            ]);
            corrections = reference::adam_advance(&twin_settings, corrections);
            let state = [m.view_mut(), v.view_mut(), p.view_mut()];
            let gradient = gradient.mapv(f64::from);
            reference::adam(
                &twin_settings,
                decoupled,
                corrections,
                gradient.view(),
                state,
            );
        }
        within_all(Array1::from(device_p.read()).view(), p.view(), 2e-6).unwrap();
        let expected = Array1::from(vec![corrections.first, corrections.second]);
        let bound = 40.0 * U_ANY * &expected;
        within(
            Array1::from(device_c.read()).view(),
            expected.view(),
            bound.view(),
        )
        .unwrap();
    }
}

/// The sign of a number near 0 would tell rounding errors apart; no seed of the twenty steps has
/// one.
#[test]
fn lion_matches_the_twin_over_many_steps() {
    let kernels = network_kernels();
    for weight_decay in [0.0, 0.1] {
        let twin_settings = LionSettings {
            learning_rate: 0.01,
            weight_decay,
            ..LionSettings::default()
        };
        let uniform = settings(Optimizer::Lion(twin_settings));
        let Steps {
            mut gradients,
            parameters,
        } = steps(26);
        // Where nothing has ever pulled, nothing moves but by weight decay.
        gradients.iter_mut().for_each(|gradient| gradient[7] = 0.0);
        let (device_p, device_m) = (Guarded::input(&parameters), Guarded::input(&[0.0; 300]));
        let (mut p, mut m) = (parameters.mapv(f64::from), Array1::zeros(300));
        for gradient in gradients {
            let g = Guarded::input(&gradient);
            let operands = Lion {
                settings: &uniform,
                gradients: g.vector(),
                m: device_m.vector(),
                parameters: device_p.vector(),
            };
            run(&[kernels.lion(operands).unwrap()]);
            let gradient = gradient.mapv(f64::from);
            reference::lion(&twin_settings, gradient.view(), m.view_mut(), p.view_mut());
        }
        within_all(Array1::from(device_p.read()).view(), p.view(), 2e-6).unwrap();
        within_all(Array1::from(device_m.read()).view(), m.view(), 2e-6).unwrap();
        if weight_decay == 0.0 {
            assert_eq!(device_p.read()[7], parameters[7]);
        }
    }
}
