//! Metrics of classes and values against numbers of scikit-learn 1.9.1, computed once with its
//! functions of the same names; probabilities are the softmax of the outputs, in f64.

use approx::assert_relative_eq;
use ndarray::{Array2, ArrayView2, Axis, array, concatenate};
use wgpu_linear::model::{IGNORED, Loss, MlpConfig, Model, ModelError, TargetKind, Targets};
use wgpu_linear::reference;
use wgpu_linear::train::{
    ConfusionMatrix, Dataset, Metric, TrainError, TrainOptions, Trainer, ValueErrors, evaluate,
    evaluate_in_detail, evaluate_with,
};

use crate::delegate::delegate;

/// Four classes, of which the last is neither meant nor predicted; some rows are equal.
fn classes() -> (Array2<f32>, Vec<u32>) {
    let outputs = array![
        [2.0, 0.5, -1.0, -3.0],
        [0.5, 1.5, 0.0, -2.0],
        [1.0, 0.0, 2.5, -4.0],
        [2.0, 0.5, -1.0, -3.0],
        [0.0, 0.5, 1.0, -2.5],
        [1.5, 1.0, 0.5, -3.5],
        [-1.0, 2.0, 0.5, -1.5],
        [0.5, 1.5, 0.0, -2.0],
        [0.0, -0.5, 0.5, -3.0],
        [3.0, 1.0, 2.0, -2.0],
        [0.5, 1.5, 0.0, -2.0],
    ];
    (outputs, vec![0, 1, 2, 1, 1, 0, 1, 0, 2, 2, 1])
}

/// Two classes; the difference of the outputs is the same in some rows.
fn binary() -> (Array2<f32>, Vec<u32>) {
    let outputs = array![
        [0.5, 1.0],
        [1.0, 0.5],
        [0.0, 0.5],
        [2.0, 0.0],
        [0.25, 0.75],
        [1.0, 3.0],
        [0.0, -1.0],
        [1.5, 1.0],
        [0.5, -0.5],
        [0.0, 0.125],
    ];
    (outputs, vec![1, 0, 0, 0, 1, 1, 1, 1, 0, 1])
}

/// Outputs, and the values wanted.
fn values() -> (Array2<f32>, Array2<f32>) {
    (
        array![
            [1.5, -3.0],
            [2.0, 10.0],
            [-0.5, 7.25],
            [4.0, 0.5],
            [0.25, -6.0],
            [3.0, 2.0],
        ],
        array![
            [1.0, -2.0],
            [2.5, 12.0],
            [0.0, 7.0],
            [3.5, -1.5],
            [-1.0, -4.0],
            [3.0, 2.5],
        ],
    )
}

fn close(actual: f64, expected: f64) {
    assert_relative_eq!(actual, expected, max_relative = 1e-12);
}

fn check(outputs: ArrayView2<'_, f32>, targets: Targets<'_>, expected: &[(&str, f64)]) {
    for (name, expected) in expected {
        let value = Metric::by_name(name).unwrap().measure(outputs, targets);
        assert_relative_eq!(value, *expected as f32, max_relative = 2e-7);
    }
}

/// The same examples with some between them that are to be passed over.
fn with_ignored(outputs: &Array2<f32>, labels: &[u32]) -> (Array2<f32>, Vec<u32>) {
    let first = outputs.select(Axis(0), &[0]) * 7.0;
    let ignored = [&[IGNORED], labels, &[IGNORED]].concat();
    let all = concatenate![Axis(0), first, *outputs, first];
    (all, ignored)
}

#[test]
fn class_metrics_are_those_of_scikit_learn() {
    let (outputs, labels) = classes();
    let four = [
        ("accuracy", 0.636_363_636_363_636_4),
        ("balanced_accuracy", 0.644_444_444_444_444_4),
        ("precision", 0.638_888_888_888_888_8),
        ("recall", 0.644_444_444_444_444_4),
        ("f1", 0.634_920_634_920_634_9),
        ("log_loss", 0.814_692_889_228_710_7),
        // Of the classes 0, 1 and 2, each against the rest: 0.729…, 0.783…, 0.9375.
        ("roc_auc", 0.816_666_666_666_666_8),
    ];
    check(outputs.view(), Targets::Classes(&labels), &four);
    let (all, ignored) = with_ignored(&outputs, &labels);
    check(all.view(), Targets::Classes(&ignored), &four);
    // `roc_auc_score(y, p, multi_class="ovr", average="macro")`
    let three = [
        ("roc_auc", 0.822_222_222_222_222_3),
        ("log_loss", 0.802_893_010_770_184),
    ];
    let three_classes = outputs.select(Axis(1), &[0, 1, 2]);
    check(three_classes.view(), Targets::Classes(&labels), &three);
}

#[test]
fn binary_metrics_are_those_of_scikit_learn() {
    let (outputs, labels) = binary();
    let two = [
        ("accuracy", 0.7),
        ("balanced_accuracy", 0.708_333_333_333_333_3),
        ("precision", 0.7),
        ("recall", 0.708_333_333_333_333_3),
        ("f1", 0.696_969_696_969_697),
        ("log_loss", 0.588_336_335_334_009_2),
        ("roc_auc", 0.75),
    ];
    check(outputs.view(), Targets::Classes(&labels), &two);
    let confusion = ConfusionMatrix::new(outputs.view(), &labels).unwrap();
    close(confusion.precision(1), 0.8);
    close(confusion.recall(1), 4.0 / 6.0);
}

#[test]
fn confusion_matrix_has_the_scores_of_scikit_learn() {
    let (outputs, labels) = classes();
    let (all, ignored) = with_ignored(&outputs, &labels);
    let confusion = ConfusionMatrix::new(all.view(), &ignored).unwrap();
    let expected = array![[2, 1, 0, 0], [1, 3, 1, 0], [1, 0, 2, 0], [0, 0, 0, 0]];
    assert_eq!(confusion.counts(), &expected);
    assert_eq!(confusion.classes(), 4);
    for (class, precision, recall, f1, support) in [
        (0, 0.5, 2.0 / 3.0, 0.571_428_571_428_571_4, 3),
        (1, 0.75, 0.6, 2.0 / 3.0, 5),
        (2, 2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0, 3),
        (3, 0.0, 0.0, 0.0, 0),
    ] {
        let scores = confusion.scores(class);
        close(scores.precision, precision);
        close(scores.recall, recall);
        close(scores.f1, f1);
        assert_eq!(confusion.support(class), support);
        assert_eq!(confusion.precision(class), scores.precision);
        assert_eq!(confusion.recall(class), scores.recall);
        assert_eq!(confusion.f1(class), scores.f1);
    }
    let (mean, weighted) = (confusion.macro_mean(), confusion.weighted_mean());
    close(mean.precision, 0.638_888_888_888_888_8);
    close(mean.recall, 0.644_444_444_444_444_4);
    close(mean.f1, 0.634_920_634_920_634_9);
    close(weighted.precision, 0.659_090_909_090_909_1);
    close(weighted.recall, 0.636_363_636_363_636_4);
    close(weighted.f1, 0.640_692_640_692_640_6);
    close(confusion.accuracy(), 0.636_363_636_363_636_4);
    close(confusion.balanced_accuracy(), 0.644_444_444_444_444_4);
}

#[test]
fn confusion_matrix_refuses_labels_that_do_not_fit() {
    let outputs = Array2::zeros((2, 3));
    let error = ConfusionMatrix::new(outputs.view(), &[0]).unwrap_err();
    assert!(
        matches!(
            error,
            ModelError::Shape {
                expected: [1, 2],
                actual: [1, 1],
                ..
            }
        ),
        "{error:?}"
    );
    let error = ConfusionMatrix::new(outputs.view(), &[IGNORED, 3]).unwrap_err();
    assert!(
        matches!(
            error,
            ModelError::Class {
                example: 1,
                class: 3,
                classes: 3
            }
        ),
        "{error:?}"
    );
    let none = ConfusionMatrix::new(outputs.view(), &[IGNORED, IGNORED]).unwrap();
    assert_eq!((none.counts().sum(), none.precision(1)), (0, 0.0));
    assert!(none.accuracy().is_nan() && none.macro_mean().f1.is_nan());
    assert!(none.weighted_mean().recall.is_nan() && none.balanced_accuracy().is_nan());
}

#[test]
fn value_metrics_are_those_of_scikit_learn() {
    let (outputs, wanted) = values();
    let expected = [
        ("root_mean_squared_error", 1.071_531_520_933_273_2),
        ("mean_absolute_error", 0.916_666_666_666_666_7),
        ("mean_r2", 0.884_672_536_959_399_8),
        ("r2", 0.922_497_965_825_874_7),
        ("max_error", 2.0),
    ];
    check(outputs.view(), Targets::Values(wanted.view()), &expected);
    // An output that does not vary has no R², and the others have.
    let constant = Array2::ones((6, 1));
    let more = concatenate![Axis(1), outputs, constant];
    let wanted = concatenate![Axis(1), wanted, constant * 3.0];
    check(
        more.view(),
        Targets::Values(wanted.view()),
        &[("mean_r2", 0.884_672_536_959_399_8)],
    );
}

#[test]
fn metrics_of_nothing_and_of_nan_are_nan() {
    let none = Array2::<f32>::zeros((0, 2));
    let nan = array![[0.0, 1.0], [f32::NAN, 0.5], [1.0, 0.0], [0.0, 1.0]];
    let wanted = array![[1.0, 0.5], [2.0, 3.0], [4.0, 5.0], [0.0, 1.0]];
    for metric in Metric::all(TargetKind::Classes) {
        let values = metric.measure(wanted.view(), Targets::Values(wanted.view()));
        let nothing = metric.measure(none.view(), Targets::Classes(&[]));
        assert!(values.is_nan() && nothing.is_nan(), "{metric:?}");
    }
    for metric in Metric::all(TargetKind::Values) {
        let classes = metric.measure(wanted.view(), Targets::Classes(&[0, 1, 0, 1]));
        let nothing = metric.measure(none.view(), Targets::Values(none.view()));
        let of_nan = metric.measure(nan.view(), Targets::Values(wanted.view()));
        assert!(
            classes.is_nan() && nothing.is_nan() && of_nan.is_nan(),
            "{metric:?}"
        );
    }
    for metric in [Metric::roc_auc(), Metric::log_loss()] {
        let value = metric.measure(nan.view(), Targets::Classes(&[1, 0, 0, 1]));
        assert!(value.is_nan(), "{metric:?}");
    }
    // One class alone has no others to rank.
    let one = Metric::roc_auc().measure(wanted.view(), Targets::Classes(&[1; 4]));
    assert!(one.is_nan());
}

/// Outputs so large that every probability is 0 or 1 still have an order.
#[test]
fn roc_auc_ranks_where_probabilities_saturate() {
    let outputs = array![
        [800.0, 0.0, 1.0],
        [900.0, 0.0, 0.0],
        [1000.0, 0.0, 0.0],
        [0.0, 700.0, 0.0],
        [0.0, 0.0, 700.0]
    ];
    let area = |labels: &[u32]| Metric::roc_auc().measure(outputs.view(), Targets::Classes(labels));
    assert_eq!(area(&[0, 0, 0, 1, 2]), 1.0);
    // Class 0 has 2 of 3 · 2 pairs in order; class 1 has its row behind those of 0: 3 of 4 rows and
    // 1 of 4 pairs; class 2 all.
    let two = array![[-800.0, 0.0], [-900.0, 0.0], [-1000.0, 0.0]];
    let area = |labels: &[u32]| Metric::roc_auc().measure(two.view(), Targets::Classes(labels));
    assert_eq!([area(&[0, 0, 1]), area(&[0, 1, 0])], [1.0, 0.5]);
}

/// A model whose outputs the test gives.
struct Outputs {
    inner: reference::Mlp,
    outputs: Array2<f32>,
    predictions: usize,
}

impl Outputs {
    fn new(sizes: &[usize], loss: Loss, outputs: Array2<f32>) -> Self {
        let config = MlpConfig {
            loss,
            ..MlpConfig::new(sizes)
        };
        Self {
            inner: reference::Mlp::new(config).unwrap(),
            outputs,
            predictions: 0,
        }
    }
}

impl Model for Outputs {
    delegate!(inner: layer_sizes, device, train_batch, take_loss, loss, learning_rate, set_learning_rate, parameters, set_parameters);

    fn predict(&mut self, _: ArrayView2<'_, f32>) -> Result<Array2<f32>, ModelError> {
        self.predictions += 1;
        Ok(self.outputs.clone())
    }
}

#[test]
fn evaluation_in_detail_has_everything_of_one_prediction() {
    let (outputs, labels) = classes();
    let data = Dataset::new(Array2::zeros((11, 1)), labels.clone()).unwrap();
    let mut model = Outputs::new(&[1, 4], Loss::SoftmaxCrossEntropy, outputs.clone());
    let details = evaluate_in_detail(&mut model, &data).unwrap();
    assert_eq!((model.predictions, &details.outputs), (1, &outputs));
    let metrics = Metric::all(TargetKind::Classes);
    assert_eq!(details.evaluation.metrics().count(), metrics.len());
    for metric in metrics {
        let expected = metric.measure(outputs.view(), data.targets());
        assert_eq!(details.evaluation.metric(metric.name()), Some(expected));
    }
    assert_eq!(
        details.evaluation.loss,
        evaluate(&mut model, &data).unwrap().loss
    );
    let confusion = ConfusionMatrix::new(outputs.view(), &labels).unwrap();
    assert_eq!(details.confusion, Some(confusion));
    assert!(details.errors.is_empty());

    let (outputs, wanted) = values();
    let data = Dataset::with_values(Array2::zeros((6, 1)), wanted).unwrap();
    let mut model = Outputs::new(&[1, 2], Loss::MeanSquaredError, outputs);
    let details = evaluate_in_detail(&mut model, &data).unwrap();
    assert_eq!(details.confusion, None);
    let names: Vec<_> = details.evaluation.metrics().map(|(name, _)| name).collect();
    let all = Metric::all(TargetKind::Values);
    assert_eq!(names, all.iter().map(Metric::name).collect::<Vec<_>>());
    let expected = [
        [0.653_516_13, 0.541_666_67, 0.839_843_75, 1.25],
        [1.489_546_91, 1.291_666_67, 0.929_501_32, 2.0],
    ];
    assert_eq!(details.errors.len(), 2);
    for (errors, expected) in details.errors.iter().zip(expected) {
        let ValueErrors {
            root_mean_squared_error,
            mean_absolute_error,
            r2,
            max_error,
            ..
        } = *errors;
        let actual = [root_mean_squared_error, mean_absolute_error, r2, max_error];
        for (actual, expected) in actual.into_iter().zip(expected) {
            assert_relative_eq!(actual, expected, max_relative = 1e-8);
        }
    }
}

/// The table of more pairs would fill the memory.
#[test]
fn evaluation_in_detail_counts_no_pairs_of_very_many_classes() {
    for (classes, is_counted) in [(4096, true), (4097, false)] {
        let data = Dataset::new(Array2::zeros((1, 1)), vec![7]).unwrap();
        let outputs = Array2::zeros((1, classes));
        let mut model = Outputs::new(&[1, classes], Loss::SoftmaxCrossEntropy, outputs);
        let details = evaluate_in_detail(&mut model, &data).unwrap();
        assert_eq!(details.confusion.is_some(), is_counted);
        assert_eq!(details.evaluation.metric("precision"), Some(0.0));
    }
}

#[test]
fn metrics_of_other_targets_are_refused() {
    let data = Dataset::new(Array2::zeros((3, 1)), vec![0, 1, 0]).unwrap();
    let config = MlpConfig::new(&[1, 2]);
    let mut model = reference::Mlp::<f32>::new(config).unwrap();
    let is_refused = |error: &ModelError| {
        matches!(
            error,
            ModelError::MetricTargets {
                metric,
                takes: TargetKind::Values
            } if metric == "max_error"
        )
    };
    let error = evaluate_with(&mut model, &data, &[Metric::max_error()]).unwrap_err();
    assert!(is_refused(&error), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the metric max_error is not one of these targets, but of values"
    );
    let result = Trainer::new(TrainOptions::default())
        .with_metric(Metric::max_error())
        .run(&mut model, &data, &data, |_| {
            std::ops::ControlFlow::Continue(())
        });
    assert!(
        matches!(&result, Err(TrainError::Model(error)) if is_refused(error)),
        "{result:?}"
    );
    // One of the right kind is measured, and one of anybody's own goes with both.
    let own = Metric::new("own", |_, _| 3.0);
    assert_eq!(own.takes(), None);
    let evaluation = evaluate_with(&mut model, &data, &[own, Metric::f1()]).unwrap();
    assert_eq!(evaluation.metric("own"), Some(3.0));
    assert!(evaluation.metric("f1").is_some());
}

#[test]
fn metrics_are_found_by_name() {
    for kind in [TargetKind::Classes, TargetKind::Values] {
        for metric in Metric::all(kind) {
            let found = Metric::by_name(metric.name()).unwrap();
            assert_eq!((found.name(), found.takes()), (metric.name(), Some(kind)));
        }
    }
    assert!(Metric::by_name("loss").is_none());
}
