//! Inference with weights of f16: against the twin, what it takes of memory, and devices without.

use ndarray::{Array2, ArrayView2};
use wgpu_linear::model::{
    Activation, LayerParameters, MlpConfig, Model, ModelError, NetworkConfig, Precision, Targets,
};
use wgpu_linear::nn::{Network, Predictor};
use wgpu_linear::{Gpu, Matrix, PrepareError, nn, reference};

use crate::halves::gpu_with_f16;
use crate::support::{integers, reals};
use crate::windows::{gpu_with, gpu_with_features};

/// The outputs for each row of `x`, the last layer's columns wide.
fn predict(gpu: &Gpu, predictor: &Predictor, x: ArrayView2<'_, f32>, outputs: usize) -> Vec<f32> {
    let rows = x.nrows();
    let values: Vec<f32> = x.iter().copied().collect();
    let x_buffer = gpu.upload("x", &values).unwrap();
    let buffer = gpu
        .upload("outputs", &vec![f32::NAN; rows * outputs])
        .unwrap();
    let prediction = predictor.predict_into(
        Matrix::new(&x_buffer, rows as u32, x.ncols() as u32),
        Matrix::new(&buffer, rows as u32, outputs as u32),
    );
    gpu.run(prediction.unwrap().dispatches()).unwrap();
    gpu.read(&buffer).unwrap()
}

/// The mean of |a − b|.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    apart.sum::<f32>() / a.len() as f32
}

/// As in training, both round to the same 11 bits, and are apart where a sum lies between two of
/// these.
#[test]
fn predictions_follow_the_twin() {
    let Some(gpu) = gpu_with_f16() else { return };
    let x = reals(&mut fastrand::Rng::with_seed(1), 300, 12);
    for activation in [Activation::Relu, Activation::Tanh, Activation::Gelu] {
        let config = MlpConfig {
            activation,
            output_activation: activation,
            ..MlpConfig::new(&[12, 31, 24, 5])
        };
        let mut on_gpu = nn::Mlp::new(gpu, config.clone()).unwrap();
        let on_cpu = reference::Mlp::<f32>::new(config).unwrap();
        let full: Vec<f32> = on_gpu.predict(x.view()).unwrap().into_iter().collect();
        for precision in [Precision::F16, Precision::Mixed] {
            let predictor = on_gpu.network().unwrap().predictor(precision).unwrap();
            assert_eq!(predictor.precision(), precision);
            let twin = on_cpu.predictor(precision).unwrap();
            let predicted = predict(gpu, &predictor, x.view(), 5);
            let expected: Vec<f32> = twin.outputs(x.view()).unwrap().into_iter().collect();
            let [to_twin, to_full] = [&expected, &full].map(|other| distance(&predicted, other));
            println!("{activation:?}, {precision}: {to_twin} from the twin, {to_full} from f32");
            assert!(to_full > 1e-5, "{activation:?}, {precision}: {to_full}");
            assert!(
                to_twin <= 0.05 * to_full,
                "{activation:?}, {precision}: {to_twin} and {to_full}"
            );
        }
        let predictor = on_gpu.network().unwrap().predictor(Precision::F32).unwrap();
        assert_eq!(predict(gpu, &predictor, x.view(), 5), full);
    }
}

/// Layers of whole numbers, with sums below 2,048.
fn whole(sizes: &[usize], seed: u64) -> Vec<LayerParameters> {
    let mut random = fastrand::Rng::with_seed(seed);
    let layer = |ends: &[usize]| LayerParameters {
        w: integers(&mut random, ends[0], ends[1], 1),
        b: integers(&mut random, 1, ends[1], 3).into_iter().collect(),
    };
    sizes.windows(2).map(layer).collect()
}

fn network(gpu: &Gpu, sizes: &[usize]) -> Network {
    let layers = sizes[1..].iter();
    let config = NetworkConfig::new(sizes[0]);
    let config = layers.fold(config, |config, size| {
        config.layer(*size, Activation::Identity)
    });
    Network::new(gpu, config).unwrap()
}

/// Inputs of 0 but for two, so that sums stay small; and what must come of them.
fn examples(layers: &[LayerParameters], rows: usize) -> (Array2<f32>, Vec<f32>) {
    let inputs = layers[0].w.nrows();
    let x = Array2::from_shape_fn((rows, inputs), |(i, j)| {
        let is_one = (7 * i + 3) % inputs == j || (5 * i + 1) % inputs == j;
        f32::from(u8::from(is_one))
    });
    let mut a = x.clone();
    for layer in layers {
        a = reference::forward(a.view(), layer.w.view(), Some(layer.b.view()));
        assert!(a.iter().all(|a| a.abs() < 2048.0));
    }
    (x, a.into_iter().collect())
}

/// Weights that a device cannot bind at once are converted in parts, an odd number of them too.
#[test]
fn predictions_are_exact_on_small_integers() {
    let Some(gpu) = gpu_with_f16() else { return };
    let features = wgpu::Features::SUBGROUP | wgpu::Features::SHADER_F16;
    let narrow = gpu_with_features(features, |adapter| {
        let least = 257 * u64::from(adapter.min_storage_buffer_offset_alignment);
        wgpu::Limits {
            max_storage_buffer_binding_size: least.max(21 << 10),
            ..adapter
        }
    });
    for gpu in [gpu, &narrow] {
        for sizes in [&[131, 157, 33][..], &[5, 7, 3], &[3, 5]] {
            let layers = whole(sizes, 2);
            let network = network(gpu, sizes);
            network.set_parameters(&layers).unwrap();
            let (x, expected) = examples(&layers, 9);
            for precision in Precision::ALL {
                let predictor = network.predictor(precision).unwrap();
                let outputs = sizes[sizes.len() - 1];
                let predicted = predict(gpu, &predictor, x.view(), outputs);
                assert_eq!(predicted, expected, "{sizes:?}, {precision}");
            }
        }
    }
}

#[test]
fn a_predictor_is_a_copy() {
    let Some(gpu) = gpu_with_f16() else { return };
    let sizes = [5, 7, 3];
    let network = network(gpu, &sizes);
    let [first, second] = [1, 2].map(|seed| whole(&sizes, seed));
    network.set_parameters(&first).unwrap();
    let predictor = network.predictor(Precision::F16).unwrap();
    network.set_parameters(&second).unwrap();
    let (x, expected) = examples(&first, 6);
    assert_ne!(examples(&second, 6).1, expected);
    assert_eq!(predict(gpu, &predictor, x.view(), 3), expected);
    drop(network);
    assert_eq!(predict(gpu, &predictor, x.view(), 3), expected);
}

#[test]
fn a_predictor_of_f16_takes_half_the_memory() {
    if gpu_with_f16().is_none() {
        return;
    }
    // Nobody else allocates here.
    let gpu = Gpu::new().unwrap();
    let sizes = [512, 512, 512];
    let network = network(&gpu, &sizes);
    let allocated = || {
        // What is no longer needed is freed when the device is waited for.
        gpu.read::<f32>(&gpu.zeros("nothing", 1).unwrap()).unwrap();
        let report = gpu.device().generate_allocator_report();
        report.map(|report| report.total_allocated_bytes)
    };
    let bytes = |precision| {
        drop(network.predictor(precision).unwrap());
        let before = allocated()?;
        let predictor = network.predictor(precision).unwrap();
        let after = allocated()?;
        drop(predictor);
        Some(after - before)
    };
    let (Some(half), Some(full)) = (bytes(Precision::F16), bytes(Precision::F32)) else {
        eprintln!("SKIPPED: this backend does not tell what is allocated");
        return;
    };
    println!("{half} bytes instead of {full}");
    let weights = 2 * 512 * 512;
    assert!(half.abs_diff(2 * weights) <= weights / 20, "{half}");
    assert!(full.abs_diff(4 * weights) <= weights / 20, "{full}");
}

/// By name, or f32 on request.
#[test]
fn a_device_without_f16_names_it_or_takes_f32_on_request() {
    let none = gpu_with(|limits| limits); // opened with subgroups alone
    let sizes = [5, 7, 3];
    let network = network(&none, &sizes);
    let layers = whole(&sizes, 1);
    network.set_parameters(&layers).unwrap();
    for precision in [Precision::F16, Precision::Mixed] {
        let error = network.predictor(precision).unwrap_err();
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
    }
    for asked in Precision::ALL {
        let precision = asked.or_f32(none.device().features());
        assert_eq!(precision, Precision::F32);
        let predictor = network.predictor(precision).unwrap();
        let (x, expected) = examples(&layers, 6);
        assert_eq!(predict(&none, &predictor, x.view(), 3), expected);
        let config = MlpConfig {
            precision,
            ..MlpConfig::new(&sizes)
        };
        let mut mlp = nn::Mlp::new(&none, config).unwrap();
        mlp.train_batch(x.view(), Targets::Classes(&[0; 6]))
            .unwrap();
    }
}

/// What `scripts/test --quick` leaves out.
mod slow {
    use super::*;
    use crate::training::{config, digits, train};
    use wgpu_linear::train::TrainOptions;

    fn largest(row: &[f32]) -> usize {
        let largest = (0..row.len()).max_by(|i, j| row[*i].total_cmp(&row[*j]));
        largest.unwrap()
    }

    /// Trained in f32, judged in f16.
    #[test]
    fn digits_are_told_apart_as_well_as_in_f32() {
        let Some(gpu) = gpu_with_f16() else { return };
        let (_, test) = digits();
        for seed in 0..3 {
            let mut mlp = nn::Mlp::new(gpu, config(seed)).unwrap();
            let options = TrainOptions {
                seed,
                ..TrainOptions::default()
            };
            let full = train(&mut mlp, options).test.accuracy;
            let predictor = mlp.network().unwrap().predictor(Precision::F16).unwrap();
            let outputs = predict(gpu, &predictor, test.x().view(), 10);
            let rows = outputs.chunks_exact(10).zip(test.labels());
            let right = rows.filter(|(row, label)| largest(row) == **label as usize);
            let half = right.count() as f32 / test.len() as f32;
            println!("seed {seed}: {half} in f16, {full} in f32");
            assert!((half - full).abs() <= 0.003, "{half} and {full}");
        }
    }
}
