//! Why a network could not be written as ONNX, or read.

use std::error::Error;

use crate::model::ModelError;

/// A network could not be written as ONNX, or read.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// This is no ONNX file, or a damaged one.
    #[error("this is no ONNX file, or a damaged one: {0}")]
    File(#[source] Box<dyn Error + Send + Sync>),
    /// The file has no graph.
    #[error("this is no ONNX file: it has no graph")]
    NoGraph,
    /// The operators are of a version that this crate does not know.
    #[error("the operators are of version {version:?}; versions from {oldest} on can be read")]
    Opset {
        /// The version of the file, where it says one.
        version: Option<i64>,
        /// The oldest that can be read.
        oldest: i64,
    },
    /// A network has one input and one output.
    #[error("the graph has the {what} {names:?}; a network has one")]
    Ends {
        /// `inputs` or `outputs`.
        what: &'static str,
        /// Their names.
        names: Vec<String>,
    },
    /// A node does what no layer of a multi-layer perceptron does.
    #[error("node {node} ({operator}): {reason}")]
    Unsupported {
        /// Its name, or that of what it computes.
        node: String,
        /// Its operator.
        operator: String,
        /// What it is that has no counterpart here.
        reason: &'static str,
    },
    /// Nothing computes a value.
    #[error("nothing computes the value {name}")]
    Unknown {
        /// Its name.
        name: String,
    },
    /// The values depend on each other in a circle.
    #[error("the value {name} depends on itself")]
    Circle {
        /// One of them.
        name: String,
    },
    /// A tensor cannot be read.
    #[error("the tensor {tensor} {reason}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor has a shape that does not fit its place.
    #[error("node {node} ({operator}): shape {actual:?} where {expected} is expected")]
    Shape {
        /// The node that takes it.
        node: String,
        /// Its operator.
        operator: String,
        /// What it should be, in words.
        expected: String,
        /// The shape that it has.
        actual: Vec<usize>,
    },
    /// The graph has no linear layer.
    #[error("the graph has no linear layer (Gemm or MatMul)")]
    NoLayers,
    /// Means and scales are as many as the columns, finite, and no scale is 0.
    #[error("the {what} of column {column} cannot be used: mean {mean}, scale {scale}")]
    Column {
        /// `standardisation` or `values`.
        what: &'static str,
        /// From 0.
        column: usize,
        /// Its mean; NaN where there is none.
        mean: f32,
        /// Its scale; NaN where there is none.
        scale: f32,
    },
    /// The names of inputs and outputs, or the number of classes, do not fit.
    #[error("{what}: {given}")]
    Names {
        /// What does not fit.
        what: &'static str,
        /// What was given.
        given: String,
    },
    /// A file of this format holds 2 GiB at most.
    #[error("the file would have {bytes} bytes; ONNX files have less than 2³¹")]
    TooLarge {
        /// How many it would have.
        bytes: usize,
    },
    /// Layers and parameters make no network.
    #[error(transparent)]
    Model(#[from] ModelError),
}
