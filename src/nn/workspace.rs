//! What the layers of a network leave behind in a training step: T, A and their gradients.

use crate::device::{Gpu, GpuError};
use crate::kernel::ElementType;
use crate::linear::Activation;
use crate::model::NetworkConfig;

/// Buffers for batches of up to `capacity` rows. Each is a buffer of its own, because WebGPU does
/// not let one operation read and write the same buffer.
#[derive(Debug)]
pub(super) struct Workspace {
    capacity: u32,
    /// Room for the losses of a batch.
    pub(super) losses: wgpu::Buffer,
    /// Per layer: the linear layer's result, and its gradient.
    pub(super) t: Vec<wgpu::Buffer>,
    pub(super) dt: Vec<wgpu::Buffer>,
    /// Per layer: the activation's result. None behind the last where it has no activation.
    pub(super) a: Vec<wgpu::Buffer>,
    /// Where the last layer has an activation: the gradient of its result.
    pub(super) da: Option<wgpu::Buffer>,
}

impl Workspace {
    pub(super) fn new(gpu: &Gpu, config: &NetworkConfig, capacity: u32) -> Result<Self, GpuError> {
        let layers = config.layers();
        let rows = |label: &str, layer: usize, element: ElementType| {
            let elements = u64::from(capacity).saturating_mul(layers[layer].outputs as u64);
            gpu.zeros_as(label, element, elements)
        };
        let each = |label: &str, layers: usize| {
            let buffers = (0..layers).map(|layer| rows(label, layer, config.element_of(layer)));
            buffers.collect::<Result<Vec<_>, _>>()
        };
        let last = layers.len() - 1;
        let activated = layers[last].activation != Activation::Identity;
        Ok(Self {
            capacity,
            losses: rows("wgpu_linear::losses", last, ElementType::F32)?,
            t: each("wgpu_linear::t", layers.len())?,
            dt: each("wgpu_linear::dt", layers.len())?,
            a: each("wgpu_linear::a", last + usize::from(activated))?,
            da: activated
                .then(|| rows("wgpu_linear::da", last, ElementType::F32))
                .transpose()?,
        })
    }

    /// Whether batches of so many rows have room.
    pub(super) fn has_room_for(&self, rows: u32) -> bool {
        rows <= self.capacity
    }
}
