//! Smoothed labels: the formula of PyTorch, the kernels against the twin, and training.

use approx::assert_relative_eq;
use ndarray::{Array1, Array2, ArrayView1, array};
use wgpu_linear::model::{
    Activation, IGNORED, Loss, MlpConfig, Model, ModelError, Optimizer, SgdSettings, Targets,
};
use wgpu_linear::nn::{
    ClassWeightSum, ClassWeights, Mlp, SoftmaxCrossEntropy, SoftmaxCrossEntropySmall,
};
use wgpu_linear::reference::{gradcheck, smoothed_softmax_cross_entropy};
use wgpu_linear::train::{Dataset, evaluate};
use wgpu_linear::{Vector, nn, reference};

use crate::compare::{within, within_all};
use crate::loss_total::Total;
use crate::support::{Guarded, gpu, network_kernels, reals};

/// log p of a row, by its definition.
fn log_softmax(row: ArrayView1<'_, f64>) -> Array1<f64> {
    let sum: f64 = row.iter().map(|t| t.exp()).sum();
    row.mapv(|t| t - sum.ln())
}

/// What PyTorch's documentation of *CrossEntropyLoss* says of class indices with `weight` and
/// `label_smoothing`, in its own order: the plain loss and the smoothed one, each over all examples
/// that are not ignored, divided by the weights of their labels.
fn pytorch(t: &Array2<f64>, labels: &[u32], weights: &[f64], smoothing: f64) -> f64 {
    let counted = || labels.iter().enumerate().filter(|(_, y)| **y != IGNORED);
    let plain = counted().map(|(i, y)| {
        let y = *y as usize;
        -weights[y] * log_softmax(t.row(i))[y]
    });
    let smoothed = counted().map(|(i, _)| {
        let terms = log_softmax(t.row(i)).into_iter().zip(weights);
        -terms.map(|(log_p, w)| w * log_p).sum::<f64>()
    });
    let weight: f64 = counted().map(|(_, y)| weights[*y as usize]).sum();
    let [plain, smoothed]: [f64; 2] = [plain.sum(), smoothed.sum()];
    (1.0 - smoothing) * plain / weight + smoothing / weights.len() as f64 * smoothed / weight
}

/// Softmax is (1/8, 1/4, 5/8).
#[test]
fn smoothed_loss_of_a_row_is_what_one_works_out_by_hand() {
    let t = array![[1.0, 2.0, 5.0]].mapv(f64::ln);
    let (loss, dt) = smoothed_softmax_cross_entropy(t.view(), &[1], &[], 0.3);
    let by_hand = 0.8 * 4.0_f64.ln() + 0.1 * 8.0_f64.ln() + 0.1 * 1.6_f64.ln();
    assert_relative_eq!(loss[0], by_hand, max_relative = 1e-7);
    let by_hand = array![[0.125 - 0.1, 0.25 - 0.8, 0.625 - 0.1]];
    assert_relative_eq!(dt, by_hand, epsilon = 1e-7);
    // With weights 1, 2, 4: 0.7 · 2 more for the label, and 0.1 w for each.
    let (loss, dt) = smoothed_softmax_cross_entropy(t.view(), &[1], &[1.0, 2.0, 4.0], 0.3);
    let parts = [0.1, 1.6, 0.4];
    let by_hand = parts[0] * 8.0_f64.ln() + parts[1] * 4.0_f64.ln() + parts[2] * 1.6_f64.ln();
    assert_relative_eq!(loss[0], by_hand, max_relative = 1e-7);
    let by_hand = array![[2.1 / 8.0 - 0.1, 2.1 / 4.0 - 1.6, 2.1 * 0.625 - 0.4]] / 2.0;
    assert_relative_eq!(dt, by_hand, epsilon = 1e-7);
}

/// A class of weight 0 among them, and an example of that class.
#[test]
fn smoothed_loss_follows_pytorchs_formula() {
    let mut random = fastrand::Rng::with_seed(81);
    let t = 4.0 * reals(&mut random, 6, 4).mapv(f64::from);
    let labels = [2, IGNORED, 0, 3, 1, 1];
    for weights in [[1.0; 4], [0.5, 2.0, 1.5, 0.0]] {
        for smoothing in [0.0_f32, 0.1, 0.75] {
            let weights_f32 = weights.map(|w| w as f32);
            let (loss, _) =
                smoothed_softmax_cross_entropy(t.view(), &labels, &weights_f32, smoothing);
            let weight: f64 = labels.iter().filter_map(|y| weights.get(*y as usize)).sum();
            let expected = pytorch(&t, &labels, &weights, f64::from(smoothing));
            assert_relative_eq!(loss.sum() / weight, expected, max_relative = 1e-12);
        }
    }
}

/// Without smoothing it is the plain loss.
#[test]
fn a_smoothing_of_zero_is_the_plain_loss() {
    let t = 4.0 * reals(&mut fastrand::Rng::with_seed(82), 5, 3).mapv(f64::from);
    let (labels, weights) = ([0, 2, IGNORED, 1, 1], [0.5, 2.0, 1.5]);
    let (loss, dt) = smoothed_softmax_cross_entropy(t.view(), &labels, &weights, 0.0);
    let (plain, plain_dt) = reference::weighted_softmax_cross_entropy(t.view(), &labels, &weights);
    assert_relative_eq!(loss, plain, max_relative = 1e-12);
    assert_relative_eq!(dt, plain_dt, epsilon = 1e-15);
}

/// Loss of each row and gradient, as the GPU computes them; without weights where there are none.
pub(crate) fn cross_entropy_on_gpu(
    t: &Array2<f32>,
    labels: &[u32],
    class_weights: &[f32],
    label_smoothing: f32,
) -> (Array1<f32>, Array2<f32>) {
    let kernels = network_kernels();
    let (batch, classes) = t.dim();
    let buffer = gpu().upload("labels", labels).unwrap();
    let labels = Vector::new(&buffer, batch as u32);
    let (input, weights) = (Guarded::input(t), Guarded::input(class_weights));
    let [sum, row_loss, dt] = [1, batch, batch * classes].map(Guarded::output);
    let class_weights = ClassWeights {
        class_weights: weights.vector(),
        weight_sum: sum.vector(),
    };
    let is_weighted = class_weights.class_weights.len > 0;
    let operands = SoftmaxCrossEntropy {
        t: input.matrix(batch, classes),
        labels,
        weights: is_weighted.then_some(class_weights),
        label_smoothing,
        row_loss: row_loss.vector(),
        dt: dt.matrix(batch, classes),
    };
    let mut dispatches = vec![kernels.softmax_cross_entropy(operands).unwrap()];
    if is_weighted {
        let operands = ClassWeightSum {
            labels,
            class_weights: weights.vector(),
            sum: sum.vector(),
        };
        dispatches.insert(0, kernels.class_weight_sum(operands).unwrap());
    }
    gpu().run(&dispatches).unwrap();
    (row_loss.read().into(), dt.read_matrix(batch, classes))
}

#[test]
fn smoothed_cross_entropy_matches_the_twin_on_ragged_shapes() {
    let mut random = fastrand::Rng::with_seed(83);
    for batch in [0, 1, 3, 65] {
        for classes in [1, 2, 3, 10, 63, 64, 65, 500] {
            let t = 4.0 * reals(&mut random, batch, classes);
            let mut labels: Vec<u32> = (0..batch).map(|_| random.u32(0..classes as u32)).collect();
            let mut weights: Vec<f32> = (0..classes).map(|_| 0.25 + random.f32()).collect();
            for smoothing in [0.1, 0.9] {
                check(&t, &labels, &[], smoothing);
            }
            if batch > 1 {
                labels[1] = IGNORED;
                weights[labels[0] as usize] = 0.0;
            }
            check(&t, &labels, &weights, 0.3);
        }
    }
}

fn check(t: &Array2<f32>, labels: &[u32], weights: &[f32], smoothing: f32) {
    let name = format!("{:?}, {weights:?}, {smoothing}", t.dim());
    let (loss, dt) = cross_entropy_on_gpu(t, labels, weights, smoothing);
    let (expected_loss, expected_dt) =
        smoothed_softmax_cross_entropy(t.mapv(f64::from).view(), labels, weights, smoothing);
    // A loss is a sum of parts times logarithms of up to 8 + ln 500, the parts at most 1.25 in all.
    let bound = expected_loss.mapv(|loss| 4e-6 * loss.max(8.0));
    within(loss.view(), expected_loss.view(), bound.view())
        .unwrap_or_else(|error| panic!("loss of {name}: {error}"));
    let weight: f64 = labels
        .iter()
        .filter(|y| **y != IGNORED)
        .map(|y| weights.get(*y as usize).copied().map_or(1.0, f64::from))
        .sum();
    within_all(dt.view(), expected_dt.view(), 4e-6 / weight.max(0.25))
        .unwrap_or_else(|error| panic!("gradient of {name}: {error}"));
}

#[test]
fn small_smoothed_cross_entropy_matches_the_twin() {
    let (kernels, mut random) = (network_kernels(), fastrand::Rng::with_seed(84));
    for [batch, classes] in [[1, 1], [3, 2], [65, 10], [8, 1000]] {
        let t = 4.0 * reals(&mut random, batch, classes);
        let labels: Vec<u32> = (0..batch).map(|_| random.u32(0..classes as u32)).collect();
        let buffer = gpu().upload("labels", &labels).unwrap();
        let (input, dt, total) = (Guarded::input(&t), Guarded::output(t.len()), Total::new());
        let operands = SoftmaxCrossEntropySmall {
            t: input.matrix(batch, classes),
            labels: Vector::new(&buffer, batch as u32),
            label_smoothing: 0.2,
            dt: dt.matrix(batch, classes),
            total: total.vector(),
        };
        let dispatch = kernels.softmax_cross_entropy_small(operands).unwrap();
        gpu().run(&[dispatch]).unwrap();
        let twin = t.mapv(f64::from);
        let (loss, expected) = smoothed_softmax_cross_entropy(twin.view(), &labels, &[], 0.2);
        within_all(
            dt.read_matrix(batch, classes).view(),
            expected.view(),
            2e-6 / batch as f64,
        )
        .unwrap_or_else(|error| panic!("{batch}×{classes}: {error}"));
        let mean = loss.sum() / batch as f64;
        let error = (f64::from(total.mean().mean) - mean).abs();
        assert!(
            error <= 4e-6 * mean.max(8.0),
            "{batch}×{classes}: {error:e}"
        );
    }
}

/// Masked examples learn nothing, and where no example weighs anything, none does.
#[test]
fn smoothed_rows_that_are_passed_over_have_zeros_whatever_stands_there() {
    for bad in [f32::NAN, f32::INFINITY, 1e30] {
        let t = array![[bad, 1.0], [0.5, bad], [bad, bad]];
        for (labels, weights) in [([IGNORED; 3], [1.0, 1.0]), ([0, IGNORED, 0], [0.0, 1.0])] {
            let (loss, dt) = cross_entropy_on_gpu(&t, &labels, &weights, 0.1);
            assert!(loss.iter().chain(&dt).all(|value| *value == 0.0), "{dt}");
            let (loss, dt) = smoothed_softmax_cross_entropy(t.view(), &labels, &weights, 0.1);
            assert!(loss.iter().chain(&dt).all(|value| *value == 0.0), "{dt}");
        }
        let (loss, dt) = cross_entropy_on_gpu(&t, &[0, 1, 1], &[1.0, 1.0], 0.1);
        let is_spoilt = |value: &f32| bad == 1e30 || !value.is_finite();
        assert!(loss.iter().chain(&dt).all(is_spoilt), "{loss} {dt}");
    }
}

fn config(class_weights: &[f32]) -> MlpConfig {
    MlpConfig {
        activation: Activation::Tanh,
        class_weights: class_weights.to_vec(),
        label_smoothing: 0.2,
        optimizer: Optimizer::Sgd(SgdSettings {
            learning_rate: 0.1,
            momentum: 0.5,
            ..SgdSettings::default()
        }),
        ..MlpConfig::new(&[4, 6, 3])
    }
}

#[test]
fn gradcheck_passes_with_smoothed_labels() {
    let x = reals(&mut fastrand::Rng::with_seed(85), 7, 4);
    for class_weights in [&[][..], &[0.5, 2.0, 0.0]] {
        for labels in [[0, 1, 2, 2, 1, 0, 1], [0, IGNORED, 2, 2, 1, IGNORED, 0]] {
            let mut mlp = reference::Mlp::<f64>::new(config(class_weights)).unwrap();
            let found = gradcheck(&mut mlp, x.view(), Targets::Classes(&labels), 1e-6).unwrap();
            assert!(
                found.worst <= 1e-7,
                "{class_weights:?}, {labels:?}: {found:?}"
            );
        }
    }
}

/// One batch small enough for the kernel that does it all, one that is not, and one with masks.
#[test]
fn mlp_follows_its_twin_with_smoothed_labels() {
    for class_weights in [&[][..], &[0.5, 2.0, 0.0]] {
        let mut on_gpu = Mlp::new(gpu(), config(class_weights)).unwrap();
        let mut twin = reference::Mlp::<f64>::new(config(class_weights)).unwrap();
        let mut random = fastrand::Rng::with_seed(86);
        for (rows, masked) in [(5, false), (4000, false), (9, true)] {
            let x = reals(&mut random, rows, 4);
            let mut labels: Vec<u32> = (0..rows).map(|_| random.u32(0..3)).collect();
            labels[0] = if masked { IGNORED } else { 1 };
            on_gpu
                .train_batch(x.view(), Targets::Classes(&labels))
                .unwrap();
            twin.train_batch(x.view(), Targets::Classes(&labels))
                .unwrap();
        }
        let [loss, expected] = [on_gpu.take_loss(), twin.take_loss()].map(Result::unwrap);
        assert_relative_eq!(loss.mean, expected.mean, max_relative = 1e-5);
        for (actual, expected) in on_gpu.parameters().unwrap().iter().zip(twin.layers()) {
            assert_relative_eq!(actual.w.mapv(f64::from), expected.w, epsilon = 1e-6);
            assert_relative_eq!(actual.b.mapv(f64::from), expected.b, epsilon = 1e-6);
        }
    }
}

/// What is evaluated is the loss without it.
#[test]
fn evaluation_does_not_smooth_labels() {
    let x = reals(&mut fastrand::Rng::with_seed(87), 20, 4);
    let data = Dataset::new(x, (0..20).map(|i| i % 3).collect()).unwrap();
    let plain = MlpConfig {
        label_smoothing: 0.0,
        ..config(&[])
    };
    let [plain, smoothed] = [plain, config(&[])].map(|config| {
        let mut mlp = reference::Mlp::<f64>::new(config).unwrap();
        let training = mlp.batch_loss(data.x().view(), data.targets()).unwrap();
        (evaluate(&mut mlp, &data).unwrap().loss, training)
    });
    assert_eq!(smoothed.0, plain.0);
    assert_relative_eq!(plain.0, plain.1 as f32, max_relative = 1e-6);
    assert!((smoothed.1 - plain.1).abs() > 1e-3);
}

#[test]
fn settings_of_regularization_that_make_no_sense_are_refused() {
    let usual = MlpConfig::new(&[3, 4, 2]);
    let refused = |config: &MlpConfig, setting: &str| {
        for result in [
            nn::Mlp::new(gpu(), config.clone()).map(|_| ()),
            reference::Mlp::<f32>::new(config.clone()).map(|_| ()),
        ] {
            assert!(
                matches!(result, Err(ModelError::Setting { name, .. }) if name == setting),
                "{setting}: {config:?}"
            );
        }
    };
    for value in [-0.1, 1.0, f32::NAN, f32::INFINITY] {
        let smoothed = MlpConfig {
            label_smoothing: value,
            ..usual.clone()
        };
        refused(&smoothed, "label_smoothing");
        for sizes in [&[3, 4, 2][..], &[3, 2]] {
            let dropped = MlpConfig {
                dropout: value,
                ..MlpConfig::new(sizes)
            };
            refused(&dropped, "dropout");
        }
    }
    let never = MlpConfig {
        accumulation: 0,
        ..usual.clone()
    };
    refused(&never, "accumulation");
    let values = MlpConfig {
        loss: Loss::MeanSquaredError,
        label_smoothing: 0.1,
        ..usual
    };
    let result = reference::Mlp::<f32>::new(values);
    assert!(matches!(result, Err(ModelError::TargetKind { .. })));
    let last = wgpu_linear::model::NetworkConfig::new(3)
        .layer(2, Activation::Identity)
        .dropout(0.5);
    let result = reference::Mlp::<f32>::of_network(last);
    assert!(
        matches!(result, Err(ModelError::Setting { name, .. }) if name == "dropout of the last layer")
    );
}
