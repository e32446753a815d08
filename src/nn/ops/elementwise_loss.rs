//! `elementwise_loss.wgsl`: the losses that compare every output with a value.

use std::borrow::Cow;

use super::elements;
use super::kernels::NetworkKernels;
use super::loss::LossStep;
use crate::kernel::{
    Binding, Dispatch, File, Kernel, Matrix, Operand, PrepareError, Uniform, Vector, expect_matrix,
    file, uniform,
};
use crate::model::Loss;

/// Operands of [`NetworkKernels::elementwise_loss`].
#[derive(Clone, Copy, Debug)]
pub struct ElementwiseLoss<'a> {
    /// Which loss; one that takes values.
    pub loss: Loss,
    /// t, batch × outputs; read.
    pub t: Matrix<'a>,
    /// y, the values wanted, batch × outputs; read.
    pub y: Matrix<'a>,
    /// loss(t, y) / outputs, batch × outputs; overwritten.
    pub element_loss: Matrix<'a>,
    /// Gradient of Σ `element_loss` / batch, batch × outputs; overwritten.
    pub dt: Matrix<'a>,
}

uniform! {
    /// `Dims` in `elementwise_loss.wgsl`.
    struct Dims {
        batch: u32,
        outputs: u32,
        parameter: f32,
    }
}

const KERNEL: Kernel = elements::kernel(
    "wgpu_linear::elementwise_loss",
    (file!("elementwise_loss.wgsl"), "elementwise_loss"),
    &[
        Binding::dims::<Dims>(),
        Binding::read(1, "t"),
        Binding::read(2, "y"),
        Binding::write(3, "element_loss"),
        Binding::write(4, "dt"),
    ],
);

/// The functions `loss` and `slope` of a loss; `None` where it is not one of elements.
const fn functions(loss: Loss) -> Option<File> {
    match loss {
        Loss::SoftmaxCrossEntropy => None,
        Loss::MeanSquaredError => Some(file!("parts/losses/mean_squared_error.wgsl")),
        Loss::MeanAbsoluteError => Some(file!("parts/losses/mean_absolute_error.wgsl")),
        Loss::Huber { .. } => Some(file!("parts/losses/huber.wgsl")),
        Loss::BinaryCrossEntropy => Some(file!("parts/losses/binary_cross_entropy.wgsl")),
    }
}

fn kernel(loss: Loss) -> Kernel {
    Kernel {
        variant: Cow::Borrowed(loss.name()),
        choices: Cow::Owned(Vec::from_iter(functions(loss))),
        ..KERNEL
    }
}

/// The kernels of all losses of elements.
pub(super) fn kernels() -> impl Iterator<Item = Kernel> {
    let has_functions = |loss: &Loss| functions(*loss).is_some();
    Loss::ALL.into_iter().filter(has_functions).map(kernel)
}

impl NetworkKernels {
    /// element_loss = loss(t, y) / outputs and dt = slope(t, y) / (batch · outputs), with the
    /// functions of `shaders/parts/losses/`.
    ///
    /// The values are not checked. Where t is not finite, neither are loss and gradient.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`]; [`PrepareError::Source`] for
    /// [`Loss::SoftmaxCrossEntropy`], which has no such functions.
    pub fn elementwise_loss(
        &self,
        operands: ElementwiseLoss<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let ElementwiseLoss {
            loss,
            t,
            y,
            element_loss,
            dt,
        } = operands;
        let kernel = kernel(loss);
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
            parameter: loss.parameter().map_or(0.0, |(_, value)| value),
        };
        self.elementwise(&kernel, dims.contents(), &operands, t.elements())
    }
}

/// Loss, gradient and running total of a batch.
pub(super) fn step(
    kernels: &NetworkKernels,
    loss: Loss,
    operands: &LossStep<'_>,
) -> Result<Vec<Dispatch>, PrepareError> {
    let LossStep { t, dt, .. } = *operands;
    let like_t = |buffer| Matrix::new(buffer, t.rows, t.columns);
    let measure = kernels.elementwise_loss(ElementwiseLoss {
        loss,
        t,
        y: like_t(operands.targets),
        element_loss: like_t(operands.losses),
        dt,
    })?;
    let losses = Vector::new(operands.losses, t.rows.saturating_mul(t.columns));
    Ok(vec![measure, operands.accumulate(kernels, losses)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TargetKind;

    #[test]
    fn every_loss_of_values_has_the_file_of_its_name() {
        for loss in Loss::ALL {
            let path = format!("parts/losses/{}.wgsl", loss.name());
            match functions(loss) {
                Some(file) => assert_eq!(file.name, path),
                None => assert_eq!(loss.targets(), TargetKind::Classes),
            }
        }
    }
}
