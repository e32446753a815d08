//! Why a checkpoint cannot be used.

use std::io;
use std::path::PathBuf;

use crate::model::ModelError;

/// A checkpoint could not be read, written or gone on from.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file could not be read.
    #[error("cannot read the checkpoint {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or its folder could not be written. What was there before is unharmed.
    #[error("cannot write the checkpoint {}", path.display())]
    Write {
        /// Which file, or which folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file was read, but cannot be used.
    #[error("the checkpoint {} cannot be used", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: Box<CheckpointError>,
    },
    /// It is no safetensors file at all.
    #[error("this is no checkpoint, and no safetensors file")]
    NotACheckpoint,
    /// It is a safetensors file, but none that this crate has written as a checkpoint.
    #[error(
        "this is a safetensors file of another program: it has weights perhaps, but no checkpoint"
    )]
    Foreign,
    /// It was written by a newer version of this crate.
    #[error(
        "the checkpoint has version {found}, and this program reads versions up to {known}: use a newer wgpu-linear"
    )]
    Version {
        /// The version of the checkpoint.
        found: u64,
        /// The newest version that is known here.
        known: u64,
    },
    /// It has too much, or what no file can have.
    #[error("the checkpoint cannot be written down: {reason}")]
    Unwritable {
        /// What is wrong with it.
        reason: String,
    },
    /// It was cut short, or has changed since it was written.
    #[error("the checkpoint is damaged: {reason}")]
    Damaged {
        /// What is wrong with it.
        reason: String,
    },
    /// It is of a network of other sizes.
    #[error(
        "layer {layer} of the checkpoint is {}, that of the model {}",
        in_words(*actual),
        in_words(*expected)
    )]
    Shape {
        /// Which layer, from 1.
        layer: usize,
        /// Inputs and outputs in the model; `None` where it has no such layer.
        expected: Option<[usize; 2]>,
        /// Inputs and outputs in the checkpoint; `None` where it has no such layer.
        actual: Option<[usize; 2]>,
    },
    /// The model has no [`Model::config`](crate::model::Model::config) to be made again from.
    #[error("the model has no configuration, so no checkpoint can be made of it")]
    NoConfig,
    /// The checkpoint is not one of a run that could go on.
    #[error("the checkpoint has no {what}, so no run can go on from it")]
    Incomplete {
        /// What is missing: `training state` or `progress of a run`.
        what: &'static str,
    },
    /// The run that is to go on differs from the one of the checkpoint in something that its steps
    /// depend on.
    #[error("{name} is {now}, but it was {before} in the run of the checkpoint")]
    Differs {
        /// In what.
        name: &'static str,
        /// Its value in the checkpoint.
        before: String,
        /// Its value now.
        now: String,
    },
    /// A new run is to keep its checkpoints where there are those of another one.
    #[error(
        "{} has checkpoints of another run already: go on from the latest, or take another folder",
        folder.display()
    )]
    Occupied {
        /// Which folder.
        folder: PathBuf,
    },
    /// Numbers are not finite, or the model does not take them.
    #[error(transparent)]
    Model(#[from] ModelError),
}

fn in_words(ends: Option<[usize; 2]>) -> String {
    match ends {
        Some([inputs, outputs]) => format!("{inputs} × {outputs}"),
        None => "missing".to_owned(),
    }
}
