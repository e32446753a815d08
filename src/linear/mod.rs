//! The four operations of a linear layer: T = X·W + b and the gradients dX = dT·Wᵀ, dW = Xᵀ·dT,
//! db = Σ_i dT_i·.

mod activation;
mod activation_formula;
mod adapters;
mod algorithms;
mod bound;
mod capabilities;
mod dequantise;
mod dims;
mod elements;
mod forward_quantised;
mod kernels;
mod operands;
mod operations;
mod plan;
mod precision;
mod probe;
mod processor;
mod product;
mod quantise_rows;
mod quantised;
mod rounding;
mod shape;
mod windows;
// Measuring waits for the device, and what it finds is kept in a file; a browser allows neither.
#[cfg(not(target_arch = "wasm32"))]
mod trial;
#[cfg(not(target_arch = "wasm32"))]
mod tune;
#[cfg(not(target_arch = "wasm32"))]
mod tune_cache;
#[cfg(not(target_arch = "wasm32"))]
mod tune_file;

pub use activation::Activation;
pub use algorithms::{Algorithm, Broadcast, Cooperative, Narrow, SmallBatch, Tiled};
pub use capabilities::Capabilities;
pub use operands::{
    BiasGrad, Forward, ForwardActivated, ForwardInference, ForwardQuantised, InputGrad,
    InputGradActivated, WeightGrad,
};
pub use operations::LinearKernels;
pub use plan::{Plan, candidates, plan, ranked_candidates};
pub use precision::Precision;
pub use processor::Processor;
pub use quantised::{QuantiseError, QuantisedMatrix, QuantisedWeights};
pub use shape::{Operation, Shape};
#[cfg(not(target_arch = "wasm32"))]
pub use tune::{Measurement, TuneError, TuneOptions, Tuned, Tuner};
#[cfg(not(target_arch = "wasm32"))]
pub use tune_cache::{TuneCache, TuneCacheError};

pub(crate) use activation_formula::{derivative, value};

/// Every kernel of a layer.
pub(crate) fn kernels() -> Vec<crate::Kernel> {
    [kernels::all(), forward_quantised::kernels().to_vec()].concat()
}
