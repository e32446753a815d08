//! Reports of networks that were trained, to be tested and to be looked at.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use ndarray::{Array2, ArrayView1, Axis};
use wgpu_linear::model::{AdamSettings, Loss, MlpConfig, Model, Optimizer};
use wgpu_linear::reference::Mlp;
use wgpu_linear::train::{Dataset, Metric, evaluate};
use wgpu_linear_cli::explain::{
    Confusion, Effort, Judged, WorstError, blocks_of_picture, calibration, mean_baseline,
    most_frequent, permutation_importance, worst_errors,
};
use wgpu_linear_cli::report::*;

/// Training, validation and test set.
struct Parts {
    train: Dataset,
    validation: Dataset,
    test: Dataset,
    /// The row of the table that each test example is.
    rows: Vec<u64>,
}

impl Parts {
    fn of(all: &Dataset, seed: u64) -> Self {
        let mut order: Vec<usize> = (0..all.len()).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut order);
        let (test, rest) = order.split_at(all.len() / 5);
        let (validation, train) = rest.split_at(rest.len() / 5);
        Self {
            train: all.select(train),
            validation: all.select(validation),
            test: all.select(test),
            rows: test.iter().map(|row| *row as u64 + 1).collect(),
        }
    }

    fn sizes(&self) -> [u64; 3] {
        [&self.train, &self.validation, &self.test].map(|part| part.len() as u64)
    }
}

/// A network, and how it came about.
struct Trained {
    mlp: Mlp<f32>,
    curves: Curves,
    time: Duration,
    examples: u64,
}

fn train(config: MlpConfig, parts: &Parts, epochs: u32, metric: &str) -> Trained {
    let optimizer = Optimizer::Adam(AdamSettings {
        learning_rate: 0.01,
        ..AdamSettings::default()
    });
    let mut mlp = Mlp::<f32>::new(MlpConfig {
        optimizer,
        ..config
    })
    .unwrap();
    let first_rate = mlp.learning_rate();
    let mut random = fastrand::Rng::with_seed(1);
    let mut order: Vec<usize> = (0..parts.train.len()).collect();
    let [mut train, mut validation, mut values, mut rates] = [const { Vec::new() }; 4];
    let began = Instant::now();
    for epoch in 1..=epochs {
        let part = f64::from(epoch - 1) / f64::from(epochs);
        let rate = first_rate * (0.5 + 0.5 * (std::f64::consts::PI * part).cos()) as f32;
        mlp.set_learning_rate(rate).unwrap();
        random.shuffle(&mut order);
        for batch in order.chunks(32) {
            let batch = parts.train.select(batch);
            mlp.train_batch(batch.x().view(), batch.targets()).unwrap();
        }
        let now = f64::from(epoch);
        train.push((now, f64::from(mlp.take_loss().unwrap().mean)));
        let judged = evaluate(&mut mlp, &parts.validation).unwrap();
        validation.push((now, f64::from(judged.loss)));
        values.push((now, f64::from(judged.metric(metric).unwrap())));
        rates.push((now, f64::from(rate)));
    }
    let best = validation
        .iter()
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap()
        .0;
    let curves = Curves {
        best_epoch: Some(best),
        charts: vec![
            Chart::new("loss")
                .with("training", train)
                .with("validation", validation),
            Chart::new(metric).with("validation", values),
            Chart::new("learning_rate").with("", rates),
        ],
    };
    Trained {
        mlp,
        curves,
        time: began.elapsed(),
        examples: parts.train.len() as u64 * u64::from(epochs),
    }
}

fn scores(trained: &mut Trained, parts: &Parts, names: &[&str]) -> Vec<Score> {
    let mut on = |part: &Dataset| evaluate(&mut trained.mlp, part).unwrap();
    let [train, validation, test] = [on(&parts.train), on(&parts.validation), on(&parts.test)];
    let score = |name: &&str| {
        Score::new(*name)
            .train(train.metric(name).unwrap())
            .validation(validation.metric(name).unwrap())
            .test(test.metric(name).unwrap())
    };
    names.iter().map(score).collect()
}

fn run(trained: &Trained, command: &str) -> Run {
    Run {
        command: Some(command.to_owned()),
        device: Some(trained.mlp.device()),
        timings: vec![
            Timing::new("reading the data", Duration::from_millis(23)),
            Timing::new("training", trained.time),
            Timing::new("evaluation", Duration::from_millis(4)),
            Timing::new("explanation", Duration::from_millis(310)),
        ],
        examples_per_second: Some(trained.examples as f64 / trained.time.as_secs_f64()),
        version: Some("wgpu-linear 0.1.0".to_owned()),
        date: Some("2026-11-27 14:03 UTC".to_owned()),
    }
}

fn configuration(layers: &str) -> Vec<Setting> {
    vec![
        Setting::new("layers", layers),
        Setting::new("activation", "ReLU"),
        Setting::new("optimizer", "Adam, learning rate 0.01, β₁ 0.9, β₂ 0.999"),
        Setting::new("schedule", "cosine"),
        Setting::new("batch", 32),
        Setting::new("epochs", 30),
        Setting::new("seed", 1),
    ]
}

fn parts_of(sizes: [u64; 3]) -> Vec<Part> {
    let part = |(name, rows): (&str, u64)| Part {
        name: name.to_owned(),
        rows,
        chosen: "random, seed 1".to_owned(),
    };
    ["training", "validation", "test"]
        .into_iter()
        .zip(sizes)
        .map(part)
        .collect()
}

fn class_shares(names: &[String], parts: &Parts) -> Vec<ClassShare> {
    let of = |part: &Dataset, class: usize| {
        part.labels()
            .iter()
            .filter(|label| **label as usize == class)
            .count() as u64
    };
    let share = |(class, name): (usize, &String)| ClassShare {
        name: name.clone(),
        rows: [&parts.train, &parts.validation, &parts.test]
            .map(|part| of(part, class))
            .to_vec(),
    };
    names.iter().enumerate().map(share).collect()
}

fn worst_example(error: &WorstError, names: &[String], row: u64) -> WorstExample {
    let shown = |values: &[f32]| format!("{:.3}", values[0]);
    let (actual, predicted, confidence) = match &error.judged {
        Judged::Class {
            actual,
            predicted,
            confidence,
        } => (
            names[*actual].clone(),
            names[*predicted].clone(),
            Some(*confidence),
        ),
        Judged::Values { actual, predicted } => (shown(actual), shown(predicted), None),
    };
    WorstExample {
        row: Some(row),
        actual,
        predicted,
        confidence,
        loss: error.loss,
        ..WorstExample::default()
    }
}

fn handwritten() -> Dataset {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/digits.csv.gz");
    let mut text = String::new();
    GzDecoder::new(File::open(path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let numbers: Vec<f32> = text
        .split([',', '\n'])
        .filter_map(|field| field.trim().parse().ok())
        .collect();
    let table = Array2::from_shape_vec((numbers.len() / 65, 65), numbers).unwrap();
    let (x, labels) = table.view().split_at(Axis(1), 64);
    Dataset::new(
        x.to_owned() / 16.0,
        labels.iter().map(|label| *label as u32).collect(),
    )
    .unwrap()
}

/// Handwritten digits: ten classes, pictures of 8 × 8 pixels.
pub(super) fn digits() -> RunReport {
    let parts = Parts::of(&handwritten(), 1);
    let mut trained = train(MlpConfig::new(&[64, 32, 10]), &parts, 12, "accuracy");
    let names: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    let outputs = trained.mlp.predict(parts.test.x().view()).unwrap();
    let baseline = most_frequent(parts.train.labels(), parts.test.labels()).unwrap();
    let mut scores = scores(&mut trained, &parts, &["accuracy", "loss"]);
    scores[0].baseline = Some(baseline.accuracy);
    let picture = |error: &WorstError| WorstExample {
        pixels: pixels(parts.test.x().row(error.example)),
        ..worst_example(error, &names, parts.rows[error.example])
    };
    let worst = worst_errors(outputs.view(), parts.test.targets(), 18);
    let (groups, blocks) = blocks_of_picture(8, 8, 64);
    let metric = Metric::accuracy();
    let effort = Effort {
        repeats: 2,
        ..Effort::default()
    };
    let importance =
        permutation_importance(&mut trained.mlp, &parts.test, &groups, &metric, effort, 1);
    let importance = importance.unwrap().with_blocks(&blocks);
    RunReport {
        name: "digits.csv.gz".to_owned(),
        task: Task::Classification {
            target: "digit".to_owned(),
            classes: names.clone(),
        },
        ending: Some("Finished all 12 epochs.".to_owned()),
        scores,
        confusion: Some(Confusion::of(outputs.view(), parts.test.labels())),
        calibration: calibration(outputs.view(), parts.test.labels()),
        worst: Some(WorstErrors {
            picture: Some([8, 8]),
            columns: Vec::new(),
            examples: worst.iter().map(picture).collect(),
        }),
        importance: Some(importance),
        data: Some(DataSummary {
            source: "data/digits.csv.gz".to_owned(),
            rows: 1797,
            inputs: Some(64),
            columns: Vec::new(),
            parts: parts_of(parts.sizes()),
            classes: class_shares(&names, &parts),
        }),
        configuration: configuration("64-32-10"),
        run: run(&trained, "wgpu-linear train --config runs/digits/run.toml"),
        curves: Some(trained.curves),
        ..RunReport::default()
    }
}

fn pixels(row: ArrayView1<'_, f32>) -> Vec<u8> {
    row.iter().map(|pixel| (pixel * 255.0) as u8).collect()
}

const FLOWERS: [&str; 3] = ["setosa", "versicolor", "virginica"];
const MEASURES: [&str; 4] = ["sepal length", "sepal width", "petal length", "petal width"];
/// Means and standard deviations of the measures of the flowers, in centimetres.
const CENTRES: [[f32; 4]; 3] = [
    [5.0, 3.4, 1.5, 0.25],
    [5.9, 2.8, 4.3, 1.3],
    [6.6, 3.0, 5.5, 2.0],
];
const SPREADS: [f32; 4] = [0.45, 0.32, 0.4, 0.22];

/// About normal: the sum of twelve uniform numbers.
fn normal(random: &mut fastrand::Rng) -> f32 {
    (0..12).map(|_| random.f32()).sum::<f32>() - 6.0
}

/// A small table like that of the irises, with a constant column and values that are missing.
pub(super) fn flowers() -> RunReport {
    let mut random = fastrand::Rng::with_seed(2);
    let raw = Array2::from_shape_fn((150, 4), |(row, column)| {
        CENTRES[row % 3][column] + SPREADS[column] * normal(&mut random)
    });
    let x = (&raw - &raw.mean_axis(Axis(0)).unwrap()) / &raw.std_axis(Axis(0), 0.0);
    let all = Dataset::new(x, (0..150).map(|row| row % 3).collect()).unwrap();
    let parts = Parts::of(&all, 4);
    let mut trained = train(MlpConfig::new(&[4, 16, 3]), &parts, 40, "accuracy");
    let names = FLOWERS.map(str::to_owned).to_vec();
    let outputs = trained.mlp.predict(parts.test.x().view()).unwrap();
    let baseline = most_frequent(parts.train.labels(), parts.test.labels()).unwrap();
    let mut scores = scores(&mut trained, &parts, &["accuracy", "loss"]);
    scores[0].baseline = Some(baseline.accuracy);
    let example = |error: &WorstError| {
        let row = parts.rows[error.example];
        let values = raw.row(row as usize - 1);
        WorstExample {
            values: values.iter().map(|value| format!("{value:.1}")).collect(),
            ..worst_example(error, &names, row)
        }
    };
    let worst = worst_errors(outputs.view(), parts.test.targets(), 12);
    let groups: Vec<_> = MEASURES
        .iter()
        .enumerate()
        .map(|(i, name)| ((*name).to_owned(), vec![i]))
        .collect();
    let metric = Metric::accuracy();
    let effort = Effort::default();
    let importance =
        permutation_importance(&mut trained.mlp, &parts.test, &groups, &metric, effort, 1);
    RunReport {
        name: "iris.csv".to_owned(),
        task: Task::Classification {
            target: "species".to_owned(),
            classes: names.clone(),
        },
        ending: Some(
            "Stopped early after 40 epochs; the weights are those of the best.".to_owned(),
        ),
        scores,
        confusion: Some(Confusion::of(outputs.view(), parts.test.labels())),
        calibration: calibration(outputs.view(), parts.test.labels()),
        worst: Some(WorstErrors {
            picture: None,
            columns: MEASURES.map(str::to_owned).to_vec(),
            examples: worst.iter().map(example).collect(),
        }),
        importance: Some(importance.unwrap()),
        data: Some(DataSummary {
            source: "data/iris.csv".to_owned(),
            rows: 150,
            inputs: Some(4),
            columns: flower_columns(),
            parts: parts_of(parts.sizes()),
            classes: class_shares(&names, &parts),
        }),
        configuration: configuration("4-16-3"),
        run: run(&trained, "wgpu-linear train --config runs/iris/run.toml"),
        curves: Some(trained.curves),
        ..RunReport::default()
    }
}

fn flower_columns() -> Vec<Column> {
    let mut columns: Vec<Column> = MEASURES
        .iter()
        .map(|name| Column {
            name: (*name).to_owned(),
            kind: "number".to_owned(),
            role: "input".to_owned(),
            ..Column::default()
        })
        .collect();
    columns[1].missing = 3;
    columns[1].imputed = Some("mean 3.06".to_owned());
    columns.push(Column {
        name: "garden".to_owned(),
        kind: "category with 1 value".to_owned(),
        role: "left out".to_owned(),
        is_constant: true,
        ..Column::default()
    });
    columns.push(Column {
        name: "species".to_owned(),
        kind: "category with 3 values".to_owned(),
        role: "target".to_owned(),
        ..Column::default()
    });
    columns
}

/// Values that depend on few of 30 columns.
pub(super) fn prices() -> RunReport {
    let mut random = fastrand::Rng::with_seed(9);
    let x = Array2::from_shape_fn((2400, 30), |_| normal(&mut random));
    let price = |row: ArrayView1<'_, f32>| {
        50.0 + 12.0 * row[0] + 8.0 * row[1] * row[1] + 6.0 * row[2] - 4.0 * row[3]
    };
    let prices = x.rows().into_iter().map(price).collect::<Vec<_>>();
    let y = Array2::from_shape_fn((2400, 1), |(row, _)| {
        prices[row] + 4.0 * normal(&mut random)
    });
    let all = Dataset::with_values(x.clone(), (y - 50.0) / 20.0).unwrap();
    let parts = Parts::of(&all, 1);
    let config = MlpConfig {
        loss: Loss::MeanSquaredError,
        ..MlpConfig::new(&[30, 32, 1])
    };
    let mut trained = train(config, &parts, 30, "r2");
    let outputs = trained.mlp.predict(parts.test.x().view()).unwrap();
    let wanted = parts.test.values().unwrap();
    let back = |value: f32| f64::from(value) * 20.0 + 50.0;
    let baseline = mean_baseline(parts.train.values().unwrap().view(), wanted.view()).unwrap();
    let mut scores = scores(&mut trained, &parts, &["r2", "mean_absolute_error", "loss"]);
    let unit = |value: Option<f64>| value.map(|value| value * 20.0);
    let error = &mut scores[1];
    [error.train, error.validation, error.test] =
        [unit(error.train), unit(error.validation), unit(error.test)];
    error.baseline = unit(Some(baseline.mean_absolute_error));
    let columns: Vec<String> = (1..=30).map(|column| format!("feature {column}")).collect();
    let example = |error: &WorstError| {
        let row = parts.rows[error.example];
        let [actual, predicted] = [wanted[[error.example, 0]], outputs[[error.example, 0]]];
        WorstExample {
            actual: format!("{:.2}", back(actual)),
            predicted: format!("{:.2}", back(predicted)),
            values: x
                .row(row as usize - 1)
                .iter()
                .map(|value| format!("{value:.3}"))
                .collect(),
            ..worst_example(error, &[], row)
        }
    };
    let worst = worst_errors(outputs.view(), parts.test.targets(), 12);
    let groups: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(i, name)| (name.clone(), vec![i]))
        .collect();
    let metric = Metric::r2();
    let effort = Effort::default();
    let importance =
        permutation_importance(&mut trained.mlp, &parts.test, &groups, &metric, effort, 1);
    let pairs = wanted
        .iter()
        .zip(&outputs)
        .map(|(y, t)| (back(*y), back(*t)));
    RunReport {
        name: "prices.csv".to_owned(),
        task: Task::Regression {
            targets: vec!["price".to_owned()],
        },
        ending: Some("Finished all 30 epochs.".to_owned()),
        scores,
        predictions: vec![Predictions::of("price", pairs)],
        worst: Some(WorstErrors {
            picture: None,
            columns: columns.clone(),
            examples: worst.iter().map(example).collect(),
        }),
        importance: Some(importance.unwrap()),
        data: Some(DataSummary {
            source: "data/prices.csv".to_owned(),
            rows: 2400,
            inputs: Some(30),
            columns: columns
                .iter()
                .map(|name| Column {
                    name: name.clone(),
                    kind: "number".to_owned(),
                    role: "input".to_owned(),
                    ..Column::default()
                })
                .collect(),
            parts: parts_of(parts.sizes()),
            classes: Vec::new(),
        }),
        configuration: configuration("30-32-1"),
        run: run(&trained, "wgpu-linear train --config runs/prices/run.toml"),
        curves: Some(trained.curves),
        ..RunReport::default()
    }
}

/// A long curve, and so many classes; no network behind it.
pub(super) fn many(classes: usize) -> RunReport {
    let mut random = fastrand::Rng::with_seed(5);
    let names = (0..classes)
        .map(|class| format!("{} {class}", FLOWERS[class % 3]))
        .collect();
    let pairs: Vec<_> = (0..classes * 60)
        .map(|example| {
            let actual = example % classes;
            let is_hit = random.usize(..10) < 9 - actual % 4;
            let near = (actual + 1 + random.usize(..3)) % classes;
            (actual, if is_hit { actual } else { near })
        })
        .collect();
    let confusion = Confusion::of_pairs(classes, pairs);
    let accuracy = confusion.hits() as f64 / confusion.total() as f64;
    let loss = (0..50_000).map(|step| {
        let epoch = f64::from(step) / 1000.0;
        (
            epoch,
            3.0 * (-epoch / 8.0).exp() + 0.02 + 0.05 * random.f64(),
        )
    });
    RunReport {
        name: format!("{classes}.csv"),
        task: Task::Classification {
            target: "plant".to_owned(),
            classes: names,
        },
        scores: vec![
            Score::new("accuracy")
                .test(accuracy)
                .baseline(1.0 / classes as f64),
        ],
        curves: Some(Curves {
            best_epoch: None,
            charts: vec![Chart::new("loss").with("training", loss)],
        }),
        confusion: Some(confusion),
        ..RunReport::default()
    }
}
