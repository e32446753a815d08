//! T = X·Ŵ + b with quantised weights, prepared: by way of f32, or in whole numbers of eight bits.

use std::ops::Range;

use crate::kernel::{
    Binding, Dispatch, ElementType, Grid, Kernel, Operand, PrepareError, check_operands,
    expect_matrix, expect_vector,
};

use super::algorithms::{Algorithm, int8};
use super::dequantise;
use super::kernels::FORWARD;
use super::operands::ForwardQuantised;
use super::operations::{LinearKernels, factors};
use super::plan::Plan;
use super::product::Product;
use super::quantise_rows;
use super::quantised::{FORWARD_QUANTISED, words};
use super::shape::{Operation, Shape};
use super::windows::rows_together;

/// The kernels that it has beside those of a forward pass.
pub(super) fn kernels() -> [Kernel; 4] {
    let [plain, with_bias] = int8::kernels();
    [
        dequantise::kernel(),
        quantise_rows::kernel(),
        plain,
        with_bias,
    ]
}

impl LinearKernels {
    /// T = X·Ŵ + b with quantised weights: t_ij = Σ_k x_ik s_j q_kj + b_j.
    ///
    /// | operand | shape | |
    /// |---|---|---|
    /// | `x` | batch × inputs | read |
    /// | `w` | inputs × outputs, a byte each | read |
    /// | `scales` | outputs | read |
    /// | `b` | outputs | read, optional |
    /// | `t` | batch × outputs | overwritten |
    ///
    /// [`QuantisedWeights`](super::QuantisedWeights) makes `w` and `scales`. There are two ways to
    /// do it. As planned, Ŵ is made f32 in memory of the dispatch's own, and multiplied as by
    /// [`Self::forward`], with the same bounds. By [`Algorithm::Int8`] the rows of X are quantised
    /// as well and multiplied in whole numbers of eight bits. That is done only where a
    /// [`Tuner`](super::Tuner) has measured it to be the fastest, or where [`Self::use_plan`] asks
    /// for it, since results are less exact: `docs/PRECISION.md` has the bound. A row of X with an
    /// infinity or a NaN then is NaN in T. It takes up to 133,144 inputs. By either way `w` has to
    /// fit one binding.
    ///
    /// # Errors
    /// As [`Self::forward`]; `ElementType` where X or T is not f32.
    ///
    /// ```
    /// use wgpu_linear::linear::{QuantisedMatrix, QuantisedWeights};
    /// use wgpu_linear::{ForwardQuantised, Gpu, LinearKernels, Matrix, Vector};
    ///
    /// let gpu = Gpu::new()?;
    /// let w = QuantisedWeights::new(&[127.0, 2.0, -3.0], 3, 1)?;
    /// let x = gpu.upload("x", &[1.0, 10.0, 100.0])?;
    /// let [packed, scales] = [gpu.upload("w", w.packed())?, gpu.upload("scales", w.scales())?];
    /// let t = gpu.zeros("t", 1)?;
    /// let forward = LinearKernels::new(gpu.device()).forward_quantised(ForwardQuantised {
    ///     x: Matrix::new(&x, 1, 3),
    ///     w: QuantisedMatrix::new(&packed, 3, 1),
    ///     scales: Vector::new(&scales, 1),
    ///     b: None,
    ///     t: Matrix::new(&t, 1, 1),
    /// })?;
    /// gpu.run(&[forward])?;
    /// assert_eq!(gpu.read::<f32>(&t)?, [-153.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn forward_quantised(
        &self,
        operands: ForwardQuantised<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let ForwardQuantised { x, w, scales, b, t } = operands;
        let label = FORWARD_QUANTISED;
        let shape = Shape {
            batch: x.rows,
            inputs: w.inputs,
            outputs: w.outputs,
        };
        expect_matrix(label, "x", x, shape.batch, shape.inputs)?;
        expect_matrix(label, "t", t, shape.batch, shape.outputs)?;
        expect_vector(label, "scales", scales, shape.outputs)?;
        if let Some(b) = b {
            expect_vector(label, "b", b, shape.outputs)?;
        }
        let layer = Layer {
            shape,
            x: Operand::matrix("x", x).in_parts(),
            q: Operand {
                offset_bytes: w.offset_bytes,
                ..Operand::buffer("w", w.buffer, w.bytes())
            },
            s: Operand::vector("scales", scales),
            b: b.map(|b| Operand::vector("b", b)),
            t: Operand::matrix("t", t).in_parts(),
        };
        layer.check(self.cache.limits())?;
        self.by_plan((shape, Operation::QuantisedForward, false), |plan| {
            let mut grids = Vec::new();
            if shape.batch > 0 && shape.outputs > 0 {
                grids = match plan.algorithm {
                    Algorithm::Int8 => layer.in_int8(self, plan)?,
                    _ => layer.in_f32(self, plan)?,
                };
            }
            Ok(Dispatch { label, grids })
        })
    }
}

/// Operands that have the shape.
struct Layer<'a> {
    shape: Shape,
    x: Operand<'a>,
    q: Operand<'a>,
    s: Operand<'a>,
    b: Option<Operand<'a>>,
    t: Operand<'a>,
}

impl Layer<'_> {
    fn check(&self, limits: &wgpu::Limits) -> Result<(), PrepareError> {
        let read = |operand| (Binding::read(0, ""), operand);
        let (bindings, operands): (Vec<_>, Vec<_>) = [self.x, self.q, self.s]
            .into_iter()
            .chain(self.b)
            .map(read)
            .chain([(Binding::write(0, ""), self.t)])
            .unzip();
        check_operands(FORWARD_QUANTISED, &bindings, &operands, limits)
    }

    /// Ŵ as f32, then the product.
    fn in_f32(&self, kernels: &LinearKernels, plan: &Plan) -> Result<Vec<Grid>, PrepareError> {
        let Shape {
            inputs, outputs, ..
        } = self.shape;
        let cache = &kernels.cache;
        let bytes = 4 * u64::from(inputs) * u64::from(outputs);
        let w = cache.scratch_in_parts(FORWARD_QUANTISED, bytes.max(4))?;
        let w = Operand::buffer("w", &w, bytes);
        let mut grids = dequantise::grids(cache, [inputs, outputs], [self.q, self.s, w])?;
        let product = Product {
            label: FORWARD,
            factors: factors(self.shape, Operation::Forward),
            left: self.x,
            right: w,
            bias: self.b,
            t: None,
            product: self.t,
            activated: None,
            activated_alone: None,
            db: None,
        };
        let multiply = product.prepare(cache, plan, kernels.bound())?;
        grids.extend(multiply.grids);
        Ok(grids)
    }

    /// X in whole numbers, then the product of these.
    fn in_int8(&self, kernels: &LinearKernels, plan: &Plan) -> Result<Vec<Grid>, PrepareError> {
        let Shape {
            batch,
            inputs,
            outputs,
        } = self.shape;
        let cache = &kernels.cache;
        let matrices = [inputs, outputs].map(|columns| (columns, ElementType::F32));
        let parts: Vec<_> =
            rows_together(FORWARD_QUANTISED, batch, &matrices, cache.limits())?.collect();
        // The parts take turns, and the first is the largest.
        let most = parts.first().map_or(0, |rows| u64::from(rows.end));
        let bytes = 4 * u64::from(words(inputs));
        let p = cache.scratch(FORWARD_QUANTISED, (bytes * most).max(4))?;
        let r = cache.scratch(FORWARD_QUANTISED, 4 * most)?;
        let mut grids = Vec::new();
        for rows in &parts {
            let height = rows.end - rows.start;
            let whole = [
                Operand::buffer("p", &p, bytes * u64::from(height)),
                Operand::buffer("r", &r, 4 * u64::from(height)),
            ];
            let [p, r] = whole;
            let operands = [self.x.rows(inputs, rows), p, r];
            grids.push(quantise_rows::grid(cache, [height, inputs], operands)?);
            self.multiply(kernels, (plan, rows), whole, &mut grids)?;
        }
        Ok(grids)
    }

    /// Some rows of T, in pieces that are no longer than they may be.
    fn multiply(
        &self,
        kernels: &LinearKernels,
        (plan, rows): (&Plan, &Range<u32>),
        [p, r]: [Operand<'_>; 2],
        grids: &mut Vec<Grid>,
    ) -> Result<(), PrepareError> {
        let Shape {
            inputs, outputs, ..
        } = self.shape;
        let t = self.t.rows(outputs, rows);
        let operands = [
            Some(p),
            Some(r),
            Some(self.q),
            Some(self.s),
            self.b,
            Some(t),
        ];
        let all = (&(0..rows.end - rows.start), &(0..outputs));
        for piece in kernels.bound().pieces(plan, all, (inputs, 1)) {
            let ranges = [&piece.rows, &piece.columns];
            let grid = int8::grid(&kernels.cache, [inputs, outputs], ranges, &operands)?;
            grids.push(grid.taking(piece.nanoseconds));
        }
        Ok(())
    }
}
