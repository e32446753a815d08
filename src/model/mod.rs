//! What a trainable model is, and how a multi-layer perceptron is described. Knows neither the
//! kernels of networks nor the reference.

mod batch;
mod config;
mod dropout;
mod error;
mod graph;
mod init;
mod initialization;
mod loss;
mod loss_scaling;
mod network;
mod optimizer;
mod parameters;
mod state;
mod traits;

pub use crate::linear::{Activation, Precision};
pub use batch::{IGNORED, Targets};
pub use config::MlpConfig;
pub use dropout::DropoutSettings;
pub use error::ModelError;
pub use init::initial_parameters;
pub use initialization::Initialization;
pub use loss::{Loss, TargetKind};
pub use loss_scaling::{LossScale, LossScaling};
pub use network::{LayerConfig, NetworkConfig};
pub use optimizer::*;
pub use parameters::{LayerHistograms, LayerParameters};
pub use state::{Moment, TrainingState};
pub use traits::{MeanLoss, Model, ResidentModel};

pub(crate) use batch::{
    NoProbability, check_batch, check_finite, check_inputs, check_parameters, check_probabilities,
    check_shape, check_weights, first_other_than_probability,
};
pub(crate) use state::StateShape;
