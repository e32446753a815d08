//! The histograms of a network's parameters and gradients: all of them in one submission, and read back at once.

use crate::dispatch::Dispatch;
use crate::error::PrepareError;
use crate::events::{Histogram, HistogramError};
use crate::model::{LayerHistograms, ModelError};
use crate::view::{Matrix, Vector};

use super::histogram::{HISTOGRAM_WORDS, HistogramOf, histogram_from_words};
use super::mlp::Mlp;

/// Dispatches that count, and where: four results a layer, one behind the other, each where the device can bind it.
#[derive(Debug)]
pub(super) struct Histograms {
    results: wgpu::Buffer,
    /// Words from one result to the next.
    stride: usize,
    dispatches: Vec<Dispatch>,
}

impl Mlp {
    /// How weights, biases and gradients are spread; see [`Model::histograms`](crate::model::Model::histograms).
    ///
    /// # Errors
    /// As [`Model::histograms`](crate::model::Model::histograms); [`PrepareError::Limit`] for a layer of 2³² weights or more.
    pub async fn histograms_async(&mut self) -> Result<Vec<LayerHistograms>, ModelError> {
        self.submit()?;
        let histograms = match self.histograms.take() {
            Some(prepared) => prepared,
            None => self.prepare_histograms()?,
        };
        let histograms = self.histograms.insert(histograms);
        self.gpu.run(&histograms.dispatches);
        let len = histograms.stride * histograms.dispatches.len();
        let words = self
            .gpu
            .read_range_async::<u32>(&histograms.results, 0, len)
            .await?;
        Ok(layers(&words, histograms.stride)?)
    }

    fn prepare_histograms(&self) -> Result<Histograms, ModelError> {
        let alignment = self
            .gpu
            .device()
            .limits()
            .min_storage_buffer_offset_alignment;
        let stride = (HISTOGRAM_WORDS * 4).next_multiple_of(alignment) as usize / 4;
        let operands = self.counted()?;
        let results = self
            .gpu
            .zeros("wgpu_linear::histograms", stride * operands.len())?;
        let prepare = |(i, values)| {
            let offset_bytes = i as u64 * stride as u64 * 4;
            let result = Vector::new(&results, HISTOGRAM_WORDS).at(offset_bytes);
            self.network.histogram(HistogramOf { values, result })
        };
        let dispatches = operands.into_iter().enumerate().map(prepare);
        let dispatches = dispatches.collect::<Result<_, _>>()?;
        Ok(Histograms {
            results,
            stride,
            dispatches,
        })
    }

    /// W, b, dW and db, layer by layer.
    fn counted(&self) -> Result<Vec<Vector<'_>>, PrepareError> {
        let mut operands = Vec::new();
        for layer in 0..self.layout.layers() {
            for buffer in [&self.parameters, &self.gradients] {
                operands.push(elements(self.layout.w(layer, buffer))?);
                operands.push(self.layout.b(layer, buffer));
            }
        }
        Ok(operands)
    }
}

fn elements(matrix: Matrix<'_>) -> Result<Vector<'_>, PrepareError> {
    let len = u32::try_from(matrix.elements()).map_err(|_| PrepareError::Limit {
        operation: "wgpu_linear::histogram",
        name: "elements of an operand",
        required: matrix.elements(),
        allowed: u64::from(u32::MAX),
    })?;
    Ok(Vector::new(matrix.buffer, len).at(matrix.offset_bytes))
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
