//! Twins of `softmax_cross_entropy.wgsl` and `elementwise_loss.wgsl`.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, NdFloat, Zip};

use super::float::{cast, count};
use crate::model::{IGNORED, Loss, Targets};

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
    let weights = vec![F::one(); labels.len()];
    softmax_cross_entropy_of(t, labels, &weights)
}

/// [`softmax_cross_entropy`] with weights of classes, w: row_loss_i = w_label (log Σ_j exp t_ij −
/// t_i,label) and dt = w_label (softmax(t) − onehot(label)) / Σ_i w_label. A row with the label
/// [`IGNORED`] weighs 0.
///
/// A row that weighs 0 has a loss and gradients of 0, whatever its logits are. The mean loss is
/// Σ row_loss / Σ w_label.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::model::IGNORED;
/// use wgpu_linear::reference::weighted_softmax_cross_entropy;
/// let t = array![[0.0_f64, 0.0], [7.0, 5.0], [0.0, 0.0]];
/// let (loss, dt) = weighted_softmax_cross_entropy(t.view(), &[0, IGNORED, 1], &[1.0, 3.0]);
/// assert_eq!(dt, array![[-0.125, 0.125], [0.0, 0.0], [0.375, -0.375]]);
/// assert_eq!(loss, array![1.0, 0.0, 3.0] * 2.0_f64.ln());
/// ```
///
/// # Panics
/// Where a label is neither below the number of weights nor [`IGNORED`], there are not as many
/// labels as rows, or not as many weights as columns.
#[must_use]
pub fn weighted_softmax_cross_entropy<F: NdFloat>(
    t: ArrayView2<'_, F>,
    labels: &[u32],
    class_weights: &[f32],
) -> (Array1<F>, Array2<F>) {
    assert_eq!(t.ncols(), class_weights.len(), "one weight per class");
    let weights: Vec<F> = labels
        .iter()
        .map(|label| class_weight(class_weights, *label))
        .collect();
    softmax_cross_entropy_of(t, labels, &weights)
}

/// [`weighted_softmax_cross_entropy`] with smoothed labels: with C classes, weights w and s for
/// `label_smoothing`, row_loss_i = (1 − s) w_label (−log p_label) + s / C · Σ_c w_c (−log p_c),
/// where p = softmax(t_i), and dt is the gradient of Σ row_loss / Σ_i w_label. Without weights of
/// classes each is 1.
///
/// That is PyTorch's *CrossEntropyLoss(label_smoothing, weight)*: a row whose class weighs 0 is
/// still pulled towards all others. A row with the label [`IGNORED`] has a loss and gradients of 0,
/// as have all rows where Σ_i w_label is 0.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::reference::smoothed_softmax_cross_entropy;
/// let (loss, dt) = smoothed_softmax_cross_entropy(array![[0.0_f64, 0.0]].view(), &[0], &[], 0.5);
/// assert_eq!(loss, array![2.0_f64.ln()]);
/// assert_eq!(dt, array![[-0.25, 0.25]]);
/// ```
///
/// # Panics
/// Where a label is neither below the number of columns nor [`IGNORED`], there are not as many
/// labels as rows, or weights other than one for each column.
#[must_use]
pub fn smoothed_softmax_cross_entropy<F: NdFloat>(
    t: ArrayView2<'_, F>,
    labels: &[u32],
    class_weights: &[f32],
    label_smoothing: f32,
) -> (Array1<F>, Array2<F>) {
    assert_eq!(t.nrows(), labels.len(), "one label per row");
    let is_weighted = !class_weights.is_empty();
    assert!(!is_weighted || t.ncols() == class_weights.len());
    let weights = labels.iter().map(|l| class_weight(class_weights, *l));
    let smoothed = Smoothed {
        class_weights,
        label_smoothing,
        batch: weights.fold(F::zero(), F::add),
    };
    let mut row_loss = Array1::zeros(t.nrows());
    let mut dt = t.to_owned();
    let rows = dt.rows_mut().into_iter().zip(&mut row_loss);
    for ((row, loss), label) in rows.zip(labels) {
        *loss = smoothed.row(row, *label);
    }
    (row_loss, dt)
}

/// What smoothed labels are made of.
#[derive(Clone, Copy)]
struct Smoothed<'a, F> {
    class_weights: &'a [f32],
    label_smoothing: f32,
    /// The weight of the batch.
    batch: F,
}

impl<F: NdFloat> Smoothed<'_, F> {
    /// One row: the loss, with dt in the place of t.
    fn row(self, mut row: ArrayViewMut1<'_, F>, label: u32) -> F {
        if label == IGNORED || self.batch == F::zero() {
            row.fill(F::zero());
            return F::zero();
        }
        let largest = row.fold(F::neg_infinity(), |a, b| a.max(*b));
        row.mapv_inplace(|t| t - largest);
        let sum = row.fold(F::zero(), |sum, above| sum + above.exp());
        let parts = Parts::new(self, label, row.len());
        let (mut loss, mut all) = (F::zero(), F::zero());
        for (class, above) in row.iter().enumerate() {
            let part = parts.of(class);
            loss += part * (sum.ln() - *above);
            all += part;
        }
        for (class, t) in row.iter_mut().enumerate() {
            *t = (t.exp() / sum * all - parts.of(class)) / self.batch;
        }
        loss
    }
}

/// What each class should have of a row.
struct Parts<'a, F> {
    class_weights: &'a [f32],
    /// For every class, times its weight, and for the label.
    spread: F,
    own: F,
    label: usize,
}

impl<'a, F: NdFloat> Parts<'a, F> {
    fn new(smoothed: Smoothed<'a, F>, label: u32, classes: usize) -> Self {
        let class_weights = smoothed.class_weights;
        let smoothing = cast::<F>(smoothed.label_smoothing);
        Self {
            class_weights,
            spread: smoothing / count(classes),
            own: (F::one() - smoothing) * class_weight(class_weights, label),
            label: label as usize,
        }
    }

    fn of(&self, class: usize) -> F {
        let weight = self
            .class_weights
            .get(class)
            .copied()
            .map_or(F::one(), cast);
        let own = if class == self.label {
            self.own
        } else {
            F::zero()
        };
        self.spread * weight + own
    }
}

/// The weight of a row with this label; without weights of classes each is 1.
fn class_weight<F: NdFloat>(class_weights: &[f32], label: u32) -> F {
    match label {
        IGNORED => F::zero(),
        _ if class_weights.is_empty() => F::one(),
        label => cast(class_weights[label as usize]),
    }
}

fn softmax_cross_entropy_of<F: NdFloat>(
    t: ArrayView2<'_, F>,
    labels: &[u32],
    weights: &[F],
) -> (Array1<F>, Array2<F>) {
    assert_eq!(t.nrows(), labels.len(), "one label per row");
    let batch = weights.iter().copied().fold(F::zero(), F::add);
    let mut row_loss = Array1::zeros(t.nrows());
    let mut dt = t.to_owned();
    let rows = dt.rows_mut().into_iter().zip(&mut row_loss);
    for (((row, loss), label), weight) in rows.zip(labels).zip(weights) {
        *loss = softmax_cross_entropy_row(row, *label, *weight, batch);
    }
    (row_loss, dt)
}

/// One row: the loss, with dt in the place of t.
fn softmax_cross_entropy_row<F: NdFloat>(
    mut row: ArrayViewMut1<'_, F>,
    label: u32,
    weight: F,
    batch: F,
) -> F {
    if weight == F::zero() {
        row.fill(F::zero());
        return F::zero();
    }
    let label = label as usize;
    let largest = row.fold(F::neg_infinity(), |a, b| a.max(*b));
    let logit = row[label] - largest;
    row.mapv_inplace(|t| (t - largest).exp());
    let sum = row.sum();
    row.mapv_inplace(|e| weight * (e / sum) / batch);
    row[label] -= weight / batch;
    weight * (sum.ln() - logit)
}

/// (element_loss, dt): element_loss = loss(t, y) / outputs and dt = slope(t, y) / (batch ·
/// outputs), with the functions of one of the losses that take values:
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
    let ones = Array1::ones(t.nrows());
    weighted_elementwise_loss(loss, t, y, ones.view())
}

/// [`elementwise_loss`] with a weight for each row, w: element_loss = w_i loss(t, y) / outputs and
/// dt = w_i slope(t, y) / (outputs · Σ w).
///
/// A row that weighs 0 has a loss and gradients of 0, whatever t is. The mean loss is
/// Σ element_loss / Σ w.
///
/// # Panics
/// Where the shapes differ.
#[must_use]
pub fn weighted_elementwise_loss<F: NdFloat>(
    loss: Loss,
    t: ArrayView2<'_, F>,
    y: ArrayView2<'_, F>,
    weights: ArrayView1<'_, F>,
) -> (Array2<F>, Array2<F>) {
    assert_eq!(t.nrows(), weights.len(), "one weight per row");
    let scale = Scale {
        batch: weights.sum(),
        outputs: count(t.ncols()),
    };
    let mut element_loss = t.to_owned();
    let mut dt = t.to_owned();
    for (i, weight) in weights.iter().enumerate() {
        let results = Zip::from(element_loss.row_mut(i)).and(dt.row_mut(i));
        results.and(y.row(i)).for_each(|element_loss, dt, y| {
            (*element_loss, *dt) = scale.element(loss, *dt, *y, *weight);
        });
    }
    (element_loss, dt)
}

/// What losses and gradients are divided by.
#[derive(Clone, Copy)]
struct Scale<F> {
    /// The weight of the batch.
    batch: F,
    outputs: F,
}

impl<F: NdFloat> Scale<F> {
    /// (element_loss, dt) of one element.
    #[inline]
    fn element(self, loss: Loss, t: F, y: F, weight: F) -> (F, F) {
        if weight == F::zero() {
            return (F::zero(), F::zero());
        }
        let (loss, slope) = loss_and_slope(loss, t, y);
        (
            weight * loss / self.outputs,
            weight * slope / (self.batch * self.outputs),
        )
    }
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

/// Sums over a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums<F> {
    /// Σ weight · loss.
    pub(super) loss: F,
    /// Σ weight.
    pub(super) weight: F,
}

/// What is minimized, with the weights of classes; none where each is 1.
#[derive(Clone, Copy)]
pub(super) struct Objective<'a> {
    pub(super) loss: Loss,
    pub(super) class_weights: &'a [f32],
    /// How much of a label goes to all classes alike.
    pub(super) label_smoothing: f32,
}

impl Objective<'_> {
    /// The sums of a batch, with the gradient of the mean in the place of the outputs.
    pub(super) fn measure<F: NdFloat>(
        self,
        t: &mut [F],
        outputs: usize,
        targets: Targets<'_>,
    ) -> Sums<F> {
        let batch = self.weight(targets);
        let scale = Scale {
            batch,
            outputs: count(outputs),
        };
        let rows = t.chunks_exact_mut(outputs);
        let smoothed = Smoothed {
            class_weights: self.class_weights,
            label_smoothing: self.label_smoothing,
            batch,
        };
        let loss = match (self.loss, targets) {
            (Loss::SoftmaxCrossEntropy, Targets::Classes(labels)) if self.label_smoothing > 0.0 => {
                rows.zip(labels)
                    .map(|(row, label)| smoothed.row(row.into(), *label))
                    .fold(F::zero(), F::add)
            }
            (Loss::SoftmaxCrossEntropy, Targets::Classes(labels)) => rows
                .zip(labels)
                .map(|(row, label)| {
                    let weight = class_weight(self.class_weights, *label);
                    softmax_cross_entropy_row(row.into(), *label, weight, batch)
                })
                .fold(F::zero(), F::add),
            (loss, Targets::Values(y)) => rows
                .zip(y.rows())
                .map(|(row, y)| elementwise_row(loss, row, y, F::one(), scale))
                .fold(F::zero(), F::add),
            (loss, Targets::WeightedValues { values, weights }) => rows
                .zip(values.rows())
                .zip(weights)
                .map(|((row, y), weight)| elementwise_row(loss, row, y, cast(*weight), scale))
                .fold(F::zero(), F::add),
            // `check_batch` has refused other targets.
            _ => F::nan(),
        };
        Sums {
            loss,
            weight: batch,
        }
    }

    /// Σ weight over a batch.
    fn weight<F: NdFloat>(self, targets: Targets<'_>) -> F {
        match targets {
            Targets::Classes(labels) if targets.is_weighted(self.class_weights) => labels
                .iter()
                .map(|label| class_weight(self.class_weights, *label))
                .fold(F::zero(), F::add),
            Targets::WeightedValues { weights, .. } => {
                weights.iter().map(|w| cast(*w)).fold(F::zero(), F::add)
            }
            _ => count(targets.len()),
        }
    }
}

/// One row of [`weighted_elementwise_loss`]: the loss, with dt in the place of t.
fn elementwise_row<F: NdFloat>(
    loss: Loss,
    row: &mut [F],
    y: ArrayView1<'_, f32>,
    weight: F,
    scale: Scale<F>,
) -> F {
    let mut sum = F::zero();
    for (t, y) in row.iter_mut().zip(y) {
        let (element_loss, dt) = scale.element(loss, *t, cast(*y), weight);
        sum += element_loss;
        *t = dt;
    }
    sum
}

/// Σ weight · loss and Σ weight over a batch, of labels that are not smoothed.
pub(crate) fn sum_losses<F: NdFloat>(
    loss: Loss,
    class_weights: &[f32],
    t: ArrayView2<'_, F>,
    targets: Targets<'_>,
) -> [F; 2] {
    let objective = Objective {
        loss,
        class_weights,
        label_smoothing: 0.0,
    };
    let mut dt: Vec<F> = t.iter().copied().collect();
    let Sums { loss, weight } = objective.measure(&mut dt, t.ncols(), targets);
    [loss, weight]
}
