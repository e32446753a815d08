//! Losses on their way to the host while training goes on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::device::{Gpu, GpuError};
use crate::kernel::watch;
use crate::model::MeanLoss;

use super::ops::{TOTAL_WORDS, mean_loss};

/// Size of a total.
const BYTES: u64 = 4 * TOTAL_WORDS as u64;

/// Losses that may be on their way at a time.
const SLOTS: usize = 8;

const WAITING: u8 = 0;
const READY: u8 = 1;
const FAILED: u8 = 2;

/// A ring of staging buffers, created once: the total is copied into the next one behind the steps
/// it counts, and picked up when it has arrived, so that the queue never runs empty for it.
#[derive(Debug)]
pub(super) struct LossRing {
    slots: [Slot; SLOTS],
    /// The oldest that is on its way, and how many are.
    first: usize,
    waiting: usize,
    /// Picked up to make room, and not yet asked for.
    arrived: VecDeque<MeanLoss>,
}

#[derive(Debug)]
struct Slot {
    staging: wgpu::Buffer,
    /// How `map_async` went.
    state: Arc<AtomicU8>,
}

impl LossRing {
    pub(super) fn new(gpu: &Gpu) -> Result<Self, GpuError> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let slot = || {
            Ok(Slot {
                staging: gpu.create_buffer("wgpu_linear::loss", BYTES, usage)?,
                state: Arc::default(),
            })
        };
        let [a, b, c, d] = [slot()?, slot()?, slot()?, slot()?];
        let [e, f, g, h] = [slot()?, slot()?, slot()?, slot()?];
        Ok(Self {
            slots: [a, b, c, d, e, f, g, h],
            first: 0,
            waiting: 0,
            arrived: VecDeque::with_capacity(SLOTS),
        })
    }

    /// Whether all slots are taken.
    pub(super) fn is_full(&self) -> bool {
        self.waiting == SLOTS
    }

    /// Records the copy of `total` into the next slot, which is free, and sets `total` to zero.
    pub(super) fn record(&self, encoder: &mut wgpu::CommandEncoder, total: &wgpu::Buffer) {
        encoder.copy_buffer_to_buffer(total, 0, &self.next().staging, 0, BYTES);
        encoder.clear_buffer(total, 0, None);
    }

    /// Asks for the slot that was recorded, after its submission.
    pub(super) fn request(&mut self, device: &wgpu::Device) {
        let Slot { staging, state } = self.next();
        state.store(WAITING, Ordering::Release);
        let answer = Answer(state.clone());
        // What is wrong here is what the callback hears.
        let _ = watch(device, || {
            staging.map_async(wgpu::MapMode::Read, .., move |result| answer.give(&result))
        });
        self.waiting += 1;
    }

    /// The oldest loss, if it has arrived.
    pub(super) fn poll(&mut self) -> Result<Option<MeanLoss>, GpuError> {
        match self.arrived.pop_front() {
            None => self.pick_up(),
            oldest => Ok(oldest),
        }
    }

    /// Makes room by keeping the oldest loss, if it has arrived, until it is asked for.
    pub(super) fn make_room(&mut self) -> Result<(), GpuError> {
        let loss = self.pick_up()?;
        self.arrived.extend(loss);
        Ok(())
    }

    fn pick_up(&mut self) -> Result<Option<MeanLoss>, GpuError> {
        let Slot { staging, state } = &self.slots[self.first];
        if self.waiting == 0 || state.load(Ordering::Acquire) == WAITING {
            return Ok(None);
        }
        let result = if state.load(Ordering::Acquire) == READY {
            read(staging)
        } else {
            Err(GpuError::DeviceLost)
        };
        self.first = (self.first + 1) % SLOTS;
        self.waiting -= 1;
        result.map(Some)
    }

    fn next(&self) -> &Slot {
        &self.slots[(self.first + self.waiting) % SLOTS]
    }
}

/// Says how it went, also where wgpu lets the callback go without a call: after a panic in one of
/// the application's.
struct Answer(Arc<AtomicU8>);

impl Answer {
    fn give(&self, result: &Result<(), wgpu::BufferAsyncError>) {
        let state = if result.is_ok() { READY } else { FAILED };
        self.0.store(state, Ordering::Release);
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // What was given stays.
        let _ = self
            .0
            .compare_exchange(WAITING, FAILED, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// The contents of a mapped slot, which is free afterwards.
fn read(staging: &wgpu::Buffer) -> Result<MeanLoss, GpuError> {
    // A buffer that went with its device must not be unmapped either.
    let view = staging
        .get_mapped_range(..)
        .map_err(|_| GpuError::DeviceLost)?;
    let words = bytemuck::try_pod_read_unaligned(&view);
    drop(view);
    staging.unmap();
    words.map(mean_loss).map_err(|_| GpuError::DeviceLost)
}
