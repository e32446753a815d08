//! A model that fails in the middle of a run: at every kind of call, and at random moments.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering};

use ndarray::{Array1, Array2, ArrayView2, array};
use wgpu_linear::events::Writer;
use wgpu_linear::model::{
    LayerHistograms, LayerParameters, Loss, MeanLoss, MlpConfig, Model, ModelError, ResidentModel,
    Targets,
};
use wgpu_linear::train::{
    Dataset, EarlyStopping, Metric, Schedule, Summary, TrainError, TrainOptions, Trainer,
};
use wgpu_linear::{GpuError, nn, reference};

use crate::decoder::Event;
use crate::delegate::delegate;
use crate::report::{FAILURE, hparams};
use crate::support::gpu;
use crate::training::only_file;

/// When a call fails, counted over all calls that may fail.
#[derive(Clone, Copy)]
enum Fault {
    Never,
    /// This call only.
    At(usize),
    /// This call and all after it, as those of a lost device.
    From(usize),
}

/// The twin, with a data set of its own and losses that arrive later, as those of a device.
struct Fragile {
    inner: reference::Mlp,
    is_resident: bool,
    data: Option<(Array2<f32>, Vec<u32>)>,
    order: VecDeque<Vec<usize>>,
    losses: VecDeque<MeanLoss>,
    fault: Fault,
    /// The calls so far.
    calls: RefCell<Vec<&'static str>>,
    failures: Cell<usize>,
}

impl Fragile {
    fn new(is_resident: bool, fault: Fault) -> Self {
        Self {
            inner: reference::Mlp::new(MlpConfig::new(&[2, 4, 2])).unwrap(),
            is_resident,
            data: None,
            order: VecDeque::new(),
            losses: VecDeque::new(),
            fault,
            calls: RefCell::default(),
            failures: Cell::new(0),
        }
    }

    fn call(&self, name: &'static str) -> Result<(), ModelError> {
        let mut calls = self.calls.borrow_mut();
        let number = calls.len();
        calls.push(name);
        let fails = match self.fault {
            Fault::Never => false,
            Fault::At(at) => number == at,
            Fault::From(from) => number >= from,
        };
        if !fails {
            return Ok(());
        }
        self.failures.set(self.failures.get() + 1);
        Err(GpuError::DeviceLost.into())
    }
}

impl Model for Fragile {
    delegate!(inner: layer_sizes, device, config, loss, learning_rate);

    fn train_batch(
        &mut self,
        x: ArrayView2<'_, f32>,
        targets: Targets<'_>,
    ) -> Result<(), ModelError> {
        self.call("train_batch")?;
        self.inner.train_batch(x, targets)
    }
    fn take_loss(&mut self) -> Result<MeanLoss, ModelError> {
        self.call("take_loss")?;
        self.inner.take_loss()
    }
    fn request_loss(&mut self) -> Result<Option<MeanLoss>, ModelError> {
        self.call("request_loss")?;
        self.losses.push_back(self.inner.take_loss()?);
        Ok(None)
    }
    fn poll_loss(&mut self) -> Result<Option<MeanLoss>, ModelError> {
        self.call("poll_loss")?;
        Ok(self.losses.pop_front())
    }
    fn predict(&mut self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>, ModelError> {
        self.call("predict")?;
        self.inner.predict(x)
    }
    fn set_learning_rate(&mut self, learning_rate: f32) -> Result<(), ModelError> {
        self.call("set_learning_rate")?;
        self.inner.set_learning_rate(learning_rate)
    }
    fn parameters(&self) -> Result<Vec<LayerParameters>, ModelError> {
        self.call("parameters")?;
        self.inner.parameters()
    }
    fn set_parameters(&mut self, parameters: &[LayerParameters]) -> Result<(), ModelError> {
        self.call("set_parameters")?;
        self.inner.set_parameters(parameters)
    }
    fn histograms(&mut self) -> Result<Vec<LayerHistograms>, ModelError> {
        self.call("histograms")?;
        self.inner.histograms()
    }
    fn resident(&mut self) -> Option<&mut dyn ResidentModel> {
        self.is_resident.then_some(self as _)
    }
}

impl ResidentModel for Fragile {
    fn load(&mut self, x: ArrayView2<'_, f32>, targets: Targets<'_>) -> Result<bool, ModelError> {
        let Targets::Classes(labels) = targets else {
            return Ok(false);
        };
        self.call("load")?;
        self.data = Some((x.to_owned(), labels.to_vec()));
        Ok(true)
    }
    fn unload(&mut self) -> Result<(), ModelError> {
        self.call("unload")?;
        self.data = None;
        Ok(())
    }
    fn set_order(&mut self, indices: &[usize], batch: usize) -> Result<(), ModelError> {
        self.call("set_order")?;
        self.order = indices.chunks(batch).map(<[usize]>::to_vec).collect();
        Ok(())
    }
    fn train_next(&mut self) -> Result<bool, ModelError> {
        self.call("train_next")?;
        let (x, labels) = self.data.as_ref().ok_or(ModelError::NoData)?;
        let Some(rows) = self.order.pop_front() else {
            return Ok(false);
        };
        let (x, labels) = (
            x.select(ndarray::Axis(0), &rows),
            rows.iter().map(|row| labels[*row]).collect::<Vec<_>>(),
        );
        self.inner
            .train_batch(x.view(), Targets::Classes(&labels))?;
        Ok(true)
    }
}

fn data() -> Dataset {
    let x = array![[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [2.0, 0.0]];
    Dataset::new(x, vec![0, 1, 1, 0, 1]).unwrap()
}

/// Whatever a trainer can do to a model, in three epochs of three steps, of which the first is the
/// best.
fn run(model: &mut Fragile) -> (Result<Summary, TrainError>, Vec<Event>) {
    let options = TrainOptions {
        epochs: 3,
        batch: 2,
        report_every: 1,
        histograms_every: 1,
        schedule: Schedule::Cosine { floor: 0.1 },
        ..TrainOptions::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let (train, validation) = (data(), data());
    let measured = AtomicU32::new(0);
    let worse = Metric::new("worse", move |_, _| {
        measured.fetch_add(1, Ordering::Relaxed) as f32
    });
    let result = Trainer::new(options)
        .with_events(Writer::create(folder.path()).unwrap())
        .with_validation(&validation)
        .with_metric(worse)
        .with_early_stopping(EarlyStopping::min("worse", 10))
        .run(model, &train, &data(), |_| ControlFlow::Continue(()));
    (result, only_file(folder.path()))
}

/// What the points of a run are compared by: all but times and speeds.
fn points(events: &[Event]) -> Vec<(String, i64, Option<u32>)> {
    let timed = |event: &&Event| {
        event.tag != "examples_per_second" && !event.tag.starts_with("_hparams_/session")
    };
    let point = |event: &Event| (event.tag.clone(), event.step, event.value_bits);
    events.iter().filter(timed).map(point).collect()
}

struct Healthy {
    calls: Vec<&'static str>,
    points: Vec<(String, i64, Option<u32>)>,
}

fn healthy(is_resident: bool) -> Healthy {
    let mut model = Fragile::new(is_resident, Fault::Never);
    let (result, events) = run(&mut model);
    assert_eq!(result.unwrap().best_epoch, Some(1));
    Healthy {
        calls: model.calls.into_inner(),
        points: points(&events),
    }
}

/// A run that fails at call `at` of a run that was healthy.
fn check(healthy: &Healthy, is_resident: bool, at: usize, is_lost: bool) {
    let fault = if is_lost {
        Fault::From(at)
    } else {
        Fault::At(at)
    };
    let mut model = Fragile::new(is_resident, fault);
    let (result, events) = run(&mut model);
    let name = healthy.calls[at];
    let case = format!("call {at}, {name}, lost: {is_lost}");
    assert!(
        matches!(
            result,
            Err(TrainError::Model(ModelError::Gpu(GpuError::DeviceLost)))
        ),
        "{case}: {result:?}"
    );
    assert!(model.failures.get() >= 1);

    // All events of the healthy run up to here, then the end.
    assert_eq!(
        hparams(&events, "session_end_info", 4)[..2],
        FAILURE,
        "{case}"
    );
    assert_eq!(events.last().unwrap().tag, "_hparams_/session_end_info");
    let left = points(&events);
    assert!(healthy.points.starts_with(&left), "{case}: {left:?}");
    let losses = left.iter().filter(|point| point.0 == "loss/train").count();
    let answered = healthy.calls[..at].iter();
    // The first loss that is taken is that of before the run.
    let asked = answered.filter(|name| ["take_loss", "request_loss"].contains(name));
    let asked = asked.count().saturating_sub(1);
    if is_lost {
        assert!(losses <= asked, "{case}: {losses} of {asked}");
        return;
    }
    assert_eq!(losses, asked, "{case}");

    // The model as it should be, but for what it has refused.
    let last = |name| healthy.calls.iter().rposition(|call| *call == name);
    if Some(at) != last("set_learning_rate") {
        let usual = MlpConfig::new(&[2, 2]).optimizer.learning_rate();
        assert_eq!(model.learning_rate(), usual, "{case}");
    }
    assert_eq!(model.data.is_some(), name == "unload", "{case}");
    let calls = model.calls.borrow();
    let is_restored = calls.contains(&"set_parameters");
    let has_best = calls.iter().filter(|call| **call == "parameters").count() > 0;
    if has_best && name != "parameters" && at > healthy.first_step_after_best() {
        assert!(is_restored, "{case}");
    }
}

impl Healthy {
    /// The call that begins the first step after the best epoch was kept.
    fn first_step_after_best(&self) -> usize {
        let kept = self.calls.iter().position(|call| *call == "parameters");
        let is_step = |call: &&str| call.starts_with("train_");
        let kept = kept.unwrap();
        kept + self.calls[kept..].iter().position(is_step).unwrap()
    }
}

const KINDS: [&str; 9] = [
    "take_loss",
    "request_loss",
    "poll_loss",
    "predict",
    "set_learning_rate",
    "parameters",
    "set_parameters",
    "histograms",
    "train_batch",
];
const RESIDENT_KINDS: [&str; 4] = ["load", "set_order", "train_next", "unload"];

#[test]
fn run_ends_in_order_at_a_failure_of_every_kind() {
    for is_resident in [false, true] {
        let healthy = healthy(is_resident);
        let kinds: Vec<_> = if is_resident {
            KINDS[..8].iter().chain(&RESIDENT_KINDS).collect()
        } else {
            KINDS.iter().collect()
        };
        for kind in kinds {
            let calls = healthy.calls.iter().enumerate();
            let at: Vec<_> = calls
                .filter(|(_, call)| *call == kind)
                .map(|(at, _)| at)
                .collect();
            assert!(!at.is_empty(), "{kind}");
            for at in [at[0], at[at.len() / 2], at[at.len() - 1]] {
                check(&healthy, is_resident, at, false);
                check(&healthy, is_resident, at, true);
            }
        }
    }
}

#[test]
fn run_ends_in_order_at_failures_at_random_moments() {
    let mut random = fastrand::Rng::with_seed(50);
    let healthy = [healthy(false), healthy(true)];
    for i in 0..50 {
        let is_resident = i % 2 == 1;
        let healthy = &healthy[usize::from(is_resident)];
        let at = random.usize(0..healthy.calls.len());
        check(healthy, is_resident, at, random.bool());
    }
}

/// Parameters with one number that is not finite, each in its turn.
fn check_parameters_are_finite(model: &mut dyn Model) {
    let before = model.parameters().unwrap();
    for (value, is_bias, layer, column) in [
        (f32::NAN, false, 1, 1),
        (f32::INFINITY, false, 2, 0),
        (f32::NEG_INFINITY, true, 1, 2),
        (f32::NAN, true, 2, 1),
    ] {
        let mut parameters = before.clone();
        let changed = &mut parameters[layer - 1];
        let (expected, row) = if is_bias {
            changed.b[column] = value;
            ("b", 0)
        } else {
            changed.w[[1, column]] = value;
            ("w", 1)
        };
        let error = model.set_parameters(&parameters).unwrap_err();
        let said = format!(
            "layer {layer}, {expected}: row {row}, column {column} is {value}, not a finite number"
        );
        assert_eq!(error.to_string(), said);
        assert_eq!(model.parameters().unwrap(), before, "nothing is changed");
    }
    model.set_parameters(&before).unwrap();
}

#[test]
fn models_refuse_parameters_that_are_not_finite() {
    let config = MlpConfig::new(&[2, 3, 2]);
    check_parameters_are_finite(&mut reference::Mlp::<f32>::new(config.clone()).unwrap());
    check_parameters_are_finite(&mut reference::Mlp::<f64>::new(config.clone()).unwrap());
    check_parameters_are_finite(&mut nn::Mlp::new(gpu(), config).unwrap());
}

fn asked_for<T: std::fmt::Debug>(result: Result<T, ModelError>) -> u64 {
    match result {
        Err(ModelError::Memory { bytes }) => bytes,
        other => panic!("{other:?}"),
    }
}

/// More than any address space has, so that no allocator says yes.
#[test]
fn twin_refuses_what_no_memory_can_hold() {
    let wide = || MlpConfig::new(&[1 << 29, 1 << 29]);
    let network = 4 * 4 * (1_u64 << 29) * ((1 << 29) + 1);
    assert_eq!(asked_for(reference::Mlp::<f32>::new(wide())), network);
    assert_eq!(asked_for(reference::Mlp::<f64>::new(wide())), 2 * network);

    // Rows that are one row in memory, so many that they cannot be looked through.
    let mut mlp = reference::Mlp::<f32>::new(MlpConfig::new(&[1, 64])).unwrap();
    let zero = Array1::<f32>::zeros(1);
    let x = zero.broadcast((1 << 45, 1)).unwrap();
    assert_eq!(asked_for(mlp.predict(x)), 8 * 64 * (1 << 45));
    assert_eq!(asked_for(mlp.outputs(x)), 8 * 64 * (1 << 45));

    // A batch that there is, for a network too wide for it.
    let config = MlpConfig {
        loss: Loss::MeanSquaredError,
        ..MlpConfig::new(&[1, 1 << 20, 1])
    };
    let mut mlp = reference::Mlp::<f32>::new(config).unwrap();
    let before = mlp.parameters().unwrap();
    let x = zero.broadcast((1 << 26, 1)).unwrap();
    let bytes = 2 * 4 * (1 << 26) * (2 * (1 << 20) + 2);
    assert_eq!(asked_for(mlp.train_batch(x, Targets::Values(x))), bytes);
    assert_eq!(asked_for(mlp.backward(x, Targets::Values(x))), bytes);
    assert_eq!(mlp.parameters().unwrap(), before);
    let few = zero.broadcast((3, 1)).unwrap();
    mlp.train_batch(few, Targets::Values(few)).unwrap();
}
