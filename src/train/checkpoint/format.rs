//! A checkpoint as a safetensors file.

use std::collections::HashMap;
use std::fmt::Display;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::contents::{Checkpoint, check_sizes};
use super::document::{Document, Progress, State};
use super::error::CheckpointError;
use super::tensors::{Tensor, Tensors, checksum_in, checksum_of, insert_layers, layers, numbers};
use crate::kernel::replace_durably;
use crate::model::{LayerParameters, Moment, TrainingState, check_parameters};
use crate::train::run_state::RunState;

/// The entry of the metadata that is ours.
const KEY: &str = "wgpu-linear";
const FORMAT: &str = "wgpu-linear checkpoint";
/// Goes up where an older program would go wrong with what is written today.
const VERSION: u64 = 1;

const BEST: &str = "best/";

/// What every version begins with.
#[derive(Deserialize)]
struct Heading {
    format: String,
    version: u64,
}

/// Version 1.
#[derive(Serialize, Deserialize)]
struct Head {
    format: String,
    version: u64,
    /// Of the contents, as they stand there, and of all tensors; in hexadecimal.
    crc32c: String,
    contents: Box<RawValue>,
}

impl Checkpoint {
    /// Writes the file, or replaces it as a whole: whenever the machine stops, either the old file
    /// or the new one is there. It is on the disk when this returns.
    ///
    /// # Errors
    /// As [`Self::to_bytes`]; [`CheckpointError::Write`] where the disk is full or fails. The old
    /// file is there then.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), CheckpointError> {
        write(path.as_ref(), &self.to_bytes()?)
    }

    /// Reads a file of [`Self::save`].
    ///
    /// # Errors
    /// [`CheckpointError::Read`], or [`CheckpointError::File`] with what [`Self::from_bytes`] says.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|source| CheckpointError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(&bytes).map_err(|error| CheckpointError::File {
            path: path.to_owned(),
            source: Box::new(error),
        })
    }

    /// The contents of a file; the same bytes for the same checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError::Shape`] where tensors do not fit [`Self::config`],
    /// [`CheckpointError::Model`] where a number is not finite or the configuration makes no
    /// network, [`CheckpointError::Unwritable`] where [`Self::extra`] is too large for a file,
    /// beyond 10 MB.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        self.check()?;
        let contents = serde_json::to_string(&Document::of(self)).map_err(unwritable)?;
        encode(contents, &self.tensors())
    }

    /// The checkpoint of which these are the bytes.
    ///
    /// # Errors
    /// [`CheckpointError::NotACheckpoint`], [`CheckpointError::Foreign`],
    /// [`CheckpointError::Version`] for one of a newer program, [`CheckpointError::Damaged`] where
    /// bytes are missing or have changed, [`CheckpointError::Model`] where the configuration makes
    /// no network.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let metadata = SafeTensors::read_metadata(bytes);
        let (_, metadata) = metadata.map_err(|error| broken(bytes, &error))?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| broken(bytes, &error))?;
        let head = metadata.metadata().as_ref().and_then(|map| map.get(KEY));
        let head = read_head(head.ok_or(CheckpointError::Foreign)?)?;
        let contents = head.contents.get();
        let checksum = format!("{:08x}", checksum_in(contents, &file));
        if head.crc32c != checksum && !cfg!(fuzzing) {
            return Err(damaged("its checksum is another"));
        }
        let document: Document = serde_json::from_str(contents).map_err(damaged)?;
        let checkpoint = read_tensors(&file, document)?;
        checkpoint.check()?;
        Ok(checkpoint)
    }

    /// Refuses what no model would take.
    fn check(&self) -> Result<(), CheckpointError> {
        self.config.check()?;
        let sizes = &self.config.layer_sizes;
        let moments = self.state.iter().flat_map(|state| &state.moments);
        let all = [&self.parameters].into_iter();
        let all = all
            .chain(moments.map(|moment| &moment.layers))
            .chain(self.best());
        for layers in all {
            check_sizes(sizes, layers)?;
            check_parameters(sizes, layers)?;
        }
        Ok(())
    }

    /// The parameters of the best epoch.
    fn best(&self) -> Option<&Vec<LayerParameters>> {
        let stopping = self.progress.as_ref()?.stopping.as_ref()?;
        Some(&stopping.best.as_ref()?.parameters)
    }

    fn tensors(&self) -> Tensors {
        let mut tensors = Tensors::new();
        insert_layers(&mut tensors, "", &self.parameters);
        if let Some(state) = &self.state {
            for Moment { name, layers } in &state.moments {
                insert_layers(&mut tensors, &of_moment(name), layers);
            }
            for (name, values) in &state.scalars {
                tensors.insert(of_scalar(name), Tensor::new(vec![values.len()], values));
            }
        }
        if let Some(parameters) = self.best() {
            insert_layers(&mut tensors, BEST, parameters);
        }
        tensors
    }
}

fn encode(contents: String, tensors: &Tensors) -> Result<Vec<u8>, CheckpointError> {
    let head = Head {
        format: FORMAT.to_owned(),
        version: VERSION,
        crc32c: format!("{:08x}", checksum_of(&contents, tensors)),
        contents: RawValue::from_string(contents).map_err(unwritable)?,
    };
    let head = serde_json::to_string(&head).map_err(unwritable)?;
    let metadata = HashMap::from([(KEY.to_owned(), head)]);
    safetensors::serialize(tensors, Some(metadata)).map_err(unwritable)
}

/// Replaces a file.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    replace_durably(path, bytes).map_err(|source| CheckpointError::Write {
        path: path.to_owned(),
        source,
    })
}

fn of_moment(name: &str) -> String {
    format!("moments/{name}/")
}

fn of_scalar(name: &str) -> String {
    format!("scalars/{name}")
}

/// The head, of a version that is known.
fn read_head(text: &str) -> Result<Head, CheckpointError> {
    let Heading { format, version } = serde_json::from_str(text).map_err(damaged)?;
    if format != FORMAT {
        return Err(CheckpointError::Foreign);
    }
    if version > VERSION {
        let (found, known) = (version, VERSION);
        return Err(CheckpointError::Version { found, known });
    }
    if version == 0 {
        return Err(damaged("there is no version 0"));
    }
    serde_json::from_str(text).map_err(damaged)
}

fn read_tensors(file: &SafeTensors<'_>, document: Document) -> Result<Checkpoint, CheckpointError> {
    let Document {
        config,
        state,
        progress,
        extra,
    } = document;
    let sizes = &config.layer_sizes;
    let state = state.map(|state| read_state(file, state, sizes));
    let progress = progress.map(|progress| read_progress(file, progress, sizes));
    Ok(Checkpoint {
        parameters: layers(file, "", sizes)?,
        state: state.transpose()?,
        progress: progress.transpose()?,
        extra,
        config,
    })
}

fn read_state(
    file: &SafeTensors<'_>,
    state: State,
    sizes: &[usize],
) -> Result<TrainingState, CheckpointError> {
    let moment = |name: String| {
        let layers = layers(file, &of_moment(&name), sizes)?;
        Ok(Moment { name, layers })
    };
    let scalar = |name: String| {
        let values = numbers(file, &of_scalar(&name), None)?;
        Ok((name, values))
    };
    Ok(TrainingState {
        moments: (state.moments.into_iter().map(moment)).collect::<Result<_, CheckpointError>>()?,
        scalars: (state.scalars.into_iter().map(scalar)).collect::<Result<_, CheckpointError>>()?,
        batches: state.batches,
    })
}

fn read_progress(
    file: &SafeTensors<'_>,
    progress: Progress,
    sizes: &[usize],
) -> Result<RunState, CheckpointError> {
    let best = if progress.has_best() {
        layers(file, BEST, sizes)?
    } else {
        Vec::new()
    };
    Ok(progress.into_state(best))
}

/// A file that safetensors does not understand may be one that was cut short.
fn broken(bytes: &[u8], error: &safetensors::SafeTensorError) -> CheckpointError {
    let length = bytes
        .first_chunk::<8>()
        .map(|length| u64::from_le_bytes(*length));
    // The longest header that safetensors takes.
    let is_ours = length.is_some_and(|length| length <= 100_000_000);
    if is_ours && bytes.get(8) == Some(&b'{') {
        damaged(error)
    } else {
        CheckpointError::NotACheckpoint
    }
}

fn damaged(reason: impl Display) -> CheckpointError {
    CheckpointError::Damaged {
        reason: reason.to_string(),
    }
}

fn unwritable(reason: impl Display) -> CheckpointError {
    CheckpointError::Unwritable {
        reason: reason.to_string(),
    }
}

/// Files that no program of today writes, but whose checksum is right.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Activation, MlpConfig, initial_parameters};
    use serde_json::{Value, json};

    fn checkpoint() -> Checkpoint {
        let config = MlpConfig {
            activation: Activation::LeakyRelu { slope: 0.25 },
            seed: 4,
            ..MlpConfig::new(&[3, 5, 2])
        };
        let parameters = initial_parameters(&config);
        Checkpoint::new(config, parameters)
    }

    /// The same checkpoint with other contents and tensors.
    fn changed(
        change: impl FnOnce(&mut Value, &mut Tensors),
    ) -> Result<Checkpoint, CheckpointError> {
        let checkpoint = checkpoint();
        let mut contents = serde_json::to_value(Document::of(&checkpoint)).unwrap();
        let mut tensors = checkpoint.tensors();
        change(&mut contents, &mut tensors);
        let bytes = encode(contents.to_string(), &tensors).unwrap();
        Checkpoint::from_bytes(&bytes)
    }

    #[test]
    fn what_an_older_program_did_not_know_has_its_usual_value() {
        let loaded = changed(|contents, _| {
            let config = json!({
                "layer_sizes": [3, 5, 2],
                "activation": {"leaky_relu": {"slope": 0.25}},
                "optimizer": {"adam": {"beta1": 0.9}},
                "seed": 4,
            });
            *contents = json!({"config": config});
        });
        assert_eq!(loaded.unwrap(), checkpoint());
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        let loaded = changed(|contents, tensors| {
            contents["config"]["colour"] = json!("blue");
            contents["mood"] = json!(7);
            tensors.insert("layer9/w".to_owned(), Tensor::new(vec![1], &[1.0]));
        });
        assert_eq!(loaded.unwrap(), checkpoint());
    }

    #[test]
    fn numbers_that_are_not_finite_are_named() {
        let loaded = changed(|_, tensors| {
            let numbers = [0.0, f32::NAN];
            tensors.insert("layer2/b".to_owned(), Tensor::new(vec![2], &numbers));
        });
        let words = "layer 2, b: row 0, column 1 is NaN";
        assert!(loaded.unwrap_err().to_string().contains(words));
    }

    #[test]
    fn tensors_that_do_not_fit_the_configuration_are_damage() {
        type Change = fn(&mut Value, &mut Tensors);
        let changes: [(Change, &str); 4] = [
            (
                |_, tensors| drop(tensors.remove("layer2/w")),
                "layer2/w is missing",
            ),
            (
                |contents, _| contents["config"]["layer_sizes"] = json!([3, 5, 5, 2]),
                "layer2/w has the shape [5, 2], not [5, 5]",
            ),
            (
                |contents, _| {
                    contents["state"] = json!({"moments": ["m"], "scalars": [], "batches": 0})
                },
                "moments/m/layer1/w is missing",
            ),
            (|contents, _| contents["config"] = json!(3), "invalid type"),
        ];
        for (change, words) in changes {
            let error = changed(change).unwrap_err();
            assert!(matches!(error, CheckpointError::Damaged { .. }), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn configurations_that_make_no_network_are_refused() {
        for (name, value) in [("layer_sizes", json!([])), ("clip_norm", json!(-1.0))] {
            let loaded = changed(|contents, _| contents["config"][name] = value);
            let error = loaded.unwrap_err();
            assert!(matches!(error, CheckpointError::Model(_)), "{error}");
        }
    }
}
