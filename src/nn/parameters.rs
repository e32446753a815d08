//! What lives on the device as long as a network does: parameters, gradients and optimizer state,
//! each in one flat buffer.
//!
//! One buffer for all layers makes one optimizer dispatch enough, whatever the number of layers.

use crate::device::{Gpu, GpuError};
use crate::kernel::{Dispatch, Matrix, PrepareError, Vector};
use crate::model::{LayerParameters, MlpConfig, ModelError, Optimizer, initial_parameters};

use super::layout::ParameterLayout;
use super::ops::{Flat, NetworkKernels, OptimizerState, optimizer_settings, optimizer_state};

/// The parameters of a network, with everything that has their shapes.
#[derive(Debug)]
pub(super) struct Parameters {
    layout: ParameterLayout,
    values: wgpu::Buffer,
    gradients: wgpu::Buffer,
    settings: wgpu::Buffer,
    optimizer: Box<dyn OptimizerState>,
}

impl Parameters {
    /// The first weights of `config`, and an optimizer that has seen nothing yet.
    pub(super) fn new(gpu: &Gpu, config: &MlpConfig) -> Result<Self, ModelError> {
        let layout = ParameterLayout::new(&config.layer_sizes, &gpu.device().limits());
        // Asked for before the weights are drawn: a network that does not fit is refused before it
        // fills the host's memory.
        let settings = optimizer_settings(&config.optimizer).padded();
        let parameters = Self {
            values: gpu.zeros("wgpu_linear::parameters", layout.elements())?,
            gradients: gpu.zeros("wgpu_linear::gradients", layout.elements())?,
            settings: gpu.create_buffer(
                "wgpu_linear::settings",
                settings.len() as u64,
                SETTINGS,
            )?,
            optimizer: optimizer_state(gpu, &config.optimizer, layout.elements())?,
            layout,
        };
        gpu.write(&parameters.settings, 0, &settings)?;
        parameters.write(gpu, &initial_parameters(config))?;
        Ok(parameters)
    }

    pub(super) fn layers(&self) -> usize {
        self.layout.layers()
    }

    /// The flat buffer with weights and biases.
    pub(super) fn values(&self) -> &wgpu::Buffer {
        &self.values
    }

    /// The flat buffer with their gradients.
    pub(super) fn gradients(&self) -> &wgpu::Buffer {
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
        let flat = self.layout.pack(parameters);
        gpu.write(&self.values, 0, bytemuck::cast_slice(&flat))
    }

    /// Hands the optimizer's settings to the steps submitted from now on.
    pub(super) fn write_settings(&self, gpu: &Gpu, optimizer: &Optimizer) -> Result<(), GpuError> {
        let settings = optimizer_settings(optimizer).padded();
        gpu.write(&self.settings, 0, &settings)
    }

    /// A copy of a flat buffer of this layout, cut into layers.
    pub(super) async fn read(
        &self,
        gpu: &Gpu,
        flat: &wgpu::Buffer,
    ) -> Result<Vec<LayerParameters>, ModelError> {
        let values = gpu
            .read_range_async::<f32>(flat, 0, self.layout.elements())
            .await?;
        Ok(self.layout.unpack(&values))
    }

    /// The dispatches of an optimizer step: one, or more where a buffer is larger than one binding
    /// may be.
    pub(super) fn update(
        &self,
        kernels: &NetworkKernels,
        limits: &wgpu::Limits,
    ) -> Result<Vec<Dispatch>, PrepareError> {
        let begin = self.optimizer.begin(kernels, &self.settings)?;
        let mut dispatches = Vec::from_iter(begin);
        for piece in pieces(self.layout.bytes(), limits) {
            let flat = Flat {
                gradients: &self.gradients,
                parameters: &self.values,
                offset_bytes: piece.offset_bytes,
                elements: piece.elements,
            };
            dispatches.push(self.optimizer.step(kernels, &self.settings, &flat)?);
        }
        Ok(dispatches)
    }
}

const SETTINGS: wgpu::BufferUsages =
    wgpu::BufferUsages::UNIFORM.union(wgpu::BufferUsages::COPY_DST);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    offset_bytes: u64,
    elements: u32,
}

/// Cuts a flat buffer into pieces that can be bound. Any cut will do: the optimizers treat each
/// element by itself.
fn pieces(bytes: u64, limits: &wgpu::Limits) -> impl Iterator<Item = Piece> {
    let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
    let largest = limits
        .max_storage_buffer_binding_size
        .min(u64::from(u32::MAX))
        / alignment
        * alignment;
    let piece = move |i| {
        let offset_bytes = i * largest;
        Piece {
            offset_bytes,
            elements: ((bytes - offset_bytes).min(largest) / 4) as u32,
        }
    };
    (0..bytes.div_ceil(largest)).map(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_buffer_larger_than_a_binding() {
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: 1000,
            ..wgpu::Limits::default()
        };
        let expected = [(0, 192), (768, 192), (1536, 64)].map(|(offset_bytes, elements)| Piece {
            offset_bytes,
            elements,
        });
        assert_eq!(pieces(1792, &limits).collect::<Vec<_>>(), expected);
    }
}
