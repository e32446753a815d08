//! What the trainer writes beside its curves: histograms, the confusion of classes,
//! hyperparameters, the configuration.

use std::ops::ControlFlow;

use ndarray::{Array2, ArrayView2, array};
use wgpu_linear::events::{Histogram, StreamWriter, Writer};
use wgpu_linear::model::{LayerHistograms, Loss, MlpConfig, Model, ModelError};
use wgpu_linear::train::{
    Dataset, EarlyStopping, Metric, ReduceOnPlateau, Schedule, Summary, TrainError, TrainOptions,
    Trainer,
};
use wgpu_linear::{nn, reference};

use crate::decoder::{Event, Field, decode, fields};
use crate::delegate::delegate;
use crate::support::{event_files, gpu, sgd_twin};
use crate::training::only_file;

impl Event {
    /// The content of a message in the value, by the numbers of the fields that lead to it.
    pub(crate) fn message(&self, path: &[u64]) -> Option<Vec<u8>> {
        let (first, rest) = path.split_first()?;
        let (_, bytes) = self.messages.iter().find(|(number, _)| number == first)?;
        rest.iter().try_fold(bytes.clone(), |bytes, wanted| {
            fields(&bytes).into_iter().find_map(|field| match field {
                (number, Field::Bytes(bytes)) if number == *wanted => Some(bytes.to_vec()),
                _ => None,
            })
        })
    }
}

fn small() -> Dataset {
    Dataset::new(
        array![[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [2.0, 0.0]],
        vec![0, 1, 1, 0, 1],
    )
    .unwrap()
}

fn options(epochs: u32, histograms_every: u32) -> TrainOptions {
    TrainOptions {
        epochs,
        batch: 2,
        seed: 3,
        histograms_every,
        ..TrainOptions::default()
    }
}

/// Three steps an epoch, and what the one event file holds afterwards.
fn run(model: &mut dyn Model, options: TrainOptions) -> (Result<Summary, TrainError>, Vec<Event>) {
    let folder = tempfile::tempdir().unwrap();
    let result = Trainer::new(options)
        .with_events(Writer::create(folder.path()).unwrap())
        .run(model, &small(), &small(), |_| ControlFlow::Continue(()));
    let files = event_files(folder.path());
    assert_eq!(files.len(), 1);
    (result, decode(&std::fs::read(&files[0]).unwrap()))
}

fn twin(sizes: &[usize]) -> reference::Mlp {
    reference::Mlp::new(MlpConfig::new(sizes)).unwrap()
}

fn steps(events: &[Event], tag: &str) -> Vec<i64> {
    let tagged = events.iter().filter(|event| event.tag == tag);
    tagged.map(|event| event.step).collect()
}

fn only<'a>(events: &'a [Event], tag: &str) -> &'a Event {
    let mut found = events.iter().filter(|event| event.tag == tag);
    let event = found.next().unwrap_or_else(|| panic!("no {tag}"));
    assert_eq!(found.count(), 0, "more than one {tag}");
    event
}

/// Field `histo` of `Summary.Value`, as the summary of its own encodes it.
fn encoded(histogram: &Histogram) -> Vec<(u64, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::new(&mut bytes);
    let summary = wgpu_linear::events::Summary::new().histogram("", histogram);
    writer.summary(0, &summary).unwrap();
    writer.close().unwrap();
    decode(&bytes).pop().unwrap().messages
}

const TAGS: [&str; 8] = [
    "weights/layer1/w",
    "weights/layer1/b",
    "gradients/layer1/w",
    "gradients/layer1/b",
    "weights/layer2/w",
    "weights/layer2/b",
    "gradients/layer2/w",
    "gradients/layer2/b",
];

fn check_histograms(model: &mut impl Model) {
    let (result, events) = run(model, options(5, 2));
    result.unwrap();
    // Three steps an epoch; after the second, the fourth, and the last.
    for tag in TAGS.iter().chain(&["confusion/test"]) {
        assert_eq!(steps(&events, tag), [6, 12, 15], "{tag}");
    }
    // Nothing has changed since the last look.
    let layers = model.histograms().unwrap();
    let histograms = layers.iter().flat_map(|l| [&l.w, &l.b, &l.dw, &l.db]);
    for (tag, histogram) in TAGS.iter().zip(histograms) {
        let last = events.iter().rfind(|event| event.tag == *tag).unwrap();
        assert_eq!(last.messages, encoded(histogram), "{tag}");
    }
    assert!(layers[1].db.sum_squares() > 0.0 && layers[1].db != layers[1].b);
}

#[test]
fn trainer_logs_histograms_of_the_twin() {
    check_histograms(&mut twin(&[2, 9, 2]));
}

#[test]
fn trainer_logs_histograms_of_the_gpu() {
    let config = MlpConfig::new(&[2, 9, 2]);
    check_histograms(&mut nn::Mlp::new(gpu(), config).unwrap());
}

/// Answers what the test says, learns nothing, and counts its predictions.
struct Scripted {
    inner: reference::Mlp,
    logits: Array2<f32>,
    predictions: usize,
    histograms: Option<Vec<LayerHistograms>>,
}

impl Scripted {
    fn new(logits: Array2<f32>) -> Self {
        Self {
            inner: twin(&[2, 3]),
            logits,
            predictions: 0,
            histograms: None,
        }
    }
}

impl Model for Scripted {
    delegate!(inner: layer_sizes, train_batch, take_loss, loss, learning_rate, set_learning_rate, parameters, set_parameters);

    fn device(&self) -> String {
        "a | b".into()
    }
    fn predict(&mut self, _: ArrayView2<'_, f32>) -> Result<Array2<f32>, ModelError> {
        self.predictions += 1;
        Ok(self.logits.clone())
    }
    fn histograms(&mut self) -> Result<Vec<LayerHistograms>, ModelError> {
        Ok(self.histograms.clone().unwrap())
    }
}

/// Of class 0, one example is taken for class 2; of class 1, all for class 0. Class 2 has no
/// examples.
fn confused() -> Array2<f32> {
    array![
        [1.0, 0.0, 0.0],
        [2.0, 1.0, 0.0],
        [2.0, 1.0, 0.0],
        [0.0, 0.0, 5.0],
        [2.0, 1.0, 0.0]
    ]
}

#[test]
fn trainer_shows_the_confusion_of_classes() {
    let mut model = Scripted::new(confused());
    model.histograms = Some(Vec::new());
    let (result, events) = run(&mut model, options(2, 1));
    assert_eq!(result.unwrap().test.accuracy, 0.2);
    assert_eq!(model.predictions, 2, "once an epoch");
    assert_eq!(steps(&events, "confusion/test"), [3, 6]);
    let last = events.iter().rfind(|event| event.tag == "confusion/test");
    // Field `image` of the value, and its `encoded_image_string`.
    let png = last.unwrap().message(&[4, 4]).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(png))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (49, 49));
    let brightness = |row: usize, column: usize| {
        let (x, y) = (16 * column + 8, 16 * row + 8);
        pixels[3 * (49 * y + x)..][..3]
            .iter()
            .map(|part| u32::from(*part))
            .sum::<u32>()
    };
    let white = 3 * 255;
    assert!(brightness(0, 0) < white && brightness(0, 0) == brightness(0, 2));
    assert!(brightness(1, 0) < brightness(0, 0), "all of class 1");
    for (row, column) in [(0, 1), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)] {
        assert_eq!(brightness(row, column), white);
    }
}

#[test]
fn trainer_looks_only_where_it_is_asked_to() {
    // The model panics when it is asked for histograms.
    let mut model = Scripted::new(confused());
    let (result, events) = run(&mut model, options(2, 0));
    result.unwrap();
    assert!(
        events
            .iter()
            .all(|event| event.tag != "confusion/test" && !event.tag.starts_with("weights/"))
    );
    // Nor is anything counted for nobody.
    Trainer::new(options(2, 1))
        .run(
            &mut model,
            &small(),
            &small(),
            |_| ControlFlow::Continue(()),
        )
        .unwrap();
}

#[test]
fn trainer_counts_numbers_that_are_not_finite() {
    let of = |values: &[f32]| Histogram::of(values.iter().copied());
    let mut model = Scripted::new(confused());
    model.histograms = Some(vec![LayerHistograms {
        w: of(&[1.0, f32::NAN, f32::INFINITY]),
        b: of(&[1.0]),
        dw: of(&[f32::NAN]),
        db: of(&[]),
    }]);
    let (result, events) = run(&mut model, options(1, 1));
    result.unwrap();
    let count = |tag: &str| {
        let bits = only(&events, &format!("non_finite/{tag}")).value_bits;
        f32::from_bits(bits.unwrap())
    };
    assert_eq!(count("weights/layer1/w"), 2.0);
    assert_eq!(count("gradients/layer1/w"), 1.0);
    let tags: Vec<_> = events.iter().map(|event| event.tag.as_str()).collect();
    assert!(!tags.contains(&"non_finite/weights/layer1/b"));
    assert!(tags.contains(&"gradients/layer1/w"));
    assert!(!tags.contains(&"gradients/layer1/b"), "of nothing at all");
}

/// A model that knows nothing of histograms and of its description.
struct Bare(Scripted);

impl Model for Bare {
    delegate!(0: layer_sizes, device, train_batch, take_loss, predict, loss, learning_rate, set_learning_rate, parameters, set_parameters);
}

#[test]
fn trainer_logs_the_weights_of_any_model() {
    let mut model = Bare(Scripted::new(confused()));
    let (result, events) = run(&mut model, options(1, 1));
    result.unwrap();
    let w = &model.parameters().unwrap()[0].w;
    let expected = encoded(&Histogram::of(w.iter().copied()));
    assert_eq!(only(&events, "weights/layer1/w").messages, expected);
    assert!(
        events
            .iter()
            .all(|event| !event.tag.starts_with("gradients/"))
    );
    let start = hparams(&events, "session_start_info", 3);
    assert!(contains(&start, b"learning_rate") && !contains(&start, b"optimizer"));
}

/// A part of the plugin's data: field `content` of the metadata, and in it this field.
pub(crate) fn hparams(events: &[Event], tag: &str, field: u64) -> Vec<u8> {
    let event = only(events, &format!("_hparams_/{tag}"));
    let name = event.message(&[9, 1, 1]);
    assert_eq!(name.as_deref(), Some(&b"hparams"[..]));
    event.message(&[9, 1, 2, field]).unwrap()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// An entry of the map of hyperparameters.
fn entry(name: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x0a, name.len() as u8];
    bytes.extend(name.as_bytes());
    bytes.extend([0x12, value.len() as u8]);
    bytes.extend(value);
    bytes
}

fn number(value: f64) -> Vec<u8> {
    [&[0x11], &value.to_le_bytes()[..]].concat()
}

fn word(value: &str) -> Vec<u8> {
    [&[0x1a, value.len() as u8], value.as_bytes()].concat()
}

#[test]
fn trainer_writes_hyperparameters_with_their_metrics() {
    let mut model = sgd_twin(&[2, 9, 2], 0.1);
    let schedule = Schedule::Cosine { floor: 0.5 };
    let options = TrainOptions {
        schedule,
        ..options(2, 1)
    };
    let (result, events) = run(&mut model, options);
    result.unwrap();
    let experiment = hparams(&events, "experiment", 2);
    assert!(contains(&experiment, b"accuracy/test") && contains(&experiment, b"loss/test"));
    let start = hparams(&events, "session_start_info", 3);
    for (name, value) in [
        ("layers", word("2-9-2")),
        ("batch", number(2.0)),
        ("seed", number(3.0)),
        ("epochs", number(2.0)),
        ("learning_rate", number(0.1)),
        ("optimizer", word("sgd")),
        ("schedule", word("cosine:0.5")),
    ] {
        assert!(contains(&start, &entry(name, &value)), "{name}");
    }
    assert_eq!(hparams(&events, "session_end_info", 4)[..2], SUCCESS);
    assert_eq!(only(&events, "_hparams_/session_start_info").step, 0);
    assert_eq!(only(&events, "_hparams_/session_end_info").step, 6);
}

/// What is added by a validation set, early stopping, warm-up and a schedule of one's own.
#[test]
fn trainer_says_what_a_run_is_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let options = TrainOptions {
        warmup_steps: 7,
        ..options(1, 1)
    };
    let validation = small().select(&[3, 1, 0]);
    Trainer::new(options)
        .with_events(Writer::create(folder.path()).unwrap())
        .with_validation(&validation)
        .with_metric(Metric::new("mine", |_, _| 1.0))
        .with_early_stopping(EarlyStopping::max("accuracy", 4))
        .with_plateau(ReduceOnPlateau::min("loss"))
        .with_schedule(|_, _, _| 1.0)
        .run(&mut twin(&[2, 9, 2]), &small(), &small(), |_| {
            ControlFlow::Continue(())
        })
        .unwrap();
    let events = only_file(folder.path());
    let experiment = hparams(&events, "experiment", 2);
    for metric in ["accuracy", "loss", "mine"] {
        for set in ["test", "validation"] {
            assert!(contains(&experiment, format!("{metric}/{set}").as_bytes()));
        }
    }
    let start = hparams(&events, "session_start_info", 3);
    assert!(contains(&start, &entry("schedule", &word("a function"))));
    assert!(contains(&start, &entry("warmup_steps", &number(7.0))));
    let table = config_text(&events);
    for row in [
        "\n| schedule | a function |\n",
        "\n| warm-up steps | 7 |\n",
        "\n| training examples | 5 |\n| validation examples | 3 |\n| test examples | 5 |\n",
        "\n| early stopping | EarlyStopping { metric: \"accuracy\", goal: Max, patience: 4,",
        "\n| learning rate falls | ReduceOnPlateau { metric: \"loss\", goal: Min, factor: 0.1,",
    ] {
        assert!(table.contains(row), "{row} in\n{table}");
    }
    // Epochs are looked at on the validation set, the end on the test set.
    assert_eq!(steps(&events, "confusion/validation"), [3]);
    assert_eq!(steps(&events, "confusion/test"), [3]);
    assert_eq!(steps(&events, "weights/layer1/w"), [3]);
}

#[test]
fn trainer_draws_no_confusion_of_values() {
    let data = Dataset::with_values(small().x().clone(), Array2::zeros((5, 2))).unwrap();
    let config = MlpConfig {
        loss: Loss::MeanSquaredError,
        ..MlpConfig::new(&[2, 2])
    };
    let folder = tempfile::tempdir().unwrap();
    Trainer::new(options(1, 1))
        .with_events(Writer::create(folder.path()).unwrap())
        .run(
            &mut reference::Mlp::<f32>::new(config).unwrap(),
            &data,
            &data,
            |_| ControlFlow::Continue(()),
        )
        .unwrap();
    let events = only_file(folder.path());
    let tags: Vec<_> = events.iter().map(|event| event.tag.as_str()).collect();
    for tag in ["mean_absolute_error/test", "r2/test", "weights/layer1/w"] {
        assert_eq!(steps(&events, tag), [3], "{tag} in {tags:?}");
    }
    assert!(!tags.contains(&"confusion/test") && !tags.contains(&"accuracy/test"));
    let experiment = hparams(&events, "experiment", 2);
    assert!(contains(&experiment, b"r2/test") && !contains(&experiment, b"accuracy"));
}

/// Field `status` of `SessionEndInfo`.
const SUCCESS: [u8; 2] = [0x08, 1];
pub(crate) const FAILURE: [u8; 2] = [0x08, 2];

#[test]
fn trainer_says_that_a_run_has_failed() {
    let mut model = sgd_twin(&[2, 8, 2], 1e30);
    let (result, events) = run(&mut model, options(5, 1));
    assert!(
        matches!(result, Err(TrainError::Diverged { .. })),
        "{result:?}"
    );
    assert_eq!(hparams(&events, "session_end_info", 4)[..2], FAILURE);

    // A model with fewer outputs than there are classes.
    let mut model = Scripted::new(array![[0.0], [0.0], [0.0], [0.0], [0.0]]);
    let (result, events) = run(&mut model, options(5, 1));
    assert!(matches!(result, Err(TrainError::Model(_))), "{result:?}");
    assert_eq!(hparams(&events, "session_end_info", 4)[..2], FAILURE);
}

fn config_text(events: &[Event]) -> String {
    let event = only(events, "config/text_summary");
    assert_eq!(event.step, 0);
    // Field `tensor` of the value, and its `string_val`.
    String::from_utf8(event.message(&[8, 8]).unwrap()).unwrap()
}

#[test]
fn trainer_writes_its_configuration_as_a_table() {
    let (_, events) = run(&mut twin(&[2, 9, 2]), options(2, 1));
    let table = config_text(&events);
    for row in [
        "| setting | value |\n|---|---|\n",
        "\n| layers | 2-9-2 |\n",
        "\n| activation | Relu |\n",
        "\n| schedule | constant |\n",
        "\n| epochs | 2 |\n",
        "\n| batch | 2 |\n",
        "\n| seed of the order | 3 |\n",
        "\n| seed of the weights | 0 |\n",
        "\n| training examples | 5 |\n",
        "\n| device | CPU twin (ndarray, f32) |\n",
    ] {
        assert!(table.contains(row), "{row} in\n{table}");
    }
    assert!(table.contains("Adam(AdamSettings { learning_rate: 0.001"));
    // Two columns in every row, whatever the device is called.
    let mut model = Scripted::new(confused());
    model.histograms = Some(Vec::new());
    let (_, events) = run(&mut model, options(1, 1));
    assert!(config_text(&events).contains("| device | a \\| b |\n"));
}

#[test]
fn trainer_draws_the_model() {
    let graph = |events: &[Event]| {
        let mut graphs = events.iter().filter_map(|event| event.graph.clone());
        let first = graphs.next();
        assert_eq!(graphs.count(), 0);
        first
    };
    let mut model = twin(&[2, 9, 2]);
    let (_, events) = run(&mut model, options(1, 0));
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::new(&mut bytes);
    writer.graph(&model.config().unwrap().graph()).unwrap();
    writer.close().unwrap();
    let drawn = graph(&events).unwrap();
    assert_eq!(Some(&drawn), graph(&decode(&bytes)).as_ref());
    assert!(contains(&drawn, b"layer2/w"));
    // There is nothing to be drawn of a model without a description.
    let (_, events) = run(&mut Scripted::new(confused()), options(1, 0));
    assert_eq!(graph(&events), None);
}
