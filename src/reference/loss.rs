//! Twins of `softmax_cross_entropy.wgsl` and `mean_squared_error.wgsl`.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, NdFloat};

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

/// (element_loss, dt): element_loss = (t − y)² / outputs and dt = 2 (t − y) / (batch · outputs).
///
/// # Panics
/// Where the shapes differ.
#[must_use]
pub fn mean_squared_error<F: NdFloat>(
    t: ArrayView2<'_, F>,
    y: ArrayView2<'_, F>,
) -> (Array2<F>, Array2<F>) {
    let (batch, outputs) = (count(t.nrows()), count(t.ncols()));
    let difference = &t - &y;
    (
        difference.mapv(|d| squared_error(d, batch, outputs).0),
        difference.mapv(|d| squared_error(d, batch, outputs).1),
    )
}

/// (element_loss, dt) of one element, from t − y.
fn squared_error<F: NdFloat>(difference: F, batch: F, outputs: F) -> (F, F) {
    let two = F::one() + F::one();
    (
        difference * difference / outputs,
        two * difference / (batch * outputs),
    )
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
        (Loss::MeanSquaredError, Targets::Values(y)) => rows
            .zip(y.rows())
            .map(|(row, y)| squared_errors(row, y, batch))
            .fold(F::zero(), F::add),
        // `check_batch` has refused other targets.
        _ => F::nan(),
    }
}

/// One row of [`mean_squared_error`].
fn squared_errors<F: NdFloat>(row: &mut [F], y: ArrayView1<'_, f32>, batch: F) -> F {
    let outputs = count(row.len());
    let mut loss = F::zero();
    for (t, y) in row.iter_mut().zip(y) {
        let (element_loss, dt) = squared_error(*t - cast(*y), batch, outputs);
        loss += element_loss;
        *t = dt;
    }
    loss
}

/// The sum of the losses of a batch.
pub(crate) fn sum_losses<F: NdFloat>(loss: Loss, t: ArrayView2<'_, F>, targets: Targets<'_>) -> F {
    match (loss, targets) {
        (Loss::SoftmaxCrossEntropy, Targets::Classes(labels)) => {
            softmax_cross_entropy(t, labels).0.sum()
        }
        (Loss::MeanSquaredError, Targets::Values(y)) => {
            mean_squared_error(t, y.mapv(cast).view()).0.sum()
        }
        // `check_batch` has refused other targets.
        _ => F::nan(),
    }
}
