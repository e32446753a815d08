//! The training itself: events, checkpoints, a bar, and an end on request.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use wgpu_linear::events::Writer;
use wgpu_linear::model::Model;
use wgpu_linear::train::checkpoint::Checkpoints;
use wgpu_linear::train::{
    DeviceFailure, EarlyStopping, EpochReport, Metric, Progress, ReduceOnPlateau, Schedule,
    Summary, TrainError, TrainOptions, Trainer,
};

use super::Prepared;
use super::recovery::{Trained, failure, rebuild, recovery, what_failed};
use super::saved::{CHECKPOINTS, SavedModel, extra};
use crate::CliError;
use crate::config::Settings;
use crate::error::with_causes;
use crate::output::Output;
use crate::stop::Stop;

/// What a training has brought.
#[derive(Debug)]
pub struct Finished {
    /// What the trainer says.
    pub summary: Summary,
    /// How long it took.
    pub time: Duration,
    /// Steps taken, without those before a resume.
    pub steps: u64,
    /// Rows trained on in them, or a few more.
    pub examples: u64,
}

/// Trains a model in the folder `out`, on from `resumed` if there is one.
///
/// # Errors
/// [`CliError::Failure`] where the training fails; what it has written until then stays.
pub fn train(
    settings: &Settings,
    data: &Prepared,
    trained: Trained<'_>,
    out: &Path,
    resumed: Option<&SavedModel>,
    stop: &Stop,
    output: Output,
) -> Result<Finished, CliError> {
    let begin = Instant::now();
    let options = options(settings)?;
    let Trained { model, place } = trained;
    let mut trainer = trainer(settings, data, out)?.with_recovery(recovery(settings, place));
    if let Some(resumed) = resumed {
        trainer = trainer.resume(resumed.checkpoint.clone());
    }
    stop.set_missing(&["the step at hand", "its checkpoint", "the last events"]);
    let bar = bar(output);
    let progress = resumed.and_then(|saved| saved.checkpoint.progress.as_ref());
    let before = progress.map_or(0, |progress| progress.step);
    let mut rebuild = rebuild(settings, data, model.as_ref(), place)?;
    let again = |failure: &DeviceFailure<'_>| {
        bar.suspend(|| output.note(&what_failed(failure)));
        rebuild(failure)
    };
    let on_progress = |progress: &Progress, _: &mut dyn Model| {
        show(&bar, progress);
        match stop.is_asked() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    let ended = trainer.run_recovering(model, again, &data.train, &data.test, on_progress);
    bar.finish_and_clear();
    let summary = summary(ended, out, output)?;
    stop.set_missing(&[]);
    let steps = summary.steps.saturating_sub(before);
    Ok(Finished {
        time: begin.elapsed(),
        steps,
        examples: steps * options.batch.min(data.train.len()) as u64,
        summary,
    })
}

/// What a training has brought, also where only files are incomplete.
fn summary(
    ended: Result<Summary, TrainError>,
    out: &Path,
    output: Output,
) -> Result<Summary, CliError> {
    let error = match ended {
        Ok(summary) => return Ok(summary),
        Err(error) => error,
    };
    match error.summary() {
        // The training went through: what is missing on the disk is said, and the rest goes on.
        Some(summary) if !summary.stopped => {
            output.note(&with_causes(&error));
            Ok(summary.clone())
        }
        _ => Err(failure(&error, out)),
    }
}

/// A trainer with everything that the settings say.
fn trainer<'a>(
    settings: &Settings,
    data: &'a Prepared,
    out: &Path,
) -> Result<Trainer<'a>, CliError> {
    let mut trainer = Trainer::new(options(settings)?)
        .with_events(Writer::create(out).map_err(|error| CliError::failure(&error))?);
    if let Some(validation) = &data.validation {
        trainer = trainer.with_validation(validation);
    }
    for metric in Metric::all(data.train.kind()) {
        trainer = trainer.with_metric(metric);
    }
    let training = &settings.training;
    if let Some(patience) = training.early_stopping.filter(|patience| *patience > 0) {
        trainer = trainer.with_early_stopping(EarlyStopping::min("loss", patience));
    }
    if let Some(patience) = training.plateau.filter(|patience| *patience > 0) {
        let plateau = ReduceOnPlateau {
            patience,
            ..ReduceOnPlateau::min("loss")
        };
        trainer = trainer.with_plateau(plateau);
    }
    Ok(trainer
        .with_checkpoints(checkpoints(settings, data, out))
        .with_quick_stop())
}

/// What the trainer is told.
///
/// # Errors
/// [`CliError::Input`] where there is no schedule of that name, or a batch of no rows.
pub fn options(settings: &Settings) -> Result<TrainOptions, CliError> {
    let training = &settings.training;
    if training.batch == Some(0) {
        return Err(CliError::input("--batch must be at least 1"));
    }
    let schedule: Schedule = training
        .schedule
        .as_deref()
        .unwrap_or("constant")
        .parse()
        .map_err(|error| CliError::input(format!("--schedule: {error}")))?;
    let defaults = TrainOptions::default();
    Ok(TrainOptions {
        epochs: training.epochs.unwrap_or(defaults.epochs),
        batch: training.batch.unwrap_or(defaults.batch),
        seed: training.seed.unwrap_or(0),
        schedule,
        warmup_steps: training.warmup.unwrap_or(0),
        ..defaults
    })
}

fn checkpoints(settings: &Settings, data: &Prepared, out: &Path) -> Checkpoints {
    let run = &settings.run;
    let checkpoints = Checkpoints::new(out.join(CHECKPOINTS))
        .keep_last(run.keep.unwrap_or(2).max(1))
        // Without rows to judge by, the best would be the best on the test.
        .keep_best(data.validation.is_some())
        .extra(extra(settings, data));
    match run.checkpoint_every.unwrap_or(10) {
        0 => checkpoints.every_epochs(u32::MAX),
        epochs => checkpoints.every_epochs(epochs),
    }
}

fn bar(output: Output) -> ProgressBar {
    if !output.is_animated() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} steps, {eta} left  {msg}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(bar: &ProgressBar, progress: &Progress) {
    match progress {
        Progress::Step { step, steps } => {
            bar.set_length(*steps);
            bar.set_position(*step);
        }
        Progress::Epoch(report) => bar.set_message(describe(report)),
        _ => {}
    }
}

fn describe(report: &EpochReport) -> String {
    let evaluation = &report.evaluation;
    let metric = ["accuracy", "r2"].into_iter().find_map(|name| {
        let value = evaluation.metric(name)?;
        Some(format!(", {name} {value:.4}"))
    });
    format!(
        "epoch {}: loss {:.4}{}",
        report.epoch,
        evaluation.loss,
        metric.unwrap_or_default()
    )
}
