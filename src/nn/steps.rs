//! Prepared steps: the buffers of a batch, and the dispatches for every batch size, written down
//! once and recorded for every batch of that size.

use std::collections::HashMap;
use std::hash::Hash;

use crate::device::{Gpu, GpuError};
use crate::kernel::{Dispatch, Matrix, PrepareError, Vector};
use crate::linear::{Forward, ForwardActivated, InputGradActivated, LinearKernels, WeightGrad};
use crate::model::{MlpConfig, ModelError};

use super::ops::{Gather, LOSS_TOTAL_WORDS, LossStep, NetworkKernels, loss_step};
use super::parameters::Parameters;
use super::resident::Resident;

/// Batch sizes whose dispatches are kept: more than a training run has, few enough to bound memory.
const KEPT_BATCH_SIZES: usize = 64;

/// The network that steps are made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network<'a> {
    pub(super) config: &'a MlpConfig,
    pub(super) parameters: &'a Parameters,
    /// The total of losses and examples.
    pub(super) total: &'a wgpu::Buffer,
}

/// What a training step is prepared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct BatchKind {
    pub(super) rows: u32,
    /// Whether rows have weights, by themselves or by their classes.
    pub(super) is_weighted: bool,
}

/// What prepares steps and keeps them.
#[derive(Debug)]
pub(super) struct Steps {
    linear: LinearKernels,
    kernels: NetworkKernels,
    buffers: BatchBuffers,
    predict: HashMap<u32, Vec<Dispatch>>,
    train: HashMap<BatchKind, Vec<Dispatch>>,
    gather: HashMap<u32, Dispatch>,
}

impl Steps {
    pub(super) fn new(gpu: &Gpu, layer_sizes: &[usize]) -> Result<Self, GpuError> {
        Ok(Self {
            linear: LinearKernels::new(gpu.device()),
            kernels: NetworkKernels::new(gpu.device()),
            buffers: BatchBuffers::new(gpu, layer_sizes, 0)?,
            predict: HashMap::new(),
            train: HashMap::new(),
            gather: HashMap::new(),
        })
    }

    pub(super) fn kernels(&self) -> &NetworkKernels {
        &self.kernels
    }

    pub(super) fn buffers(&self) -> &BatchBuffers {
        &self.buffers
    }

    /// Whether batches of so many rows have room.
    pub(super) fn have_room_for(&self, rows: u32) -> bool {
        rows <= self.buffers.capacity
    }

    /// Makes room for batches of `rows` rows. What was prepared refers to the old buffers, and
    /// goes.
    pub(super) fn make_room(
        &mut self,
        gpu: &Gpu,
        layer_sizes: &[usize],
        rows: u32,
    ) -> Result<(), GpuError> {
        self.buffers = BatchBuffers::new(gpu, layer_sizes, rows)?;
        self.predict.clear();
        self.train.clear();
        self.gather.clear();
        Ok(())
    }

    /// The dispatches that turn X into outputs.
    pub(super) fn predict(
        &mut self,
        network: Network<'_>,
        rows: u32,
    ) -> Result<&[Dispatch], PrepareError> {
        if !self.predict.contains_key(&rows) {
            let step = self.builder(network, rows).forward()?;
            keep(&mut self.predict, rows, step);
        }
        Ok(&self.predict[&rows])
    }

    /// Whether [`Self::prepare_train`] has nothing to do.
    pub(super) fn can_train(&self, batch: BatchKind) -> bool {
        self.train.contains_key(&batch)
    }

    /// Forward, loss, backward and update.
    pub(super) fn prepare_train(
        &mut self,
        network: Network<'_>,
        limits: &wgpu::Limits,
        batch: BatchKind,
    ) -> Result<(), PrepareError> {
        let builder = self.builder(network, batch.rows);
        let step = [
            builder.forward()?,
            builder.loss(batch.is_weighted)?,
            builder.backward()?,
            network.parameters.update(&self.kernels, limits)?,
        ];
        keep(&mut self.train, batch, step.concat());
        Ok(())
    }

    /// The dispatches of [`Self::prepare_train`].
    pub(super) fn train(&self, batch: BatchKind) -> &[Dispatch] {
        self.train.get(&batch).map_or(&[], Vec::as_slice)
    }

    /// The dispatch that picks a batch out of a data set on the device.
    pub(super) fn prepare_gather(
        &mut self,
        resident: &Resident,
        rows: u32,
    ) -> Result<(), PrepareError> {
        if self.gather.contains_key(&rows) {
            return Ok(());
        }
        let data = resident.data();
        let wanted = data.wanted();
        let gather = self.kernels.gather(Gather {
            indices: Vector::new(resident.order().buffer(), rows),
            data: data.examples(),
            wanted,
            x: Matrix::new(&self.buffers.x, rows, data.inputs() as u32),
            targets: Matrix::new(&self.buffers.targets, rows, wanted.columns),
        })?;
        keep(&mut self.gather, rows, gather);
        Ok(())
    }

    /// Forgets what refers to a data set or its order.
    pub(super) fn forget_gathers(&mut self) {
        self.gather.clear();
    }

    /// Records the step for the batch that begins `offset_bytes` into the order.
    pub(super) fn record(
        &self,
        pass: &mut wgpu::ComputePass<'_>,
        batch: BatchKind,
        offset_bytes: u32,
    ) {
        if let Some(gather) = self.gather.get(&batch.rows) {
            gather.record_at(pass, offset_bytes);
        }
        for dispatch in self.train(batch) {
            dispatch.record(pass);
        }
    }

    /// What [`Self::record`] records, gathering first.
    pub(super) fn recorded(&self, batch: BatchKind) -> impl Iterator<Item = &Dispatch> {
        let gather = self.gather.get(&batch.rows).into_iter();
        gather.chain(self.train(batch))
    }

    fn builder<'a>(&'a self, network: Network<'a>, rows: u32) -> Builder<'a> {
        Builder {
            linear: &self.linear,
            kernels: &self.kernels,
            buffers: &self.buffers,
            network,
            rows,
        }
    }
}

/// Adds the dispatches for a batch size; when too many have gathered, all others go.
fn keep<K: Eq + Hash, T>(steps: &mut HashMap<K, T>, batch: K, step: T) {
    if steps.len() >= KEPT_BATCH_SIZES {
        steps.clear();
    }
    steps.insert(batch, step);
}

/// Buffers for batches of up to `capacity` rows. Each is a buffer of its own, because WebGPU does
/// not let one operation read and write the same buffer.
#[derive(Debug)]
pub(super) struct BatchBuffers {
    capacity: u32,
    pub(super) x: wgpu::Buffer,
    /// Labels, or the values wanted, and room for the weight of each row.
    pub(super) targets: wgpu::Buffer,
    losses: wgpu::Buffer,
    /// Per layer: the linear layer's result, and its gradient.
    t: Vec<wgpu::Buffer>,
    dt: Vec<wgpu::Buffer>,
    /// Per hidden layer: the activation's result.
    a: Vec<wgpu::Buffer>,
}

impl BatchBuffers {
    fn new(gpu: &Gpu, layer_sizes: &[usize], capacity: u32) -> Result<Self, GpuError> {
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
            targets: rows("wgpu_linear::targets", layer_sizes[last] + 1)?,
            losses: rows("wgpu_linear::losses", layer_sizes[last])?,
            t: each("wgpu_linear::t", &layer_sizes[1..])?,
            dt: each("wgpu_linear::dt", &layer_sizes[1..])?,
            a: each("wgpu_linear::a", &layer_sizes[1..last])?,
        })
    }

    /// The buffer with the network's outputs after a forward pass.
    pub(super) fn outputs(&self) -> &wgpu::Buffer {
        &self.t[self.t.len() - 1]
    }
}

/// Writes down the dispatches of a step for batches of `rows` rows.
#[derive(Clone, Copy, Debug)]
struct Builder<'a> {
    linear: &'a LinearKernels,
    kernels: &'a NetworkKernels,
    buffers: &'a BatchBuffers,
    network: Network<'a>,
    rows: u32,
}

type Dispatches = Result<Vec<Dispatch>, PrepareError>;

impl<'a> Builder<'a> {
    /// T_l = A_(l−1)·W_l + b_l and A_l = f(T_l), layer by layer.
    fn forward(&self) -> Dispatches {
        let layer = |layer| {
            let x = self.input(layer);
            let w = self.network.parameters.w(layer);
            let b = Some(self.network.parameters.b(layer));
            let t = self.t(layer);
            match self.buffers.a.get(layer) {
                None => self.linear.forward(Forward { x, w, b, t }),
                Some(a) => self.linear.forward_activated(ForwardActivated {
                    x,
                    w,
                    b,
                    function: self.network.config.activation,
                    t,
                    a: self.matrix(layer, a),
                }),
            }
        };
        (0..self.network.parameters.layers()).map(layer).collect()
    }

    /// The loss, its gradient dT of the last layer, and its sum in the total.
    fn loss(&self, is_weighted: bool) -> Dispatches {
        let last = self.network.parameters.layers() - 1;
        let operands = LossStep {
            t: self.t(last),
            targets: &self.buffers.targets,
            is_weighted,
            class_weights: &self.network.config.class_weights,
            losses: &self.buffers.losses,
            dt: self.dt(last),
            total: Vector::new(self.network.total, LOSS_TOTAL_WORDS),
        };
        loss_step(self.kernels, self.network.config.loss, &operands)
    }

    /// dW_l, db_l and dT_(l−1) = dT_l·W_lᵀ ⊙ f′(T_(l−1)), last layer first.
    fn backward(&self) -> Dispatches {
        let parameters = self.network.parameters;
        let mut dispatches = Vec::new();
        for layer in (0..parameters.layers()).rev() {
            let dt = self.dt(layer);
            dispatches.push(self.linear.weight_grad(WeightGrad {
                x: self.input(layer),
                dt,
                dw: parameters.dw(layer),
                db: Some(parameters.db(layer)),
            })?);
            if let Some(below) = layer.checked_sub(1) {
                dispatches.push(self.linear.input_grad_activated(InputGradActivated {
                    dt,
                    w: parameters.w(layer),
                    function: self.network.config.activation,
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
            None => {
                let inputs = self.network.parameters.w(0).rows;
                Matrix::new(&self.buffers.x, self.rows, inputs)
            }
            Some(below) => self.matrix(below, &self.buffers.a[below]),
        }
    }

    fn t(&self, layer: usize) -> Matrix<'a> {
        self.matrix(layer, &self.buffers.t[layer])
    }

    fn dt(&self, layer: usize) -> Matrix<'a> {
        self.matrix(layer, &self.buffers.dt[layer])
    }

    /// `buffer` as rows × outputs of `layer`.
    fn matrix(&self, layer: usize, buffer: &'a wgpu::Buffer) -> Matrix<'a> {
        Matrix::new(buffer, self.rows, self.network.parameters.b(layer).len)
    }
}

/// The row count of a batch, which kernels number by u32.
pub(super) fn batch_rows(rows: usize, columns: usize) -> Result<u32, ModelError> {
    u32::try_from(rows).map_err(|_| ModelError::Shape {
        what: "x",
        expected: [u32::MAX as usize, columns],
        actual: [rows, columns],
    })
}
