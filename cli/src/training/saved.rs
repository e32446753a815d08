//! A model in a file, with everything that it takes to use it on raw tables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wgpu_linear::Gpu;
use wgpu_linear::model::Model;
use wgpu_linear::train::checkpoint::{Checkpoint, Checkpoints};

use super::Prepared;
use crate::CliError;
use crate::config::Settings;
use crate::data::{Preprocessing, VERSION};

/// The model of a run, in its folder.
pub const MODEL_FILE: &str = "model.safetensors";
/// The checkpoints of a run, in its folder.
pub(super) const CHECKPOINTS: &str = "checkpoints";
const PREPROCESSING: &str = "preprocessing";
const SETTINGS: &str = "settings";
const DATA: &str = "data";

/// A model in a file, with what is done to tables before it sees them.
#[derive(Clone, Debug)]
pub struct SavedModel {
    /// Where it was found.
    pub path: PathBuf,
    /// Weights, configuration and, in a checkpoint, where the run stood.
    pub checkpoint: Checkpoint,
    /// From a raw table to inputs and targets.
    pub preprocessing: Preprocessing,
    /// How it was trained.
    pub settings: Settings,
    /// What the data of the training are told from others by.
    pub fingerprint: Option<String>,
}

/// What a checkpoint carries for this program.
#[must_use]
pub fn extra(settings: &Settings, data: &Prepared) -> BTreeMap<String, String> {
    // Numbers, texts and lists can always be written.
    let preprocessing = serde_json::to_string(&data.preprocessing).unwrap_or_default();
    [
        (DATA.to_owned(), data.fingerprint.clone()),
        (PREPROCESSING.to_owned(), preprocessing),
        (SETTINGS.to_owned(), settings.to_toml()),
    ]
    .into()
}

/// Whether a network takes what its preprocessing makes, and gives what that understands.
fn check_fit(preprocessing: &Preprocessing, checkpoint: &Checkpoint) -> Result<(), String> {
    if preprocessing.version != VERSION {
        return Err(format!("it is of version {}", preprocessing.version));
    }
    let sizes = &checkpoint.config.layer_sizes;
    let ends = [sizes.first(), sizes.last()].map(|size| size.copied().unwrap_or(0));
    let made = [preprocessing.inputs(), preprocessing.outputs()];
    if ends != made {
        return Err(format!(
            "it does not fit the network: {} inputs and {} outputs, not {} and {}",
            made[0], made[1], ends[0], ends[1]
        ));
    }
    Ok(())
}

impl SavedModel {
    /// The model of a file, or of the folder of a run: its model, and where there is none yet the
    /// newest checkpoint.
    ///
    /// # Errors
    /// [`CliError::Input`] where there is none, or it was not written by this program.
    pub fn load(path: &Path) -> Result<Self, CliError> {
        if !path.is_dir() {
            return Self::of_file(path);
        }
        let model = path.join(MODEL_FILE);
        if model.exists() {
            return Self::of_file(&model);
        }
        Self::latest(path)?.ok_or_else(|| {
            CliError::input(format!(
                "{} holds neither {MODEL_FILE} nor a checkpoint that can be read; give the folder that train wrote",
                path.display()
            ))
        })
    }

    /// The newest checkpoint of a run that can be read.
    ///
    /// # Errors
    /// [`CliError::Input`] where it was not written by this program.
    pub fn latest(run: &Path) -> Result<Option<Self>, CliError> {
        let latest = Checkpoints::latest(run.join(CHECKPOINTS));
        let latest = latest.map_err(|error| CliError::input(crate::error::with_causes(&error)))?;
        latest
            .map(|(path, checkpoint)| Self::of_checkpoint(path, checkpoint))
            .transpose()
    }

    fn of_file(path: &Path) -> Result<Self, CliError> {
        let checkpoint = Checkpoint::load(path)
            .map_err(|error| CliError::input(crate::error::with_causes(&error)))?;
        Self::of_checkpoint(path.to_owned(), checkpoint)
    }

    fn of_checkpoint(path: PathBuf, checkpoint: Checkpoint) -> Result<Self, CliError> {
        let part = |name: &str| {
            checkpoint.extra.get(name).ok_or_else(|| {
                CliError::input(format!(
                    "{} does not say how tables were prepared for it: it was not written by wgpu-linear train",
                    path.display()
                ))
            })
        };
        let damaged = |what: &str, why: String| {
            CliError::input(format!(
                "{}: its {what} cannot be read: {why}; was it written by a later version?",
                path.display()
            ))
        };
        let preprocessing: Preprocessing = serde_json::from_str(part(PREPROCESSING)?)
            .map_err(|error| damaged(PREPROCESSING, error.to_string()))?;
        check_fit(&preprocessing, &checkpoint).map_err(|why| damaged(PREPROCESSING, why))?;
        let settings =
            Settings::parse(part(SETTINGS)?).map_err(|error| damaged(SETTINGS, error))?;
        Ok(Self {
            path,
            preprocessing,
            settings,
            fingerprint: checkpoint.extra.get(DATA).cloned(),
            checkpoint,
        })
    }

    /// The network, on the GPU or its twin.
    ///
    /// # Errors
    /// [`CliError::Failure`] where there is not enough memory.
    pub fn model(&self, gpu: Option<&Gpu>) -> Result<Box<dyn Model>, CliError> {
        let mut model = crate::device::model(gpu, self.checkpoint.config.clone())?;
        model
            .set_parameters(&self.checkpoint.parameters)
            .map_err(|error| CliError::failure(&error))?;
        Ok(model)
    }
}
