//! The twin by itself: hand-made numbers, and its gradients against finite differences.

use approx::assert_relative_eq;
use ndarray::{Array2, Axis, Slice, array};
use wgpu_linear::model::{
    Activation, AdamSettings, Initialization, LayerParameters, LionSettings, Loss, MlpConfig,
    Model, ModelError, Optimizer, SgdSettings, Targets, initial_parameters,
};
use wgpu_linear::reference::{self, AdamCorrections, Mlp, gradcheck};

use crate::support::reals;

pub(crate) const ACTIVATIONS: [Activation; Activation::ALL.len()] = Activation::ALL;

#[test]
fn gradients_of_the_operations_match_a_hand_made_example() {
    let (x, w) = (
        array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
        array![[1.0, -1.0], [2.0, 0.5]],
    );
    let dt = array![[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]];
    let t = reference::forward(x.view(), w.view(), Some(array![10.0, 20.0].view()));
    assert_eq!(t, array![[15.0, 20.0], [21.0, 19.0], [27.0, 18.0]]);
    assert_eq!(
        reference::input_grad(dt.view(), w.view()),
        array![[1.0, 2.0], [-1.0, 0.5], [3.0, 3.5]]
    );
    assert_eq!(
        reference::weight_grad(x.view(), dt.view()),
        array![[11.0, -2.0], [14.0, -2.0]]
    );
    assert_eq!(reference::bias_grad(dt.view()), array![3.0, 0.0]);
}

/// Values of an independent implementation: PyTorch 2.x, float64, rounded to ten digits.
#[test]
fn activations_match_known_values() {
    let t = array![[-3.0, -0.5, 0.0, 0.5, 3.0]];
    let known: [(Activation, [f64; 5]); Activation::ALL.len()] = [
        (Activation::Identity, [-3.0, -0.5, 0.0, 0.5, 3.0]),
        (Activation::Relu, [0.0, 0.0, 0.0, 0.5, 3.0]),
        (
            Activation::LeakyRelu { slope: 0.25 },
            [-0.75, -0.125, 0.0, 0.5, 3.0],
        ),
        (
            Activation::Tanh,
            [
                -0.995_054_753_7,
                -0.462_117_157_3,
                0.0,
                0.462_117_157_3,
                0.995_054_753_7,
            ],
        ),
        (
            Activation::Sigmoid,
            [
                0.047_425_873_2,
                0.377_540_668_8,
                0.5,
                0.622_459_331_2,
                0.952_574_126_8,
            ],
        ),
        (
            Activation::Gelu,
            [
                -0.004_049_694_1,
                -0.154_268_769_4,
                0.0,
                0.345_731_230_6,
                2.995_950_305_9,
            ],
        ),
        (
            Activation::Silu,
            [
                -0.142_277_619_5,
                -0.188_770_334_4,
                0.0,
                0.311_229_665_6,
                2.857_722_380_5,
            ],
        ),
        (
            Activation::Sine { frequency: 2.0 },
            [
                0.279_415_498_2,
                -0.841_470_984_8,
                0.0,
                0.841_470_984_8,
                -0.279_415_498_2,
            ],
        ),
        (
            Activation::Softplus,
            [
                0.048_587_351_6,
                0.474_076_984_2,
                std::f64::consts::LN_2,
                0.974_076_984_2,
                3.048_587_351_6,
            ],
        ),
    ];
    for (function, values) in known {
        let a = reference::activation(function, t.view());
        for (a, expected) in a.iter().zip(values) {
            assert_relative_eq!(*a, expected, epsilon = 1e-10);
        }
    }
}

#[test]
fn activations_let_nan_through() {
    for function in ACTIVATIONS {
        assert!(
            reference::activation(function, array![[f64::NAN]].view())[[0, 0]].is_nan(),
            "{function:?}"
        );
    }
}

#[test]
fn gradcheck_passes_for_every_activation_and_loss() {
    let mut random = fastrand::Rng::with_seed(11);
    let (x, y) = (reals(&mut random, 7, 5), reals(&mut random, 7, 3));
    let y = y.mapv(f32::abs);
    for activation in ACTIVATIONS {
        for loss in Loss::ALL {
            let config = MlpConfig {
                activation,
                loss,
                seed: 3,
                ..MlpConfig::new(&[5, 6, 4, 3])
            };
            let mut mlp = Mlp::<f64>::new(config).unwrap();
            let targets = match loss {
                Loss::SoftmaxCrossEntropy => Targets::Classes(&[0, 1, 2, 2, 1, 0, 1]),
                _ => Targets::Values(y.view()),
            };
            let found = gradcheck(&mut mlp, x.view(), targets, 1e-6).unwrap();
            assert!(found.worst <= 1e-7, "{activation:?} {loss:?}: {found:?}");
            assert_eq!(found.parameters, 5 * 6 + 6 + 6 * 4 + 4 + 4 * 3 + 3);
        }
    }
}

/// The gradients of a network of the free functions, layer after layer, and its sum of losses.
fn composed(
    mlp: &Mlp<f64>,
    (activation, loss): (Activation, Loss),
    x: &Array2<f32>,
    targets: Targets<'_>,
) -> (Vec<LayerParameters<f64>>, f64) {
    let mut inputs = vec![x.mapv(f64::from)];
    let mut results = Vec::<Array2<f64>>::new();
    for layer in mlp.layers() {
        if let Some(t) = results.last() {
            inputs.push(reference::activation(activation, t.view()));
        }
        let input = &inputs[inputs.len() - 1];
        results.push(reference::forward(
            input.view(),
            layer.w.view(),
            Some(layer.b.view()),
        ));
    }
    let last = results[results.len() - 1].view();
    let (loss, mut dt) = match targets {
        Targets::Classes(classes) => {
            let (loss, dt) = reference::softmax_cross_entropy(last, classes);
            (loss.sum(), dt)
        }
        Targets::Values(y) => {
            let (loss, dt) = reference::elementwise_loss(loss, last, y.mapv(f64::from).view());
            (loss.sum(), dt)
        }
        _ => panic!("other targets"),
    };
    let mut gradients = Vec::new();
    for (i, layer) in mlp.layers().iter().enumerate().rev() {
        let w = reference::weight_grad(inputs[i].view(), dt.view());
        gradients.insert(
            0,
            LayerParameters {
                w,
                b: reference::bias_grad(dt.view()),
            },
        );
        if i > 0 {
            let da = reference::input_grad(dt.view(), layer.w.view());
            dt = reference::activation_grad(activation, results[i - 1].view(), da.view());
        }
    }
    (gradients, loss)
}

#[test]
fn mlp_computes_what_the_free_functions_compose() {
    let mut random = fastrand::Rng::with_seed(4);
    for activation in ACTIVATIONS {
        for (loss, batch) in [
            (Loss::SoftmaxCrossEntropy, 37),
            (Loss::MeanSquaredError, 5),
            (Loss::SoftmaxCrossEntropy, 1),
            (Loss::MeanAbsoluteError, 3),
            (Loss::Huber { delta: 0.2 }, 4),
            (Loss::BinaryCrossEntropy, 6),
        ] {
            let config = MlpConfig {
                activation,
                loss,
                ..MlpConfig::new(&[19, 45, 23, 10])
            };
            let mut mlp = Mlp::<f64>::new(config).unwrap();
            // Transposed twice, so that neither batch nor weight is in standard layout.
            let x = reals(&mut random, 19, batch).reversed_axes();
            let w = mlp.layers()[1].w.t().as_standard_layout().into_owned();
            mlp.layers_mut()[1].w = w.reversed_axes();
            let y = reals(&mut random, batch, 10).mapv(f32::abs);
            let classes: Vec<u32> = (0..batch as u32).map(|i| i % 10).collect();
            let targets = match loss {
                Loss::SoftmaxCrossEntropy => Targets::Classes(&classes),
                _ => Targets::Values(y.view()),
            };
            let (gradients, expected) = composed(&mlp, (activation, loss), &x, targets);
            let actual = mlp.backward(x.view(), targets).unwrap();
            assert_relative_eq!(actual, expected, max_relative = 1e-12);
            for (actual, expected) in mlp.gradients().iter().zip(&gradients) {
                assert_relative_eq!(actual.w, expected.w, epsilon = 1e-13, max_relative = 1e-11);
                assert_relative_eq!(actual.b, expected.b, epsilon = 1e-13, max_relative = 1e-11);
            }
            let mean = mlp.batch_loss(x.view(), targets).unwrap();
            assert_relative_eq!(mean, expected / batch as f64, max_relative = 1e-12);
            // The optimizer takes any layout too.
            mlp.train_batch(x.view(), targets).unwrap();
            assert!(mlp.batch_loss(x.view(), targets).unwrap() < mean);
        }
    }
}

#[test]
fn mlp_gives_the_same_bits_on_every_run_and_for_every_history_of_its_buffers() {
    // Large enough for several threads, where there are processors.
    let mut random = fastrand::Rng::with_seed(5);
    let x = reals(&mut random, 128, 784);
    let classes: Vec<u32> = (0..128).map(|i| i % 10).collect();
    let train = |warm: bool| {
        let mut mlp = Mlp::<f32>::new(MlpConfig::new(&[784, 256, 10])).unwrap();
        if warm {
            // Leaves larger buffers behind, full of other numbers.
            mlp.predict(Array2::ones((300, 784)).view()).unwrap();
        }
        for rows in [128, 77, 128] {
            let x = x.slice_axis(Axis(0), Slice::from(..rows));
            mlp.train_batch(x, Targets::Classes(&classes[..rows]))
                .unwrap();
        }
        (mlp.parameters().unwrap(), mlp.take_loss().unwrap())
    };
    let first = train(false);
    assert_eq!(first, train(false));
    assert_eq!(first, train(true));
}

#[test]
fn predictions_do_not_depend_on_the_rows_beside_them() {
    let mut mlp = Mlp::<f32>::new(MlpConfig::new(&[7, 9, 3])).unwrap();
    let x = reals(&mut fastrand::Rng::with_seed(6), 2500, 7);
    let all = mlp.predict(x.view()).unwrap();
    assert_eq!(all, mlp.outputs(x.view()).unwrap());
    for row in [0, 1023, 1024, 2499] {
        let part = x.slice_axis(Axis(0), Slice::from(row..row + 1));
        assert_eq!(mlp.predict(part).unwrap().row(0), all.row(row));
    }
    assert_eq!(
        mlp.predict(Array2::zeros((0, 7)).view()).unwrap().dim(),
        (0, 3)
    );
}

/// By hand; the logarithms are ln 2, ln(1 + e⁻²) and ln(1 + e⁻³).
#[test]
fn elementwise_losses_match_known_values() {
    let y = array![[0.0, 1.0, 0.25, 1.0, 0.0]];
    let t = array![[0.0, 2.0, -3.0, 1.0, 2.0]];
    let [ln2, two, three] = [std::f64::consts::LN_2, 0.126_928_011_0, 0.048_587_351_6];
    // σ(2) and σ(−3).
    let [above, below] = [0.880_797_078_0, 0.047_425_873_2];
    let sigma_one = 0.731_058_578_6;
    for (loss, losses, slopes) in [
        (
            Loss::MeanSquaredError,
            [0.0, 1.0, 10.5625, 0.0, 4.0],
            [0.0, 2.0, -6.5, 0.0, 4.0],
        ),
        (
            Loss::MeanAbsoluteError,
            [0.0, 1.0, 3.25, 0.0, 2.0],
            [0.0, 1.0, -1.0, 0.0, 1.0],
        ),
        (
            Loss::Huber { delta: 1.0 },
            [0.0, 0.5, 2.75, 0.0, 1.5],
            [0.0, 1.0, -1.0, 0.0, 1.0],
        ),
        (
            Loss::Huber { delta: 2.5 },
            [0.0, 0.5, 5.0, 0.0, 2.0],
            [0.0, 1.0, -2.5, 0.0, 2.0],
        ),
        (
            Loss::BinaryCrossEntropy,
            [ln2, two, three + 0.75, 0.313_261_687_5, two + 2.0],
            [0.5, above - 1.0, below - 0.25, sigma_one - 1.0, above],
        ),
    ] {
        let (actual, dt) = reference::elementwise_loss::<f64>(loss, t.view(), y.view());
        assert_relative_eq!(actual * 5.0, Array2::from(vec![losses]), epsilon = 2e-10);
        assert_relative_eq!(dt * 5.0, Array2::from(vec![slopes]), epsilon = 2e-10);
    }
    let (loss, _) = reference::elementwise_loss(Loss::SoftmaxCrossEntropy, t.view(), y.view());
    assert!(loss.iter().all(|loss: &f64| loss.is_nan()));
}

#[test]
fn softmax_cross_entropy_is_stable_for_large_logits() {
    let (loss, dt) = reference::softmax_cross_entropy(
        array![[1e4_f32, -1e4, 0.0], [3e38, 3e38, 3e38]].view(),
        &[1, 2],
    );
    assert_relative_eq!(loss[0], 2e4);
    assert_relative_eq!(loss[1], 3.0_f32.ln());
    assert_eq!(dt.row(0), array![0.5, -0.5, 0.0]);
}

/// Two steps by hand.
#[test]
fn sgd_follows_its_formula() {
    let settings = SgdSettings {
        learning_rate: 0.5,
        momentum: 0.5,
        nesterov: false,
        weight_decay: 0.25,
    };
    let (mut velocity, mut parameters) = (array![0.0], array![4.0]);
    let step = |settings: &_,
                velocity: &mut ndarray::Array1<f64>,
                parameters: &mut ndarray::Array1<f64>| {
        reference::sgd(
            settings,
            array![1.0].view(),
            velocity.view_mut(),
            parameters.view_mut(),
        );
    };
    step(&settings, &mut velocity, &mut parameters); // g = 2, v = 2, p = 3
    assert_eq!((velocity[0], parameters[0]), (2.0, 3.0));
    step(&settings, &mut velocity, &mut parameters); // g = 1.75, v = 2.75, p = 1.625
    assert_eq!((velocity[0], parameters[0]), (2.75, 1.625));
    step(
        &SgdSettings {
            nesterov: true,
            ..settings
        },
        &mut velocity,
        &mut parameters,
    ); // g = 1.40625, v = 2.78125
    assert_eq!(
        (velocity[0], parameters[0]),
        (2.781_25, 1.625 - 0.5 * (1.406_25 + 0.5 * 2.781_25))
    );
}

/// The corrections are 1 − βˢ, and the first step of Adam is the learning rate in the direction of
/// the sign. Each parameter moves by the learning rate along the sign of the mixed gradient, and
/// not at all where that is 0.
#[test]
fn lion_follows_its_formula() {
    let settings = LionSettings {
        learning_rate: 0.5,
        beta1: 0.75,
        beta2: 0.5,
        weight_decay: 0.25,
    };
    let (mut m, mut p) = (array![0.0, -4.0, 0.0], array![2.0, 2.0, 2.0]);
    let gradients = array![-0.001, 8.0, 0.0];
    reference::lion(&settings, gradients.view(), m.view_mut(), p.view_mut());
    // Directions: −1; 0.75 · −4 + 0.25 · 8 = −1, so −1; 0. Decay takes off 0.5 · 0.25 · 2.
    assert_eq!(p, array![2.25, 2.25, 1.75]);
    assert_eq!(m, array![-0.0005, 2.0, 0.0]);
}

#[test]
fn adam_follows_its_formula() {
    let settings = AdamSettings {
        learning_rate: 0.5,
        epsilon: 0.0,
        weight_decay: 0.0,
        ..AdamSettings::default()
    };
    let mut corrections = AdamCorrections {
        first: 0.0,
        second: 0.0,
    };
    for step in 1..=1000 {
        corrections = reference::adam_advance(&settings, corrections);
        assert_relative_eq!(
            corrections.first,
            1.0 - f64::from(settings.beta1).powi(step),
            max_relative = 1e-12
        );
        assert_relative_eq!(
            corrections.second,
            1.0 - f64::from(settings.beta2).powi(step),
            max_relative = 1e-10
        );
    }
    let first = reference::adam_advance(
        &settings,
        AdamCorrections {
            first: 0.0,
            second: 0.0,
        },
    );
    for (decoupled, weight_decay, expected) in
        [(false, 0.0, 1.5), (true, 0.5, 1.0), (false, 0.5, 1.5)]
    {
        let settings = AdamSettings {
            weight_decay,
            ..settings
        };
        let (mut m, mut v, mut p) = (array![0.0], array![0.0], array![2.0]);
        let state = [m.view_mut(), v.view_mut(), p.view_mut()];
        reference::adam(&settings, decoupled, first, array![0.125].view(), state);
        assert_relative_eq!(p[0], expected, max_relative = 1e-12);
    }
}

#[test]
fn initial_parameters_are_seeded_and_bounded() {
    let config = MlpConfig {
        seed: 5,
        ..MlpConfig::new(&[24, 40, 3])
    };
    let layers = initial_parameters(&config);
    assert_eq!(layers, initial_parameters(&config));
    assert_ne!(
        layers,
        initial_parameters(&MlpConfig {
            seed: 6,
            ..config.clone()
        })
    );
    let spread = |w: &Array2<f32>| w.iter().fold(0.0_f32, |most, w| most.max(w.abs()));
    assert!((0.48..=0.5).contains(&spread(&layers[0].w)), "√(6 / 24)");
    assert!(layers.iter().all(|layer| layer.b.iter().all(|b| *b == 0.0)));
    let xavier = initial_parameters(&MlpConfig {
        initialization: Initialization::Xavier,
        ..config
    });
    assert!(
        (0.29..=0.306_2).contains(&spread(&xavier[0].w)),
        "√(6 / 64)"
    );
}

/// The golden first numbers: a change of the generator would silently change every seeded run.
/// The largest of the numbers of a layer's weights, and of its biases.
fn spread_of(layer: &LayerParameters) -> [f32; 2] {
    let most = |values: &mut dyn Iterator<Item = &f32>| values.fold(0.0_f32, |m, v| m.max(v.abs()));
    [most(&mut layer.w.iter()), most(&mut layer.b.iter())]
}

#[test]
fn initial_parameters_fill_the_range_of_their_initialization() {
    let parameters = |initialization| {
        initial_parameters(&MlpConfig {
            initialization,
            ..MlpConfig::new(&[64, 256, 100])
        })
    };
    let siren = Initialization::Siren { frequency: 30.0 };
    for (initialization, limits) in [
        // Of weights and biases of the first layer, then of the second.
        (Initialization::KaimingUniform, [[0.125; 2], [0.0625; 2]]),
        (siren, [[1.0 / 64.0, 0.125], [0.005_103_104, 0.0625]]),
    ] {
        let layers = parameters(initialization);
        for (layer, limits) in layers.iter().zip(limits) {
            for (spread, limit) in spread_of(layer).into_iter().zip(limits) {
                let range = 0.97 * limit..=limit;
                assert!(
                    range.contains(&spread),
                    "{initialization:?}: {spread} of {limit}"
                );
            }
            // Both signs alike: the mean of n numbers is rarely 4 / √(3 n) of the limit.
            for (mean, limit, n) in [
                (layer.w.mean().unwrap(), limits[0], layer.w.len()),
                (layer.b.mean().unwrap(), limits[1], layer.b.len()),
            ] {
                assert!(mean.abs() <= 4.0 * limit / (3.0 * n as f32).sqrt());
            }
        }
        assert_eq!(layers, parameters(initialization));
    }
    for layer in parameters(Initialization::Zeros) {
        assert_eq!(spread_of(&layer), [0.0; 2]);
    }
}

#[test]
fn initial_parameters_keep_their_numbers() {
    let layers = initial_parameters(&MlpConfig::new(&[6, 2]));
    let first: Vec<u32> = layers[0].w.iter().take(3).map(|w| w.to_bits()).collect();
    assert_eq!(first, GOLDEN_WEIGHTS);
    // Biases of 0 take no numbers away from the layers behind them.
    let layers = initial_parameters(&MlpConfig::new(&[6, 2, 6]));
    let mut random = fastrand::Rng::with_seed(0);
    let mut draw = |limit: f32| limit * (2.0 * random.f32() - 1.0);
    let [first, second] = [1.0_f32, 3.0_f32].map(f32::sqrt);
    assert!(layers[0].w.iter().all(|w| *w == draw(first)));
    assert!(layers[1].w.iter().all(|w| *w == draw(second)));
}

const GOLDEN_WEIGHTS: [u32; 3] = [1_045_573_232, 3_212_670_793, 3_209_657_277];

#[test]
fn configurations_that_make_no_network_are_refused() {
    for sizes in [
        vec![],
        vec![3],
        vec![3, 0],
        vec![0, 3],
        vec![3, 0, 3],
        vec![u32::MAX as usize, u32::MAX as usize],
    ] {
        assert!(matches!(
            Mlp::<f32>::new(MlpConfig::new(&sizes)),
            Err(ModelError::LayerSizes { .. })
        ));
    }
    let adam = |settings| Optimizer::AdamW(settings);
    let usual = AdamSettings::default();
    for (optimizer, setting) in [
        (
            adam(AdamSettings {
                beta2: 1.0,
                ..usual
            }),
            "beta2",
        ),
        (
            adam(AdamSettings {
                epsilon: 0.0,
                ..usual
            }),
            "epsilon",
        ),
        (
            adam(AdamSettings {
                epsilon: f32::NAN,
                ..usual
            }),
            "epsilon",
        ),
        (
            adam(AdamSettings {
                learning_rate: -1.0,
                ..usual
            }),
            "learning_rate",
        ),
        (
            Optimizer::Sgd(SgdSettings {
                weight_decay: f32::INFINITY,
                ..SgdSettings::default()
            }),
            "weight_decay",
        ),
    ] {
        let config = MlpConfig {
            optimizer,
            ..MlpConfig::new(&[3, 2])
        };
        assert!(
            matches!(Mlp::<f32>::new(config), Err(ModelError::Setting { name, .. }) if name == setting)
        );
    }
    for value in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let usual = MlpConfig::new(&[3, 2]);
        let huber = MlpConfig {
            loss: Loss::Huber { delta: value },
            ..usual.clone()
        };
        let siren = MlpConfig {
            initialization: Initialization::Siren { frequency: value },
            ..usual.clone()
        };
        let clipped = MlpConfig {
            clip_norm: Some(value),
            ..usual.clone()
        };
        for (config, setting) in [
            (huber, "delta"),
            (siren, "frequency"),
            (clipped, "clip_norm"),
        ] {
            let result = Mlp::<f32>::new(config);
            assert!(
                matches!(result, Err(ModelError::Setting { name, .. }) if name == setting),
                "{setting} {value}"
            );
        }
    }
}

#[test]
fn reference_mlp_refuses_bad_batches_and_stays_usable() {
    let mut mlp = Mlp::<f32>::new(MlpConfig::new(&[3, 2])).unwrap();
    crate::mlp::check_bad_batches(&mut mlp);
    assert_eq!(mlp.take_loss().unwrap().examples, 0);
}
