//! `mean_squared_error.wgsl`: the loss of regressions.

use super::elements;
use super::kernels::NetworkKernels;
use super::loss::LossStep;
use crate::kernel::{
    Binding, Dispatch, Kernel, Matrix, Operand, PrepareError, Uniform, Vector, expect_matrix, file,
    uniform,
};

/// Operands of [`NetworkKernels::mean_squared_error`].
#[derive(Clone, Copy, Debug)]
pub struct MeanSquaredError<'a> {
    /// t, batch × outputs; read.
    pub t: Matrix<'a>,
    /// y, the values wanted, batch × outputs; read.
    pub y: Matrix<'a>,
    /// (t − y)² / outputs, batch × outputs; overwritten.
    pub element_loss: Matrix<'a>,
    /// Gradient of Σ `element_loss` / batch, batch × outputs; overwritten.
    pub dt: Matrix<'a>,
}

uniform! {
    /// `Dims` in `mean_squared_error.wgsl`.
    struct Dims {
        batch: u32,
        outputs: u32,
    }
}

pub(super) const MEAN_SQUARED_ERROR: Kernel = elements::kernel(
    "wgpu_linear::mean_squared_error",
    (file!("mean_squared_error.wgsl"), "mean_squared_error"),
    &[
        Binding::dims::<Dims>(),
        Binding::read(1, "t"),
        Binding::read(2, "y"),
        Binding::write(3, "element_loss"),
        Binding::write(4, "dt"),
    ],
);

impl NetworkKernels {
    /// element_loss = (t − y)² / outputs and dt = 2 (t − y) / (batch · outputs).
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn mean_squared_error(
        &self,
        operands: MeanSquaredError<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let MeanSquaredError {
            t,
            y,
            element_loss,
            dt,
        } = operands;
        let kernel = MEAN_SQUARED_ERROR;
        for (name, view) in [("y", y), ("element_loss", element_loss), ("dt", dt)] {
            expect_matrix(kernel.label, name, view, t.rows, t.columns)?;
        }
        let operands = [
            Operand::matrix("t", t),
            Operand::matrix("y", y),
            Operand::matrix("element_loss", element_loss),
            Operand::matrix("dt", dt),
        ];
        let dims = Dims {
            batch: t.rows,
            outputs: t.columns,
        };
        self.elementwise(&kernel, dims.contents(), &operands, t.elements())
    }
}

/// Loss, gradient and running total of a batch.
pub(super) fn step(
    kernels: &NetworkKernels,
    operands: &LossStep<'_>,
) -> Result<Vec<Dispatch>, PrepareError> {
    let LossStep { t, targets, dt, .. } = *operands;
    let measure = kernels.mean_squared_error(MeanSquaredError {
        t,
        y: targets,
        element_loss: Matrix::new(operands.losses, t.rows, t.columns),
        dt,
    })?;
    let losses = Vector::new(operands.losses, t.rows.saturating_mul(t.columns));
    Ok(vec![measure, operands.accumulate(kernels, losses)?])
}
