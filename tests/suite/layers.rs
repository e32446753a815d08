//! Layers and networks on the caller's device, between the caller's buffers.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use wgpu_linear::model::{
    Activation, AdamSettings, LayerConfig, LayerParameters, Loss, MlpConfig, Model, ModelError,
    NetworkConfig, Optimizer, SgdSettings, Targets,
};
use wgpu_linear::nn::{
    Below, ElementwiseLoss, Goal, Linear, LinearBackward, LinearForward, Mlp, Network,
    NetworkKernels, Training, TrainingStep, Update,
};
use wgpu_linear::{Gpu, Matrix, PrepareError, Vector, reference};

use crate::compare::same;
use crate::support::{Guarded, gpu, integers, loss_of, reals, row};
use crate::windows::gpu_with;

fn run(record: impl FnOnce(&mut wgpu::ComputePass<'_>)) {
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    record(&mut encoder.begin_compute_pass(&Default::default()));
    gpu().queue().submit([encoder.finish()]);
}

fn mlp_config() -> MlpConfig {
    MlpConfig {
        loss: Loss::MeanSquaredError,
        activation: Activation::Gelu,
        seed: 3,
        ..MlpConfig::new(&[5, 17, 12, 3])
    }
}

/// A batch with its targets: 30 rows.
fn batch() -> (Array2<f32>, Array2<f32>) {
    let mut random = fastrand::Rng::with_seed(2);
    (reals(&mut random, 30, 5), reals(&mut random, 30, 3))
}

#[test]
fn network_takes_the_steps_of_an_mlp_bit_for_bit() {
    let (x, y) = batch();
    let mut mlp = Mlp::new(gpu(), mlp_config()).unwrap();
    let network = Network::new(gpu(), &mlp_config()).unwrap();
    let (x_view, y_view) = (Guarded::input(&x), Guarded::input(&y));
    let outputs = Guarded::output(30 * 3);
    let goal = Goal::Values(y_view.matrix(30, 3));
    let operands = Training::new(x_view.matrix(30, 5), goal).outputs(outputs.matrix(30, 3));
    let step = network.training(operands).unwrap();
    let mut losses = network.losses().unwrap();
    let mut before = Array2::zeros((0, 0));
    for _ in 0..20 {
        before = mlp.predict(x.view()).unwrap();
        mlp.train_batch(x.view(), Targets::Values(y.view()))
            .unwrap();
        run(|pass| step.record(pass));
    }
    assert_eq!(network.parameters().unwrap(), mlp.parameters().unwrap());
    // Each step stores what it has computed before its update.
    assert_eq!(outputs.read_matrix(30, 3), before);
    assert_eq!(
        step.dispatches().len(),
        mlp.prepared_step(30).count(),
        "as many dispatches as an Mlp"
    );

    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    assert!(losses.record(&mut encoder));
    assert!(!losses.record(&mut encoder), "one request at a time");
    gpu().queue().submit([encoder.finish()]);
    losses.request();
    let loss = loss_of(|| losses.poll()).unwrap();
    assert_eq!(loss, mlp.take_loss().unwrap());
}

/// Every activation, behind the last layer too.
#[test]
fn network_follows_its_twin_with_an_activation_behind_every_layer() {
    let (x, y) = batch();
    for activation in crate::reference::ACTIVATIONS {
        let config = NetworkConfig::new(5)
            .layer(9, activation)
            .layer(7, Activation::Tanh)
            .layer(3, activation)
            .loss(Loss::MeanSquaredError)
            .optimizer(Optimizer::Sgd(SgdSettings::default()))
            .seed(4);
        let network = Network::new(gpu(), config.clone()).unwrap();
        let mut twin = reference::Mlp::<f64>::of_network(config).unwrap();
        let (x_view, y_view) = (Guarded::input(&x), Guarded::input(&y));
        let outputs = Guarded::output(30 * 3);
        let goal = Goal::Values(y_view.matrix(30, 3));
        let operands = Training::new(x_view.matrix(30, 5), goal).outputs(outputs.matrix(30, 3));
        let step = network.training(operands).unwrap();
        for _ in 0..5 {
            let expected = twin.outputs(x.view()).unwrap();
            run(|pass| step.record(pass));
            close(
                outputs.read_matrix(30, 3).view(),
                expected.view(),
                activation,
            );
            twin.train_batch(x.view(), Targets::Values(y.view()))
                .unwrap();
        }
        for (layer, expected) in network.parameters().unwrap().iter().zip(twin.layers()) {
            close(layer.w.view(), expected.w.view(), activation);
        }
    }
}

/// The numbers are of the order of 1, and few: a hundredth of a per cent shows every wrong term.
fn close(actual: ArrayView2<'_, f32>, expected: ArrayView2<'_, f64>, activation: Activation) {
    for (actual, expected) in actual.iter().zip(expected) {
        let error = (f64::from(*actual) - expected).abs();
        assert!(error <= 1e-4, "{activation:?}: {actual} for {expected}");
    }
}

/// dX of a network against finite differences of the twin's loss in f64.
#[test]
fn gradient_of_the_inputs_agrees_with_finite_differences() {
    let (x, y) = batch();
    let config = NetworkConfig::new(5)
        .layer(9, Activation::Silu)
        .layer(3, Activation::Sigmoid)
        .loss(Loss::MeanSquaredError);
    let network = Network::new(gpu(), config.clone()).unwrap();
    let twin = reference::Mlp::<f64>::of_network(config).unwrap();
    let (x_view, y_view) = (Guarded::input(&x), Guarded::input(&y));
    let dx = Guarded::output(30 * 5);
    let goal = Goal::Values(y_view.matrix(30, 3));
    let operands = Training::new(x_view.matrix(30, 5), goal).dx(dx.matrix(30, 5));
    let step = network.training(operands).unwrap();
    run(|pass| {
        step.record_forward(pass);
        step.record_backward(pass);
    });
    let dx = dx.read_matrix(30, 5);
    // A power of two, so that the steps are exact in f32.
    let h = 2.0_f32.powi(-8);
    for (i, j) in [(0, 0), (7, 3), (29, 4), (15, 2)] {
        let loss = |step: f32| {
            let mut x = x.clone();
            x[[i, j]] += step;
            twin.batch_loss(x.view(), Targets::Values(y.view()))
                .unwrap()
        };
        let expected = (loss(h) - loss(-h)) / f64::from(2.0 * h);
        let error = (f64::from(dx[[i, j]]) - expected).abs();
        // Third derivatives of sigmoids, and the rounding of x ± h.
        assert!(error <= 1e-6, "({i}, {j}): {} for {expected}", dx[[i, j]]);
    }
}

/// A loss of the caller's own gives the same bits as ours, where it has the same formula.
#[test]
fn network_trains_by_a_gradient_of_the_callers() {
    let (x, _) = batch();
    for output in [Activation::Identity, Activation::Tanh] {
        let config = NetworkConfig::new(5)
            .layer(8, Activation::Relu)
            .layer(4, output)
            .loss(Loss::MeanSquaredError);
        let ours = Network::new(gpu(), config.clone()).unwrap();
        let theirs = Network::new(gpu(), config).unwrap();
        // Against 0 the gradient is 2 t / (30 · 4), which a division by 64 · 2 would round the
        // same way; so the caller computes it with our own kernel, into a buffer of its own.
        let zeros = Guarded::input(&Array2::<f32>::zeros((30, 4)));
        let x_view = Guarded::input(&x);
        let goal = Goal::Values(zeros.matrix(30, 4));
        let step = ours
            .training(Training::new(x_view.matrix(30, 5), goal))
            .unwrap();
        let [outputs, losses, gradient] = [30 * 4; 3].map(Guarded::output);
        let goal = Goal::Gradient(gradient.matrix(30, 4));
        let operands = Training::new(x_view.matrix(30, 5), goal).outputs(outputs.matrix(30, 4));
        let own = theirs.training(operands).unwrap();
        let kernels = NetworkKernels::new(gpu().device());
        let loss = kernels
            .elementwise_loss(ElementwiseLoss {
                loss: Loss::MeanSquaredError,
                weight_sum: None,
                t: outputs.matrix(30, 4),
                y: zeros.matrix(30, 4),
                element_loss: losses.matrix(30, 4),
                dt: gradient.matrix(30, 4),
            })
            .unwrap();
        for _ in 0..3 {
            run(|pass| step.record(pass));
            run(|pass| {
                own.record_forward(pass);
                loss.record(pass);
                own.record_backward(pass);
                own.record_update(pass);
            });
        }
        assert_eq!(ours.parameters().unwrap(), theirs.parameters().unwrap());
        let first = Network::new(gpu(), ours.config().clone()).unwrap();
        assert_ne!(ours.parameters().unwrap(), first.parameters().unwrap());
    }
}

/// Rows around those of a part, in views with guard cells around them.
#[test]
fn predict_into_gives_the_outputs_for_any_number_of_rows() {
    let config = NetworkConfig::new(5)
        .layer(600, Activation::Relu)
        .layer(70, Activation::LeakyRelu { slope: -2.0 })
        .layer(300, Activation::Identity)
        .layer(3, Activation::Relu);
    let network = Network::new(gpu(), config.clone()).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let layer = |layer: &LayerConfig| LayerParameters {
        w: integers(&mut random, layer.inputs, layer.outputs, 1),
        b: row(integers(&mut random, 1, layer.outputs, 1)),
    };
    let parameters: Vec<_> = config.layers().iter().map(layer).collect();
    network.set_parameters(&parameters).unwrap();
    let mut twin = reference::Mlp::<f64>::of_network(config).unwrap();
    twin.set_parameters(&parameters).unwrap();
    // 2 MiB hold 768 rows of 600 elements, and 105 more.
    for (rows, parts) in [(0, 0), (1, 1), (768, 1), (769, 2), (2300, 3)] {
        let x = integers(&mut random, rows, 5, 1);
        let (input, outputs) = (Guarded::input(&x), Guarded::output(rows * 3));
        let prediction = network
            .predict_into(input.matrix(rows, 5), outputs.matrix(rows, 3))
            .unwrap();
        let busy = |part: &&[wgpu_linear::Dispatch]| part[0].workgroups().len() > 0;
        assert_eq!(
            prediction.parts().filter(busy).count(),
            parts,
            "{rows} rows"
        );
        run(|pass| prediction.record(pass));
        let expected = twin.outputs(x.view()).unwrap();
        same(outputs.read_matrix(rows, 3).view(), expected.view()).unwrap();
    }
}

/// Whole numbers, since a GPU may have other plans for few rows, which add up in another order.
#[test]
fn mlp_predicts_many_rows_as_it_predicts_few() {
    let config = MlpConfig {
        activation: Activation::Relu,
        ..mlp_config()
    };
    let mut mlp = Mlp::new(gpu(), config).unwrap();
    let mut random = fastrand::Rng::with_seed(8);
    let parameters = mlp.parameters().unwrap();
    let whole = parameters.iter().map(|layer| LayerParameters {
        w: integers(&mut random, layer.w.nrows(), layer.w.ncols(), 1),
        b: row(integers(&mut random, 1, layer.b.len(), 1)),
    });
    mlp.set_parameters(&whole.collect::<Vec<_>>()).unwrap();
    let x = integers(&mut random, 3000, 5, 3);
    let all = mlp.predict(x.view()).unwrap();
    assert!(all.iter().any(|value| *value > 0.0));
    for (x, expected) in x
        .axis_chunks_iter(Axis(0), 999)
        .zip(all.axis_chunks_iter(Axis(0), 999))
    {
        assert_eq!(mlp.predict(x).unwrap(), expected);
    }
}

#[test]
fn network_refuses_what_does_not_fit() {
    let network = Network::new(gpu(), &mlp_config()).unwrap();
    let buffer = gpu().zeros("x", 1000).unwrap();
    let other = gpu().zeros("other", 1000).unwrap();
    let x = Matrix::new(&buffer, 10, 5);
    let result = network.training(Training::new(x, Goal::Classes(Vector::new(&other, 10))));
    assert!(matches!(result, Err(ModelError::TargetKind { .. })));
    let refused = |result: Result<TrainingStep, ModelError>, wanted: &str| match result {
        Err(ModelError::Prepare(PrepareError::Shape { operand, .. })) => {
            assert_eq!(operand, wanted);
        }
        result => panic!("{wanted}: {result:?}"),
    };
    let values = |rows| Goal::Values(Matrix::new(&other, rows, 3));
    refused(network.training(Training::new(x, values(9))), "y");
    let wide = Matrix::new(&buffer, 10, 6);
    refused(network.training(Training::new(wide, values(10))), "w");
    let training = Training::new(x, values(10)).outputs(Matrix::new(&other, 10, 4));
    assert!(network.training(training).is_err());
    let result = network.predict_into(x, Matrix::new(&other, 9, 3));
    assert!(matches!(
        result,
        Err(ModelError::Prepare(PrepareError::Shape {
            operand: "outputs",
            ..
        }))
    ));
    let one = Network::new(gpu(), NetworkConfig::new(5).layer(3, Activation::Tanh)).unwrap();
    let result = one.predict_into(x, Matrix::new(&buffer, 10, 3).at(512));
    assert!(matches!(
        result,
        Err(ModelError::Prepare(PrepareError::Aliased { .. }))
    ));
    let no_layers = Network::new(gpu(), NetworkConfig::new(3));
    assert!(matches!(no_layers, Err(ModelError::LayerSizes { .. })));
}

/// Two layers put together by hand, with a connection that goes round the second, against
/// gradients written out.
#[test]
fn layers_can_be_put_together_by_hand() {
    let kernels = NetworkKernels::new(gpu().device());
    let hidden = Linear::new(gpu(), LayerConfig::new(4, 6, Activation::Relu), 1).unwrap();
    let last = Linear::new(gpu(), LayerConfig::new(6, 2, Activation::Identity), 2).unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    let parameters = |random: &mut _, inputs, outputs| LayerParameters {
        w: integers(random, inputs, outputs, 3),
        b: row(integers(random, 1, outputs, 3)),
    };
    let (first, second) = (parameters(&mut random, 4, 6), parameters(&mut random, 6, 2));
    hidden.set_parameters(gpu(), &first).unwrap();
    last.set_parameters(gpu(), &second).unwrap();
    let (x, dt) = (
        integers(&mut random, 9, 4, 3),
        integers(&mut random, 9, 2, 3),
    );
    let (x_view, dt_view) = (Guarded::input(&x), Guarded::input(&dt));
    let [t, a, dt_below] = [9 * 6; 3].map(Guarded::output);
    let outputs = Guarded::output(9 * 2);
    let mut dispatches = vec![
        hidden
            .forward(LinearForward {
                x: x_view.matrix(9, 4),
                t: t.matrix(9, 6),
                a: Some(a.matrix(9, 6)),
            })
            .unwrap(),
        last.infer(a.matrix(9, 6), outputs.matrix(9, 2)).unwrap(),
    ];
    let below = Below::Activated {
        function: hidden.activation(),
        t: t.matrix(9, 6),
        dt: dt_below.matrix(9, 6),
    };
    for (layer, x, dt, below) in [
        (&last, a.matrix(9, 6), dt_view.matrix(9, 2), Some(below)),
        (&hidden, x_view.matrix(9, 4), dt_below.matrix(9, 6), None),
    ] {
        let operands = LinearBackward { x, dt, below };
        dispatches.extend(layer.backward(operands).unwrap());
    }
    let sgd = Optimizer::Sgd(SgdSettings {
        learning_rate: 1.0,
        ..SgdSettings::default()
    });
    let layers = [hidden.clone(), last.clone(), hidden.clone()];
    let mut update = Update::new(gpu(), sgd, &layers).unwrap();
    update.set_learning_rate(gpu(), 2.0).unwrap();
    assert!(update.set_learning_rate(gpu(), -1.0).is_err());
    assert_eq!(update.optimizer().learning_rate(), 2.0);
    assert_eq!(
        update.state().map(|(name, _)| name).collect::<Vec<_>>(),
        ["velocity"; 2]
    );
    dispatches.extend(update.dispatches(&kernels).unwrap());
    gpu().run(&dispatches).unwrap();

    let f64s = |a: &Array2<f32>| a.mapv(f64::from);
    let t = reference::forward(
        f64s(&x).view(),
        f64s(&first.w).view(),
        Some(first.b.mapv(f64::from).view()),
    );
    let a = reference::activation(Activation::Relu, t.view());
    let expected = reference::forward(
        a.view(),
        f64s(&second.w).view(),
        Some(second.b.mapv(f64::from).view()),
    );
    same(outputs.read_matrix(9, 2).view(), expected.view()).unwrap();
    let da = reference::input_grad(f64s(&dt).view(), f64s(&second.w).view());
    let dt_hidden = reference::activation_grad(Activation::Relu, t.view(), da.view());
    for (layer, old, x, dt) in [
        (&last, &second, a, f64s(&dt)),
        (&hidden, &first, f64s(&x), dt_hidden),
    ] {
        let new = pollster::block_on(layer.parameters_async(gpu())).unwrap();
        let dw = reference::weight_grad(x.view(), dt.view());
        same(new.w.view(), (f64s(&old.w) - 2.0 * dw).view()).unwrap();
        let db: Array1<f64> = reference::bias_grad(dt.view());
        same(new.b.view(), (old.b.mapv(f64::from) - 2.0 * db).view()).unwrap();
    }
}

/// A device that cannot have all parameters in one buffer gives the bits of one that can.
#[test]
fn parameters_in_several_buffers_give_the_same_bits() {
    let narrow = gpu_with(|adapter| wgpu::Limits {
        max_buffer_size: 32 << 10,
        max_storage_buffer_binding_size: 32 << 10,
        ..adapter
    });
    check_same_bits_on(&narrow, &[60, 70, 80, 3], 40);
}

fn check_same_bits_on(narrow: &Gpu, sizes: &[usize], rows: usize) {
    let config = MlpConfig {
        loss: Loss::MeanSquaredError,
        optimizer: Optimizer::Adam(AdamSettings::default()),
        ..MlpConfig::new(sizes)
    };
    let mut random = fastrand::Rng::with_seed(6);
    let x = reals(&mut random, rows, sizes[0]);
    let y = reals(&mut random, rows, sizes[sizes.len() - 1]);
    let train = |gpu: &Gpu| {
        let mut mlp = Mlp::new(gpu, config.clone()).unwrap();
        for _ in 0..3 {
            mlp.train_batch(x.view(), Targets::Values(y.view()))
                .unwrap();
        }
        (mlp.take_loss().unwrap(), mlp.predict(x.view()).unwrap())
    };
    let (loss, outputs) = train(narrow);
    assert!(loss.mean.is_finite());
    // All else alike, or a long sum would be cut elsewhere.
    let limits = narrow.device().limits();
    let wide = gpu_with(|adapter| wgpu::Limits {
        max_buffer_size: adapter.max_buffer_size,
        ..limits
    });
    assert_eq!((loss, outputs), train(&wide));
}

/// What `scripts/test --quick` leaves out.
mod slow {
    use super::{check_same_bits_on, gpu_with};

    /// 144 MB a layer: more than a binding, and together more than a buffer may have.
    #[test]
    fn large_layers_train_on_a_device_with_default_limits() {
        let narrow = gpu_with(|_| wgpu::Limits::default());
        check_same_bits_on(&narrow, &[6000, 6000, 6000], 3);
    }
}
