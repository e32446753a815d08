//! Cases of the losses of values, and of the sums of their weights.

use ndarray::{Array1, Array2, Axis, concatenate};

use super::activations::within;
use super::bounds::{U, gamma};
use super::case::{Case, Expected, Kernels, Trouble, Work};
use super::operands::{Operands, Uploaded};
use super::outcome::CheckName;
use crate::model::{Loss, TargetKind};
use crate::nn::{ElementwiseLoss, RowWeightSum};
use crate::reference;

/// Batch and outputs, one of either more than a workgroup has threads.
pub(super) const SHAPES: [[usize; 2]; 4] = [[1, 1], [65, 7], [3, 300], [260, 2]];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for sizes in SHAPES {
        let values = |loss: &Loss| loss.targets() == TargetKind::Values;
        for loss in Loss::ALL.into_iter().filter(values) {
            let name = |variant: &str| name("elementwise_loss", sizes, variant);
            let weighted = format!("{} weighted", loss.name());
            cases.extend([
                Case::new(name(loss.name()), move |kernels| {
                    elementwise(loss, sizes, kernels)
                }),
                Case::new(name(&weighted), move |kernels| {
                    weighted_elementwise(loss, sizes, kernels)
                }),
            ]);
        }
    }
    let odd = name("elementwise_loss", [ODD.len(), 1], "not finite");
    cases.push(Case::new(odd, not_finite));
    cases
}

pub(super) fn name(
    operation: &'static str,
    [batch, outputs]: [usize; 2],
    variant: &str,
) -> CheckName {
    CheckName {
        operation,
        shape: format!("{batch}×{outputs}"),
        variant: variant.to_owned(),
    }
}

/// Outputs in ±4, targets of both kinds, and weights, some of which are 0.
pub(super) struct Batch {
    pub(super) t: Array2<f32>,
    pub(super) labels: Vec<u32>,
    y: Array2<f32>,
    row_weights: Array1<f32>,
    pub(super) class_weights: Vec<f32>,
}

impl Batch {
    pub(super) fn new([batch, outputs]: [usize; 2]) -> Self {
        let mut random = fastrand::Rng::with_seed((batch * 1_009 + outputs) as u64);
        let mut weights = |len: usize| -> Vec<f32> {
            // The first is something to divide by.
            let weight = |i| {
                if i > 0 && i % 4 == 3 {
                    0.0
                } else {
                    1.0 + 3.0 * random.f32()
                }
            };
            (0..len).map(weight).collect()
        };
        let (row_weights, class_weights) = (weights(batch).into(), weights(outputs));
        let mut number = || random.f32();
        let mut t = Array2::from_shape_simple_fn((batch, outputs), || 8.0 * number() - 4.0);
        // Probabilities, 0 and 1 among them.
        let probability = || (1.5 * number() - 0.25).clamp(0.0, 1.0);
        let y = Array2::from_shape_simple_fn((batch, outputs), probability);
        // Some are met exactly.
        let met = t.iter_mut().zip(&y).skip(4).step_by(5);
        met.for_each(|(t, y)| *t = *y);
        let labels = (0..batch).map(|i| (i * i % outputs) as u32).collect();
        Self {
            t,
            labels,
            y,
            row_weights,
            class_weights,
        }
    }

    /// For six rows of five: all logits are finite in the fifth alone.
    pub(super) fn with_odd_logits(mut self) -> Self {
        self.t[[0, 1]] = f32::INFINITY;
        self.t[[1, 2]] = f32::NAN;
        self.t[[2, 0]] = f32::NEG_INFINITY;
        self.t.row_mut(3).fill(f32::NEG_INFINITY);
        self.t[[5, 4]] = f32::NAN;
        self
    }

    /// With one that no exponential of f32 bears.
    pub(super) fn with_large_logit(mut self) -> Self {
        let (rows, columns) = self.t.dim();
        self.t[[rows / 2, columns - 1]] = 200.0;
        self
    }

    pub(super) fn wide_t(&self) -> Array2<f64> {
        self.t.mapv(f64::from)
    }
}

/// Subtraction, product, division, and 2.5 units in the last place that WGSL grants a division. The
/// logistic function of the cross-entropy adds an exponential, for which 3 + 2|t| units are granted,
/// and its logarithm 2⁻²¹.
fn elementwise_bounds(
    loss: Loss,
    t: &Array2<f32>,
    [losses, slopes]: [&Array2<f64>; 2],
) -> [Array2<f64>; 2] {
    let (batch, outputs) = t.dim();
    let of_parts = |value: &f64| 12.0 * U * value.abs();
    let [mut losses, mut slopes] = [losses, slopes].map(|values| values.map(of_parts));
    if loss == Loss::BinaryCrossEntropy {
        let exponential = t.mapv(|t| U * (8.0 + 2.0 * f64::from(t.abs()).min(100.0)));
        losses += &(exponential.mapv(|e| e + 4.0 * U) / outputs as f64);
        slopes += &(exponential / (batch * outputs) as f64);
    }
    [losses, slopes]
}

fn elementwise(loss: Loss, sizes: [usize; 2], kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let (batch, [_, outputs]) = (Batch::new(sizes), sizes);
    let mut operands = Operands::default();
    let [t, y] = [&batch.t, &batch.y].map(|values| operands.input(values));
    let [element_loss, dt] = [0; 2].map(|_| operands.output(batch.t.len()));
    let wide_y = batch.y.mapv(f64::from);
    let (losses, slopes) = reference::elementwise_loss(loss, batch.wide_t().view(), wide_y.view());
    let [loss_bound, bound] = elementwise_bounds(loss, &batch.t, [&losses, &slopes]);
    let expected = vec![
        within("element_loss", element_loss, (losses, loss_bound)),
        within("dt", dt, (slopes, bound)),
    ];
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let operands = ElementwiseLoss {
            loss,
            t: on.matrix(t, outputs),
            y: on.matrix(y, outputs),
            weight_sum: None,
            element_loss: on.matrix(element_loss, outputs),
            dt: on.matrix(dt, outputs),
        };
        Ok(vec![kernels.network.elementwise_loss(operands)?])
    })
}

fn weighted_elementwise(
    loss: Loss,
    sizes: [usize; 2],
    kernels: &Kernels<'_>,
) -> Result<Work, Trouble> {
    let (batch, [rows, outputs]) = (Batch::new(sizes), sizes);
    let weights = batch.row_weights.view();
    let y = concatenate![Axis(1), batch.y, weights.insert_axis(Axis(1))];
    let mut operands = Operands::default();
    let [t, y] = [&batch.t, &y].map(|values| operands.input(values));
    let sum = operands.between(1);
    let [element_loss, dt] = [0; 2].map(|_| operands.output(batch.t.len()));
    let [wide_y, wide_t] = [&batch.y, &batch.t].map(|values| values.mapv(f64::from));
    let weights = batch.row_weights.mapv(f64::from);
    let (losses, slopes) =
        reference::weighted_elementwise_loss(loss, wide_t.view(), wide_y.view(), weights.view());
    let [loss_bound, bound] = elementwise_bounds(loss, &batch.t, [&losses, &slopes]);
    // These have a part for weights of 1: 4 is the largest, over at least 1. The sum of weights adds
    // its own error, and a product.
    let of_sum = (gamma(rows + 8) + 2.0 * U) * slopes.mapv(f64::abs);
    let bound = bound * (4.0 * rows as f64) + of_sum;
    let loss_bound = loss_bound * 4.0 + U * losses.mapv(f64::abs);
    let expected = vec![
        Expected::within(
            "weight_sum",
            sum,
            [weights.sum()],
            [gamma(rows) * weights.sum()],
        ),
        within("element_loss", element_loss, (losses, loss_bound)),
        within("dt", dt, (slopes, bound)),
    ];
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let (y, weight_sum) = (on.matrix(y, outputs + 1), on.vector(sum));
        let sum = RowWeightSum { y, sum: weight_sum };
        let operands = ElementwiseLoss {
            loss,
            t: on.matrix(t, outputs),
            y,
            weight_sum: Some(weight_sum),
            element_loss: on.matrix(element_loss, outputs),
            dt: on.matrix(dt, outputs),
        };
        Ok(vec![
            kernels.network.row_weight_sum(sum)?,
            kernels.network.elementwise_loss(operands)?,
        ])
    })
}

/// Rows of one output, each with its weight.
const ODD: [(f32, f32); 7] = [
    (f32::INFINITY, 2.0),
    (f32::NEG_INFINITY, 1.0),
    (f32::NAN, 1.0),
    (f32::INFINITY, 0.0),
    (f32::NAN, 0.0),
    (3.0, 0.0),
    (3.0, 4.0),
];

/// What is not finite is neither in loss nor gradient, but for rows that weigh nothing.
fn not_finite(kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let mut operands = Operands::default();
    let t = operands.input(&ODD.map(|(t, _)| t));
    let y = ODD.map(|(_, weight)| [1.0, weight]);
    let y = operands.input(y.as_flattened());
    let sum = operands.input(&[8.0]);
    // A NaN that is not stored would do.
    let [element_loss, dt] = [0; 2].map(|_| operands.updated(&[1.0; ODD.len()]));
    let of = |sound: f64| {
        ODD.map(|(t, weight)| match t.is_finite() || weight == 0.0 {
            true => f64::from(weight) * sound,
            false => f64::NAN,
        })
    };
    let within = |result, place, values: [f64; ODD.len()]| {
        let bounds = values.map(|value| 12.0 * U * value);
        Expected::within(result, place, values, bounds).finite_or_not()
    };
    let expected = vec![
        within("element_loss", element_loss, of(4.0)),
        within("dt", dt, of(4.0 / 8.0)),
    ];
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let operands = ElementwiseLoss {
            loss: Loss::MeanSquaredError,
            t: on.matrix(t, 1),
            y: on.matrix(y, 2),
            weight_sum: Some(on.vector(sum)),
            element_loss: on.matrix(element_loss, 1),
            dt: on.matrix(dt, 1),
        };
        Ok(vec![kernels.network.elementwise_loss(operands)?])
    })
}
