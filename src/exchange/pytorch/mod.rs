//! State dicts of PyTorch, as safetensors, both ways.
//!
//! **PyTorch stores the transpose**: `N.weight` of an *nn.Linear* is outputs × inputs, and
//! [`LayerParameters::w`] is inputs × outputs. It is transposed on the way, in both directions.
//!
//! A file holds linear layers and nothing else: the functions between them are not in a state dict.
//! What an optimizer remembers may stand beside them, under names of ours, since PyTorch has none:
//! see [`OptimizerState`]. `docs/EXCHANGE.md` has the lines of Python for all of it.
//!
//! ```
//! use wgpu_linear::exchange::pytorch::{self, Naming};
//! use wgpu_linear::model::{MlpConfig, initial_parameters};
//!
//! let parameters = initial_parameters(&MlpConfig::new(&[4, 16, 3]));
//! // For nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3)).
//! let bytes = pytorch::export(&parameters, &Naming::default())?;
//! assert_eq!(pytorch::import(&bytes, &Naming::default())?, parameters);
//! # Ok::<(), pytorch::PyTorchError>(())
//! ```

mod error;
mod naming;
mod read;
mod state;
mod write;

use crate::model::LayerParameters;

pub use error::PyTorchError;
pub use naming::Naming;
pub use state::OptimizerState;

/// The parameters as a state dict: a safetensors file whose tensors are f32.
///
/// `PREFIX.weight` is outputs × inputs, `PREFIX.bias` has an element for each output.
///
/// # Errors
/// [`PyTorchError::Names`] where a naming by prefixes has not one of its own for each layer,
/// [`PyTorchError::NoLayers`], [`PyTorchError::Shape`] and [`PyTorchError::Chain`] where parameters
/// make no network, [`PyTorchError::Empty`] for a layer without inputs or outputs.
pub fn export(parameters: &[LayerParameters], naming: &Naming) -> Result<Vec<u8>, PyTorchError> {
    write::file(parameters, &OptimizerState::default(), naming)
}

/// [`export`], and beside it what the optimizer remembers: PyTorch goes on from there.
///
/// # Errors
/// As [`export`], also where a moment has other shapes than the parameters.
pub fn export_training(
    parameters: &[LayerParameters],
    state: &OptimizerState,
    naming: &Naming,
) -> Result<Vec<u8>, PyTorchError> {
    write::file(parameters, state, naming)
}

/// The linear layers of a state dict, first to last; tensors of f16, bf16 and f64 become f32.
///
/// A layer without a bias gets one of zeros. [`Naming`] says which tensors are layers, and in which
/// order. What [`export_training`] puts beside them is passed over.
///
/// Numbers are taken as they are. Those that are not finite, an f64 beyond the range of f32 among
/// them, are refused by [`Model::set_parameters`](crate::model::Model::set_parameters).
///
/// # Errors
/// [`PyTorchError::File`] where this is no safetensors file, or a damaged one;
/// [`PyTorchError::Unknown`] for a tensor that belongs to no linear layer, [`PyTorchError::Missing`]
/// for a layer that is not there, [`PyTorchError::Type`], [`PyTorchError::Shape`],
/// [`PyTorchError::Empty`], [`PyTorchError::NoLayers`], and [`PyTorchError::Chain`] where one layer
/// does not take what the one before gives.
pub fn import(bytes: &[u8], naming: &Naming) -> Result<Vec<LayerParameters>, PyTorchError> {
    let file = read::File::open(bytes)?;
    let prefixes = file.prefixes(naming)?;
    file.layers(&prefixes)
}

/// [`import`], and what the optimizer remembers; nothing where the file says nothing of it.
///
/// # Errors
/// As [`import`], [`PyTorchError::Missing`] where one layer has a moment and another has not, and
/// [`PyTorchError::Steps`].
pub fn import_training(
    bytes: &[u8],
    naming: &Naming,
) -> Result<(Vec<LayerParameters>, OptimizerState), PyTorchError> {
    let file = read::File::open(bytes)?;
    let prefixes = file.prefixes(naming)?;
    let parameters = file.layers(&prefixes)?;
    let state = file.state(&prefixes, &parameters)?;
    Ok((parameters, state))
}
