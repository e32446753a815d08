//! `accumulate_gradients.wgsl`: the gradients of several batches become their mean.

use super::elements::{self, PROBED, PROBED_WORKGROUPS};
use super::kernels::NetworkKernels;
use super::optimizer::wide;
use crate::kernel::{
    Binding, Dispatch, Kernel, Operand, PrepareError, Probe, Uniform, Vector, Wanted,
    expect_vector, file, quarters, uniform,
};
use crate::reference;

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
        self.accumulate(&KEEP_GRADIENTS, operands, 1.0, &keep_probe)
    }

    /// sum ← sum + gradients, of the batches between.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn add_gradients(&self, operands: GradientSum<'_>) -> Result<Dispatch, PrepareError> {
        self.accumulate(&ADD_GRADIENTS, operands, 1.0, &add_probe)
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
        let factor = 1.0 / batches as f32;
        self.accumulate(&MEAN_GRADIENTS, operands, factor, &mean_probe)
    }

    fn accumulate(
        &self,
        kernel: &Kernel,
        GradientSum { gradients, sum }: GradientSum<'_>,
        factor: f32,
        probe: &dyn Fn() -> Probe,
    ) -> Result<Dispatch, PrepareError> {
        expect_vector(kernel.label, "sum", sum, gradients.len)?;
        let count = gradients.len;
        let operands = [
            Operand::vector("gradients", gradients),
            Operand::vector("sum", sum),
        ];
        let dims = Dims { count, factor }.contents();
        self.elementwise(kernel, dims, &operands, u64::from(count), probe)
    }
}

fn keep_probe() -> Probe {
    let gradients = quarters(1, PROBED);
    let mut sum = wide(&quarters(2, PROBED));
    reference::keep_gradients(wide(&gradients).view(), sum.view_mut());
    probe(1.0)
        .updates(&gradients, Wanted::exactly(wide(&gradients)))
        .writes(Wanted::exactly(sum))
}

fn add_probe() -> Probe {
    let [gradients, before] = [1, 2].map(|seed| quarters(seed, PROBED));
    let mut sum = wide(&before);
    reference::add_gradients(wide(&gradients).view(), sum.view_mut());
    probe(1.0)
        .updates(&gradients, Wanted::exactly(wide(&gradients)))
        .updates(&before, Wanted::exactly(sum))
}

fn mean_probe() -> Probe {
    let [before, sum] = [1, 2].map(|seed| quarters(seed, PROBED));
    let mut gradients = wide(&before);
    reference::mean_gradients(4, wide(&sum).view(), gradients.view_mut());
    probe(0.25)
        .updates(&before, Wanted::exactly(gradients))
        .updates(&sum, Wanted::exactly(wide(&sum)))
}

fn probe(factor: f32) -> Probe {
    let count = PROBED as u32;
    Probe::new(Dims { count, factor }.contents(), PROBED_WORKGROUPS)
}
