//! Networks from elsewhere.

use std::fs;
use std::path::Path;

use wgpu_linear::exchange::onnx;
use wgpu_linear::exchange::pytorch::{self, Naming, OptimizerState};
use wgpu_linear::model::{Activation, LayerParameters};

use crate::CliError;
use crate::error::with_causes;

/// A network from elsewhere.
pub(super) struct Imported {
    pub(super) parameters: Vec<LayerParameters>,
    /// What its optimizer remembers, if the file says so.
    pub(super) state: OptimizerState,
    /// The function behind each layer; a state dict does not say it.
    pub(super) activations: Option<Vec<Activation>>,
}

/// The network of a file: ONNX by its name, a state dict of PyTorch otherwise, whose layers are
/// called by `names` or by numbers.
///
/// # Errors
/// [`CliError::Input`] where it cannot be read, or is no network that this program knows.
pub(super) fn import(path: &Path, names: Option<&[String]>) -> Result<Imported, CliError> {
    let named = |why: String| CliError::input(format!("--initial {}: {why}", path.display()));
    let bytes = fs::read(path).map_err(|error| named(error.to_string()))?;
    let is_onnx = path
        .extension()
        .is_some_and(|extension| extension == "onnx");
    if is_onnx {
        let model = onnx::import(&bytes).map_err(|error| named(with_causes(&error)))?;
        return Ok(Imported {
            activations: Some(model.layers.iter().map(|layer| layer.activation).collect()),
            parameters: model.parameters(),
            state: OptimizerState::default(),
        });
    }
    let naming = names.map_or_else(Naming::default, Naming::prefixes);
    let (parameters, state) =
        pytorch::import_training(&bytes, &naming).map_err(|error| named(with_causes(&error)))?;
    Ok(Imported {
        parameters,
        state,
        activations: None,
    })
}
