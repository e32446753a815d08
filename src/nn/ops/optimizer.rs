//! What every optimizer is on the device: state beside flat parameters, and a step over both.

use std::fmt;

use ndarray::Array1;

use super::kernels::NetworkKernels;
use crate::kernel::{Contents, Dispatch, PrepareError, Uniform, Vector, uniform};

uniform! {
    /// `Dims` in the shaders of the optimizers.
    pub(super) struct Count {
        count: u32,
    }
}

pub(super) fn count(count: u32) -> Contents {
    Count { count }.contents()
}

/// In the type of the twin.
pub(super) fn wide(values: &[f32]) -> Array1<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// The state of an optimizer, in buffers on the device, zero at first.
pub(in crate::nn) trait OptimizerState: fmt::Debug + wgpu::WasmNotSendSync {
    /// What comes once before the parts of a step.
    fn begin(
        &self,
        kernels: &NetworkKernels,
        settings: &wgpu::Buffer,
        verdict: Option<Vector<'_>>,
    ) -> Result<Option<Dispatch>, PrepareError> {
        let _ = (kernels, settings, verdict);
        Ok(None)
    }

    /// Its buffers that are laid out like the parameters, under the names of its formulas.
    fn moments(&self) -> Vec<(&'static str, &wgpu::Buffer)>;

    /// Its other buffers of f32, which are the same for all parts of the parameters.
    fn scalars(&self) -> Vec<(&'static str, &wgpu::Buffer)> {
        Vec::new()
    }

    /// The step of a part of the parameters. Each element is treated by itself.
    fn step(
        &self,
        kernels: &NetworkKernels,
        settings: &wgpu::Buffer,
        flat: &Flat<'_>,
    ) -> Result<Dispatch, PrepareError>;
}

/// A range of elements, small enough to be bound, in buffers of one layout.
#[derive(Clone, Copy, Debug)]
pub(in crate::nn) struct Flat<'a> {
    pub(in crate::nn) gradients: &'a wgpu::Buffer,
    pub(in crate::nn) parameters: &'a wgpu::Buffer,
    pub(in crate::nn) offset_bytes: u64,
    pub(in crate::nn) elements: u32,
    /// What the step looks at to be left out, if anything.
    pub(in crate::nn) verdict: Option<Vector<'a>>,
}

impl<'a> Flat<'a> {
    pub(super) fn gradients(&self) -> Vector<'a> {
        self.of(self.gradients)
    }

    pub(super) fn parameters(&self) -> Vector<'a> {
        self.of(self.parameters)
    }

    /// The same range of another buffer.
    pub(super) fn of<'b>(&self, buffer: &'b wgpu::Buffer) -> Vector<'b> {
        Vector::new(buffer, self.elements).at(self.offset_bytes)
    }
}
