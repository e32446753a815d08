//! Training in mixed precision: against its twin, the scale of the loss, and what is learned.

use ndarray::{Array2, Axis, array};
use wgpu_linear::model::{
    Activation, LayerParameters, Loss, LossScaling, MlpConfig, Model, ModelError, NetworkConfig,
    Optimizer, Precision, SgdSettings, Targets, TrainingState,
};
use wgpu_linear::nn::{Goal, Network, Training};
use wgpu_linear::{Gpu, Matrix, PrepareError, nn, reference};

use crate::halves::gpu_with_f16;
use crate::support::{integers, reals};
use crate::windows::gpu_with;

fn mixed(config: MlpConfig) -> MlpConfig {
    MlpConfig {
        precision: Precision::Mixed,
        ..config
    }
}

fn scaled(scaling: LossScaling, config: MlpConfig) -> MlpConfig {
    MlpConfig {
        loss_scaling: scaling,
        ..mixed(config)
    }
}

/// Inputs and classes that follow from them.
fn examples(rows: usize, inputs: usize, classes: u32) -> (Array2<f32>, Vec<u32>) {
    let x = reals(&mut fastrand::Rng::with_seed(5), rows, inputs);
    let class = |row: ndarray::ArrayView1<'_, f32>| {
        let sum: f32 = row
            .iter()
            .enumerate()
            .map(|(i, x)| (i as f32 + 1.0) * x)
            .sum();
        (sum.abs() * 3.0) as u32 % classes
    };
    let labels = x.outer_iter().map(class).collect();
    (x, labels)
}

/// One batch of all of them, by a model or by it and its twin.
fn train<const N: usize>(models: [&mut dyn Model; N], x: &Array2<f32>, labels: &[u32]) {
    for model in models {
        model
            .train_batch(x.view(), Targets::Classes(labels))
            .unwrap();
    }
}

fn numbers(layers: &[LayerParameters]) -> Vec<f32> {
    let layer =
        |layer: &LayerParameters| layer.w.iter().chain(&layer.b).copied().collect::<Vec<_>>();
    layers.iter().flat_map(layer).collect()
}

/// How far the two are apart at most, as a share of the largest.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(0.0_f32, |largest, b| largest.max(b.abs()));
    let mut distance = 0.0_f32;
    for (a, b) in a.iter().zip(b) {
        let apart = (a - b).abs() / largest;
        assert!(apart.is_finite(), "{a} and {b}");
        distance = distance.max(apart);
    }
    distance
}

fn scale_of(state: &TrainingState) -> [f32; 2] {
    state.scalar("loss_scale").unwrap().try_into().unwrap()
}

/// Every number between the layers is rounded to 11 bits, by both to the same: they are apart where a
/// sum lies between two of these, 2e-7 to 7e-6 on llvmpipe, and 2e-4 from what f32 gives.
#[test]
fn gradients_follow_the_twin() {
    let Some(gpu) = gpu_with_f16() else { return };
    let (x, labels) = examples(37, 12, 5);
    for activation in [Activation::Relu, Activation::Tanh, Activation::Gelu] {
        let config = MlpConfig {
            activation,
            ..MlpConfig::new(&[12, 31, 24, 5])
        };
        let gradients = |precision| {
            let config = MlpConfig {
                precision,
                ..config.clone()
            };
            let mut on_gpu = nn::Mlp::new(gpu, config.clone()).unwrap();
            train([&mut on_gpu], &x, &labels);
            let mut on_cpu = reference::Mlp::<f32>::new(config).unwrap();
            on_cpu
                .train_batch(x.view(), Targets::Classes(&labels))
                .unwrap();
            let on_gpu = pollster::block_on(on_gpu.gradients_async()).unwrap();
            (numbers(&on_gpu), numbers(on_cpu.gradients()))
        };
        let ((on_gpu, on_cpu), (full, _)) =
            (gradients(Precision::Mixed), gradients(Precision::F32));
        let [to_twin, to_full] = [&on_cpu, &full].map(|other| distance(&on_gpu, other));
        assert!(
            to_twin <= 0.25 * to_full,
            "{activation:?}: {to_twin} and {to_full}"
        );
        assert!((1e-5..1e-2).contains(&to_full), "{activation:?}: {to_full}");
    }
}

/// With everything that lies between forward pass and update.
#[test]
fn trainings_follow_the_twin() {
    let Some(gpu) = gpu_with_f16() else { return };
    let (x, labels) = examples(32, 12, 5);
    let plain = MlpConfig::new(&[12, 32, 16, 5]);
    let sgd = Optimizer::Sgd(SgdSettings {
        learning_rate: 0.05,
        momentum: 0.9,
        ..SgdSettings::default()
    });
    for config in [
        plain.clone(),
        MlpConfig {
            dropout: 0.25,
            optimizer: sgd,
            ..plain.clone()
        },
        MlpConfig {
            clip_norm: Some(0.5),
            accumulation: 3,
            ..plain.clone()
        },
        MlpConfig {
            label_smoothing: 0.1,
            class_weights: vec![1.0, 2.0, 0.5, 1.0, 3.0],
            ..plain
        },
    ] {
        let config = mixed(config);
        let mut on_gpu = nn::Mlp::new(gpu, config.clone()).unwrap();
        let mut on_cpu = reference::Mlp::<f32>::new(config.clone()).unwrap();
        let first = numbers(&on_cpu.parameters().unwrap());
        for _ in 0..12 {
            train([&mut on_gpu, &mut on_cpu], &x, &labels);
        }
        let [a, b] = [on_gpu.parameters().unwrap(), on_cpu.parameters().unwrap()];
        let apart = distance(&numbers(&a), &numbers(&b));
        let moved = distance(&numbers(&b), &first);
        assert!(
            apart <= 0.05 * moved && moved > 1e-3,
            "{config:?}: {apart} of {moved}"
        );
        let [a, b] = [
            on_gpu.take_loss().unwrap().mean,
            on_cpu.take_loss().unwrap().mean,
        ];
        assert!((a - b).abs() <= 1e-3 * b, "{a} and {b}");
        let outputs = [
            on_gpu.predict(x.view()).unwrap(),
            on_cpu.predict(x.view()).unwrap(),
        ];
        let [a, b] = outputs.map(|outputs| outputs.into_iter().collect::<Vec<_>>());
        assert!(distance(&a, &b) <= 1e-2);
    }
}

/// At 2²⁴ the gradients between the layers pass 65,504.
#[test]
fn a_scale_that_is_too_large_is_halved_until_it_is_not() {
    let Some(gpu) = gpu_with_f16() else { return };
    let (x, labels) = examples(64, 12, 5);
    let scaling = LossScaling {
        first: 16_777_216.0,
        ..LossScaling::default()
    };
    let config = scaled(scaling, MlpConfig::new(&[12, 128, 64, 5]));
    let mut on_gpu = nn::Mlp::new(gpu, config.clone()).unwrap();
    let mut on_cpu = reference::Mlp::<f32>::new(config).unwrap();
    let before = (
        numbers(&on_gpu.parameters().unwrap()),
        on_gpu.training_state().unwrap(),
    );
    train([&mut on_gpu, &mut on_cpu], &x, &labels);
    let state = on_gpu.training_state().unwrap();
    assert_eq!(scale_of(&state), [8_388_608.0, 0.0]);
    // The update was left out: nothing else has changed, neither parameters nor moments nor
    // Adam's corrections.
    assert_eq!(numbers(&on_gpu.parameters().unwrap()), before.0);
    assert_eq!(state.moments, before.1.moments);
    assert_eq!(state.scalar("corrections"), before.1.scalar("corrections"));
    for _ in 0..40 {
        train([&mut on_gpu, &mut on_cpu], &x, &labels);
    }
    let [a, b] = [
        on_gpu.training_state().unwrap(),
        on_cpu.training_state().unwrap(),
    ];
    let [scale, updates] = scale_of(&a);
    assert!(
        (1024.0..16_777_216.0).contains(&scale) && updates >= 20.0,
        "{scale} {updates}"
    );
    assert_eq!(scale_of(&a), scale_of(&b));
    on_gpu.take_loss().unwrap();
    train([&mut on_gpu], &x, &labels);
    let loss = on_gpu.take_loss().unwrap().mean;
    assert!(loss < 1.5, "it learns: {loss}");
}

#[test]
fn a_scale_that_serves_is_doubled() {
    let Some(gpu) = gpu_with_f16() else { return };
    let (x, labels) = examples(8, 4, 3);
    let scaling = LossScaling {
        first: 1.0,
        interval: 3,
    };
    let config = scaled(scaling, MlpConfig::new(&[4, 8, 3]));
    let mut on_gpu = nn::Mlp::new(gpu, config.clone()).unwrap();
    let mut on_cpu = reference::Mlp::<f32>::new(config).unwrap();
    for step in 1..=7 {
        for model in [&mut on_gpu as &mut dyn Model, &mut on_cpu] {
            train([model], &x, &labels);
            let [scale, updates] = scale_of(&model.training_state().unwrap());
            assert_eq!(
                (scale, updates),
                (2.0_f32.powi(step / 3), (step % 3) as f32)
            );
        }
    }
}

/// 10 here, 100 with `WGPU_LINEAR_LONG`.
#[test]
fn the_same_training_has_the_same_bits_again() {
    let Some(gpu) = gpu_with_f16() else { return };
    let (x, labels) = examples(48, 20, 6);
    let reruns = match std::env::var_os("WGPU_LINEAR_LONG") {
        Some(_) => 100,
        None => 10,
    };
    let run = || {
        let config = MlpConfig {
            dropout: 0.1,
            ..mixed(MlpConfig::new(&[20, 40, 32, 6]))
        };
        let mut mlp = nn::Mlp::new(gpu, config).unwrap();
        for _ in 0..10 {
            train([&mut mlp], &x, &labels);
        }
        let bits = |value: &f32| value.to_bits();
        let state = mlp.training_state().unwrap();
        let numbers = numbers(&mlp.parameters().unwrap());
        (numbers.iter().map(bits).collect::<Vec<_>>(), state)
    };
    let first = run();
    for _ in 1..reruns {
        assert!(run() == first);
    }
}

#[test]
fn a_training_goes_on_from_its_state_with_the_same_bits() {
    let Some(gpu) = gpu_with_f16() else { return };
    let (x, labels) = examples(16, 6, 4);
    let scaling = LossScaling {
        first: 16_777_216.0,
        interval: 4,
    };
    let config = scaled(scaling, MlpConfig::new(&[6, 64, 64, 4]));
    let mut first = nn::Mlp::new(gpu, config.clone()).unwrap();
    let go_on = |mlp: &mut nn::Mlp| {
        for _ in 0..9 {
            train([mlp], &x, &labels);
        }
    };
    go_on(&mut first);
    let mut second = nn::Mlp::new(gpu, config).unwrap();
    second.set_parameters(&first.parameters().unwrap()).unwrap();
    second
        .set_training_state(&first.training_state().unwrap())
        .unwrap();
    go_on(&mut first);
    go_on(&mut second);
    assert_eq!(first.parameters().unwrap(), second.parameters().unwrap());
    let [a, b] = [first, second].map(|mlp| mlp.training_state().unwrap());
    assert_eq!(a, b);
    // A state of f32 has no scale.
    let mut plain = nn::Mlp::new(gpu, MlpConfig::new(&[6, 64, 64, 4])).unwrap();
    assert!(matches!(
        plain.set_training_state(&a),
        Err(ModelError::StateNames { .. })
    ));
}

/// What the caller gives and gets is not scaled.
#[test]
fn gradients_of_the_caller_are_those_of_the_loss() {
    let Some(gpu) = gpu_with_f16() else { return };
    let mut random = fastrand::Rng::with_seed(7);
    let (x, da) = (
        integers(&mut random, 6, 4, 2),
        integers(&mut random, 6, 3, 2),
    );
    for output in [Activation::Identity, Activation::Tanh] {
        let gradients = |precision| {
            let config = NetworkConfig::new(4)
                .layer(8, Activation::Tanh)
                .layer(3, output)
                .loss(Loss::MeanSquaredError)
                .precision(precision)
                .loss_scaling(LossScaling {
                    first: 256.0,
                    ..LossScaling::default()
                });
            let network = Network::new(gpu, config).unwrap();
            let upload =
                |values: &Array2<f32>| gpu.upload("values", values.as_slice().unwrap()).unwrap();
            let (x_buffer, da_buffer) = (upload(&x), upload(&da));
            let dx = gpu.zeros("dx", x.len()).unwrap();
            let goal = Goal::Gradient(Matrix::new(&da_buffer, 6, 3));
            let training =
                Training::new(Matrix::new(&x_buffer, 6, 4), goal).dx(Matrix::new(&dx, 6, 4));
            let step = network.training(training).unwrap();
            gpu.run(step.dispatches()).unwrap();
            let given = gpu.read::<f32>(&da_buffer).unwrap();
            assert_eq!(given, da.as_slice().unwrap());
            gpu.read::<f32>(&dx).unwrap()
        };
        let [mixed, full] = [Precision::Mixed, Precision::F32].map(gradients);
        let apart = distance(&mixed, &full);
        assert!(apart <= 4e-3, "{output:?}: {apart}");
    }
}

#[test]
fn precisions_that_cannot_be_had_are_refused() {
    let none = gpu_with(|limits| limits); // opened with subgroups alone
    let x = array![[0.5, 1.0]];
    let mut mlp = nn::Mlp::new(&none, mixed(MlpConfig::new(&[2, 8, 2]))).unwrap();
    let error = mlp
        .train_batch(x.view(), Targets::Classes(&[0]))
        .unwrap_err();
    assert!(
        matches!(
            error,
            ModelError::Prepare(PrepareError::Feature {
                feature: "SHADER_F16",
                ..
            })
        ),
        "{error:?}"
    );
    let config = MlpConfig {
        precision: Precision::F16,
        ..MlpConfig::new(&[2, 8, 2])
    };
    for error in [
        nn::Mlp::new(&none, config.clone()).err(),
        reference::Mlp::<f32>::new(config).err(),
    ] {
        assert!(
            matches!(error, Some(ModelError::Precision(Precision::F16))),
            "{error:?}"
        );
    }
    for scaling in [
        LossScaling {
            first: f32::NAN,
            ..LossScaling::default()
        },
        LossScaling {
            first: 0.0,
            ..LossScaling::default()
        },
        LossScaling {
            first: 2.0_f32.powi(25),
            ..LossScaling::default()
        },
        LossScaling {
            interval: 0,
            ..LossScaling::default()
        },
    ] {
        let refused = reference::Mlp::<f32>::new(scaled(scaling, MlpConfig::new(&[2, 8, 2])));
        assert!(
            matches!(refused, Err(ModelError::Setting { .. })),
            "{scaling:?}"
        );
    }
}

/// No rows, one row, and a network without hidden layers, in which nothing is f16.
#[test]
fn edges_are_taken() {
    let Some(gpu) = gpu_with_f16() else { return };
    let (x, labels) = examples(3, 5, 4);
    for sizes in [&[5, 4][..], &[5, 7, 4]] {
        let mut mlp = nn::Mlp::new(gpu, mixed(MlpConfig::new(sizes))).unwrap();
        for rows in [0, 1, 3] {
            let x = x.slice_axis(Axis(0), (0..rows).into());
            mlp.train_batch(x, Targets::Classes(&labels[..rows]))
                .unwrap();
            assert_eq!(mlp.predict(x).unwrap().dim(), (rows, 4));
        }
        assert!(mlp.take_loss().unwrap().mean.is_finite());
    }
}

/// Between the layers: T, A and dT of the hidden ones take half of what they take in f32.
#[test]
fn what_lies_between_the_layers_takes_half_the_memory() {
    if gpu_with_f16().is_none() {
        return;
    }
    let (batch, hidden) = (2048, 512);
    let bytes = |precision| {
        // Nobody else allocates here.
        let gpu = Gpu::new().unwrap();
        let config = MlpConfig {
            precision,
            ..MlpConfig::new(&[16, hidden, hidden, 10])
        };
        let mut mlp = nn::Mlp::new(&gpu, config).unwrap();
        let x = Array2::zeros((batch, 16));
        mlp.train_batch(x.view(), Targets::Classes(&vec![0; batch]))
            .unwrap();
        mlp.take_loss().unwrap();
        let report = gpu.device().generate_allocator_report();
        report.map(|report| report.total_allocated_bytes)
    };
    let (Some(mixed), Some(full)) = (bytes(Precision::Mixed), bytes(Precision::F32)) else {
        eprintln!("SKIPPED: this backend does not tell what is allocated");
        return;
    };
    let saved = (2 * 3 * batch * hidden * 2) as u64;
    let actual = full.saturating_sub(mixed);
    println!("{mixed} bytes instead of {full}");
    assert!(
        actual.abs_diff(saved) <= saved / 20,
        "{full} - {mixed} is not {saved}"
    );
}

/// Minutes, or nearly.
mod slow {
    use super::*;
    use crate::training::{accuracy, config};

    /// Mean of seeds 0 to 4 no more than 0.003 below that of f32.
    #[test]
    fn digits_are_learned_as_well_as_in_f32() {
        let Some(gpu) = gpu_with_f16() else { return };
        let mean = |precision| {
            let accuracies = [0, 1, 2, 3, 4].map(|seed| {
                let config = MlpConfig {
                    precision,
                    ..config(seed)
                };
                accuracy(nn::Mlp::new(gpu, config).unwrap(), seed)
            });
            println!("{precision}: {accuracies:?}");
            accuracies.iter().sum::<f32>() / 5.0
        };
        let [mixed, full] = [Precision::Mixed, Precision::F32].map(mean);
        assert!(
            mixed >= full - 0.003 && mixed >= 0.967,
            "{mixed} and {full}"
        );
    }
}
