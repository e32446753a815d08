//! `elementwise_loss.wgsl`: the losses that compare every output with a value.

use std::borrow::Cow;

use ndarray::Array2;

use super::elements::{self, PROBED_WORKGROUPS};
use super::kernels::NetworkKernels;
use super::loss::LossStep;
use super::optimizer::wide;
use super::weights::{RowWeightSum, Weights};
use crate::kernel::{
    Binding, Dispatch, File, Kernel, Matrix, Operand, PrepareError, Probe, Uniform, Vector, Wanted,
    expect_matrix, expect_vector, file, quarters, uniform,
};
use crate::model::Loss;
use crate::reference;

/// Operands of [`NetworkKernels::elementwise_loss`].
#[derive(Clone, Copy, Debug)]
pub struct ElementwiseLoss<'a> {
    /// Which loss; one that takes values.
    pub loss: Loss,
    /// t, batch × outputs; read.
    pub t: Matrix<'a>,
    /// y, the values wanted, batch × outputs; read. With a `weight_sum`, batch × (outputs + 1): the
    /// last column is the weight of each row.
    pub y: Matrix<'a>,
    /// One element, the sum of the weights, see [`NetworkKernels::row_weight_sum`]; read. `None`
    /// where each row weighs 1.
    pub weight_sum: Option<Vector<'a>>,
    /// weight · loss(t, y) / outputs, batch × outputs; overwritten.
    pub element_loss: Matrix<'a>,
    /// Gradient of Σ `element_loss` / `weight_sum`, batch × outputs; overwritten.
    pub dt: Matrix<'a>,
}

uniform! {
    /// `Dims` in `elementwise_loss.wgsl`.
    struct Dims {
        batch: u32,
        outputs: u32,
        parameter: f32,
    }
}

const BINDINGS: &[Binding] = &[
    Binding::dims::<Dims>(),
    Binding::read(1, "t"),
    Binding::read(2, "y"),
    Binding::write(3, "element_loss"),
    Binding::write(4, "dt"),
];

const WEIGHTED_BINDINGS: &[Binding] = &[
    BINDINGS[0],
    BINDINGS[1],
    BINDINGS[2],
    BINDINGS[3],
    BINDINGS[4],
    Binding::read(6, "weight_sum"),
];

/// The functions `loss` and `slope` of a loss; `None` where it is not one of elements.
const fn functions(loss: Loss) -> Option<File> {
    match loss {
        Loss::SoftmaxCrossEntropy => None,
        Loss::MeanSquaredError => Some(file!("parts/losses/mean_squared_error.wgsl")),
        Loss::MeanAbsoluteError => Some(file!("parts/losses/mean_absolute_error.wgsl")),
        Loss::Huber { .. } => Some(file!("parts/losses/huber.wgsl")),
        Loss::BinaryCrossEntropy => Some(file!("parts/losses/binary_cross_entropy.wgsl")),
    }
}

fn kernel(loss: Loss, weights: Weights) -> Kernel {
    let (variant, bindings) = match weights {
        Weights::None => (Cow::Borrowed(loss.name()), BINDINGS),
        _ => (
            format!("{} weighted", loss.name()).into(),
            WEIGHTED_BINDINGS,
        ),
    };
    let choices = functions(loss).into_iter().chain([weights.file()]);
    let file = (file!("elementwise_loss.wgsl"), "elementwise_loss");
    Kernel {
        variant,
        choices: choices.collect(),
        ..elements::kernel("wgpu_linear::elementwise_loss", file, bindings)
    }
}

/// The kernels of all losses of elements.
pub(super) fn kernels() -> impl Iterator<Item = Kernel> {
    let losses = Loss::ALL.into_iter();
    losses
        .filter(|loss| functions(*loss).is_some())
        .flat_map(|loss| [Weights::None, Weights::Rows].map(|weights| kernel(loss, weights)))
}

impl NetworkKernels {
    /// element_loss = loss(t, y) / outputs and dt = slope(t, y) / (batch · outputs), with the
    /// functions of `shaders/parts/losses/`; with weights of rows, both times the weight, and
    /// `weight_sum` in the place of the batch.
    ///
    /// The values are not checked. Where t is not finite, neither are loss and gradient, but in rows
    /// of weight 0, which have zeros.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`]; [`PrepareError::Source`] for
    /// [`Loss::SoftmaxCrossEntropy`], which has no such functions.
    pub fn elementwise_loss(
        &self,
        operands: ElementwiseLoss<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let ElementwiseLoss {
            loss,
            t,
            y,
            weight_sum,
            element_loss,
            dt,
        } = operands;
        let weights = match weight_sum {
            None => Weights::None,
            Some(_) => Weights::Rows,
        };
        let kernel = kernel(loss, weights);
        let columns = t.columns + u32::from(weight_sum.is_some());
        expect_matrix(kernel.label, "y", y, t.rows, columns)?;
        for (name, view) in [("element_loss", element_loss), ("dt", dt)] {
            expect_matrix(kernel.label, name, view, t.rows, t.columns)?;
        }
        let mut operands = vec![
            Operand::matrix("t", t),
            Operand::matrix("y", y),
            Operand::matrix("element_loss", element_loss),
            Operand::matrix("dt", dt),
        ];
        if let Some(weight_sum) = weight_sum {
            expect_vector(kernel.label, "weight_sum", weight_sum, 1)?;
            operands.push(Operand::vector("weight_sum", weight_sum));
        }
        let dims = Dims {
            batch: t.rows,
            outputs: t.columns,
            parameter: loss.parameter().map_or(0.0, |(_, value)| value),
        };
        let probe = || probe(loss, weights);
        self.elementwise(&kernel, dims.contents(), &operands, t.elements(), &probe)
    }
}

/// More elements than a workgroup has threads; one of the rows weighs nothing.
fn probe(loss: Loss, weights: Weights) -> Probe {
    let loss = match loss {
        Loss::Huber { .. } => Loss::Huber { delta: 1.0 },
        loss => loss,
    };
    let is_weighted = weights != Weights::None;
    let (rows, outputs) = (7, 41);
    let row_weight = |row| if is_weighted { row as f32 / 4.0 } else { 1.0 };
    let row_weights: Vec<f32> = (0..rows).map(row_weight).collect();
    let t = quarters(1, rows * outputs);
    // Probabilities.
    let y = quarters(2, rows * outputs).into_iter();
    let y: Vec<f32> = y.map(|y| y.abs() / 2.0).collect();
    let twin = twin(loss, [&t, &y], &row_weights);
    let mut beside = Vec::new();
    for (y, weight) in y.chunks_exact(outputs).zip(&row_weights) {
        beside.extend(y);
        beside.extend(is_weighted.then_some(weight));
    }
    let dims = Dims {
        batch: rows as u32,
        outputs: outputs as u32,
        parameter: loss.parameter().map_or(0.0, |(_, value)| value),
    };
    let probe = Probe::new(dims.contents(), PROBED_WORKGROUPS)
        .reads(&t)
        .reads(&beside);
    let [losses, slopes] = twin.map(Wanted::near);
    let probe = probe.writes(losses).writes(slopes);
    if is_weighted {
        probe.reads(&[row_weights.iter().sum()])
    } else {
        probe
    }
}

/// `element_loss` and dt, in as many rows as there are weights.
fn twin(loss: Loss, values: [&[f32]; 2], row_weights: &[f32]) -> [Array2<f64>; 2] {
    let rows = row_weights.len();
    let [t, y] = values.map(|values| {
        let outputs = values.len() / rows;
        Array2::from_shape_fn((rows, outputs), |(i, j)| f64::from(values[i * outputs + j]))
    });
    let weights = wide(row_weights);
    let (losses, slopes) =
        reference::weighted_elementwise_loss(loss, t.view(), y.view(), weights.view());
    [losses, slopes]
}

/// Loss, gradient and running total of a batch.
pub(super) fn step(
    kernels: &NetworkKernels,
    loss: Loss,
    operands: &LossStep<'_>,
) -> Result<Vec<Dispatch>, PrepareError> {
    let LossStep {
        t, targets: y, dt, ..
    } = *operands;
    let mut dispatches = Vec::new();
    let buffer;
    let mut weight_sum = None;
    if operands.is_weighted {
        buffer = kernels.weight_sum()?;
        let sum = Vector::new(&buffer, 1);
        dispatches.push(kernels.row_weight_sum(RowWeightSum { y, sum })?);
        weight_sum = Some(sum);
    }
    dispatches.push(kernels.elementwise_loss(ElementwiseLoss {
        loss,
        t,
        y,
        weight_sum,
        element_loss: Matrix::new(operands.losses, t.rows, t.columns),
        dt,
    })?);
    let losses = Vector::new(operands.losses, t.rows.saturating_mul(t.columns));
    dispatches.push(operands.accumulate(kernels, losses, weight_sum)?);
    Ok(dispatches)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TargetKind;

    #[test]
    fn every_loss_of_values_has_the_file_of_its_name() {
        for loss in Loss::ALL {
            let path = format!("parts/losses/{}.wgsl", loss.name());
            match functions(loss) {
                Some(file) => assert_eq!(file.name, path),
                None => assert_eq!(loss.targets(), TargetKind::Classes),
            }
        }
    }
}
