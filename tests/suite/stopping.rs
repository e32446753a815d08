//! Validation, early stopping, and callbacks that see the model: on a model that follows a script.

use std::ops::ControlFlow;

use ndarray::{Array1, Array2, ArrayView2, array};
use wgpu_linear::events::Writer;
use wgpu_linear::model::{LayerParameters, Loss, MeanLoss, MlpConfig, Model, ModelError, Targets};
use wgpu_linear::nn;
use wgpu_linear::train::{
    Dataset, EarlyStopping, Metric, Progress, Summary, TrainError, TrainOptions, Trainer, evaluate,
};

use crate::decoder::Event;
use crate::support::gpu;
use crate::training::only_file;

/// A model of one weight, which is the number of steps it has taken, and whose outputs after each
/// step the test gives. Records how many rows it was asked to predict.
struct Scripted {
    outputs: Vec<f32>,
    w: f32,
    /// The weight that it claims to have after a step, if that is not the number of steps.
    lies: Option<(f32, f32)>,
    predicted: Vec<usize>,
    trained: usize,
}

impl Scripted {
    fn new(outputs: &[f32]) -> Self {
        Self {
            outputs: outputs.to_vec(),
            w: 0.0,
            lies: None,
            predicted: Vec::new(),
            trained: 0,
        }
    }
}

impl Model for Scripted {
    fn layer_sizes(&self) -> &[usize] {
        &[1, 1]
    }
    fn device(&self) -> String {
        "a script".into()
    }
    fn train_batch(&mut self, _: ArrayView2<'_, f32>, _: Targets<'_>) -> Result<(), ModelError> {
        self.w += 1.0;
        self.trained += 1;
        Ok(())
    }
    fn take_loss(&mut self) -> Result<MeanLoss, ModelError> {
        Ok(MeanLoss {
            mean: 0.0,
            examples: 1,
        })
    }
    fn predict(&mut self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>, ModelError> {
        self.predicted.push(x.nrows());
        let output = self.outputs[self.w as usize - 1];
        Ok(Array2::from_elem((x.nrows(), 1), output))
    }
    fn loss(&self) -> Loss {
        Loss::MeanSquaredError
    }
    fn learning_rate(&self) -> f32 {
        1.0
    }
    fn set_learning_rate(&mut self, _: f32) -> Result<(), ModelError> {
        Ok(())
    }
    fn parameters(&self) -> Result<Vec<LayerParameters>, ModelError> {
        let w = match self.lies {
            Some((w, instead)) if w == self.w => instead,
            _ => self.w,
        };
        Ok(vec![LayerParameters {
            w: array![[w]],
            b: Array1::zeros(1),
        }])
    }
    fn set_parameters(&mut self, parameters: &[LayerParameters]) -> Result<(), ModelError> {
        self.w = parameters[0].w[[0, 0]];
        Ok(())
    }
}

/// So many examples, whose values are all 0: the loss is the square of the output.
fn zeros(examples: usize) -> Dataset {
    Dataset::with_values(Array2::zeros((examples, 1)), Array2::zeros((examples, 1))).unwrap()
}

const EPOCHS: u32 = 8;

/// One step an epoch.
fn trainer<'a>() -> Trainer<'a> {
    Trainer::new(TrainOptions {
        epochs: EPOCHS,
        batch: 7,
        histograms_every: 0,
        ..TrainOptions::default()
    })
}

/// The output itself.
fn output() -> Metric {
    Metric::new("output", |outputs, _| outputs[[0, 0]])
}

/// 7 examples to train on and 2 to test with.
fn run(trainer: Trainer<'_>, model: &mut Scripted) -> Result<Summary, TrainError> {
    trainer.run(model, &zeros(7), &zeros(2), |_| ControlFlow::Continue(()))
}

/// Epochs trained, the epoch whose weights the model has, and what the summary says of that.
fn stop(outputs: &[f32], stopping: EarlyStopping) -> (u64, f32, Option<u32>) {
    let mut model = Scripted::new(outputs);
    let trainer = trainer()
        .with_metric(output())
        .with_early_stopping(stopping);
    let summary = run(trainer, &mut model).unwrap();
    assert_eq!(summary.steps, model.trained as u64);
    assert_eq!(
        summary.test.metric("output"),
        Some(outputs[model.w as usize - 1]),
        "evaluated as it is"
    );
    (summary.steps, model.w, summary.best_epoch)
}

#[test]
fn early_stopping_ends_the_run_and_keeps_the_best_weights() {
    let falling = [5.0, 4.0, 3.0, 3.5, 3.0, 3.2, 2.0, 1.0];
    let min = |patience| EarlyStopping::min("output", patience);
    assert_eq!(stop(&falling, min(1)), (4, 3.0, Some(3)));
    assert_eq!(stop(&falling, min(3)), (6, 3.0, Some(3)), "3 again is none");
    assert_eq!(stop(&falling, min(4)), (8, 8.0, Some(8)));
    let rising = falling.map(|output| 6.0 - output);
    let max = |patience| EarlyStopping::max("output", patience);
    assert_eq!(stop(&rising, max(3)), (6, 3.0, Some(3)));
    assert_eq!(stop(&rising, min(3)), (4, 1.0, Some(1)));
    // The loss is the square of the output.
    let by_loss = EarlyStopping::min("loss", 3);
    assert_eq!(stop(&falling, by_loss), (6, 3.0, Some(3)));
    // Every improvement begins the waiting anew.
    let waves = [5.0, 6.0, 4.0, 5.0, 3.0, 4.0, 2.0, 3.0];
    assert_eq!(stop(&waves, min(2)), (8, 7.0, Some(7)));
    // Restored too where patience lasts.
    let late = [5.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0];
    assert_eq!(stop(&late, min(100)), (8, 2.0, Some(2)));
}

#[test]
fn early_stopping_wants_the_smallest_improvement() {
    let falling = [5.0, 4.5, 4.0, 3.5, 3.0, 2.5, 2.0, 1.5];
    let by = |min_improvement| EarlyStopping {
        min_improvement,
        ..EarlyStopping::min("output", 2)
    };
    assert_eq!(stop(&falling, by(0.5)), (8, 7.0, Some(7)), "every second");
    assert_eq!(stop(&falling, by(1.0)), (3, 1.0, Some(1)));
    assert_eq!(stop(&falling, by(0.25)), (8, 8.0, Some(8)));
}

#[test]
fn early_stopping_takes_no_nan_for_an_improvement() {
    let nan_below_one = || {
        Metric::new("metric", |outputs, _| {
            let output = outputs[[0, 0]];
            if output < 1.0 { f32::NAN } else { output }
        })
    };
    for (outputs, steps, w) in [
        ([0.0, 5.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0], 7, 4.0),
        // None is ever better than a NaN: the weights stay as they are.
        ([0.0; 8], 3, 3.0),
    ] {
        let mut model = Scripted::new(&outputs);
        let trainer = trainer()
            .with_metric(nan_below_one())
            .with_early_stopping(EarlyStopping::min("metric", 3));
        let summary = run(trainer, &mut model).unwrap();
        assert_eq!((summary.steps, model.w), (steps, w));
        assert_eq!(summary.best_epoch, (w == 4.0).then_some(4));
    }
}

#[test]
fn early_stopping_keeps_no_weights_that_are_not_finite() {
    for instead in [f32::NAN, f32::INFINITY] {
        let mut model = Scripted::new(&[3.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]);
        model.lies = Some((2.0, instead));
        let trainer = trainer().with_early_stopping(EarlyStopping::min("loss", 2));
        assert_eq!(run(trainer, &mut model).unwrap().best_epoch, Some(3));
        assert_eq!((model.w, model.trained), (3.0, 5));
    }
}

#[test]
fn early_stopping_refuses_what_it_cannot_go_by() {
    let run = |stopping| {
        let mut model = Scripted::new(&[]);
        let result = run(trainer().with_early_stopping(stopping), &mut model);
        assert_eq!(model.trained, 0);
        result
    };
    let result = run(EarlyStopping::max("accuracy", 3));
    assert!(
        matches!(
            &result,
            Err(TrainError::UnknownMetric { name, known })
                if name == "accuracy" && *known == ["loss", "mean_absolute_error", "r2"]
        ),
        "{result:?}"
    );
    let result = run(EarlyStopping::min("loss", 0));
    assert!(
        matches!(result, Err(TrainError::Zero { name: "patience" })),
        "{result:?}"
    );
    for min_improvement in [-0.1, f32::NAN, f32::INFINITY] {
        let result = run(EarlyStopping {
            min_improvement,
            ..EarlyStopping::min("loss", 1)
        });
        assert!(
            matches!(
                result,
                Err(TrainError::Model(ModelError::Setting {
                    name: "min_improvement",
                    ..
                }))
            ),
            "{result:?}"
        );
    }
}

#[test]
fn metrics_without_a_name_of_their_own_are_refused() {
    for name in ["", "loss"] {
        let mut model = Scripted::new(&[]);
        let result = run(
            trainer().with_metric(Metric::new(name, |_, _| 0.0)),
            &mut model,
        );
        assert!(
            matches!(&result, Err(TrainError::MetricName { name: named }) if named == name),
            "{result:?}"
        );
    }
}

#[test]
fn best_weights_are_restored_however_the_run_ends() {
    let outputs = [5.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0];
    let stopping = || trainer().with_early_stopping(EarlyStopping::min("loss", 100));
    let end_by = |is_end: &dyn Fn(&Progress) -> bool| {
        let mut model = Scripted::new(&outputs);
        let on_progress = |progress: &Progress| match is_end(progress) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let result = stopping().run(&mut model, &zeros(7), &zeros(2), on_progress);
        let summary = result.unwrap();
        assert_eq!((model.w, summary.best_epoch), (2.0, Some(2)));
        assert_eq!(summary.test.loss, 1.0);
        model.trained
    };
    let after_step = |progress: &Progress| matches!(progress, Progress::Step { step: 4, .. });
    assert_eq!(end_by(&after_step), 4);
    let after_epoch =
        |progress: &Progress| matches!(progress, Progress::Epoch(report) if report.epoch == 5);
    assert_eq!(end_by(&after_epoch), 5);

    // An output that is not finite ends the run with an error.
    let mut model = Scripted::new(&[5.0, 1.0, 2.0, f32::NAN]);
    let result = run(stopping(), &mut model);
    assert!(
        matches!(result, Err(TrainError::Diverged { step: 4, .. })),
        "{result:?}"
    );
    assert_eq!((model.w, model.trained), (2.0, 4));
}

#[test]
fn run_ends_where_outputs_are_not_finite() {
    for output in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30] {
        let mut model = Scripted::new(&[5.0, output, 1.0]);
        let result = run(trainer(), &mut model);
        // The square of 1e30 is no f32 either.
        assert!(
            matches!(result, Err(TrainError::Diverged { step: 2, loss }) if !loss.is_finite()),
            "{result:?}"
        );
    }
    // On the test set at the end.
    let mut model = Scripted::new(&[5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, f32::NAN]);
    let validation = zeros(3);
    let trainer = trainer().with_validation(&validation);
    let result = trainer.run_with(&mut model, &zeros(7), &zeros(2), |progress, model| {
        if let Progress::Epoch(report) = progress
            && report.epoch == EPOCHS
        {
            set_weight(model, 9.0);
        }
        ControlFlow::Continue(())
    });
    assert!(
        matches!(result, Err(TrainError::Diverged { step: 8, .. })),
        "{result:?}"
    );
}

fn set_weight(model: &mut dyn Model, w: f32) {
    let (w, b) = (array![[w]], Array1::zeros(1));
    model.set_parameters(&[LayerParameters { w, b }]).unwrap();
}

fn steps(events: &[Event], tag: &str) -> Vec<i64> {
    let tagged = events.iter().filter(|event| event.tag == tag);
    tagged.map(|event| event.step).collect()
}

fn last(events: &[Event], tag: &str) -> f32 {
    let event = events.iter().rfind(|event| event.tag == tag).unwrap();
    f32::from_bits(event.value_bits.unwrap())
}

#[test]
fn validation_set_judges_epochs_and_the_test_set_the_end() {
    let outputs = [5.0, 4.0, 1.0, 2.0, 3.0, 2.0, 2.0, 2.0];
    let folder = tempfile::tempdir().unwrap();
    let mut model = Scripted::new(&outputs);
    let validation = zeros(3);
    let trainer = trainer()
        .with_events(Writer::create(folder.path()).unwrap())
        .with_validation(&validation)
        .with_metric(output())
        .with_early_stopping(EarlyStopping::min("output", 2));
    let mut reports = Vec::new();
    let summary = trainer
        .run(&mut model, &zeros(7), &zeros(2), |progress| {
            if let Progress::Epoch(report) = progress {
                let output = report.evaluation.metric("output").unwrap();
                reports.push((report.epoch, output, report.is_best));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(model.predicted, [3, 3, 3, 3, 3, 2]);
    assert_eq!(
        reports,
        [
            (1, 5.0, true),
            (2, 4.0, true),
            (3, 1.0, true),
            (4, 2.0, false),
            (5, 3.0, false)
        ]
    );
    assert_eq!((model.w, summary.best_epoch), (3.0, Some(3)));
    assert_eq!(summary.test.loss, 1.0);
    assert_eq!(summary.validation.unwrap().loss, 1.0);

    let events = only_file(folder.path());
    for tag in ["loss", "mean_absolute_error", "r2", "output"] {
        let of = |set| steps(&events, &format!("{tag}/{set}"));
        assert_eq!(of("validation"), [1, 2, 3, 4, 5], "{tag}");
        assert_eq!(of("test"), [5], "{tag}");
    }
    assert_eq!(last(&events, "output/validation"), 3.0);
    assert_eq!(last(&events, "output/test"), 1.0);
    assert_eq!(steps(&events, "best_epoch"), [5]);
    assert_eq!(last(&events, "best_epoch"), 3.0);
}

#[test]
fn test_set_judges_epochs_where_there_is_no_other() {
    let outputs = [5.0, 4.0, 1.0, 2.0, 3.0, 2.0, 2.0, 2.0];
    let folder = tempfile::tempdir().unwrap();
    let mut model = Scripted::new(&outputs);
    let events = Writer::create(folder.path()).unwrap();
    let summary = run(trainer().with_events(events), &mut model).unwrap();
    assert_eq!(model.predicted, [2; 8]);
    assert_eq!((summary.validation, summary.best_epoch), (None, None));
    assert_eq!(summary.test.loss, 4.0);
    let events = only_file(folder.path());
    assert_eq!(steps(&events, "loss/test"), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(steps(&events, "best_epoch").is_empty());

    // Once more for weights that are restored, and for no other.
    let mut model = Scripted::new(&outputs);
    let stopping = EarlyStopping::min("loss", 2);
    run(trainer().with_early_stopping(stopping), &mut model).unwrap();
    assert_eq!(model.predicted, [2; 6]);
    let mut model = Scripted::new(&[8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    let stopping = EarlyStopping::min("loss", 2);
    run(trainer().with_early_stopping(stopping), &mut model).unwrap();
    assert_eq!((model.predicted, model.w), (vec![2; 8], 8.0));
}

#[test]
fn summary_of_no_epochs_is_of_the_model_as_it_is() {
    let mut model = Scripted::new(&[3.0]);
    model.w = 1.0;
    let options = TrainOptions {
        epochs: 0,
        ..TrainOptions::default()
    };
    let validation = zeros(3);
    let trainer = Trainer::new(options).with_validation(&validation);
    let summary = run(trainer, &mut model).unwrap();
    assert_eq!((summary.steps, summary.test.loss), (0, 9.0));
    assert_eq!((summary.validation, model.predicted), (None, vec![2]));
}

/// What would only show after an epoch, or at the very end, shows at the beginning.
#[test]
fn sets_that_do_not_fit_are_refused_before_the_first_step() {
    let classes = Dataset::new(Array2::zeros((2, 1)), vec![0, 0]).unwrap();
    let nan = Dataset::with_values(array![[0.0]], array![[f32::NAN]]).unwrap();
    let wide = Dataset::with_values(Array2::zeros((2, 2)), Array2::zeros((2, 1))).unwrap();
    let good = zeros(2);
    for bad in [&classes, &nan, &wide] {
        for (validation, test) in [(bad, &good), (&good, bad)] {
            let mut model = Scripted::new(&[]);
            let result =
                trainer()
                    .with_validation(validation)
                    .run(&mut model, &zeros(7), test, |_| ControlFlow::Continue(()));
            assert!(matches!(result, Err(TrainError::Model(_))), "{result:?}");
            assert_eq!(model.trained, 0);
        }
    }
}

#[test]
fn callback_predicts_and_changes_the_model() {
    let mut model = Scripted::new(&[8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    let data = zeros(2);
    let (mut losses, mut weights) = (Vec::new(), Vec::new());
    let summary = trainer()
        .run_with(&mut model, &zeros(7), &data, |progress, model| {
            match progress {
                Progress::Step { .. } => {
                    weights.push(model.parameters().unwrap()[0].w[[0, 0]]);
                }
                Progress::Epoch(report) => {
                    let evaluation = evaluate(model, &data).unwrap();
                    assert_eq!(evaluation.loss, report.evaluation.loss);
                    losses.push(evaluation.loss);
                    if report.epoch == 3 {
                        set_weight(model, 1.0);
                    }
                }
                _ => {}
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    // After the third epoch it is where it was after the first.
    assert_eq!(weights, [1.0, 2.0, 3.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(losses, [64.0, 49.0, 36.0, 49.0, 36.0, 25.0, 16.0, 9.0]);
    assert_eq!(summary.test.loss, 9.0);
}

/// What the callback changes after the last epoch stays, and a test set at the end sees it.
#[test]
fn callback_has_the_last_word() {
    let outputs = [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0];
    let validation = zeros(3);
    let last_word = |trainer: Trainer<'_>| {
        let mut model = Scripted::new(&outputs);
        let summary = trainer.run_with(&mut model, &zeros(7), &zeros(2), |progress, model| {
            if let Progress::Epoch(report) = progress
                && report.epoch == EPOCHS
            {
                set_weight(model, 1.0);
            }
            ControlFlow::Continue(())
        });
        (model.w, summary.unwrap().test.loss)
    };
    assert_eq!(
        last_word(trainer().with_validation(&validation)),
        (1.0, 64.0)
    );
    assert_eq!(last_word(trainer()), (1.0, 1.0));
}

/// The callback takes losses away from the trainer; at the end of each epoch all is well again.
#[test]
fn callback_that_takes_losses_spoils_no_more_than_an_epoch() {
    let x = Array2::from_shape_fn((8, 2), |(i, j)| (i * (j + 1)) as f32 / 8.0);
    let data = Dataset::new(x, vec![0, 1, 0, 1, 1, 0, 1, 1]).unwrap();
    let options = TrainOptions {
        epochs: 3,
        batch: 2,
        report_every: 1,
        ..TrainOptions::default()
    };
    let run = |is_thief: bool| {
        let folder = tempfile::tempdir().unwrap();
        let mut mlp = nn::Mlp::new(gpu(), MlpConfig::new(&[2, 4, 2])).unwrap();
        Trainer::new(options)
            .with_events(Writer::create(folder.path()).unwrap())
            .run_with(&mut mlp, &data, &data, |progress, model| {
                // Waits for the second loss of the epoch, and takes it with the first.
                if is_thief && matches!(progress, Progress::Step { step, .. } if step % 4 == 2) {
                    model.take_loss().unwrap();
                    while model.poll_loss().unwrap().is_some() {}
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        let events = only_file(folder.path()).into_iter();
        let losses = events.filter(|event| event.tag == "loss/train");
        let losses: Vec<_> = losses.map(|event| (event.step, event.value_bits)).collect();
        losses
    };
    let (all, left) = (run(false), run(true));
    assert_eq!(all.len(), 12);
    assert!(left.len() < all.len());
    for (step, loss) in &all {
        if step % 4 == 0 {
            assert!(left.contains(&(*step, *loss)), "{step} in {left:?}");
        }
    }
}
