//! Dropout: the same elements on the device and in the twin, as random as they should be, and
//! training with it.

use approx::assert_relative_eq;
use ndarray::{Array2, Axis};
use wgpu_linear::model::{
    Activation, AdamSettings, DropoutSettings, Loss, MlpConfig, Model, NetworkConfig, Optimizer,
    SgdSettings, Targets,
};
use wgpu_linear::nn::{DeviceDataset, Dropout, Goal, Mlp, Network, NetworkKernels, Training};
use wgpu_linear::reference::{dropout, gradcheck, philox};
use wgpu_linear::{Vector, nn, reference};

use crate::support::{Guarded, gpu, network_kernels, reals};
use crate::windows::gpu_with;

/// The known answers of the authors' Random123, `philox4x32` with 10 rounds.
#[test]
fn philox_gives_the_known_answers_of_its_authors() {
    let ones = u32::MAX;
    assert_eq!(
        philox([0; 4], [0; 2]),
        [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
    );
    assert_eq!(
        philox([ones; 4], [ones; 2]),
        [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
    );
    let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
    assert_eq!(
        philox(pi, [0xa409_3822, 0x299f_31d0]),
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
    );
}

fn words(batch: u64) -> [u32; 2] {
    [batch as u32, (batch >> 32) as u32]
}

/// What the GPU makes of `x` in the batch of this number.
fn on_gpu(settings: DropoutSettings, batch: u64, x: &[f32]) -> Vec<f32> {
    let batches = gpu().upload("batches", &words(batch)).unwrap();
    let x = Guarded::input(x);
    let operands = Dropout {
        settings,
        batches: Vector::new(&batches, 2),
        x: x.vector(),
    };
    gpu()
        .run(&[network_kernels().dropout(operands).unwrap()])
        .unwrap();
    assert_eq!(gpu().read::<u32>(&batches).unwrap(), words(batch));
    x.read()
}

fn on_twin(settings: DropoutSettings, batch: u64, x: &[f32]) -> Vec<f32> {
    let mut x = x.to_vec();
    dropout(settings, batch, &mut x);
    x
}

/// All words of seed and number of the batch are used, and no size is too odd.
#[test]
fn masks_are_those_of_the_twin_bit_for_bit() {
    let mut random = fastrand::Rng::with_seed(101);
    for len in [0, 1, 2, 3, 4, 5, 1023, 1024, 1025, 4099] {
        for rate in [0.0, 1e-6, 0.1, 1.0 / 3.0, 0.5, 0.999, 1.0 - f32::EPSILON] {
            let settings = DropoutSettings {
                rate,
                seed: random.u64(..),
                layer: random.u32(..),
            };
            let x: Vec<f32> = (0..len).map(|_| 2.0 * random.f32() - 1.0).collect();
            let batch = random.u64(..);
            let expected = on_twin(settings, batch, &x);
            assert_eq!(on_gpu(settings, batch, &x), expected, "{len}, {settings:?}");
        }
    }
}

/// On a device whose grids have four workgroups in a dimension, at most: 11 of them, and one past
/// the end.
#[test]
fn masks_are_those_of_the_twin_where_the_grid_folds() {
    let narrow = gpu_with(|_| wgpu::Limits {
        max_compute_workgroups_per_dimension: 4,
        ..wgpu::Limits::default()
    });
    let settings = DropoutSettings {
        rate: 0.75,
        seed: 5,
        layer: 1,
    };
    let ones = vec![1.0; 10 * 1024 + 5];
    let x = narrow.upload("x", &ones).unwrap();
    let batches = narrow.upload("batches", &words(3)).unwrap();
    let operands = Dropout {
        settings,
        batches: Vector::new(&batches, 2),
        x: Vector::new(&x, ones.len() as u32),
    };
    let dispatch = NetworkKernels::of(&narrow).dropout(operands).unwrap();
    assert_eq!(dispatch.workgroups().collect::<Vec<_>>(), [[4, 3, 1]]);
    narrow.run(&[dispatch]).unwrap();
    assert_eq!(narrow.read::<f32>(&x).unwrap(), on_twin(settings, 3, &ones));
}

/// An element is dropped where its word is below the threshold, and no other.
#[test]
fn elements_are_dropped_by_their_words() {
    let settings = DropoutSettings {
        rate: 0.3,
        seed: 0x1234_5678_9abc_def0,
        layer: 7,
    };
    let batch = 0x0000_0005_8000_0001;
    let dropped = on_twin(settings, batch, &[1.0; 10]);
    let threshold = (f64::from(0.3_f32) * 4_294_967_296.0) as u32;
    for (i, x) in dropped.iter().enumerate() {
        let counter = [i as u32 / 4, 7, 0x8000_0001, 5];
        let word = philox(counter, [0x9abc_def0, 0x1234_5678])[i % 4];
        let kept = (1.0 / (1.0 - f64::from(0.3_f32))) as f32;
        assert_eq!(*x, if word < threshold { 0.0 } else { kept });
    }
    // What is dropped is 0, whatever it was.
    let x = [f32::NAN, f32::INFINITY].repeat(50);
    let kept = on_gpu(settings, 0, &x);
    let twin = on_twin(settings, 0, &x);
    assert!(
        kept.iter()
            .zip(&twin)
            .all(|(a, b)| (*a == 0.0) == (*b == 0.0))
    );
    assert!(kept.contains(&0.0));
}

#[test]
fn rates_become_thresholds_without_rounding() {
    let of = |rate| {
        let settings = DropoutSettings {
            rate,
            seed: 0,
            layer: 0,
        };
        settings.threshold()
    };
    assert_eq!([0.0, 0.5, 0.25].map(of), [0, 1 << 31, 1 << 30]);
    assert_eq!(of(1.0 - f32::EPSILON / 2.0), u32::MAX - 255);
    assert_eq!(of(1.0 / 512.0 + 1.0 / 4_294_967_296.0), (1 << 23) + 1);
}

#[test]
fn the_number_of_the_batch_is_carried_over_32_bits() {
    for batch in [0, 41, u64::from(u32::MAX), u64::MAX] {
        let buffer = gpu().upload("batches", &words(batch)).unwrap();
        let batches = Vector::new(&buffer, 2);
        let advance = network_kernels().dropout_advance(batches).unwrap();
        gpu().run(&[advance.clone(), advance]).unwrap();
        let expected = words(batch.wrapping_add(2));
        assert_eq!(gpu().read::<u32>(&buffer).unwrap(), expected, "{batch}");
    }
}

/// 1 where an element is kept, 0 where it is dropped, less the probability to be kept.
fn mask(settings: DropoutSettings, batch: u64, len: usize) -> Vec<f64> {
    let x = on_twin(settings, batch, &vec![1.0; len]);
    let kept = 1.0 - f64::from(settings.rate);
    let centred = |x: &f32| f64::from(u8::from(*x != 0.0)) - kept;
    x.iter().map(centred).collect()
}

/// Σ a b in units of its standard deviation, where both are independent.
fn correlation(a: &[f64], b: &[f64], rate: f64) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    sum / (rate * (1.0 - rate) * (a.len().min(b.len()) as f64).sqrt())
}

/// Within four standard deviations: the rate, and the correlations of neighbours (in the block of
/// four words and beyond, and in the rows of usual layers), of layers, of batches and of seeds.
#[test]
fn masks_have_their_rate_and_are_independent() {
    const LEN: usize = 1 << 18;
    for rate in [0.1, 0.5, 0.9_f32] {
        let settings = DropoutSettings {
            rate,
            seed: 0,
            layer: 0,
        };
        let p = f64::from(rate);
        let first = mask(settings, 0, LEN);
        let sum: f64 = first.iter().sum();
        let sigmas = sum / (p * (1.0 - p) * LEN as f64).sqrt();
        assert!(sigmas.abs() <= 4.0, "rate {rate}: {sigmas} sigma");
        for lag in [1, 2, 3, 4, 5, 8, 64, 128, 512, 1024] {
            let sigmas = correlation(&first, &first[lag..], p);
            assert!(sigmas.abs() <= 4.0, "{rate}, lag {lag}: {sigmas} sigma");
        }
        let mut others = Vec::new();
        for step in [1, 2, 1 << 16] {
            let batches = [step, step << 32].map(|batch| mask(settings, batch, LEN));
            let layer = DropoutSettings {
                layer: step as u32,
                ..settings
            };
            let seeds = [step, step << 32].map(|seed| DropoutSettings { seed, ..settings });
            others.extend(batches);
            others.extend([layer].into_iter().chain(seeds).map(|s| mask(s, 0, LEN)));
        }
        others.push(first);
        for (i, a) in others.iter().enumerate() {
            for (j, b) in others[..i].iter().enumerate() {
                let sigmas = correlation(a, b, p);
                assert!(sigmas.abs() <= 4.5, "{rate}, {i} and {j}: {sigmas} sigma");
            }
        }
    }
}

fn config(activation: Activation, dropout: f32) -> MlpConfig {
    MlpConfig {
        activation,
        dropout,
        seed: 3,
        optimizer: Optimizer::Sgd(SgdSettings {
            learning_rate: 0.1,
            momentum: 0.5,
            ..SgdSettings::default()
        }),
        ..MlpConfig::new(&[5, 9, 7, 3])
    }
}

fn batch(rows: usize) -> (Array2<f32>, Vec<u32>) {
    let x = reals(&mut fastrand::Rng::with_seed(102), rows, 5);
    (x, (0..rows as u32).map(|i| i % 3).collect())
}

/// The mask is fixed while the batch is the same: finite differences hold, in several batches.
#[test]
fn gradcheck_passes_with_dropout() {
    let (x, classes) = batch(6);
    for activation in [Activation::Tanh, Activation::Gelu, Activation::Identity] {
        let mut mlp = reference::Mlp::<f64>::new(config(activation, 0.4)).unwrap();
        for number in [0, 1, 1 << 40] {
            mlp.set_batches(number);
            let targets = Targets::Classes(&classes);
            let found = gradcheck(&mut mlp, x.view(), targets, 1e-6).unwrap();
            assert!(found.worst <= 1e-7, "{activation:?}, {number}: {found:?}");
        }
    }
}

/// The twin in place against its own formulas, for every activation, ReLU with its kink among them.
#[test]
fn gradients_with_dropout_are_those_of_the_formulas() {
    let (x, classes) = batch(11);
    for activation in Activation::ALL {
        let config = config(activation, 0.4);
        let mut mlp = reference::Mlp::<f64>::new(config).unwrap();
        mlp.set_batches(17);
        mlp.backward(x.view(), Targets::Classes(&classes)).unwrap();
        let (mut inputs, mut ts) = (vec![x.mapv(f64::from)], Vec::new());
        let drop = |layer: u32, mut values: Array2<f64>| {
            let settings = DropoutSettings {
                rate: 0.4,
                seed: 3,
                layer,
            };
            dropout(settings, 17, values.as_slice_mut().unwrap());
            values
        };
        for (layer, parameters) in (0..).zip(mlp.layers()) {
            let t = inputs[layer as usize].dot(&parameters.w) + &parameters.b;
            inputs.push(drop(layer, reference::activation(activation, t.view())));
            ts.push(t);
        }
        let (_, mut dt) = reference::softmax_cross_entropy(ts[2].view(), &classes);
        for layer in (0..3).rev() {
            let expected = inputs[layer].t().dot(&dt);
            assert_relative_eq!(mlp.gradients()[layer].w, expected, epsilon = 1e-13);
            let expected = dt.sum_axis(Axis(0));
            assert_relative_eq!(mlp.gradients()[layer].b, expected, epsilon = 1e-13);
            if layer > 0 {
                let da = drop(layer as u32 - 1, dt.dot(&mlp.layers()[layer].w.t()));
                dt = reference::activation_grad(activation, ts[layer - 1].view(), da.view());
            }
        }
    }
}

#[test]
fn mlp_follows_its_twin_with_dropout() {
    let (x, classes) = batch(20);
    for activation in Activation::ALL {
        let mut on_gpu = Mlp::new(gpu(), config(activation, 0.3)).unwrap();
        let mut twin = reference::Mlp::<f64>::new(config(activation, 0.3)).unwrap();
        for rows in [20, 7, 20, 1, 20] {
            let x = x.slice(ndarray::s![..rows, ..]);
            let targets = Targets::Classes(&classes[..rows]);
            on_gpu.train_batch(x, targets).unwrap();
            twin.train_batch(x, targets).unwrap();
        }
        for (actual, expected) in on_gpu.parameters().unwrap().iter().zip(twin.layers()) {
            assert_relative_eq!(actual.w.mapv(f64::from), expected.w, epsilon = 1e-5);
            assert_relative_eq!(actual.b.mapv(f64::from), expected.b, epsilon = 1e-5);
        }
        let [loss, expected] = [on_gpu.take_loss(), twin.take_loss()].map(Result::unwrap);
        assert_relative_eq!(loss.mean, expected.mean, max_relative = 1e-4);
    }
}

/// Neither before training nor after it, and where a network is evaluated.
#[test]
fn predictions_drop_nothing() {
    let (x, classes) = batch(20);
    let mut plain = Mlp::new(gpu(), config(Activation::Relu, 0.0)).unwrap();
    let mut dropping = Mlp::new(gpu(), config(Activation::Relu, 0.6)).unwrap();
    let mut twin = reference::Mlp::<f32>::new(config(Activation::Relu, 0.6)).unwrap();
    for _ in 0..3 {
        plain
            .set_parameters(&dropping.parameters().unwrap())
            .unwrap();
        twin.set_parameters(&dropping.parameters().unwrap())
            .unwrap();
        let outputs = dropping.predict(x.view()).unwrap();
        assert_eq!(outputs, plain.predict(x.view()).unwrap());
        assert_relative_eq!(outputs, twin.predict(x.view()).unwrap(), epsilon = 1e-5);
        let targets = Targets::Classes(&classes);
        dropping.train_batch(x.view(), targets).unwrap();
    }
}

/// From the host, on the device and again: the same bits, whatever the number of steps that are
/// submitted together. Another seed drops others.
#[test]
fn dropout_gives_the_same_bits_from_the_host_and_on_the_device() {
    let (x, classes) = batch(33);
    let adam = |seed| MlpConfig {
        optimizer: Optimizer::Adam(AdamSettings::default()),
        seed,
        ..config(Activation::Relu, 0.25)
    };
    let first = Mlp::new(gpu(), adam(3)).unwrap().parameters().unwrap();
    let run = |on_device: bool, seed: u64, accumulation: u32| {
        let config = MlpConfig {
            accumulation,
            ..adam(seed)
        };
        let mut mlp = Mlp::new(gpu(), config).unwrap();
        mlp.set_parameters(&first).unwrap();
        let targets = Targets::Classes(&classes);
        let data = DeviceDataset::new(gpu(), x.view(), targets).unwrap();
        mlp.load_dataset(data).unwrap();
        let order: Vec<usize> = (0..33).collect();
        for _ in 0..20 {
            if on_device {
                mlp.train_indices(&order, 7).unwrap();
                continue;
            }
            for (x, classes) in x.axis_chunks_iter(Axis(0), 7).zip(classes.chunks(7)) {
                mlp.train_batch(x, Targets::Classes(classes)).unwrap();
            }
        }
        (mlp.take_loss().unwrap(), mlp.parameters().unwrap())
    };
    for accumulation in [1, 3] {
        let host = run(false, 3, accumulation);
        assert_eq!(run(true, 3, accumulation), host);
        assert_eq!(run(true, 3, accumulation), host);
        assert_ne!(run(true, 4, accumulation), host);
    }
}

/// Every batch drops elements of its own, and the same again where its number is set.
#[test]
fn batches_drop_by_their_number() {
    let (x, classes) = batch(20);
    let targets = Targets::Classes(&classes);
    let config = MlpConfig {
        optimizer: Optimizer::Sgd(SgdSettings {
            learning_rate: 0.0,
            ..SgdSettings::default()
        }),
        ..config(Activation::Tanh, 0.5)
    };
    let mut device = Mlp::new(gpu(), config.clone()).unwrap();
    let mut twin = reference::Mlp::<f32>::new(config).unwrap();
    let mut losses = |numbers: &[u64]| -> Vec<[f32; 2]> {
        let loss = |number: &u64| {
            device.set_batches(*number).unwrap();
            twin.set_batches(*number);
            // The next number comes by itself.
            [(); 2].map(|()| {
                device.train_batch(x.view(), targets).unwrap();
                twin.train_batch(x.view(), targets).unwrap();
                let [loss, expected] = [device.take_loss(), twin.take_loss()].map(Result::unwrap);
                assert_relative_eq!(loss.mean, expected.mean, max_relative = 1e-5);
                loss.mean
            })
        };
        numbers.iter().map(loss).collect()
    };
    let numbers = [0, 1, 2, u64::from(u32::MAX), 1 << 32];
    let first = losses(&numbers);
    assert_eq!(first[0][1], first[1][0]);
    assert_eq!(first[1][1], first[2][0]);
    assert_eq!(first[3][1], first[4][0]);
    let mut all: Vec<_> = first.iter().flatten().map(|loss| loss.to_bits()).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 7, "every number has a loss of its own");
    assert_eq!(losses(&numbers), first);
}

/// Forward and backward for each hidden layer, and the number of the batch; nothing without.
#[test]
fn dropout_takes_two_dispatches_a_layer_and_one() {
    let (x, classes) = batch(4);
    let dispatches = |rate| {
        let mut mlp = Mlp::new(gpu(), config(Activation::Relu, rate)).unwrap();
        mlp.train_batch(x.view(), Targets::Classes(&classes))
            .unwrap();
        mlp.prepared_step(4).count()
    };
    // Three layers forward, the loss, five products backward, and the optimizer.
    assert_eq!(dispatches(0.0), 10);
    assert_eq!(dispatches(0.5), dispatches(0.0) + 2 * 2 + 1);
}

/// Behind one layer alone, in the caller's passes.
#[test]
fn network_drops_behind_the_layers_that_say_so() {
    let network = NetworkConfig::new(5)
        .layer(9, Activation::Tanh)
        .layer(7, Activation::Sigmoid)
        .dropout(0.5)
        .layer(3, Activation::Tanh)
        .loss(Loss::MeanSquaredError)
        .optimizer(Optimizer::Sgd(SgdSettings::default()))
        .seed(8);
    let on_device = Network::new(gpu(), network.clone()).unwrap();
    let mut twin = reference::Mlp::<f64>::of_network(network).unwrap();
    let (x, _) = batch(12);
    let y = reals(&mut fastrand::Rng::with_seed(103), 12, 3);
    let (x_view, y_view) = (Guarded::input(&x), Guarded::input(&y));
    let goal = Goal::Values(y_view.matrix(12, 3));
    let operands = Training::new(x_view.matrix(12, 5), goal);
    let step = on_device.training(operands).unwrap();
    on_device.set_batches(6).unwrap();
    twin.set_batches(6);
    for _ in 0..3 {
        let mut encoder = gpu().device().create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            // A forward pass more changes nothing.
            step.record_forward(&mut pass);
            step.record(&mut pass);
        }
        gpu().queue().submit([encoder.finish()]);
        twin.train_batch(x.view(), Targets::Values(y.view()))
            .unwrap();
    }
    for (actual, expected) in on_device.parameters().unwrap().iter().zip(twin.layers()) {
        assert_relative_eq!(actual.w.mapv(f64::from), expected.w, epsilon = 1e-6);
        assert_relative_eq!(actual.b.mapv(f64::from), expected.b, epsilon = 1e-6);
    }
    let mut gpu_mlp = nn::Mlp::new(gpu(), MlpConfig::new(&[5, 3])).unwrap();
    gpu_mlp.set_batches(9).unwrap();
}
