//! Where weights and biases lie in one flat buffer.

use crate::kernel::{Matrix, Vector};
use crate::model::LayerParameters;

/// The place of every layer's W and b in a flat buffer.
#[derive(Clone, Debug)]
pub(super) struct ParameterLayout {
    layers: Vec<LayerPlace>,
    bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct LayerPlace {
    inputs: u32,
    outputs: u32,
    w_bytes: u64,
    b_bytes: u64,
}

impl ParameterLayout {
    /// Lays tensors one behind the other, each where the device can bind it. Sizes have been
    /// checked to fit u32.
    pub(super) fn new(layer_sizes: &[usize], limits: &wgpu::Limits) -> Self {
        let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
        let mut bytes = 0_u64;
        let mut place = |elements: u64| {
            let begin = bytes;
            bytes = begin
                .saturating_add(elements.saturating_mul(4))
                .div_ceil(alignment)
                .saturating_mul(alignment);
            begin
        };
        let layer = |ends: &[usize]| {
            let (inputs, outputs) = (ends[0] as u32, ends[1] as u32);
            let w_bytes = place(u64::from(inputs) * u64::from(outputs));
            LayerPlace {
                inputs,
                outputs,
                w_bytes,
                b_bytes: place(u64::from(outputs)),
            }
        };
        let layers = layer_sizes.windows(2).map(layer).collect();
        Self { layers, bytes }
    }

    pub(super) fn layers(&self) -> usize {
        self.layers.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Elements of the flat buffer, padding included.
    pub(super) fn elements(&self) -> usize {
        (self.bytes / 4) as usize
    }

    /// W (or dW) of a layer in `buffer`.
    pub(super) fn w<'a>(&self, layer: usize, buffer: &'a wgpu::Buffer) -> Matrix<'a> {
        let place = self.layers[layer];
        Matrix::new(buffer, place.inputs, place.outputs).at(place.w_bytes)
    }

    /// b (or db) of a layer in `buffer`.
    pub(super) fn b<'a>(&self, layer: usize, buffer: &'a wgpu::Buffer) -> Vector<'a> {
        let place = self.layers[layer];
        Vector::new(buffer, place.outputs).at(place.b_bytes)
    }

    pub(super) fn pack(&self, parameters: &[LayerParameters]) -> Vec<f32> {
        let mut flat = vec![0.0; self.elements()];
        for (place, layer) in self.layers.iter().zip(parameters) {
            let (w, b) = ((place.w_bytes / 4) as usize, (place.b_bytes / 4) as usize);
            flat[w..]
                .iter_mut()
                .zip(&layer.w)
                .for_each(|(to, from)| *to = *from);
            flat[b..]
                .iter_mut()
                .zip(&layer.b)
                .for_each(|(to, from)| *to = *from);
        }
        flat
    }

    pub(super) fn unpack(&self, flat: &[f32]) -> Vec<LayerParameters> {
        let layer = |place: &LayerPlace| {
            let (inputs, outputs) = (place.inputs as usize, place.outputs as usize);
            let (w, b) = ((place.w_bytes / 4) as usize, (place.b_bytes / 4) as usize);
            LayerParameters {
                w: ndarray::Array2::from_shape_fn((inputs, outputs), |(i, j)| {
                    flat[w + i * outputs + j]
                }),
                b: ndarray::Array1::from_shape_fn(outputs, |j| flat[b + j]),
            }
        };
        self.layers.iter().map(layer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MlpConfig, initial_parameters};

    #[test]
    fn layout_keeps_tensors_apart_and_aligned() {
        let limits = wgpu::Limits::default();
        let layout = ParameterLayout::new(&[3, 5, 2], &limits);
        let mut places: Vec<_> = layout
            .layers
            .iter()
            .flat_map(|l| [(l.w_bytes, l.inputs * l.outputs), (l.b_bytes, l.outputs)])
            .collect();
        places.push((layout.bytes, 0));
        for pair in places.windows(2) {
            assert!(pair[0].0 + 4 * u64::from(pair[0].1) <= pair[1].0);
            assert_eq!(
                pair[1].0 % u64::from(limits.min_storage_buffer_offset_alignment),
                0
            );
        }
    }

    #[test]
    fn pack_and_unpack_return_the_parameters() {
        let mut parameters = initial_parameters(&MlpConfig::new(&[3, 5, 2]));
        parameters[1].b[1] = 7.0;
        let layout = ParameterLayout::new(&[3, 5, 2], &wgpu::Limits::default());
        assert_eq!(layout.unpack(&layout.pack(&parameters)), parameters);
    }
}
