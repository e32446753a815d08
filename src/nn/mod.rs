//! Networks on the GPU: activations, losses and optimizers as kernels of their own, and a multi-layer perceptron made of them.

mod data;
mod gather;
mod kernels;
mod loss_ring;
mod mlp;
#[cfg(not(target_arch = "wasm32"))]
mod model;
mod operations;
mod order;
mod pace;
mod resident;
mod step;
mod storage;

pub use data::DeviceDataset;
pub use gather::{Examples, Gather};
pub use mlp::Mlp;
pub use operations::{
    AccumulateLoss, ActivationForward, ActivationGrad, Adam, MeanSquaredError, NetworkKernels,
    SMALL_LOSS_ELEMENTS, Sgd, SoftmaxCrossEntropy, SoftmaxCrossEntropySmall,
};

pub(crate) use kernels::ALL as KERNELS;
