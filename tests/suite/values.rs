//! Data sets of values, how well a model does on them, and models behind pointers.

use std::ops::ControlFlow;

use approx::assert_relative_eq;
use ndarray::{Array2, ArrayView2, Axis, array};
use wgpu_linear::model::{
    AdamSettings, LayerParameters, Loss, MlpConfig, Model, ModelError, Optimizer, TargetKind,
    Targets,
};
use wgpu_linear::train::{
    Dataset, DatasetError, Metric, Summary, TrainOptions, Trainer, evaluate, evaluate_with,
};
use wgpu_linear::{nn, reference};

use crate::delegate::delegate;
use crate::support::{gpu, reals};

fn go_on<T: ?Sized>(_: &T) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn twin(sizes: &[usize], loss: Loss) -> reference::Mlp {
    reference::Mlp::new(with_loss(sizes, loss)).unwrap()
}

fn with_loss(sizes: &[usize], loss: Loss) -> MlpConfig {
    MlpConfig {
        loss,
        ..MlpConfig::new(sizes)
    }
}

/// Examples that can be told apart, with values.
fn numbered(examples: usize) -> Dataset {
    let x = Array2::from_shape_fn((examples, 2), |(i, j)| (2 * i + j) as f32);
    let y = Array2::from_shape_fn((examples, 1), |(i, _)| -(i as f32));
    Dataset::with_values(x, y).unwrap()
}

#[test]
fn dataset_holds_classes_or_values() {
    let x = array![[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]];
    let y = array![[0.5], [1.5], [2.5]];
    let values = Dataset::with_values(x.clone(), y.clone()).unwrap();
    assert_eq!((values.values(), values.labels()), (Some(&y), &[][..]));
    assert!(matches!(values.targets(), Targets::Values(of) if of == y));
    assert_eq!((values.len(), values.is_empty()), (3, false));
    let classes = Dataset::new(x.clone(), vec![7, 8, 9]).unwrap();
    assert_eq!((classes.values(), classes.labels()), (None, &[7, 8, 9][..]));
    assert!(matches!(classes.targets(), Targets::Classes(&[7, 8, 9])));
    let (examples, targets) = (3, 2);
    let error = DatasetError { examples, targets };
    assert_eq!(Dataset::new(x.clone(), vec![0; 2]), Err(error));
    let short = y.select(Axis(0), &[0, 1]);
    assert_eq!(Dataset::with_values(x.clone(), short), Err(error));

    let picked = values.select(&[2, 0, 2]);
    assert_eq!(picked.x(), &array![[4.0, 5.0], [0.0, 1.0], [4.0, 5.0]]);
    assert_eq!(picked.values(), Some(&array![[2.5], [0.5], [2.5]]));
    let (rest, part) = values.split_every(2);
    assert_eq!(rest.values(), Some(&array![[1.5]]));
    assert_eq!(part.values(), Some(&array![[0.5], [2.5]]));
    let scaled = values.scaled(2.0);
    assert_eq!((scaled.x(), scaled.values()), (&(x * 2.0), Some(&y)));
}

#[test]
fn split_random_takes_every_example_once() {
    let all = numbered(101);
    let numbers = |set: &Dataset| -> Vec<i32> {
        let y = set.values().unwrap();
        let rows = set.x().column(0).to_vec().into_iter().zip(y.column(0));
        rows.map(|(x, y)| {
            assert_eq!(x, -2.0 * y, "a row with the target of another");
            -*y as i32
        })
        .collect()
    };
    let (rest, part) = all.split_random(0.25, 3);
    let (rest, part) = (numbers(&rest), numbers(&part));
    assert_eq!([rest.len(), part.len()], [76, 25]);
    assert!(rest.is_sorted() && part.is_sorted(), "in their order");
    let mut both = [&rest[..], &part].concat();
    both.sort_unstable();
    assert_eq!(both, (0..101).collect::<Vec<_>>());
    // Neither the first nor the last nor every fourth.
    let steps: std::collections::BTreeSet<_> = part.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(steps.len() > 2, "{part:?}");

    assert_eq!(numbers(&all.split_random(0.25, 3).1), part);
    assert_ne!(numbers(&all.split_random(0.25, 4).1), part);
    for (share, taken) in [(0.0, 0), (1.0, 101), (0.004, 0), (0.005, 1)] {
        assert_eq!(all.split_random(share, 0).1.len(), taken);
    }
    assert!(all.select(&[]).split_random(0.5, 0).1.is_empty());
}

/// More rows than are looked at together.
#[test]
fn evaluation_has_the_loss_that_the_model_minimizes() {
    let mut random = fastrand::Rng::with_seed(5);
    let (x, y) = (reals(&mut random, 2500, 3), reals(&mut random, 2500, 4));
    let labels = (0..2500).map(|_| random.u32(0..4)).collect();
    let values = Dataset::with_values(x.clone(), y).unwrap();
    let classes = Dataset::new(x, labels).unwrap();
    for loss in [Loss::MeanSquaredError, Loss::SoftmaxCrossEntropy] {
        let data = match loss.targets() {
            TargetKind::Classes => &classes,
            _ => &values,
        };
        let oracle = reference::Mlp::<f64>::new(with_loss(&[3, 8, 4], loss)).unwrap();
        let expected = oracle.batch_loss(data.x().view(), data.targets()).unwrap();
        let evaluation = evaluate(&mut twin(&[3, 8, 4], loss), data).unwrap();
        assert_relative_eq!(f64::from(evaluation.loss), expected, max_relative = 1e-6);
        assert_eq!(evaluation.metric("loss"), Some(evaluation.loss));
    }
}

#[test]
fn metrics_match_known_values() {
    let t = array![[1.0, 12.0], [3.0, 10.0], [3.0, 37.0]];
    let y = array![[1.0, 10.0], [2.0, 10.0], [3.0, 40.0]];
    let values = Targets::Values(y.view());
    // (0 + 2 + 1 + 0 + 0 + 3) / 6
    let error = Metric::mean_absolute_error();
    assert_eq!(error.measure(t.view(), values), 1.0);
    // 1 − (0 + 4 + 1 + 0 + 0 + 9) / (1 + 0 + 1 + 100 + 100 + 400)
    let r2 = Metric::r2();
    assert_relative_eq!(r2.measure(t.view(), values), 1.0 - 14.0 / 602.0);
    assert_eq!(r2.measure(y.view(), values), 1.0);
    let means = array![[2.0, 20.0], [2.0, 20.0], [2.0, 20.0]];
    assert_eq!(r2.measure(means.view(), values), 0.0);

    let logits = array![[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, f32::NAN]];
    let classes = Targets::Classes(&[1, 1, 0, 0]);
    assert_eq!(Metric::accuracy().measure(logits.view(), classes), 0.25);

    // Nothing to measure.
    assert!(r2.measure(t.view(), Targets::Values(means.view())).is_nan());
    let none = array![[1.0, 2.0]].select(Axis(0), &[]);
    for (metric, targets) in [
        (&r2, Targets::Values(none.view())),
        (&error, Targets::Values(none.view())),
        (&Metric::accuracy(), Targets::Classes(&[])),
        (&r2, Targets::Classes(&[])),
        (&error, Targets::Classes(&[])),
        (&Metric::accuracy(), Targets::Values(none.view())),
    ] {
        let value = metric.measure(none.view(), targets);
        assert!(value.is_nan(), "{metric:?} {targets:?}");
    }
}

#[test]
fn evaluation_names_its_metrics() {
    let mut model = twin(&[2, 1], Loss::MeanSquaredError);
    let data = numbered(5);
    let first = Metric::new("first", |outputs, targets| {
        let Targets::Values(y) = targets else {
            return f32::NAN;
        };
        outputs[[0, 0]] + 100.0 * y.sum()
    });
    let evaluation = evaluate_with(&mut model, &data, std::slice::from_ref(&first)).unwrap();
    let outputs = model.predict(data.x().view()).unwrap();
    assert_eq!(evaluation.metric("first"), Some(outputs[[0, 0]] - 1000.0));
    let names: Vec<_> = evaluation.metrics().map(|metric| metric.0).collect();
    assert_eq!(names, ["mean_absolute_error", "r2", "first"]);
    let error = Metric::mean_absolute_error().measure(outputs.view(), data.targets());
    assert_eq!(evaluation.metric("mean_absolute_error"), Some(error));
    assert_eq!(evaluation.metric("accuracy"), None);
    assert!(evaluation.accuracy.is_nan());

    // A metric in the place of another.
    let seven = Metric::new("r2", |_, _| 7.0);
    let replaced = evaluate_with(&mut model, &data, &[first, seven]).unwrap();
    let names: Vec<_> = replaced.metrics().map(|metric| metric.0).collect();
    assert_eq!(names, ["mean_absolute_error", "first", "r2"]);
    assert_eq!(replaced.metric("r2"), Some(7.0));

    let classes = Dataset::new(data.x().clone(), vec![0; 5]).unwrap();
    let mut model = twin(&[2, 1], Loss::SoftmaxCrossEntropy);
    let evaluation = evaluate(&mut model, &classes).unwrap();
    assert_eq!(evaluation.accuracy, 1.0);
    assert_eq!(evaluation.metric("accuracy"), Some(1.0));
}

#[test]
fn evaluations_are_equal_where_their_numbers_are() {
    let mut model = twin(&[2, 1], Loss::MeanSquaredError);
    let data = numbered(5);
    let evaluation = evaluate(&mut model, &data).unwrap();
    assert_eq!(evaluation, evaluate(&mut model, &data).unwrap());
    let empty = evaluate(&mut model, &data.select(&[])).unwrap();
    assert!(empty.loss.is_nan());
    assert_eq!(empty, empty.clone());
    assert_ne!(empty, evaluation);
    let with = |value: f32, name: &str| {
        let metric = Metric::new(name, move |_, _| value);
        evaluate_with(&mut twin(&[2, 1], Loss::MeanSquaredError), &data, &[metric]).unwrap()
    };
    assert_eq!(with(1.0, "a"), with(1.0, "a"));
    assert_ne!(with(1.0, "a"), with(2.0, "a"));
    assert_ne!(with(1.0, "a"), with(1.0, "b"));
    assert_ne!(with(1.0, "a"), evaluation);
}

/// A model whose outputs the test gives.
struct Outputs {
    inner: reference::Mlp,
    outputs: Array2<f32>,
}

impl Model for Outputs {
    delegate!(inner: layer_sizes, device, train_batch, take_loss, loss, learning_rate, set_learning_rate, parameters, set_parameters);

    fn predict(&mut self, _: ArrayView2<'_, f32>) -> Result<Array2<f32>, ModelError> {
        Ok(self.outputs.clone())
    }
}

#[test]
fn evaluate_refuses_what_does_not_fit() {
    let mut model = Outputs {
        inner: twin(&[2, 1], Loss::MeanSquaredError),
        outputs: Array2::zeros((3, 1)),
    };
    let x = Array2::zeros((3, 2));
    let classes = Dataset::new(x.clone(), vec![0; 3]).unwrap();
    let result = evaluate(&mut model, &classes);
    assert!(
        matches!(result, Err(ModelError::TargetKind { .. })),
        "{result:?}"
    );
    let wide = Dataset::with_values(x.clone(), Array2::zeros((3, 2))).unwrap();
    let result = evaluate(&mut model, &wide);
    assert!(
        matches!(
            result,
            Err(ModelError::Shape {
                what: "target values",
                ..
            })
        ),
        "{result:?}"
    );
    let bad = Dataset::with_values(x, array![[0.0], [f32::NAN], [0.0]]).unwrap();
    let result = evaluate(&mut model, &bad);
    assert!(
        matches!(result, Err(ModelError::NonFinite { row: 1, .. })),
        "{result:?}"
    );
    let result = evaluate(&mut model, &numbered(4));
    assert!(
        matches!(
            result,
            Err(ModelError::Shape {
                expected: [4, 1],
                actual: [3, 1],
                ..
            })
        ),
        "{result:?}"
    );
}

#[test]
fn evaluation_has_no_loss_next_to_outputs_that_are_not_finite() {
    let inner = twin(&[2, 2], Loss::SoftmaxCrossEntropy);
    // An infinity against the class would be a loss of 0.
    let outputs = array![[1.0, f32::NEG_INFINITY], [1.0, 0.0]];
    let data = Dataset::new(Array2::zeros((2, 2)), vec![0, 0]).unwrap();
    let evaluation = evaluate(&mut Outputs { inner, outputs }, &data).unwrap();
    assert!(evaluation.loss.is_nan());
    assert_eq!(evaluation.accuracy, 1.0);
}

/// y = x₀ − 2 x₁ + ½, x₀
fn plane(examples: usize) -> Dataset {
    let x = reals(&mut fastrand::Rng::with_seed(9), examples, 2);
    let y = Array2::from_shape_fn((examples, 2), |(i, j)| {
        if j == 0 {
            x[[i, 0]] - 2.0 * x[[i, 1]] + 0.5
        } else {
            x[[i, 0]]
        }
    });
    Dataset::with_values(x, y).unwrap()
}

fn fit(model: &mut dyn Model) -> (Summary, Vec<LayerParameters>) {
    let (train, test) = plane(250).split_random(0.2, 0);
    let options = TrainOptions {
        epochs: 100,
        batch: 32,
        ..TrainOptions::default()
    };
    let summary = Trainer::new(options)
        .run(model, &train, &test, go_on)
        .unwrap();
    (summary, model.parameters().unwrap())
}

fn check_fit(summary: &Summary) {
    let metric = |name| summary.test.metric(name).unwrap();
    assert!(metric("r2") >= 0.999, "{summary:?}");
    assert!(metric("mean_absolute_error") <= 0.03, "{summary:?}");
    assert!(summary.test.loss <= 0.002, "{summary:?}");
}

fn plane_config() -> MlpConfig {
    let adam = AdamSettings {
        learning_rate: 0.01,
        ..AdamSettings::default()
    };
    MlpConfig {
        optimizer: Optimizer::Adam(adam),
        ..with_loss(&[2, 16, 2], Loss::MeanSquaredError)
    }
}

#[test]
fn values_are_learned_by_the_twin() {
    check_fit(&fit(&mut reference::Mlp::<f32>::new(plane_config()).unwrap()).0);
}

/// A network on the GPU that takes its batches from the host.
struct FromHost(nn::Mlp);

impl Model for FromHost {
    delegate!(0: layer_sizes, device, config, train_batch, take_loss, predict, loss, learning_rate, set_learning_rate, parameters, histograms, set_parameters);
}

#[test]
fn values_are_learned_on_the_gpu_from_there_and_from_the_host() {
    let mlp = || nn::Mlp::new(gpu(), plane_config()).unwrap();
    let resident = fit(&mut mlp());
    check_fit(&resident.0);
    assert_eq!(resident, fit(&mut FromHost(mlp())));
}

/// Parameters, and what a run and an evaluation bring.
fn use_everywhere(model: &mut dyn Model) -> (f32, f32, Vec<LayerParameters>) {
    let options = TrainOptions {
        epochs: 2,
        ..TrainOptions::default()
    };
    let data = plane(40);
    let summary = Trainer::new(options)
        .run(model, &data, &data, go_on)
        .unwrap();
    let evaluation = evaluate(model, &data).unwrap();
    (
        summary.test.loss,
        evaluation.loss,
        model.parameters().unwrap(),
    )
}

#[test]
fn models_behind_pointers_are_trained_and_evaluated() {
    let model = || reference::Mlp::<f32>::new(plane_config()).unwrap();
    let expected = use_everywhere(&mut model());
    let mut boxed: Box<dyn Model> = Box::new(model());
    assert_eq!(use_everywhere(boxed.as_mut()), expected);
    let mut held = model();
    let reference: &mut dyn Model = &mut held;
    assert_eq!(use_everywhere(reference), expected);

    let mut models: Vec<Box<dyn Model>> = vec![
        Box::new(model()),
        Box::new(nn::Mlp::new(gpu(), plane_config()).unwrap()),
    ];
    for model in &mut models {
        let loss = use_everywhere(&mut **model).0;
        assert_relative_eq!(loss, expected.0, max_relative = 1e-3);
    }
}
