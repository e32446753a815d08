//! ONNX: a network with its preprocessing in a file that onnxruntime runs, and back.
//!
//! The messages are written by hand, with the fields that a multi-layer perceptron needs.
//!
//! | in a file | [`OnnxModel`] |
//! |---|---|
//! | `Sub`, `Div` | [`OnnxModel::input`], (x − mean) / scale |
//! | `Gemm` | X·W + b, W inputs × outputs |
//! | `Relu`, `LeakyRelu`, `Tanh`, `Sigmoid`, `Gelu`, `Softplus` | the activation of that name |
//! | `Sigmoid`, `Mul` | SiLU |
//! | `Mul`, `Sin` | sine, with its frequency |
//! | `Softmax`, `Sigmoid`, or `Mul` and `Add` | [`OnnxModel::output`] |
//!
//! All activations are expressed exactly, and a file computes what the network does within
//! rounding. Written are operators of version 20 in a file of IR version 9 (ONNX 1.15, November
//! 2023), which the GELU needs.
//!
//! ```
//! use wgpu_linear::exchange::onnx::{self, OnnxModel, Output, Standardisation};
//! use wgpu_linear::model::{MlpConfig, NetworkConfig, initial_parameters};
//!
//! let config = MlpConfig::new(&[2, 16, 3]);
//! let parameters = initial_parameters(&config);
//! let mut model = OnnxModel::new(&NetworkConfig::from(&config), parameters)?;
//! model.input = Some(Standardisation { mean: vec![5.8, 3.1], scale: vec![0.8, 0.4] });
//! model.output = Output::Softmax;
//! model.classes = ["setosa", "versicolor", "virginica"].map(String::from).to_vec();
//!
//! let bytes = onnx::export(&model)?; // std::fs::write("iris.onnx", &bytes)
//! assert_eq!(onnx::import(&bytes)?, model);
//! # Ok::<(), onnx::OnnxError>(())
//! ```

mod affine;
mod assemble;
mod constant;
mod error;
mod export;
mod gate;
mod graph;
mod messages;
mod network;
mod stage;
mod tensor;

pub use error::OnnxError;
pub use export::export;
pub use network::{OnnxLayer, OnnxModel, Output, Standardisation};

use prost::Message;

/// The oldest operators whose meaning is known: Gemm and the arithmetic of two tensors broadcast
/// since then.
const OLDEST_OPSET: i64 = 7;

/// The network that a file holds.
///
/// What is read is more than [`export`] writes, so that files of other programs come in:
///
/// - `Gemm` with any `alpha`, `beta` and `transB`; `MatMul` and `Add`; a layer without a bias gets
///   one of zeros. `transA` is refused.
/// - A standardisation of `Sub`, `Add`, `Mul` and `Div`, in any order.
/// - Arithmetic with constants between a linear layer and its activation goes into W and b.
/// - `Gelu` as written before version 20, by `Erf`; `Swish`; PyTorch's softplus with its threshold.
/// - `Identity`, `Dropout` outside of training, `Flatten`, and `Cast` to f32 are passed over.
/// - Constants in initializers and `Constant` nodes, also behind `Identity`, `Cast` and
///   `Transpose`, of f16, bf16, f32 and f64.
///
/// A sigmoid at the end is [`Output::Sigmoid`], not the activation of the last layer. Nodes that
/// the output does not depend on are left out.
///
/// Numbers are taken as they are; those that are not finite are refused by
/// [`Model::set_parameters`](crate::model::Model::set_parameters).
///
/// # Errors
/// [`OnnxError::File`] and [`OnnxError::NoGraph`] where this is no ONNX file, [`OnnxError::Opset`],
/// [`OnnxError::Ends`] for a graph of several inputs or outputs, [`OnnxError::Unsupported`] for
/// anything that no multi-layer perceptron does, [`OnnxError::Unknown`] and [`OnnxError::Circle`]
/// where the graph does not lead from output to input, [`OnnxError::Tensor`],
/// [`OnnxError::Shape`], [`OnnxError::NoLayers`]; [`OnnxError::Column`] for a standardisation that
/// multiplies by 0 or is not finite.
pub fn import(bytes: &[u8]) -> Result<OnnxModel, OnnxError> {
    let file =
        messages::ModelProto::decode(bytes).map_err(|error| OnnxError::File(Box::new(error)))?;
    let graph = file.graph.as_ref().ok_or(OnnxError::NoGraph)?;
    check_opset(&file.opset_import)?;
    let graph = graph::Graph::new(graph, bytes.len())?;
    let stages = stage::stages(&graph)?;
    let mut model = assemble::assemble(stages)?;
    graph.input.clone_into(&mut model.input_name);
    graph.output.clone_into(&mut model.output_name);
    network::take_metadata(&mut model, &file.metadata_props);
    Ok(model)
}

fn check_opset(opsets: &[messages::OperatorSetIdProto]) -> Result<(), OnnxError> {
    let version = opsets
        .iter()
        .find(|opset| graph::is_standard(&opset.domain))
        .map(|opset| opset.version);
    if version.is_some_and(|version| version >= OLDEST_OPSET) {
        return Ok(());
    }
    let oldest = OLDEST_OPSET;
    Err(OnnxError::Opset { version, oldest })
}
