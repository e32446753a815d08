//! The network on the GPU against its twin.

use approx::assert_relative_eq;
use ndarray::{Array1, Array2, ArrayView2, Axis, Zip, array};
use wgpu_linear::model::{
    AdamSettings, LayerParameters, LionSettings, Loss, MlpConfig, Model, ModelError, Optimizer,
    SgdSettings, Targets,
};
use wgpu_linear::train::data::read_csv;
use wgpu_linear::{nn, reference};

use crate::compare::{U_ANY, gamma, within};
use crate::reference::ACTIVATIONS;
use crate::support::{gpu, reals};

/// Bad batches for a network of 3 inputs and 2 classes: each gets its typed error, and a good one
/// still works.
pub(crate) fn check_bad_batches(mlp: &mut impl Model) {
    let before = mlp.parameters().unwrap();
    let (two, wide) = (Array2::zeros((2, 3)), Array2::zeros((2, 4)));
    let classes = Targets::Classes(&[0, 1]);
    let result = mlp.train_batch(wide.view(), classes);
    assert!(
        matches!(
            result,
            Err(ModelError::Shape {
                what: "x",
                expected: [2, 3],
                actual: [2, 4]
            })
        ),
        "{result:?}"
    );
    let result = mlp.train_batch(two.view(), Targets::Classes(&[0]));
    assert!(
        matches!(
            result,
            Err(ModelError::Shape {
                what: "classes",
                ..
            })
        ),
        "{result:?}"
    );
    let result = mlp.train_batch(two.view(), Targets::Classes(&[0, 2]));
    assert!(
        matches!(
            result,
            Err(ModelError::Class {
                example: 1,
                class: 2,
                classes: 2
            })
        ),
        "{result:?}"
    );
    let result = mlp.train_batch(two.view(), Targets::Values(wide.view()));
    assert!(
        matches!(result, Err(ModelError::TargetKind { .. })),
        "{result:?}"
    );
    let result = mlp.predict(array![[0.0, 0.0, 0.0], [0.0, f32::NAN, 0.0]].view());
    assert!(
        matches!(
            result,
            Err(ModelError::NonFinite {
                what: "x",
                row: 1,
                column: 1,
                ..
            })
        ),
        "{result:?}"
    );
    let result = mlp.train_batch(
        array![[f32::INFINITY, 0.0, 0.0]].view(),
        Targets::Classes(&[0]),
    );
    assert!(
        matches!(
            result,
            Err(ModelError::NonFinite {
                what: "x",
                row: 0,
                column: 0,
                ..
            })
        ),
        "{result:?}"
    );
    for rate in [f32::NAN, -1.0, f32::INFINITY] {
        let result = mlp.set_learning_rate(rate);
        assert!(
            matches!(
                result,
                Err(ModelError::Setting {
                    name: "learning_rate",
                    ..
                })
            ),
            "{result:?}"
        );
    }
    assert!(mlp.learning_rate() > 0.0);
    let result = mlp.predict(wide.view());
    assert!(
        matches!(result, Err(ModelError::Shape { what: "x", .. })),
        "{result:?}"
    );
    let result = mlp.set_parameters(&[]);
    assert!(
        matches!(result, Err(ModelError::Shape { what: "layers", .. })),
        "{result:?}"
    );
    let transposed = LayerParameters {
        w: Array2::zeros((2, 3)),
        b: Array1::zeros(2),
    };
    let result = mlp.set_parameters(&[transposed]);
    assert!(
        matches!(result, Err(ModelError::Shape { what: "w", .. })),
        "{result:?}"
    );
    mlp.train_batch(Array2::zeros((0, 3)).view(), Targets::Classes(&[]))
        .unwrap();
    assert_eq!(
        mlp.parameters().unwrap(),
        before,
        "nothing above may change the parameters"
    );
    mlp.train_batch(two.view(), classes).unwrap();
    assert_eq!(mlp.take_loss().unwrap().examples, 2);
    assert_eq!(
        mlp.predict(Array2::zeros((0, 3)).view()).unwrap().dim(),
        (0, 2)
    );
}

#[test]
fn mlp_refuses_bad_batches_and_stays_usable() {
    let mut mlp = nn::Mlp::new(gpu(), MlpConfig::new(&[3, 2])).unwrap();
    check_bad_batches(&mut mlp);
}

/// A cross-entropy of anything but probabilities has no lower bound.
#[test]
fn models_refuse_values_that_are_no_probabilities_where_they_want_some() {
    let x = Array2::zeros((2, 3));
    for value in [-0.001, 1.001] {
        let y = array![[0.0, 1.0], [0.5, value]];
        let wide = Targets::Values(y.view());
        for loss in [Loss::BinaryCrossEntropy, Loss::MeanAbsoluteError] {
            let config = MlpConfig {
                loss,
                ..MlpConfig::new(&[3, 2])
            };
            let mut on_gpu = nn::Mlp::new(gpu(), config.clone()).unwrap();
            let mut twin = reference::Mlp::<f32>::new(config).unwrap();
            let data = nn::DeviceDataset::new(gpu(), x.view(), wide).unwrap();
            for result in [
                on_gpu.load_dataset(data),
                on_gpu.train_batch(x.view(), wide),
                twin.train_batch(x.view(), wide),
            ] {
                if loss == Loss::MeanAbsoluteError {
                    result.unwrap();
                    continue;
                }
                assert!(
                    matches!(
                        result,
                        Err(ModelError::Probability { row: 1, column: 1, value: v }) if v == value
                    ),
                    "{result:?}"
                );
            }
        }
    }
}

#[test]
fn mlp_refuses_configurations_that_make_no_network() {
    assert!(matches!(
        nn::Mlp::new(gpu(), MlpConfig::new(&[3])),
        Err(ModelError::LayerSizes { .. })
    ));
    let optimizer = Optimizer::Sgd(SgdSettings {
        learning_rate: f32::NAN,
        ..SgdSettings::default()
    });
    let config = MlpConfig {
        optimizer,
        ..MlpConfig::new(&[3, 2])
    };
    assert!(matches!(
        nn::Mlp::new(gpu(), config),
        Err(ModelError::Setting {
            name: "learning_rate",
            ..
        })
    ));
}

#[test]
fn mlp_refuses_networks_larger_than_the_device() {
    let result = nn::Mlp::new(gpu(), MlpConfig::new(&[1 << 20, 1 << 20, 10]));
    assert!(
        matches!(
            result,
            Err(ModelError::Gpu(
                wgpu_linear::GpuError::BufferTooLarge { .. }
            ))
        ),
        "{result:?}"
    );
}

/// More weights in one layer than a binding may hold on many devices, among them llvmpipe: 130 MiB
/// are bound in two parts there.
#[test]
fn mlp_predicts_with_a_layer_larger_than_a_binding() {
    let limits = gpu().device().limits();
    // Where a binding may be larger than that, this is one more layer.
    let binding = limits.max_storage_buffer_binding_size.min(128 << 20);
    let rows = usize::try_from(binding / 4 / 1024 + 1024).unwrap();
    let config = MlpConfig::new(&[rows, 1024]);
    let mut mlp = nn::Mlp::new(gpu(), config.clone()).unwrap();
    let w = &wgpu_linear::model::initial_parameters(&config)[0].w;
    let picked = [0, 1, rows / 2, rows - 1025, rows - 1024, rows - 1];
    let x = Array2::from_shape_fn((picked.len(), rows), |(i, j)| {
        f32::from(u8::from(j == picked[i]))
    });
    assert_eq!(
        mlp.predict(x.view()).unwrap(),
        w.select(ndarray::Axis(0), &picked)
    );
}

#[test]
fn mlp_returns_the_parameters_that_were_set() {
    let config = MlpConfig::new(&[3, 5, 2]);
    let mut mlp = nn::Mlp::new(gpu(), config.clone()).unwrap();
    assert_eq!(
        mlp.parameters().unwrap(),
        wgpu_linear::model::initial_parameters(&config)
    );
    let mut random = fastrand::Rng::with_seed(31);
    let parameters = vec![
        LayerParameters {
            w: reals(&mut random, 3, 5),
            b: Array1::from_elem(5, 0.5),
        },
        LayerParameters {
            w: reals(&mut random, 5, 2),
            b: Array1::from_elem(2, -0.5),
        },
    ];
    mlp.set_parameters(&parameters).unwrap();
    assert_eq!(mlp.parameters().unwrap(), parameters);
}

/// More rows than are sent through at a time, and a ragged rest.
#[test]
fn mlp_predicts_any_number_of_rows() {
    let config = MlpConfig {
        seed: 1,
        ..MlpConfig::new(&[3, 5, 2])
    };
    let mut mlp = nn::Mlp::new(gpu(), config.clone()).unwrap();
    let twin = reference::Mlp::<f64>::new(config).unwrap();
    let x = reals(&mut fastrand::Rng::with_seed(32), 2500, 3);
    let expected = twin.outputs(x.view()).unwrap();
    assert_relative_eq!(
        mlp.predict(x.view()).unwrap().mapv(f64::from),
        expected,
        epsilon = 1e-5
    );
    let columns_first = x.t().as_standard_layout().to_owned();
    assert_relative_eq!(
        mlp.predict(columns_first.t()).unwrap().mapv(f64::from),
        expected,
        epsilon = 1e-5
    );
}

fn optimizers() -> [Optimizer; 4] {
    let sgd = SgdSettings {
        learning_rate: 0.05,
        momentum: 0.9,
        nesterov: true,
        weight_decay: 1e-3,
    };
    let adam = AdamSettings {
        learning_rate: 1e-2,
        weight_decay: 1e-2,
        ..AdamSettings::default()
    };
    let lion = LionSettings {
        learning_rate: 1e-2,
        weight_decay: 1e-2,
        ..LionSettings::default()
    };
    [
        Optimizer::Sgd(sgd),
        Optimizer::Adam(adam),
        Optimizer::AdamW(adam),
        Optimizer::Lion(lion),
    ]
}

/// Batches of several sizes; every activation and every optimizer with each loss: the two paths
/// stay together, and the loss is measured alike.
#[test]
fn mlp_follows_its_twin_for_every_activation_loss_and_optimizer() {
    for (turn, activation) in ACTIVATIONS.into_iter().enumerate() {
        // The losses of values meet the activations in turn, and all losses the optimizers.
        let of_values = Loss::ALL[1 + turn % (Loss::ALL.len() - 1)];
        for (loss, beside) in [(Loss::SoftmaxCrossEntropy, 0), (of_values, 1 + turn / 4)] {
            check_follows(MlpConfig {
                activation,
                optimizer: optimizers()[(turn + beside) % 4],
                loss,
                ..MlpConfig::new(&[4, 9, 6, 3])
            });
        }
    }
}

/// What `scripts/test --quick` leaves out.
mod slow {
    use super::{ACTIVATIONS, Loss, MlpConfig, check_follows, optimizers};

    /// Every activation with every optimizer as well.
    #[test]
    fn mlp_follows_its_twin_for_every_combination() {
        for activation in ACTIVATIONS {
            for optimizer in optimizers() {
                for loss in Loss::ALL {
                    check_follows(MlpConfig {
                        activation,
                        optimizer,
                        loss,
                        ..MlpConfig::new(&[4, 9, 6, 3])
                    });
                }
            }
        }
    }
}

fn check_follows(config: MlpConfig) {
    let mut gpu_mlp = nn::Mlp::new(gpu(), config.clone()).unwrap();
    let mut twin = reference::Mlp::<f64>::new(config.clone()).unwrap();
    let mut random = fastrand::Rng::with_seed(33);
    for batch in [5, 5, 2, 5, 8, 1] {
        let (x, y) = (reals(&mut random, batch, 4), reals(&mut random, batch, 3));
        let y = y.mapv(f32::abs);
        let classes: Vec<u32> = (0..batch).map(|_| random.u32(0..3)).collect();
        let targets = match config.loss {
            Loss::SoftmaxCrossEntropy => Targets::Classes(&classes),
            _ => Targets::Values(y.view()),
        };
        gpu_mlp.train_batch(x.view(), targets).unwrap();
        twin.train_batch(x.view(), targets).unwrap();
        let (on_gpu, on_cpu) = (gpu_mlp.take_loss().unwrap(), twin.take_loss().unwrap());
        assert_eq!(on_gpu.examples, on_cpu.examples);
        assert_relative_eq!(on_gpu.mean, on_cpu.mean, max_relative = 1e-4);
    }
    assert!(
        gpu_mlp.take_loss().unwrap().mean.is_nan(),
        "no examples since"
    );
    for (actual, expected) in gpu_mlp.parameters().unwrap().iter().zip(twin.layers()) {
        assert_relative_eq!(actual.w.mapv(f64::from), expected.w, epsilon = 1e-4);
        assert_relative_eq!(actual.b.mapv(f64::from), expected.b, epsilon = 1e-4);
    }
}

#[test]
fn mlp_takes_a_new_learning_rate_from_the_next_batch_on() {
    let config = MlpConfig::new(&[3, 2]);
    for mlp in [
        &mut nn::Mlp::new(gpu(), config.clone()).unwrap() as &mut dyn Model,
        &mut reference::Mlp::<f32>::new(config).unwrap(),
    ] {
        let x = array![[1.0, 2.0, 3.0]];
        mlp.set_learning_rate(0.0).unwrap();
        let before = mlp.parameters().unwrap();
        mlp.train_batch(x.view(), Targets::Classes(&[1])).unwrap();
        assert_eq!(mlp.parameters().unwrap(), before);
        mlp.set_learning_rate(0.5).unwrap();
        assert_eq!(mlp.learning_rate(), 0.5);
        mlp.train_batch(x.view(), Targets::Classes(&[1])).unwrap();
        assert_ne!(mlp.parameters().unwrap(), before);
    }
}

/// A hidden layer so wide that 1,024 rows of it exceed a binding of 128 MiB.
#[test]
fn mlp_predicts_with_wide_layers() {
    let config = MlpConfig::new(&[1, 40_000, 2]);
    let mut mlp = nn::Mlp::new(gpu(), config.clone()).unwrap();
    let x = reals(&mut fastrand::Rng::with_seed(35), 900, 1);
    let expected = reference::Mlp::<f32>::new(config)
        .unwrap()
        .predict(x.view())
        .unwrap();
    assert_relative_eq!(mlp.predict(x.view()).unwrap(), expected, epsilon = 1e-4);
}

/// More batch sizes than are kept.
#[test]
fn mlp_takes_batches_of_any_number_of_sizes() {
    let config = MlpConfig::new(&[2, 3, 2]);
    let (mut mlp, mut twin) = (
        nn::Mlp::new(gpu(), config.clone()).unwrap(),
        reference::Mlp::<f32>::new(config).unwrap(),
    );
    let mut random = fastrand::Rng::with_seed(36);
    for batch in (1..150).rev() {
        let (x, classes) = (reals(&mut random, batch, 2), vec![1; batch]);
        mlp.train_batch(x.view(), Targets::Classes(&classes))
            .unwrap();
        twin.train_batch(x.view(), Targets::Classes(&classes))
            .unwrap();
    }
    let (on_gpu, on_cpu) = (mlp.take_loss().unwrap(), twin.take_loss().unwrap());
    assert_eq!(on_gpu.examples, on_cpu.examples);
    assert_relative_eq!(on_gpu.mean, on_cpu.mean, max_relative = 1e-4);
}

/// 784 inputs and more steps than may be in flight, without a pause between them.
#[test]
fn mlp_takes_many_batches_without_being_asked_for_the_loss() {
    let mut mlp = nn::Mlp::new(gpu(), MlpConfig::new(&[784, 10])).unwrap();
    let x = reals(&mut fastrand::Rng::with_seed(34), 4, 784);
    for _ in 0..100 {
        mlp.train_batch(x.view(), Targets::Classes(&[1, 2, 3, 4]))
            .unwrap();
    }
    let loss = mlp.take_loss().unwrap();
    assert_eq!(loss.examples, 400);
    assert!(loss.mean.is_finite());
}

fn digits_batches(batch: usize) -> (Array2<f32>, Vec<u32>, usize) {
    let digits = read_csv(crate::data::digits_path())
        .unwrap()
        .scaled(1.0 / 16.0);
    let count = digits.len() / batch;
    (digits.x().clone(), digits.labels().to_vec(), count)
}

/// From equal weights and batches the two paths agree in loss to 1e-3 after 100 steps.
#[test]
fn mlp_agrees_with_its_twin_in_loss_after_100_steps() {
    let config = MlpConfig::new(&[64, 128, 10]);
    let mut on_gpu = nn::Mlp::new(gpu(), config.clone()).unwrap();
    let mut on_cpu = reference::Mlp::<f32>::new(config).unwrap();
    let (x, labels, count) = digits_batches(64);
    let batch = |step: usize| {
        let rows = step % count * 64..(step % count + 1) * 64;
        (
            x.slice_axis(Axis(0), rows.clone().into()),
            labels[rows].to_vec(),
        )
    };
    for step in 0..100 {
        let (x, labels) = batch(step);
        on_gpu.train_batch(x, Targets::Classes(&labels)).unwrap();
        on_cpu.train_batch(x, Targets::Classes(&labels)).unwrap();
    }
    on_gpu.take_loss().unwrap();
    on_cpu.take_loss().unwrap();
    let (x, labels) = batch(100);
    on_gpu.train_batch(x, Targets::Classes(&labels)).unwrap();
    on_cpu.train_batch(x, Targets::Classes(&labels)).unwrap();
    let (on_gpu, on_cpu) = (on_gpu.take_loss().unwrap(), on_cpu.take_loss().unwrap());
    assert_relative_eq!(on_gpu.mean, on_cpu.mean, max_relative = 1e-3);
    assert!(
        on_cpu.mean < 1.0,
        "the network has learned something: {}",
        on_cpu.mean
    );
}

/// A value with a bound on its rounding error.
struct Approx {
    value: Array2<f64>,
    error: Array2<f64>,
}

impl Approx {
    fn exact(value: Array2<f64>) -> Self {
        Self {
            error: Array2::zeros(value.dim()),
            value,
        }
    }

    /// |value| + error: what the computed value cannot exceed.
    fn size(&self) -> Array2<f64> {
        self.value.mapv(f64::abs) + &self.error
    }

    fn t(&self) -> Self {
        Self {
            value: self.value.t().to_owned(),
            error: self.error.t().to_owned(),
        }
    }

    /// |fl(AB) − AB| ≤ γ_k |A||B| for the computed factors, and the errors of the factors on top.
    fn dot(&self, other: &Self, extra_terms: usize) -> Self {
        let rounding = gamma(self.value.ncols() + extra_terms) * self.size().dot(&other.size());
        let carried = self.error.dot(&other.size()) + self.size().dot(&other.error);
        Self {
            value: self.value.dot(&other.value),
            error: rounding + carried,
        }
    }

    fn check(&self, actual: ArrayView2<'_, f32>, what: &str) {
        within(actual, self.value.view(), self.error.view())
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let loose = self
            .error
            .iter()
            .zip(&self.value)
            .filter(|(error, value)| **error > value.abs().max(1e-3))
            .count();
        assert!(
            loose == 0,
            "{what}: the bound is too loose to mean anything for {loose} elements"
        );
    }
}

/// One step of SGD on 64-128-10 with the error bound carried through every operation: gradients and
/// new weights of both paths lie within the sum of what each operation may lose.
#[test]
fn mlp_stays_within_the_error_bound_after_one_step() {
    let rate = 0.5_f32;
    let optimizer = Optimizer::Sgd(SgdSettings {
        learning_rate: rate,
        ..SgdSettings::default()
    });
    let config = MlpConfig {
        optimizer,
        ..MlpConfig::new(&[64, 128, 10])
    };
    let (x, labels, _) = digits_batches(64);
    let (x, labels) = (x.slice_axis(Axis(0), (0..64).into()), &labels[..64]);
    let mut on_gpu = nn::Mlp::new(gpu(), config.clone()).unwrap();
    let mut on_cpu = reference::Mlp::<f32>::new(config.clone()).unwrap();
    let before = on_gpu.parameters().unwrap();
    on_gpu.train_batch(x, Targets::Classes(labels)).unwrap();
    on_cpu.train_batch(x, Targets::Classes(labels)).unwrap();

    let expected = expected_gradients(x, labels, &before);
    let gpu_gradients = pollster::block_on(on_gpu.gradients_async()).unwrap();
    for (path, gradients, after) in [
        ("gpu", gpu_gradients, on_gpu.parameters().unwrap()),
        (
            "twin",
            on_cpu.gradients().to_vec(),
            on_cpu.parameters().unwrap(),
        ),
    ] {
        for layer in 0..2 {
            let [dw, db] = &expected[layer];
            dw.check(gradients[layer].w.view(), &format!("dW {layer} of {path}"));
            db.check(
                gradients[layer].b.view().insert_axis(Axis(0)),
                &format!("db {layer} of {path}"),
            );
            let step = |p: Array2<f64>, g: &Approx| {
                let value = &p - f64::from(rate) * &g.value;
                let rounding = 3.0 * U_ANY * (p.mapv(f64::abs) + f64::from(rate) * g.size());
                Approx {
                    value,
                    error: f64::from(rate) * &g.error + rounding,
                }
            };
            step(before[layer].w.mapv(f64::from), dw)
                .check(after[layer].w.view(), &format!("W {layer} of {path}"));
            let b = before[layer].b.mapv(f64::from).insert_axis(Axis(0));
            step(b, db).check(
                after[layer].b.view().insert_axis(Axis(0)),
                &format!("b {layer} of {path}"),
            );
        }
    }
}

/// dW and db of both layers of a ReLU network with biases of 0, in f64, with the bound for f32.
fn expected_gradients(
    x: ArrayView2<'_, f32>,
    labels: &[u32],
    layers: &[LayerParameters],
) -> Vec<[Approx; 2]> {
    let x = Approx::exact(x.mapv(f64::from));
    let w = [0, 1].map(|layer| Approx::exact(layers[layer].w.mapv(f64::from)));
    let t0 = x.dot(&w[0], 1);
    let a0 = Approx {
        value: t0.value.mapv(|t| t.max(0.0)),
        error: t0.error.clone(),
    };
    let t1 = a0.dot(&w[1], 1);
    let dt1 = cross_entropy_gradient(&t1, labels);
    let da0 = dt1.dot(&w[1].t(), 0);
    // Where t0 may have the other sign, the gradient may be passed or stopped.
    let mut dt0 = da0;
    Zip::from(&mut dt0.value)
        .and(&mut dt0.error)
        .and(&t0.value)
        .and(&t0.error)
        .for_each(|value, error, t, e| {
            if t.abs() <= *e {
                *error += value.abs();
            } else if *t < 0.0 {
                *error = 0.0;
            }
            if *t <= 0.0 {
                *value = 0.0;
            }
        });
    let ones = Approx::exact(Array2::ones((1, labels.len())));
    vec![
        [x.t().dot(&dt0, 0), ones.dot(&dt0, 0)],
        [a0.t().dot(&dt1, 0), ones.dot(&dt1, 0)],
    ]
}

/// (softmax − onehot) / batch. An error e of the logits changes a probability by a factor of at
/// most exp(2e); WGSL grants exp 3 + 2|x| units in the last place, and the sum, the quotient and
/// the rest lose a unit each.
fn cross_entropy_gradient(t: &Approx, labels: &[u32]) -> Approx {
    let (_, value) = reference::softmax_cross_entropy(t.value.view(), labels);
    let (batch, classes) = value.dim();
    let mut error = Array2::zeros(value.dim());
    for i in 0..batch {
        let row = t.value.row(i);
        let range = row.fold(f64::MIN, |a, b| a.max(*b)) - row.fold(f64::MAX, |a, b| a.min(*b));
        let logits = t.error.row(i).fold(0.0_f64, |a, b| a.max(*b));
        let factor =
            (2.0 * logits).exp_m1() + U_ANY * (2.0 * (3.0 + 2.0 * range) + classes as f64 + 6.0);
        for j in 0..classes {
            let hit = f64::from(u8::from(labels[i] as usize == j));
            let probability = value[[i, j]] * batch as f64 + hit;
            error[[i, j]] =
                (probability * factor + 4.0 * U_ANY * (probability + hit)) / batch as f64;
        }
    }
    Approx { value, error }
}
