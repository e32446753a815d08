//! What a model has learned, layer by layer.

use ndarray::{Array1, Array2};

use crate::events::Histogram;

/// Weights and bias of one layer, or gradients of the same shapes.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerParameters<F = f32> {
    /// W, inputs × outputs. PyTorch's `nn.Linear.weight` is the transpose.
    pub w: Array2<F>,
    /// b, outputs elements.
    pub b: Array1<F>,
}

/// How the numbers of one layer are spread.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerHistograms {
    /// Of W.
    pub w: Histogram,
    /// Of b.
    pub b: Histogram,
    /// Of the gradient dW of the last step; of zeros before the first.
    pub dw: Histogram,
    /// Of the gradient db of the last step; of zeros before the first.
    pub db: Histogram,
}
