//! The twin: every kernel and the whole network again in ndarray, written to be read.
//!
//! Generic over the float type. In f64 it is the oracle of the tests; in f32, on ndarray's threaded matrix product, it does the work
//! where there is no GPU. A function has the name of the kernel or operation that it mirrors.

mod activation;
mod gather;
mod gradcheck;
mod linear;
mod loss;
mod mlp;
mod optimizer;

pub use activation::{activation, activation_grad};
pub use gather::{gather, gather_bytes};
pub use gradcheck::{GradCheck, gradcheck};
pub use linear::{bias_grad, forward, input_grad, weight_grad};
pub use loss::{mean_squared_error, softmax_cross_entropy};
pub use mlp::Mlp;
pub use optimizer::{AdamCorrections, adam, adam_advance, sgd};

use ndarray::NdFloat;

/// A setting, stored as f32 for both twins, in the float type of this one.
fn cast<F: NdFloat>(value: f32) -> F {
    // Every f32 is a value of f32 and f64; a narrower type takes the nearest.
    F::from(value).unwrap_or_else(F::nan)
}
