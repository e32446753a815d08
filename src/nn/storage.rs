//! What lives on the device as long as the network does: parameters, gradients and optimizer state, each in one flat buffer.
//!
//! One buffer for all layers makes one optimizer dispatch enough, whatever the number of layers.

use crate::dispatch::Dispatch;
use crate::error::PrepareError;
use crate::gpu::Gpu;
use crate::model::{AdamSettings, LayerParameters, ModelError, Optimizer, SgdSettings};
use crate::view::{Matrix, Vector};

use super::operations::{Adam, NetworkKernels, Sgd};

/// Where weights and bias of each layer lie in a flat buffer.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    layers: Vec<LayerLayout>,
    bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct LayerLayout {
    inputs: u32,
    outputs: u32,
    w_bytes: u64,
    b_bytes: u64,
}

impl Layout {
    /// Lays tensors one behind the other, each where the device can bind it. Sizes have been checked to fit u32.
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
            LayerLayout {
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

    /// Outputs of layer `layer`.
    pub(super) fn outputs(&self, layer: usize) -> u32 {
        self.layers[layer].outputs
    }

    /// W (or dW) of a layer in `buffer`.
    pub(super) fn w<'a>(&self, layer: usize, buffer: &'a wgpu::Buffer) -> Matrix<'a> {
        let LayerLayout {
            inputs,
            outputs,
            w_bytes,
            ..
        } = self.layers[layer];
        Matrix::new(buffer, inputs, outputs).at(w_bytes)
    }

    /// b (or db) of a layer in `buffer`.
    pub(super) fn b<'a>(&self, layer: usize, buffer: &'a wgpu::Buffer) -> Vector<'a> {
        let LayerLayout {
            outputs, b_bytes, ..
        } = self.layers[layer];
        Vector::new(buffer, outputs).at(b_bytes)
    }

    pub(super) fn pack(&self, parameters: &[LayerParameters]) -> Vec<f32> {
        let mut flat = vec![0.0; (self.bytes / 4) as usize];
        for (layout, layer) in self.layers.iter().zip(parameters) {
            let (w, b) = ((layout.w_bytes / 4) as usize, (layout.b_bytes / 4) as usize);
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
        let layer = |layout: &LayerLayout| {
            let (inputs, outputs) = (layout.inputs as usize, layout.outputs as usize);
            let (w, b) = ((layout.w_bytes / 4) as usize, (layout.b_bytes / 4) as usize);
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

/// State of the optimizer, in the layout of the parameters.
#[derive(Debug)]
pub(super) enum OptimizerState {
    Sgd {
        settings: wgpu::Buffer,
        velocity: wgpu::Buffer,
    },
    Adam {
        settings: wgpu::Buffer,
        corrections: wgpu::Buffer,
        m: wgpu::Buffer,
        v: wgpu::Buffer,
    },
}

impl OptimizerState {
    pub(super) fn new(
        gpu: &Gpu,
        optimizer: &Optimizer,
        layout: &Layout,
    ) -> Result<Self, ModelError> {
        let flat = |label| gpu.zeros(label, (layout.bytes() / 4) as usize);
        let settings = crate::cache::uniform(
            gpu.device(),
            bytemuck::cast_slice(&settings_words(optimizer)),
        );
        Ok(match optimizer {
            Optimizer::Sgd(_) => Self::Sgd {
                settings,
                velocity: flat("wgpu_linear::velocity")?,
            },
            Optimizer::Adam(_) | Optimizer::AdamW(_) => Self::Adam {
                settings,
                corrections: gpu.zeros("wgpu_linear::corrections", 2)?,
                m: flat("wgpu_linear::m")?,
                v: flat("wgpu_linear::v")?,
            },
        })
    }

    /// Hands new settings to the steps submitted from now on.
    pub(super) fn write_settings(&self, gpu: &Gpu, optimizer: &Optimizer) {
        let (Self::Sgd { settings, .. } | Self::Adam { settings, .. }) = self;
        gpu.queue().write_buffer(
            settings,
            0,
            bytemuck::cast_slice(&settings_words(optimizer)),
        );
    }

    /// The dispatches that update `parameters` from `gradients`: one, or more where a buffer is larger than one binding may be.
    pub(super) fn update(
        &self,
        kernels: &NetworkKernels,
        limits: &wgpu::Limits,
        gradients: &wgpu::Buffer,
        parameters: &wgpu::Buffer,
    ) -> Result<Vec<Dispatch>, PrepareError> {
        let mut dispatches = Vec::new();
        if let Self::Adam {
            settings,
            corrections,
            ..
        } = self
        {
            dispatches.push(kernels.adam_advance(settings, Vector::new(corrections, 2))?);
        }
        for part in parts(parameters.size(), limits) {
            let view = |buffer| Vector::new(buffer, part.elements).at(part.offset_bytes);
            let (gradients, parameters) = (view(gradients), view(parameters));
            dispatches.push(match self {
                Self::Sgd { settings, velocity } => kernels.sgd(Sgd {
                    settings,
                    gradients,
                    velocity: view(velocity),
                    parameters,
                })?,
                Self::Adam {
                    settings,
                    corrections,
                    m,
                    v,
                } => {
                    let corrections = Vector::new(corrections, 2);
                    kernels.adam(Adam {
                        settings,
                        corrections,
                        gradients,
                        m: view(m),
                        v: view(v),
                        parameters,
                    })?
                }
            });
        }
        Ok(dispatches)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    offset_bytes: u64,
    elements: u32,
}

/// Cuts a flat buffer into parts that can be bound. Any cut will do: the optimizers treat each element by itself.
fn parts(bytes: u64, limits: &wgpu::Limits) -> impl Iterator<Item = Part> {
    let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
    let largest = limits
        .max_storage_buffer_binding_size
        .min(u64::from(u32::MAX))
        / alignment
        * alignment;
    let part = move |i| {
        let offset_bytes = i * largest;
        Part {
            offset_bytes,
            elements: ((bytes - offset_bytes).min(largest) / 4) as u32,
        }
    };
    (0..bytes.div_ceil(largest)).map(part)
}

/// The settings as the shaders' uniform: eight words, of which SGD reads four.
fn settings_words(optimizer: &Optimizer) -> [u32; 8] {
    let adam = |settings: AdamSettings, decoupled: bool| {
        let AdamSettings {
            learning_rate,
            beta1,
            beta2,
            epsilon,
            weight_decay,
        } = settings;
        let [a, b, c, d, e] =
            [learning_rate, beta1, beta2, epsilon, weight_decay].map(f32::to_bits);
        [a, b, c, d, e, u32::from(decoupled), 0, 0]
    };
    match *optimizer {
        Optimizer::Sgd(SgdSettings {
            learning_rate,
            momentum,
            nesterov,
            weight_decay,
        }) => {
            let [a, b, c] = [learning_rate, momentum, weight_decay].map(f32::to_bits);
            [a, b, c, u32::from(nesterov), 0, 0, 0, 0]
        }
        Optimizer::Adam(settings) => adam(settings, false),
        Optimizer::AdamW(settings) => adam(settings, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MlpConfig, initial_parameters};

    #[test]
    fn layout_keeps_tensors_apart_and_aligned() {
        let limits = wgpu::Limits::default();
        let layout = Layout::new(&[3, 5, 2], &limits);
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
        let layout = Layout::new(&[3, 5, 2], &wgpu::Limits::default());
        assert_eq!(layout.unpack(&layout.pack(&parameters)), parameters);
    }

    #[test]
    fn parts_cover_a_buffer_larger_than_a_binding() {
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: 1000,
            ..wgpu::Limits::default()
        };
        let expected = [(0, 192), (768, 192), (1536, 64)].map(|(offset_bytes, elements)| Part {
            offset_bytes,
            elements,
        });
        assert_eq!(parts(1792, &limits).collect::<Vec<_>>(), expected);
    }
}
