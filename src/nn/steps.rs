//! Prepared steps: the buffers of a batch, and the dispatches for every batch size, written down
//! once and recorded for every batch of that size.

use std::collections::HashMap;
use std::hash::Hash;

use crate::device::{Gpu, GpuError};
use crate::kernel::{Dispatch, Grid, Matrix, PrepareError, Vector};
use crate::model::{ModelError, TargetKind};

use super::network::Network;
use super::ops::Gather;
use super::prediction::Prediction;
use super::resident::Resident;
use super::training::{Goal, Training, TrainingStep};
use super::workspace::Workspace;

/// Batch sizes whose dispatches are kept: more than a training run has, few enough to bound memory.
const KEPT_BATCH_SIZES: usize = 64;

/// What a training step is prepared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct BatchKind {
    pub(super) rows: u32,
    /// Whether rows have weights, by themselves or by their classes.
    pub(super) is_weighted: bool,
}

/// What is prepared for a network, and kept.
#[derive(Debug)]
pub(super) struct Steps {
    batch: BatchBuffers,
    train: HashMap<BatchKind, TrainingStep>,
    gather: HashMap<u32, Dispatch>,
    rows: RowBuffers,
    predict: HashMap<u32, Prediction>,
}

impl Steps {
    pub(super) fn new(gpu: &Gpu, network: &Network) -> Result<Self, GpuError> {
        Ok(Self {
            batch: BatchBuffers::new(gpu, network, 0)?,
            train: HashMap::new(),
            gather: HashMap::new(),
            rows: RowBuffers::new(gpu, network, 0)?,
            predict: HashMap::new(),
        })
    }

    pub(super) fn batch(&self) -> &BatchBuffers {
        &self.batch
    }

    /// Whether batches of so many rows have room.
    pub(super) fn have_room_for(&self, rows: u32) -> bool {
        self.batch.workspace.has_room_for(rows)
    }

    /// Makes room for batches of `rows` rows. What was prepared refers to the old buffers, and
    /// goes.
    pub(super) fn make_room(
        &mut self,
        gpu: &Gpu,
        network: &Network,
        rows: u32,
    ) -> Result<(), GpuError> {
        self.batch = BatchBuffers::new(gpu, network, rows)?;
        self.train.clear();
        self.gather.clear();
        Ok(())
    }

    /// The buffers for so many rows, and the dispatches that turn X into outputs.
    pub(super) fn predict(
        &mut self,
        gpu: &Gpu,
        network: &Network,
        rows: u32,
    ) -> Result<(&RowBuffers, &[Dispatch]), ModelError> {
        if rows > self.rows.capacity {
            self.rows = RowBuffers::new(gpu, network, rows)?;
            self.predict.clear();
        }
        if !self.predict.contains_key(&rows) {
            let [inputs, outputs] = network.config().ends();
            let x = Matrix::new(&self.rows.x, rows, inputs as u32);
            let outputs = Matrix::new(&self.rows.outputs, rows, outputs as u32);
            let prediction = network.predict_into(x, outputs)?;
            keep(&mut self.predict, rows, prediction);
        }
        Ok((&self.rows, self.predict[&rows].dispatches()))
    }

    /// Whether [`Self::prepare_train`] has nothing to do.
    pub(super) fn can_train(&self, batch: BatchKind) -> bool {
        self.train.contains_key(&batch)
    }

    /// Forward, loss, backward and update.
    pub(super) fn prepare_train(
        &mut self,
        network: &Network,
        batch: BatchKind,
    ) -> Result<(), ModelError> {
        let BatchKind { rows, is_weighted } = batch;
        let [inputs, outputs] = network.config().ends();
        let BatchBuffers {
            x,
            targets,
            workspace,
        } = &self.batch;
        let labels = Vector::new(targets, rows);
        let values = |columns: usize| Matrix::new(targets, rows, columns as u32);
        let goal = match (network.config().loss.targets(), is_weighted) {
            (TargetKind::Classes, false) => Goal::Classes(labels),
            (TargetKind::Classes, true) => Goal::MaskedClasses(labels),
            (TargetKind::Values, false) => Goal::Values(values(outputs)),
            (TargetKind::Values, true) => Goal::WeightedValues(values(outputs + 1)),
        };
        let operands = Training::new(Matrix::new(x, rows, inputs as u32), goal);
        let step = network.training_in(workspace, operands)?;
        keep(&mut self.train, batch, step);
        Ok(())
    }

    /// The dispatches of [`Self::prepare_train`] for the batch of this number since the last
    /// update.
    pub(super) fn train(
        &self,
        batch: BatchKind,
        since_update: u32,
    ) -> impl Iterator<Item = &Dispatch> {
        let step = self.train.get(&batch).into_iter();
        step.flat_map(move |step| step.of_batch(u64::from(since_update)))
    }

    /// The dispatch that picks a batch out of a data set on the device.
    pub(super) fn prepare_gather(
        &mut self,
        network: &Network,
        resident: &Resident,
        rows: u32,
    ) -> Result<(), PrepareError> {
        if self.gather.contains_key(&rows) {
            return Ok(());
        }
        let data = resident.data();
        let wanted = data.wanted();
        let gather = network.kernels().gather(Gather {
            indices: Vector::new(resident.order().buffer(), rows),
            data: data.examples(),
            wanted,
            x: Matrix::new(&self.batch.x, rows, data.inputs() as u32),
            targets: Matrix::new(&self.batch.targets, rows, wanted.columns),
        })?;
        keep(&mut self.gather, rows, gather);
        Ok(())
    }

    /// Forgets what refers to a data set or its order.
    pub(super) fn forget_gathers(&mut self) {
        self.gather.clear();
    }

    /// The step for the batch that begins `offset_bytes` into the order.
    pub(super) fn grids(
        &self,
        (batch, since_update): (BatchKind, u32),
        offset_bytes: u32,
    ) -> impl Iterator<Item = (&Grid, u32)> {
        let gather = self.gather.get(&batch.rows).into_iter();
        let dispatches = gather.chain(self.train(batch, since_update));
        // Only the gathering has a binding that moves on.
        dispatches.flat_map(move |dispatch| dispatch.grids.iter().map(move |g| (g, offset_bytes)))
    }

    /// What [`Self::record`] records for a batch with an update, gathering first.
    pub(super) fn recorded(&self, batch: BatchKind) -> impl Iterator<Item = &Dispatch> {
        let gather = self.gather.get(&batch.rows).into_iter();
        let step = self
            .train
            .get(&batch)
            .map_or(&[][..], TrainingStep::dispatches);
        gather.chain(step)
    }
}

/// Adds the dispatches for a batch size; when too many have gathered, all others go.
fn keep<K: Eq + Hash, T>(steps: &mut HashMap<K, T>, batch: K, step: T) {
    if steps.len() >= KEPT_BATCH_SIZES {
        steps.clear();
    }
    steps.insert(batch, step);
}

/// Buffers for training.
#[derive(Debug)]
pub(super) struct BatchBuffers {
    pub(super) x: wgpu::Buffer,
    /// Labels, or the values wanted, and room for the weight of each row.
    pub(super) targets: wgpu::Buffer,
    workspace: Workspace,
}

impl BatchBuffers {
    fn new(gpu: &Gpu, network: &Network, capacity: u32) -> Result<Self, GpuError> {
        let [inputs, outputs] = network.config().ends();
        let rows = |label, columns| zeros(gpu, label, [capacity as usize, columns]);
        Ok(Self {
            x: rows("wgpu_linear::x", inputs)?,
            targets: rows("wgpu_linear::targets", outputs + 1)?,
            workspace: Workspace::new(gpu, network.config(), capacity)?,
        })
    }
}

/// What goes into a network and what comes out, for up to `capacity` rows.
#[derive(Debug)]
pub(super) struct RowBuffers {
    capacity: u32,
    pub(super) x: wgpu::Buffer,
    pub(super) outputs: wgpu::Buffer,
}

impl RowBuffers {
    fn new(gpu: &Gpu, network: &Network, capacity: u32) -> Result<Self, GpuError> {
        let [inputs, outputs] = network.config().ends();
        let rows = |label, columns| zeros(gpu, label, [capacity as usize, columns]);
        Ok(Self {
            capacity,
            x: rows("wgpu_linear::x", inputs)?,
            outputs: rows("wgpu_linear::outputs", outputs)?,
        })
    }
}

fn zeros(gpu: &Gpu, label: &str, [rows, columns]: [usize; 2]) -> Result<wgpu::Buffer, GpuError> {
    gpu.zeros(label, rows.saturating_mul(columns))
}

/// The row count of a batch, which kernels number by u32.
pub(super) fn batch_rows(rows: usize, columns: usize) -> Result<u32, ModelError> {
    u32::try_from(rows).map_err(|_| ModelError::Shape {
        what: "x",
        expected: [u32::MAX as usize, columns],
        actual: [rows, columns],
    })
}
