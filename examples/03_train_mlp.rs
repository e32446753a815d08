//! Learns handwritten digits: `cargo run --release --example 03_train_mlp`. `-- --help` lists the
//! options.
//!
//! A network of 64-128-10 with ReLU, Adam and softmax cross-entropy on 1,437 images of 8 × 8
//! pixels; every fifth image of the data set is kept for the test. The metrics go to an event file
//! for TensorBoard while training runs.

mod support;

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use support::Device;
use wgpu_linear::events::Writer;
use wgpu_linear::model::{AdamSettings, MlpConfig, Model, Optimizer};
use wgpu_linear::train::{Dataset, Progress, TrainError, TrainOptions, Trainer, data};
use wgpu_linear::{nn, reference};

/// Trains a small network on handwritten digits.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to compute
    #[arg(long, value_enum, default_value_t = Device::Auto)]
    device: Device,
    /// Seed of the first weights and of the shuffling
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How often to go through the training set
    #[arg(long, default_value_t = 50)]
    epochs: u32,
    /// Examples per step
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Step size of Adam
    #[arg(long, default_value_t = 1e-3)]
    learning_rate: f32,
    /// Epochs between two looks at weights, gradients and confused classes; 0 for none
    #[arg(long, default_value_t = TrainOptions::default().histograms_every)]
    histograms_every: u32,
    /// Where to write the event file [default: a new folder in runs/]
    #[arg(long)]
    logdir: Option<PathBuf>,
    /// CSV file, gzipped or not: pixels from 0 to 16, then the class
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/digits.csv.gz"), hide_default_value = true)]
    data: PathBuf,
}

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("error")).init();
    support::finish(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let (train, test) = data::read_csv(&arguments.data)?
        .scaled(1.0 / 16.0)
        .split_every(5);
    let classes = train
        .labels()
        .iter()
        .chain(test.labels())
        .max()
        .map_or(0, |label| *label as usize + 1);
    let adam = AdamSettings {
        learning_rate: arguments.learning_rate,
        ..AdamSettings::default()
    };
    let config = MlpConfig {
        seed: arguments.seed,
        optimizer: Optimizer::Adam(adam),
        ..MlpConfig::new(&[train.x().ncols(), 128, classes])
    };
    match arguments.device.open()? {
        Some(gpu) => train_and_report(nn::Mlp::new(&gpu, config)?, arguments, &train, &test),
        None => train_and_report(
            reference::Mlp::<f32>::new(config)?,
            arguments,
            &train,
            &test,
        ),
    }
}

fn train_and_report(
    mut model: impl Model,
    arguments: &Arguments,
    train: &Dataset,
    test: &Dataset,
) -> Result<(), Box<dyn Error>> {
    let logdir = arguments
        .logdir
        .clone()
        .unwrap_or_else(|| new_run(arguments.seed));
    let events = Writer::create(&logdir)?;
    let sizes: Vec<_> = model.layer_sizes().iter().map(usize::to_string).collect();
    println!(
        "training {} on {} images, testing on {}",
        sizes.join("-"),
        train.len(),
        test.len()
    );

    let options = TrainOptions {
        epochs: arguments.epochs,
        batch: arguments.batch,
        seed: arguments.seed,
        histograms_every: arguments.histograms_every,
        ..TrainOptions::default()
    };
    let bar = progress_bar();
    let result =
        Trainer::new(options)
            .with_events(events)
            .run(&mut model, train, test, |progress| {
                match progress {
                    Progress::Step { step, steps } => {
                        bar.set_length(*steps);
                        bar.set_position(*step);
                    }
                    Progress::Epoch(report) => bar.set_message(format!(
                        "epoch {}: loss {:.4}, accuracy {:.4}, {:.0} examples/s",
                        report.epoch,
                        report.evaluation.loss,
                        report.evaluation.accuracy,
                        report.examples_per_second
                    )),
                    _ => {}
                }
                ControlFlow::Continue(())
            });
    bar.finish();

    // Training does not fail for a full disk; the error comes after the result.
    let summary = result.as_ref().map_or_else(TrainError::summary, Some);
    if let Some(summary) = summary {
        println!("test accuracy {:.4}", summary.test.accuracy);
        println!("device: {}", model.device());
        let (run, runs) = (logdir.display(), parent(&logdir).display());
        println!("events: {run} (to see the curves: tensorboard --logdir {runs})");
    }
    result?;
    Ok(())
}

fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} steps, {eta} left  {msg}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A folder of its own for every run, so that TensorBoard shows each as a curve of its own.
fn new_run(seed: u64) -> PathBuf {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    PathBuf::from(format!("runs/digits-seed{seed}-{seconds}"))
}

fn parent(logdir: &Path) -> &Path {
    logdir
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(logdir)
}
