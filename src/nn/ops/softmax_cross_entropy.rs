//! `softmax_cross_entropy.wgsl` and `softmax_cross_entropy_small.wgsl`: the loss of classifiers.

use std::borrow::Cow;

use ndarray::{Array1, Array2};

use super::kernels::NetworkKernels;
use super::loss::LossStep;
use super::loss_total::{LOSS_TOTAL_WORDS, mean_and_examples};
use super::weights::{ClassWeightSum, Weights};
use crate::kernel::{
    Binding, Constant, Contents, Dispatch, Kernel, Matrix, Operand, PrepareError, Probe, Uniform,
    Vector, Wanted, expect_matrix, expect_vector, file, quarters, uniform,
};
use crate::reference;

/// Threads of a workgroup, and loops over the classes of a row; one more where labels are smoothed.
const LANES: u32 = 64;
const LOOPS: u32 = 3;

/// What [`NetworkKernels::softmax_cross_entropy_small`] takes: batch · classes. One workgroup does
/// it faster than a second dispatch starts.
pub const SMALL_LOSS_ELEMENTS: u64 = 1 << 13;

/// Operands of [`NetworkKernels::softmax_cross_entropy`].
#[derive(Clone, Copy, Debug)]
pub struct SoftmaxCrossEntropy<'a> {
    /// t, the logits, batch × classes; read.
    pub t: Matrix<'a>,
    /// The class of each row, batch elements of u32, each below the number of classes; read. The
    /// values are not checked. With weights, a row with any other label weighs 0.
    pub labels: Vector<'a>,
    /// What the rows weigh; `None` where each weighs 1.
    pub weights: Option<ClassWeights<'a>>,
    /// s, from 0, below 1: how much of a label goes to all classes alike; 0 for none. Not checked.
    pub label_smoothing: f32,
    /// The loss of each row, times its weight, batch elements; overwritten.
    pub row_loss: Vector<'a>,
    /// Gradient of Σ `row_loss` / batch, or Σ `row_loss` / `weight_sum`, batch × classes;
    /// overwritten.
    pub dt: Matrix<'a>,
}

/// The weights of [`SoftmaxCrossEntropy`].
#[derive(Clone, Copy, Debug)]
pub struct ClassWeights<'a> {
    /// The weight of each class, as many as there are; read.
    pub class_weights: Vector<'a>,
    /// One element, the sum of the weights of the rows, see [`NetworkKernels::class_weight_sum`];
    /// read.
    pub weight_sum: Vector<'a>,
}

/// Operands of [`NetworkKernels::softmax_cross_entropy_small`].
#[derive(Clone, Copy, Debug)]
pub struct SoftmaxCrossEntropySmall<'a> {
    /// t, the logits, batch × classes, at most [`SMALL_LOSS_ELEMENTS`] elements; read.
    pub t: Matrix<'a>,
    /// The class of each row, batch elements of u32, each below the number of classes; read. The
    /// values are not checked.
    pub labels: Vector<'a>,
    /// As in [`SoftmaxCrossEntropy`].
    pub label_smoothing: f32,
    /// Gradient of the mean loss, batch × classes; overwritten.
    pub dt: Matrix<'a>,
    /// As in [`AccumulateLoss`](super::AccumulateLoss); added to.
    pub total: Vector<'a>,
}

uniform! {
    /// `Dims` in both shaders.
    struct Dims {
        batch: u32,
        classes: u32,
        smoothing: f32,
    }
}

fn dims([batch, classes]: [u32; 2], smoothing: f32) -> Contents {
    let dims = Dims {
        batch,
        classes,
        smoothing,
    };
    dims.contents()
}

const CONSTANTS: &[(&str, Constant)] = &[("LANES", Constant::U32(LANES))];
const SMOOTHED_CONSTANTS: &[(&str, Constant)] = &[CONSTANTS[0], ("SMOOTHED", Constant::Bool(true))];

const BINDINGS: &[Binding] = &[
    Binding::dims::<Dims>(),
    Binding::read(1, "t"),
    Binding::read(2, "labels"),
    Binding::write(3, "row_loss"),
    Binding::write(4, "dt"),
];

const WEIGHTED_BINDINGS: &[Binding] = &[
    BINDINGS[0],
    BINDINGS[1],
    BINDINGS[2],
    BINDINGS[3],
    BINDINGS[4],
    Binding::read(5, "class_weights"),
    Binding::read(6, "weight_sum"),
];

/// What labels that are not smoothed have nothing of.
fn constants(is_smoothed: bool) -> &'static [(&'static str, Constant)] {
    if is_smoothed {
        SMOOTHED_CONSTANTS
    } else {
        CONSTANTS
    }
}

fn kernel(weights: Weights, is_smoothed: bool) -> Kernel {
    let (variant, bindings) = match (weights, is_smoothed) {
        (Weights::None, false) => ("", BINDINGS),
        (Weights::None, true) => ("smoothed", BINDINGS),
        (_, false) => ("weighted", WEIGHTED_BINDINGS),
        (_, true) => ("weighted smoothed", WEIGHTED_BINDINGS),
    };
    let label = "wgpu_linear::softmax_cross_entropy";
    let file = (file!("softmax_cross_entropy.wgsl"), "softmax_cross_entropy");
    Kernel {
        variant: Cow::Borrowed(variant),
        choices: Cow::Owned(vec![weights.file()]),
        ..Kernel::new(label, file, constants(is_smoothed), LANES, bindings).sharing(4 * LANES)
    }
}

fn small_kernel(is_smoothed: bool) -> Kernel {
    Kernel {
        variant: Cow::Borrowed(if is_smoothed { "smoothed" } else { "" }),
        constants: Cow::Borrowed(constants(is_smoothed)),
        ..SOFTMAX_CROSS_ENTROPY_SMALL
    }
}

/// All of them.
pub(super) fn kernels() -> impl Iterator<Item = Kernel> {
    [false, true].into_iter().flat_map(|is_smoothed| {
        let weights = [Weights::None, Weights::Classes];
        let kernels = weights.map(|weights| kernel(weights, is_smoothed));
        kernels.into_iter().chain([small_kernel(is_smoothed)])
    })
}

const SOFTMAX_CROSS_ENTROPY_SMALL: Kernel = Kernel::new(
    "wgpu_linear::softmax_cross_entropy_small",
    (
        file!("softmax_cross_entropy_small.wgsl"),
        "softmax_cross_entropy_small",
    ),
    CONSTANTS,
    LANES,
    &[
        Binding::dims::<Dims>(),
        Binding::read(1, "t"),
        Binding::read(2, "labels"),
        Binding::write(3, "dt"),
        Binding::write(4, "total"),
    ],
)
.sharing(4 * LANES);

impl NetworkKernels {
    /// row_loss_i = log Σ_j exp t_ij − t_i,label and dt = (softmax(t) − onehot(label)) / batch,
    /// stable for large logits; with weights of classes, both times the weight, and `weight_sum` in
    /// the place of the batch. With smoothed labels the formulas of
    /// `shaders/softmax_cross_entropy.wgsl`.
    ///
    /// A row with a logit that is not finite has a loss and gradients that are not finite either, but
    /// where it weighs 0: then both are 0. With smoothed labels that is a row whose label is no class;
    /// one whose class weighs 0 is still pulled towards all others.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn softmax_cross_entropy(
        &self,
        operands: SoftmaxCrossEntropy<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let SoftmaxCrossEntropy {
            t,
            labels,
            weights,
            label_smoothing,
            row_loss,
            dt,
        } = operands;
        let of_rows = match weights {
            None => Weights::None,
            Some(_) => Weights::Classes,
        };
        let is_smoothed = label_smoothing > 0.0;
        let kernel = kernel(of_rows, is_smoothed);
        expect_vector(kernel.label, "labels", labels, t.rows)?;
        expect_vector(kernel.label, "row_loss", row_loss, t.rows)?;
        expect_matrix(kernel.label, "dt", dt, t.rows, t.columns)?;
        let mut operands = vec![
            Operand::matrix("t", t),
            Operand::vector("labels", labels),
            Operand::vector("row_loss", row_loss),
            Operand::matrix("dt", dt),
        ];
        if let Some(weights) = weights {
            let ClassWeights {
                class_weights,
                weight_sum,
            } = weights;
            expect_vector(kernel.label, "class_weights", class_weights, t.columns)?;
            expect_vector(kernel.label, "weight_sum", weight_sum, 1)?;
            operands.extend([
                Operand::vector("class_weights", class_weights),
                Operand::vector("weight_sum", weight_sum),
            ]);
        }
        let most = self
            .cache
            .loop_elements(LANES, LOOPS + u32::from(is_smoothed));
        check_classes(&kernel, t.columns, most)?;
        let rows = if t.columns == 0 { 0 } else { u64::from(t.rows) };
        let dims = dims([t.rows, t.columns], label_smoothing);
        let probe = || probe(of_rows, is_smoothed);
        self.cache
            .prepare(&kernel, &[dims], &operands, rows, &probe)
    }

    /// [`Self::softmax_cross_entropy`] and [`Self::accumulate_loss`] in one dispatch, for small
    /// batches.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`]; [`PrepareError::Limit`] for more than
    /// [`SMALL_LOSS_ELEMENTS`].
    pub fn softmax_cross_entropy_small(
        &self,
        operands: SoftmaxCrossEntropySmall<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let SoftmaxCrossEntropySmall {
            t,
            labels,
            label_smoothing,
            dt,
            total,
        } = operands;
        let kernel = small_kernel(label_smoothing > 0.0);
        expect_vector(kernel.label, "labels", labels, t.rows)?;
        expect_matrix(kernel.label, "dt", dt, t.rows, t.columns)?;
        expect_vector(kernel.label, "total", total, LOSS_TOTAL_WORDS)?;
        if t.elements() > SMALL_LOSS_ELEMENTS {
            return Err(PrepareError::Limit {
                operation: kernel.label,
                name: "elements of a small batch",
                required: t.elements(),
                allowed: SMALL_LOSS_ELEMENTS,
            });
        }
        let operands = [
            Operand::matrix("t", t),
            Operand::vector("labels", labels),
            Operand::matrix("dt", dt),
            Operand::vector("total", total),
        ];
        let workgroups = u64::from(t.elements() > 0);
        let dims = dims([t.rows, t.columns], label_smoothing);
        let probe = || small_probe(label_smoothing > 0.0);
        self.cache
            .prepare(&kernel, &[dims], &operands, workgroups, &probe)
    }
}

/// What a batch is first given, and what must come of it.
struct Probed {
    dims: Contents,
    t: Vec<f32>,
    losses: Array1<f64>,
    slopes: Array2<f64>,
}

impl Probed {
    fn new(labels: &[u32], classes: u32, class_weights: &[f32], is_smoothed: bool) -> Self {
        let smoothing = if is_smoothed { 0.25 } else { 0.0 };
        let columns = classes as usize;
        let t = quarters(1, labels.len() * columns);
        let wide = Array2::from_shape_fn((labels.len(), columns), |(i, j)| {
            f64::from(t[i * columns + j])
        });
        let t_wide = wide.view();
        let (losses, slopes) = match class_weights {
            weights if is_smoothed => {
                reference::smoothed_softmax_cross_entropy(t_wide, labels, weights, smoothing)
            }
            [] => reference::softmax_cross_entropy(t_wide, labels),
            weights => reference::weighted_softmax_cross_entropy(t_wide, labels, weights),
        };
        Self {
            dims: dims([labels.len() as u32, classes], smoothing),
            t,
            losses,
            slopes,
        }
    }
}

/// More classes than threads.
fn probe(weights: Weights, is_smoothed: bool) -> Probe {
    let classes = LANES + 7;
    let labels = [classes - 1, 0, 5];
    let class_weights: Vec<f32> = match weights {
        Weights::None => Vec::new(),
        _ => (1..=classes).map(|class| class as f32 / 16.0).collect(),
    };
    let probed = Probed::new(&labels, classes, &class_weights, is_smoothed);
    let probe = Probe::new(probed.dims, labels.len() as u64)
        .reads(&probed.t)
        .reads_words(labels.to_vec())
        .writes(Wanted::near(probed.losses))
        .writes(Wanted::near(probed.slopes));
    if class_weights.is_empty() {
        return probe;
    }
    let sum = labels
        .map(|label| class_weights[label as usize])
        .iter()
        .sum();
    probe.reads(&class_weights).reads(&[sum])
}

/// More rows than threads.
fn small_probe(is_smoothed: bool) -> Probe {
    let (rows, classes) = (LANES + 7, 5);
    let labels: Vec<u32> = (0..rows).map(|row| row * row % classes).collect();
    let probed = Probed::new(&labels, classes, &[], is_smoothed);
    let mean = probed.losses.sum() / f64::from(rows);
    let total = Wanted::near([mean, f64::from(rows)]).decoded(mean_and_examples);
    Probe::new(probed.dims, 1)
        .reads(&probed.t)
        .reads_words(labels)
        .writes(Wanted::near(probed.slopes))
        .updates_words(vec![0; LOSS_TOTAL_WORDS as usize], total)
}

/// Loss, gradient and running total of a batch, in one dispatch where it is small.
pub(super) fn step(
    kernels: &NetworkKernels,
    operands: &LossStep<'_>,
) -> Result<Vec<Dispatch>, PrepareError> {
    let LossStep {
        t,
        targets,
        label_smoothing,
        dt,
        total,
        ..
    } = *operands;
    let labels = targets.flat(SOFTMAX_CROSS_ENTROPY_SMALL.label)?;
    if operands.is_weighted {
        return weighted_step(kernels, operands);
    }
    if t.elements() <= SMALL_LOSS_ELEMENTS {
        let operands = SoftmaxCrossEntropySmall {
            t,
            labels,
            label_smoothing,
            dt,
            total,
        };
        return Ok(vec![kernels.softmax_cross_entropy_small(operands)?]);
    }
    let row_loss = Vector::new(operands.losses, t.rows);
    let measure = kernels.softmax_cross_entropy(SoftmaxCrossEntropy {
        t,
        labels,
        weights: None,
        label_smoothing,
        row_loss,
        dt,
    })?;
    Ok(vec![measure, operands.accumulate(kernels, row_loss, None)?])
}

/// The same with weights of classes: the sum of the weights of the batch comes first.
fn weighted_step(
    kernels: &NetworkKernels,
    operands: &LossStep<'_>,
) -> Result<Vec<Dispatch>, PrepareError> {
    let LossStep { t, targets, dt, .. } = *operands;
    let labels = targets.flat(SOFTMAX_CROSS_ENTROPY_SMALL.label)?;
    let row_loss = Vector::new(operands.losses, t.rows);
    let mut words: Vec<_> = operands.class_weights.iter().map(|w| w.to_bits()).collect();
    // Where labels are masked, and classes weigh alike.
    words.resize(t.columns as usize, 1.0_f32.to_bits());
    let label = "wgpu_linear::class_weights";
    let (table, buffer) = (kernels.cache.table(label, &words)?, kernels.weight_sum()?);
    let class_weights = Vector::new(&table, t.columns);
    let weight_sum = Vector::new(&buffer, 1);
    let sum = kernels.class_weight_sum(ClassWeightSum {
        labels,
        class_weights,
        sum: weight_sum,
    })?;
    let weights = Some(ClassWeights {
        class_weights,
        weight_sum,
    });
    let measure = kernels.softmax_cross_entropy(SoftmaxCrossEntropy {
        t,
        labels,
        weights,
        label_smoothing: operands.label_smoothing,
        row_loss,
        dt,
    })?;
    let accumulate = operands.accumulate(kernels, row_loss, Some(weight_sum))?;
    Ok(vec![sum, measure, accumulate])
}

fn check_classes(kernel: &Kernel, classes: u32, most: u32) -> Result<(), PrepareError> {
    if classes <= most {
        return Ok(());
    }
    let (required, allowed) = (u64::from(classes), u64::from(most));
    Err(PrepareError::Limit {
        operation: kernel.label,
        name: "classes",
        required,
        allowed,
    })
}
