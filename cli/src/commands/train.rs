//! `wgpu-linear train`: from a table to a folder with a network, its curves and its report.

mod arguments;
mod begin;
mod import;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use wgpu_linear::model::Model;
use wgpu_linear::train::checkpoint::Checkpoint;

pub use self::arguments::Arguments;
use self::begin::{SETTINGS_FILE, begin_with, check_data, claim, new_folder, resumed, settings};
use crate::config::Settings;
use crate::device::Place;
use crate::output::{Output, wrapped};
use crate::stop::Stop;
use crate::training::{
    Finished, MODEL_FILE, Outcome, Prepared, SavedModel, Story, Trained, Trial, curves, extra,
    network, options, prepare, search, spelled_out, train, with_split, write_predictions,
};
use crate::{CliError, clock, file};

/// What the network says of the test rows, in the folder of the run.
const PREDICTIONS_FILE: &str = "predictions.csv";

/// Trains.
///
/// # Errors
/// [`CliError::Input`] where settings or data are wrong, [`CliError::Failure`] where the training
/// fails.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CliError> {
    let resumed = arguments.resume.as_deref().map(resumed).transpose()?;
    let said = settings(
        &arguments.settings,
        arguments.config.as_deref(),
        resumed.as_ref(),
        arguments.trials,
    )?;
    let said = with_split(said, arguments.trials.is_some());
    let data = prepare(&said)?;
    let mut settings = spelled_out(said, &data);
    check_data(resumed.as_ref(), &data)?;
    let out = match &arguments.resume {
        Some(folder) => folder.clone(),
        None => new_folder(&settings)?,
    };
    settings.run.out = Some(out.clone());
    if settings.training.has_idle_momentum() {
        output.note("--momentum and --nesterov are for --optimizer sgd; the others go without.");
    }
    let place = Place::open(settings.run.device.unwrap_or_default(), output)?;
    // What is wrong is found before anything is written.
    options(&settings)?;
    let mut model = place.network(network(&settings, &data)?)?;
    let initial = settings.network.initial.as_deref();
    if let Some(path) = initial.filter(|_| resumed.is_none()) {
        let names = settings.network.initial_names.as_deref();
        begin_with(model.as_mut(), path, names)?;
    }
    if arguments.trials.is_some() && data.validation.is_none() {
        return Err(CliError::input(
            "--trials needs rows to choose by: --validation-fraction 0.2",
        ));
    }
    let grace = settings.run.grace.unwrap_or(10.0);
    let grace = Duration::try_from_secs_f64(grace)
        .map_err(|_| CliError::input(format!("--grace {grace} is no number of seconds")))?;
    let stop = Stop::on_signals(grace)?;
    match &resumed {
        None => claim(&out, &settings)?,
        Some(saved) => say_what_is_done(saved, &settings, output),
    }
    let mut run = Training {
        arguments,
        settings,
        data,
        place,
        out,
        stop,
        output,
        trials: Vec::new(),
    };
    run.go(model, resumed.as_ref())
}

fn say_what_is_done(saved: &SavedModel, settings: &Settings, output: Output) {
    let Some(progress) = &saved.checkpoint.progress else {
        return;
    };
    let (done, all) = (
        progress.epochs_done,
        settings.training.epochs.unwrap_or_default(),
    );
    output.note(&match done >= all {
        true => format!(
            "All {all} epochs are done: what is known of the network is written anew. --epochs N trains on."
        ),
        false => format!("Going on after {done} of {all} epochs."),
    });
}

/// A training under way.
struct Training<'a> {
    arguments: &'a Arguments,
    settings: Settings,
    data: Prepared,
    place: Place,
    out: PathBuf,
    stop: Stop,
    output: Output,
    trials: Vec<Trial>,
}

impl Training<'_> {
    fn go(
        &mut self,
        mut model: Box<dyn Model>,
        resumed: Option<&SavedModel>,
    ) -> Result<(), CliError> {
        if let Some(trials) = self.arguments.trials {
            if !self.search(trials)? {
                return self.say_that_nothing_is_done();
            }
            let config = network(&self.settings, &self.data)?;
            model = self.place.network(config)?;
        }
        self.write(SETTINGS_FILE, self.settings.to_toml().as_bytes())?;
        self.introduce(model.as_ref());
        let finished = train(
            &self.settings,
            &self.data,
            Trained {
                model: &mut model,
                place: &mut self.place,
            },
            &self.out,
            resumed,
            &self.stop,
            self.output,
        )?;
        self.say_what_is_not_used();
        if finished.summary.stopped {
            return self.say_where_to_go_on(&finished);
        }
        self.conclude(model.as_mut(), &finished)
    }

    /// Whether there is a best one.
    fn search(&mut self, trials: u32) -> Result<bool, CliError> {
        let found = search(
            &self.settings,
            &self.data,
            &mut self.place,
            &self.out,
            trials,
            &self.stop,
            self.output,
        )?;
        let Some((best, done)) = found else {
            return Ok(false);
        };
        let json = serde_json::to_vec_pretty(&done).unwrap_or_default();
        self.write("trials.json", &json)?;
        self.settings = best;
        self.trials = done;
        Ok(true)
    }

    fn say_that_nothing_is_done(&self) -> Result<(), CliError> {
        self.output.result(
            "Stopped before a trial was done; there is nothing to go on with.",
            &json!({"stopped": true, "steps": 0, "out": self.out}),
        )
    }

    fn introduce(&self, model: &dyn Model) {
        let sizes: Vec<_> = model.layer_sizes().iter().map(usize::to_string).collect();
        let (data, validation) = (&self.data, self.data.validation.as_ref());
        let training = format!(
            "Training {} on {} rows{}, testing on {}; {}.",
            sizes.join("-"),
            data.train.len(),
            validation.map_or(String::new(), |v| format!(", {} for validation", v.len())),
            data.test.len(),
            model.device()
        );
        for text in [data.summary.to_string(), training] {
            self.output.note(&wrapped(&text, "  ", 80));
        }
    }

    /// Kernels that the driver has got wrong; others were in their place.
    fn say_what_is_not_used(&self) {
        let gpu = self.place.gpu().into_iter();
        for kernel in gpu.flat_map(|gpu| gpu.condemned_kernels()) {
            let text = format!(
                "The driver has got a kernel wrong, so another was used: {kernel}. See wgpu-linear doctor."
            );
            self.output.note(&wrapped(&text, "  ", 80));
        }
    }

    fn say_where_to_go_on(&self, finished: &Finished) -> Result<(), CliError> {
        let steps = finished.summary.steps;
        let out = self.out.display();
        self.output.result(
            &format!("Stopped after step {steps}. To go on: wgpu-linear train --resume {out}"),
            &json!({
                "stopped": true,
                "steps": steps,
                "out": self.out,
                "checkpoint": finished.summary.checkpoint,
            }),
        )
    }

    /// Judges the network, and writes everything that there is to know of it.
    fn conclude(&self, model: &mut dyn Model, finished: &Finished) -> Result<(), CliError> {
        self.save(model)?;
        let begin = Instant::now();
        let preprocessing = &self.data.preprocessing;
        let test = Outcome::of(model, preprocessing, &self.data.test)?;
        let validation = match &self.data.validation {
            Some(validation) => Some(Outcome::of(model, preprocessing, validation)?),
            None => None,
        };
        let evaluation = begin.elapsed();
        self.write_predictions(&test)?;
        let mut report = None;
        if self.settings.run.report.unwrap_or(true) {
            let story = Story {
                settings: &self.settings,
                data: &self.data,
                finished,
                test: &test,
                validation: validation.as_ref(),
                curves: curves(
                    &self.out,
                    self.steps_per_epoch(),
                    finished.summary.best_epoch,
                ),
                evaluation,
                date: clock::readable(Timestamp::now()),
                command: format!(
                    "wgpu-linear train --config {}",
                    self.out.join(SETTINGS_FILE).display()
                ),
            };
            let path = self.out.join("report.html");
            story
                .report(model)?
                .write(&self.out)
                .map_err(|error| file::refused(&path, &error))?;
            report = Some(path);
        }
        self.say_how_it_went(model, finished, &test, report.as_deref())
    }

    fn steps_per_epoch(&self) -> u64 {
        let batch = self.settings.training.batch.unwrap_or(1).max(1);
        self.data.train.len().div_ceil(batch) as u64
    }

    fn save(&self, model: &dyn Model) -> Result<(), CliError> {
        let failure = |error: &dyn std::error::Error| CliError::failure(error);
        let mut checkpoint = Checkpoint::of(model).map_err(|error| failure(&error))?;
        checkpoint.extra = extra(&self.settings, &self.data);
        checkpoint
            .save(self.out.join(MODEL_FILE))
            .map_err(|error| failure(&error))
    }

    fn write_predictions(&self, test: &Outcome) -> Result<(), CliError> {
        let path = self.out.join(PREDICTIONS_FILE);
        file::write(&path, |to| {
            write_predictions(
                to,
                &self.data.preprocessing,
                &self.data.rows.test,
                &test.details.outputs,
                Some(self.data.test.targets()),
            )
        })
        .map_err(|error| file::refused(&path, &error))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), CliError> {
        let path = self.out.join(name);
        file::replace(&path, bytes).map_err(|error| file::refused(&path, &error))
    }

    fn say_how_it_went(
        &self,
        model: &dyn Model,
        finished: &Finished,
        test: &Outcome,
        report: Option<&Path>,
    ) -> Result<(), CliError> {
        let out = self.out.display();
        let seconds = finished.time.as_secs_f64();
        let mut text = format!(
            "On the {} test rows:\n{}",
            self.data.test.len(),
            test.text()
        );
        text += &format!(
            "Trained {} steps in {seconds:.1} s on {}.\n",
            finished.steps,
            model.device()
        );
        if let Some(report) = report {
            text += &format!("Report:  {}\n", report.display());
        }
        text += &format!("Model:   {out}/{MODEL_FILE} (wgpu-linear predict --model {out} TABLE)\n");
        text += &format!("Curves:  tensorboard --logdir {out}");
        self.output.result(
            &text,
            &json!({
                "stopped": false,
                "steps": finished.summary.steps,
                "seconds": seconds,
                "best_epoch": finished.summary.best_epoch,
                "test": test.for_machines(),
                "device": model.device(),
                "out": self.out,
                "report": report,
                "trials": self.trials,
            }),
        )
    }
}
