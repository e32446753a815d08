//! Why a state dict could not be read or written.

use std::error::Error;

/// A state dict could not be read or written.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum PyTorchError {
    /// This is no safetensors file, or a damaged one.
    #[error("this is no safetensors file, or a damaged one: {0}")]
    File(#[source] Box<dyn Error + Send + Sync>),
    /// A tensor belongs to no linear layer.
    #[error(
        "the tensor {tensor} with shape {shape:?} belongs to no linear layer; name the layers by their prefixes to leave it out"
    )]
    Unknown {
        /// Its name.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A tensor is not there.
    #[error("there is no tensor {tensor}")]
    Missing {
        /// Its name.
        tensor: String,
    },
    /// The numbers of a tensor are of a type that does not become f32.
    #[error("the tensor {tensor} is of type {dtype}; f16, bf16, f32 and f64 can be read")]
    Type {
        /// Its name.
        tensor: String,
        /// Its type, as safetensors writes it.
        dtype: String,
    },
    /// A tensor has another shape than it should have.
    #[error("the tensor {tensor} has shape {actual:?}, expected {expected:?}")]
    Shape {
        /// Its name.
        tensor: String,
        /// The shape that it should have.
        expected: Vec<usize>,
        /// The shape that it has.
        actual: Vec<usize>,
    },
    /// A layer has no inputs or no outputs.
    #[error("the tensor {tensor} has shape {shape:?}: a layer without inputs or outputs")]
    Empty {
        /// Its name.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A layer does not take what the one before gives.
    #[error(
        "the layer {layer} takes {inputs} inputs, but {before} before it gives {outputs} outputs: another order, or another layer between them?"
    )]
    Chain {
        /// Prefix of the layer.
        layer: String,
        /// Its inputs.
        inputs: usize,
        /// Prefix of the layer before.
        before: String,
        /// Outputs of that.
        outputs: usize,
    },
    /// There is no layer.
    #[error("there is no linear layer: no tensor that ends with `.weight`")]
    NoLayers,
    /// Not each layer has a prefix of its own.
    #[error("{layers} layers need as many prefixes, all different; got {prefixes:?}")]
    Names {
        /// How many layers there are.
        layers: usize,
        /// The prefixes.
        prefixes: Vec<String>,
    },
    /// The number of steps that an optimizer has taken is no whole number.
    #[error("the tensor {tensor} is no whole number from 0")]
    Steps {
        /// Its name.
        tensor: String,
    },
}
