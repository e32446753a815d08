//! Networks on the GPU: activations, losses and optimizers as kernels of their own, and a
//! multi-layer perceptron made of them.

mod data;
mod layer_histograms;
mod layout;
mod loss_ring;
mod mlp;
#[cfg(not(target_arch = "wasm32"))]
mod model;
mod ops;
mod order;
mod parameters;
mod queue;
mod resident;
mod steps;
mod train_resident;

pub use data::DeviceDataset;
pub use mlp::Mlp;
pub use ops::*;

pub(crate) use ops::kernels;
