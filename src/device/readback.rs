//! Buffers and their way back to the host, with errors instead of panics and a bound on every wait.

use super::GpuError;
use super::mapped::mapping;
use super::patience::Patience;
#[cfg(target_arch = "wasm32")]
use crate::kernel::{Refusal, heard, settled};
use crate::kernel::{create_buffer as create, is_foreign, watch};

/// Creates a zeroed buffer of at least 4 bytes; see [`crate::Gpu::create_buffer`].
pub(crate) fn create_buffer(
    device: &wgpu::Device,
    label: &str,
    bytes: u64,
    usage: wgpu::BufferUsages,
) -> Result<wgpu::Buffer, GpuError> {
    let allowed = device.limits().max_buffer_size;
    if bytes > allowed {
        return Err(GpuError::BufferTooLarge {
            label: label.to_owned(),
            bytes,
            allowed,
        });
    }
    let size = bytes.next_multiple_of(4).max(4);
    let make = || {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage,
            mapped_at_creation: false,
        })
    };
    create(device, (label, size), make)
        .map_err(|failure| GpuError::of(failure, None, (label, size)))
}

/// Part of a buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BufferRange<'a> {
    pub(crate) buffer: &'a wgpu::Buffer,
    pub(crate) offset_bytes: u64,
    pub(crate) bytes: u64,
}

impl BufferRange<'_> {
    fn check(&self) -> Result<(), GpuError> {
        let Self {
            buffer,
            offset_bytes,
            bytes,
        } = *self;
        let end = offset_bytes.checked_add(bytes);
        let end = end.and_then(|end| end.checked_next_multiple_of(4));
        let inside = end.is_some_and(|end| end <= buffer.size());
        if inside
            && offset_bytes.is_multiple_of(4)
            && buffer.usage().contains(wgpu::BufferUsages::COPY_SRC)
        {
            return Ok(());
        }
        let (buffer_bytes, usage) = (buffer.size(), buffer.usage());
        Err(GpuError::Unreadable {
            offset_bytes,
            bytes,
            buffer_bytes,
            usage,
        })
    }
}

/// Copies `range` into a staging buffer behind all work submitted so far, and that to the host.
pub(crate) async fn read<T: bytemuck::Pod>(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    range: BufferRange<'_>,
    patience: &Patience,
) -> Result<Vec<T>, GpuError> {
    range.check()?;
    if range.bytes == 0 {
        return Ok(Vec::new());
    }
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    // Whole words are copied, though elements may be of two bytes.
    let copied = range.bytes.next_multiple_of(4);
    let staging = create_buffer(device, "wgpu_linear::staging", copied, usage)?;
    let submission = watch(device, || {
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor {
            label: Some("wgpu_linear::read"),
        });
        encoder.copy_buffer_to_buffer(range.buffer, range.offset_bytes, &staging, 0, copied);
        queue.submit([encoder.finish()])
    })
    .map_err(|failure| GpuError::of(failure, Some("buffer"), ("wgpu_linear::read", range.bytes)))?;
    // What was copied may have been one of ours with the same number.
    if is_foreign(device, range.buffer) {
        return Err(GpuError::Foreign { what: "buffer" });
    }

    let (answer, mapped) = mapping();
    // What is wrong here is what the callback hears.
    let _ = watch(device, || {
        staging.map_async(wgpu::MapMode::Read, .., move |result| answer.give(result));
    });
    patience.wait(device, submission, (format_args!("reading"), range.bytes))?;
    let arrived = mapped.arrived(patience, range.bytes).await;
    // What a browser has refused before was the cause, whatever is wrong now.
    settle(device).await?;
    arrived?;
    let view = staging
        .get_mapped_range(..)
        .map_err(|_| GpuError::DeviceLost)?;
    // The view may be less aligned than T wants, so elements are copied one by one.
    let elements = view
        .chunks_exact(size_of::<T>())
        .take(range.bytes as usize / size_of::<T>())
        .map(bytemuck::pod_read_unaligned)
        .collect();
    Ok(elements)
}

/// Waits for what a browser has to say of all calls so far: the first that it refused.
#[cfg(target_arch = "wasm32")]
pub(crate) async fn settle(device: &wgpu::Device) -> Result<(), GpuError> {
    settled(device).await.map_err(error_of)
}

/// The first refusal of a browser that has arrived; does not wait.
#[cfg(target_arch = "wasm32")]
pub(crate) fn hear(device: &wgpu::Device) -> Result<(), GpuError> {
    heard(device).map_err(error_of)
}

/// Natively each call has returned what was wrong with it.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) async fn settle(_device: &wgpu::Device) -> Result<(), GpuError> {
    Ok(())
}

/// Natively each call has returned what was wrong with it.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn hear(_device: &wgpu::Device) -> Result<(), GpuError> {
    Ok(())
}

#[cfg(target_arch = "wasm32")]
fn error_of(refusal: Refusal) -> GpuError {
    match (refusal.source, refusal.buffer) {
        (wgpu::Error::OutOfMemory { .. }, Some((label, bytes))) => {
            GpuError::OutOfMemory { label, bytes }
        }
        (source, _) => GpuError::Refused { source },
    }
}
