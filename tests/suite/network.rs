//! Activations, losses and optimizers on the GPU against their twins in f64.

use approx::assert_relative_eq;
use ndarray::{Array1, Array2, Axis};
use wgpu_linear::model::{
    Activation, AdamSettings, LionSettings, Loss, MeanLoss, Optimizer, SgdSettings, TargetKind,
};
use wgpu_linear::nn::{
    ActivationForward, ActivationGrad, Adam, ElementwiseLoss, Lion, NetworkKernels,
    SMALL_LOSS_ELEMENTS, Sgd, SoftmaxCrossEntropy, SoftmaxCrossEntropySmall, settings_bytes,
};
use wgpu_linear::reference::{self, AdamCorrections};
use wgpu_linear::{Dispatch, Vector};

use crate::compare::{U_ANY, gamma, within, within_all};
use crate::loss_total::Total;
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
        weights: None,
        label_smoothing: 0.0,
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
/// each row. Seven examples and a loss of 1.5 were there before.
fn cross_entropy_small(
    kernels: &NetworkKernels,
    t: &Array2<f32>,
    classes: &[u32],
) -> (Total, Array2<f32>) {
    let (batch, columns) = t.dim();
    let (input, class_buffer) = (Guarded::input(t), gpu().upload("labels", classes).unwrap());
    let dt = Guarded::output(batch * columns);
    let (total, before) = (Total::new(), Guarded::input(&[1.5]));
    let operands = SoftmaxCrossEntropySmall {
        t: input.matrix(batch, columns),
        labels: labels(&class_buffer, batch),
        label_smoothing: 0.0,
        dt: dt.matrix(batch, columns),
        total: total.vector(),
    };
    run(&[
        total.adding(&before, 7),
        kernels.softmax_cross_entropy_small(operands).unwrap(),
    ]);
    (total, dt.read_matrix(batch, columns))
}

fn check_cross_entropy_small(
    kernels: &NetworkKernels,
    t: &Array2<f32>,
    classes: &[u32],
    tolerance: f64,
) {
    let (batch, columns) = t.dim();
    let (total, dt) = cross_entropy_small(kernels, t, classes);
    let (expected_loss, expected_dt) =
        reference::softmax_cross_entropy(t.mapv(f64::from).view(), classes);
    within_all(
        dt.view(),
        expected_dt.view(),
        tolerance / batch.max(1) as f64,
    )
    .unwrap_or_else(|error| panic!("small gradient of {batch}×{columns}: {error}"));
    let MeanLoss { mean, examples } = total.mean();
    let sum = f64::from(mean) * examples as f64;
    let error = (sum - 1.5 - expected_loss.sum()).abs();
    let magnitude = expected_loss.mapv(f64::abs).sum().max(1.5);
    assert!(
        error <= tolerance * (1 + batch) as f64 * magnitude,
        "small loss of {batch}×{columns}: {error:e}"
    );
    assert_eq!(examples, 7 + batch as u64);
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

/// Wherever it stands: in the place of the label, where exp may make 1 of it, or beside it, where
/// exp may make 0 of it.
#[test]
fn softmax_cross_entropy_lets_nothing_pass_that_is_not_finite() {
    let kernels = network_kernels();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for column in [0, 1, 69] {
            let mut t = Array2::from_elem((2, 70), 0.5);
            t[[0, column]] = bad;
            let (row_loss, dt) = cross_entropy(kernels, &t, &[0, 0]);
            assert!(!row_loss[0].is_finite() && row_loss[1].is_finite());
            let spoilt = dt.map(|dt| !dt.is_finite());
            assert!(
                spoilt.row(0).iter().all(|spoilt| *spoilt),
                "{bad}, {column}"
            );
            assert!(
                spoilt.row(1).iter().all(|spoilt| !spoilt),
                "{bad}, {column}"
            );
            let (total, dt) = cross_entropy_small(kernels, &t, &[0, 0]);
            assert!(total.mean().mean.is_nan(), "{bad}, {column}");
            assert_eq!(dt.map(|dt| !dt.is_finite()), spoilt, "{bad}, {column}");
        }
    }
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
        weights: None,
        label_smoothing: 0.0,
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

/// Losses and gradients of elements, as the GPU computes them.
fn elementwise(loss: Loss, t: &Array2<f32>, y: &Array2<f32>) -> (Array2<f32>, Array2<f32>) {
    let (batch, outputs) = t.dim();
    let (t, y) = (Guarded::input(t), Guarded::input(y));
    let [element_loss, dt] = [0; 2].map(|_| Guarded::output(batch * outputs));
    let operands = ElementwiseLoss {
        loss,
        t: t.matrix(batch, outputs),
        y: y.matrix(batch, outputs),
        weight_sum: None,
        element_loss: element_loss.matrix(batch, outputs),
        dt: dt.matrix(batch, outputs),
    };
    run(&[network_kernels().elementwise_loss(operands).unwrap()]);
    let read = |values: Guarded| values.read_matrix(batch, outputs);
    (read(element_loss), read(dt))
}

pub(crate) fn elementwise_losses() -> impl Iterator<Item = Loss> {
    let losses = Loss::ALL.into_iter().chain([Loss::Huber { delta: 0.3 }]);
    losses.filter(|loss| loss.targets() == TargetKind::Values)
}

/// Probabilities, 0 and 1 among them.
pub(crate) fn probabilities(
    random: &mut fastrand::Rng,
    rows: usize,
    columns: usize,
) -> Array2<f32> {
    reals(random, rows, columns).mapv(|y| (0.5 + 0.75 * y).clamp(0.0, 1.0))
}

/// Subtraction, product, division, and 2.5 units in the last place that WGSL grants a division. The
/// logistic function of the cross-entropy adds an exponential, for which 3 + 2|t| units are granted,
/// and its logarithm 2⁻²¹.
pub(crate) fn elementwise_bounds(
    loss: Loss,
    t: &Array2<f32>,
    expected: [&Array2<f64>; 2],
) -> [Array2<f64>; 2] {
    let (batch, outputs) = t.dim();
    let of_parts = |value: &f64| 12.0 * U_ANY * value.abs();
    let [mut losses, mut slopes] = expected.map(|values| values.map(of_parts));
    if loss == Loss::BinaryCrossEntropy {
        let exponential = t.mapv(|t| U_ANY * (8.0 + 2.0 * f64::from(t.abs()).min(100.0)));
        losses += &(exponential.mapv(|e| e + 4.0 * U_ANY) / outputs as f64);
        slopes += &(exponential / (batch * outputs) as f64);
    }
    [losses, slopes]
}

#[test]
fn elementwise_losses_match_the_twin_on_ragged_shapes() {
    let mut random = fastrand::Rng::with_seed(22);
    for loss in elementwise_losses() {
        for (batch, outputs) in [(0, 3), (1, 1), (3, 1), (1, 300), (65, 7)] {
            let mut t = 4.0 * reals(&mut random, batch, outputs);
            let y = probabilities(&mut random, batch, outputs);
            if let (Some(t), Some(y)) = (t.first_mut(), y.first()) {
                *t = *y;
            }
            let (actual_loss, actual_dt) = elementwise(loss, &t, &y);
            let twins = [&t, &y].map(|values| values.mapv(f64::from));
            let (expected_loss, expected_dt) =
                reference::elementwise_loss(loss, twins[0].view(), twins[1].view());
            let [loss_bound, dt_bound] =
                elementwise_bounds(loss, &t, [&expected_loss, &expected_dt]);
            within(actual_loss.view(), expected_loss.view(), loss_bound.view())
                .unwrap_or_else(|error| panic!("{loss:?}, {batch}×{outputs}: {error}"));
            within(actual_dt.view(), expected_dt.view(), dt_bound.view())
                .unwrap_or_else(|error| panic!("gradient of {loss:?}, {batch}×{outputs}: {error}"));
        }
    }
}

/// Far from 0 each loss is a straight line or a parabola, whose values f32 holds.
#[test]
fn elementwise_losses_are_exact_far_out() {
    let t = ndarray::array![[1e30, -1e30, 1e30, -1e30, 200.0, -200.0, 3.0, 0.0]];
    let y = ndarray::array![[1.0, 0.0, 0.0, 1.0, 0.5, 0.25, 3.0, 0.0]];
    let check = |loss, expected_loss: [f32; 8], expected_slope: [f32; 8]| {
        let (losses, slopes) = elementwise(loss, &t, &y);
        assert_eq!(row(losses * 8.0).to_vec(), expected_loss, "{loss:?}");
        assert_eq!(row(slopes * 8.0).to_vec(), expected_slope, "{loss:?}");
    };
    let distances = [1e30, 1e30, 1e30, 1e30, 199.5, 200.25, 0.0, 0.0];
    let signs = [1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 0.0, 0.0];
    check(Loss::MeanAbsoluteError, distances, signs);
    let huber = [2e30, 2e30, 2e30, 2e30, 397.0, 398.5, 0.0, 0.0];
    let slopes = signs.map(|sign| 2.0 * sign);
    check(Loss::Huber { delta: 2.0 }, huber, slopes);
    let t = ndarray::array![[1e30, -1e30, 1e30, -1e30, 200.0, -200.0]];
    let y = ndarray::array![[1.0, 0.0, 0.0, 1.0, 0.5, 0.25]];
    let (losses, slopes) = elementwise(Loss::BinaryCrossEntropy, &t, &y);
    assert_relative_eq!(
        losses * 6.0,
        ndarray::array![[0.0, 0.0, 1e30, 1e30, 100.0, 50.0]],
        max_relative = 1e-6
    );
    assert_relative_eq!(
        slopes * 6.0,
        ndarray::array![[0.0, 0.0, 1.0, -1.0, 0.5, -0.25]],
        max_relative = 1e-6
    );
}

#[test]
fn elementwise_losses_let_nothing_pass_that_is_not_finite() {
    for loss in elementwise_losses() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let (t, y) = (ndarray::array![[0.5, bad]], ndarray::array![[1.0, 1.0]]);
            let (losses, dt) = elementwise(loss, &t, &y);
            assert!(losses[[0, 0]].is_finite() && dt[[0, 0]].is_finite());
            assert!(losses[[0, 1]].is_nan() || losses[[0, 1]] == f32::INFINITY);
            assert!(!dt[[0, 1]].is_finite(), "{loss:?} of {bad}");
        }
    }
}

/// Small whole numbers, whose sums f32 holds exactly: a loss left out or counted twice shows. The
/// last length takes two passes.
#[test]
fn accumulate_loss_adds_to_what_was_there() {
    let mut random = fastrand::Rng::with_seed(23);
    let total = Total::new();
    let (mut sum, mut examples) = (0.0, 0);
    for len in [0, 1, 255, 256, 257, 1000, (1 << 23) + 3] {
        let losses: Vec<f32> = (0..len).map(|_| f32::from(random.bool())).collect();
        let input = Guarded::input(&losses);
        run(&[total.adding(&input, 7)]);
        sum += losses.iter().copied().map(f64::from).sum::<f64>();
        examples += 7;
        let mean = (sum / examples as f64) as f32;
        assert_eq!(total.mean(), MeanLoss { mean, examples }, "{len}");
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
                verdict: None,
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
                verdict: None,
            };
            run(&[
                kernels
                    .adam_advance(&uniform, device_c.vector(), None)
                    .unwrap(),
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
                verdict: None,
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
