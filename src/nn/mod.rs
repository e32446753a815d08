//! Networks on the GPU: activations, losses and optimizers as kernels of their own, and a multi-layer perceptron made of them.

mod data;
mod gather;
mod histogram;
mod kernels;
mod layer_histograms;
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
pub use histogram::{HISTOGRAM_WORDS, HistogramOf, histogram_from_words};
pub use mlp::Mlp;
pub use operations::{
    AccumulateLoss, ActivationForward, ActivationGrad, Adam, MeanSquaredError, NetworkKernels,
    SMALL_LOSS_ELEMENTS, Sgd, SoftmaxCrossEntropy, SoftmaxCrossEntropySmall,
};

pub(crate) use kernels::ALL as KERNELS;
