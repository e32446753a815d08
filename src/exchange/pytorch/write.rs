//! From layers to a file.

use std::borrow::Cow;
use std::collections::HashMap;

use ndarray::Array2;
use safetensors::{Dtype, View};

use super::error::PyTorchError;
use super::naming::{Naming, OPTIMIZER, joined};
use super::read::{check_chain, check_size};
use super::state::OptimizerState;
use crate::model::LayerParameters;

struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for &Tensor {
    fn dtype(&self) -> Dtype {
        self.dtype
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

impl Tensor {
    fn of_f32s<'a>(shape: &[usize], values: impl Iterator<Item = &'a f32>) -> Self {
        Self {
            dtype: Dtype::F32,
            shape: shape.to_vec(),
            bytes: values.flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    /// Outputs × inputs, as PyTorch has it.
    fn of_weight(w: &Array2<f32>) -> Self {
        Self::of_f32s(&[w.ncols(), w.nrows()], w.t().iter())
    }

    /// A number of steps.
    fn of_count(count: u64) -> Self {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        Self {
            dtype: Dtype::I64,
            shape: Vec::new(),
            bytes: count.to_le_bytes().to_vec(),
        }
    }
}

pub(super) fn file(
    parameters: &[LayerParameters],
    state: &OptimizerState,
    naming: &Naming,
) -> Result<Vec<u8>, PyTorchError> {
    let prefixes = naming.of_layers(parameters.len())?;
    check(parameters, &prefixes)?;
    let mut tensors = Vec::new();
    add(&mut tensors, "", &prefixes, parameters);
    for (name, layers) in &state.moments {
        check_moment(name, layers, parameters, &prefixes)?;
        add(&mut tensors, &moment_prefix(name), &prefixes, layers);
    }
    if let Some(steps) = state.steps {
        tensors.push((format!("{OPTIMIZER}step"), Tensor::of_count(steps)));
    }
    // Readers of some frameworks ask for it.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let views = tensors.iter().map(|(name, tensor)| (name, tensor));
    safetensors::serialize(views, Some(metadata))
        .map_err(|error| PyTorchError::File(Box::new(error)))
}

/// Before the names of the layers of a moment.
pub(super) fn moment_prefix(name: &str) -> String {
    format!("{OPTIMIZER}{name}.")
}

fn add(
    tensors: &mut Vec<(String, Tensor)>,
    before: &str,
    prefixes: &[String],
    layers: &[LayerParameters],
) {
    for (prefix, layer) in prefixes.iter().zip(layers) {
        let mut push =
            |name, tensor| tensors.push((format!("{before}{}", joined(prefix, name)), tensor));
        push("weight", Tensor::of_weight(&layer.w));
        push("bias", Tensor::of_f32s(&[layer.b.len()], layer.b.iter()));
    }
}

fn check(parameters: &[LayerParameters], prefixes: &[String]) -> Result<(), PyTorchError> {
    for (layer, prefix) in parameters.iter().zip(prefixes) {
        let weight = joined(prefix, "weight");
        check_size(&weight, [layer.w.ncols(), layer.w.nrows()])?;
        check_bias(layer, layer, || joined(prefix, "bias"))?;
    }
    check_chain(prefixes, parameters)
}

/// The layers of a moment have the shapes of the parameters.
fn check_moment(
    name: &str,
    layers: &[LayerParameters],
    parameters: &[LayerParameters],
    prefixes: &[String],
) -> Result<(), PyTorchError> {
    if layers.len() != parameters.len() || name.contains('.') {
        let tensor = format!("{OPTIMIZER}{name}");
        return Err(PyTorchError::Missing { tensor });
    }
    for ((layer, like), prefix) in layers.iter().zip(parameters).zip(prefixes) {
        let called = |what| format!("{}{}", moment_prefix(name), joined(prefix, what));
        if layer.w.dim() != like.w.dim() {
            return Err(PyTorchError::Shape {
                tensor: called("weight"),
                expected: vec![like.w.ncols(), like.w.nrows()],
                actual: vec![layer.w.ncols(), layer.w.nrows()],
            });
        }
        check_bias(layer, like, || called("bias"))?;
    }
    Ok(())
}

fn check_bias(
    layer: &LayerParameters,
    like: &LayerParameters,
    name: impl FnOnce() -> String,
) -> Result<(), PyTorchError> {
    let (expected, actual) = (vec![like.w.ncols()], vec![layer.b.len()]);
    if expected == actual {
        return Ok(());
    }
    Err(PyTorchError::Shape {
        tensor: name(),
        expected,
        actual,
    })
}
