//! A copy of a network for inference alone, whose weights may have fewer digits.

use std::sync::Arc;

use crate::device::Gpu;
use crate::kernel::{Dispatch, ElementType, Matrix, PrepareError, Vector, passes};
use crate::linear::{Activation, LinearKernels, Precision};
use crate::model::ModelError;

use super::linear::{InferredLayer, Linear};
use super::ops::{Convert, NetworkKernels};
use super::prediction::Prediction;

const LABEL: &str = "wgpu_linear::predictor";

/// A [`Network`](super::Network) that only predicts: a copy of its weights and biases, without
/// gradients and optimizer.
///
/// With [`Precision::F16`] weights and what lies between the layers are f16, and take half the
/// memory; with [`Precision::Mixed`] weights are f32. Biases and outputs are always f32; so are
/// inputs, unless their view says otherwise. `docs/PRECISION.md` has the bounds. Its twin is
/// [`reference::Predictor`](crate::reference::Predictor).
///
/// ```
/// use wgpu_linear::model::{MlpConfig, Precision};
/// use wgpu_linear::nn::Network;
/// use wgpu_linear::{Gpu, Matrix};
///
/// let gpu = Gpu::new()?; // or Gpu::wrap(device, queue)
/// let network = Network::new(&gpu, &MlpConfig::new(&[64, 128, 10]))?;
/// // f32 where the device has no f16.
/// let precision = Precision::F16.or_f32(gpu.device().features());
/// let predictor = network.predictor(precision)?;
/// drop(network);
///
/// let x = gpu.upload("x", &[0.5; 2 * 64])?;
/// let outputs = gpu.zeros("outputs", 2 * 10)?;
/// let predict = predictor.predict_into(Matrix::new(&x, 2, 64), Matrix::new(&outputs, 2, 10))?;
/// gpu.run(predict.dispatches())?;
/// println!("{:?}", gpu.read::<f32>(&outputs)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Predictor {
    gpu: Gpu,
    kernels: Arc<LinearKernels>,
    precision: Precision,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    w: wgpu::Buffer,
    b: wgpu::Buffer,
    sizes: [u32; 2],
    function: Activation,
}

impl Predictor {
    pub(super) fn new(
        gpu: &Gpu,
        (linear, network): (&Arc<LinearKernels>, &NetworkKernels),
        layers: &[Linear],
        precision: Precision,
    ) -> Result<Self, ModelError> {
        if !gpu.device().features().contains(precision.features()) {
            return Err(ModelError::Prepare(PrepareError::Feature {
                operation: LABEL,
                feature: "SHADER_F16",
            }));
        }
        let element = precision.weights();
        let copy = |layer: &Linear| {
            let w = gpu.zeros_as(LABEL, element, layer.w().elements())?;
            Ok::<_, ModelError>(Layer {
                w,
                b: gpu.zeros(LABEL, layer.b().len as usize)?,
                sizes: [layer.w().rows, layer.w().columns],
                function: layer.activation(),
            })
        };
        let copies: Vec<_> = layers.iter().map(copy).collect::<Result<_, _>>()?;
        let predictor = Self {
            gpu: gpu.clone(),
            kernels: linear.clone(),
            precision,
            layers: copies,
        };
        predictor.fill(network, layers)?;
        gpu.keep_pipelines();
        Ok(predictor)
    }

    /// Takes weights and biases over from the layers of a network, behind whatever was submitted
    /// before.
    fn fill(&self, kernels: &NetworkKernels, layers: &[Linear]) -> Result<(), ModelError> {
        let mut encoder = self.gpu.encoder(LABEL);
        let mut conversions = Vec::new();
        for (copy, layer) in self.layers.iter().zip(layers) {
            let (w, b) = (layer.w(), layer.b());
            let mut plainly = |from: &wgpu::Buffer, at: u64, to: &wgpu::Buffer, elements: u64| {
                encoder.copy_buffer_to_buffer(from, at, to, 0, 4 * elements);
            };
            plainly(b.buffer, b.offset_bytes, &copy.b, b.len.into());
            match self.precision.weights() {
                ElementType::F32 => plainly(w.buffer, w.offset_bytes, &copy.w, w.elements()),
                ElementType::F16 => conversions.extend(self.converted(kernels, w, &copy.w)?),
            }
        }
        self.gpu.submit(encoder)?;
        self.gpu.run(&conversions)?;
        Ok(())
    }

    /// Makes f16 of a matrix of f32, in parts that can be bound.
    fn converted(
        &self,
        kernels: &NetworkKernels,
        w: Matrix<'_>,
        to: &wgpu::Buffer,
    ) -> Result<Vec<Dispatch>, PrepareError> {
        let source = w.flat(LABEL)?;
        let limits = self.gpu.device().limits();
        // Each part of f16 begins at a multiple of 256 bytes, where every device can bind it.
        let most = (limits.max_storage_buffer_binding_size / 4).min(1 << 30) / 128 * 128;
        let parts = passes(source.len, most as u32);
        let part = |part: std::ops::Range<u32>| {
            let (first, len) = (u64::from(part.start), part.end - part.start);
            let from = source.offset_bytes + 4 * first;
            kernels.convert(Convert {
                source: Vector { len, ..source }.at(from),
                x: Vector::new(to, len)
                    .at(2 * first)
                    .stored_as(ElementType::F16),
            })
        };
        parts.map(part).collect()
    }

    /// What weights and what lies between the layers are stored as.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Prepares the outputs for each row of `x`, as [`Network::predict_into`].
    ///
    /// # Errors
    /// As [`Network::predict_into`].
    ///
    /// [`Network::predict_into`]: super::Network::predict_into
    pub fn predict_into(
        &self,
        x: Matrix<'_>,
        outputs: Matrix<'_>,
    ) -> Result<Prediction, ModelError> {
        let layers: Vec<_> = self
            .layers
            .iter()
            .map(|layer| self.inferred(layer))
            .collect();
        let element = self.precision.activations();
        let prediction = Prediction::new(&self.gpu, (&layers, element), x, outputs)?;
        self.gpu.keep_pipelines();
        Ok(prediction)
    }

    fn inferred<'a>(&'a self, layer: &'a Layer) -> InferredLayer<'a> {
        let [inputs, outputs] = layer.sizes;
        InferredLayer {
            kernels: &self.kernels,
            w: Matrix::new(&layer.w, inputs, outputs).stored_as(self.precision.weights()),
            b: Vector::new(&layer.b, outputs),
            function: layer.function,
        }
    }
}
