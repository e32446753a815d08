//! What stands in a file: a network and what is done before and behind it.

use std::collections::BTreeMap;

use super::error::OnnxError;
use super::messages::StringStringEntryProto;
use crate::model::{Activation, LayerParameters, NetworkConfig, check_parameters};

/// A network as an ONNX file holds it: standardisation, layers, and what becomes of their outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct OnnxModel {
    /// What is done to the inputs first; `None` for nothing.
    pub input: Option<Standardisation>,
    /// The layers, first to last.
    pub layers: Vec<OnnxLayer>,
    /// What is done to the outputs of the last layer.
    pub output: Output,
    /// The name of the input: batch × inputs, f32.
    pub input_name: String,
    /// The name of the output: batch × outputs, f32.
    pub output_name: String,
    /// The names of the classes, one for each output, or none.
    pub classes: Vec<String>,
    /// What else a file says of itself, by name. Names that begin with `class.` are those of the
    /// classes.
    pub metadata: BTreeMap<String, String>,
}

/// A layer A = f(X·W + b).
#[derive(Clone, Debug, PartialEq)]
pub struct OnnxLayer {
    /// W, inputs × outputs, and b.
    pub parameters: LayerParameters,
    /// f.
    pub activation: Activation,
}

/// (x − mean) / scale, column by column.
#[derive(Clone, Debug, PartialEq)]
pub struct Standardisation {
    /// What is subtracted, in the units of the inputs.
    pub mean: Vec<f32>,
    /// What is divided by, in the units of the inputs; not 0.
    pub scale: Vec<f32>,
}

/// What becomes of the outputs t of the last layer.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// They are what the file computes.
    #[default]
    Logits,
    /// Probabilities of classes, exp t_j / Σ_k exp t_k.
    Softmax,
    /// A probability for each output, σ(t).
    Sigmoid,
    /// t · scale + mean, column by column: values in the units of what was learned.
    Values {
        /// What is added.
        mean: Vec<f32>,
        /// What is multiplied by.
        scale: Vec<f32>,
    },
}

const CLASS: &str = "class.";

impl OnnxModel {
    /// A network without standardisation that gives its outputs as they are; the input is called
    /// `input`, the output `output`.
    ///
    /// # Errors
    /// [`OnnxError::Model`] where `config` describes no network, or parameters have other shapes or
    /// are not finite.
    pub fn new(
        config: &NetworkConfig,
        parameters: Vec<LayerParameters>,
    ) -> Result<Self, OnnxError> {
        config.check()?;
        check_parameters(&config.layer_sizes(), &parameters)?;
        let layer = |(parameters, activation)| OnnxLayer {
            parameters,
            activation,
        };
        let activations = config.layers().iter().map(|layer| layer.activation);
        Ok(Self::of_layers(
            parameters.into_iter().zip(activations).map(layer).collect(),
        ))
    }

    pub(super) fn of_layers(layers: Vec<OnnxLayer>) -> Self {
        Self {
            input: None,
            layers,
            output: Output::Logits,
            input_name: "input".to_owned(),
            output_name: "output".to_owned(),
            classes: Vec::new(),
            metadata: BTreeMap::new(),
        }
    }

    /// A description of the layers, with loss, optimizer and first weights of
    /// [`NetworkConfig::new`].
    #[must_use]
    pub fn config(&self) -> NetworkConfig {
        let inputs = self.layers.first().map_or(0, |l| l.parameters.w.nrows());
        let layers = self.layers.iter();
        layers.fold(NetworkConfig::new(inputs), |config, layer| {
            config.layer(layer.parameters.w.ncols(), layer.activation)
        })
    }

    /// A copy of weights and biases, first layer first.
    #[must_use]
    pub fn parameters(&self) -> Vec<LayerParameters> {
        self.layers
            .iter()
            .map(|layer| layer.parameters.clone())
            .collect()
    }

    /// Refuses what no file can hold.
    pub(super) fn check(&self) -> Result<(), OnnxError> {
        let config = self.config();
        config.check()?;
        check_parameters(&config.layer_sizes(), &self.parameters())?;
        let [inputs, outputs] = config.ends();
        if let Some(Standardisation { mean, scale }) = &self.input {
            check_columns("standardisation", inputs, mean, scale)?;
        }
        if let Output::Values { mean, scale } = &self.output {
            check_columns("values", outputs, mean, scale)?;
        }
        self.check_names(outputs)
    }

    fn check_names(&self, outputs: usize) -> Result<(), OnnxError> {
        let names = [&self.input_name, &self.output_name];
        if names[0] == names[1] || names.iter().any(|name| name.is_empty()) {
            return Err(OnnxError::Names {
                what: "input and output need names that differ",
                given: format!("{names:?}"),
            });
        }
        if !self.classes.is_empty() && self.classes.len() != outputs {
            return Err(OnnxError::Names {
                what: "each output needs the name of a class, or none",
                given: format!("{} names for {outputs} outputs", self.classes.len()),
            });
        }
        Ok(())
    }

    /// All that a file says of itself.
    pub(super) fn metadata_props(&self) -> Vec<StringStringEntryProto> {
        let classes = self.classes.iter().enumerate();
        let classes = classes.map(|(i, name)| (format!("{CLASS}{i}"), name.clone()));
        let others = self.metadata.clone().into_iter();
        let others = others.filter(|(key, _)| !key.starts_with(CLASS));
        classes
            .chain(others)
            .map(|(key, value)| StringStringEntryProto { key, value })
            .collect()
    }
}

/// Names of classes, as far as there is one for each output, and all else that a file says of
/// itself.
pub(super) fn take_metadata(model: &mut OnnxModel, entries: &[StringStringEntryProto]) {
    let entries = entries.iter().map(|e| (e.key.clone(), e.value.clone()));
    model.metadata = entries.collect();
    let last = model.layers.last();
    let outputs = last.map_or(0, |layer| layer.parameters.w.ncols());
    let names = (0..outputs).map(|i| model.metadata.get(&format!("{CLASS}{i}")).cloned());
    if let Some(classes) = names.collect() {
        model.classes = classes;
        model.metadata.retain(|key, _| !key.starts_with(CLASS));
    }
}

/// As many as there are columns, finite, and no scale is 0.
pub(super) fn check_columns(
    what: &'static str,
    columns: usize,
    mean: &[f32],
    scale: &[f32],
) -> Result<(), OnnxError> {
    for column in 0..columns.max(mean.len()).max(scale.len()) {
        let at = |values: &[f32]| values.get(column).copied().unwrap_or(f32::NAN);
        let (mean, scale) = (at(mean), at(scale));
        if column >= columns || !mean.is_finite() || !scale.is_finite() || scale == 0.0 {
            return Err(OnnxError::Column {
                what,
                column,
                mean,
                scale,
            });
        }
    }
    Ok(())
}
