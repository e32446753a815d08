//! The four operations, prepared.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::device::{Gpu, Requirements};
use crate::kernel::{
    Dispatch, ElementType, KernelCache, Matrix, Operand, PrepareError, ShaderChecks, Vector,
    expect_matrix, expect_vector,
};

use super::activation::Activation;
use super::algorithms::{BIAS_GRAD, prepare_sum_rows};
use super::bound::{Bound, LONGEST_DISPATCH};
use super::capabilities::Capabilities;
use super::kernels;
use super::operands::{
    BiasGrad, Forward, ForwardActivated, ForwardInference, InputGrad, InputGradActivated,
    WeightGrad,
};
use super::plan::{Plan, plan, ranked_candidates, substitutes};
use super::precision::Precision;
use super::product::Product;
use super::shape::{Operation, Shape};
use super::windows::Factors;

/// Prepares the four operations on one device. Pipelines are compiled when first needed and kept.
///
/// [`plan()`] chooses the kernel for each shape; a better plan can be given to [`Self::use_plan`].
/// A [`Tuner`](super::Tuner) finds it by measuring, and [`Self::use_plans`] takes what was found
/// before. Operands larger than `max_storage_buffer_binding_size` are bound in parts.
///
/// Every buffer needs [`wgpu::BufferUsages::STORAGE`] and must have been created on the same
/// device. Sizes may be anything from 0; a sum over nothing is 0, so without inputs T = b. Each
/// operation overwrites its output, whatever it held before.
///
/// The same operands give the same bits on every run: no atomics, and a fixed order of summation.
///
/// A training step of one layer, recorded into one pass:
///
/// ```
/// use wgpu_linear::{Forward, Gpu, InputGrad, LinearKernels, Matrix, Vector, WeightGrad};
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
///     kernels.weight_grad(WeightGrad { x, dt, dw: Matrix::new(&dw, 2, 1), db: Some(Vector::new(&db, 1)) })?,
/// ])?;
/// assert_eq!(gpu.read::<f32>(&t)?, [16.0]);
/// assert_eq!(gpu.read::<f32>(&dx)?, [1.5, 2.0]);
/// assert_eq!(gpu.read::<f32>(&dw)?, [0.5, 1.0]);
/// assert_eq!(gpu.read::<f32>(&db)?, [0.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LinearKernels {
    pub(super) cache: KernelCache,
    capabilities: Capabilities,
    longest_dispatch: Duration,
    chosen: Mutex<HashMap<Choice, Plan>>,
}

/// For which products a plan is chosen; the last: those of which a factor is stored as f16.
type Choice = (Shape, Operation, bool);

impl LinearKernels {
    /// Kernels for `device`. Compiles nothing yet. What the device lacks
    /// ([`Requirements::explain`]) goes into the log as a warning each.
    ///
    /// Hand in buffers of this device only. A buffer of another device of the same
    /// [`wgpu::Instance`] is refused by wgpu. wgpu numbers buffers per instance, and would take a
    /// buffer of another instance for whichever of ours has its number: this is noticed, with
    /// [`PrepareError::Foreign`], except of buffers that are mapped at the time or can be mapped
    /// ([`wgpu::Features::MAPPABLE_PRIMARY_BUFFERS`]), and in programs built with `panic = "abort"`.
    /// To find out, a harmless mistake is made with the buffer; if it is foreign, the
    /// uncaptured-error handler of its own device hears of it. With one instance for everything
    /// ([`GpuOptions::instance`](crate::GpuOptions::instance)) there is nothing to notice.
    #[must_use]
    pub fn new(device: &wgpu::Device) -> Self {
        Self::with_checks(device, ShaderChecks::default())
    }

    /// The same, saying which kernels guard what they index.
    #[must_use]
    pub fn with_checks(device: &wgpu::Device, checks: ShaderChecks) -> Self {
        Self::with_cache(device, KernelCache::new(device, checks))
    }

    /// Kernels for the device of `gpu`, which are kept where
    /// [`GpuOptions::pipelines`](crate::GpuOptions::pipelines) says: those of a network once it is
    /// prepared, others when `gpu` and everything made with it are gone.
    ///
    /// Each kernel is run once on a small problem before its first use, and one that computes wrong
    /// results is replaced by another, see
    /// [`GpuOptions::first_use_checks`](crate::GpuOptions::first_use_checks). Kernels of
    /// [`Self::new`] are not: that needs a queue.
    #[must_use]
    pub fn of(gpu: &Gpu) -> Self {
        Self::with_cache(gpu.device(), gpu.kernel_cache(ShaderChecks::default()))
    }

    fn with_cache(device: &wgpu::Device, cache: KernelCache) -> Self {
        for lack in Requirements::explain(device) {
            log::warn!("{lack}");
        }
        Self {
            cache,
            capabilities: Capabilities::of(device),
            longest_dispatch: LONGEST_DISPATCH,
            chosen: Mutex::default(),
        }
    }

    /// The same kernels, planned with the processors that `known` has: what the crate does not
    /// learn from the device. All else in `known` the device tells itself, and is not taken.
    ///
    /// ```
    /// use wgpu_linear::{Gpu, LinearKernels};
    /// let gpu = Gpu::new()?;
    /// let kernels = LinearKernels::new(gpu.device());
    /// let mut known = kernels.capabilities().clone();
    /// known.parallel_workgroups = 7;
    /// let kernels = kernels.with_capabilities(&known);
    /// assert_eq!(kernels.capabilities().parallel_workgroups, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_capabilities(mut self, known: &Capabilities) -> Self {
        self.capabilities.parallel_workgroups = known.parallel_workgroups.max(1);
        self.capabilities.processor = known.processor;
        self
    }

    /// The same kernels, whose matrix products are cut into dispatches that should take no longer
    /// than this each: for applications that want the device in between, such as for the frames of
    /// a game. Results have the same bits. Default: 200 ms.
    ///
    /// The estimate is rough, and a tile of results is never cut.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use wgpu_linear::{Gpu, LinearKernels};
    /// let gpu = Gpu::new()?;
    /// let kernels = LinearKernels::new(gpu.device()).with_longest_dispatch(Duration::from_millis(4));
    /// # Ok::<(), wgpu_linear::GpuError>(())
    /// ```
    #[must_use]
    pub fn with_longest_dispatch(self, longest_dispatch: Duration) -> Self {
        Self {
            longest_dispatch,
            ..self
        }
    }

    /// What the plans know of the device.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The plan for `operation` on a layer of `shape`: the one given to [`Self::use_plan`], else
    /// that of [`plan()`](super::plan()); but none whose kernel has been found to compute wrong
    /// results here, where there is another.
    #[must_use]
    pub fn plan(&self, shape: Shape, operation: Operation) -> Plan {
        self.plan_for(shape, operation, Precision::F32)
    }

    /// The same where the layer is stored as `precision` says: with f16 matrix units may be planned,
    /// where the device was opened with them.
    #[must_use]
    pub fn plan_for(&self, shape: Shape, operation: Operation, precision: Precision) -> Plan {
        self.chosen_plan(shape, operation, precision.has_rounded_factor())
    }

    fn chosen_plan(&self, shape: Shape, operation: Operation, rounds: bool) -> Plan {
        let chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        let chosen = chosen.get(&(shape, operation, rounds)).copied();
        let chosen = chosen.filter(|plan| !self.is_condemned(operation, plan));
        chosen.unwrap_or_else(|| self.planned(shape, operation, rounds))
    }

    /// The same without [`Self::use_plan`].
    pub(super) fn planned(&self, shape: Shape, operation: Operation, rounds: bool) -> Plan {
        let plans = self.ranked_plans(shape, operation, rounds);
        let first = plans.into_iter().next();
        first.unwrap_or_else(|| plan(shape, operation, &self.capabilities))
    }

    /// For products of which a factor is stored as f16, or of which none is.
    pub(super) fn capabilities_for(&self, rounds: bool) -> Capabilities {
        match rounds {
            true => self.capabilities.rounding_factors(),
            false => self.capabilities.clone(),
        }
    }

    /// [`ranked_candidates`], those by kernels last that compute wrong results here, and what may
    /// take their place where all of them do.
    pub(super) fn ranked_plans(
        &self,
        shape: Shape,
        operation: Operation,
        rounds: bool,
    ) -> Vec<Plan> {
        let capabilities = self.capabilities_for(rounds);
        let mut plans = ranked_candidates(shape, operation, &capabilities);
        let condemned = self.cache.condemned();
        if !condemned.is_empty() {
            let is_last = |plan: &Plan| plan.needs_measuring() || plan.is_by(operation, &condemned);
            if plans.iter().all(is_last) {
                plans.extend(substitutes(shape, operation, &capabilities));
            }
            plans.sort_by_key(is_last);
        }
        plans
    }

    /// Whether one of its kernels has been found to compute wrong results here, with whatever the
    /// operation does beside the product.
    pub(super) fn is_condemned(&self, operation: Operation, plan: &Plan) -> bool {
        plan.is_by(operation, &self.cache.condemned())
    }

    /// Uses `plan`, one of [`candidates`](super::candidates), for `operation` on layers of `shape`
    /// that are prepared from now on.
    ///
    /// A plan whose kernel cannot do that here, such as one for smaller batches or for subgroups of
    /// another size, is ignored with a warning in the log; so is one whose kernel has been found to
    /// compute wrong results here. One that adds up more terms at a time than this device does right
    /// takes as many passes as it needs. One by matrix units is used where a factor is stored as f16,
    /// and nowhere else.
    pub fn use_plan(&self, shape: Shape, operation: Operation, plan: Plan) {
        if self.is_condemned(operation, &plan) {
            log::warn!("the plan `{plan}` computes wrong results here; ignored");
            return;
        }
        let fits = [false, true].map(|rounds| self.choose(shape, operation, plan, rounds));
        if fits == [false; 2] {
            log::warn!("the plan `{plan:?}` is none for {operation:?} on {shape}; ignored");
        }
    }

    /// [`Self::use_plan`] of what was measured for layers that are stored so.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn use_tuned(
        &self,
        shape: Shape,
        operation: Operation,
        precision: Precision,
        plan: Plan,
    ) {
        match precision {
            Precision::F32 => self.use_plan(shape, operation, plan),
            _ => {
                self.choose(shape, operation, plan, true);
            }
        }
    }

    /// The same for products of which a factor is stored as f16, or of which none is; false where
    /// they cannot follow the plan.
    fn choose(&self, shape: Shape, operation: Operation, plan: Plan, rounds: bool) -> bool {
        let Some(plan) = plan.fitted(shape, operation, &self.capabilities_for(rounds)) else {
            return false;
        };
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        chosen.insert((shape, operation, rounds), plan);
        true
    }

    /// Prepares by the plan and, where a kernel of it computes wrong results, by the next one that
    /// can be prepared.
    pub(super) fn by_plan(
        &self,
        (shape, operation, rounds): Choice,
        prepare: impl Fn(&Plan) -> Result<Dispatch, PrepareError>,
    ) -> Result<Dispatch, PrepareError> {
        let wrong = match prepare(&self.chosen_plan(shape, operation, rounds)) {
            Err(wrong @ PrepareError::Miscompiled { .. }) => wrong,
            result => return result,
        };
        // All candidates may turn out to be wrong, one after the other.
        let others = self.ranked_plans(shape, operation, rounds).into_iter();
        let others = others.filter(|plan| !plan.needs_measuring());
        let capabilities = self.capabilities_for(rounds);
        let substitutes = substitutes(shape, operation, &capabilities);
        for plan in others.chain(substitutes) {
            match prepare(&plan) {
                Ok(dispatch) => return Ok(dispatch),
                Err(stopped @ (PrepareError::DeviceLost { .. } | PrepareError::Timeout { .. })) => {
                    return Err(stopped);
                }
                Err(_) => {}
            }
        }
        Err(wrong)
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
    /// [`PrepareError::Shape`] where shapes disagree; `MissingUsage`, `BufferTooSmall`,
    /// `MisalignedOffset` or `Limit` where a buffer does not serve; `Aliased` where `t` shares a
    /// buffer with another operand; `Foreign` where a buffer belongs to another wgpu instance;
    /// `DeviceLost`; `Refused` where the device refuses; `Miscompiled` where no kernel computes
    /// right results here, `Timeout` or `FirstUse` where that could not be found out.
    pub fn forward(&self, operands: Forward<'_>) -> Result<Dispatch, PrepareError> {
        let Forward { x, w, b, t } = operands;
        let plain = Forwarded::default();
        self.prepare_forward([x, w], b, ("t", t), plain)
    }

    /// T = X·W + b and A = f(T), in one pass over memory.
    ///
    /// | operand | shape | |
    /// |---|---|---|
    /// | `x` | batch × inputs | read |
    /// | `w` | inputs × outputs | read |
    /// | `b` | outputs | read, optional |
    /// | `t` | batch × outputs | overwritten |
    /// | `a` | batch × outputs | overwritten |
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_activated(
        &self,
        operands: ForwardActivated<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let ForwardActivated {
            x,
            w,
            b,
            function,
            t,
            a,
        } = operands;
        let both = Forwarded {
            activated: Some((function, a)),
            alone: None,
        };
        self.prepare_forward([x, w], b, ("t", t), both)
    }

    /// A = f(X·W + b), without T: what inference needs.
    ///
    /// | operand | shape | |
    /// |---|---|---|
    /// | `x` | batch × inputs | read |
    /// | `w` | inputs × outputs | read |
    /// | `b` | outputs | read, optional |
    /// | `a` | batch × outputs | overwritten |
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_inference(
        &self,
        operands: ForwardInference<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let ForwardInference {
            x,
            w,
            b,
            function,
            a,
        } = operands;
        let alone = Forwarded {
            activated: None,
            // Without an activation it is the plain forward pass, by the same kernel.
            alone: Some(function).filter(|function| *function != Activation::Identity),
        };
        self.prepare_forward([x, w], b, ("a", a), alone)
    }

    fn prepare_forward(
        &self,
        [x, w]: [Matrix<'_>; 2],
        b: Option<Vector<'_>>,
        (name, product): (&'static str, Matrix<'_>),
        Forwarded { activated, alone }: Forwarded<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let label = kernels::FORWARD;
        let shape = Shape {
            batch: x.rows,
            inputs: x.columns,
            outputs: w.columns,
        };
        expect_matrix(label, "w", w, shape.inputs, shape.outputs)?;
        expect_matrix(label, name, product, shape.batch, shape.outputs)?;
        if let Some((_, a)) = activated {
            expect_matrix(label, "a", a, shape.batch, shape.outputs)?;
        }
        if let Some(b) = b {
            expect_vector(label, "b", b, shape.outputs)?;
        }
        let product = Product {
            label,
            factors: factors(shape, Operation::Forward),
            left: Operand::matrix("x", x),
            right: Operand::matrix("w", w),
            bias: b.map(|b| Operand::vector("b", b)),
            t: None,
            product: Operand::matrix(name, product),
            activated: activated.map(|(function, a)| (function, Operand::matrix("a", a))),
            activated_alone: alone,
            db: None,
        };
        self.prepare_product(&product, shape, Operation::Forward)
    }

    fn prepare_product(
        &self,
        product: &Product<'_>,
        shape: Shape,
        operation: Operation,
    ) -> Result<Dispatch, PrepareError> {
        let rounds = product.elements().has_rounded_factor();
        self.by_plan((shape, operation, rounds), |plan| {
            product.prepare(&self.cache, plan, self.bound())
        })
    }

    /// How long a dispatch may take.
    pub(super) fn bound(&self) -> Bound<'_> {
        Bound {
            capabilities: &self.capabilities,
            longest: self.longest_dispatch,
        }
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
        self.prepare_input_grad([dt, w], None, ("dx", dx))
    }

    /// dT below = dT·Wᵀ ⊙ f′(T below): the gradient with respect to the argument of the activation
    /// f that X came out of, in one pass over memory.
    ///
    /// | operand | shape | |
    /// |---|---|---|
    /// | `dt` | batch × outputs | read |
    /// | `w` | inputs × outputs | read |
    /// | `t_below` | batch × inputs | read |
    /// | `dt_below` | batch × inputs | overwritten |
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn input_grad_activated(
        &self,
        operands: InputGradActivated<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let InputGradActivated {
            dt,
            w,
            function,
            t_below,
            dt_below,
        } = operands;
        self.prepare_input_grad([dt, w], Some((function, t_below)), ("dt_below", dt_below))
    }

    fn prepare_input_grad(
        &self,
        [dt, w]: [Matrix<'_>; 2],
        t_below: Option<(Activation, Matrix<'_>)>,
        (name, product): (&'static str, Matrix<'_>),
    ) -> Result<Dispatch, PrepareError> {
        let label = kernels::INPUT_GRAD;
        let shape = Shape {
            batch: dt.rows,
            inputs: w.rows,
            outputs: dt.columns,
        };
        expect_matrix(label, "w", w, shape.inputs, shape.outputs)?;
        expect_matrix(label, name, product, shape.batch, shape.inputs)?;
        if let Some((_, t_below)) = t_below {
            expect_matrix(label, "t_below", t_below, shape.batch, shape.inputs)?;
        }
        let product = Product {
            label,
            factors: factors(shape, Operation::InputGrad),
            left: Operand::matrix("dt", dt),
            right: Operand::matrix("w", w),
            bias: None,
            t: t_below.map(|(function, t)| (function, Operand::matrix("t_below", t))),
            product: Operand::matrix(name, product),
            activated: None,
            activated_alone: None,
            db: None,
        };
        self.prepare_product(&product, shape, Operation::InputGrad)
    }

    /// dW = Xᵀ·dT: dw_mn = Σ_i x_im dt_in, the gradient of a loss with respect to W; and db = Σ_i
    /// dT_i·, where it is asked for, from the same reading of dT.
    ///
    /// | operand | shape | |
    /// |---|---|---|
    /// | `x` | batch × inputs | read |
    /// | `dt` | batch × outputs | read |
    /// | `dw` | inputs × outputs | overwritten |
    /// | `db` | outputs | overwritten, optional |
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn weight_grad(&self, operands: WeightGrad<'_>) -> Result<Dispatch, PrepareError> {
        let WeightGrad { x, dt, dw, db } = operands;
        let label = kernels::WEIGHT_GRAD;
        let shape = Shape {
            batch: x.rows,
            inputs: x.columns,
            outputs: dt.columns,
        };
        expect_matrix(label, "dt", dt, shape.batch, shape.outputs)?;
        expect_matrix(label, "dw", dw, shape.inputs, shape.outputs)?;
        if let Some(db) = db {
            expect_vector(label, "db", db, shape.outputs)?;
        }
        let product = Product {
            label,
            factors: factors(shape, Operation::WeightGrad),
            left: Operand::matrix("x", x),
            right: Operand::matrix("dt", dt),
            bias: None,
            t: None,
            product: Operand::matrix("dw", dw),
            activated: None,
            activated_alone: None,
            db: db.map(|db| Operand::vector("db", db)),
        };
        let dispatch = self.prepare_product(&product, shape, Operation::WeightGrad)?;
        match db {
            // Without inputs there is no product to sum the columns beside.
            Some(db) if shape.inputs == 0 => self.bias_grad(BiasGrad { dt, db }),
            _ => Ok(dispatch),
        }
    }

    /// db = Σ_i dT_i·: db_m = Σ_i dt_im, the gradient of a loss with respect to b.
    ///
    /// The rows of dT are added up (hence "row-sum"); one number per column remains.
    /// [`Self::weight_grad`] computes it beside dW at no cost.
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
        expect_vector(BIAS_GRAD.label, "db", db, dt.columns)?;
        let shape = Shape {
            batch: dt.rows,
            inputs: 0,
            outputs: dt.columns,
        };
        let rounds = dt.element == ElementType::F16;
        self.by_plan((shape, Operation::BiasGrad, rounds), |plan| {
            let parts = [plan.slabs, plan.terms_per_pass];
            prepare_sum_rows(&self.cache, parts, dt, db)
        })
    }
}

/// What becomes of T beside, or in its place.
#[derive(Clone, Copy, Debug, Default)]
struct Forwarded<'a> {
    activated: Option<(Activation, Matrix<'a>)>,
    alone: Option<Activation>,
}

/// Sizes of the product that `operation` is, and which of its factors is stored transposed.
pub(super) fn factors(shape: Shape, operation: Operation) -> Factors {
    let [m, k, n] = operation.product(shape);
    Factors {
        m,
        k,
        n,
        left_is_transposed: operation == Operation::WeightGrad,
        right_is_transposed: operation == Operation::InputGrad,
    }
}
