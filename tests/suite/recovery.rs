//! A run whose device fails goes on on another, and ends with the bits of a run without failures.
//! Here on the twin, which fails at any call; `injected.rs` has real devices.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use wgpu_linear::events::{Reader, Writer};
use wgpu_linear::model::{
    Activation, AdamSettings, LayerParameters, MlpConfig, Model, ModelError, Optimizer,
};
use wgpu_linear::train::checkpoint::{Checkpoint, CheckpointError, Checkpoints};
use wgpu_linear::train::{
    Dataset, DeviceFailure, EarlyStopping, Progress, Recovery, ReduceOnPlateau, Summary,
    TrainError, TrainOptions, Trainer,
};
use wgpu_linear::{GpuError, PrepareError, reference};

use crate::checkpoint;
use crate::failing::{Calls, Failing, Fault, Strike};
use crate::support::{event_files, reals};

const SIZES: [usize; 3] = [6, 17, 3];
/// Batches of 12, the last of 2.
const STEPS_PER_EPOCH: u64 = 5;
const EPOCHS: u32 = 4;
const STEPS: u64 = STEPS_PER_EPOCH * EPOCHS as u64;

/// Whatever a step may depend on.
pub(crate) fn config() -> MlpConfig {
    MlpConfig {
        optimizer: Optimizer::Adam(AdamSettings {
            learning_rate: 0.02,
            ..AdamSettings::default()
        }),
        clip_norm: Some(0.5),
        dropout: 0.2,
        activation: Activation::Tanh,
        seed: 5,
        ..MlpConfig::new(&SIZES)
    }
}

pub(crate) fn twin() -> Box<dyn Model> {
    Box::new(reference::Mlp::<f32>::new(config()).unwrap())
}

fn dataset(seed: u64, examples: usize) -> Dataset {
    let mut random = fastrand::Rng::with_seed(seed);
    let x = reals(&mut random, examples, SIZES[0]);
    let labels = (0..examples).map(|_| random.u32(0..3)).collect();
    Dataset::new(x, labels).unwrap()
}

/// What is left of a run: everything but times and names of devices.
#[derive(Debug, PartialEq)]
pub(crate) struct End {
    summary: Summary,
    weights: Vec<u32>,
    rate: f32,
    /// The last checkpoint, with its name, and the best.
    checkpoints: Vec<(String, Vec<u8>)>,
    points: Points,
}

/// Of an event file, sorted: tag, step and what stands there.
type Points = Vec<(String, i64, String)>;

fn bits(layers: &[LayerParameters]) -> Vec<u32> {
    let numbers = layers
        .iter()
        .flat_map(|layer| layer.w.iter().chain(&layer.b));
    numbers.map(|number| number.to_bits()).collect()
}

fn checkpoints(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let (path, last) = Checkpoints::latest(folder).unwrap().unwrap();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let best = Checkpoint::load(folder.join("best.safetensors")).ok();
    let all = [(name, Some(last)), ("best".to_owned(), best)].into_iter();
    let bytes = |checkpoint: Checkpoint| checkpoint.to_bytes().unwrap();
    all.filter_map(|(name, checkpoint)| Some((name, bytes(checkpoint?))))
        .collect()
}

/// Reads the one event file of a run to its end.
fn points(folder: &Path) -> Points {
    assert_eq!(event_files(folder).len(), 1);
    let mut reader = Reader::open(folder).unwrap();
    let all: Vec<_> = reader.points().collect::<Result<_, _>>().unwrap();
    assert!(reader.tail().is_none(), "{:?}", reader.tail());
    let is_timed = |tag: &str| tag == "examples_per_second" || tag.contains("_hparams_/session");
    let point = |point: wgpu_linear::events::Point| {
        let value = match is_timed(&point.tag) {
            true => String::new(),
            false => format!("{:?}", point.value),
        };
        (point.tag, point.step, value)
    };
    let mut points: Vec<_> = all.into_iter().map(point).collect();
    points.sort();
    points
}

/// How the runs of these tests recover: after each epoch, seldom, and in the midst of epochs.
pub(crate) const SETTINGS: [Recovery; 4] = [
    recovery(1, 0),
    recovery(3, 0),
    recovery(0, 3),
    recovery(0, 0),
];

const fn recovery(every_epochs: u32, every_steps: u64) -> Recovery {
    Recovery {
        most_times: 3,
        every_epochs,
        every_steps,
    }
}

/// A run under way: what it is given beside the model.
pub(crate) struct Case {
    pub(crate) recovery: Recovery,
    /// The callback ends the run at this step, once.
    pub(crate) stop_at: Option<u64>,
    /// Whether the best checkpoint is kept.
    pub(crate) keep_best: bool,
    pub(crate) folder: tempfile::TempDir,
}

impl Case {
    pub(crate) fn new(recovery: Recovery) -> Self {
        Self {
            recovery,
            stop_at: None,
            keep_best: true,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn checkpoints(&self) -> Checkpoints {
        // Not where the states of a recovery are.
        Checkpoints::new(self.folder.path().join("checkpoints"))
            .every_epochs(0)
            .every_steps(7)
            .keep_best(self.keep_best)
    }

    pub(crate) fn run(
        &self,
        model: &mut Box<dyn Model>,
        rebuild: impl FnMut(&DeviceFailure<'_>) -> Result<Box<dyn Model>, ModelError>,
    ) -> Result<Summary, TrainError> {
        let (train, validation, test) = (dataset(1, 50), dataset(2, 20), dataset(3, 20));
        let is_stopped = Cell::new(false);
        self.trainer()
            .with_validation(&validation)
            .with_events(Writer::create(self.folder.path()).unwrap())
            .with_recovery(self.recovery)
            .run_recovering(
                model,
                rebuild,
                &train,
                &test,
                |progress, _| match progress {
                    Progress::Step { step, .. } if Some(*step) == self.stop_at => {
                        match is_stopped.replace(true) {
                            true => ControlFlow::Continue(()),
                            false => ControlFlow::Break(()),
                        }
                    }
                    _ => ControlFlow::Continue(()),
                },
            )
    }

    fn trainer<'a>(&self) -> Trainer<'a> {
        let plateau = ReduceOnPlateau {
            patience: 0,
            factor: 0.5,
            ..ReduceOnPlateau::min("loss")
        };
        let options = TrainOptions {
            epochs: EPOCHS,
            histograms_every: 2,
            ..checkpoint::options()
        };
        Trainer::new(options)
            .with_early_stopping(EarlyStopping::min("loss", 100))
            .with_plateau(plateau)
            .with_checkpoints(self.checkpoints())
            .with_quick_stop()
    }

    /// What a run that went through has left; how often it recovered is asserted.
    pub(crate) fn end(&self, model: &dyn Model, mut summary: Summary, recoveries: u32) -> End {
        assert_eq!(summary.recoveries, recoveries);
        summary.recoveries = 0;
        let name = |path: std::path::PathBuf| path.file_name().unwrap().into();
        summary.checkpoint = summary.checkpoint.map(name);
        let mut points = points(self.folder.path());
        let before = points.len();
        points.retain(|(tag, ..)| !tag.starts_with("recovery"));
        assert_eq!(before - points.len(), recoveries as usize);
        let folder = self.folder.path().join("checkpoints");
        let parameters = match model.parameters() {
            // The device has failed behind the last call of the run.
            Err(error) if error.is_device_failure() && recoveries == 0 => {
                let best = Checkpoint::load(folder.join("best.safetensors"));
                best.unwrap().parameters
            }
            parameters => parameters.unwrap(),
        };
        End {
            summary,
            weights: bits(&parameters),
            rate: model.learning_rate(),
            checkpoints: checkpoints(&folder),
            points,
        }
    }
}

pub(crate) fn never(failure: &DeviceFailure<'_>) -> Result<Box<dyn Model>, ModelError> {
    panic!("nothing has failed: {failure:?}")
}

/// A run without failures, and the calls of its model.
pub(crate) fn healthy(case: &Case, inner: Box<dyn Model>) -> (End, Vec<&'static str>) {
    let failing = Failing::new(inner, None);
    let calls = failing.calls();
    let mut model: Box<dyn Model> = Box::new(failing);
    let summary = case.run(&mut model, never).unwrap();
    let calls = calls.borrow().clone();
    (case.end(model.as_ref(), summary, 0), calls)
}

const ERRORS: [fn() -> ModelError; 3] = [
    || GpuError::DeviceLost.into(),
    || {
        let waited = Duration::from_secs(7);
        GpuError::Timeout {
            operation: "a step".to_owned(),
            bytes: 0,
            waited,
            behind: None,
        }
        .into()
    },
    || {
        let label = "weights".to_owned();
        GpuError::OutOfMemory { label, bytes: 77 }.into()
    },
];

/// The twin, with an error at a call and all after it.
fn broken(at: usize, error: fn() -> ModelError) -> Box<dyn Model> {
    broken_at(None, at, error).0
}

/// The twin, with an error in place of a step, from 1, and at all calls after it.
fn broken_at_step(step: usize, error: fn() -> ModelError) -> Box<dyn Model> {
    broken_at(Some("train_batch"), step - 1, error).0
}

fn broken_at(
    of: Option<&'static str>,
    at: usize,
    error: fn() -> ModelError,
) -> (Box<dyn Model>, Calls) {
    let strike: Strike = Box::new(move || Err(error()));
    let fault = Fault {
        of,
        at,
        after: false,
        lasts: true,
        strike,
    };
    let failing = Failing::new(twin(), Some(fault));
    let calls = failing.calls();
    (Box::new(failing), calls)
}

/// A failure at every so many calls of a run.
fn check_failures(recovery: Recovery, first: usize, every: usize) {
    let (expected, calls) = healthy(&Case::new(recovery), twin());
    assert_eq!(expected.summary.steps, STEPS);
    assert!(calls.len() > 60, "{calls:?}");
    for (at, name) in calls.iter().enumerate().skip(first).step_by(every) {
        let case = Case::new(recovery);
        let error = ERRORS[at % 3];
        let (mut model, called) = broken_at(None, at, error);
        let summary = case.run(&mut model, |failure| {
            assert_eq!(failure.number, 1);
            assert!(failure.back_to.is_none_or(|step| step <= failure.step));
            assert_eq!(failure.error.to_string(), error().to_string());
            Ok(twin())
        });
        let end = case.end(model.as_ref(), summary.unwrap(), 1);
        assert!(end == expected, "call {at}, {name}, {recovery:?}: {end:#?}");
        // A model is dropped, unless its device does not answer.
        let is_leaked = std::rc::Rc::strong_count(&called) > 1;
        assert_eq!(is_leaked, at % 3 == 1, "call {at}, {name}");
    }
}

#[test]
fn a_failure_at_any_call_leaves_no_trace() {
    for (first, recovery) in SETTINGS.into_iter().enumerate() {
        check_failures(recovery, first, SETTINGS.len());
    }
}

/// A layer that is too large goes without them, but not one whose device has failed.
#[test]
fn histograms_that_a_failed_device_refuses_are_counted_on_another() {
    let (expected, _) = healthy(&Case::new(SETTINGS[0]), twin());
    let case = Case::new(SETTINGS[0]);
    let lost = || {
        let operation = "wgpu_linear::histogram";
        PrepareError::DeviceLost { operation }.into()
    };
    let (mut model, _) = broken_at(Some("histograms"), 0, lost);
    let summary = case.run(&mut model, |_| Ok(twin()));
    let end = case.end(model.as_ref(), summary.unwrap(), 1);
    assert!(end == expected, "{end:#?}");
}

/// What `scripts/test --quick` leaves out.
mod slow {
    use super::{SETTINGS, check_failures};

    #[test]
    fn a_failure_at_every_call_leaves_no_trace() {
        SETTINGS
            .into_iter()
            .for_each(|recovery| check_failures(recovery, 0, 1));
    }
}

#[test]
fn failures_one_after_the_other_are_recovered_from() {
    let (expected, _) = healthy(&Case::new(SETTINGS[0]), twin());
    // Which step of each model fails: after steps 3, 7, 9 and 12 of the run.
    let steps = [4, 8, 5, 8];
    for failures in [2, 3, 4] {
        let case = Case::new(SETTINGS[0]);
        let mut seen = Vec::new();
        let mut model = broken_at_step(steps[0], ERRORS[0]);
        let result = case.run(&mut model, |failure| {
            seen.push((failure.number, failure.step, failure.back_to));
            Ok(match seen.len() < failures {
                true => broken_at_step(steps[seen.len()], ERRORS[0]),
                false => twin(),
            })
        });
        assert_eq!(seen[..2], [(1, 3, Some(0)), (2, 7, Some(5))]);
        if failures <= 3 {
            let end = case.end(model.as_ref(), result.unwrap(), failures as u32);
            assert!(end == expected, "{failures}: {end:#?}");
            continue;
        }
        let Err(TrainError::NotRecovered { recoveries, .. }) = result else {
            panic!("{result:?}");
        };
        assert_eq!(recoveries, 3);
        check_what_is_left(&case, 10);
    }
}

/// What became of a run that could not recover: its last state in a checkpoint, the end of its
/// event file, and the bits of a run that goes on from there.
fn check_what_is_left(case: &Case, step: u64) {
    let points = points(case.folder.path());
    let ends = points
        .iter()
        .filter(|(tag, ..)| tag.contains("session_end"));
    assert_eq!(ends.count(), 1);
    let folder = case.folder.path().join("checkpoints");
    let (path, start) = Checkpoints::latest(&folder).unwrap().unwrap();
    let name = format!("checkpoint-{step}.safetensors");
    assert_eq!(path.file_name().unwrap(), name.as_str());

    let (expected, _) = healthy(&Case::new(SETTINGS[0]), twin());
    let mut model = twin();
    let (train, validation, test) = (dataset(1, 50), dataset(2, 20), dataset(3, 20));
    let trainer = case.trainer().with_validation(&validation).resume(start);
    let summary = trainer.run(model.as_mut(), &train, &test, |_| ControlFlow::Continue(()));
    assert_eq!(summary.unwrap().test, expected.summary.test);
    assert_eq!(bits(&model.parameters().unwrap()), expected.weights);
    assert_eq!(checkpoints(&folder), expected.checkpoints);
}

/// The error with its causes, as programs print it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    let causes = causes.map(|cause| format!(": {cause}")).collect::<String>();
    format!("{error}{causes}")
}

#[test]
fn a_failure_that_comes_back_ends_the_run() {
    let case = Case::new(SETTINGS[0]);
    // In the third epoch, and again in the third step of what is repeated.
    let mut model = broken_at_step(13, ERRORS[0]);
    let error = case.run(&mut model, |failure| {
        assert_eq!((failure.step, failure.back_to), (12, Some(10)));
        Ok(broken_at_step(3, ERRORS[1]))
    });
    let error = error.unwrap_err();
    assert_eq!(
        chain(&error),
        "the device failed after step 12 (the GPU device was lost; open a new one), and the training could not go on on another; recoveries: 1: the GPU did not finish a step within 7s"
    );
    let TrainError::NotRecovered {
        step, recoveries, ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!((step, recoveries), (12, 1));
    check_what_is_left(&case, 10);
}

#[test]
fn a_device_that_cannot_be_had_again_ends_the_run() {
    let case = Case::new(SETTINGS[0]);
    let mut model = broken_at_step(9, ERRORS[0]);
    let error = case.run(&mut model, |_| {
        Err(ModelError::Gpu(GpuError::NoAdapter {
            wanted: "this machine".to_owned(),
            seen: Vec::new(),
            hint: "Buy one",
        }))
    });
    let error = error.unwrap_err();
    assert_eq!(
        chain(&error),
        "the device failed after step 8 (the GPU device was lost; open a new one), and the training could not go on on another; recoveries: 0: no GPU adapter matches this machine; none was found. Buy one"
    );
    // Newer than the checkpoint of step 7 is none: the state is of step 5.
    check_what_is_left(&case, 7);
}

#[test]
fn a_model_of_another_configuration_does_not_take_over() {
    let case = Case::new(SETTINGS[0]);
    let mut model = broken_at_step(13, ERRORS[0]);
    let error = case.run(&mut model, |_| {
        let other = MlpConfig {
            activation: Activation::Relu,
            ..config()
        };
        Ok(Box::new(reference::Mlp::<f32>::new(other).unwrap()))
    });
    let Err(TrainError::NotRecovered { source, .. }) = error else {
        panic!("{error:?}");
    };
    let TrainError::Checkpoint(CheckpointError::Differs { name, .. }) = *source else {
        panic!("{source:?}");
    };
    assert_eq!(name, "the activation");
    check_what_is_left(&case, 10);
}

/// How often the state of a model was read.
fn taken(calls: &[&'static str]) -> usize {
    let names = calls.iter().filter(|name| **name == "training_state");
    names.count()
}

fn without_best(recovery: Recovery) -> Case {
    Case {
        keep_best: false,
        ..Case::new(recovery)
    }
}

#[test]
fn errors_that_no_other_device_mends_end_the_run_at_once() {
    let case = Case::new(SETTINGS[0]);
    let mut model = broken_at_step(13, || ModelError::Memory { bytes: 1 });
    let result = case.run(&mut model, never);
    assert!(
        matches!(result, Err(TrainError::Model(ModelError::Memory { .. }))),
        "{result:?}"
    );

    // Nor does anything where it is not to recover; then the state is never taken for that.
    let case = without_best(Recovery {
        most_times: 0,
        ..Recovery::default()
    });
    let (mut model, calls) = broken_at(Some("train_batch"), 12, ERRORS[0]);
    let result = case.run(&mut model, never);
    let Err(TrainError::Model(ModelError::Gpu(GpuError::DeviceLost))) = result else {
        panic!("{result:?}");
    };
    // For the checkpoint of step 7.
    assert_eq!(taken(&calls.borrow()), 1);
}

#[test]
fn the_state_is_taken_as_often_as_asked() {
    for (recovery, times) in [
        (recovery(1, 0), 4),
        (recovery(2, 0), 2),
        (recovery(3, 0), 1),
        // After steps 4, 8, 12, 15 and 18: every second has a loss, and the last of each epoch.
        (recovery(0, 3), 5),
        (recovery(0, 4), 5),
        (recovery(0, 0), 0),
        // After steps 2, 4, 5, 8, 10, 12, 15, 18, 20; that of step 14 is one with the checkpoint.
        (recovery(1, 2), 9),
    ] {
        let (_, calls) = healthy(&without_best(recovery), twin());
        // At the beginning, and for the checkpoints of steps 7, 14 and 20.
        assert_eq!(taken(&calls), 1 + 3 + times, "{recovery:?}: {calls:?}");
    }
}

/// Not earlier, and not later: also where the device fails with the checkpoint of that step.
#[test]
fn a_run_that_was_told_to_end_does_so_where_it_was_told() {
    let stopped = || Case {
        stop_at: Some(8),
        ..Case::new(SETTINGS[0])
    };
    let (expected, calls) = healthy(&stopped(), twin());
    assert_eq!(
        (expected.summary.steps, expected.summary.stopped),
        (8, true)
    );
    for at in 0..calls.len() {
        let case = stopped();
        let mut model = broken(at, ERRORS[at % 3]);
        let summary = case.run(&mut model, |_| Ok(twin())).unwrap();
        let end = case.end(model.as_ref(), summary, 1);
        assert!(end == expected, "call {at}: {end:#?}");
    }
}

#[test]
fn what_a_device_fails_with_is_told_from_what_a_caller_does_wrong() {
    for error in ERRORS {
        assert!(error().is_device_failure());
    }
    let lost = PrepareError::DeviceLost {
        operation: "wgpu_linear::forward",
    };
    assert!(ModelError::from(lost).is_device_failure());
    for error in [
        ModelError::NoData,
        ModelError::Memory { bytes: 1 },
        GpuError::ForeignSubmission.into(),
        GpuError::Foreign { what: "buffer" }.into(),
    ] {
        assert!(!error.is_device_failure(), "{error:?}");
    }
}
