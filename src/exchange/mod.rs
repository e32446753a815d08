//! Networks to and from other frameworks: weights of PyTorch with the feature `checkpoint`, ONNX
//! with the feature `onnx`. Knows descriptions and parameters, and no device.

mod elements;
#[cfg(feature = "onnx")]
pub mod onnx;
#[cfg(feature = "checkpoint")]
pub mod pytorch;
