//! Gradients clipped to a norm, against the twin in f64.

use approx::assert_relative_eq;
use ndarray::{Array1, array};
use wgpu_linear::model::{
    LayerParameters, Loss, MlpConfig, Model, Optimizer, SgdSettings, Targets,
};
use wgpu_linear::nn::{CLIPPING_WORDS, Clip, GradientNorm};
use wgpu_linear::{Vector, nn, reference};

use crate::compare::{U_ANY, gamma, within};
use crate::support::{Guarded, gpu, network_kernels, reals, row};

/// The norm and the clipped vectors, as the GPU computes them.
fn clipped(max_norm: f32, vectors: &[Vec<f32>]) -> (f32, Vec<Vec<f32>>) {
    let kernels = network_kernels();
    let buffers: Vec<_> = vectors.iter().map(Guarded::input).collect();
    let gradients: Vec<_> = buffers.iter().map(Guarded::vector).collect();
    let buffer = gpu()
        .upload("clipping", &[f32::NAN; CLIPPING_WORDS as usize])
        .unwrap();
    let clipping = Vector::new(&buffer, CLIPPING_WORDS);
    let mut steps = vec![
        kernels
            .gradient_norm(GradientNorm {
                gradients: &gradients,
                max_norm,
                clipping,
            })
            .unwrap(),
    ];
    for gradients in gradients {
        let operands = Clip {
            clipping,
            gradients,
        };
        steps.push(kernels.clip(operands).unwrap());
    }
    gpu().run(&steps).unwrap();
    let norm = gpu().read::<f32>(&buffer).unwrap()[0];
    (norm, buffers.iter().map(Guarded::read).collect())
}

/// Products, the additions of a thread, and two trees of 8; then a root, whose error WGSL takes
/// from its inverse (2 units) and a division (2.5), a sum, a division and two products.
fn relative(elements: usize) -> f64 {
    gamma(elements.div_ceil(1 << 14) + 8 + 40) + 12.0 * U_ANY
}

fn check(max_norm: f32, vectors: &[Vec<f32>]) {
    let (norm, actual) = clipped(max_norm, vectors);
    let all: Vec<f64> = vectors.concat().into_iter().map(f64::from).collect();
    let expected_norm = reference::gradient_norm(&all);
    let relative = relative(all.len());
    assert!(
        (f64::from(norm) - expected_norm).abs() <= relative * expected_norm,
        "norm {norm:e} instead of {expected_norm:e}"
    );
    let mut expected = all;
    reference::clip(max_norm, expected_norm, &mut expected);
    let expected = Array1::from(expected);
    let bound = expected.mapv(|g| relative * g.abs() + f64::from(f32::MIN_POSITIVE));
    within(
        Array1::from(actual.concat()).view(),
        expected.view(),
        bound.view(),
    )
    .unwrap_or_else(|error| panic!("clipped from {expected_norm:e} to {max_norm:e}: {error}"));
}

fn vectors(random: &mut fastrand::Rng, lens: &[usize], scale: f32) -> Vec<Vec<f32>> {
    let vector = |len: &usize| row(scale * reals(random, 1, *len)).to_vec();
    lens.iter().map(vector).collect()
}

#[test]
fn clipped_gradients_match_the_twin() {
    let mut random = fastrand::Rng::with_seed(61);
    for lens in [
        &[][..],
        &[0],
        &[1],
        &[3, 0, 255],
        &[256, 257, 2047],
        &[2048, 2049],
        &[600_000, 7],
    ] {
        for scale in [1e-3, 1.0, 1e4] {
            for max_norm in [1e-3, 1.0, 1e6] {
                check(max_norm, &vectors(&mut random, lens, scale));
            }
        }
    }
}

/// Squares of most of these are no f32.
#[test]
fn gradients_of_all_magnitudes_are_clipped() {
    let mut random = fastrand::Rng::with_seed(62);
    for scale in [1e-36, 1e-30, 1e-21, 1e-12, 1e12, 1e21, 1e30, 1e36] {
        for max_norm in [1e-15, 1.0, 1e30] {
            check(max_norm, &vectors(&mut random, &[3, 1000], scale));
        }
    }
    // Next to each other, on both sides of the borders of the ranges.
    let borders = [
        [1e-12_f32, 8e-13].as_slice(),
        &[1.0, 1e-30],
        &[1e12, 2e12, 1e30],
        &[1.2e12, 1.0e12, 1.05e12],
        &[1e30, 1e-30, 1.0],
        &[9.0e-13, 9.2e-13, 9.1e-13],
    ];
    for border in borders {
        // Many of the range below weigh as much as one of the range above.
        for copies in [1, 5000] {
            let mut gradients = border.to_vec();
            gradients.extend(vec![border[0]; copies]);
            check(1e-13, &[gradients.clone()]);
            check(0.5, &[gradients]);
        }
    }
}

#[test]
fn a_norm_beyond_f32_is_infinite_and_clipped_all_the_same() {
    let gradients = vec![3e38; 300];
    let (norm, actual) = clipped(1.0, &[gradients]);
    assert_eq!(norm, f32::INFINITY);
    let expected = 1.0 / 300.0_f32.sqrt();
    for g in &actual[0] {
        assert_relative_eq!(*g, expected, max_relative = 1e-5);
    }
}

#[test]
fn gradients_below_the_norm_keep_their_bits() {
    let gradients = vec![vec![3.0, -0.0, 1e-40], vec![4.0]];
    for max_norm in [5.1, 1e30] {
        let (norm, actual) = clipped(max_norm, &gradients);
        assert_relative_eq!(norm, 5.0, max_relative = 1e-6);
        let bits = |values: &[Vec<f32>]| -> Vec<u32> {
            values.concat().iter().map(|g| g.to_bits()).collect()
        };
        assert_eq!(bits(&actual), bits(&gradients));
    }
    let large = vec![vec![3e20, 4e20]];
    assert_eq!(clipped(5.1e20, &large).1, large);
    let (norm, actual) = clipped(2.5, &gradients);
    assert_relative_eq!(norm, 5.0, max_relative = 1e-6);
    assert_relative_eq!(actual[0][0], 1.5, max_relative = 1e-6);
    assert_relative_eq!(actual[1][0], 2.0, max_relative = 1e-6);
}

/// A norm that is not finite must not end in numbers that look right.
#[test]
fn gradients_that_are_not_finite_spoil_all_but_zeros() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut long = vec![0.5; 100_000];
        long[77_777] = bad;
        long[3] = 0.0;
        let mut twin = [long.clone(), vec![1.0, 0.0]];
        let (norm, actual) = clipped(1e30, &twin);
        assert!(norm.is_nan(), "{bad}: {norm}");
        let twin_norm = reference::gradient_norm(twin.iter().flatten());
        reference::clip(1e30, twin_norm, twin.iter_mut().flatten());
        for vectors in [&actual[..], &twin] {
            let zeros = vectors[0].iter().filter(|g| **g == 0.0).count();
            let spoilt = vectors[0].iter().filter(|g| g.is_nan()).count();
            assert_eq!((zeros, spoilt), (1, 99_999), "{bad}");
            assert!(vectors[1][0].is_nan() && vectors[1][1] == 0.0, "{bad}");
        }
    }
}

#[test]
fn clipping_gives_the_same_bits_every_time() {
    let gradients = vectors(&mut fastrand::Rng::with_seed(63), &[300_001, 12_345], 1.0);
    let first = clipped(0.1, &gradients);
    for _ in 0..10 {
        assert_eq!(clipped(0.1, &gradients), first);
    }
}

fn sgd(clip_norm: Option<f32>) -> MlpConfig {
    MlpConfig {
        clip_norm,
        optimizer: Optimizer::Sgd(SgdSettings::default()),
        ..MlpConfig::new(&[3, 7, 2])
    }
}

/// Three dispatches more than without.
#[test]
fn a_clipped_step_takes_three_dispatches_more() {
    let x = array![[1.0, 2.0, 3.0]];
    let dispatches = |clip_norm| {
        let mut mlp = nn::Mlp::new(gpu(), sgd(clip_norm)).unwrap();
        mlp.train_batch(x.view(), Targets::Classes(&[1])).unwrap();
        mlp.prepared_step(1).count()
    };
    assert_eq!(dispatches(Some(1.0)), dispatches(None) + 3);
}

#[test]
fn mlp_clips_as_its_twin_does() {
    for loss in [Loss::SoftmaxCrossEntropy, Loss::MeanSquaredError] {
        // Clipped in every step, in some, in none.
        for clip_norm in [1e-3, 0.7, 1e3] {
            let config = MlpConfig {
                loss,
                ..sgd(Some(clip_norm))
            };
            let mut on_gpu = nn::Mlp::new(gpu(), config.clone()).unwrap();
            let mut twin = reference::Mlp::<f64>::new(config).unwrap();
            let mut random = fastrand::Rng::with_seed(64);
            for _ in 0..10 {
                let (x, y) = (reals(&mut random, 4, 3), reals(&mut random, 4, 2));
                let targets = match loss {
                    Loss::SoftmaxCrossEntropy => Targets::Classes(&[0, 1, 1, 0]),
                    _ => Targets::Values(y.view()),
                };
                on_gpu.train_batch(x.view(), targets).unwrap();
                twin.train_batch(x.view(), targets).unwrap();
                let all = |layers: &[LayerParameters<f64>]| -> Vec<f64> {
                    layers
                        .iter()
                        .flat_map(|l| l.w.iter().chain(&l.b))
                        .copied()
                        .collect()
                };
                assert!(reference::gradient_norm(&all(twin.gradients())) <= f64::from(clip_norm));
            }
            let parameters = on_gpu.parameters().unwrap();
            for (actual, expected) in parameters.iter().zip(twin.layers()) {
                assert_relative_eq!(actual.w.mapv(f64::from), expected.w, epsilon = 1e-6);
                assert_relative_eq!(actual.b.mapv(f64::from), expected.b, epsilon = 1e-6);
            }
        }
    }
}

/// What was NaN once must not stay in the padding between tensors.
#[test]
fn a_clipped_network_learns_again_after_it_has_diverged() {
    let config = sgd(Some(1.0));
    let mut mlp = nn::Mlp::new(gpu(), config.clone()).unwrap();
    let good = mlp.parameters().unwrap();
    // What `set_parameters` refuses.
    let w = mlp.network().unwrap().layers()[1].w();
    let bad = [f32::NAN; 14];
    let bytes = bytemuck::cast_slice(&bad);
    gpu().queue().write_buffer(w.buffer, w.offset_bytes, bytes);
    let x = array![[1.0, 2.0, 3.0]];
    mlp.train_batch(x.view(), Targets::Classes(&[1])).unwrap();
    assert!(mlp.parameters().unwrap()[1].b.iter().all(|b| b.is_nan()));
    mlp.set_parameters(&good).unwrap();
    mlp.train_batch(x.view(), Targets::Classes(&[1])).unwrap();
    let mut twin = reference::Mlp::<f64>::new(config).unwrap();
    twin.train_batch(x.view(), Targets::Classes(&[1])).unwrap();
    for (actual, expected) in mlp.parameters().unwrap().iter().zip(twin.layers()) {
        assert_relative_eq!(actual.w.mapv(f64::from), expected.w, epsilon = 1e-6);
    }
}
