//! In which order the examples come: uploaded in long windows, every batch where a dynamic offset
//! can begin.

use std::ops::Range;

use crate::device::{Gpu, GpuError};
use crate::model::ModelError;

/// The most that is uploaded at once, so that tiny batches, which alignment pads up to 64-fold, do
/// not fill the device's memory.
const WINDOW_BYTES: u64 = 4 << 20;

/// The indices of an epoch, cut into batches.
///
/// One bind group serves every batch: batch i begins at a multiple of
/// `min_storage_buffer_offset_alignment`, its dynamic offset.
#[derive(Debug)]
pub(super) struct Order {
    buffer: wgpu::Buffer,
    window_bytes: u64,
    indices: Vec<u32>,
    batch: usize,
    stride_bytes: u64,
    /// Batches that lie on the device.
    uploaded: Range<usize>,
}

impl Order {
    /// No batches yet.
    pub(super) fn new(gpu: &Gpu) -> Result<Self, GpuError> {
        Ok(Self {
            window_bytes: WINDOW_BYTES,
            buffer: gpu.upload::<u32>("wgpu_linear::order", &[])?,
            indices: Vec::new(),
            batch: 1,
            stride_bytes: 0,
            uploaded: 0..0,
        })
    }

    /// Takes a new order; whether the buffer is a new one, too. On an error the old order stays.
    pub(super) fn set(
        &mut self,
        gpu: &Gpu,
        indices: &[usize],
        batch: usize,
        examples: usize,
    ) -> Result<bool, ModelError> {
        if batch == 0 {
            return Err(ModelError::BatchSize);
        }
        if let Some(position) = indices.iter().position(|index| *index >= examples) {
            return Err(ModelError::Index {
                position,
                index: indices[position],
                examples,
            });
        }
        let batch = batch.min(indices.len()).max(1);
        let alignment = u64::from(gpu.device().limits().min_storage_buffer_offset_alignment);
        let stride_bytes = (batch as u64 * 4).next_multiple_of(alignment);
        let window = self
            .batches_per_window(stride_bytes)
            .min(indices.len().div_ceil(batch));
        let bytes = window as u64 * stride_bytes;
        let is_new = bytes > self.buffer.size();
        if is_new {
            let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
            self.buffer = gpu.create_buffer("wgpu_linear::order", bytes, usage)?;
        }
        self.indices.clear();
        // Each is below the number of examples, which fits u32.
        self.indices
            .extend(indices.iter().map(|index| *index as u32));
        (self.batch, self.stride_bytes, self.uploaded) = (batch, stride_bytes, 0..0);
        Ok(is_new)
    }

    pub(super) fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }

    pub(super) fn batches(&self) -> usize {
        self.indices.len().div_ceil(self.batch)
    }

    /// The most rows that a batch has.
    pub(super) fn most_rows(&self) -> u32 {
        self.batch as u32
    }

    /// Rows of batch `i`; the last may be smaller.
    pub(super) fn rows(&self, i: usize) -> u32 {
        self.batch.min(self.indices.len() - i * self.batch) as u32
    }

    /// Where batch `i`, which has been uploaded, begins in the buffer.
    pub(super) fn offset_bytes(&self, i: usize) -> u32 {
        // Below the size of a window, or 0 in a window of one batch.
        ((i - self.uploaded.start) as u64 * self.stride_bytes) as u32
    }

    pub(super) fn is_uploaded(&self, i: usize) -> bool {
        self.uploaded.contains(&i)
    }

    /// Uploads the window that begins with batch `first`, for what is submitted from now on.
    pub(super) fn upload(&mut self, gpu: &Gpu, first: usize) -> Result<(), GpuError> {
        let end = self
            .batches()
            .min(first + self.batches_per_window(self.stride_bytes));
        let bytes = (end - first) as u64 * self.stride_bytes;
        let batches = self
            .indices
            .chunks(self.batch)
            .skip(first)
            .take(end - first);
        gpu.write_with(&self.buffer, 0, bytes, |staging| {
            for (i, batch) in batches.enumerate() {
                let begin = i * self.stride_bytes as usize;
                let batch: &[u8] = bytemuck::cast_slice(batch);
                staging
                    .slice(begin..begin + batch.len())
                    .copy_from_slice(batch);
            }
        })?;
        self.uploaded = first..end;
        Ok(())
    }

    fn batches_per_window(&self, stride_bytes: u64) -> usize {
        (self.window_bytes / stride_bytes.max(1)).max(1) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Order;
    use crate::device::Gpu;

    #[test]
    fn order_goes_up_in_windows_with_every_batch_where_it_can_be_bound() {
        let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
        let gpu = Gpu::wrap(device, queue);
        let mut order = Order::new(&gpu).unwrap();
        // An alignment of 256: three batches to a window.
        order.window_bytes = 3 * 256 + 1;
        let indices: Vec<usize> = (0..13).rev().collect();
        assert!(order.set(&gpu, &indices, 2, 13).unwrap());
        assert_eq!(order.buffer.size(), 3 * 256);
        let rows: Vec<_> = (0..order.batches()).map(|i| order.rows(i)).collect();
        assert_eq!(rows, [2, 2, 2, 2, 2, 2, 1]);
        for first in [0, 3, 6] {
            assert!(!order.is_uploaded(first));
            order.upload(&gpu, first).unwrap();
            let end = (first + 3).min(7);
            for i in 0..7 {
                assert_eq!(order.is_uploaded(i), (first..end).contains(&i), "batch {i}");
            }
            for i in first..end {
                assert_eq!(order.offset_bytes(i), 256 * (i - first) as u32);
            }
        }
        assert!(!order.set(&gpu, &indices, 13, 13).unwrap());
        assert_eq!((order.batches(), order.rows(0)), (1, 13));
        assert!(!order.is_uploaded(0));
    }
}
