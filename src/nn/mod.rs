//! Networks on the GPU: activations, losses and optimizers as kernels of their own, and a
//! multi-layer perceptron made of them.

mod data;
mod layer_histograms;
mod layout;
mod linear;
mod loss_ring;
mod losses;
mod mlp;
#[cfg(not(target_arch = "wasm32"))]
mod model;
mod network;
mod ops;
mod order;
mod parameters;
mod prediction;
mod predictor;
mod queue;
mod resident;
#[cfg(test)]
mod starved;
mod steps;
mod train_resident;
mod training;
mod update;
mod workspace;

pub use data::DeviceDataset;
pub use linear::{Below, Linear, LinearBackward, LinearForward};
pub use losses::Losses;
pub use mlp::Mlp;
pub use network::Network;
pub use ops::*;
pub use prediction::Prediction;
pub use predictor::Predictor;
pub use training::{Goal, Training, TrainingStep};
pub use update::Update;

pub(crate) use ops::kernels;
