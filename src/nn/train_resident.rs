//! Training on a data set that lives on the device: many steps in one submission, nothing copied
//! from the host.

use crate::device::GpuError;
use crate::model::{MeanLoss, ModelError};

use super::data::DeviceDataset;
use super::mlp::Mlp;
use super::resident::Resident;
use super::steps::BatchKind;

impl Mlp {
    /// Trains on `data` from now on, see [`Self::train_indices`]; replaces the data set before.
    ///
    /// [`ResidentModel::load`](crate::model::ResidentModel::load) does the same from arrays.
    ///
    /// # Errors
    /// [`ModelError::Shape`], [`ModelError::Class`] or [`ModelError::TargetKind`] where data set
    /// and network do not fit; the data set before stays then. Otherwise what the device reports.
    pub fn load_dataset(&mut self, data: DeviceDataset) -> Result<(), ModelError> {
        data.check(&self.config.layer_sizes, self.config.loss)?;
        self.submit()?;
        self.steps.forget_gathers();
        self.resident = Some(Resident::new(&self.gpu, data)?);
        Ok(())
    }

    /// Lets go of the data set of [`Self::load_dataset`].
    ///
    /// # Errors
    /// What the device reports.
    pub fn unload(&mut self) -> Result<(), ModelError> {
        let submitted = self.submit();
        // Also where the device has failed: others may need the memory.
        self.steps.forget_gathers();
        self.resident = None;
        submitted
    }

    /// One optimizer step for every `batch` indices of [`Self::load_dataset`]'s examples, in this
    /// order; the last batch may be smaller.
    ///
    /// The same steps, bit for bit, as [`Self::train_batch`] on the same rows, without its copies
    /// (but where some labels of the data set are [`IGNORED`](crate::model::IGNORED), and a batch
    /// has none of them: there the order of a sum may differ):
    /// the indices are uploaded once, the device gathers the rows, and many steps go into one
    /// submission, none of which should take longer than about 100 ms. Returns before the device
    /// has finished.
    ///
    /// # Errors
    /// [`ModelError::NoData`] without a data set, [`ModelError::Index`] where an index is not below
    /// the number of examples, [`ModelError::BatchSize`] for batches of 0; nothing is trained then.
    /// Otherwise what the device reports.
    pub fn train_indices(&mut self, indices: &[usize], batch: usize) -> Result<(), ModelError> {
        self.set_order(indices, batch)?;
        while self.train_next()? {}
        self.submit()
    }

    /// Uploads the order in which [`Self::train_next`] takes the examples.
    ///
    /// # Errors
    /// As [`Self::train_indices`]; the order before stays then.
    pub fn set_order(&mut self, indices: &[usize], batch: usize) -> Result<(), ModelError> {
        self.submit()?;
        let resident = self.resident.as_mut().ok_or(ModelError::NoData)?;
        if resident.set_order(&self.gpu, indices, batch)? {
            self.steps.forget_gathers();
        }
        let rows = resident.order().most_rows();
        self.reserve(rows)
    }

    /// The step for the next batch of [`Self::set_order`]; whether there was one.
    ///
    /// The step may wait for others, to be submitted with them. Whatever reads the network submits
    /// it first; [`Self::submit`] does so at once.
    ///
    /// # Errors
    /// [`ModelError::NoData`] without a data set; otherwise what the device reports. Where it was
    /// not ready in time or found no memory, the step has not been taken: call again.
    pub fn train_next(&mut self) -> Result<bool, ModelError> {
        let resident = self.resident.as_ref().ok_or(ModelError::NoData)?;
        let Some(i) = resident.next() else {
            return Ok(false);
        };
        let rows = resident.order().rows(i);
        if self.lock_queue().is_full() || !resident.order().is_uploaded(i) {
            // One that could not be submitted in time; or the steps that wait read the window
            // before.
            self.submit()?;
        }
        let batch = self.resident_batch(resident, rows);
        self.prepare_train(batch)?;
        if let Some(resident) = &mut self.resident {
            self.steps.prepare_gather(&self.network, resident, rows)?;
            resident.advance(&self.gpu, i)?;
        }
        self.batches += 1;
        if self.queue().push(i) {
            match self.submit() {
                // This step has been taken, and the next one asks again.
                Err(ModelError::Gpu(GpuError::Timeout { .. })) => {}
                result => result?,
            }
        }
        Ok(true)
    }

    /// Asks for the mean loss since the last was asked for or taken, without stopping the queue;
    /// [`Self::poll_loss`] brings it.
    ///
    /// Eight may be on their way; with more, natively, this waits for the oldest. In a browser,
    /// which cannot wait, it is `false`: ask again later, nothing is lost.
    ///
    /// # Errors
    /// What the device reports.
    pub fn request_loss(&mut self) -> Result<bool, ModelError> {
        if self.losses.is_full() {
            self.gpu.poll()?;
            self.losses.make_room()?;
        }
        if self.losses.is_full() {
            // A browser does not wait.
            self.drain()?;
            self.losses.make_room()?;
        }
        if self.losses.is_full() {
            return Ok(false);
        }
        self.submit_with(Some(&|encoder| {
            self.losses.record(encoder, self.network.total())
        }))?;
        self.losses.request(self.gpu.device());
        Ok(true)
    }

    /// The oldest loss of [`Self::request_loss`] that has arrived; does not wait.
    ///
    /// # Errors
    /// What the device reports.
    pub fn poll_loss(&mut self) -> Result<Option<MeanLoss>, ModelError> {
        self.gpu.poll()?;
        Ok(self.losses.poll()?)
    }

    /// What a step for `rows` rows records, for those who want to look into it: pipeline, bind
    /// group 0 and workgroups in x and y. The first, the gathering, takes one dynamic offset: where
    /// in the order the batch begins. Empty where no such step has been prepared.
    #[doc(hidden)]
    pub fn prepared_step(
        &self,
        rows: u32,
    ) -> impl Iterator<Item = (&wgpu::ComputePipeline, &wgpu::BindGroup, [u32; 3])> {
        let batch = |is_weighted| BatchKind { rows, is_weighted };
        let is_weighted = !self.steps.can_train(batch(false));
        self.steps
            .recorded(batch(is_weighted))
            .flat_map(|dispatch| &dispatch.grids)
            .map(|grid| (&grid.pipeline, &grid.bindings, grid.workgroups))
    }
}
