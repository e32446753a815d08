//! Training on a data set that lives on the device: many steps in one submission, nothing copied from the host.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::PoisonError;

use crate::dispatch::Dispatch;
use crate::error::{GpuError, PrepareError};
use crate::model::{MeanLoss, ModelError};
use crate::view::{Matrix, Vector};

use super::Mlp;
use super::data::DeviceDataset;
use super::gather::Gather;
use super::mlp::keep;
use super::order::Order;
use super::pace::Pace;

/// Submissions of many steps that may wait on the queue: enough to keep a GPU busy, few enough that a loss is not long in coming.
const SUBMISSIONS_IN_FLIGHT: usize = 4;

/// A data set on the device, and the way through it.
#[derive(Debug)]
pub(super) struct Resident {
    data: DeviceDataset,
    order: Order,
    /// The batch that comes next.
    next: usize,
    /// Prepared dispatches by batch size.
    gathers: HashMap<u32, Dispatch>,
}

impl Resident {
    /// Forgets the dispatches, which refer to buffers that are going to be replaced.
    pub(super) fn forget_steps(&mut self) {
        self.gathers.clear();
    }
}

/// Steps that have been asked for and not yet submitted, and the submissions under way.
#[derive(Debug)]
pub(super) struct Pending {
    batches: Range<usize>,
    pub(super) pace: Pace,
}

impl Pending {
    pub(super) fn new(most_in_flight: usize) -> Self {
        Self {
            batches: 0..0,
            pace: Pace::new(most_in_flight),
        }
    }
}

impl Mlp {
    /// Trains on `data` from now on, see [`Self::train_indices`]; replaces the data set before.
    ///
    /// # Errors
    /// [`ModelError::Shape`], [`ModelError::Class`] or [`ModelError::TargetKind`] where data set and network do not fit; the data set before
    /// stays then. Otherwise what the device reports.
    pub fn set_data(&mut self, data: DeviceDataset) -> Result<(), ModelError> {
        data.check(&self.config.layer_sizes, self.config.loss)?;
        self.submit()?;
        self.resident = Some(Resident {
            data,
            order: Order::new(&self.gpu)?,
            next: 0,
            gathers: HashMap::new(),
        });
        Ok(())
    }

    /// Lets go of the data set of [`Self::set_data`].
    ///
    /// # Errors
    /// What the device reports.
    pub fn clear_data(&mut self) -> Result<(), ModelError> {
        self.submit()?;
        self.resident = None;
        Ok(())
    }

    /// One optimizer step for every `batch` indices of [`Self::set_data`]'s examples, in this order; the last batch may be smaller.
    ///
    /// The same steps, bit for bit, as [`Model::train_batch`](crate::model::Model::train_batch) on the same rows, without its copies: the indices are uploaded once, the
    /// device gathers the rows, and many steps go into one submission, none of which should take longer than about 100 ms. Returns before the
    /// device has finished.
    ///
    /// # Errors
    /// [`ModelError::NoData`] without a data set, [`ModelError::Index`] where an index is not below the number of examples,
    /// [`ModelError::BatchSize`] for batches of 0; nothing is trained then. Otherwise what the device reports.
    pub fn train_indices(&mut self, indices: &[usize], batch: usize) -> Result<(), ModelError> {
        self.set_indices(indices, batch)?;
        while self.train_step_on_indices()? {}
        self.submit()
    }

    /// Uploads the order in which [`Self::train_step_on_indices`] takes the examples.
    ///
    /// # Errors
    /// As [`Self::train_indices`]; the order before stays then.
    pub fn set_indices(&mut self, indices: &[usize], batch: usize) -> Result<(), ModelError> {
        self.submit()?;
        let resident = self.resident.as_mut().ok_or(ModelError::NoData)?;
        let examples = resident.data.len();
        if resident.order.set(&self.gpu, indices, batch, examples)? {
            resident.forget_steps();
        }
        resident.next = 0;
        let rows = resident.order.most_rows();
        self.reserve(rows)
    }

    /// The step for the next batch of [`Self::set_indices`]; whether there was one.
    ///
    /// The step may wait for others, to be submitted with them. Whatever reads the network submits it first; [`Self::submit`] does so at once.
    ///
    /// # Errors
    /// [`ModelError::NoData`] without a data set; otherwise what the device reports.
    pub fn train_step_on_indices(&mut self) -> Result<bool, ModelError> {
        let Some(resident) = &self.resident else {
            return Err(ModelError::NoData);
        };
        let i = resident.next;
        if i >= resident.order.batches() {
            return Ok(false);
        }
        let rows = resident.order.rows(i);
        if !resident.order.is_uploaded(i) {
            // The steps that wait read the window before.
            self.submit()?;
        }
        self.prepare_train_step(rows)?;
        self.prepare_gather(rows)?;
        if let Some(resident) = &mut self.resident {
            if !resident.order.is_uploaded(i) {
                resident.order.upload(&self.gpu, i)?;
            }
            resident.next = i + 1;
        }
        let pending = self.pending();
        if pending.batches.is_empty() {
            pending.batches = i..i;
        }
        pending.batches.end = i + 1;
        if pending.batches.len() >= pending.pace.steps() {
            self.submit()?;
        }
        Ok(true)
    }

    fn prepare_gather(&mut self, rows: u32) -> Result<(), ModelError> {
        let gather = match &self.resident {
            Some(resident) if !resident.gathers.contains_key(&rows) => {
                self.gather(resident, rows)?
            }
            _ => return Ok(()),
        };
        if let Some(resident) = &mut self.resident {
            keep(&mut resident.gathers, rows, gather);
        }
        Ok(())
    }

    fn gather(&self, resident: &Resident, rows: u32) -> Result<Dispatch, PrepareError> {
        let wanted = resident.data.wanted();
        self.network.gather(Gather {
            indices: Vector::new(&resident.order.buffer, rows),
            data: resident.data.examples(),
            wanted,
            x: Matrix::new(&self.workspace.x, rows, resident.data.inputs() as u32),
            targets: Matrix::new(&self.workspace.targets, rows, wanted.columns),
        })
    }

    /// Hands the steps that wait to the device, without waiting for it.
    ///
    /// # Errors
    /// What the device reports.
    pub fn submit(&self) -> Result<(), ModelError> {
        self.submit_with(None)
    }

    /// Submits the steps that wait, and behind them what `after` records.
    fn submit_with(
        &self,
        after: Option<&dyn Fn(&mut wgpu::CommandEncoder)>,
    ) -> Result<(), ModelError> {
        // A panic elsewhere cannot leave this half written: the steps are taken out after they were submitted.
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.batches.is_empty() && after.is_none() {
            return Ok(());
        }
        pending.pace.admit(&self.gpu, SUBMISSIONS_IN_FLIGHT)?;
        let label = Some("wgpu_linear::train");
        let device = self.gpu.device();
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
        self.record_steps(&mut encoder, pending.batches.clone());
        if let Some(after) = after {
            after(&mut encoder);
        }
        let submission = self.gpu.queue().submit([encoder.finish()]);
        let steps = std::mem::take(&mut pending.batches).len();
        pending.pace.submitted(submission, steps);
        Ok(())
    }

    fn record_steps(&self, encoder: &mut wgpu::CommandEncoder, batches: Range<usize>) {
        let Some(resident) = self.resident.as_ref().filter(|_| !batches.is_empty()) else {
            return;
        };
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("wgpu_linear::train"),
            timestamp_writes: None,
        });
        for i in batches {
            let rows = resident.order.rows(i);
            let offset_bytes = resident.order.offset_bytes(i);
            resident.gathers[&rows].record_at(&mut pass, offset_bytes);
            for dispatch in &self.train_steps[&rows] {
                dispatch.record(&mut pass);
            }
        }
    }

    /// Asks for the mean loss since the last was asked for or taken, without stopping the queue; [`Self::poll_loss`] brings it.
    ///
    /// Eight may be on their way; with more, natively, this waits for the oldest. In a browser, which cannot wait, it is `false`: ask again
    /// later, nothing is lost.
    ///
    /// # Errors
    /// What the device reports.
    pub fn request_loss(&mut self) -> Result<bool, ModelError> {
        if self.losses.is_full() {
            self.gpu.poll();
            self.losses.make_room()?;
        }
        if self.losses.is_full() {
            // All of them; a browser does not wait.
            self.admit(1)?;
            self.losses.make_room()?;
        }
        if self.losses.is_full() {
            return Ok(false);
        }
        self.submit_with(Some(&|encoder| self.losses.record(encoder, &self.total)))?;
        self.losses.request();
        Ok(true)
    }

    /// The oldest loss of [`Self::request_loss`] that has arrived; does not wait.
    ///
    /// # Errors
    /// What the device reports.
    pub fn poll_loss(&mut self) -> Result<Option<MeanLoss>, ModelError> {
        self.gpu.poll();
        Ok(self.losses.poll()?)
    }

    /// What a step for `rows` rows records, for those who want to look into it: pipeline, bind group 0 and workgroups in x and y. The first,
    /// the gathering, takes one dynamic offset: where in the order the batch begins. Empty where no such step has been prepared.
    #[doc(hidden)]
    pub fn prepared_step(
        &self,
        rows: u32,
    ) -> impl Iterator<Item = (&wgpu::ComputePipeline, &wgpu::BindGroup, [u32; 3])> {
        let gather = self.resident.iter().flat_map(move |r| r.gathers.get(&rows));
        let step = self.train_steps.get(&rows).into_iter().flatten();
        gather
            .chain(step)
            .flat_map(|dispatch| &dispatch.grids)
            .map(|grid| (&grid.pipeline, &grid.bindings, grid.workgroups))
    }

    pub(super) fn pending(&mut self) -> &mut Pending {
        self.pending
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, where that is possible, until fewer than `most` submissions are on the queue.
    pub(super) fn admit(&mut self, most: usize) -> Result<(), GpuError> {
        let pending = self.pending.get_mut();
        let pending = pending.unwrap_or_else(PoisonError::into_inner);
        pending.pace.admit(&self.gpu, most)
    }
}
