//! Networks on the GPU: activations, losses and optimizers as kernels of their own, and a multi-layer perceptron made of them.

mod kernels;
mod mlp;
mod operations;
mod step;
mod storage;

pub use mlp::Mlp;
pub use operations::{
    AccumulateLoss, ActivationForward, ActivationGrad, Adam, MeanSquaredError, NetworkKernels, Sgd,
    SoftmaxCrossEntropy,
};

pub(crate) use kernels::ALL as KERNELS;
