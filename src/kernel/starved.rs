//! Memory that runs out on purpose, in tests.

use std::sync::{Mutex, PoisonError};

/// Devices, and how many creations each of them still has memory for.
static LEFT: Mutex<Vec<(wgpu::Device, usize)>> = Mutex::new(Vec::new());

/// The creation after so many others finds no memory; those behind it do.
pub(crate) fn after(device: &wgpu::Device, creations: usize) {
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    left.push((device.clone(), creations));
}

/// Ends that; whether no creation has failed.
pub(crate) fn was_in_vain(device: &wgpu::Device) -> bool {
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    let before = left.len();
    left.retain(|(starved, _)| starved != device);
    left.len() < before
}

/// Whether a creation finds memory.
pub(super) fn check(device: &wgpu::Device) -> Result<(), wgpu::Error> {
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(i) = left.iter().position(|(starved, _)| starved == device) else {
        return Ok(());
    };
    if left[i].1 > 0 {
        left[i].1 -= 1;
        return Ok(());
    }
    left.remove(i);
    let source = "no memory, on purpose".into();
    Err(wgpu::Error::OutOfMemory { source })
}
