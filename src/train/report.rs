//! What a run tells beside its curves: its configuration and hyperparameters, and how numbers are
//! spread.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use super::confusion::Confusion;
use super::{Dataset, Schedule, TrainOptions};
use crate::events::{HParams, Histogram, SessionStatus, Summary};
use crate::model::{LayerHistograms, Model};

pub(super) const TEST_LOSS: &str = "loss/test";
pub(super) const TEST_ACCURACY: &str = "accuracy/test";

/// Hyperparameters with the metrics that they are judged by, and the configuration as text.
pub(super) fn beginning(
    options: &TrainOptions,
    model: &impl Model,
    train: &Dataset,
    test: &Dataset,
) -> Summary {
    let hparams = hparams(options, model).start_time(now());
    Summary::new()
        .hparams_experiment(&hparams)
        .hparams_start(&hparams)
        .text("config", &config(options, model, train, test))
}

/// How the run has ended.
pub(super) fn ending(success: bool) -> Summary {
    let status = if success {
        SessionStatus::Success
    } else {
        SessionStatus::Failure
    };
    Summary::new().hparams_end_at(status, now())
}

/// Seconds since 1970-01-01 00:00 UTC; a clock that is set before 1970 says nothing.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

fn hparams(options: &TrainOptions, model: &impl Model) -> HParams {
    let hparams = HParams::new()
        .param("layers", layers(model))
        .param("epochs", options.epochs)
        .param("batch", options.batch)
        .param("seed", options.seed)
        .param("learning_rate", model.learning_rate())
        .param("schedule", schedule(options.schedule))
        .metric(TEST_ACCURACY)
        .metric(TEST_LOSS);
    match model.config() {
        Some(config) => hparams.param("optimizer", config.optimizer.name()),
        None => hparams,
    }
}

fn layers(model: &impl Model) -> String {
    let sizes: Vec<_> = model.layer_sizes().iter().map(usize::to_string).collect();
    sizes.join("-")
}

fn schedule(schedule: Schedule) -> String {
    match schedule {
        Schedule::Constant => "constant".into(),
        Schedule::Cosine { floor } => format!("cosine to {floor}"),
        Schedule::Steps { epochs, factor } => format!("times {factor} every {epochs} epochs"),
    }
}

/// A table in Markdown.
fn config(options: &TrainOptions, model: &impl Model, train: &Dataset, test: &Dataset) -> String {
    let mut table = String::from("| setting | value |\n|---|---|\n");
    let mut row = |name: &str, value: &str| {
        let value = value.replace('|', "\\|").replace(['\r', '\n'], " ");
        // Writing to a text cannot fail.
        let _ = writeln!(table, "| {name} | {value} |");
    };
    row("layers", &layers(model));
    if let Some(config) = model.config() {
        row("activation", &format!("{:?}", config.activation));
        row("loss", &format!("{:?}", config.loss));
        if !config.class_weights.is_empty() {
            row("class weights", &format!("{:?}", config.class_weights));
        }
        row("optimizer", &format!("{:?}", config.optimizer));
        if let Some(norm) = config.clip_norm {
            row("gradient clipped to", &norm.to_string());
        }
        row("initialization", &format!("{:?}", config.initialization));
        row("seed of the weights", &config.seed.to_string());
    } else {
        row("loss", &format!("{:?}", model.loss()));
        row("learning rate", &model.learning_rate().to_string());
    }
    row("schedule", &schedule(options.schedule));
    row("epochs", &options.epochs.to_string());
    row("batch", &options.batch.to_string());
    row("seed of the order", &options.seed.to_string());
    row("training examples", &train.len().to_string());
    row("test examples", &test.len().to_string());
    row("device", &model.device());
    row(
        "version",
        concat!("wgpu-linear ", env!("CARGO_PKG_VERSION")),
    );
    table
}

/// What an epoch shows beside its curves: [`histograms`], and the confusion of classes as a
/// picture.
pub(super) fn look(layers: &[LayerHistograms], confusion: Option<&Confusion>) -> Summary {
    let summary = histograms(layers);
    match confusion.map(Confusion::image) {
        None => summary,
        Some(Ok(image)) => summary.image("confusion/test", &image),
        Some(Err(error)) => {
            log::warn!("no picture of the confusion of classes: {error}");
            summary
        }
    }
}

/// `weights/layer1/w`, `gradients/layer1/w` and so on; and, where numbers are not finite, how many,
/// as curves below `non_finite/`.
fn histograms(layers: &[LayerHistograms]) -> Summary {
    let mut summary = Summary::new();
    for (number, layer) in (1..).zip(layers) {
        let LayerHistograms { w, b, dw, db } = layer;
        for (group, name, histogram) in [
            ("weights", "w", w),
            ("weights", "b", b),
            ("gradients", "w", dw),
            ("gradients", "b", db),
        ] {
            let tag = format!("{group}/layer{number}/{name}");
            summary = add(summary, &tag, histogram);
        }
    }
    summary
}

/// A histogram of nothing at all, which a model gives that keeps no gradients, is left out.
fn add(summary: Summary, tag: &str, histogram: &Histogram) -> Summary {
    let others = histogram.non_finite();
    let summary = match others {
        0 => summary,
        _ => summary.scalar(&format!("non_finite/{tag}"), others as f32),
    };
    if histogram.num() == 0 && others == 0 {
        return summary;
    }
    summary.histogram(tag, histogram)
}
