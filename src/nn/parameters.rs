//! Weights, biases and their gradients on the device, in buffers of one layout.
//!
//! One buffer for all layers makes one optimizer dispatch enough, whatever the number of layers.
//! There are more where the device cannot have one so large.

use crate::device::{Gpu, GpuError};
use crate::kernel::{Matrix, Vector};
use crate::model::{LayerConfig, LayerParameters, ModelError};

use super::layout::ParameterLayout;

/// The parameters of a network, and their gradients.
#[derive(Debug)]
pub(super) struct Parameters {
    layout: ParameterLayout,
    values: Vec<wgpu::Buffer>,
    gradients: Vec<wgpu::Buffer>,
}

impl Parameters {
    /// Zeros.
    pub(super) fn new(gpu: &Gpu, layers: &[LayerConfig]) -> Result<Self, GpuError> {
        let layout = ParameterLayout::new(layers, &gpu.device().limits());
        let zeros = |label: &str| {
            let buffers = layout.elements().map(|elements| gpu.zeros(label, elements));
            buffers.collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            values: zeros("wgpu_linear::parameters")?,
            gradients: zeros("wgpu_linear::gradients")?,
            layout,
        })
    }

    pub(super) fn layers(&self) -> usize {
        self.layout.layers()
    }

    /// Inputs and outputs of each layer.
    pub(super) fn sizes(&self) -> impl Iterator<Item = [usize; 2]> {
        self.layout.sizes()
    }

    /// The buffers with weights and biases.
    pub(super) fn values(&self) -> &[wgpu::Buffer] {
        &self.values
    }

    /// The buffers with their gradients.
    pub(super) fn gradients(&self) -> &[wgpu::Buffer] {
        &self.gradients
    }

    pub(super) fn w(&self, layer: usize) -> Matrix<'_> {
        self.layout.w(layer, &self.values)
    }

    pub(super) fn b(&self, layer: usize) -> Vector<'_> {
        self.layout.b(layer, &self.values)
    }

    pub(super) fn dw(&self, layer: usize) -> Matrix<'_> {
        self.layout.w(layer, &self.gradients)
    }

    pub(super) fn db(&self, layer: usize) -> Vector<'_> {
        self.layout.b(layer, &self.gradients)
    }

    /// Hands weights and biases to the steps submitted from now on.
    pub(super) fn write(&self, gpu: &Gpu, parameters: &[LayerParameters]) -> Result<(), GpuError> {
        self.write_to(gpu, self.values.iter(), parameters)
    }

    /// [`Self::write`] into other buffers of this layout.
    pub(super) fn write_to<'a>(
        &self,
        gpu: &Gpu,
        buffers: impl Iterator<Item = &'a wgpu::Buffer>,
        parameters: &[LayerParameters],
    ) -> Result<(), GpuError> {
        for (buffer, flat) in buffers.zip(self.layout.pack(parameters)) {
            gpu.write(buffer, 0, bytemuck::cast_slice(&flat))?;
        }
        Ok(())
    }

    /// [`Self::write`] for one layer.
    pub(super) fn write_layer(
        &self,
        gpu: &Gpu,
        layer: usize,
        parameters: &LayerParameters,
    ) -> Result<(), GpuError> {
        let (w, b) = (self.w(layer), self.b(layer));
        let values: Vec<f32> = parameters.w.iter().copied().collect();
        let biases: Vec<f32> = parameters.b.iter().copied().collect();
        for (buffer, offset_bytes, values) in [
            (w.buffer, w.offset_bytes, values),
            (b.buffer, b.offset_bytes, biases),
        ] {
            gpu.write(buffer, offset_bytes, bytemuck::cast_slice(&values))?;
        }
        Ok(())
    }

    /// A copy of buffers of this layout, cut into layers.
    pub(super) async fn read<'a>(
        &self,
        gpu: &Gpu,
        buffers: impl IntoIterator<Item = &'a wgpu::Buffer>,
    ) -> Result<Vec<LayerParameters>, ModelError> {
        let mut flat = Vec::new();
        for (buffer, elements) in buffers.into_iter().zip(self.layout.elements()) {
            flat.push(gpu.read_range_async::<f32>(buffer, 0, elements).await?);
        }
        Ok(self.layout.unpack(&flat))
    }
}
