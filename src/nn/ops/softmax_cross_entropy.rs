//! `softmax_cross_entropy.wgsl` and `softmax_cross_entropy_small.wgsl`: the loss of classifiers.

use super::kernels::NetworkKernels;
use super::loss::LossStep;
use crate::kernel::{
    Binding, Constant, Contents, Dispatch, Kernel, Matrix, Operand, PrepareError, Uniform, Vector,
    expect_matrix, expect_vector, file, uniform,
};

/// Threads of a workgroup, and loops over the classes of a row.
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
    /// values are not checked.
    pub labels: Vector<'a>,
    /// The loss of each row, batch elements; overwritten.
    pub row_loss: Vector<'a>,
    /// Gradient of the mean of `row_loss`, batch × classes; overwritten.
    pub dt: Matrix<'a>,
}

/// Operands of [`NetworkKernels::softmax_cross_entropy_small`].
#[derive(Clone, Copy, Debug)]
pub struct SoftmaxCrossEntropySmall<'a> {
    /// t, the logits, batch × classes, at most [`SMALL_LOSS_ELEMENTS`] elements; read.
    pub t: Matrix<'a>,
    /// The class of each row, batch elements of u32, each below the number of classes; read. The
    /// values are not checked.
    pub labels: Vector<'a>,
    /// Gradient of the mean loss, batch × classes; overwritten.
    pub dt: Matrix<'a>,
    /// One f32, the sum of losses, and one u32, the number of examples; both are added to.
    pub total: Vector<'a>,
}

uniform! {
    /// `Dims` in both shaders.
    struct Dims {
        batch: u32,
        classes: u32,
    }
}

fn dims(t: Matrix<'_>) -> Contents {
    let dims = Dims {
        batch: t.rows,
        classes: t.columns,
    };
    dims.contents()
}

const CONSTANTS: &[(&str, Constant)] = &[("LANES", Constant::U32(LANES))];

pub(super) const SOFTMAX_CROSS_ENTROPY: Kernel = Kernel::new(
    "wgpu_linear::softmax_cross_entropy",
    (file!("softmax_cross_entropy.wgsl"), "softmax_cross_entropy"),
    CONSTANTS,
    LANES,
    &[
        Binding::dims::<Dims>(),
        Binding::read(1, "t"),
        Binding::read(2, "labels"),
        Binding::write(3, "row_loss"),
        Binding::write(4, "dt"),
    ],
)
.sharing(4 * LANES);

pub(super) const SOFTMAX_CROSS_ENTROPY_SMALL: Kernel = Kernel::new(
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
    /// stable for large logits.
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
            row_loss,
            dt,
        } = operands;
        let kernel = SOFTMAX_CROSS_ENTROPY;
        expect_vector(kernel.label, "labels", labels, t.rows)?;
        expect_vector(kernel.label, "row_loss", row_loss, t.rows)?;
        expect_matrix(kernel.label, "dt", dt, t.rows, t.columns)?;
        let operands = [
            Operand::matrix("t", t),
            Operand::vector("labels", labels),
            Operand::vector("row_loss", row_loss),
            Operand::matrix("dt", dt),
        ];
        let most = self.cache.loop_elements(LANES, LOOPS);
        check_classes(&kernel, t.columns, most)?;
        let rows = if t.columns == 0 { 0 } else { u64::from(t.rows) };
        self.cache.prepare(&kernel, &[dims(t)], &operands, rows)
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
            dt,
            total,
        } = operands;
        let kernel = SOFTMAX_CROSS_ENTROPY_SMALL;
        expect_vector(kernel.label, "labels", labels, t.rows)?;
        expect_matrix(kernel.label, "dt", dt, t.rows, t.columns)?;
        expect_vector(kernel.label, "total", total, 2)?;
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
        self.cache
            .prepare(&kernel, &[dims(t)], &operands, workgroups)
    }
}

/// Loss, gradient and running total of a batch, in one dispatch where it is small.
pub(super) fn step(
    kernels: &NetworkKernels,
    operands: &LossStep<'_>,
) -> Result<Vec<Dispatch>, PrepareError> {
    let LossStep { t, dt, total, .. } = *operands;
    let labels = Vector::new(operands.targets, t.rows);
    if t.elements() <= SMALL_LOSS_ELEMENTS {
        let operands = SoftmaxCrossEntropySmall {
            t,
            labels,
            dt,
            total,
        };
        return Ok(vec![kernels.softmax_cross_entropy_small(operands)?]);
    }
    let row_loss = Vector::new(operands.losses, t.rows);
    let measure = kernels.softmax_cross_entropy(SoftmaxCrossEntropy {
        t,
        labels,
        row_loss,
        dt,
    })?;
    Ok(vec![measure, operands.accumulate(kernels, row_loss)?])
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
