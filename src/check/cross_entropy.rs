//! Cases of the loss of classifiers, with weights of classes and with smoothed labels.

use ndarray::{Array1, Array2};

use super::activations::within;
use super::bounds::gamma;
use super::case::{Case, Expected, Kernels, Trouble, Work};
use super::losses::{Batch, SHAPES, name};
use super::operands::{Operands, Place, Uploaded};
use super::totals::of_total;
use crate::model::IGNORED;
use crate::nn::{
    ClassWeightSum, ClassWeights, LOSS_TOTAL_WORDS, SoftmaxCrossEntropy, SoftmaxCrossEntropySmall,
};
use crate::reference;

/// An error of so much of the largest exponential, and of the loss: WGSL grants exp an error of 3 +
/// 2|x| units in the last place, and log one of 2⁻²¹.
const SOFTMAX: f64 = 2e-6;

/// Of a case.
#[derive(Clone, Copy)]
struct Kind {
    sizes: [usize; 2],
    smoothing: f32,
    /// Some logits are not finite.
    is_odd: bool,
}

impl Kind {
    fn batch(self) -> Batch {
        let batch = Batch::new(self.sizes);
        if self.is_odd {
            batch.with_odd_logits()
        } else {
            batch.with_large_logit()
        }
    }

    /// Where a NaN is wanted, one that is not stored would do.
    fn output(self, len: usize, operands: &mut Operands) -> Place {
        if self.is_odd {
            operands.updated(&vec![1.0; len])
        } else {
            operands.output(len)
        }
    }

    fn variant(self, weighted: &str) -> String {
        let smoothed = if self.smoothing > 0.0 { "smoothed" } else { "" };
        let odd = if self.is_odd { "not finite" } else { "" };
        let words = [weighted, smoothed, odd].into_iter();
        words
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let shapes = SHAPES.map(|sizes| (sizes, false));
    for (sizes, is_odd) in shapes.into_iter().chain([([6, 5], true)]) {
        for smoothing in [0.0, 0.1] {
            let kind = Kind {
                sizes,
                smoothing,
                is_odd,
            };
            let name = |operation, weighted| name(operation, sizes, &kind.variant(weighted));
            let softmax = |weighted| name("softmax_cross_entropy", weighted);
            let small = name("softmax_cross_entropy_small", "");
            cases.extend([
                Case::new(softmax(""), move |kernels| plain(kind, kernels)),
                Case::new(softmax("weighted"), move |kernels| weighted(kind, kernels)),
                Case::new(small, move |kernels| self::small(kind, kernels)),
            ]);
        }
    }
    let name = name("softmax_cross_entropy", [4, 3], "weightless smoothed");
    cases.push(Case::new(name, weightless));
    cases
}

/// What must come of a batch.
struct Twin {
    loss: Array1<f64>,
    slopes: Array2<f64>,
    /// What all classes together should have of each row; its weight, where nothing is smoothed.
    parts: Array1<f64>,
    /// Of the parts, and of the losses.
    error: f64,
}

impl Twin {
    /// No weights of classes where each is 1.
    fn new(batch: &Batch, labels: &[u32], class_weights: &[f32], smoothing: f32) -> Self {
        let (t, classes) = (batch.wide_t(), batch.t.ncols());
        let is_smoothed = smoothing > 0.0;
        let (mut loss, mut slopes) = match class_weights {
            weights if is_smoothed => {
                reference::smoothed_softmax_cross_entropy(t.view(), labels, weights, smoothing)
            }
            [] => reference::softmax_cross_entropy(t.view(), labels),
            weights => reference::weighted_softmax_cross_entropy(t.view(), labels, weights),
        };
        let (smoothing, mut parts) = (f64::from(smoothing), label_weights(class_weights, labels));
        let all: f64 = class_weights.iter().copied().map(f64::from).sum();
        if is_smoothed && !class_weights.is_empty() {
            let spread = smoothing * all / classes as f64;
            let smoothed = labels.iter().zip(&mut parts);
            smoothed
                .filter(|(label, _)| **label != IGNORED)
                .for_each(|(_, part)| *part = (1.0 - smoothing) * *part + spread);
        }
        // Whatever the functions make of it. Rows that weigh nothing have zeros.
        for (i, row) in t.rows().into_iter().enumerate() {
            if row.iter().any(|t| !t.is_finite()) && parts[i] != 0.0 {
                loss[i] = f64::NAN;
                slopes.row_mut(i).fill(f64::NAN);
            }
        }
        // Smoothed, a row has a part of each class to make, in a division and four other steps, and
        // to add.
        let of_parts = if is_smoothed {
            gamma(classes + 10)
        } else {
            0.0
        };
        Self {
            loss,
            slopes,
            parts,
            error: SOFTMAX + of_parts,
        }
    }

    fn row_losses(&self, place: Place) -> Expected {
        let losses = self.loss.iter().zip(&self.parts);
        let bounds = losses.map(|(loss, part)| self.error * loss.max(*part));
        Expected::within("row_loss", place, self.loss.clone(), bounds).finite_or_not()
    }

    /// Divided by the weight of the batch, which has an error of its own.
    fn slopes(&self, place: Place, [all, error]: [f64; 2]) -> Expected {
        let share = (self.error + error) / all;
        let bound = |(row, _)| share * self.parts[row];
        let bounds = Array2::from_shape_fn(self.slopes.dim(), bound);
        within("dt", place, (self.slopes.clone(), bounds)).finite_or_not()
    }
}

/// One label in three is masked, never the first.
fn masked(labels: &[u32]) -> Vec<u32> {
    let masked = |(i, label): (usize, &u32)| if i % 3 == 2 { IGNORED } else { *label };
    labels.iter().enumerate().map(masked).collect()
}

/// The weight of each row by its label.
fn label_weights(class_weights: &[f32], labels: &[u32]) -> Array1<f64> {
    let weight = |label: &u32| match class_weights {
        [] => 1.0,
        weights => weights.get(*label as usize).copied().map_or(0.0, f64::from),
    };
    labels.iter().map(weight).collect()
}

fn plain(kind: Kind, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let (batch, [rows, classes]) = (kind.batch(), kind.sizes);
    let smoothing = kind.smoothing;
    let mut operands = Operands::default();
    let t = operands.input(&batch.t);
    let labels = operands.words(batch.labels.iter().copied());
    let [row_loss, dt] = [rows, batch.t.len()].map(|len| kind.output(len, &mut operands));
    let twin = Twin::new(&batch, &batch.labels, &[], smoothing);
    let expected = vec![
        twin.row_losses(row_loss),
        twin.slopes(dt, [rows as f64, 0.0]),
    ];
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let operands = SoftmaxCrossEntropy {
            t: on.matrix(t, classes),
            labels: on.vector(labels),
            weights: None,
            label_smoothing: smoothing,
            row_loss: on.vector(row_loss),
            dt: on.matrix(dt, classes),
        };
        Ok(vec![kernels.network.softmax_cross_entropy(operands)?])
    })
}

fn weighted(kind: Kind, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let (batch, [rows, classes]) = (kind.batch(), kind.sizes);
    let smoothing = kind.smoothing;
    let masked = masked(&batch.labels);
    let mut operands = Operands::default();
    let t = operands.input(&batch.t);
    // Any number that is no class is as good, and this one next to the last of them.
    let unknown = |label: &u32| (*label).min(classes as u32);
    let labels = operands.words(masked.iter().map(unknown));
    let weights = operands.input(&batch.class_weights);
    let sum = operands.between(1);
    let [row_loss, dt] = [rows, batch.t.len()].map(|len| kind.output(len, &mut operands));
    let twin = Twin::new(&batch, &masked, &batch.class_weights, smoothing);
    let all = label_weights(&batch.class_weights, &masked).sum();
    let expected = vec![
        Expected::within("weight_sum", sum, [all], [gamma(rows) * all]),
        twin.row_losses(row_loss),
        twin.slopes(dt, [all, gamma(rows)]),
    ];
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let (labels, class_weights) = (on.vector(labels), on.vector(weights));
        let weight_sum = on.vector(sum);
        let sum_operands = ClassWeightSum {
            labels,
            class_weights,
            sum: weight_sum,
        };
        let operands = SoftmaxCrossEntropy {
            t: on.matrix(t, classes),
            labels,
            weights: Some(ClassWeights {
                class_weights,
                weight_sum,
            }),
            label_smoothing: smoothing,
            row_loss: on.vector(row_loss),
            dt: on.matrix(dt, classes),
        };
        Ok(vec![
            kernels.network.class_weight_sum(sum_operands)?,
            kernels.network.softmax_cross_entropy(operands)?,
        ])
    })
}

/// Every class weighs 0.
fn weightless(kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let (rows, classes) = (4, 3);
    let batch = Batch::new([rows, classes]);
    let mut operands = Operands::default();
    let t = operands.input(&batch.t);
    let labels = operands.words(batch.labels.iter().copied());
    let [weights, sum] = [classes, 1].map(|len| operands.input(&vec![0.0; len]));
    let [row_loss, dt] = [rows, batch.t.len()].map(|len| operands.output(len));
    let zeros = |result, place: Place| Expected::exactly(result, place, vec![0.0; place.len]);
    let expected = vec![zeros("row_loss", row_loss), zeros("dt", dt)];
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let operands = SoftmaxCrossEntropy {
            t: on.matrix(t, classes),
            labels: on.vector(labels),
            weights: Some(ClassWeights {
                class_weights: on.vector(weights),
                weight_sum: on.vector(sum),
            }),
            label_smoothing: 0.1,
            row_loss: on.vector(row_loss),
            dt: on.matrix(dt, classes),
        };
        Ok(vec![kernels.network.softmax_cross_entropy(operands)?])
    })
}

fn small(kind: Kind, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let (batch, [rows, classes]) = (kind.batch(), kind.sizes);
    let smoothing = kind.smoothing;
    let mut operands = Operands::default();
    let t = operands.input(&batch.t);
    let labels = operands.words(batch.labels.iter().copied());
    let dt = kind.output(batch.t.len(), &mut operands);
    let total = operands.updated_words([0; LOSS_TOTAL_WORDS as usize]);
    let twin = Twin::new(&batch, &batch.labels, &[], smoothing);
    let mean = twin.loss.sum() / rows as f64;
    let mean_bound = twin.error * (1 + rows) as f64 * mean.max(1.0 / rows as f64);
    let expected = vec![
        twin.slopes(dt, [rows as f64, 0.0]),
        of_total(total, [mean, rows as f64], mean_bound).finite_or_not(),
    ];
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let operands = SoftmaxCrossEntropySmall {
            t: on.matrix(t, classes),
            labels: on.vector(labels),
            label_smoothing: smoothing,
            dt: on.matrix(dt, classes),
            total: on.vector(total),
        };
        Ok(vec![kernels.network.softmax_cross_entropy_small(operands)?])
    })
}
