//! The four operations of a linear layer: T = X·W + b and the gradients dX = dT·Wᵀ, dW = Xᵀ·dT, db = Σ_i dT_i·.

mod kernels;
mod plan;

pub use plan::{Algorithm, MATMUL_TILE, Operation, Plan, SUM_ROWS_COLUMNS, Shape, plan};

pub(crate) use kernels::ALL as KERNELS;

use crate::dispatch::Dispatch;
use crate::error::PrepareError;
use crate::kernel::{KernelCache, Operand};
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
/// a sum over nothing is 0, so without inputs T = b. Each operation overwrites its output and never reads it.
///
/// The same operands give the same bits on every run: no atomics, and a fixed order of summation.
///
/// ```
/// use wgpu_linear::{Forward, Gpu, LinearKernels, Matrix, Vector};
///
/// let gpu = Gpu::new()?;
/// let x = gpu.upload("x", &[1.0, 2.0, 3.0])?; // 1 × 3
/// let w = gpu.upload("w", &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0])?; // 3 × 2
/// let b = gpu.upload("b", &[0.5, -0.5])?;
/// let t = gpu.zeros("t", 2)?; // 1 × 2
///
/// let kernels = LinearKernels::new(gpu.device());
/// let forward = kernels.forward(Forward {
///     x: Matrix::new(&x, 1, 3),
///     w: Matrix::new(&w, 3, 2),
///     b: Some(Vector::new(&b, 2)),
///     t: Matrix::new(&t, 1, 2),
/// })?;
/// gpu.run(&[forward]);
/// assert_eq!(gpu.read::<f32>(&t)?, [14.5, 31.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LinearKernels {
    cache: KernelCache,
}

impl LinearKernels {
    /// Kernels for `device`. Compiles nothing yet.
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
        let dims = [shape.batch, shape.inputs, shape.outputs, 0];
        self.cache
            .prepare(&kernel, Some(dims), &operands, plan.workgroups)
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
        let dims = [shape.batch, shape.outputs, shape.inputs, 0];
        self.cache.prepare(
            &kernel,
            Some(dims),
            &operands,
            plan(shape, Operation::InputGrad).workgroups,
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
        let dims = [shape.inputs, shape.batch, shape.outputs, 0];
        self.cache.prepare(
            &kernel,
            Some(dims),
            &operands,
            plan(shape, Operation::WeightGrad).workgroups,
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
        let dims = [dt.rows, dt.columns, 0, 0];
        self.cache.prepare(
            &kernel,
            Some(dims),
            &operands,
            plan(shape, Operation::BiasGrad).workgroups,
        )
    }
}
