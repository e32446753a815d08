//! Where weights and biases lie: one behind the other in one buffer, or in as few as the device
//! allows.

use ndarray::{Array1, Array2};

use crate::kernel::{Matrix, Vector};
use crate::model::{LayerConfig, LayerParameters};

/// The place of every layer's W and b in buffers of one layout.
#[derive(Clone, Debug)]
pub(super) struct ParameterLayout {
    layers: Vec<LayerPlace>,
    /// Bytes of each buffer.
    buffers: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
struct LayerPlace {
    inputs: u32,
    outputs: u32,
    w: Place,
    b: Place,
}

/// Where a tensor begins.
#[derive(Clone, Copy, Debug)]
struct Place {
    buffer: usize,
    offset_bytes: u64,
}

impl ParameterLayout {
    /// Lays tensors one behind the other, each where the device can bind it, and begins another
    /// buffer where one would exceed `max_buffer_size`. Sizes have been checked to fit u32.
    pub(super) fn new(layers: &[LayerConfig], limits: &wgpu::Limits) -> Self {
        let mut buffers = vec![0_u64];
        let mut place = |elements: u64| {
            let last = buffers.len() - 1;
            let bytes = padded_bytes(elements, limits);
            let offset_bytes = buffers[last];
            if offset_bytes > 0 && offset_bytes.saturating_add(bytes) > limits.max_buffer_size {
                buffers.push(bytes);
                return Place {
                    buffer: last + 1,
                    offset_bytes: 0,
                };
            }
            buffers[last] = offset_bytes.saturating_add(bytes);
            Place {
                buffer: last,
                offset_bytes,
            }
        };
        let layer = |layer: &LayerConfig| {
            let (inputs, outputs) = (layer.inputs as u32, layer.outputs as u32);
            LayerPlace {
                inputs,
                outputs,
                w: place(u64::from(inputs) * u64::from(outputs)),
                b: place(u64::from(outputs)),
            }
        };
        let layers = layers.iter().map(layer).collect();
        Self { layers, buffers }
    }

    pub(super) fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Inputs and outputs of each layer.
    pub(super) fn sizes(&self) -> impl Iterator<Item = [usize; 2]> {
        let layers = self.layers.iter();
        layers.map(|layer| [layer.inputs as usize, layer.outputs as usize])
    }

    /// Elements of each buffer, padding included.
    pub(super) fn elements(&self) -> impl Iterator<Item = usize> {
        self.buffers.iter().map(|bytes| (bytes / 4) as usize)
    }

    /// W (or dW) of a layer in `buffers`.
    pub(super) fn w<'a>(&self, layer: usize, buffers: &'a [wgpu::Buffer]) -> Matrix<'a> {
        let LayerPlace {
            inputs, outputs, w, ..
        } = self.layers[layer];
        Matrix::new(&buffers[w.buffer], inputs, outputs).at(w.offset_bytes)
    }

    /// b (or db) of a layer in `buffers`.
    pub(super) fn b<'a>(&self, layer: usize, buffers: &'a [wgpu::Buffer]) -> Vector<'a> {
        let LayerPlace { outputs, b, .. } = self.layers[layer];
        Vector::new(&buffers[b.buffer], outputs).at(b.offset_bytes)
    }

    /// The contents of each buffer.
    pub(super) fn pack(&self, parameters: &[LayerParameters]) -> Vec<Vec<f32>> {
        let mut flat: Vec<_> = self
            .elements()
            .map(|elements| vec![0.0; elements])
            .collect();
        for (place, layer) in self.layers.iter().zip(parameters) {
            place.w.fill(&mut flat, layer.w.iter());
            place.b.fill(&mut flat, layer.b.iter());
        }
        flat
    }

    pub(super) fn unpack(&self, flat: &[Vec<f32>]) -> Vec<LayerParameters> {
        let layer = |place: &LayerPlace| {
            let (inputs, outputs) = (place.inputs as usize, place.outputs as usize);
            let (w, b) = (place.w.of(flat), place.b.of(flat));
            LayerParameters {
                w: Array2::from_shape_fn((inputs, outputs), |(i, j)| w[i * outputs + j]),
                b: Array1::from_shape_fn(outputs, |j| b[j]),
            }
        };
        self.layers.iter().map(layer).collect()
    }
}

impl Place {
    fn fill<'a>(&self, flat: &mut [Vec<f32>], values: impl Iterator<Item = &'a f32>) {
        let begin = (self.offset_bytes / 4) as usize;
        let places = flat[self.buffer][begin..].iter_mut();
        places.zip(values).for_each(|(to, from)| *to = *from);
    }

    /// What begins here.
    fn of<'a>(&self, flat: &'a [Vec<f32>]) -> &'a [f32] {
        &flat[self.buffer][(self.offset_bytes / 4) as usize..]
    }
}

/// Bytes from one tensor to the next.
fn padded_bytes(elements: u64, limits: &wgpu::Limits) -> u64 {
    let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
    let bytes = elements.saturating_mul(4);
    bytes.checked_next_multiple_of(alignment).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MlpConfig, NetworkConfig, initial_parameters};

    fn layout(limits: &wgpu::Limits) -> ParameterLayout {
        let config = NetworkConfig::from(&MlpConfig::new(&[3, 5, 2]));
        ParameterLayout::new(config.layers(), limits)
    }

    #[test]
    fn layout_keeps_tensors_apart_and_aligned() {
        let limits = wgpu::Limits::default();
        let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
        let layout = layout(&limits);
        assert_eq!(layout.buffers.len(), 1);
        let mut places: Vec<_> = layout
            .layers
            .iter()
            .flat_map(|l| {
                let (w, b) = (l.w.offset_bytes, l.b.offset_bytes);
                [(w, l.inputs * l.outputs), (b, l.outputs)]
            })
            .collect();
        places.push((layout.buffers[0], 0));
        for pair in places.windows(2) {
            assert!(pair[0].0 + 4 * u64::from(pair[0].1) <= pair[1].0);
            assert_eq!(pair[1].0 % alignment, 0);
        }
    }

    #[test]
    fn layout_begins_another_buffer_where_one_would_be_too_large() {
        let limits = wgpu::Limits {
            max_buffer_size: 600,
            ..wgpu::Limits::default()
        };
        let layout = layout(&limits);
        assert_eq!(layout.buffers, [512, 512]);
        let places = layout.layers.iter().flat_map(|l| [l.w, l.b]);
        let places: Vec<_> = places.map(|p| (p.buffer, p.offset_bytes)).collect();
        assert_eq!(places, [(0, 0), (0, 256), (1, 0), (1, 256)]);
    }

    #[test]
    fn pack_and_unpack_return_the_parameters() {
        let mut parameters = initial_parameters(&MlpConfig::new(&[3, 5, 2]));
        parameters[1].b[1] = 7.0;
        for max_buffer_size in [600, 1 << 28] {
            let limits = wgpu::Limits {
                max_buffer_size,
                ..wgpu::Limits::default()
            };
            let layout = layout(&limits);
            assert_eq!(layout.unpack(&layout.pack(&parameters)), parameters);
        }
    }
}
