//! What the operations take: named fields, so that no two buffers can be swapped.

use super::activation::Activation;
use super::quantised::QuantisedMatrix;
use crate::kernel::{Matrix, Vector};

/// Operands of [`LinearKernels::forward`](crate::LinearKernels::forward).
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a> {
    /// X, batch × inputs; read.
    pub x: Matrix<'a>,
    /// W, inputs × outputs; read. PyTorch's `nn.Linear` stores the transpose.
    pub w: Matrix<'a>,
    /// b, outputs elements; read. `None` computes T = X·W.
    pub b: Option<Vector<'a>>,
    /// T, batch × outputs; overwritten.
    pub t: Matrix<'a>,
}

/// Operands of [`LinearKernels::forward_activated`](crate::LinearKernels::forward_activated).
#[derive(Clone, Copy, Debug)]
pub struct ForwardActivated<'a> {
    /// X, batch × inputs; read.
    pub x: Matrix<'a>,
    /// W, inputs × outputs; read. PyTorch's `nn.Linear` stores the transpose.
    pub w: Matrix<'a>,
    /// b, outputs elements; read. `None` for none.
    pub b: Option<Vector<'a>>,
    /// f.
    pub function: Activation,
    /// T, batch × outputs; overwritten.
    pub t: Matrix<'a>,
    /// A = f(T), batch × outputs; overwritten.
    pub a: Matrix<'a>,
}

/// Operands of [`LinearKernels::forward_inference`](crate::LinearKernels::forward_inference).
#[derive(Clone, Copy, Debug)]
pub struct ForwardInference<'a> {
    /// X, batch × inputs; read.
    pub x: Matrix<'a>,
    /// W, inputs × outputs; read. PyTorch's `nn.Linear` stores the transpose.
    pub w: Matrix<'a>,
    /// b, outputs elements; read. `None` for none.
    pub b: Option<Vector<'a>>,
    /// f.
    pub function: Activation,
    /// A = f(X·W + b), batch × outputs; overwritten.
    pub a: Matrix<'a>,
}

/// Operands of [`LinearKernels::forward_quantised`](crate::LinearKernels::forward_quantised).
#[derive(Clone, Copy, Debug)]
pub struct ForwardQuantised<'a> {
    /// X, batch × inputs, of f32; read.
    pub x: Matrix<'a>,
    /// The whole numbers of Ŵ, inputs × outputs; read.
    pub w: QuantisedMatrix<'a>,
    /// s, the scales of the columns of Ŵ, outputs elements; read.
    pub scales: Vector<'a>,
    /// b, outputs elements; read. `None` computes T = X·Ŵ.
    pub b: Option<Vector<'a>>,
    /// T, batch × outputs, of f32; overwritten.
    pub t: Matrix<'a>,
}

/// Operands of [`LinearKernels::input_grad`](crate::LinearKernels::input_grad).
#[derive(Clone, Copy, Debug)]
pub struct InputGrad<'a> {
    /// dT, batch × outputs; read.
    pub dt: Matrix<'a>,
    /// W, inputs × outputs; read.
    pub w: Matrix<'a>,
    /// dX, batch × inputs; overwritten.
    pub dx: Matrix<'a>,
}

/// Operands of [`LinearKernels::input_grad_activated`](crate::LinearKernels::input_grad_activated).
#[derive(Clone, Copy, Debug)]
pub struct InputGradActivated<'a> {
    /// dT, batch × outputs; read.
    pub dt: Matrix<'a>,
    /// W, inputs × outputs; read.
    pub w: Matrix<'a>,
    /// f, the activation that X came out of: X = f(T below).
    pub function: Activation,
    /// T below, its argument, batch × inputs; read.
    pub t_below: Matrix<'a>,
    /// dT below, batch × inputs; overwritten.
    pub dt_below: Matrix<'a>,
}

/// Operands of [`LinearKernels::weight_grad`](crate::LinearKernels::weight_grad).
#[derive(Clone, Copy, Debug)]
pub struct WeightGrad<'a> {
    /// X, batch × inputs; read.
    pub x: Matrix<'a>,
    /// dT, batch × outputs; read.
    pub dt: Matrix<'a>,
    /// dW, inputs × outputs; overwritten.
    pub dw: Matrix<'a>,
    /// db, outputs elements; overwritten. `None` computes dW alone.
    pub db: Option<Vector<'a>>,
}

/// Operands of [`LinearKernels::bias_grad`](crate::LinearKernels::bias_grad).
#[derive(Clone, Copy, Debug)]
pub struct BiasGrad<'a> {
    /// dT, batch × outputs; read.
    pub dt: Matrix<'a>,
    /// db, outputs elements; overwritten.
    pub db: Vector<'a>,
}
