//! From a file to layers.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::error::PyTorchError;
use super::naming::{Naming, OPTIMIZER, all_differ, joined, natural_key, prefix_of};
use super::state::OptimizerState;
use crate::exchange::elements::Element;
use crate::model::LayerParameters;

/// A safetensors file, its tensors by name.
pub(super) struct File<'a> {
    tensors: BTreeMap<String, TensorView<'a>>,
}

impl<'a> File<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, PyTorchError> {
        let file =
            SafeTensors::deserialize(bytes).map_err(|error| PyTorchError::File(Box::new(error)))?;
        let tensors = file.tensors().into_iter().collect();
        Ok(Self { tensors })
    }

    /// The prefixes of the layers, first to last.
    pub(super) fn prefixes(&self, naming: &Naming) -> Result<Vec<String>, PyTorchError> {
        let prefixes = match naming {
            Naming::Prefixes(prefixes) => prefixes.clone(),
            Naming::Sequential { .. } => self.linear_layers()?,
        };
        if !all_differ(&prefixes) {
            let layers = prefixes.len();
            return Err(PyTorchError::Names { layers, prefixes });
        }
        Ok(prefixes)
    }

    /// All layers that there are, by the numbers in their names; any other tensor is an error.
    fn linear_layers(&self) -> Result<Vec<String>, PyTorchError> {
        let is_ours = |(name, _): &(&String, &TensorView<'_>)| !name.starts_with(OPTIMIZER);
        let mut prefixes = Vec::new();
        for (name, tensor) in self.tensors.iter().filter(is_ours) {
            let is_bias = prefix_of(name, "bias")
                .is_some_and(|prefix| self.tensors.contains_key(&joined(prefix, "weight")));
            match prefix_of(name, "weight") {
                Some(prefix) if tensor.shape().len() == 2 => prefixes.push(prefix.to_owned()),
                None if is_bias => {}
                _ => {
                    return Err(PyTorchError::Unknown {
                        tensor: name.clone(),
                        shape: tensor.shape().to_vec(),
                    });
                }
            }
        }
        prefixes.sort_by_cached_key(|prefix| natural_key(prefix));
        Ok(prefixes)
    }

    pub(super) fn layers(&self, prefixes: &[String]) -> Result<Vec<LayerParameters>, PyTorchError> {
        let layer = |prefix: &String| {
            let w = self.weight(&joined(prefix, "weight"))?;
            let b = self.bias(&joined(prefix, "bias"), w.ncols())?;
            let b = b.unwrap_or_else(|| Array1::zeros(w.ncols()));
            Ok(LayerParameters { w, b })
        };
        let layers: Vec<_> = prefixes.iter().map(layer).collect::<Result<_, _>>()?;
        check_chain(prefixes, &layers)?;
        Ok(layers)
    }

    fn tensor(&self, name: &str) -> Result<&TensorView<'a>, PyTorchError> {
        self.tensors.get(name).ok_or_else(|| PyTorchError::Missing {
            tensor: name.to_owned(),
        })
    }

    /// Inputs × outputs; the file has the transpose.
    fn weight(&self, name: &str) -> Result<Array2<f32>, PyTorchError> {
        let tensor = self.tensor(name)?;
        let &[outputs, inputs] = tensor.shape() else {
            return Err(PyTorchError::Unknown {
                tensor: name.to_owned(),
                shape: tensor.shape().to_vec(),
            });
        };
        check_size(name, [outputs, inputs])?;
        let values = Array2::from_shape_vec((outputs, inputs), values(name, tensor)?)
            .map_err(|error| PyTorchError::File(Box::new(error)))?;
        Ok(values.t().as_standard_layout().into_owned())
    }

    /// `None` where there is none.
    fn bias(&self, name: &str, outputs: usize) -> Result<Option<Array1<f32>>, PyTorchError> {
        let Some(tensor) = self.tensors.get(name) else {
            return Ok(None);
        };
        if tensor.shape() != [outputs] {
            return Err(PyTorchError::Shape {
                tensor: name.to_owned(),
                expected: vec![outputs],
                actual: tensor.shape().to_vec(),
            });
        }
        Ok(Some(values(name, tensor)?.into()))
    }

    pub(super) fn state(
        &self,
        prefixes: &[String],
        parameters: &[LayerParameters],
    ) -> Result<OptimizerState, PyTorchError> {
        let mut state = OptimizerState {
            moments: Vec::new(),
            steps: self.steps()?,
        };
        for name in self.moment_names() {
            let layers = self.moment(&name, prefixes, parameters)?;
            state.moments.push((name, layers));
        }
        Ok(state)
    }

    /// NAME of every `optimizer.NAME.PREFIX.weight`, sorted.
    fn moment_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .tensors
            .keys()
            .filter_map(|name| Some(name.strip_prefix(OPTIMIZER)?.split_once('.')?.0.to_owned()))
            .collect();
        names.dedup();
        names
    }

    fn moment(
        &self,
        name: &str,
        prefixes: &[String],
        parameters: &[LayerParameters],
    ) -> Result<Vec<LayerParameters>, PyTorchError> {
        let layer = |(prefix, like): (&String, &LayerParameters)| {
            let called = |what| format!("{OPTIMIZER}{name}.{}", joined(prefix, what));
            let w = self.weight(&called("weight"))?;
            if w.dim() != like.w.dim() {
                return Err(PyTorchError::Shape {
                    tensor: called("weight"),
                    expected: vec![like.w.ncols(), like.w.nrows()],
                    actual: vec![w.ncols(), w.nrows()],
                });
            }
            let has_bias = self.tensors.contains_key(&joined(prefix, "bias"));
            let b = match self.bias(&called("bias"), w.ncols())? {
                Some(b) => b,
                None if has_bias => {
                    return Err(PyTorchError::Missing {
                        tensor: called("bias"),
                    });
                }
                None => Array1::zeros(w.ncols()),
            };
            Ok(LayerParameters { w, b })
        };
        prefixes.iter().zip(parameters).map(layer).collect()
    }

    /// The steps that the optimizer has taken: one number, whole, in whatever type.
    fn steps(&self) -> Result<Option<u64>, PyTorchError> {
        let name = format!("{OPTIMIZER}step");
        let Some(tensor) = self.tensors.get(&name) else {
            return Ok(None);
        };
        let data = tensor.data();
        let steps = match tensor.dtype() {
            Dtype::I64 => data.try_into().ok().and_then(|bytes| {
                let steps = i64::from_le_bytes(bytes);
                u64::try_from(steps).ok()
            }),
            Dtype::F32 => data
                .try_into()
                .ok()
                .and_then(|bytes| whole(f64::from(f32::from_le_bytes(bytes)))),
            Dtype::F64 => data
                .try_into()
                .ok()
                .and_then(|bytes| whole(f64::from_le_bytes(bytes))),
            _ => None,
        };
        steps.map(Some).ok_or(PyTorchError::Steps { tensor: name })
    }
}

/// A whole number that is exact in f64.
fn whole(value: f64) -> Option<u64> {
    let is_whole = (0.0..=9_007_199_254_740_992.0).contains(&value) && value.fract() == 0.0;
    is_whole.then_some(value as u64)
}

fn values(name: &str, tensor: &TensorView<'_>) -> Result<Vec<f32>, PyTorchError> {
    let element = match tensor.dtype() {
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::F32 => Element::F32,
        Dtype::F64 => Element::F64,
        other => {
            return Err(PyTorchError::Type {
                tensor: name.to_owned(),
                dtype: format!("{other:?}"),
            });
        }
    };
    Ok(element.decode(tensor.data()))
}

/// Refuses a layer without inputs or outputs: its other size would be any number, with no bytes
/// behind it.
pub(super) fn check_size(weight: &str, shape: [usize; 2]) -> Result<(), PyTorchError> {
    if shape.contains(&0) {
        return Err(PyTorchError::Empty {
            tensor: weight.to_owned(),
            shape: shape.to_vec(),
        });
    }
    Ok(())
}

/// Each layer takes what the one before gives.
pub(super) fn check_chain(
    prefixes: &[String],
    layers: &[LayerParameters],
) -> Result<(), PyTorchError> {
    if layers.is_empty() {
        return Err(PyTorchError::NoLayers);
    }
    for (names, pair) in prefixes.windows(2).zip(layers.windows(2)) {
        let (outputs, inputs) = (pair[0].w.ncols(), pair[1].w.nrows());
        if outputs != inputs {
            return Err(PyTorchError::Chain {
                layer: names[1].clone(),
                inputs,
                before: names[0].clone(),
                outputs,
            });
        }
    }
    Ok(())
}
