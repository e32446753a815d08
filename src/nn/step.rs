//! A batch's buffers and dispatches: prepared once for a batch size, recorded for every batch of that size.

use crate::dispatch::Dispatch;
use crate::error::{GpuError, PrepareError};
use crate::gpu::Gpu;
use crate::linear::{Forward, ForwardActivated, InputGradActivated, LinearKernels, WeightGrad};
use crate::model::{Activation, Loss};
use crate::view::{Matrix, Vector};

use super::operations::{
    AccumulateLoss, MeanSquaredError, NetworkKernels, SMALL_LOSS_ELEMENTS, SoftmaxCrossEntropy,
    SoftmaxCrossEntropySmall,
};
use super::storage::Layout;

/// Buffers for batches of up to `capacity` rows. Each is a buffer of its own, because WebGPU does not let one operation read and
/// write the same buffer.
#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) capacity: u32,
    pub(super) x: wgpu::Buffer,
    /// Labels, or the values wanted.
    pub(super) targets: wgpu::Buffer,
    losses: wgpu::Buffer,
    /// Per layer: the linear layer's result, and its gradient.
    t: Vec<wgpu::Buffer>,
    dt: Vec<wgpu::Buffer>,
    /// Per hidden layer: the activation's result.
    a: Vec<wgpu::Buffer>,
}

impl Workspace {
    pub(super) fn new(gpu: &Gpu, layer_sizes: &[usize], capacity: u32) -> Result<Self, GpuError> {
        let rows = |label: &str, columns: usize| {
            gpu.zeros(label, (capacity as usize).saturating_mul(columns))
        };
        let each = |label: &str, sizes: &[usize]| {
            sizes
                .iter()
                .map(|size| rows(label, *size))
                .collect::<Result<_, _>>()
        };
        let last = layer_sizes.len() - 1;
        Ok(Self {
            capacity,
            x: rows("wgpu_linear::x", layer_sizes[0])?,
            targets: rows("wgpu_linear::targets", layer_sizes[last])?,
            losses: rows("wgpu_linear::losses", layer_sizes[last])?,
            t: each("wgpu_linear::t", &layer_sizes[1..])?,
            dt: each("wgpu_linear::dt", &layer_sizes[1..])?,
            a: each("wgpu_linear::a", &layer_sizes[1..last])?,
        })
    }

    /// The buffer with the network's outputs after [`Builder::forward`].
    pub(super) fn outputs(&self) -> &wgpu::Buffer {
        &self.t[self.t.len() - 1]
    }
}

/// Writes down the dispatches of a step for batches of `batch` rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Builder<'a> {
    pub(super) linear: &'a LinearKernels,
    pub(super) network: &'a NetworkKernels,
    pub(super) layout: &'a Layout,
    pub(super) activation: Activation,
    pub(super) workspace: &'a Workspace,
    pub(super) parameters: &'a wgpu::Buffer,
    pub(super) batch: u32,
}

type Dispatches = Result<Vec<Dispatch>, PrepareError>;

impl<'a> Builder<'a> {
    /// T_l = A_(l−1)·W_l + b_l and A_l = f(T_l), layer by layer.
    pub(super) fn forward(&self) -> Dispatches {
        let layer = |layer| {
            let x = self.input(layer);
            let w = self.layout.w(layer, self.parameters);
            let b = Some(self.layout.b(layer, self.parameters));
            let t = self.t(layer);
            match self.workspace.a.get(layer) {
                None => self.linear.forward(Forward { x, w, b, t }),
                Some(a) => self.linear.forward_activated(ForwardActivated {
                    x,
                    w,
                    b,
                    function: self.activation,
                    t,
                    a: self.matrix(layer, a),
                }),
            }
        };
        (0..self.layout.layers()).map(layer).collect()
    }

    /// The loss, its gradient dT of the last layer, and its sum in `total`.
    pub(super) fn loss(&self, loss: Loss, total: &wgpu::Buffer) -> Dispatches {
        let total = Vector::new(total, 2);
        match loss {
            Loss::SoftmaxCrossEntropy => self.cross_entropy(total),
            Loss::MeanSquaredError => self.squared_error(total),
        }
    }

    fn cross_entropy(&self, total: Vector<'_>) -> Dispatches {
        let last = self.layout.layers() - 1;
        let (t, dt) = (self.t(last), self.dt(last));
        let labels = Vector::new(&self.workspace.targets, self.batch);
        if t.elements() <= SMALL_LOSS_ELEMENTS {
            let operands = SoftmaxCrossEntropySmall {
                t,
                labels,
                dt,
                total,
            };
            return Ok(vec![self.network.softmax_cross_entropy_small(operands)?]);
        }
        let row_loss = Vector::new(&self.workspace.losses, self.batch);
        let measure = self.network.softmax_cross_entropy(SoftmaxCrossEntropy {
            t,
            labels,
            row_loss,
            dt,
        })?;
        Ok(vec![measure, self.accumulate(row_loss, total)?])
    }

    fn squared_error(&self, total: Vector<'_>) -> Dispatches {
        let last = self.layout.layers() - 1;
        let measure = self.network.mean_squared_error(MeanSquaredError {
            t: self.t(last),
            y: self.matrix(last, &self.workspace.targets),
            element_loss: self.matrix(last, &self.workspace.losses),
            dt: self.dt(last),
        })?;
        let losses = self.flat(last, &self.workspace.losses);
        Ok(vec![measure, self.accumulate(losses, total)?])
    }

    fn accumulate(&self, losses: Vector<'_>, total: Vector<'_>) -> Result<Dispatch, PrepareError> {
        self.network.accumulate_loss(AccumulateLoss {
            losses,
            batch: self.batch,
            total,
        })
    }

    /// dW_l, db_l and dT_(l−1) = dT_l·W_lᵀ ⊙ f′(T_(l−1)), last layer first.
    pub(super) fn backward(&self, gradients: &wgpu::Buffer) -> Dispatches {
        let mut dispatches = Vec::new();
        for layer in (0..self.layout.layers()).rev() {
            let (x, dt) = (self.input(layer), self.dt(layer));
            dispatches.push(self.linear.weight_grad(WeightGrad {
                x,
                dt,
                dw: self.layout.w(layer, gradients),
                db: Some(self.layout.b(layer, gradients)),
            })?);
            if let Some(below) = layer.checked_sub(1) {
                dispatches.push(self.linear.input_grad_activated(InputGradActivated {
                    dt,
                    w: self.layout.w(layer, self.parameters),
                    function: self.activation,
                    t_below: self.t(below),
                    dt_below: self.dt(below),
                })?);
            }
        }
        Ok(dispatches)
    }

    /// What layer `layer` takes in: X, or the activation below.
    fn input(&self, layer: usize) -> Matrix<'a> {
        match layer.checked_sub(1) {
            None => Matrix::new(
                &self.workspace.x,
                self.batch,
                self.layout.w(0, self.parameters).rows,
            ),
            Some(below) => self.matrix(below, &self.workspace.a[below]),
        }
    }

    fn t(&self, layer: usize) -> Matrix<'a> {
        self.matrix(layer, &self.workspace.t[layer])
    }

    fn dt(&self, layer: usize) -> Matrix<'a> {
        self.matrix(layer, &self.workspace.dt[layer])
    }

    /// `buffer` as batch × outputs of `layer`.
    fn matrix(&self, layer: usize, buffer: &'a wgpu::Buffer) -> Matrix<'a> {
        Matrix::new(buffer, self.batch, self.layout.outputs(layer))
    }

    fn flat(&self, layer: usize, buffer: &'a wgpu::Buffer) -> Vector<'a> {
        Vector::new(
            buffer,
            self.batch.saturating_mul(self.layout.outputs(layer)),
        )
    }
}
