//! The tensors of a checkpoint: their names, and their numbers as bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ndarray::{Array1, Array2};
use safetensors::{Dtype, SafeTensors, View};

use super::error::CheckpointError;
use crate::model::LayerParameters;

/// Tensors by name.
pub(super) type Tensors = BTreeMap<String, Tensor>;

/// Numbers of f32 on their way into a file.
#[derive(Debug)]
pub(super) struct Tensor {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    pub(super) fn new<'a>(shape: Vec<usize>, numbers: impl IntoIterator<Item = &'a f32>) -> Self {
        let bytes = numbers.into_iter().flat_map(|number| number.to_le_bytes());
        Self {
            bytes: bytes.collect(),
            shape,
        }
    }
}

impl View for &Tensor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// The names of W and b of a layer, from 1.
fn names(prefix: &str, layer: usize) -> [String; 2] {
    ["w", "b"].map(|part| format!("{prefix}layer{layer}/{part}"))
}

/// Adds layers below `prefix`, which is empty or ends with `/`.
pub(super) fn insert_layers(tensors: &mut Tensors, prefix: &str, layers: &[LayerParameters]) {
    for (number, layer) in (1..).zip(layers) {
        let [w, b] = names(prefix, number);
        // Row by row, however they lie in memory.
        tensors.insert(w, Tensor::new(layer.w.shape().to_vec(), &layer.w));
        tensors.insert(b, Tensor::new(layer.b.shape().to_vec(), &layer.b));
    }
}

/// The layers below `prefix` of a network of these sizes.
pub(super) fn layers(
    file: &SafeTensors<'_>,
    prefix: &str,
    sizes: &[usize],
) -> Result<Vec<LayerParameters>, CheckpointError> {
    let layer = |(number, ends): (usize, &[usize])| {
        let ([inputs, outputs], [w, b]) = ([ends[0], ends[1]], names(prefix, number));
        let numbers_w = numbers(file, &w, Some(&[inputs, outputs]))?;
        let numbers_b = numbers(file, &b, Some(&[outputs]))?;
        Ok(LayerParameters {
            // There are as many numbers as the shape says.
            w: Array2::from_shape_vec((inputs, outputs), numbers_w).unwrap_or_default(),
            b: Array1::from_vec(numbers_b),
        })
    };
    (1..).zip(sizes.windows(2)).map(layer).collect()
}

/// The numbers of a tensor, which is a vector where no shape is expected.
pub(super) fn numbers(
    file: &SafeTensors<'_>,
    name: &str,
    shape: Option<&[usize]>,
) -> Result<Vec<f32>, CheckpointError> {
    let damaged = |reason: String| CheckpointError::Damaged { reason };
    let tensor = file.tensor(name);
    let tensor = tensor.map_err(|_| damaged(format!("the tensor {name} is missing")))?;
    if tensor.dtype() != Dtype::F32 {
        let dtype = tensor.dtype();
        return Err(damaged(format!("the tensor {name} is of {dtype}, not f32")));
    }
    if shape.is_some_and(|shape| shape != tensor.shape()) {
        let (actual, shape) = (tensor.shape(), shape.unwrap_or_default());
        let reason = format!("the tensor {name} has the shape {actual:?}, not {shape:?}");
        return Err(damaged(reason));
    }
    let words = tensor.data().as_chunks::<4>().0;
    Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
}

/// Of a text, and of tensors with their names and shapes.
pub(super) fn checksum<'a>(
    text: &str,
    tensors: impl Iterator<Item = (&'a str, &'a [usize], &'a [u8])>,
) -> u32 {
    let begin = crc32c::crc32c(text.as_bytes());
    tensors.fold(begin, |sum, (name, shape, bytes)| {
        let sum = crc32c::crc32c_append(sum, name.as_bytes());
        let sum = shape.iter().fold(sum, |sum, size| {
            crc32c::crc32c_append(sum, &(*size as u64).to_le_bytes())
        });
        crc32c::crc32c_append(sum, bytes)
    })
}

/// [`checksum`] of what is to be written.
pub(super) fn checksum_of(text: &str, tensors: &Tensors) -> u32 {
    let parts = tensors.iter();
    checksum(
        text,
        parts.map(|(name, tensor)| (name.as_str(), &tensor.shape[..], &tensor.bytes[..])),
    )
}

/// [`checksum`] of what was read.
pub(super) fn checksum_in(text: &str, file: &SafeTensors<'_>) -> u32 {
    let tensors: BTreeMap<_, _> = file.iter().collect();
    let parts = tensors.iter();
    checksum(
        text,
        parts.map(|(name, tensor)| (*name, tensor.shape(), tensor.data())),
    )
}
