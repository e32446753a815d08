//! The operations around the linear layer, a room each: kernel, operands, preparation. Losses and
//! optimizers have their part of a training step there too.

mod accumulate_gradients;
mod accumulate_loss;
mod activation;
mod adam;
mod clip;
mod convert;
mod dropout;
mod elements;
mod elementwise_loss;
mod gather;
mod histogram;
mod kernels;
mod lion;
mod loss;
mod loss_scale;
mod loss_total;
mod optimizer;
mod sgd;
mod skip;
mod softmax_cross_entropy;
mod weights;

pub use accumulate_gradients::GradientSum;
pub use accumulate_loss::AccumulateLoss;
pub use activation::{ActivationForward, ActivationGrad};
pub use adam::Adam;
pub use clip::{CLIPPING_WORDS, Clip, GradientNorm};
pub use convert::Convert;
pub use dropout::Dropout;
pub use elementwise_loss::ElementwiseLoss;
pub use gather::{Examples, Gather};
pub(crate) use histogram::histogram_numbers;
pub use histogram::{HISTOGRAM_WORDS, HistogramOf, histogram_from_words};
pub use kernels::NetworkKernels;
pub use lion::Lion;
pub use loss_scale::{CopyScaled, NextScale, ScaleGradients, UnscaleGradients};
pub use loss_total::{LOSS_TOTAL_WORDS, mean_loss_from_words};
pub use sgd::Sgd;
pub use softmax_cross_entropy::{
    ClassWeights, SMALL_LOSS_ELEMENTS, SoftmaxCrossEntropy, SoftmaxCrossEntropySmall,
};
pub use weights::{ClassWeightSum, RowWeightSum};

pub(super) use clip::clip_step;
pub(super) use dropout::BatchNumber;
pub(super) use loss::LossStep;
pub(super) use loss_scale::ScaledLoss;
pub(super) use loss_total::{WORDS as TOTAL_WORDS, mean_loss};
pub(super) use optimizer::{Flat, OptimizerState};

use crate::device::{Gpu, GpuError};
use crate::kernel::{Contents, Dispatch, Kernel, PrepareError};
use crate::linear::Activation;
use crate::model::{Loss, Optimizer};

/// The dispatches of a loss in a training step.
pub(super) fn loss_step(
    kernels: &NetworkKernels,
    loss: Loss,
    operands: &LossStep<'_>,
) -> Result<Vec<Dispatch>, PrepareError> {
    match loss {
        Loss::SoftmaxCrossEntropy => softmax_cross_entropy::step(kernels, operands),
        _ => elementwise_loss::step(kernels, loss, operands),
    }
}

/// The state of an optimizer for so many parameters.
pub(super) fn optimizer_state(
    gpu: &Gpu,
    optimizer: &Optimizer,
    elements: usize,
) -> Result<Box<dyn OptimizerState>, GpuError> {
    Ok(match optimizer {
        Optimizer::Sgd(_) => Box::new(sgd::SgdState::new(gpu, elements)?),
        Optimizer::Adam(_) | Optimizer::AdamW(_) => Box::new(adam::AdamState::new(gpu, elements)?),
        Optimizer::Lion(_) => Box::new(lion::LionState::new(gpu, elements)?),
    })
}

/// The uniform with the settings of an optimizer.
pub(super) fn optimizer_settings(optimizer: &Optimizer) -> Contents {
    match optimizer {
        Optimizer::Sgd(settings) => sgd::settings(settings),
        Optimizer::Adam(settings) => adam::settings(settings, false),
        Optimizer::AdamW(settings) => adam::settings(settings, true),
        Optimizer::Lion(settings) => lion::settings(settings),
    }
}

/// The contents of the uniform buffer that [`NetworkKernels::sgd`], [`NetworkKernels::adam`] and
/// their like read their settings from.
///
/// ```
/// use wgpu_linear::model::{Optimizer, SgdSettings};
/// use wgpu_linear::nn::settings_bytes;
///
/// let bytes = settings_bytes(&Optimizer::Sgd(SgdSettings { learning_rate: 0.5, ..Default::default() }));
/// assert_eq!(bytes[..4], 0.5_f32.to_ne_bytes());
/// ```
#[must_use]
pub fn settings_bytes(optimizer: &Optimizer) -> Vec<u8> {
    optimizer_settings(optimizer).padded()
}

/// All kernels, for [`crate::kernels`].
pub(crate) fn kernels() -> Vec<Kernel> {
    let mut kernels = Vec::new();
    kernels.extend(Activation::ALL.map(activation::activation_kernel));
    kernels.extend(Activation::ALL.map(activation::activation_grad_kernel));
    kernels.extend(elementwise_loss::kernels());
    kernels.extend(softmax_cross_entropy::kernels());
    kernels.extend(accumulate_gradients::KERNELS);
    kernels.push(dropout::of_f16());
    kernels.extend(convert::kernels());
    kernels.extend(skip::both(sgd::SGD));
    kernels.extend(skip::both(adam::ADAM_ADVANCE));
    kernels.extend(skip::both(adam::ADAM));
    kernels.extend(skip::both(lion::LION));
    kernels.extend([
        weights::class_weight_sum_kernel(),
        weights::row_weight_sum_kernel(),
        accumulate_loss::ACCUMULATE_LOSS,
        accumulate_loss::ACCUMULATE_WEIGHTED_LOSS,
        clip::GRADIENT_NORM,
        clip::CLIP_FACTOR,
        clip::CLIP,
        dropout::DROPOUT_ADVANCE,
        dropout::DROPOUT,
        loss_scale::SCALE_GRADIENTS,
        loss_scale::COPY_SCALED,
        loss_scale::UNSCALE_GRADIENTS,
        loss_scale::NEXT_SCALE,
        gather::GATHER,
        gather::GATHER_BYTES,
        histogram::HISTOGRAM,
        histogram::MERGE_HISTOGRAMS,
    ]);
    kernels
}
