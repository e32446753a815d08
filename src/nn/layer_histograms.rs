//! The histograms of a network's parameters and gradients: all of them in one submission, and read
//! back at once.

use crate::device::Gpu;
use crate::events::{Histogram, HistogramError};
use crate::kernel::{Dispatch, PrepareError, Vector};
use crate::model::{LayerHistograms, ModelError};

use super::ops::{HISTOGRAM_WORDS, HistogramOf, NetworkKernels, histogram_from_words};
use super::parameters::Parameters;

const OPERATION: &str = "wgpu_linear::histogram";

/// Dispatches that count, and where: four results a layer, one behind the other, each where the
/// device can bind it.
#[derive(Debug)]
pub(super) struct Histograms {
    results: wgpu::Buffer,
    /// Words from one result to the next.
    stride: usize,
    dispatches: Vec<Dispatch>,
}

impl Histograms {
    pub(super) fn new(
        gpu: &Gpu,
        kernels: &NetworkKernels,
        parameters: &Parameters,
    ) -> Result<Self, ModelError> {
        let alignment = gpu.device().limits().min_storage_buffer_offset_alignment;
        let stride = (HISTOGRAM_WORDS * 4).next_multiple_of(alignment) as usize / 4;
        let operands = counted(parameters)?;
        let results = gpu.zeros("wgpu_linear::histograms", stride * operands.len())?;
        let prepare = |(i, values)| {
            let offset_bytes = i as u64 * stride as u64 * 4;
            let result = Vector::new(&results, HISTOGRAM_WORDS).at(offset_bytes);
            kernels.histogram(HistogramOf { values, result })
        };
        let dispatches = operands.into_iter().enumerate().map(prepare);
        let dispatches = dispatches.collect::<Result<_, _>>()?;
        Ok(Self {
            results,
            stride,
            dispatches,
        })
    }

    /// Counts, waits, and reads.
    pub(super) async fn count(&self, gpu: &Gpu) -> Result<Vec<LayerHistograms>, ModelError> {
        gpu.run(&self.dispatches)?;
        let len = self.stride * self.dispatches.len();
        let words = gpu.read_range_async::<u32>(&self.results, 0, len).await?;
        Ok(layers(&words, self.stride)?)
    }
}

/// W, b, dW and db, layer by layer.
fn counted(parameters: &Parameters) -> Result<Vec<Vector<'_>>, PrepareError> {
    let mut operands = Vec::new();
    for layer in 0..parameters.layers() {
        operands.extend([
            parameters.w(layer).flat(OPERATION)?,
            parameters.b(layer),
            parameters.dw(layer).flat(OPERATION)?,
            parameters.db(layer),
        ]);
    }
    Ok(operands)
}

fn layers(words: &[u32], stride: usize) -> Result<Vec<LayerHistograms>, HistogramError> {
    let mut histograms = words
        .chunks_exact(stride)
        .map(|words| histogram_from_words(&words[..HISTOGRAM_WORDS as usize]))
        .collect::<Result<Vec<Histogram>, _>>()?
        .into_iter();
    let mut layers = Vec::new();
    while let [Some(w), Some(b), Some(dw), Some(db)] = std::array::from_fn(|_| histograms.next()) {
        layers.push(LayerHistograms { w, b, dw, db });
    }
    Ok(layers)
}
