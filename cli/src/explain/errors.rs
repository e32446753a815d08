//! Where a network is most wrong.

use std::cmp::Ordering;

use ndarray::{ArrayView1, ArrayView2};
use wgpu_linear::model::{IGNORED, Targets};

/// An answer beside what would have been right.
#[derive(Clone, Debug, PartialEq)]
pub enum Judged {
    /// A class.
    Class {
        /// The class that is right.
        actual: usize,
        /// The class of the largest output.
        predicted: usize,
        /// The probability that the network gives `predicted`.
        confidence: f64,
    },
    /// Values, one for each output.
    Values {
        /// What is right.
        actual: Vec<f32>,
        /// What the network answered.
        predicted: Vec<f32>,
    },
}

/// An example with a high loss.
#[derive(Clone, Debug, PartialEq)]
pub struct WorstError {
    /// Its row in the outputs.
    pub example: usize,
    /// Of classes the cross-entropy −ln p of the probability given to the right class; of values
    /// the mean of squares Σ_j (t_j − y_j)² / outputs. Infinite where an output is not finite.
    pub loss: f64,
    /// Answer and truth.
    pub judged: Judged,
}

/// The `n` examples of the highest loss, the worst first; of equal ones, the first of the data set
/// first.
///
/// `outputs`, examples × outputs, are those of [`Model::predict`](wgpu_linear::model::Model): for
/// classes logits; for values the answers themselves. Examples that are to be ignored are left out.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::model::Targets;
/// use wgpu_linear_cli::explain::worst_errors;
///
/// let outputs = array![[9.0, 0.0], [9.0, 0.0], [0.0, 1.0]];
/// let worst = worst_errors(outputs.view(), Targets::Classes(&[0, 1, 1]), 2);
/// assert_eq!([worst[0].example, worst[1].example], [1, 2]);
/// ```
#[must_use]
pub fn worst_errors(
    outputs: ArrayView2<'_, f32>,
    targets: Targets<'_>,
    n: usize,
) -> Vec<WorstError> {
    let mut losses: Vec<(usize, f64)> = (0..outputs.nrows())
        .filter_map(|example| Some((example, loss(outputs.row(example), targets, example)?)))
        .collect();
    // No loss is NaN; the sort is stable.
    losses.sort_by(|a, b| b.1.total_cmp(&a.1));
    losses.truncate(n);
    let error = |(example, loss): (usize, f64)| WorstError {
        example,
        loss,
        judged: judged(outputs.row(example), targets, example),
    };
    losses.into_iter().map(error).collect()
}

fn loss(row: ArrayView1<'_, f32>, targets: Targets<'_>, example: usize) -> Option<f64> {
    let loss = match targets {
        Targets::Classes(labels) => {
            let label = *labels.get(example)?;
            if label == IGNORED || label as usize >= row.len() {
                return None;
            }
            -log_probability(row, label as usize)
        }
        Targets::Values(y) | Targets::WeightedValues { values: y, .. } => {
            let pairs = row.iter().zip(y.row(example));
            let squares = pairs.map(|(t, y)| (f64::from(*t) - f64::from(*y)).powi(2));
            squares.sum::<f64>() / row.len() as f64
        }
    };
    Some(if loss.is_finite() {
        loss
    } else {
        f64::INFINITY
    })
}

fn judged(row: ArrayView1<'_, f32>, targets: Targets<'_>, example: usize) -> Judged {
    match targets {
        Targets::Classes(labels) => {
            let actual = labels[example] as usize;
            let predicted = predicted_class(row, actual);
            Judged::Class {
                actual,
                predicted,
                confidence: log_probability(row, predicted).exp(),
            }
        }
        Targets::Values(y) | Targets::WeightedValues { values: y, .. } => Judged::Values {
            actual: y.row(example).to_vec(),
            predicted: row.to_vec(),
        },
    }
}

/// ln of the softmax: t_class − ln Σ_j exp t_j.
fn log_probability(logits: ArrayView1<'_, f32>, class: usize) -> f64 {
    let logits: Vec<f64> = logits.iter().copied().map(f64::from).collect();
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|t| (t - largest).exp()).sum();
    logits[class] - largest - sum.ln()
}

/// The softmax of a row of logits: exp t_i / Σ_j exp t_j.
#[must_use]
pub fn probabilities(logits: ArrayView1<'_, f32>) -> Vec<f64> {
    let all = 0..logits.len();
    all.map(|class| log_probability(logits, class).exp())
        .collect()
}

/// The class that a row of outputs stands for: that of the largest output. As the accuracy has it,
/// the right one, `actual`, must be strictly larger than all others, and next to a NaN it is not.
#[must_use]
pub fn predicted_class(row: ArrayView1<'_, f32>, actual: usize) -> usize {
    let right = row[actual];
    let others = row.iter().copied().enumerate();
    let mut best: Option<(usize, f32)> = None;
    for (class, value) in others.filter(|(class, _)| *class != actual) {
        if best.is_none_or(|(_, most)| value.is_nan() || value > most) {
            best = Some((class, value));
        }
    }
    let is_beaten = |value: f32| !matches!(right.partial_cmp(&value), Some(Ordering::Greater));
    best.filter(|(_, value)| is_beaten(*value))
        .map_or(actual, |(class, _)| class)
}
