//! The four operations of a linear layer: T = X·W + b and the gradients dX = dT·Wᵀ, dW = Xᵀ·dT, db = Σ_i dT_i·.

mod kernels;
mod plan;

pub use plan::{Algorithm, MATMUL_TILE, Operation, Plan, SUM_ROWS_COLUMNS, Shape, plan};

pub(crate) use kernels::ALL as KERNELS;

use std::ops::Range;

use crate::cache::KernelCache;
use crate::dispatch::Dispatch;
use crate::error::PrepareError;
use crate::kernel::{Kernel, dims};
use crate::operand::Operand;
use crate::view::{Matrix, Vector};

/// Operands of [`LinearKernels::forward`].
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a> {
    /// X, batch × inputs; read.
    pub x: Matrix<'a>,
    /// W, inputs × outputs; read. PyTorch's `nn.Linear` stores the transpose.
    pub w: Matrix<'a>,
    /// b, outputs elements; read. `None` computes T = X·W.
    pub b: Option<Vector<'a>>,
    /// T, batch × outputs; overwritten.
    pub t: Matrix<'a>,
}

/// Operands of [`LinearKernels::input_grad`].
#[derive(Clone, Copy, Debug)]
pub struct InputGrad<'a> {
    /// dT, batch × outputs; read.
    pub dt: Matrix<'a>,
    /// W, inputs × outputs; read.
    pub w: Matrix<'a>,
    /// dX, batch × inputs; overwritten.
    pub dx: Matrix<'a>,
}

/// Operands of [`LinearKernels::weight_grad`].
#[derive(Clone, Copy, Debug)]
pub struct WeightGrad<'a> {
    /// X, batch × inputs; read.
    pub x: Matrix<'a>,
    /// dT, batch × outputs; read.
    pub dt: Matrix<'a>,
    /// dW, inputs × outputs; overwritten.
    pub dw: Matrix<'a>,
}

/// Operands of [`LinearKernels::bias_grad`].
#[derive(Clone, Copy, Debug)]
pub struct BiasGrad<'a> {
    /// dT, batch × outputs; read.
    pub dt: Matrix<'a>,
    /// db, outputs elements; overwritten.
    pub db: Vector<'a>,
}

/// Prepares the four operations on one device. Pipelines are compiled when first needed and kept.
///
/// Every buffer needs [`wgpu::BufferUsages::STORAGE`] and must have been created on the same device. Sizes may be anything from 0;
/// a sum over nothing is 0, so without inputs T = b. Each operation overwrites its output, whatever it held before.
///
/// The same operands give the same bits on every run: no atomics, and a fixed order of summation.
///
/// A training step's four operations on one layer, recorded into one pass:
///
/// ```
/// use wgpu_linear::{BiasGrad, Forward, Gpu, InputGrad, LinearKernels, Matrix, Vector, WeightGrad};
///
/// let gpu = Gpu::new()?;
/// let [x, w] = [gpu.upload("x", &[1.0, 2.0])?, gpu.upload("w", &[3.0, 4.0])?]; // X 1 × 2, W 2 × 1
/// let [b, dt] = [gpu.upload("b", &[5.0])?, gpu.upload("dt", &[0.5])?]; // dT 1 × 1
/// let [t, dx, dw, db] = [gpu.zeros("t", 1)?, gpu.zeros("dx", 2)?, gpu.zeros("dw", 2)?, gpu.zeros("db", 1)?];
///
/// let kernels = LinearKernels::new(gpu.device());
/// let (x, w, dt) = (Matrix::new(&x, 1, 2), Matrix::new(&w, 2, 1), Matrix::new(&dt, 1, 1));
/// let b = Some(Vector::new(&b, 1));
/// gpu.run(&[
///     kernels.forward(Forward { x, w, b, t: Matrix::new(&t, 1, 1) })?,
///     kernels.input_grad(InputGrad { dt, w, dx: Matrix::new(&dx, 1, 2) })?,
///     kernels.weight_grad(WeightGrad { x, dt, dw: Matrix::new(&dw, 2, 1) })?,
///     kernels.bias_grad(BiasGrad { dt, db: Vector::new(&db, 1) })?,
/// ]);
/// assert_eq!(gpu.read::<f32>(&t)?, [16.0]);
/// assert_eq!(gpu.read::<f32>(&dx)?, [1.5, 2.0]);
/// assert_eq!(gpu.read::<f32>(&dw)?, [0.5, 1.0]);
/// assert_eq!(gpu.read::<f32>(&db)?, [0.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LinearKernels {
    cache: KernelCache,
}

impl LinearKernels {
    /// Kernels for `device`. Compiles nothing yet.
    ///
    /// Hand in buffers of this device only. A buffer of another device of the same [`wgpu::Instance`] is refused; but buffers are numbered
    /// per instance, so **a buffer of another instance may be taken for one of this device's**, which nobody can detect.
    #[must_use]
    pub fn new(device: &wgpu::Device) -> Self {
        Self {
            cache: KernelCache::new(device),
        }
    }

    /// T = X·W + b: t_ij = Σ_k x_ik w_kj + b_j.
    ///
    /// | operand | shape | |
    /// |---|---|---|
    /// | `x` | batch × inputs | read |
    /// | `w` | inputs × outputs | read |
    /// | `b` | outputs | read, optional |
    /// | `t` | batch × outputs | overwritten |
    ///
    /// # Errors
    /// [`PrepareError::Shape`] where shapes disagree; `MissingUsage`, `BufferTooSmall`, `MisalignedOffset` or `Limit` where a buffer
    /// does not serve; `Aliased` where `t` shares a buffer with another operand; `Refused` where the device refuses.
    pub fn forward(&self, operands: Forward<'_>) -> Result<Dispatch, PrepareError> {
        let Forward { x, w, b, t } = operands;
        let kernel = if b.is_some() {
            kernels::FORWARD
        } else {
            kernels::FORWARD_WITHOUT_BIAS
        };
        let shape = Shape {
            batch: x.rows,
            inputs: x.columns,
            outputs: w.columns,
        };
        kernel.expect_matrix("w", w, shape.inputs, shape.outputs)?;
        kernel.expect_matrix("t", t, shape.batch, shape.outputs)?;
        if let Some(b) = b {
            kernel.expect_vector("b", b, shape.outputs)?;
        }
        let b = b.map(|b| Operand::vector("b", b));
        let operands: Vec<_> = [Operand::matrix("x", x), Operand::matrix("w", w)]
            .into_iter()
            .chain(b)
            .chain([Operand::matrix("t", t)])
            .collect();
        let plan = plan(shape, Operation::Forward { bias: b.is_some() });
        self.prepare(
            &kernel,
            plan,
            &[shape.batch, shape.inputs, shape.outputs],
            &operands,
        )
    }

    /// dX = dT·Wᵀ: dx_mn = Σ_j dt_mj w_nj, the gradient of a loss with respect to X.
    ///
    /// | operand | shape | |
    /// |---|---|---|
    /// | `dt` | batch × outputs | read |
    /// | `w` | inputs × outputs | read |
    /// | `dx` | batch × inputs | overwritten |
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn input_grad(&self, operands: InputGrad<'_>) -> Result<Dispatch, PrepareError> {
        let InputGrad { dt, w, dx } = operands;
        let kernel = kernels::INPUT_GRAD;
        let shape = Shape {
            batch: dt.rows,
            inputs: w.rows,
            outputs: dt.columns,
        };
        kernel.expect_matrix("w", w, shape.inputs, shape.outputs)?;
        kernel.expect_matrix("dx", dx, shape.batch, shape.inputs)?;
        let operands = [
            Operand::matrix("dt", dt),
            Operand::matrix("w", w),
            Operand::matrix("dx", dx),
        ];
        self.prepare(
            &kernel,
            plan(shape, Operation::InputGrad),
            &[shape.batch, shape.outputs, shape.inputs],
            &operands,
        )
    }

    /// dW = Xᵀ·dT: dw_mn = Σ_i x_im dt_in, the gradient of a loss with respect to W.
    ///
    /// | operand | shape | |
    /// |---|---|---|
    /// | `x` | batch × inputs | read |
    /// | `dt` | batch × outputs | read |
    /// | `dw` | inputs × outputs | overwritten |
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn weight_grad(&self, operands: WeightGrad<'_>) -> Result<Dispatch, PrepareError> {
        let WeightGrad { x, dt, dw } = operands;
        let kernel = kernels::WEIGHT_GRAD;
        let shape = Shape {
            batch: x.rows,
            inputs: x.columns,
            outputs: dt.columns,
        };
        kernel.expect_matrix("dt", dt, shape.batch, shape.outputs)?;
        kernel.expect_matrix("dw", dw, shape.inputs, shape.outputs)?;
        let operands = [
            Operand::matrix("x", x),
            Operand::matrix("dt", dt),
            Operand::matrix("dw", dw),
        ];
        self.prepare(
            &kernel,
            plan(shape, Operation::WeightGrad),
            &[shape.inputs, shape.batch, shape.outputs],
            &operands,
        )
    }

    /// db = Σ_i dT_i·: db_m = Σ_i dt_im, the gradient of a loss with respect to b.
    ///
    /// The rows of dT are added up (hence "row-sum"); one number per column remains.
    ///
    /// | operand | shape | |
    /// |---|---|---|
    /// | `dt` | batch × outputs | read |
    /// | `db` | outputs | overwritten |
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn bias_grad(&self, operands: BiasGrad<'_>) -> Result<Dispatch, PrepareError> {
        let BiasGrad { dt, db } = operands;
        let kernel = kernels::BIAS_GRAD;
        kernel.expect_vector("db", db, dt.columns)?;
        let shape = Shape {
            batch: dt.rows,
            inputs: 0,
            outputs: dt.columns,
        };
        let operands = [Operand::matrix("dt", dt), Operand::vector("db", db)];
        self.prepare(
            &kernel,
            plan(shape, Operation::BiasGrad),
            &[dt.columns],
            &operands,
        )
    }

    /// One dispatch of as many passes as the plan has, each with the sizes and its own range of terms.
    fn prepare(
        &self,
        kernel: &Kernel,
        plan: Plan,
        sizes: &[u32],
        operands: &[Operand<'_>],
    ) -> Result<Dispatch, PrepareError> {
        let with_terms =
            |terms: Range<u32>| Some(dims(sizes.iter().copied().chain([terms.start, terms.end])));
        let passes: Vec<_> = plan.passes().map(with_terms).collect();
        self.cache
            .prepare(kernel, &passes, operands, plan.workgroups)
    }
}
