//! What a run tells beside its curves: its configuration and hyperparameters, and how numbers are
//! spread.

use std::fmt::Write as _;

use super::confusion::ConfusionMatrix;
use super::evaluate::LOSS;
use super::metric::Metric;
use super::setup::{Setup, TEST, VALIDATION};
use crate::events::{HParams, Histogram, SessionStatus, Summary};
use crate::model::{LayerHistograms, Model};
use crate::time::{SystemTime, UNIX_EPOCH};

pub(super) const BEST_EPOCH: &str = "best_epoch";
pub(super) const RECOVERY: &str = "recovery";

/// The tag of a metric on a data set.
pub(super) fn tag(metric: &str, set: &str) -> String {
    format!("{metric}/{set}")
}

/// Hyperparameters with the metrics that they are judged by, and the configuration as text.
pub(super) fn beginning(setup: &Setup<'_>, model: &dyn Model) -> Summary {
    let hparams = hparams(setup, model).start_time(now());
    Summary::new()
        .hparams_experiment(&hparams)
        .hparams_start(&hparams)
        .text("config", &config(setup, model))
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

/// That the run goes on on another device.
pub(super) fn recovery(text: &str) -> Summary {
    Summary::new().text(RECOVERY, text)
}

/// Seconds since 1970-01-01 00:00 UTC; a clock that is set before 1970 says nothing.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

fn hparams(setup: &Setup<'_>, model: &dyn Model) -> HParams {
    let options = &setup.options;
    let mut hparams = HParams::new()
        .param("layers", layers(model))
        .param("epochs", options.epochs)
        .param("batch", options.batch)
        .param("seed", options.seed)
        .param("learning_rate", model.learning_rate())
        .param("schedule", setup.curve.to_string())
        .param("warmup_steps", options.warmup_steps);
    if let Some(config) = model.config() {
        hparams = hparams.param("optimizer", config.optimizer.name());
    }
    let names = setup.metrics.iter().map(Metric::name).chain([LOSS]);
    for name in names {
        hparams = hparams.metric(&tag(name, TEST));
        if setup.validation.is_some() {
            hparams = hparams.metric(&tag(name, VALIDATION));
        }
    }
    hparams
}

fn layers(model: &dyn Model) -> String {
    let sizes: Vec<_> = model.layer_sizes().iter().map(usize::to_string).collect();
    sizes.join("-")
}

/// A table in Markdown.
fn config(setup: &Setup<'_>, model: &dyn Model) -> String {
    let mut table = String::from("| setting | value |\n|---|---|\n");
    for (name, value) in settings_of(model).into_iter().chain(settings(setup)) {
        let value = value.replace('|', "\\|").replace(['\r', '\n'], " ");
        // Writing to a text cannot fail.
        let _ = writeln!(table, "| {name} | {value} |");
    }
    table
}

type Rows = Vec<(&'static str, String)>;

fn settings_of(model: &dyn Model) -> Rows {
    let mut rows = vec![("layers", layers(model))];
    if let Some(config) = model.config() {
        rows.extend([
            ("activation", format!("{:?}", config.activation)),
            ("loss", format!("{:?}", config.loss)),
            ("class weights", format!("{:?}", config.class_weights)),
            ("label smoothing", config.label_smoothing.to_string()),
            ("dropout", config.dropout.to_string()),
            ("optimizer", format!("{:?}", config.optimizer)),
            ("batches an update", config.accumulation.to_string()),
            ("gradient clipped to", format!("{:?}", config.clip_norm)),
            ("precision", config.precision.to_string()),
            ("initialization", format!("{:?}", config.initialization)),
            ("seed of the weights", config.seed.to_string()),
        ]);
    } else {
        rows.extend([
            ("loss", format!("{:?}", model.loss())),
            ("learning rate", model.learning_rate().to_string()),
        ]);
    }
    rows.push(("device", model.device()));
    rows
}

fn settings(setup: &Setup<'_>) -> Rows {
    let options = &setup.options;
    let mut rows = vec![
        ("schedule", setup.curve.to_string()),
        ("warm-up steps", options.warmup_steps.to_string()),
        ("epochs", options.epochs.to_string()),
        ("batch", options.batch.to_string()),
        ("seed of the order", options.seed.to_string()),
        ("training examples", setup.train.len().to_string()),
    ];
    if let Some(validation) = setup.validation {
        rows.push(("validation examples", validation.len().to_string()));
    }
    rows.push(("test examples", setup.test.len().to_string()));
    if let Some(stopping) = &setup.stopping {
        rows.push(("early stopping", format!("{stopping:?}")));
    }
    if let Some(plateau) = &setup.plateau {
        rows.push(("learning rate falls", format!("{plateau:?}")));
    }
    let version = concat!("wgpu-linear ", env!("CARGO_PKG_VERSION"));
    rows.push(("version", version.to_owned()));
    rows
}

/// What an epoch shows beside its curves: [`histograms`], and the confusion of the classes of a set
/// as a picture.
pub(super) fn look(
    layers: &[LayerHistograms],
    set: &str,
    confusion: Option<&ConfusionMatrix>,
) -> Summary {
    let summary = histograms(layers);
    match confusion.map(ConfusionMatrix::image) {
        None => summary,
        Some(Ok(image)) => summary.image(&tag("confusion", set), &image),
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
