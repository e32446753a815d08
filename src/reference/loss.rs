//! Twins of `softmax_cross_entropy.wgsl` and `elementwise_loss.wgsl`.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, NdFloat, Zip};

use super::float::{cast, count};
use crate::model::{Loss, Targets};

/// (row_loss, dt): row_loss_i = log Σ_j exp t_ij − t_i,label and dt = (softmax(t) − onehot(label))
/// / batch.
///
/// The maximum of a row is subtracted before exponentials are taken, so that large logits do not
/// overflow.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::reference::softmax_cross_entropy;
/// let (loss, dt) = softmax_cross_entropy(array![[1000.0_f64, 1000.0]].view(), &[0]);
/// assert!((loss[0] - 2.0_f64.ln()).abs() < 1e-12);
/// assert_eq!(dt, array![[-0.5, 0.5]]);
/// ```
///
/// # Panics
/// Where a label is not below the number of columns, or there are not as many labels as rows.
#[must_use]
pub fn softmax_cross_entropy<F: NdFloat>(
    t: ArrayView2<'_, F>,
    labels: &[u32],
) -> (Array1<F>, Array2<F>) {
    assert_eq!(t.nrows(), labels.len(), "one label per row");
    let batch = count(t.nrows());
    let mut row_loss = Array1::zeros(t.nrows());
    let mut dt = t.to_owned();
    for ((row, label), loss) in dt.rows_mut().into_iter().zip(labels).zip(&mut row_loss) {
        *loss = softmax_cross_entropy_row(row, *label, batch);
    }
    (row_loss, dt)
}

/// One row: the loss, with dt in the place of t.
fn softmax_cross_entropy_row<F: NdFloat>(mut row: ArrayViewMut1<'_, F>, label: u32, batch: F) -> F {
    let label = label as usize;
    let largest = row.fold(F::neg_infinity(), |a, b| a.max(*b));
    let logit = row[label] - largest;
    row.mapv_inplace(|t| (t - largest).exp());
    let sum = row.sum();
    row.mapv_inplace(|e| e / sum / batch);
    row[label] -= F::one() / batch;
    sum.ln() - logit
}

/// (element_loss, dt): element_loss = loss(t, y) / outputs and dt = slope(t, y) / (batch · outputs),
/// with the functions of one of the losses that take values:
///
/// | loss | loss(t, y) | slope(t, y) |
/// |---|---|---|
/// | [`Loss::MeanSquaredError`] | d² | 2 d |
/// | [`Loss::MeanAbsoluteError`] | \|d\| | sign(d), 0 at 0 |
/// | [`Loss::Huber`] | d² / 2 where \|d\| ≤ δ, else δ (\|d\| − δ / 2) | d, between −δ and δ |
/// | [`Loss::BinaryCrossEntropy`] | log(1 + eᵗ) − t y | σ(t) − y |
///
/// where d = t − y. NaN for [`Loss::SoftmaxCrossEntropy`].
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::model::Loss;
/// use wgpu_linear::reference::elementwise_loss;
/// let (t, y) = (array![[0.5_f64, 4.0]], array![[0.0, 1.0]]);
/// let (loss, dt) = elementwise_loss(Loss::Huber { delta: 1.0 }, t.view(), y.view());
/// assert_eq!((loss, dt), (array![[0.0625, 1.25]], array![[0.25, 0.5]]));
/// ```
///
/// # Panics
/// Where the shapes differ.
#[must_use]
pub fn elementwise_loss<F: NdFloat>(
    loss: Loss,
    t: ArrayView2<'_, F>,
    y: ArrayView2<'_, F>,
) -> (Array2<F>, Array2<F>) {
    let (batch, outputs) = (count(t.nrows()), count(t.ncols()));
    let elements = Zip::from(t).and(y);
    (
        elements
            .clone()
            .map_collect(|t, y| element(loss, *t, *y, batch, outputs).0),
        elements.map_collect(|t, y| element(loss, *t, *y, batch, outputs).1),
    )
}

/// (element_loss, dt) of one element.
fn element<F: NdFloat>(loss: Loss, t: F, y: F, batch: F, outputs: F) -> (F, F) {
    let (loss, slope) = loss_and_slope(loss, t, y);
    (loss / outputs, slope / (batch * outputs))
}

#[inline]
fn loss_and_slope<F: NdFloat>(loss: Loss, t: F, y: F) -> (F, F) {
    let (zero, one) = (F::zero(), F::one());
    let (half, difference) = (cast::<F>(0.5), t - y);
    match loss {
        Loss::MeanSquaredError => (difference * difference, (one + one) * difference),
        Loss::MeanAbsoluteError => {
            // Rust's sign of 0 is 1. A NaN stays one.
            let sign = if t == y { zero } else { difference.signum() };
            (difference.abs(), sign)
        }
        Loss::Huber { delta } => {
            let delta = cast::<F>(delta);
            if difference.abs() <= delta {
                (half * difference * difference, difference)
            } else {
                let straight = delta * (difference.abs() - half * delta);
                (straight, delta * difference.signum())
            }
        }
        Loss::BinaryCrossEntropy => {
            let far = if t > zero { t * (one - y) } else { -t * y };
            let sigmoid = one / (one + (-t).exp());
            (far + (-t.abs()).exp().ln_1p(), sigmoid - y)
        }
        // It has a gradient of whole rows.
        Loss::SoftmaxCrossEntropy => (F::nan(), F::nan()),
    }
}

/// The sum of the losses of a batch, with the gradient of their mean in the place of the outputs.
pub(super) fn measure<F: NdFloat>(
    loss: Loss,
    t: &mut [F],
    outputs: usize,
    targets: Targets<'_>,
) -> F {
    let rows = t.chunks_exact_mut(outputs);
    let batch = count(targets.len());
    match (loss, targets) {
        (Loss::SoftmaxCrossEntropy, Targets::Classes(labels)) => rows
            .zip(labels)
            .map(|(row, label)| softmax_cross_entropy_row(row.into(), *label, batch))
            .fold(F::zero(), F::add),
        (loss, Targets::Values(y)) => rows
            .zip(y.rows())
            .map(|(row, y)| elementwise_row(loss, row, y, batch))
            .fold(F::zero(), F::add),
        // `check_batch` has refused other targets.
        _ => F::nan(),
    }
}

/// One row of [`elementwise_loss`].
fn elementwise_row<F: NdFloat>(loss: Loss, row: &mut [F], y: ArrayView1<'_, f32>, batch: F) -> F {
    let outputs = count(row.len());
    let mut sum = F::zero();
    for (t, y) in row.iter_mut().zip(y) {
        let (element_loss, dt) = element(loss, *t, cast(*y), batch, outputs);
        sum += element_loss;
        *t = dt;
    }
    sum
}

/// The sum of the losses of a batch.
pub(super) fn sum_losses<F: NdFloat>(loss: Loss, t: ArrayView2<'_, F>, targets: Targets<'_>) -> F {
    match (loss, targets) {
        (Loss::SoftmaxCrossEntropy, Targets::Classes(labels)) => {
            softmax_cross_entropy(t, labels).0.sum()
        }
        (loss, Targets::Values(y)) => elementwise_loss(loss, t, y.mapv(cast).view()).0.sum(),
        // `check_batch` has refused other targets.
        _ => F::nan(),
    }
}
