//! A batch's buffers and dispatches: prepared once for a batch size, recorded for every batch of that size.

use crate::dispatch::Dispatch;
use crate::error::{GpuError, PrepareError};
use crate::gpu::Gpu;
use crate::linear::{Forward, ForwardActivated, InputGradActivated, LinearKernels, WeightGrad};
use crate::model::{Activation, Loss};
use crate::view::{Matrix, Vector};

use super::operations::{AccumulateLoss, MeanSquaredError, NetworkKernels, SoftmaxCrossEntropy};
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
        let last = self.layout.layers() - 1;
        let (t, dt) = (self.t(last), self.dt(last));
        let targets = &self.workspace.targets;
        let losses = match loss {
            Loss::SoftmaxCrossEntropy => Vector::new(&self.workspace.losses, self.batch),
            Loss::MeanSquaredError => self.flat(last, &self.workspace.losses),
        };
        let measure = match loss {
            Loss::SoftmaxCrossEntropy => {
                let labels = Vector::new(targets, self.batch);
                self.network.softmax_cross_entropy(SoftmaxCrossEntropy {
                    t,
                    labels,
                    row_loss: losses,
                    dt,
                })?
            }
            Loss::MeanSquaredError => {
                let y = self.matrix(last, targets);
                let element_loss = self.matrix(last, &self.workspace.losses);
                self.network.mean_squared_error(MeanSquaredError {
                    t,
                    y,
                    element_loss,
                    dt,
                })?
            }
        };
        let total = Vector::new(total, 2);
        let add = self.network.accumulate_loss(AccumulateLoss {
            losses,
            batch: self.batch,
            total,
        })?;
        Ok(vec![measure, add])
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
