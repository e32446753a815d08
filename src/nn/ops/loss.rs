//! What every loss is on the device: dispatches that turn outputs and targets into a gradient and
//! a running total.

use super::accumulate_loss::AccumulateLoss;
use super::kernels::NetworkKernels;
use crate::kernel::{Dispatch, Matrix, PrepareError, Vector};

/// Operands of the loss in a training step.
#[derive(Clone, Copy, Debug)]
pub(in crate::nn) struct LossStep<'a> {
    /// The outputs of the network.
    pub(in crate::nn) t: Matrix<'a>,
    /// What they should be: labels in one column, or values in the shape of `t`. Where the values are weighted,
    /// the weight of each row is one more column.
    pub(in crate::nn) targets: Matrix<'a>,
    /// Whether the rows have weights: in a column of the values, or those of their classes.
    pub(in crate::nn) is_weighted: bool,
    /// The weight of each class; none where each is 1.
    pub(in crate::nn) class_weights: &'a [f32],
    /// How much of a label goes to all classes alike.
    pub(in crate::nn) label_smoothing: f32,
    /// Room for as many numbers as `t` has.
    pub(in crate::nn) losses: &'a wgpu::Buffer,
    /// The gradient of the mean loss, in the shape of `t`; overwritten.
    pub(in crate::nn) dt: Matrix<'a>,
    /// The exact total of losses, weights and examples; added to.
    pub(in crate::nn) total: Vector<'a>,
}

impl LossStep<'_> {
    /// Adds `losses` to the running total.
    pub(super) fn accumulate(
        &self,
        kernels: &NetworkKernels,
        losses: Vector<'_>,
        weight_sum: Option<Vector<'_>>,
    ) -> Result<Dispatch, PrepareError> {
        kernels.accumulate_loss(AccumulateLoss {
            losses,
            batch: self.t.rows,
            weight_sum,
            total: self.total,
        })
    }
}
