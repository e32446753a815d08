//! A training step between the caller's buffers: forward, loss, backward, update.

use crate::kernel::{Dispatch, Job, Matrix, PrepareError, Vector, side_by_side};
use crate::linear::Activation;
use crate::model::NetworkConfig;

use super::linear::{Below, Linear, LinearForward};
use super::ops::{
    ActivationGrad, BatchNumber, Dropout, LOSS_TOTAL_WORDS, LossStep, NetworkKernels, loss_step,
};
use super::update::Update;
use super::workspace::Workspace;

/// Operands of [`Network::training`](super::Network::training), in the caller's buffers.
///
/// ```no_run
/// # use wgpu_linear::{Matrix, nn::{Goal, Training}, wgpu};
/// # fn operands<'a>(x: &'a wgpu::Buffer, y: &'a wgpu::Buffer) -> Training<'a> {
/// Training::new(Matrix::new(x, 256, 32), Goal::Values(Matrix::new(y, 256, 3)))
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Training<'a> {
    /// X, batch × inputs; read.
    pub x: Matrix<'a>,
    /// What the outputs should be.
    pub goal: Goal<'a>,
    /// Where the outputs go, batch × outputs; overwritten. `None` where nobody looks at them.
    pub outputs: Option<Matrix<'a>>,
    /// The gradient with respect to X, batch × inputs; overwritten. `None` where nobody needs it.
    pub dx: Option<Matrix<'a>>,
}

impl<'a> Training<'a> {
    /// A step that keeps neither outputs nor the gradient with respect to X.
    #[must_use]
    pub fn new(x: Matrix<'a>, goal: Goal<'a>) -> Self {
        Self {
            x,
            goal,
            outputs: None,
            dx: None,
        }
    }

    /// The same, with the outputs stored.
    #[must_use]
    pub fn outputs(self, outputs: Matrix<'a>) -> Self {
        Self {
            outputs: Some(outputs),
            ..self
        }
    }

    /// The same, with the gradient with respect to X stored.
    #[must_use]
    pub fn dx(self, dx: Matrix<'a>) -> Self {
        Self {
            dx: Some(dx),
            ..self
        }
    }
}

/// What the outputs of a training step are compared with.
#[derive(Clone, Copy, Debug)]
pub enum Goal<'a> {
    /// The class of each row, batch elements of u32, each below the number of outputs; read. The
    /// values are not checked.
    Classes(Vector<'a>),
    /// The same, or [`IGNORED`](crate::model::IGNORED) for rows that are passed over: the loss is
    /// the mean over the others. Two dispatches more.
    MaskedClasses(Vector<'a>),
    /// The outputs wanted, batch × outputs; read.
    Values(Matrix<'a>),
    /// The outputs wanted, and behind them the weight of each row, batch × (outputs + 1); read. The
    /// loss is Σ weight_i loss_i / Σ weight_i. One dispatch more.
    WeightedValues(Matrix<'a>),
    /// The gradient with respect to the outputs, batch × outputs, of a loss of your own; read by
    /// [`TrainingStep::record_backward`]. Nothing is added to the running loss.
    Gradient(Matrix<'a>),
}

/// A training step, prepared once and recorded into any compute pass of the device, as often as
/// you like: nothing is allocated, and no object made.
///
/// It holds the buffers between the layers, and keeps alive those that it was given.
///
/// Where several batches make an update ([`NetworkConfig::accumulation`]), its steps are those of
/// the last of them, and [`Self::record_batch`] is for all. What is dropped is the same in a
/// forward pass and the backward pass behind it, which moves on to the next batch.
#[derive(Clone, Debug)]
pub struct TrainingStep {
    dispatches: Vec<Dispatch>,
    /// Where the loss begins, and where the update does.
    loss: usize,
    update: usize,
    /// In the place of the update, where the batch is not the last before it.
    waiting: Accumulated,
}

/// What becomes of gradients that wait for an update.
#[derive(Clone, Debug)]
struct Accumulated {
    /// Batches that make an update.
    batches: u32,
    /// For the first of them, and for all others but the last.
    keep: Vec<Dispatch>,
    add: Vec<Dispatch>,
}

impl TrainingStep {
    /// Records the batch of this number, from 0: forward, loss, backward, and the update where
    /// [`NetworkConfig::accumulation`] batches are complete with it. Until then gradients are added
    /// up.
    pub fn record_batch(&self, pass: &mut wgpu::ComputePass<'_>, number: u64) {
        for dispatch in self.of_batch(number) {
            dispatch.record(pass);
        }
    }

    /// What [`Self::record_batch`] records, in order.
    pub(super) fn of_batch(&self, number: u64) -> impl Iterator<Item = &Dispatch> {
        let Accumulated { batches, keep, add } = &self.waiting;
        let (step, batches) = (&self.dispatches[..], u64::from(*batches));
        let [before, after] = match number % batches {
            last if last + 1 == batches => [step, &[]],
            0 => [&step[..self.update], keep],
            _ => [&step[..self.update], add],
        };
        before.iter().chain(after)
    }

    /// Records everything: forward, loss, backward, update.
    pub fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        record(&self.dispatches, pass);
    }

    /// Records the forward pass alone: outputs, and what the backward pass needs.
    pub fn record_forward(&self, pass: &mut wgpu::ComputePass<'_>) {
        record(&self.dispatches[..self.loss], pass);
    }

    /// Records the loss, which is added to the running total, and the gradients of parameters and
    /// inputs, behind a forward pass.
    pub fn record_backward(&self, pass: &mut wgpu::ComputePass<'_>) {
        record(&self.dispatches[self.loss..self.update], pass);
    }

    /// Records the optimizer's step, behind a backward pass.
    pub fn record_update(&self, pass: &mut wgpu::ComputePass<'_>) {
        record(&self.dispatches[self.update..], pass);
    }

    /// What [`Self::record`] records, in order.
    #[must_use]
    pub fn dispatches(&self) -> &[Dispatch] {
        &self.dispatches
    }
}

/// For errors about gradients that are scaled.
const SCALED: &str = "wgpu_linear::scale_gradients";

fn record(dispatches: &[Dispatch], pass: &mut wgpu::ComputePass<'_>) {
    for dispatch in dispatches {
        dispatch.record(pass);
    }
}

/// A part of a step, before it is prepared.
type Part<'a> = Job<'a, Result<Vec<Dispatch>, PrepareError>>;

/// Writes down the dispatches of a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Builder<'a> {
    pub(super) layers: &'a [Linear],
    pub(super) kernels: &'a NetworkKernels,
    pub(super) config: &'a NetworkConfig,
    /// The number of the batch, where something is dropped.
    pub(super) batches: Option<&'a BatchNumber>,
    /// The total of losses and examples.
    pub(super) total: &'a wgpu::Buffer,
    pub(super) update: &'a Update,
    pub(super) workspace: &'a Workspace,
    pub(super) operands: Training<'a>,
}

impl<'a> Builder<'a> {
    /// All of it side by side, so that drivers compile the kernels on all cores.
    pub(super) fn step(&self) -> Result<TrainingStep, PrepareError> {
        let mut jobs = self.forward();
        let loss = jobs.len();
        jobs.push(Box::new(|| self.loss()));
        jobs.extend(self.backward());
        let update = jobs.len();
        jobs.push(Box::new(|| self.update.dispatches(self.kernels)));
        jobs.push(Box::new(|| self.update.keep(self.kernels)));
        jobs.push(Box::new(|| self.update.add(self.kernels)));
        let parts = side_by_side(jobs).into_iter();
        let mut parts: Vec<_> = parts.collect::<Result<_, _>>()?;
        let [keep, add] = [parts.remove(update + 1), parts.remove(update + 1)];
        let before = |part: usize| parts[..part].iter().map(Vec::len).sum();
        Ok(TrainingStep {
            loss: before(loss),
            update: before(update),
            waiting: Accumulated {
                batches: self.config.accumulation,
                keep,
                add,
            },
            dispatches: parts.into_iter().flatten().collect(),
        })
    }

    /// T_l = A_(l−1)·W_l + b_l and A_l = f(T_l), of which elements are dropped, layer by layer.
    fn forward(&self) -> Vec<Part<'_>> {
        let layer = |layer: usize| {
            let forward = move || {
                self.layers[layer].forward(LinearForward {
                    x: self.input(layer),
                    t: self.t(layer),
                    a: self.a(layer),
                })
            };
            let dropout = move || self.dropout(layer, self.a(layer));
            Box::new(move || Ok([forward()?].into_iter().chain(dropout()?).collect())) as Part<'_>
        };
        (0..=self.last()).map(layer).collect()
    }

    /// Drops elements of what lies behind a layer, or of its gradient; nothing where none are.
    fn dropout(
        &self,
        layer: usize,
        matrix: Option<Matrix<'_>>,
    ) -> Result<Option<Dispatch>, PrepareError> {
        let settings = self.config.dropout_behind(layer);
        let (Some(settings), Some(batches), Some(matrix)) = (settings, self.batches, matrix) else {
            return Ok(None);
        };
        let operands = Dropout {
            settings,
            batches: batches.vector(),
            x: matrix.flat("wgpu_linear::dropout")?,
        };
        self.kernels.dropout(operands).map(Some)
    }

    /// The loss, its gradient dT of the last layer, and its sum in the total.
    fn loss(&self) -> Result<Vec<Dispatch>, PrepareError> {
        let last = self.last();
        let outputs = self.a(last).unwrap_or(self.t(last));
        let targets = match self.operands.goal {
            Goal::Gradient(da) => return self.gradient_of_outputs(da),
            Goal::Classes(labels) | Goal::MaskedClasses(labels) => Matrix {
                buffer: labels.buffer,
                offset_bytes: labels.offset_bytes,
                rows: labels.len,
                columns: 1,
                element: labels.element,
            },
            Goal::Values(values) | Goal::WeightedValues(values) => values,
        };
        let da = match &self.workspace.da {
            Some(da) => self.matrix(last, da),
            None => self.dt(last),
        };
        let operands = LossStep {
            t: outputs,
            targets,
            is_weighted: self.is_weighted(),
            class_weights: &self.config.class_weights,
            label_smoothing: self.config.label_smoothing,
            losses: &self.workspace.losses,
            dt: da,
            total: Vector::new(self.total, LOSS_TOTAL_WORDS),
        };
        let mut dispatches = loss_step(self.kernels, self.config.loss, &operands)?;
        dispatches.extend(self.activation_grad(da)?);
        dispatches.extend(self.scale_gradient()?);
        Ok(dispatches)
    }

    /// dT of the last layer from the caller's gradient of the outputs, which is left as it is.
    fn gradient_of_outputs(&self, da: Matrix<'a>) -> Result<Vec<Dispatch>, PrepareError> {
        if let Some(through) = self.activation_grad(da)? {
            return Ok([through]
                .into_iter()
                .chain(self.scale_gradient()?)
                .collect());
        }
        let Some(scaled) = self.update.scaled_loss() else {
            return Ok(Vec::new());
        };
        let [source, dt] = [da, self.dt(self.last())].map(|matrix| matrix.flat(SCALED));
        Ok(vec![scaled.copy(self.kernels, source?, dt?)?])
    }

    /// Multiplies dT of the last layer by the scale of the loss, where it has one.
    fn scale_gradient(&self) -> Result<Option<Dispatch>, PrepareError> {
        let Some(scaled) = self.update.scaled_loss() else {
            return Ok(None);
        };
        let dt = self.dt(self.last()).flat(SCALED)?;
        scaled.scale(self.kernels, dt).map(Some)
    }

    /// Divides dX, which the caller looks at, by it.
    fn unscale_inputs(&self, dx: Matrix<'_>) -> Result<Option<Dispatch>, PrepareError> {
        let Some(scaled) = self.update.scaled_loss() else {
            return Ok(None);
        };
        scaled.unscale(self.kernels, dx.flat(SCALED)?).map(Some)
    }

    fn is_weighted(&self) -> bool {
        match self.operands.goal {
            Goal::Classes(_) => !self.config.class_weights.is_empty(),
            Goal::MaskedClasses(_) | Goal::WeightedValues(_) => true,
            Goal::Values(_) | Goal::Gradient(_) => false,
        }
    }

    /// dT = dA ⊙ f′(T) of the last layer; nothing where it has no activation.
    fn activation_grad(&self, da: Matrix<'a>) -> Result<Option<Dispatch>, PrepareError> {
        let last = self.last();
        let function = self.layers[last].activation();
        if function == Activation::Identity {
            return Ok(None);
        }
        let flat = |matrix: Matrix<'a>| matrix.flat("wgpu_linear::activation_grad");
        let operands = ActivationGrad {
            t: flat(self.t(last))?,
            da: flat(da)?,
            dt: flat(self.dt(last))?,
            function,
        };
        self.kernels.activation_grad(operands).map(Some)
    }

    /// dW_l, db_l and dT_(l−1) = dT_l·W_lᵀ ⊙ f′(T_(l−1)), of which the same elements are dropped,
    /// last layer first. Then comes the next batch.
    fn backward(&self) -> Vec<Part<'_>> {
        let mut parts: Vec<Part<'_>> = Vec::new();
        for (layer, linear) in self.layers.iter().enumerate().rev() {
            let below = match layer.checked_sub(1) {
                None => self.operands.dx.map(Below::Inputs),
                Some(below) => Some(Below::Activated {
                    function: self.layers[below].activation(),
                    t: self.t(below),
                    dt: self.dt(below),
                }),
            };
            let dt = self.dt(layer);
            parts.push(Box::new(move || {
                let parameters = linear.parameter_grad(self.input(layer), dt)?;
                Ok(vec![parameters])
            }));
            if let Some(below) = below {
                parts.push(Box::new(move || Ok(vec![linear.input_grad(dt, below)?])));
            }
            if let Some(Below::Inputs(dx)) = below {
                parts.push(Box::new(move || {
                    Ok(Vec::from_iter(self.unscale_inputs(dx)?))
                }));
            }
            if let Some(below) = layer.checked_sub(1) {
                let dt = self.dt(below);
                parts.push(Box::new(move || {
                    Ok(Vec::from_iter(self.dropout(below, Some(dt))?))
                }));
            }
        }
        if let Some(batches) = self.batches {
            let advance = || self.kernels.dropout_advance(batches.vector());
            parts.push(Box::new(move || advance().map(|dispatch| vec![dispatch])));
        }
        parts
    }

    fn last(&self) -> usize {
        self.layers.len() - 1
    }

    /// What layer `layer` takes in: X, or the activation below.
    fn input(&self, layer: usize) -> Matrix<'a> {
        match layer.checked_sub(1) {
            None => self.operands.x,
            Some(below) => self.matrix(below, &self.workspace.a[below]),
        }
    }

    fn t(&self, layer: usize) -> Matrix<'a> {
        match self.operands.outputs {
            Some(outputs) if self.workspace.a.get(layer).is_none() => outputs,
            _ => self.matrix(layer, &self.workspace.t[layer]),
        }
    }

    fn a(&self, layer: usize) -> Option<Matrix<'a>> {
        let a = self.workspace.a.get(layer)?;
        match self.operands.outputs {
            Some(outputs) if layer == self.last() => Some(outputs),
            _ => Some(self.matrix(layer, a)),
        }
    }

    /// The gradient with respect to T: the caller's, where it gives one and the last layer has no
    /// activation.
    fn dt(&self, layer: usize) -> Matrix<'a> {
        match self.operands.goal {
            Goal::Gradient(dt) if self.takes_gradient(layer) => dt,
            _ => self.matrix(layer, &self.workspace.dt[layer]),
        }
    }

    /// Whether dT of the layer is the caller's gradient of the outputs, as it is.
    fn takes_gradient(&self, layer: usize) -> bool {
        let is_plain = self.workspace.da.is_none() && self.update.scaled_loss().is_none();
        layer == self.last() && is_plain
    }

    /// `buffer` as rows × outputs of `layer`.
    fn matrix(&self, layer: usize, buffer: &'a wgpu::Buffer) -> Matrix<'a> {
        let outputs = self.layers[layer].b().len;
        let matrix = Matrix::new(buffer, self.operands.x.rows, outputs);
        matrix.stored_as(self.config.element_of(layer))
    }
}
