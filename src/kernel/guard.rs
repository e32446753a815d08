//! wgpu's error scopes around what may fail.

/// Runs `create` and returns what the device had to say about it, instead of leaving it to the
/// uncaptured-error handler.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn guard<T>(
    device: &wgpu::Device,
    filter: wgpu::ErrorFilter,
    create: impl FnOnce() -> T,
) -> Result<T, wgpu::Error> {
    let scope = device.push_error_scope(filter);
    let created = create();
    // Natively the future is ready at once.
    match pollster::block_on(scope.pop()) {
        Some(error) => Err(error),
        None => Ok(created),
    }
}

/// A browser answers error scopes later than we may wait; there wgpu's uncaptured-error handler
/// hears of them.
#[cfg(target_arch = "wasm32")]
pub(crate) fn guard<T>(
    _device: &wgpu::Device,
    _filter: wgpu::ErrorFilter,
    create: impl FnOnce() -> T,
) -> Result<T, wgpu::Error> {
    Ok(create())
}
