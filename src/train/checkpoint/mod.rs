//! Checkpoints: all that a run needs to go on later with the same bits.
//!
//! A [`Checkpoint`] is plain data: configuration, parameters, training state and where the run
//! stands. [`Trainer::resume`](super::Trainer::resume) goes on from one. With the feature
//! `checkpoint` it is also a safetensors file, and `Trainer::with_checkpoints` writes such files
//! while it trains.
//!
//! # The file
//!
//! One safetensors file with f32 tensors, W inputs × outputs as everywhere in this crate:
//!
//! | tensors | |
//! |---|---|
//! | `layer1/w`, `layer1/b`, `layer2/w`, … | the parameters |
//! | `moments/NAME/layer1/w`, … | what the optimizer remembers, such as `moments/m/layer1/w` |
//! | `scalars/NAME` | other numbers of the optimizer |
//! | `best/layer1/w`, … | the parameters of the best epoch, with early stopping |
//!
//! Its metadata have one entry, `wgpu-linear`, a JSON object with `format`, `version`, `crc32c` (of
//! the contents and all tensors) and `contents`: the configuration, where the run stands, and
//! whatever the program adds under names of its own ([`Checkpoint::extra`]). A file of an older
//! version loads, with the usual values for what it does not know; one of a newer version is
//! refused.

mod contents;
#[cfg(feature = "checkpoint")]
mod document;
mod error;
#[cfg(feature = "checkpoint")]
mod folder;
#[cfg(feature = "checkpoint")]
mod format;
#[cfg(not(feature = "checkpoint"))]
mod nowhere;
#[cfg(feature = "checkpoint")]
mod tensors;

pub use super::early_stopping::{BestEpoch, StoppingState};
pub use super::run_state::RunState;
pub use contents::Checkpoint;
pub use error::CheckpointError;
#[cfg(feature = "checkpoint")]
pub use folder::Checkpoints;

#[cfg(feature = "checkpoint")]
pub(super) use folder::Saver;
#[cfg(not(feature = "checkpoint"))]
pub(super) use nowhere::{Checkpoints, Saver};
