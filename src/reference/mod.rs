//! The twin: every kernel and the whole network again on the CPU, written to be read.
//!
//! Generic over the float type. In f64 it is the oracle of the tests; in f32 it does the work where
//! there is no GPU. A function has the name of the kernel or operation that it mirrors, and is its
//! formula in ndarray. [`Mlp`] computes the same in place: in buffers kept from step to step, with
//! a matrix product of its own (`product.rs`), threads for large matrices, and no allocation once
//! the buffers are there.

mod accumulate_gradients;
mod activation;
mod clip;
mod convert;
mod dropout;
mod float;
mod gather;
mod gradcheck;
mod histogram;
mod linear;
mod loss;
mod loss_scale;
mod memory;
mod mlp;
mod optimizer;
mod pass;
mod predictor;
mod product;
mod quantised;
mod rounding;
mod simd;
mod threads;
mod total;
mod update;

pub use accumulate_gradients::{add_gradients, keep_gradients, mean_gradients};
pub use activation::{activation, activation_grad};
pub use clip::{clip, gradient_norm};
pub use convert::convert;
pub use dropout::{dropout, philox};
pub use gather::{gather, gather_bytes};
pub use gradcheck::{GradCheck, gradcheck};
pub use histogram::histogram;
pub use linear::{bias_grad, forward, input_grad, weight_grad};
pub use loss::{
    elementwise_loss, smoothed_softmax_cross_entropy, softmax_cross_entropy,
    weighted_elementwise_loss, weighted_softmax_cross_entropy,
};
pub use mlp::Mlp;
pub use optimizer::*;
pub use predictor::Predictor;
pub use quantised::{forward_quantised, quantise_rows};
pub use rounding::round;
pub use total::LossTotal;

pub(crate) use loss::sum_losses;
