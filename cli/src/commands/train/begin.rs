//! What a training begins with: settings from three layers, a folder of its own, first weights.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use wgpu_linear::model::{Activation, LayerParameters, Model, ModelError};
use wgpu_linear::train::checkpoint::Checkpoint;

use super::import::{Imported, import};
use crate::config::Settings;
use crate::training::{Prepared, SavedModel};
use crate::{CliError, clock, file};

/// The settings of a run, in its folder.
pub(super) const SETTINGS_FILE: &str = "config.toml";

/// The newest checkpoint of the run in `folder`.
pub(super) fn resumed(folder: &Path) -> Result<SavedModel, CliError> {
    if folder.is_file() {
        return Err(CliError::input(format!(
            "--resume {} is a file; give the folder of the run",
            folder.display()
        )));
    }
    SavedModel::latest(folder)?.ok_or_else(|| {
        CliError::input(format!(
            "{} holds no checkpoint that can be read, so there is nothing to go on with; begin again with --config FILE --out FOLDER",
            folder.display()
        ))
    })
}

/// What was said over the file, or over what the run began with.
pub(super) fn settings(
    said: &Settings,
    file: Option<&Path>,
    resumed: Option<&SavedModel>,
    trials: Option<u32>,
) -> Result<Settings, CliError> {
    let mut below = match (file, resumed) {
        (Some(path), _) => Settings::read(path)?,
        (None, Some(saved)) => saved.settings.clone(),
        (None, None) => Settings::default(),
    };
    // A repeated run has a folder of its own.
    below.run.out = None;
    let said = said.clone().over(below);
    if let Some(saved) = resumed {
        check_same(&said, saved)?;
    }
    if trials == Some(0) {
        return Err(CliError::input("--trials must be at least 1"));
    }
    if trials.is_some() && said.network.initial.is_some() {
        return Err(CliError::input(
            "--trials draws networks of other shapes than that of --initial; leave one of them out",
        ));
    }
    Ok(said)
}

/// Refuses settings that would make another run of one that goes on.
fn check_same(said: &Settings, saved: &SavedModel) -> Result<(), CliError> {
    let before = &saved.settings;
    let mut now = said.clone();
    // Where it computes and what it leaves is free, and tables may have moved: that they are the
    // same is looked at when they are read.
    now.run = before.run.clone();
    now.training.epochs = before.training.epochs;
    now.data.path.clone_from(&before.data.path);
    now.data.test_file.clone_from(&before.data.test_file);
    now.data.labels.clone_from(&before.data.labels);
    if now != *before {
        return Err(CliError::input(
            "--resume goes on with the settings that the run began with; beside it, --epochs and the options of the section Run may be given, and where the tables are",
        ));
    }
    let done = saved.checkpoint.progress.as_ref();
    let done = done.map_or(0, |progress| progress.epochs_done);
    match said.training.epochs {
        Some(epochs) if epochs < done => Err(CliError::input(format!(
            "--epochs {epochs}: the run has done {done} epochs already"
        ))),
        _ => Ok(()),
    }
}

/// Refuses to go on with other data.
pub(super) fn check_data(resumed: Option<&SavedModel>, data: &Prepared) -> Result<(), CliError> {
    let Some(saved) = resumed else { return Ok(()) };
    let is_other = saved
        .fingerprint
        .as_ref()
        .is_some_and(|before| *before != data.fingerprint);
    if is_other || saved.preprocessing != data.preprocessing {
        return Err(CliError::input(format!(
            "{} has changed since the run began: a run goes on with the data that it began with; begin another without --resume",
            data.summary.path
        )));
    }
    Ok(())
}

/// A folder that is not there yet, unless it is empty.
pub(super) fn new_folder(settings: &Settings) -> Result<PathBuf, CliError> {
    if let Some(out) = &settings.run.out {
        let is_used = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
        if is_used || out.is_file() {
            return Err(taken(out));
        }
        return Ok(out.clone());
    }
    let path = settings.data.path.as_deref().and_then(Path::file_name);
    let name = path.map_or("run".into(), |name| name.to_string_lossy().into_owned());
    let name = name.split('.').next().unwrap_or("run").to_owned();
    let date = clock::compact(Timestamp::now());
    let first = PathBuf::from(format!("runs/{name}-{date}"));
    // Two runs may begin within a second.
    let others = (2..).map(|number| PathBuf::from(format!("runs/{name}-{date}-{number}")));
    let mut all = [first].into_iter().chain(others);
    Ok(all.find(|folder| !folder.exists()).unwrap_or_default())
}

fn taken(out: &Path) -> CliError {
    CliError::input(format!(
        "--out {} is there already; take another folder, or --resume it",
        out.display()
    ))
}

/// Makes the folder of a run with its settings. Of two runs that want the same one, the second is
/// refused.
pub(super) fn claim(out: &Path, settings: &Settings) -> Result<(), CliError> {
    fs::create_dir_all(out).map_err(|error| file::refused(out, &error))?;
    let path = out.join(SETTINGS_FILE);
    match fs::File::create_new(&path) {
        Ok(mut file) => file
            .write_all(settings.to_toml().as_bytes())
            .map_err(|error| file::refused(&path, &error)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(taken(out)),
        Err(error) => Err(file::refused(&path, &error)),
    }
}

/// Puts the weights of another network in the place of the first ones, and where it comes from
/// elsewhere also what its optimizer remembers.
pub(super) fn begin_with(
    model: &mut dyn Model,
    path: &Path,
    names: Option<&[String]>,
) -> Result<(), CliError> {
    let refused =
        |error: ModelError| CliError::input(format!("--initial {}: {error}", path.display()));
    if let Ok(own) = Checkpoint::load(path) {
        check_shapes(model, &own.parameters, path)?;
        return model.set_parameters(&own.parameters).map_err(refused);
    }
    let Imported {
        parameters,
        state,
        activations,
    } = import(path, names)?;
    check_shapes(model, &parameters, path)?;
    check_activations(model, activations.as_deref(), path)?;
    model.set_parameters(&parameters).map_err(refused)?;
    let optimizer = model.config().map(|config| config.optimizer);
    match optimizer {
        Some(optimizer) if !state.moments.is_empty() => model
            .set_training_state(&state.training_state(&optimizer))
            .map_err(refused),
        _ => Ok(()),
    }
}

/// Refuses weights that were learned with other functions between the layers.
fn check_activations(
    model: &dyn Model,
    theirs: Option<&[Activation]>,
    path: &Path,
) -> Result<(), CliError> {
    let (Some(theirs), Some(config)) = (theirs, model.config()) else {
        return Ok(());
    };
    let hidden = &theirs[..theirs.len().saturating_sub(1)];
    match hidden.iter().find(|theirs| **theirs != config.activation) {
        None => Ok(()),
        Some(theirs) => Err(CliError::input(format!(
            "--initial {} has {} between its layers, and {} is to be trained; see --activation",
            path.display(),
            theirs.name(),
            config.activation.name()
        ))),
    }
}

fn check_shapes(
    model: &dyn Model,
    layers: &[LayerParameters],
    path: &Path,
) -> Result<(), CliError> {
    let first = layers.iter().take(1).map(|layer| layer.w.nrows());
    let sizes: Vec<_> = first.chain(layers.iter().map(|l| l.w.ncols())).collect();
    if sizes == model.layer_sizes() {
        return Ok(());
    }
    let chain = |sizes: &[usize]| {
        let sizes: Vec<_> = sizes.iter().map(usize::to_string).collect();
        sizes.join("-")
    };
    Err(CliError::input(format!(
        "--initial {} is a network of {}, and {} is to be trained; see --hidden",
        path.display(),
        chain(&sizes),
        chain(model.layer_sizes())
    )))
}
