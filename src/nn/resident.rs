//! A data set on the device, and the way through it.

use crate::device::{Gpu, GpuError};
use crate::model::ModelError;

use super::data::DeviceDataset;
use super::order::Order;

/// A data set on the device, the order in which its examples come, and where in it we are.
#[derive(Debug)]
pub(super) struct Resident {
    data: DeviceDataset,
    order: Order,
    /// The batch that comes next.
    next: usize,
}

impl Resident {
    pub(super) fn new(gpu: &Gpu, data: DeviceDataset) -> Result<Self, GpuError> {
        Ok(Self {
            data,
            order: Order::new(gpu)?,
            next: 0,
        })
    }

    pub(super) fn data(&self) -> &DeviceDataset {
        &self.data
    }

    pub(super) fn order(&self) -> &Order {
        &self.order
    }

    /// Takes a new order and begins with it; whether its buffer is a new one, too. On an error the
    /// old order stays.
    pub(super) fn set_order(
        &mut self,
        gpu: &Gpu,
        indices: &[usize],
        batch: usize,
    ) -> Result<bool, ModelError> {
        let is_new = self.order.set(gpu, indices, batch, self.data.len())?;
        self.next = 0;
        Ok(is_new)
    }

    /// The batch that comes next, if there is one left.
    pub(super) fn next(&self) -> Option<usize> {
        (self.next < self.order.batches()).then_some(self.next)
    }

    /// Moves on past batch `i`, which lies on the device afterwards.
    pub(super) fn advance(&mut self, gpu: &Gpu, i: usize) -> Result<(), GpuError> {
        if !self.order.is_uploaded(i) {
            self.order.upload(gpu, i)?;
        }
        self.next = i + 1;
        Ok(())
    }
}
