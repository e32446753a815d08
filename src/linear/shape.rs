//! The sizes of a layer, and which matrix product each operation is.

use std::fmt;

/// The sizes of a linear layer and its batch.
///
/// X is `batch` × `inputs`, W is `inputs` × `outputs`, T is `batch` × `outputs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Rows of X and T.
    pub batch: u32,
    /// Columns of X, rows of W.
    pub inputs: u32,
    /// Columns of W and T.
    pub outputs: u32,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}×{}", self.batch, self.inputs, self.outputs)
    }
}

/// The four operations of a linear layer, and the first of them with quantised weights.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// T = X·W + b.
    Forward,
    /// dX = dT·Wᵀ.
    InputGrad,
    /// dW = Xᵀ·dT, and db with it where it is asked for.
    WeightGrad,
    /// db = Σ_i dT_i·.
    BiasGrad,
    /// T = X·Ŵ + b with quantised weights Ŵ.
    QuantisedForward,
}

impl Operation {
    /// With what the names of its kernels begin.
    pub(super) const fn kernel_label(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::InputGrad => "input_grad",
            Self::WeightGrad => "weight_grad",
            Self::BiasGrad => "bias_grad",
            Self::QuantisedForward => "forward_quantised",
        }
    }

    /// What it is once its operands are f32.
    pub(super) const fn of_f32(self) -> Self {
        match self {
            Self::QuantisedForward => Self::Forward,
            other => other,
        }
    }

    /// \[m, k, n\] of the product that the operation is: m × n results of k terms each; for db,
    /// 1 row.
    #[must_use]
    pub fn product(self, shape: Shape) -> [u32; 3] {
        let Shape {
            batch,
            inputs,
            outputs,
        } = shape;
        match self {
            Self::Forward | Self::QuantisedForward => [batch, inputs, outputs],
            Self::InputGrad => [batch, outputs, inputs],
            Self::WeightGrad => [inputs, batch, outputs],
            Self::BiasGrad => [1, batch, outputs],
        }
    }
}
