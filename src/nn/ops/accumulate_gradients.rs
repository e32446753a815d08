//! `accumulate_gradients.wgsl`: the gradients of several batches become their mean.

use super::elements;
use super::kernels::NetworkKernels;
use crate::kernel::{
    Binding, Dispatch, Kernel, Operand, PrepareError, Uniform, Vector, expect_vector, file, uniform,
};

/// Operands of [`NetworkKernels::keep_gradients`] and its like.
#[derive(Clone, Copy, Debug)]
pub struct GradientSum<'a> {
    /// The gradients of a batch; read, and updated by [`NetworkKernels::mean_gradients`] alone.
    pub gradients: Vector<'a>,
    /// The sum of those of the batches before, as many elements; overwritten by
    /// [`NetworkKernels::keep_gradients`], updated by [`NetworkKernels::add_gradients`], read by
    /// [`NetworkKernels::mean_gradients`].
    pub sum: Vector<'a>,
}

uniform! {
    /// `Dims` in `accumulate_gradients.wgsl`.
    struct Dims {
        count: u32,
        factor: f32,
    }
}

const BINDINGS: &[Binding] = &[
    Binding::dims::<Dims>(),
    Binding::write(1, "gradients"),
    Binding::write(2, "sum"),
];

const fn kernel(label: &'static str, entry_point: &'static str) -> Kernel {
    let file = file!("accumulate_gradients.wgsl");
    elements::kernel(label, (file, entry_point), BINDINGS)
}

const KEEP_GRADIENTS: Kernel = kernel("wgpu_linear::keep_gradients", "keep_gradients");
const ADD_GRADIENTS: Kernel = kernel("wgpu_linear::add_gradients", "add_gradients");
const MEAN_GRADIENTS: Kernel = kernel("wgpu_linear::mean_gradients", "mean_gradients");

pub(super) const KERNELS: [Kernel; 3] = [KEEP_GRADIENTS, ADD_GRADIENTS, MEAN_GRADIENTS];

impl NetworkKernels {
    /// sum ← gradients, of the first of several batches.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn keep_gradients(&self, operands: GradientSum<'_>) -> Result<Dispatch, PrepareError> {
        self.accumulate(&KEEP_GRADIENTS, operands, 1.0)
    }

    /// sum ← sum + gradients, of the batches between.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn add_gradients(&self, operands: GradientSum<'_>) -> Result<Dispatch, PrepareError> {
        self.accumulate(&ADD_GRADIENTS, operands, 1.0)
    }

    /// gradients ← (sum + gradients) / `batches`, of the last batch: the mean of all.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn mean_gradients(
        &self,
        operands: GradientSum<'_>,
        batches: u32,
    ) -> Result<Dispatch, PrepareError> {
        self.accumulate(&MEAN_GRADIENTS, operands, 1.0 / batches as f32)
    }

    fn accumulate(
        &self,
        kernel: &Kernel,
        GradientSum { gradients, sum }: GradientSum<'_>,
        factor: f32,
    ) -> Result<Dispatch, PrepareError> {
        expect_vector(kernel.label, "sum", sum, gradients.len)?;
        let count = gradients.len;
        let operands = [
            Operand::vector("gradients", gradients),
            Operand::vector("sum", sum),
        ];
        let dims = Dims { count, factor }.contents();
        self.elementwise(kernel, dims, &operands, u64::from(count))
    }
}
