//! A data set that lives on the device.

use ndarray::{Array2, ArrayView2};

use crate::device::{Gpu, GpuError};
use crate::kernel::{Matrix, PrepareError, Vector};
use crate::model::{
    IGNORED, Loss, ModelError, NoProbability, TargetKind, Targets, check_finite,
    check_probabilities, check_shape, check_weights, first_other_than_probability,
};

use super::ops::Examples;

/// Examples and what they should come out as, uploaded once, so that no training step copies
/// anything from the host.
///
/// | part | shape | on the device |
/// |---|---|---|
/// | examples | examples × inputs | f32, or bytes: x_ij = `scale` · byte_ij, a quarter of the memory |
/// | classes | examples | u32 |
/// | or values wanted | examples × outputs | f32; with weights, one more column |
///
/// Each part must fit one binding (`max_storage_buffer_binding_size`). Cloning is cheap and refers
/// to the same buffers.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::Gpu;
/// use wgpu_linear::model::{MlpConfig, Model, Targets};
/// use wgpu_linear::nn::{DeviceDataset, Mlp};
///
/// let gpu = Gpu::new()?;
/// let x = array![[0_u8, 0], [0, 255], [255, 0], [255, 255]];
/// let xor = DeviceDataset::from_bytes(&gpu, x.view(), 1.0 / 255.0, Targets::Classes(&[0, 1, 1, 0]))?;
/// let mut mlp = Mlp::new(&gpu, MlpConfig::new(&[2, 16, 2]))?;
/// mlp.load_dataset(xor)?;
/// for _ in 0..500 {
///     mlp.train_indices(&[2, 0, 3, 1], 4)?;
/// }
/// assert!(mlp.take_loss()?.mean < 0.6);
/// # Ok::<(), wgpu_linear::model::ModelError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DeviceDataset {
    x: wgpu::Buffer,
    /// The factor of bytes; `None` for f32.
    scale: Option<f32>,
    wanted: wgpu::Buffer,
    kind: Kind,
    examples: u32,
    inputs: u32,
}

/// What kind of targets a data set has.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// The example with the highest class, and that class, [`IGNORED`] left out; `None` without
    /// examples. And whether there is an [`IGNORED`] one.
    Classes {
        highest: Option<(usize, u32)>,
        is_masked: bool,
    },
    /// Values per example, the first of them that is no probability, and whether the weight of the
    /// example follows them.
    Values {
        outputs: u32,
        no_probability: NoProbability,
        is_weighted: bool,
    },
}

impl DeviceDataset {
    /// Uploads the rows of `x` and their targets.
    ///
    /// # Errors
    /// [`ModelError::Shape`] where there are not as many targets as rows,
    /// [`ModelError::NonFinite`], [`ModelError::Prepare`] with [`PrepareError::Limit`] where a part
    /// does not fit one binding, [`ModelError::Gpu`] where the device has not enough memory.
    pub fn new(
        gpu: &Gpu,
        x: ArrayView2<'_, f32>,
        targets: Targets<'_>,
    ) -> Result<Self, ModelError> {
        check_finite("x", x)?;
        check_size(gpu, x.len(), 4)?;
        let upload = |gpu: &Gpu| {
            let x = x.as_standard_layout();
            gpu.upload(LABEL, x.as_slice().unwrap_or_default())
        };
        Self::upload(gpu, x.dim(), None, targets, upload)
    }

    /// Uploads bytes that stand for numbers, x_ij = `scale` · byte_ij: the same f32 as
    /// `f32::from(byte) * scale` on the host.
    ///
    /// # Errors
    /// As [`Self::new`]; [`ModelError::Setting`] where 255 · `scale` is not finite.
    pub fn from_bytes(
        gpu: &Gpu,
        x: ArrayView2<'_, u8>,
        scale: f32,
        targets: Targets<'_>,
    ) -> Result<Self, ModelError> {
        if !(scale * 255.0).is_finite() {
            let (name, value) = ("scale", scale);
            return Err(ModelError::Setting { name, value });
        }
        check_size(gpu, x.len(), 1)?;
        let upload = |gpu: &Gpu| gpu.upload(LABEL, &pack(x));
        Self::upload(gpu, x.dim(), Some(scale), targets, upload)
    }

    fn upload(
        gpu: &Gpu,
        (examples, inputs): (usize, usize),
        scale: Option<f32>,
        targets: Targets<'_>,
        x: impl FnOnce(&Gpu) -> Result<wgpu::Buffer, GpuError>,
    ) -> Result<Self, ModelError> {
        let (kind, wanted) = upload_targets(gpu, examples, targets)?;
        Ok(Self {
            x: x(gpu)?,
            scale,
            wanted,
            kind,
            examples: in_u32("x", examples)?,
            inputs: in_u32("x", inputs)?,
        })
    }

    /// Number of examples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.examples as usize
    }

    /// Whether there is no example.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.examples == 0
    }

    /// Elements of each example.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs as usize
    }

    /// Whether some examples weigh more than others.
    pub(super) fn is_weighted(&self) -> bool {
        match self.kind {
            Kind::Classes { is_masked, .. } => is_masked,
            Kind::Values { is_weighted, .. } => is_weighted,
        }
    }

    /// Refuses a data set that a model of these sizes and this loss cannot learn from.
    pub(super) fn check(&self, sizes: &[usize], loss: Loss) -> Result<(), ModelError> {
        check_shape("x", [self.len(), sizes[0]], [self.len(), self.inputs()])?;
        let classes = sizes[sizes.len() - 1];
        match (loss.targets(), self.kind) {
            (TargetKind::Classes, Kind::Classes { highest, .. }) => match highest {
                Some((example, class)) if class as usize >= classes => Err(ModelError::Class {
                    example,
                    class,
                    classes,
                }),
                _ => Ok(()),
            },
            (
                TargetKind::Values,
                Kind::Values {
                    outputs,
                    no_probability,
                    ..
                },
            ) => {
                let actual = [self.len(), outputs as usize];
                check_shape("target values", [self.len(), classes], actual)?;
                check_probabilities(loss, || no_probability)
            }
            _ => Err(ModelError::TargetKind { loss }),
        }
    }

    /// The examples as an operand.
    pub(super) fn examples(&self) -> Examples<'_> {
        let (examples, inputs) = (self.examples, self.inputs);
        match self.scale {
            None => Examples::Values(Matrix::new(&self.x, examples, inputs)),
            Some(scale) => {
                let elements = u64::from(examples) * u64::from(inputs);
                // Fits: a binding is smaller than 4 · 2³² bytes.
                let words = Vector::new(&self.x, elements.div_ceil(4) as u32);
                Examples::Bytes {
                    words,
                    examples,
                    inputs,
                    scale,
                }
            }
        }
    }

    /// The targets as an operand; classes have one column, and weights are the last column.
    pub(super) fn wanted(&self) -> Matrix<'_> {
        let columns = match self.kind {
            Kind::Classes { .. } => 1,
            Kind::Values {
                outputs,
                is_weighted,
                ..
            } => outputs + u32::from(is_weighted),
        };
        Matrix::new(&self.wanted, self.examples, columns)
    }
}

const LABEL: &str = "wgpu_linear::data";

fn upload_targets(
    gpu: &Gpu,
    examples: usize,
    targets: Targets<'_>,
) -> Result<(Kind, wgpu::Buffer), ModelError> {
    const LABEL: &str = "wgpu_linear::wanted";
    match targets {
        Targets::Classes(classes) => {
            check_shape("classes", [1, examples], [1, classes.len()])?;
            check_size(gpu, classes.len(), 4)?;
            let labels = classes.iter().copied().enumerate();
            let kind = Kind::Classes {
                highest: labels
                    .filter(|(_, class)| *class != IGNORED)
                    .max_by_key(|(_, class)| *class),
                is_masked: classes.contains(&IGNORED),
            };
            Ok((kind, gpu.upload(LABEL, classes)?))
        }
        Targets::Values(values) => {
            let kind = values_kind(examples, values, false)?;
            check_size(gpu, values.len(), 4)?;
            let values = values.as_standard_layout();
            let wanted = gpu.upload(LABEL, values.as_slice().unwrap_or_default())?;
            Ok((kind, wanted))
        }
        Targets::WeightedValues { values, weights } => {
            let kind = values_kind(examples, values, true)?;
            check_weights(examples, weights)?;
            check_size(gpu, values.len().saturating_add(weights.len()), 4)?;
            let values = with_weights(values, weights);
            let wanted = gpu.upload(LABEL, values.as_slice().unwrap_or_default())?;
            Ok((kind, wanted))
        }
    }
}

fn values_kind(
    examples: usize,
    values: ArrayView2<'_, f32>,
    is_weighted: bool,
) -> Result<Kind, ModelError> {
    let expected = [examples, values.ncols()];
    check_shape("target values", expected, [values.nrows(), values.ncols()])?;
    check_finite("target values", values)?;
    let outputs = in_u32("target values", values.ncols())?;
    Ok(Kind::Values {
        outputs,
        no_probability: first_other_than_probability(values),
        is_weighted,
    })
}

/// The weight of each row behind its values, in standard layout.
pub(super) fn with_weights(values: ArrayView2<'_, f32>, weights: &[f32]) -> Array2<f32> {
    let outputs = values.ncols();
    Array2::from_shape_fn((values.nrows(), outputs + 1), |(i, j)| {
        if j < outputs {
            values[[i, j]]
        } else {
            weights[i]
        }
    })
}

/// Refuses what no kernel could bind before it is copied.
fn check_size(gpu: &Gpu, elements: usize, element_bytes: u64) -> Result<(), PrepareError> {
    let required = (elements as u64).saturating_mul(element_bytes);
    let allowed = gpu.device().limits().max_storage_buffer_binding_size;
    if required <= allowed {
        return Ok(());
    }
    Err(PrepareError::Limit {
        operation: LABEL,
        name: "max_storage_buffer_binding_size",
        required,
        allowed,
    })
}

/// Four bytes to a word, the first in the lowest bits.
fn pack(x: ArrayView2<'_, u8>) -> Vec<u32> {
    let x = x.as_standard_layout();
    let word = |bytes: &[u8]| {
        let mut word = [0; 4];
        word.iter_mut()
            .zip(bytes)
            .for_each(|(to, byte)| *to = *byte);
        u32::from_le_bytes(word)
    };
    // In standard layout there is always a slice.
    x.as_slice()
        .unwrap_or_default()
        .chunks(4)
        .map(word)
        .collect()
}

fn in_u32(what: &'static str, len: usize) -> Result<u32, ModelError> {
    u32::try_from(len).map_err(|_| ModelError::Shape {
        what,
        expected: [u32::MAX as usize; 2],
        actual: [len, len],
    })
}

#[cfg(test)]
mod tests {
    use super::pack;
    use ndarray::array;

    #[test]
    fn pack_puts_the_first_byte_lowest_and_fills_the_last_word_with_zeros() {
        assert_eq!(
            pack(array![[1, 2, 3], [4, 5, 6]].view()),
            [0x0403_0201, 0x0605]
        );
    }
}
