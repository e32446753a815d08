//! Checkpoints: runs go on with the same bits, and files that cannot be used are refused by name.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayView2};
use wgpu_linear::events::Writer;
use wgpu_linear::model::{
    Activation, AdamSettings, LayerParameters, Loss, MlpConfig, Model, Optimizer, SgdSettings,
    initial_parameters,
};
use wgpu_linear::train::checkpoint::{Checkpoint, CheckpointError, Checkpoints};
use wgpu_linear::train::{
    Dataset, EarlyStopping, Metric, Progress, Schedule, Summary, TrainError, TrainOptions, Trainer,
};
use wgpu_linear::{nn, reference};

use crate::delegate::delegate;
use crate::support::{gpu, reals};

const SIZES: [usize; 3] = [6, 17, 3];
const EXAMPLES: usize = 50;
/// Batches of 12, the last of 2.
const STEPS_PER_EPOCH: u64 = 5;
const EPOCHS: u32 = 6;

fn config(optimizer: Optimizer) -> MlpConfig {
    MlpConfig {
        optimizer,
        clip_norm: Some(0.5),
        activation: Activation::Tanh,
        seed: 5,
        ..MlpConfig::new(&SIZES)
    }
}

fn momentum() -> Optimizer {
    Optimizer::Sgd(SgdSettings {
        momentum: 0.9,
        learning_rate: 0.05,
        ..SgdSettings::default()
    })
}

fn adam() -> Optimizer {
    Optimizer::Adam(AdamSettings {
        learning_rate: 0.02,
        ..AdamSettings::default()
    })
}

fn dataset(seed: u64, examples: usize) -> Dataset {
    let mut random = fastrand::Rng::with_seed(seed);
    let x = reals(&mut random, examples, SIZES[0]);
    let labels = (0..examples).map(|_| random.u32(0..3)).collect();
    Dataset::new(x, labels).unwrap()
}

fn train_set() -> Dataset {
    dataset(81, EXAMPLES)
}

fn test_set() -> Dataset {
    dataset(82, 20)
}

pub(crate) fn options() -> TrainOptions {
    TrainOptions {
        epochs: EPOCHS,
        batch: 12,
        seed: 3,
        schedule: Schedule::Cosine { floor: 0.1 },
        warmup_steps: 7,
        report_every: 2,
        histograms_every: 0,
    }
}

/// A cosine schedule behind a warm-up, and early stopping that never stops.
fn trainer<'a>() -> Trainer<'a> {
    Trainer::new(options()).with_early_stopping(EarlyStopping::min("loss", 100))
}

/// A model on the device that gets its batches from the host.
struct HostMlp {
    mlp: nn::Mlp,
}

impl Model for HostMlp {
    delegate!(mlp: layer_sizes, device, config, train_batch, take_loss, predict, loss,
        learning_rate, set_learning_rate, parameters, set_parameters, training_state,
        set_training_state);
}

type Make = fn(MlpConfig) -> Box<dyn Model>;

fn twin(config: MlpConfig) -> Box<dyn Model> {
    Box::new(reference::Mlp::<f32>::new(config).unwrap())
}

fn resident(config: MlpConfig) -> Box<dyn Model> {
    Box::new(nn::Mlp::new(gpu(), config).unwrap())
}

fn host(config: MlpConfig) -> Box<dyn Model> {
    let mlp = nn::Mlp::new(gpu(), config).unwrap();
    Box::new(HostMlp { mlp })
}

const MAKERS: [Make; 3] = [twin, resident, host];

/// Where the callback ends a run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stop {
    Never,
    Step(u64),
    Epoch(u32),
}

impl Stop {
    fn flow(self, progress: &Progress) -> ControlFlow<()> {
        let is_now = match progress {
            Progress::Step { step, .. } => self == Self::Step(*step),
            Progress::Epoch(report) => self == Self::Epoch(report.epoch),
            _ => false,
        };
        if is_now {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

fn run(trainer: Trainer<'_>, model: &mut dyn Model, stop: Stop) -> Summary {
    let (train, test) = (train_set(), test_set());
    let summary = trainer.run(model, &train, &test, |progress| stop.flow(progress));
    summary.unwrap()
}

/// The last checkpoint of a run in `folder`, as bytes: parameters, optimizer, position, best epoch.
fn last_of(folder: &Path) -> Vec<u8> {
    let (_, checkpoint) = Checkpoints::latest(folder).unwrap().unwrap();
    checkpoint.to_bytes().unwrap()
}

fn bits(layers: &[LayerParameters]) -> Vec<u32> {
    let numbers = layers
        .iter()
        .flat_map(|layer| layer.w.iter().chain(&layer.b));
    numbers.map(|number| number.to_bits()).collect()
}

/// What a run ends with: its last checkpoint, the weights of the model, which are the best, and its
/// learning rate.
fn end(folder: &Path, model: &dyn Model) -> (Vec<u8>, Vec<u32>, f32) {
    let weights = bits(&model.parameters().unwrap());
    (last_of(folder), weights, model.learning_rate())
}

/// The end of a run that is stopped at each of `stops`, and gone on with by another model.
fn end_with_stops(
    make: Make,
    optimizer: Optimizer,
    stops: &[Stop],
    prepare: fn(Trainer<'_>) -> Trainer<'_>,
) -> (Vec<u8>, Vec<u32>, f32) {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(folder.path()).every_epochs(0);
    let mut start = None;
    for stop in stops.iter().chain([&Stop::Never]) {
        let mut model = make(config(optimizer));
        if start.is_some() {
            // That of the checkpoint counts.
            model.set_learning_rate(0.5).unwrap();
        }
        let mut trainer = prepare(trainer()).with_checkpoints(checkpoints.clone());
        if let Some(start) = start.take() {
            trainer = trainer.resume(start);
        }
        let summary = run(trainer, model.as_mut(), *stop);
        assert_eq!(summary.stopped, *stop != Stop::Never);
        let (path, latest) = Checkpoints::latest(folder.path()).unwrap().unwrap();
        assert_eq!(summary.checkpoint, Some(path));
        start = Some(latest);
        if *stop == Stop::Never {
            assert_eq!(summary.steps, u64::from(EPOCHS) * STEPS_PER_EPOCH);
            return end(folder.path(), model.as_ref());
        }
    }
    unreachable!("the last stop is none");
}

fn quickly(trainer: Trainer<'_>) -> Trainer<'_> {
    trainer.with_quick_stop()
}

/// In the midst of an epoch, before its last batch, after it but before the evaluation, after that;
/// and several times.
#[test]
fn resumed_runs_end_with_the_bits_of_uninterrupted_ones() {
    use Stop::{Epoch, Step};
    let stops: [&[Stop]; 6] = [
        &[Step(1)],
        &[Step(13)],
        &[Step(4), Step(15)],
        &[Epoch(2)],
        &[Step(10), Epoch(3), Step(18), Step(29)],
        &[Epoch(EPOCHS)],
    ];
    for make in MAKERS {
        for optimizer in [momentum(), adam()] {
            let whole = end_with_stops(make, optimizer, &[], |trainer| trainer);
            for stops in stops {
                let quick = end_with_stops(make, optimizer, stops, quickly);
                assert!(quick == whole, "{optimizer:?}, {stops:?}");
                let slow = end_with_stops(make, optimizer, stops, |trainer| trainer);
                assert!(slow == whole, "{optimizer:?}, {stops:?}, evaluated");
            }
        }
    }
}

/// As after a crash: from every checkpoint that a run has left.
#[test]
fn a_run_goes_on_from_any_of_its_checkpoints() {
    for make in [twin, resident] {
        let folder = tempfile::tempdir().unwrap();
        let mut model = make(config(adam()));
        let all = Checkpoints::new(folder.path())
            .every_steps(4)
            .keep_last(100);
        run(trainer().with_checkpoints(all), model.as_mut(), Stop::Never);
        let whole = end(folder.path(), model.as_ref());
        let files = names(folder.path());
        // 7 of steps, 6 of epochs, of which step 20 is both, and the best.
        assert_eq!(files.len(), 7 + 6 - 1 + 1, "{files:?}");
        for name in files {
            let start = Checkpoint::load(folder.path().join(&name)).unwrap();
            let other = tempfile::tempdir().unwrap();
            let mut model = make(start.config.clone());
            let trainer = trainer().with_checkpoints(Checkpoints::new(other.path()));
            run(trainer.resume(start), model.as_mut(), Stop::Never);
            assert!(end(other.path(), model.as_ref()) == whole, "{name}");
        }
    }
}

/// The test above would notice: a checkpoint without what the optimizer remembers.
#[test]
fn a_run_that_forgets_the_optimizer_ends_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = twin(config(adam()));
    let checkpoints = Checkpoints::new(folder.path());
    run(
        trainer().with_checkpoints(checkpoints.clone()),
        model.as_mut(),
        Stop::Step(13),
    );
    let (_, mut start) = Checkpoints::latest(folder.path()).unwrap().unwrap();
    start.state = Some(twin(config(adam())).training_state().unwrap());
    let mut model = twin(config(adam()));
    run(
        trainer().resume(start).with_checkpoints(checkpoints),
        model.as_mut(),
        Stop::Never,
    );
    let whole = end_with_stops(twin, adam(), &[], |trainer| trainer);
    assert!(end(folder.path(), model.as_ref()) != whole);
}

#[test]
fn a_run_that_was_out_of_patience_stays_so() {
    let impatient = || {
        let stopping = EarlyStopping {
            min_improvement: 10.0,
            ..EarlyStopping::min("loss", 2)
        };
        Trainer::new(options()).with_early_stopping(stopping)
    };
    let folder = tempfile::tempdir().unwrap();
    let mut model = twin(config(adam()));
    let checkpoints = Checkpoints::new(folder.path());
    let trainer = impatient().with_checkpoints(checkpoints.clone());
    let first = run(trainer, model.as_mut(), Stop::Never);
    assert_eq!(
        (first.steps, first.best_epoch),
        (3 * STEPS_PER_EPOCH, Some(1))
    );
    assert!(!first.stopped);
    let whole = end(folder.path(), model.as_ref());
    let (_, start) = Checkpoints::latest(folder.path()).unwrap().unwrap();
    let mut model = twin(config(adam()));
    let trainer = impatient().with_checkpoints(checkpoints).resume(start);
    let second = run(trainer, model.as_mut(), Stop::Never);
    assert_eq!(second.steps, first.steps);
    assert_eq!(second.test, first.test);
    assert!(end(folder.path(), model.as_ref()) == whole);
}

/// With all that may differ.
#[test]
fn more_epochs_may_follow() {
    let plain = |epochs| {
        Trainer::new(TrainOptions {
            epochs,
            schedule: Schedule::Constant,
            ..options()
        })
    };
    let (short, long) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut model = twin(config(adam()));
    let at_once = plain(7).with_checkpoints(Checkpoints::new(long.path()));
    run(at_once, model.as_mut(), Stop::Never);
    let expected = end(long.path(), model.as_ref());
    let checkpoints = Checkpoints::new(short.path());
    let mut model = twin(config(adam()));
    run(
        plain(4).with_checkpoints(checkpoints.clone()),
        model.as_mut(),
        Stop::Never,
    );
    let (_, start) = Checkpoints::latest(short.path()).unwrap().unwrap();
    let mut model = twin(MlpConfig {
        optimizer: Optimizer::Adam(AdamSettings::default()),
        ..config(adam())
    });
    let trainer = plain(7).with_checkpoints(checkpoints).resume(start);
    run(trainer, model.as_mut(), Stop::Never);
    assert!(end(short.path(), model.as_ref()) == expected);
}

/// A model that counts what it is asked to predict.
struct Counting {
    twin: reference::Mlp,
    predictions: usize,
}

impl Counting {
    fn new() -> Self {
        Self {
            twin: reference::Mlp::new(config(adam())).unwrap(),
            predictions: 0,
        }
    }
}

impl Model for Counting {
    delegate!(twin: layer_sizes, device, config, train_batch, take_loss, loss, learning_rate,
        set_learning_rate, parameters, set_parameters, training_state, set_training_state);

    fn predict(
        &mut self,
        x: ArrayView2<'_, f32>,
    ) -> Result<Array2<f32>, wgpu_linear::model::ModelError> {
        self.predictions += 1;
        self.twin.predict(x)
    }
}

#[test]
fn a_quick_stop_evaluates_nothing_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (points, files) = (folder.path().join("events"), folder.path().join("run"));
    let mut model = Counting::new();
    let trainer = trainer()
        .with_events(Writer::create(&points).unwrap())
        .with_checkpoints(Checkpoints::new(&files))
        .with_quick_stop();
    let summary = run(trainer, &mut model, Stop::Step(3));
    assert_eq!((model.predictions, summary.steps), (0, 3));
    assert!(summary.stopped && summary.test.loss.is_nan());
    assert_eq!(summary.test.metrics().count(), 0);
    assert_eq!(
        summary.checkpoint,
        Some(files.join("checkpoint-3.safetensors"))
    );
    // One was asked for after two steps; the third is not forgotten.
    assert_eq!(steps_of("loss/train", &points), [2, 3]);

    let mut model = Counting::new();
    let trainer = Trainer::new(options());
    let summary = run(trainer, &mut model, Stop::Step(3));
    assert!(summary.test.loss.is_finite() && summary.stopped);
    assert_eq!(summary.checkpoint, None);
    assert_eq!(model.predictions, 1);
}

fn steps_of(tag: &str, folder: &Path) -> Vec<i64> {
    let events = crate::training::only_file(folder);
    let events = events.iter().filter(|event| event.tag == tag);
    events.map(|event| event.step).collect()
}

#[test]
fn the_steps_of_an_event_file_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("1"), folder.path().join("2"));
    let run_to = |stop, events: &Path, start: Option<Checkpoint>| {
        let mut model = resident(config(adam()));
        let mut trainer = trainer()
            .with_events(Writer::create(events).unwrap())
            .with_checkpoints(Checkpoints::new(folder.path().join("run")))
            .with_quick_stop();
        if let Some(start) = start {
            trainer = trainer.resume(start);
        }
        run(trainer, model.as_mut(), stop);
        Checkpoints::latest(folder.path().join("run"))
            .unwrap()
            .unwrap()
            .1
    };
    let start = run_to(Stop::Step(23), &first, None);
    run_to(Stop::Never, &second, Some(start));
    let all = |tag| [steps_of(tag, &first), steps_of(tag, &second)].concat();
    assert_eq!(
        all("loss/train"),
        [
            2, 4, 5, 6, 8, 10, 12, 14, 15, 16, 18, 20, 22, 23, 24, 25, 26, 28, 30
        ]
    );
    assert_eq!(all("loss/test"), [5, 10, 15, 20, 25, 30]);
    let begin = crate::training::only_file(&second);
    let texts = begin.iter().filter(|event| event.tag.contains("config"));
    assert!(texts.map(|event| event.step).eq([23]));
}

/// The names of files in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn the_last_and_the_best_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let keep = |name: &str, change: fn(Checkpoints) -> Checkpoints| {
        let folder = folder.path().join(name);
        let mut model = twin(config(adam()));
        let checkpoints = change(Checkpoints::new(&folder));
        let summary = run(
            trainer().with_checkpoints(checkpoints),
            model.as_mut(),
            Stop::Never,
        );
        assert_eq!(
            summary.checkpoint,
            Some(folder.join("checkpoint-30.safetensors"))
        );
        (names(&folder), folder, summary)
    };
    let (files, path, summary) = keep("usual", |checkpoints| checkpoints);
    assert_eq!(
        files,
        [
            "best.safetensors",
            "checkpoint-25.safetensors",
            "checkpoint-30.safetensors"
        ]
    );
    let best = Checkpoint::load(path.join("best.safetensors")).unwrap();
    let progress = best.progress.unwrap();
    assert_eq!(Some(progress.epochs_done), summary.best_epoch);
    let kept = progress.stopping.unwrap().best.unwrap();
    assert_eq!(kept.parameters, best.parameters);
    assert_eq!(kept.evaluation.loss, summary.test.loss);

    let (files, ..) = keep("one", |checkpoints| {
        checkpoints.keep_last(0).keep_best(false)
    });
    assert_eq!(files, ["checkpoint-30.safetensors"]);
    let (files, ..) = keep("few", |checkpoints| {
        checkpoints.every_epochs(4).keep_last(9).keep_best(false)
    });
    assert_eq!(
        files,
        ["checkpoint-20.safetensors", "checkpoint-30.safetensors"]
    );
    let (files, ..) = keep("steps", |checkpoints| {
        checkpoints
            .every_epochs(0)
            .every_steps(9)
            .keep_last(9)
            .keep_best(false)
    });
    let steps = [18, 27, 30, 9].map(|step| format!("checkpoint-{step}.safetensors"));
    assert_eq!(files, steps);
}

/// Without early stopping the loss tells, also across a resume.
#[test]
fn the_best_by_loss_is_kept_across_a_resume() {
    let folder = tempfile::tempdir().unwrap();
    let best = |name: &str, stop: Stop| {
        let folder = folder.path().join(name);
        let trainer = || Trainer::new(options()).with_checkpoints(Checkpoints::new(&folder));
        let mut model = twin(config(adam()));
        run(trainer(), model.as_mut(), stop);
        let (_, start) = Checkpoints::latest(&folder).unwrap().unwrap();
        if stop != Stop::Never {
            run(trainer().resume(start), model.as_mut(), Stop::Never);
        }
        let last = Checkpoints::latest(&folder).unwrap().unwrap().1;
        let best = Checkpoint::load(folder.join("best.safetensors")).unwrap();
        (best, last.progress.unwrap().best_loss.unwrap())
    };
    let (whole, least) = best("whole", Stop::Never);
    let done = whole.progress.as_ref().unwrap();
    assert_eq!(done.best_loss, Some(least));
    assert!(done.epochs_done > 1);
    assert_eq!(best("parts", Stop::Epoch(EPOCHS - 1)), (whole, least));
}

#[test]
fn whatever_a_program_adds_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let extra = BTreeMap::from([
        (
            "preprocessing".to_owned(),
            r#"{"mean": [0.5, "\u00e9"]}"#.to_owned(),
        ),
        ("empty".to_owned(), String::new()),
    ]);
    let checkpoints = Checkpoints::new(folder.path()).extra(extra.clone());
    let mut model = twin(config(adam()));
    run(
        trainer().with_checkpoints(checkpoints),
        model.as_mut(),
        Stop::Step(2),
    );
    let (_, latest) = Checkpoints::latest(folder.path()).unwrap().unwrap();
    assert_eq!(latest.extra, extra);
}

/// A small checkpoint with everything in it.
fn full() -> Checkpoint {
    let folder = tempfile::tempdir().unwrap();
    let mut model = twin(config(adam()));
    let trainer = trainer().with_checkpoints(Checkpoints::new(folder.path()));
    run(trainer, model.as_mut(), Stop::Step(7));
    Checkpoints::latest(folder.path()).unwrap().unwrap().1
}

#[test]
fn a_file_has_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let checkpoint = full();
    assert!(
        checkpoint
            .progress
            .as_ref()
            .unwrap()
            .stopping
            .as_ref()
            .unwrap()
            .best
            .is_some()
    );
    checkpoint.save(&path).unwrap();
    assert_eq!(Checkpoint::load(&path).unwrap(), checkpoint);
    assert_eq!(fs::read(&path).unwrap(), checkpoint.to_bytes().unwrap());
    let bytes = fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names = tensors.names();
    names.sort_unstable();
    let mut expected = vec!["scalars/corrections".to_owned()];
    for prefix in ["", "best/", "moments/m/", "moments/v/"] {
        for layer in 1..=2 {
            expected.extend(["w", "b"].map(|part| format!("{prefix}layer{layer}/{part}")));
        }
    }
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(tensors.tensor("layer1/w").unwrap().shape(), [6, 17]);
}

#[test]
fn every_number_of_a_configuration_comes_back() {
    let mut random = fastrand::Rng::with_seed(6);
    let parameters = initial_parameters(&MlpConfig::new(&[1, 1]));
    for _ in 0..5000 {
        // Positive and finite.
        let mut number = || f32::from_bits(random.u32(0x0080_0000..0x7f80_0000));
        let config = MlpConfig {
            optimizer: Optimizer::AdamW(AdamSettings {
                learning_rate: number(),
                epsilon: number(),
                weight_decay: number(),
                ..AdamSettings::default()
            }),
            activation: Activation::LeakyRelu { slope: -number() },
            loss: Loss::Huber { delta: number() },
            clip_norm: Some(number()),
            ..MlpConfig::new(&[1, 1])
        };
        let checkpoint = Checkpoint::new(config, parameters.clone());
        let bytes = checkpoint.to_bytes().unwrap();
        assert_eq!(Checkpoint::from_bytes(&bytes).unwrap(), checkpoint);
    }
}

#[test]
fn every_kind_of_configuration_comes_back() {
    use wgpu_linear::model::{Initialization, LionSettings};
    let optimizers = [
        momentum(),
        adam(),
        Optimizer::AdamW(AdamSettings::default()),
        Optimizer::Lion(LionSettings::default()),
    ];
    let initializations = [
        Initialization::He,
        Initialization::Xavier,
        Initialization::KaimingUniform,
        Initialization::Siren { frequency: 30.0 },
        Initialization::Zeros,
    ];
    for (i, activation) in Activation::ALL.into_iter().enumerate() {
        let config = MlpConfig {
            activation,
            output_activation: activation,
            loss: Loss::ALL[i % Loss::ALL.len()],
            optimizer: optimizers[i % optimizers.len()],
            initialization: initializations[i % initializations.len()],
            seed: u64::MAX - i as u64,
            ..MlpConfig::new(&SIZES)
        };
        let checkpoint = Checkpoint::new(config.clone(), initial_parameters(&config));
        let bytes = checkpoint.to_bytes().unwrap();
        assert_eq!(Checkpoint::from_bytes(&bytes).unwrap(), checkpoint);
    }
    let weighted = MlpConfig {
        class_weights: vec![0.1, 0.0, 3.0],
        ..config(adam())
    };
    let checkpoint = Checkpoint::new(weighted.clone(), initial_parameters(&weighted));
    let bytes = checkpoint.to_bytes().unwrap();
    assert_eq!(Checkpoint::from_bytes(&bytes).unwrap(), checkpoint);
}

/// In a file everything has the name that it has elsewhere.
#[test]
fn names_in_files_are_those_of_the_formulas() {
    let name_of = |value: serde_json::Value| match value {
        serde_json::Value::String(name) => name,
        serde_json::Value::Object(map) => map.keys().next().unwrap().clone(),
        other => panic!("{other}"),
    };
    for activation in Activation::ALL {
        let value = serde_json::to_value(activation).unwrap();
        assert_eq!(name_of(value), activation.name());
    }
    for loss in Loss::ALL {
        assert_eq!(name_of(serde_json::to_value(loss).unwrap()), loss.name());
    }
    for optimizer in [
        momentum(),
        adam(),
        Optimizer::AdamW(AdamSettings::default()),
    ] {
        let value = serde_json::to_value(optimizer).unwrap();
        assert_eq!(name_of(value), optimizer.name());
    }
}

#[test]
fn networks_can_be_written_down() {
    use wgpu_linear::model::NetworkConfig;
    let network = NetworkConfig::from(&config(momentum()));
    let text = serde_json::to_string(&network).unwrap();
    let again: NetworkConfig = serde_json::from_str(&text).unwrap();
    assert_eq!(again, network);
    // Layers that do not follow each other make no network.
    let broken = text.replacen(r#""inputs":17"#, r#""inputs":18"#, 1);
    assert_ne!(broken, text);
    let broken: NetworkConfig = serde_json::from_str(&broken).unwrap();
    let error = reference::Mlp::<f32>::of_network(broken).unwrap_err();
    assert!(error.to_string().contains("layer sizes"), "{error}");
}

/// Metrics may be anything.
#[test]
fn evaluations_come_back_with_nan_and_infinities() {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-45, 0.1];
    let folder = tempfile::tempdir().unwrap();
    let mut trainer = trainer().with_checkpoints(Checkpoints::new(folder.path()));
    for (i, value) in odd.into_iter().enumerate() {
        trainer = trainer.with_metric(Metric::new(format!("m{i}"), move |_, _| value));
    }
    run(trainer, twin(config(adam())).as_mut(), Stop::Epoch(1));
    let (_, latest) = Checkpoints::latest(folder.path()).unwrap().unwrap();
    let best = latest.progress.unwrap().stopping.unwrap().best.unwrap();
    for (i, value) in odd.into_iter().enumerate() {
        let metric = best.evaluation.metric(&format!("m{i}")).unwrap();
        assert!(metric.to_bits() == value.to_bits() || (metric.is_nan() && value.is_nan()));
    }
    assert!(best.evaluation.accuracy.is_finite());
}

#[test]
fn files_that_are_cut_short_are_refused() {
    let bytes = full().to_bytes().unwrap();
    for len in 0..bytes.len() {
        let error = Checkpoint::from_bytes(&bytes[..len]).unwrap_err();
        let is_named = match error {
            CheckpointError::NotACheckpoint => len < 9,
            CheckpointError::Damaged { .. } => len >= 9,
            _ => false,
        };
        assert!(is_named, "{len} bytes: {error}");
    }
    let longer = [&bytes[..], &[0]].concat();
    let error = Checkpoint::from_bytes(&longer).unwrap_err();
    assert!(matches!(error, CheckpointError::Damaged { .. }), "{error}");
}

#[test]
fn no_bit_can_change_unseen() {
    let config = MlpConfig::new(&[2, 3, 1]);
    let config = MlpConfig {
        loss: Loss::MeanSquaredError,
        ..config
    };
    let good = Checkpoint::of(&reference::Mlp::<f32>::new(config).unwrap()).unwrap();
    let mut bytes = good.to_bytes().unwrap();
    for i in 0..bytes.len() {
        for bit in 0..8 {
            bytes[i] ^= 1 << bit;
            if let Ok(loaded) = Checkpoint::from_bytes(&bytes) {
                panic!("byte {i}, bit {bit}: {}", loaded == good);
            }
            bytes[i] ^= 1 << bit;
        }
    }
    assert_eq!(Checkpoint::from_bytes(&bytes).unwrap(), good);
}

#[test]
fn newer_and_foreign_files_are_named() {
    let bytes = full().to_bytes().unwrap();
    let version = br#"\"version\":1"#;
    let at = bytes
        .windows(version.len())
        .position(|part| part == version);
    let mut newer = bytes.clone();
    newer[at.unwrap() + version.len() - 1] = b'7';
    let error = Checkpoint::from_bytes(&newer).unwrap_err();
    assert!(matches!(
        error,
        CheckpointError::Version { found: 7, known: 1 }
    ));
    let words = error.to_string();
    assert!(words.contains("version 7") && words.contains("up to 1") && words.contains("newer"));

    let data = [0; 8];
    let tensor = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2], &data);
    let tensors = [("0.weight", tensor.unwrap())];
    let foreign = safetensors::serialize(tensors, None).unwrap();
    let error = Checkpoint::from_bytes(&foreign).unwrap_err();
    assert!(matches!(error, CheckpointError::Foreign), "{error}");
    for text in ["a,b\n1,2\n", "PK\u{3}\u{4} and a good deal more of it", ""] {
        let error = Checkpoint::from_bytes(text.as_bytes()).unwrap_err();
        assert!(matches!(error, CheckpointError::NotACheckpoint), "{error}");
    }
}

#[test]
fn errors_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, broken) = (folder.path().join("missing"), folder.path().join("broken"));
    let error = Checkpoint::load(&missing).unwrap_err();
    assert!(matches!(&error, CheckpointError::Read { path, .. } if *path == missing));
    fs::write(&broken, "?").unwrap();
    let error = Checkpoint::load(&broken).unwrap_err();
    assert!(matches!(&error, CheckpointError::File { path, .. } if *path == broken));
    assert!(error.to_string().contains("broken"));
    let error = Checkpoint::load(folder.path()).unwrap_err();
    assert!(matches!(error, CheckpointError::Read { .. }), "{error}");
    let nowhere = missing.join("a.safetensors");
    let error = full().save(&nowhere).unwrap_err();
    assert!(matches!(error, CheckpointError::Write { path, .. } if path == nowhere));
}

#[test]
fn what_no_model_takes_is_not_written() {
    let mut checkpoint = full();
    checkpoint.parameters[1].w[[3, 2]] = f32::NAN;
    let words = "layer 2, w: row 3, column 2 is NaN";
    assert!(
        checkpoint
            .to_bytes()
            .unwrap_err()
            .to_string()
            .contains(words)
    );
    let mut checkpoint = full();
    checkpoint.state.as_mut().unwrap().moments[1].layers[0].b[0] = f32::INFINITY;
    assert!(checkpoint.to_bytes().is_err());
    let mut checkpoint = full();
    checkpoint.parameters.pop();
    let error = checkpoint.to_bytes().unwrap_err();
    assert_eq!(
        error.to_string(),
        "layer 2 of the checkpoint is missing, that of the model 17 × 3"
    );
}

#[test]
fn a_model_of_another_shape_or_optimizer_is_named() {
    let checkpoint = full();
    let other = |sizes: &[usize], optimizer| {
        twin(MlpConfig {
            layer_sizes: sizes.to_vec(),
            ..config(optimizer)
        })
    };
    for (sizes, words) in [
        (
            &[6, 18, 3][..],
            "layer 1 of the checkpoint is 6 × 17, that of the model 6 × 18",
        ),
        (
            &[6, 17, 4],
            "layer 2 of the checkpoint is 17 × 3, that of the model 17 × 4",
        ),
        (
            &[6, 17, 3, 3],
            "layer 3 of the checkpoint is missing, that of the model 3 × 3",
        ),
        (
            &[6, 17],
            "layer 2 of the checkpoint is 17 × 3, that of the model missing",
        ),
    ] {
        let mut model = other(sizes, adam());
        let before = model.parameters().unwrap();
        let error = checkpoint.restore(model.as_mut()).unwrap_err();
        assert_eq!(error.to_string(), words);
        assert_eq!(model.parameters().unwrap(), before);
    }
    let mut model = other(&SIZES, momentum());
    let before = model.parameters().unwrap();
    let error = checkpoint.restore(model.as_mut()).unwrap_err();
    assert!(error.to_string().contains("another optimizer"), "{error}");
    assert_eq!(model.parameters().unwrap(), before);
    let mut model = other(&SIZES, adam());
    model.set_learning_rate(9.0).unwrap();
    checkpoint.restore(model.as_mut()).unwrap();
    assert_eq!(model.parameters().unwrap(), checkpoint.parameters);
    assert_eq!(model.learning_rate(), 0.02);
}

/// What such a resume is refused for.
fn refusal(start: Checkpoint, trainer: Trainer<'_>, config: MlpConfig, train: &Dataset) -> String {
    let mut model = twin(config);
    let before = model.parameters().unwrap();
    let result = trainer
        .resume(start)
        .run(model.as_mut(), train, &test_set(), |_| {
            ControlFlow::Continue(())
        });
    let Err(TrainError::Checkpoint(error)) = result else {
        panic!("{result:?}");
    };
    assert_eq!(model.parameters().unwrap(), before);
    error.to_string()
}

#[test]
fn a_run_that_would_differ_is_refused_by_name() {
    let start = full();
    let with = |options| Trainer::new(options).with_early_stopping(EarlyStopping::min("loss", 9));
    let options = options();
    let (same, train) = (config(adam()), train_set());
    let refused = |trainer, config: &MlpConfig, train: &Dataset| {
        refusal(start.clone(), trainer, config.clone(), train)
    };
    let seed = TrainOptions { seed: 4, ..options };
    assert_eq!(
        refused(with(seed), &same, &train),
        "the seed of the order is 4, but it was 3 in the run of the checkpoint"
    );
    let batch = TrainOptions {
        batch: 13,
        ..options
    };
    assert!(refused(with(batch), &same, &train).starts_with("the batch size is 13,"));
    let fewer = dataset(1, 49);
    let words = "the number of training examples is 49, but it was 50";
    assert!(refused(with(options), &same, &fewer).contains(words));
    let by_accuracy = trainer().with_early_stopping(EarlyStopping::max("accuracy", 9));
    assert!(refused(by_accuracy, &same, &train).starts_with("the metric to stop by is accuracy"));
    let relu = MlpConfig {
        activation: Activation::Relu,
        ..same.clone()
    };
    assert!(refused(with(options), &relu, &train).starts_with("the activation is Relu"));
    assert!(
        refused(with(options), &config(momentum()), &train).starts_with("the optimizer is Sgd")
    );
    let reseeded = MlpConfig {
        seed: 6,
        ..same.clone()
    };
    assert!(refused(with(options), &reseeded, &train).starts_with("the seed of the model is 6"));
    let unclipped = MlpConfig {
        clip_norm: None,
        ..same.clone()
    };
    assert!(refused(with(options), &unclipped, &train).starts_with("the norm"));
    let weighted = MlpConfig {
        class_weights: vec![1.0, 2.0, 1.0],
        ..same.clone()
    };
    assert!(refused(with(options), &weighted, &train).starts_with("the configuration"));
    let wider = MlpConfig {
        layer_sizes: vec![6, 18, 3],
        ..same.clone()
    };
    assert!(refused(with(options), &wider, &train).starts_with("layer 1 of the checkpoint"));
    let mut stateless = start.clone();
    stateless.state = None;
    let outside = Checkpoint::of(twin(same.clone()).as_ref()).unwrap();
    for (missing, words) in [(stateless, "no training state"), (outside, "no progress")] {
        assert!(refusal(missing, with(options), same.clone(), &train).contains(words));
    }
}

#[test]
fn a_folder_with_checkpoints_is_no_place_for_a_new_run() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(folder.path());
    let new_run = || {
        let trainer = trainer().with_checkpoints(checkpoints.clone());
        let mut model = Counting::new();
        trainer.run(&mut model, &train_set(), &test_set(), |_| {
            ControlFlow::Break(())
        })
    };
    // What a process left that was ended while it wrote is none, and goes.
    for left in [
        "checkpoint-5.safetensors.77-0.tmp",
        "best.safetensors.77-1.tmp",
        "note.tmp",
    ] {
        fs::write(folder.path().join(left), "half").unwrap();
    }
    new_run().unwrap();
    assert_eq!(
        names(folder.path()),
        ["checkpoint-1.safetensors", "note.tmp"]
    );
    let before = fs::read(folder.path().join("checkpoint-1.safetensors")).unwrap();
    let error = new_run().unwrap_err();
    assert!(
        matches!(
            error,
            TrainError::Checkpoint(CheckpointError::Occupied { .. })
        ),
        "{error}"
    );
    let after = fs::read(folder.path().join("checkpoint-1.safetensors")).unwrap();
    assert_eq!(after, before);
}

#[test]
fn the_latest_that_is_whole_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    assert_eq!(Checkpoints::latest(path("nowhere")).unwrap(), None);
    assert_eq!(Checkpoints::latest(folder.path()).unwrap(), None);
    let file = path("a file");
    fs::write(&file, "").unwrap();
    let error = Checkpoints::latest(&file).unwrap_err();
    assert!(
        matches!(&error, CheckpointError::Read { path, .. } if *path == file),
        "{error}"
    );
    let checkpoint = full();
    let bytes = checkpoint.to_bytes().unwrap();
    for step in [9, 10, 100] {
        fs::write(path(&format!("checkpoint-{step}.safetensors")), &bytes).unwrap();
    }
    let latest = || Checkpoints::latest(folder.path());
    let found = |step: u64| {
        let path = path(&format!("checkpoint-{step}.safetensors"));
        Some((path, checkpoint.clone()))
    };
    // By number, not by name, and whole.
    assert_eq!(latest().unwrap(), found(100));
    fs::write(
        path("checkpoint-100.safetensors"),
        &bytes[..bytes.len() / 2],
    )
    .unwrap();
    fs::write(path("checkpoint-200.safetensors"), "").unwrap();
    fs::write(path("checkpoint-300.safetensors.1-1.tmp"), &bytes).unwrap();
    fs::write(path("checkpoint-best.safetensors"), &bytes).unwrap();
    assert_eq!(latest().unwrap(), found(10));
    fs::write(path("checkpoint-11.safetensors"), newer(&bytes)).unwrap();
    let error = latest().unwrap_err();
    assert!(matches!(error, CheckpointError::File { .. }), "{error}");
}

/// The same, of a version to come.
fn newer(bytes: &[u8]) -> Vec<u8> {
    let version = br#"\"version\":1"#;
    let at = bytes
        .windows(version.len())
        .position(|part| part == version);
    let mut newer = bytes.to_vec();
    newer[at.unwrap() + version.len() - 1] = b'2';
    newer
}

/// Whoever has the old file open reads the old one to its end: its bytes are never overwritten.
#[test]
fn a_file_is_replaced_as_a_whole() {
    use std::io::{Read, Seek};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let (old, mut new) = (full(), full());
    new.parameters[0].w.fill(1.0);
    old.save(&path).unwrap();
    let mut open = fs::File::open(&path).unwrap();
    new.save(&path).unwrap();
    let mut bytes = Vec::new();
    open.rewind().unwrap();
    open.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, old.to_bytes().unwrap());
    assert_eq!(Checkpoint::load(&path).unwrap(), new);
    assert_eq!(names(folder.path()), ["a.safetensors"]);

    // Where it cannot be replaced, nothing is left beside.
    let occupied = folder.path().join("folder");
    fs::create_dir_all(occupied.join("full")).unwrap();
    assert!(matches!(
        new.save(&occupied),
        Err(CheckpointError::Write { .. })
    ));
    assert_eq!(names(folder.path()), ["a.safetensors", "folder"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_refused_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let mut model = Counting::new();
        let before = model.parameters().unwrap();
        let trainer = trainer().with_checkpoints(Checkpoints::new(&path));
        let result = trainer.run(&mut model, &train_set(), &test_set(), |_| {
            panic!("a step was taken")
        });
        let error = result.unwrap_err();
        let TrainError::Checkpoint(CheckpointError::Write { path: named, .. }) = error else {
            panic!("{error}");
        };
        assert_eq!(named, path);
        assert_eq!(model.parameters().unwrap(), before);
    }
}

/// A run whose folder goes after two epochs, and comes back after `until`, if ever.
fn run_without_a_folder(until: Option<u32>) -> (Result<Summary, TrainError>, PathBuf) {
    let folder = tempfile::tempdir().unwrap().keep();
    let mut model = Counting::new();
    let trainer = Trainer::new(options()).with_checkpoints(Checkpoints::new(&folder));
    let result = trainer.run(&mut model, &train_set(), &test_set(), |progress| {
        if let Progress::Epoch(report) = progress {
            if report.epoch == 2 {
                fs::remove_dir_all(&folder).unwrap();
            }
            if Some(report.epoch) == until {
                fs::create_dir(&folder).unwrap();
            }
        }
        ControlFlow::Continue(())
    });
    (result, folder)
}

#[test]
fn a_disk_that_fails_does_not_end_the_training() {
    let (result, folder) = run_without_a_folder(None);
    let steps = result.as_ref().err().and_then(TrainError::summary);
    assert_eq!(steps.map(|summary| summary.steps), Some(30));
    let Err(TrainError::Checkpoints {
        folder: named,
        summary,
        source,
    }) = result
    else {
        panic!("{result:?}");
    };
    assert!(matches!(*source, CheckpointError::Write { .. }));
    assert_eq!(named, folder);
    assert_eq!(summary.steps, u64::from(EPOCHS) * STEPS_PER_EPOCH);
    assert_eq!(
        summary.checkpoint,
        Some(folder.join("checkpoint-5.safetensors"))
    );

    let (result, folder) = run_without_a_folder(Some(3));
    let latest = folder.join("checkpoint-30.safetensors");
    assert_eq!(result.unwrap().checkpoint, Some(latest));
    assert!(Checkpoint::load(folder.join("best.safetensors")).is_ok());
    fs::remove_dir_all(folder).unwrap();
}

const SMALL_DISK: &str = "WGPU_LINEAR_SMALL_DISK";

/// Fills what is left of a disk.
fn fill(disk: &Path) -> PathBuf {
    use std::io::Write;
    let path = disk.join("filler");
    let mut file = fs::File::create(&path).unwrap();
    while file.write_all(&[1; 1024]).is_ok() {}
    path
}

/// A run on a disk that is full after two epochs, and has room again after `until`, if ever.
fn run_on_a_full_disk(disk: &Path, until: Option<u32>) -> Result<Summary, TrainError> {
    let mut model = Counting::new();
    let checkpoints = Checkpoints::new(disk.join(format!("{until:?}")));
    let trainer = Trainer::new(options()).with_checkpoints(checkpoints);
    trainer.run(&mut model, &train_set(), &test_set(), |progress| {
        if let Progress::Epoch(report) = progress {
            if report.epoch == 2 {
                fill(disk);
            }
            if Some(report.epoch) == until {
                fs::remove_file(disk.join("filler")).unwrap();
            }
        }
        ControlFlow::Continue(())
    })
}

#[test]
#[ignore = "the test below starts it on a disk of its own"]
fn child_on_a_small_disk() {
    let disk = PathBuf::from(std::env::var_os(SMALL_DISK).unwrap());
    let summary = run_on_a_full_disk(&disk, Some(4)).unwrap();
    let latest = disk.join("Some(4)/checkpoint-30.safetensors");
    assert_eq!(summary.checkpoint, Some(latest));

    let error = run_on_a_full_disk(&disk, None).unwrap_err();
    let TrainError::Checkpoints { source, .. } = error else {
        panic!("{error}");
    };
    let CheckpointError::Write { source, .. } = *source else {
        panic!("{source}");
    };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
    // The one before is there, and nothing that was begun.
    let (path, _) = Checkpoints::latest(disk.join("None")).unwrap().unwrap();
    assert_eq!(path, disk.join("None/checkpoint-5.safetensors"));
    let begun = names(&disk.join("None"));
    assert!(
        !begun.iter().any(|name| name.ends_with(".tmp")),
        "{begun:?}"
    );
}

#[test]
#[ignore = "mounts a file system, for which it needs a mount namespace; scripts/test runs it"]
fn full_tmpfs_leaves_the_checkpoint_before() {
    let folder = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=256k none \"$WGPU_LINEAR_SMALL_DISK\" && exec \"$@\"";
    let status = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "bash", "-c", mount, "bash"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "checkpoint::child_on_a_small_disk"])
        .env(SMALL_DISK, folder.path())
        .status();
    assert!(status.unwrap().success());
}

/// A model that cannot be made again.
struct Foreign {
    twin: reference::Mlp,
}

impl Model for Foreign {
    delegate!(twin: layer_sizes, device, train_batch, take_loss, predict, loss, learning_rate,
        set_learning_rate, parameters, set_parameters);
}

#[test]
fn a_model_without_a_configuration_has_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = Foreign {
        twin: reference::Mlp::new(config(adam())).unwrap(),
    };
    let error = Checkpoint::of(&model).unwrap_err();
    assert!(matches!(error, CheckpointError::NoConfig), "{error}");
    let trainer = trainer().with_checkpoints(Checkpoints::new(folder.path().join("run")));
    let result = trainer.run(&mut model, &train_set(), &test_set(), |_| {
        panic!("a step was taken")
    });
    let error = result.unwrap_err();
    assert!(
        matches!(error, TrainError::Checkpoint(CheckpointError::NoConfig)),
        "{error}"
    );
    assert!(!folder.path().join("run").exists());
}

/// Of gradients that wait for those of further batches, no checkpoint knows.
#[test]
fn runs_that_accumulate_end_between_two_updates() {
    let config = MlpConfig {
        accumulation: 3,
        ..config(adam())
    };
    for make in [twin as Make, resident] {
        let mut whole = make(config.clone());
        run(trainer(), whole.as_mut(), Stop::Never);
        let weights = bits(&whole.parameters().unwrap());
        // In the midst of an update, in one that goes over the end of an epoch, and between two.
        for (stop, end) in [
            (Stop::Step(4), 6),
            (Stop::Step(5), 6),
            (Stop::Epoch(1), 6),
            (Stop::Step(9), 9),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let checkpoints = Checkpoints::new(folder.path()).every_steps(1);
            let mut model = make(config.clone());
            let first = trainer().with_checkpoints(checkpoints.clone());
            let summary = run(first.with_quick_stop(), model.as_mut(), stop);
            assert!(summary.stopped, "{stop:?}");
            assert_eq!(summary.steps, end, "{stop:?}");
            for step in 1..=end {
                let path = folder.path().join(format!("checkpoint-{step}.safetensors"));
                // The last two are kept.
                let is_kept = step % 3 == 0 && step + 6 > end;
                assert_eq!(path.exists(), is_kept, "{stop:?}: step {step}");
            }
            let (_, latest) = Checkpoints::latest(folder.path()).unwrap().unwrap();
            let mut model = make(config.clone());
            let second = trainer().with_checkpoints(checkpoints).resume(latest);
            run(second, model.as_mut(), Stop::Never);
            assert_eq!(bits(&model.parameters().unwrap()), weights, "{stop:?}");
        }
    }
}
