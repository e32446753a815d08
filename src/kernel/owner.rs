//! Whose a buffer is.
//!
//! wgpu numbers buffers per instance, so one of another instance is taken for whichever of ours has
//! its number, or for none, in which case wgpu panics. Nothing that it tells of a buffer says whose
//! it is; but a mistake in the use of a buffer is reported to the device that made it.

#[cfg(all(not(target_arch = "wasm32"), panic = "unwind"))]
use super::guard::{is_lost, objection};

/// Whether `buffer` was made by another device than this one, as far as that can be told.
///
/// Unmapping a buffer that is not mapped changes nothing and is a mistake, which arrives in our
/// error scope if the buffer is ours. If it is not, its own device hears of it: the handler for
/// uncaptured errors there is called, and the panic of wgpu's default one is caught.
///
/// Cannot be told of buffers that are mapped now, or can be mapped later
/// ([`wgpu::Features::MAPPABLE_PRIMARY_BUFFERS`]), where unmapping might disturb; nor in programs
/// that abort on panics, which they would do here.
#[cfg(all(not(target_arch = "wasm32"), panic = "unwind"))]
pub(crate) fn is_foreign(device: &wgpu::Device, buffer: &wgpu::Buffer) -> bool {
    hears_of(device, buffer) == Some(false)
        && !is_lost(device)
        && hears_of(device, &own_buffer(device)) == Some(true)
}

/// A browser refuses foreign buffers by itself.
#[cfg(not(all(not(target_arch = "wasm32"), panic = "unwind")))]
pub(crate) fn is_foreign(_device: &wgpu::Device, _buffer: &wgpu::Buffer) -> bool {
    false
}

/// Whether a mistake with `buffer` is reported to `device`; `None` where none can be made without
/// harm.
#[cfg(all(not(target_arch = "wasm32"), panic = "unwind"))]
fn hears_of(device: &wgpu::Device, buffer: &wgpu::Buffer) -> Option<bool> {
    let mappable = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::MAP_WRITE;
    if buffer.usage().intersects(mappable) || buffer.size() < 4 {
        return None;
    }
    // What cannot be mapped later was mapped when it was made, or never.
    let unmapped = buffer.get_mapped_range(..4).err()?;
    if !unmapped.to_string().contains("is not mapped") {
        return None;
    }
    Some(objection(device, || buffer.unmap()).is_some())
}

/// A wgpu that does not mind would not tell of our own buffers either.
#[cfg(all(not(target_arch = "wasm32"), panic = "unwind"))]
fn own_buffer(device: &wgpu::Device) -> wgpu::Buffer {
    super::guard::unheard(device, || {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("wgpu_linear::own"),
            size: 4,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        })
    })
}
