//! Activations, losses and optimizers as prepared operations.

use std::sync::OnceLock;

use crate::cache::{KernelCache, ShaderChecks};
use crate::dispatch::{Dispatch, passes};
use crate::error::PrepareError;
use crate::kernel::{Kernel, dims, expect_matrix, expect_vector};
use crate::model::Activation;
use crate::operand::Operand;
use crate::view::{Matrix, Vector};

use super::kernels;

/// Threads of the kernels that take one element each: `WORKGROUP` in their shaders.
const ELEMENTS_PER_WORKGROUP: u32 = 256;

/// Losses that one pass of `accumulate_loss` adds up, and classes that `softmax_cross_entropy` takes: llvmpipe leaves a shader's loops after
/// 65,535 iterations, see `linear::plan`. Here they are 32,776 of 256 losses each, and three times 16,384 of 64 classes.
const LOSSES_PER_PASS: u32 = 1 << 23;
const MOST_CLASSES: u32 = 1 << 20;

/// What [`NetworkKernels::softmax_cross_entropy_small`] takes: batch · classes. One workgroup does it faster than a second dispatch starts.
pub const SMALL_LOSS_ELEMENTS: u64 = 1 << 13;

/// Operands of [`NetworkKernels::activation`].
#[derive(Clone, Copy, Debug)]
pub struct ActivationForward<'a> {
    /// f.
    pub function: Activation,
    /// t, read.
    pub t: Vector<'a>,
    /// a = f(t), as many elements; overwritten.
    pub a: Vector<'a>,
}

/// Operands of [`NetworkKernels::activation_grad`].
#[derive(Clone, Copy, Debug)]
pub struct ActivationGrad<'a> {
    /// f.
    pub function: Activation,
    /// t, the argument of f in the forward pass; read.
    pub t: Vector<'a>,
    /// da, as many elements; read.
    pub da: Vector<'a>,
    /// dt = da · f′(t), as many elements; overwritten.
    pub dt: Vector<'a>,
}

/// Operands of [`NetworkKernels::softmax_cross_entropy`].
#[derive(Clone, Copy, Debug)]
pub struct SoftmaxCrossEntropy<'a> {
    /// t, the logits, batch × classes; read.
    pub t: Matrix<'a>,
    /// The class of each row, batch elements of u32, each below the number of classes; read. The values are not checked.
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
    /// The class of each row, batch elements of u32, each below the number of classes; read. The values are not checked.
    pub labels: Vector<'a>,
    /// Gradient of the mean loss, batch × classes; overwritten.
    pub dt: Matrix<'a>,
    /// One f32, the sum of losses, and one u32, the number of examples; both are added to.
    pub total: Vector<'a>,
}

/// Operands of [`NetworkKernels::mean_squared_error`].
#[derive(Clone, Copy, Debug)]
pub struct MeanSquaredError<'a> {
    /// t, batch × outputs; read.
    pub t: Matrix<'a>,
    /// y, the values wanted, batch × outputs; read.
    pub y: Matrix<'a>,
    /// (t − y)² / outputs, batch × outputs; overwritten.
    pub element_loss: Matrix<'a>,
    /// Gradient of Σ `element_loss` / batch, batch × outputs; overwritten.
    pub dt: Matrix<'a>,
}

/// Operands of [`NetworkKernels::accumulate_loss`].
#[derive(Clone, Copy, Debug)]
pub struct AccumulateLoss<'a> {
    /// Losses of rows or elements, read.
    pub losses: Vector<'a>,
    /// How many examples they belong to.
    pub batch: u32,
    /// One f32, the sum of losses, and one u32, the number of examples; both are added to.
    pub total: Vector<'a>,
}

/// Operands of [`NetworkKernels::sgd`].
#[derive(Clone, Copy, Debug)]
pub struct Sgd<'a> {
    /// A uniform buffer: learning rate, momentum and weight decay as f32, Nesterov as u32 (0 or 1).
    pub settings: &'a wgpu::Buffer,
    /// Gradients, read.
    pub gradients: Vector<'a>,
    /// Velocity, as many elements, zero at first; updated.
    pub velocity: Vector<'a>,
    /// Parameters, as many elements; updated.
    pub parameters: Vector<'a>,
}

/// Operands of [`NetworkKernels::adam`].
#[derive(Clone, Copy, Debug)]
pub struct Adam<'a> {
    /// A uniform buffer: learning rate, β1, β2, ε and weight decay as f32, decoupled (AdamW) as u32 (0 or 1); padded to 32 bytes.
    pub settings: &'a wgpu::Buffer,
    /// The bias corrections of this step, two elements that [`NetworkKernels::adam_advance`] keeps.
    pub corrections: Vector<'a>,
    /// Gradients, read.
    pub gradients: Vector<'a>,
    /// Mean of the gradient, as many elements, zero at first; updated.
    pub m: Vector<'a>,
    /// Mean of its square, as many elements, zero at first; updated.
    pub v: Vector<'a>,
    /// Parameters, as many elements; updated.
    pub parameters: Vector<'a>,
}

/// Prepares activations, losses and optimizer steps on one device; the counterpart of [`crate::LinearKernels`].
///
/// Every operation returns the errors that [`crate::LinearKernels::forward`] lists.
#[derive(Debug)]
pub struct NetworkKernels {
    pub(super) cache: KernelCache,
    /// What histograms search, uploaded when first needed.
    pub(super) edges: OnceLock<wgpu::Buffer>,
}

impl NetworkKernels {
    /// Kernels for `device`. Compiles nothing yet.
    #[must_use]
    pub fn new(device: &wgpu::Device) -> Self {
        Self {
            cache: KernelCache::new(device, ShaderChecks::default()),
            edges: OnceLock::new(),
        }
    }

    /// a = f(t), element by element; formulas in `shaders/activation.wgsl`.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn activation(&self, operands: ActivationForward<'_>) -> Result<Dispatch, PrepareError> {
        let ActivationForward { function, t, a } = operands;
        let kernel = kernels::activation(function);
        expect_vector(kernel.label, "a", a, t.len)?;
        let operands = [Operand::vector("t", t), Operand::vector("a", a)];
        self.elementwise(
            &kernel,
            &[t.len, function.slope().to_bits()],
            &operands,
            u64::from(t.len),
        )
    }

    /// dt = da · f′(t), element by element.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn activation_grad(&self, operands: ActivationGrad<'_>) -> Result<Dispatch, PrepareError> {
        let ActivationGrad {
            function,
            t,
            da,
            dt,
        } = operands;
        let kernel = kernels::activation_grad(function);
        expect_vector(kernel.label, "da", da, t.len)?;
        expect_vector(kernel.label, "dt", dt, t.len)?;
        let operands = [
            Operand::vector("t", t),
            Operand::vector("da", da),
            Operand::vector("dt", dt),
        ];
        self.elementwise(
            &kernel,
            &[t.len, function.slope().to_bits()],
            &operands,
            u64::from(t.len),
        )
    }

    /// row_loss_i = log Σ_j exp t_ij − t_i,label and dt = (softmax(t) − onehot(label)) / batch, stable for large logits.
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
        let kernel = kernels::SOFTMAX_CROSS_ENTROPY;
        expect_vector(kernel.label, "labels", labels, t.rows)?;
        expect_vector(kernel.label, "row_loss", row_loss, t.rows)?;
        expect_matrix(kernel.label, "dt", dt, t.rows, t.columns)?;
        let operands = [
            Operand::matrix("t", t),
            Operand::vector("labels", labels),
            Operand::vector("row_loss", row_loss),
            Operand::matrix("dt", dt),
        ];
        check_classes(&kernel, t.columns)?;
        let rows = if t.columns == 0 { 0 } else { u64::from(t.rows) };
        let dims = dims([t.rows, t.columns]);
        self.cache.prepare(&kernel, &[Some(dims)], &operands, rows)
    }

    /// [`Self::softmax_cross_entropy`] and [`Self::accumulate_loss`] in one dispatch, for small batches.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`]; [`PrepareError::Limit`] for more than [`SMALL_LOSS_ELEMENTS`].
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
        let kernel = kernels::SOFTMAX_CROSS_ENTROPY_SMALL;
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
        let dims = dims([t.rows, t.columns]);
        self.cache
            .prepare(&kernel, &[Some(dims)], &operands, workgroups)
    }

    /// element_loss = (t − y)² / outputs and dt = 2 (t − y) / (batch · outputs).
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn mean_squared_error(
        &self,
        operands: MeanSquaredError<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let MeanSquaredError {
            t,
            y,
            element_loss,
            dt,
        } = operands;
        let kernel = kernels::MEAN_SQUARED_ERROR;
        for (name, view) in [("y", y), ("element_loss", element_loss), ("dt", dt)] {
            expect_matrix(kernel.label, name, view, t.rows, t.columns)?;
        }
        let operands = [
            Operand::matrix("t", t),
            Operand::matrix("y", y),
            Operand::matrix("element_loss", element_loss),
            Operand::matrix("dt", dt),
        ];
        self.elementwise(&kernel, &[t.rows, t.columns], &operands, t.elements())
    }

    /// total += (Σ losses, batch), in a fixed order.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn accumulate_loss(&self, operands: AccumulateLoss<'_>) -> Result<Dispatch, PrepareError> {
        let AccumulateLoss {
            losses,
            batch,
            total,
        } = operands;
        let kernel = kernels::ACCUMULATE_LOSS;
        expect_vector(kernel.label, "total", total, 2)?;
        let operands = [
            Operand::vector("losses", losses),
            Operand::vector("total", total),
        ];
        // Only the first pass counts the examples.
        let examples = |first| if first == 0 { batch } else { 0 };
        let passes: Vec<_> = passes(losses.len, LOSSES_PER_PASS)
            .map(|range| Some(dims([range.start, range.end, examples(range.start)])))
            .collect();
        self.cache.prepare(&kernel, &passes, &operands, 1)
    }

    /// One step of stochastic gradient descent; formulas in `shaders/sgd.wgsl`.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn sgd(&self, operands: Sgd<'_>) -> Result<Dispatch, PrepareError> {
        let Sgd {
            settings,
            gradients,
            velocity,
            parameters,
        } = operands;
        let kernel = kernels::SGD;
        expect_vector(kernel.label, "velocity", velocity, gradients.len)?;
        expect_vector(kernel.label, "parameters", parameters, gradients.len)?;
        let operands = [
            Operand::uniform("settings", settings, 16),
            Operand::vector("gradients", gradients),
            Operand::vector("velocity", velocity),
            Operand::vector("parameters", parameters),
        ];
        self.elementwise(
            &kernel,
            &[gradients.len],
            &operands,
            u64::from(gradients.len),
        )
    }

    /// Moves Adam's bias corrections one step on; once per step, before [`Self::adam`].
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn adam_advance(
        &self,
        settings: &wgpu::Buffer,
        corrections: Vector<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let kernel = kernels::ADAM_ADVANCE;
        expect_vector(kernel.label, "corrections", corrections, 2)?;
        let operands = [
            Operand::uniform("settings", settings, 32),
            Operand::vector("corrections", corrections),
        ];
        self.cache.prepare(&kernel, &[None], &operands, 1)
    }

    /// One step of Adam or AdamW; formulas in `shaders/adam.wgsl`.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn adam(&self, operands: Adam<'_>) -> Result<Dispatch, PrepareError> {
        let Adam {
            settings,
            corrections,
            gradients,
            m,
            v,
            parameters,
        } = operands;
        let kernel = kernels::ADAM;
        expect_vector(kernel.label, "corrections", corrections, 2)?;
        for (name, view) in [("m", m), ("v", v), ("parameters", parameters)] {
            expect_vector(kernel.label, name, view, gradients.len)?;
        }
        let operands = [
            Operand::uniform("settings", settings, 32),
            Operand::vector("corrections", corrections),
            Operand::vector("gradients", gradients),
            Operand::vector("m", m),
            Operand::vector("v", v),
            Operand::vector("parameters", parameters),
        ];
        self.elementwise(
            &kernel,
            &[gradients.len],
            &operands,
            u64::from(gradients.len),
        )
    }

    fn elementwise(
        &self,
        kernel: &Kernel,
        sizes: &[u32],
        operands: &[Operand<'_>],
        elements: u64,
    ) -> Result<Dispatch, PrepareError> {
        let workgroups = elements.div_ceil(u64::from(ELEMENTS_PER_WORKGROUP));
        let dims = dims(sizes.iter().copied());
        self.cache
            .prepare(kernel, &[Some(dims)], operands, workgroups)
    }
}

fn check_classes(kernel: &Kernel, classes: u32) -> Result<(), PrepareError> {
    if classes <= MOST_CLASSES {
        return Ok(());
    }
    let (required, allowed) = (u64::from(classes), u64::from(MOST_CLASSES));
    Err(PrepareError::Limit {
        operation: kernel.label,
        name: "classes",
        required,
        allowed,
    })
}
