//! What the layers of a network leave behind in a training step: T, A and their gradients.

use crate::device::{Gpu, GpuError};
use crate::linear::Activation;
use crate::model::LayerConfig;

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
    pub(super) fn new(gpu: &Gpu, layers: &[LayerConfig], capacity: u32) -> Result<Self, GpuError> {
        let rows = |label: &str, layer: &LayerConfig| {
            gpu.zeros(label, (capacity as usize).saturating_mul(layer.outputs))
        };
        let each = |label: &str, layers: &[LayerConfig]| {
            let buffers = layers.iter().map(|layer| rows(label, layer));
            buffers.collect::<Result<Vec<_>, _>>()
        };
        let last = &layers[layers.len() - 1];
        let activated = last.activation != Activation::Identity;
        let hidden = layers.len() - usize::from(!activated);
        Ok(Self {
            capacity,
            losses: rows("wgpu_linear::losses", last)?,
            t: each("wgpu_linear::t", layers)?,
            dt: each("wgpu_linear::dt", layers)?,
            a: each("wgpu_linear::a", &layers[..hidden])?,
            da: activated
                .then(|| rows("wgpu_linear::da", last))
                .transpose()?,
        })
    }

    /// Whether batches of so many rows have room.
    pub(super) fn has_room_for(&self, rows: u32) -> bool {
        rows <= self.capacity
    }
}
