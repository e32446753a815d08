//! Classes and rows that weigh more than others, and rows that are passed over.

use approx::assert_relative_eq;
use ndarray::{Array1, Array2, Axis, array};
use wgpu_linear::model::{
    IGNORED, LayerParameters, Loss, MlpConfig, Model, ModelError, Optimizer, SgdSettings,
    TargetKind, Targets,
};
use wgpu_linear::nn::{
    AccumulateLoss, ClassWeightSum, DeviceDataset, ElementwiseLoss, RowWeightSum,
};
use wgpu_linear::reference::gradcheck;
use wgpu_linear::{Matrix, Vector, nn, reference};

use crate::compare::{U_ANY, gamma, within};
use crate::loss_total::Total;
use crate::network::{elementwise_bounds, elementwise_losses, probabilities};
use crate::smoothing::cross_entropy_on_gpu;
use crate::support::{Guarded, gpu, network_kernels, reals};

/// Σ of the weights of classes, by the device.
fn class_weight_sum(labels: &[u32], class_weights: &[f32]) -> f32 {
    let buffer = gpu().upload("labels", labels).unwrap();
    let (weights, sum) = (Guarded::input(class_weights), Guarded::output(1));
    let operands = ClassWeightSum {
        labels: Vector::new(&buffer, labels.len() as u32),
        class_weights: weights.vector(),
        sum: sum.vector(),
    };
    gpu()
        .run(&[network_kernels().class_weight_sum(operands).unwrap()])
        .unwrap();
    sum.read()[0]
}

/// Small whole numbers, whose sums f32 holds exactly. The last length takes two passes on llvmpipe.
#[test]
fn sums_of_weights_are_exact_on_integers() {
    let mut random = fastrand::Rng::with_seed(71);
    for len in [0, 1, 255, 256, 257, 1000, (1 << 23) + 3] {
        let labels: Vec<u32> = (0..len).map(|_| random.u32(0..5)).collect();
        // Labels 3 and 4 are no classes.
        let expected = labels
            .iter()
            .map(|l| [1.0, 0.0, 2.0, 0.0, 0.0][*l as usize]);
        let sum = class_weight_sum(&labels, &[1.0, 0.0, 2.0]);
        assert_eq!(f64::from(sum), expected.sum::<f64>(), "{len} labels");
        for outputs in [0, 2] {
            let y = Array2::from_shape_fn((len.min(1 << 20), outputs + 1), |(i, j)| {
                if j == outputs { (i % 4) as f32 } else { 7.0 }
            });
            let (input, sum) = (Guarded::input(&y), Guarded::output(1));
            let operands = RowWeightSum {
                y: input.matrix(y.nrows(), outputs + 1),
                sum: sum.vector(),
            };
            gpu()
                .run(&[network_kernels().row_weight_sum(operands).unwrap()])
                .unwrap();
            assert_eq!(sum.read(), [y.column(outputs).sum()], "{len}×{outputs}");
        }
    }
    assert_eq!(class_weight_sum(&[IGNORED, 1, IGNORED], &[1.0, 2.5]), 2.5);
}

/// From 0 to 4, 0 among them.
fn some_weights(random: &mut fastrand::Rng, len: usize) -> Vec<f32> {
    let weight = |_| match random.u32(0..4) {
        0 => 0.0,
        _ => 4.0 * random.f32(),
    };
    (0..len).map(weight).collect()
}

/// Labels, one in five of them masked.
fn some_labels(random: &mut fastrand::Rng, len: usize, classes: usize) -> Vec<u32> {
    let label = |_| match random.u32(0..5) {
        0 => IGNORED,
        _ => random.u32(0..classes as u32),
    };
    (0..len).map(label).collect()
}

#[test]
fn weighted_cross_entropy_matches_the_twin_on_ragged_shapes() {
    let mut random = fastrand::Rng::with_seed(72);
    for batch in [0, 1, 3, 65, 300] {
        for classes in [1, 2, 3, 10, 64, 65, 500] {
            let t = 4.0 * reals(&mut random, batch, classes);
            let weights = some_weights(&mut random, classes);
            let labels = some_labels(&mut random, batch, classes);
            let (loss, dt) = cross_entropy_on_gpu(&t, &labels, &weights, 0.0);
            let (expected_loss, expected_dt) = reference::weighted_softmax_cross_entropy(
                t.mapv(f64::from).view(),
                &labels,
                &weights,
            );
            // As without weights, with the weight of the row over that of the batch for 1 / batch.
            let row_weights: Array1<f64> = labels
                .iter()
                .map(|label| weights.get(*label as usize).copied().map_or(0.0, f64::from))
                .collect();
            let bound = expected_loss.mapv(|loss| 2e-6 * loss.max(4.0));
            within(loss.view(), expected_loss.view(), bound.view())
                .unwrap_or_else(|error| panic!("loss of {batch}×{classes}: {error}"));
            let all = row_weights.sum().max(1e-30);
            let shares = row_weights.mapv(|weight| 2e-6 * weight / all);
            let bound = shares.insert_axis(Axis(1));
            let bound = bound.broadcast(dt.dim()).unwrap();
            within(dt.view(), expected_dt.view(), bound)
                .unwrap_or_else(|error| panic!("gradient of {batch}×{classes}: {error}"));
        }
    }
}

/// Losses and gradients, as the GPU computes them, with its own sum of weights.
fn weighted_elementwise(
    loss: Loss,
    t: &Array2<f32>,
    y: &Array2<f32>,
    weights: &[f32],
) -> [Array2<f32>; 2] {
    let kernels = network_kernels();
    let (batch, outputs) = t.dim();
    let column = Array2::from_shape_vec((batch, 1), weights.to_vec()).unwrap();
    let y = ndarray::concatenate![Axis(1), *y, column];
    let (t, y) = (Guarded::input(t), Guarded::input(&y));
    let sum = Guarded::output(1);
    let [element_loss, dt] = [0; 2].map(|_| Guarded::output(batch * outputs));
    let y = y.matrix(batch, outputs + 1);
    let sum_operands = RowWeightSum {
        y,
        sum: sum.vector(),
    };
    let operands = ElementwiseLoss {
        loss,
        t: t.matrix(batch, outputs),
        y,
        weight_sum: Some(sum.vector()),
        element_loss: element_loss.matrix(batch, outputs),
        dt: dt.matrix(batch, outputs),
    };
    gpu()
        .run(&[
            kernels.row_weight_sum(sum_operands).unwrap(),
            kernels.elementwise_loss(operands).unwrap(),
        ])
        .unwrap();
    [element_loss, dt].map(|values| values.read_matrix(batch, outputs))
}

#[test]
fn weighted_elementwise_losses_match_the_twin_on_ragged_shapes() {
    let mut random = fastrand::Rng::with_seed(73);
    for loss in elementwise_losses() {
        for (batch, outputs) in [(0, 3), (1, 1), (3, 1), (1, 300), (65, 7)] {
            let t = 4.0 * reals(&mut random, batch, outputs);
            let y = probabilities(&mut random, batch, outputs);
            let mut weights = some_weights(&mut random, batch);
            // Something to divide by.
            weights.first_mut().into_iter().for_each(|w| *w = 1.5);
            let [losses, dt] = weighted_elementwise(loss, &t, &y, &weights);
            let twins = [&t, &y].map(|values| values.mapv(f64::from));
            let twin_weights: Array1<f64> = weights.iter().copied().map(f64::from).collect();
            let (expected_losses, expected_dt) = reference::weighted_elementwise_loss(
                loss,
                twins[0].view(),
                twins[1].view(),
                twin_weights.view(),
            );
            let [loss_bound, dt_bound] =
                elementwise_bounds(loss, &t, [&expected_losses, &expected_dt]);
            // The bound has a part for weights of 1: 4 is the largest, over at least 1.5. The sum of
            // weights adds its own error, and a product.
            let sum = (gamma(batch + 8) + 2.0 * U_ANY) * expected_dt.mapv(f64::abs);
            let dt_bound = dt_bound * (4.0 * batch as f64) + sum;
            let loss_bound = loss_bound * 4.0 + U_ANY * expected_losses.mapv(f64::abs);
            within(losses.view(), expected_losses.view(), loss_bound.view())
                .unwrap_or_else(|error| panic!("{loss:?}, {batch}×{outputs}: {error}"));
            within(dt.view(), expected_dt.view(), dt_bound.view())
                .unwrap_or_else(|error| panic!("gradient of {loss:?}, {batch}×{outputs}: {error}"));
        }
    }
}

/// Whole numbers and powers of two, where nothing is rounded.
#[test]
fn weighted_losses_are_exact_on_integers() {
    let t = array![[3.0, 1.0], [5.0, 5.0], [0.0, -2.0]];
    let y = array![[1.0, 1.0], [4.0, 7.0], [0.0, 0.0]];
    let [losses, dt] = weighted_elementwise(Loss::MeanSquaredError, &t, &y, &[3.0, 0.0, 1.0]);
    assert_eq!(losses, array![[6.0, 0.0], [0.0, 0.0], [0.0, 2.0]]);
    assert_eq!(dt, array![[1.5, 0.0], [0.0, 0.0], [0.0, -0.5]]);
}

/// Masked rows learn nothing even from outputs that are not finite, and alone they leave zeros.
#[test]
fn rows_of_weight_zero_have_zeros_whatever_stands_there() {
    for bad in [f32::NAN, f32::INFINITY, 1e30] {
        let t = array![[bad, 1.0], [0.0, bad]];
        for labels in [[IGNORED, IGNORED], [0, IGNORED], [0, 0]] {
            let (loss, dt) = cross_entropy_on_gpu(&t, &labels, &[0.0, 1.0], 0.0);
            assert!(loss.iter().chain(&dt).all(|value| *value == 0.0), "{dt}");
        }
        for loss in elementwise_losses() {
            let y = Array2::zeros((2, 2));
            let [losses, dt] = weighted_elementwise(loss, &t, &y, &[0.0; 2]);
            assert!(losses.iter().chain(&dt).all(|value| *value == 0.0), "{dt}");
        }
    }
}

#[test]
fn totals_take_the_weights_of_batches() {
    let total = Total::new();
    let losses = Guarded::input(&[0.5, 0.25, 4.0]);
    let mut examples = 0;
    for weight in [3.5, 0.0, 1e20] {
        let weight_sum = Guarded::input([&weight]);
        let operands = AccumulateLoss {
            losses: losses.vector(),
            batch: 3,
            weight_sum: Some(weight_sum.vector()),
            total: total.vector(),
        };
        gpu()
            .run(&[network_kernels().accumulate_loss(operands).unwrap()])
            .unwrap();
        examples += 3;
        let expected = f64::from(examples) / 3.0 * 4.75;
        let weights = if weight > 4.0 { 1e20_f32 } else { 3.5 };
        assert_eq!(total.mean().mean, (expected / f64::from(weights)) as f32);
        assert_eq!(total.mean().examples, u64::from(examples as u32));
    }
    // The weight counts once, however many passes the losses take.
    let total = Total::new();
    let losses = Guarded::input(&vec![1.0; (1 << 23) + 3]);
    let weight_sum = Guarded::input(&[2.0]);
    let operands = AccumulateLoss {
        losses: losses.vector(),
        batch: 5,
        weight_sum: Some(weight_sum.vector()),
        total: total.vector(),
    };
    gpu()
        .run(&[network_kernels().accumulate_loss(operands).unwrap()])
        .unwrap();
    assert_eq!(total.mean().mean, ((1 << 22) + 1) as f32 + 0.5);
    assert_eq!(total.mean().examples, 5);
}

fn config(loss: Loss, class_weights: &[f32]) -> MlpConfig {
    MlpConfig {
        loss,
        class_weights: class_weights.to_vec(),
        optimizer: Optimizer::Sgd(SgdSettings {
            learning_rate: 0.1,
            momentum: 0.5,
            ..SgdSettings::default()
        }),
        ..MlpConfig::new(&[4, 6, 3])
    }
}

/// Batches with all kinds of targets.
struct Batch {
    x: Array2<f32>,
    y: Array2<f32>,
    labels: Vec<u32>,
    weights: Vec<f32>,
}

impl Batch {
    fn new(random: &mut fastrand::Rng, rows: usize) -> Self {
        Self {
            x: reals(random, rows, 4),
            y: probabilities(random, rows, 3),
            labels: some_labels(random, rows, 3),
            weights: some_weights(random, rows),
        }
    }

    fn targets(&self, loss: Loss) -> Targets<'_> {
        match loss.targets() {
            TargetKind::Classes => Targets::Classes(&self.labels),
            _ => Targets::WeightedValues {
                values: self.y.view(),
                weights: &self.weights,
            },
        }
    }

    /// Those rows.
    fn select(&self, rows: &[usize]) -> Self {
        Self {
            x: self.x.select(Axis(0), rows),
            y: self.y.select(Axis(0), rows),
            labels: rows.iter().map(|row| self.labels[*row]).collect(),
            weights: rows.iter().map(|row| self.weights[*row]).collect(),
        }
    }
}

#[test]
fn gradcheck_passes_with_weights() {
    let batch = Batch::new(&mut fastrand::Rng::with_seed(74), 12);
    assert!(batch.labels.contains(&IGNORED) && batch.weights.contains(&0.0));
    for loss in Loss::ALL {
        for class_weights in [&[][..], &[0.5, 2.0, 0.0]] {
            if loss.targets() == TargetKind::Values && !class_weights.is_empty() {
                continue;
            }
            let config = MlpConfig {
                activation: wgpu_linear::model::Activation::Tanh,
                ..config(loss, class_weights)
            };
            let mut mlp = reference::Mlp::<f64>::new(config).unwrap();
            let found = gradcheck(&mut mlp, batch.x.view(), batch.targets(loss), 1e-6).unwrap();
            assert!(found.worst <= 1e-7, "{loss:?}: {found:?}");
        }
    }
}

/// A weight of k does what k copies of the row do, and a weight of 0, or a masked row, what none
/// does.
#[test]
fn whole_weights_stand_for_copies() {
    let mut batch = Batch::new(&mut fastrand::Rng::with_seed(75), 9);
    batch.weights = vec![2.0, 0.0, 1.0, 3.0, 1.0, 0.0, 2.0, 1.0, 1.0];
    let class_weights = [3.0, 1.0, 2.0];
    for loss in Loss::ALL {
        let is_classes = loss.targets() == TargetKind::Classes;
        let copies = |row: usize| match batch.labels[row] {
            _ if !is_classes => batch.weights[row] as usize,
            IGNORED => 0,
            label => class_weights[label as usize] as usize,
        };
        let rows: Vec<_> = (0..9).flat_map(|row| vec![row; copies(row)]).collect();
        let copied = batch.select(&rows);
        let weights = if is_classes { &class_weights[..] } else { &[] };
        let mut weighted = reference::Mlp::<f64>::new(config(loss, weights)).unwrap();
        let mut plain = reference::Mlp::<f64>::new(config(loss, &[])).unwrap();
        let plain_targets = match loss.targets() {
            TargetKind::Classes => Targets::Classes(&copied.labels),
            _ => Targets::Values(copied.y.view()),
        };
        let (x, targets) = (batch.x.view(), batch.targets(loss));
        let expected = plain.batch_loss(copied.x.view(), plain_targets).unwrap();
        assert_relative_eq!(
            weighted.batch_loss(x, targets).unwrap(),
            expected,
            max_relative = 1e-12
        );
        weighted.train_batch(x, targets).unwrap();
        plain.train_batch(copied.x.view(), plain_targets).unwrap();
        same_layers(plain.gradients(), weighted.gradients(), 1e-14);
        let [weighted, plain] = [weighted.take_loss(), plain.take_loss()].map(Result::unwrap);
        assert_relative_eq!(weighted.mean, plain.mean, max_relative = 1e-6);
        assert_eq!(weighted.examples, 9);
    }
}

fn same_layers(expected: &[LayerParameters<f64>], actual: &[LayerParameters<f64>], epsilon: f64) {
    for (actual, expected) in actual.iter().zip(expected) {
        assert_relative_eq!(actual.w, expected.w, epsilon = epsilon);
        assert_relative_eq!(actual.b, expected.b, epsilon = epsilon);
    }
}

fn f64s(layers: &[LayerParameters]) -> Vec<LayerParameters<f64>> {
    let layer = |layer: &LayerParameters| LayerParameters {
        w: layer.w.mapv(f64::from),
        b: layer.b.mapv(f64::from),
    };
    layers.iter().map(layer).collect()
}

/// Batches of several sizes, so that the reported mean is one over batches of different weight; one
/// of them weighs nothing.
#[test]
fn mlp_follows_its_twin_with_weights() {
    for loss in Loss::ALL {
        for class_weights in [&[][..], &[0.5, 2.0, 1.25]] {
            if loss.targets() == TargetKind::Values && !class_weights.is_empty() {
                continue;
            }
            let config = config(loss, class_weights);
            let mut on_gpu = nn::Mlp::new(gpu(), config.clone()).unwrap();
            let mut twin = reference::Mlp::<f64>::new(config).unwrap();
            let mut random = fastrand::Rng::with_seed(76);
            for rows in [5, 9, 1, 9, 2000] {
                let mut batch = Batch::new(&mut random, rows);
                if rows == 1 {
                    (batch.labels, batch.weights) = (vec![IGNORED], vec![0.0]);
                }
                let targets = batch.targets(loss);
                on_gpu.train_batch(batch.x.view(), targets).unwrap();
                twin.train_batch(batch.x.view(), targets).unwrap();
                let gradients = pollster::block_on(on_gpu.gradients_async()).unwrap();
                same_layers(twin.gradients(), &f64s(&gradients), 1e-5);
                let is_zero =
                    |layer: &LayerParameters| layer.w.iter().chain(&layer.b).all(|g| *g == 0.0);
                assert_eq!(gradients.iter().all(is_zero), rows == 1);
            }
            let (actual, expected) = (on_gpu.take_loss().unwrap(), twin.take_loss().unwrap());
            assert_eq!(actual.examples, expected.examples);
            assert_relative_eq!(actual.mean, expected.mean, max_relative = 1e-5);
            same_layers(twin.layers(), &f64s(&on_gpu.parameters().unwrap()), 1e-5);
        }
    }
}

/// A batch that weighs nothing leaves no trace in the reported mean.
#[test]
fn batches_of_masked_rows_alone_add_nothing() {
    let config = config(Loss::SoftmaxCrossEntropy, &[]);
    let x = Array2::ones((2, 4));
    let masked = Targets::Classes(&[IGNORED; 2]);
    for mlp in [
        &mut nn::Mlp::new(gpu(), config.clone()).unwrap() as &mut dyn Model,
        &mut reference::Mlp::<f32>::new(config).unwrap(),
    ] {
        let before = mlp.parameters().unwrap();
        mlp.train_batch(x.view(), masked).unwrap();
        assert_eq!(mlp.parameters().unwrap(), before);
        let nothing = mlp.take_loss().unwrap();
        assert!(nothing.mean.is_nan() && nothing.examples == 2);
        mlp.train_batch(x.view(), Targets::Classes(&[1, 1]))
            .unwrap();
        mlp.train_batch(x.view(), masked).unwrap();
        let loss = mlp.take_loss().unwrap();
        assert!(loss.mean.is_finite() && loss.examples == 4);
    }
}

/// From the device, the gathered weights are those of the host.
#[test]
fn resident_training_takes_weights_along() {
    let mut random = fastrand::Rng::with_seed(77);
    let batch = Batch::new(&mut random, 23);
    for (loss, class_weights) in [
        (Loss::SoftmaxCrossEntropy, &[][..]),
        (Loss::SoftmaxCrossEntropy, &[0.5, 2.0, 1.25]),
        (Loss::MeanSquaredError, &[]),
        (Loss::BinaryCrossEntropy, &[]),
    ] {
        let config = config(loss, class_weights);
        let mut resident = nn::Mlp::new(gpu(), config.clone()).unwrap();
        let mut from_host = nn::Mlp::new(gpu(), config).unwrap();
        let data = DeviceDataset::new(gpu(), batch.x.view(), batch.targets(loss)).unwrap();
        resident.load_dataset(data).unwrap();
        let mut order: Vec<usize> = (0..23).collect();
        random.shuffle(&mut order);
        resident.train_indices(&order, 10).unwrap();
        for rows in order.chunks(10) {
            let batch = batch.select(rows);
            assert!(loss.targets() != TargetKind::Classes || batch.labels.contains(&IGNORED));
            from_host
                .train_batch(batch.x.view(), batch.targets(loss))
                .unwrap();
        }
        assert_eq!(
            resident.parameters().unwrap(),
            from_host.parameters().unwrap()
        );
        assert_eq!(
            resident.take_loss().unwrap(),
            from_host.take_loss().unwrap()
        );
    }
}

/// Weights cost a dispatch for their sum, and the cross-entropy of small batches its own kernel;
/// without them there is neither.
#[test]
fn steps_without_weights_take_no_dispatch_more() {
    let x = Array2::ones((2, 4));
    let count = |loss, targets| {
        let mut mlp = nn::Mlp::new(gpu(), config(loss, &[])).unwrap();
        mlp.train_batch(x.view(), targets).unwrap();
        mlp.prepared_step(2).count()
    };
    let plain = count(Loss::SoftmaxCrossEntropy, Targets::Classes(&[0, 1]));
    let masked = count(Loss::SoftmaxCrossEntropy, Targets::Classes(&[0, IGNORED]));
    // Two layers forward, two weight gradients, one input gradient, the loss and the update.
    assert_eq!((plain, masked), (7, 9));
    let y = Array2::zeros((2, 3));
    let values = y.view();
    let weighted = Targets::WeightedValues {
        values,
        weights: &[1.0; 2],
    };
    let plain = count(Loss::MeanSquaredError, Targets::Values(values));
    assert_eq!((plain, count(Loss::MeanSquaredError, weighted)), (8, 9));
}

/// Weights of 1 change no bit where the kernels are the same.
#[test]
fn weights_of_one_keep_the_bits() {
    let mut random = fastrand::Rng::with_seed(78);
    let batch = Batch::new(&mut random, 37);
    for loss in elementwise_losses() {
        let mut plain = nn::Mlp::new(gpu(), config(loss, &[])).unwrap();
        let mut weighted = nn::Mlp::new(gpu(), config(loss, &[])).unwrap();
        let values = batch.y.view();
        plain
            .train_batch(batch.x.view(), Targets::Values(values))
            .unwrap();
        let weights = &[1.0; 37];
        let targets = Targets::WeightedValues { values, weights };
        weighted.train_batch(batch.x.view(), targets).unwrap();
        assert_eq!(plain.parameters().unwrap(), weighted.parameters().unwrap());
        assert_eq!(plain.take_loss().unwrap(), weighted.take_loss().unwrap());
    }
}

#[test]
fn weights_that_are_none_are_refused() {
    let x = Array2::zeros((2, 4));
    let y = Array2::zeros((2, 3));
    let config_of = config(Loss::MeanAbsoluteError, &[]);
    let mut on_gpu = nn::Mlp::new(gpu(), config_of.clone()).unwrap();
    let mut twin = reference::Mlp::<f32>::new(config_of).unwrap();
    for weight in [-1e-9, f32::NAN, f32::INFINITY] {
        let targets = Targets::WeightedValues {
            values: y.view(),
            weights: &[1.0, weight],
        };
        for result in [
            on_gpu.train_batch(x.view(), targets),
            twin.train_batch(x.view(), targets),
            DeviceDataset::new(gpu(), x.view(), targets).map(|_| ()),
        ] {
            let result = result.unwrap_err();
            assert!(
                matches!(result, ModelError::Weight { example: 1, .. }),
                "{result:?}"
            );
        }
        let config = config(Loss::SoftmaxCrossEntropy, &[1.0, weight, 1.0]);
        let result = reference::Mlp::<f32>::new(config).unwrap_err();
        let is_setting = matches!(
            result,
            ModelError::Setting {
                name: "class_weights",
                ..
            }
        );
        assert!(is_setting, "{result:?}");
    }
    let short = Targets::WeightedValues {
        values: y.view(),
        weights: &[1.0],
    };
    for result in [
        on_gpu.train_batch(x.view(), short),
        twin.train_batch(x.view(), short),
        DeviceDataset::new(gpu(), x.view(), short).map(|_| ()),
    ] {
        let result = result.unwrap_err();
        assert!(
            matches!(
                result,
                ModelError::Shape {
                    what: "weights",
                    ..
                }
            ),
            "{result:?}"
        );
    }
    let result = nn::Mlp::new(gpu(), config(Loss::SoftmaxCrossEntropy, &[1.0; 2])).unwrap_err();
    assert!(
        matches!(
            result,
            ModelError::Shape {
                what: "class weights",
                ..
            }
        ),
        "{result:?}"
    );
    let result = nn::Mlp::new(gpu(), config(Loss::MeanSquaredError, &[1.0; 3])).unwrap_err();
    assert!(
        matches!(result, ModelError::TargetKind { .. }),
        "{result:?}"
    );
}

#[test]
fn weighted_operations_refuse_wrong_shapes() {
    let kernels = network_kernels();
    let buffers = [0; 5].map(|_| gpu().zeros("operand", 64).unwrap());
    let [t, y, sum, losses, dt] = &buffers;
    let weight_sum = Some(Vector::new(sum, 1));
    let good = ElementwiseLoss {
        loss: Loss::MeanSquaredError,
        t: Matrix::new(t, 2, 3),
        y: Matrix::new(y, 2, 4),
        weight_sum,
        element_loss: Matrix::new(losses, 2, 3),
        dt: Matrix::new(dt, 2, 3),
    };
    assert!(kernels.elementwise_loss(good).is_ok());
    let weight_sum = Some(Vector::new(sum, 2));
    for bad in [
        ElementwiseLoss {
            y: Matrix::new(y, 2, 3),
            ..good
        },
        ElementwiseLoss { weight_sum, ..good },
        ElementwiseLoss {
            weight_sum: None,
            ..good
        },
    ] {
        assert!(kernels.elementwise_loss(bad).is_err());
    }
    for columns in [0, 1] {
        let result = kernels.row_weight_sum(RowWeightSum {
            y: Matrix::new(y, 2, columns),
            sum: Vector::new(sum, 1),
        });
        assert_eq!(result.is_ok(), columns == 1);
    }
}
