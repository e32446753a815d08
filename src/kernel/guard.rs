//! Around what may fail in wgpu: what goes wrong comes back as a value, and the handlers of the
//! device, which belong to the application, hear nothing of it.
//!
//! wgpu 30 says nothing at all when a device has been lost: calls return objects that are not
//! valid, and only their use is reported, as a mistake in using them. So whatever creates an object
//! asks [`is_lost`] before the object is used.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What went wrong in wgpu.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The device is lost.
    Lost,
    /// The device refused, and says why.
    Refused(wgpu::Error),
    /// wgpu panicked: it does so where it does not know an object, for example one of another
    /// instance.
    Panicked(Box<dyn Any + Send>),
}

/// Runs `create` and returns what the device had to say about it. Finds out, too, whether the
/// device is lost, which costs about as much as creating a small object.
pub(crate) fn guard<T>(device: &wgpu::Device, create: impl FnOnce() -> T) -> Result<T, Failure> {
    let created = watch(device, create)?;
    if is_lost(device) {
        return Err(Failure::Lost);
    }
    Ok(created)
}

/// [`guard`] for a buffer with this label and so many bytes: a browser, which refuses it later, has
/// no other way to say which it was.
pub(crate) fn guard_buffer(
    device: &wgpu::Device,
    buffer: (&str, u64),
    create: impl FnOnce() -> wgpu::Buffer,
) -> Result<wgpu::Buffer, Failure> {
    #[cfg(target_arch = "wasm32")]
    return Ok(super::deferred::watched(device, Some(buffer), create));
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _ = buffer;
        guard(device, create)
    }
}

/// [`guard`] for calls that create nothing, or show by themselves whether they did: a lost device
/// may go unnoticed.
pub(crate) fn watch<T>(device: &wgpu::Device, call: impl FnOnce() -> T) -> Result<T, Failure> {
    let (result, error) = observe(device, call);
    match (result, error) {
        (Ok(result), None) => Ok(result),
        _ if is_lost(device) => Err(Failure::Lost),
        (_, Some(error)) => Err(Failure::Refused(error)),
        (Err(panic), None) => Err(Failure::Panicked(panic)),
    }
}

/// What `call` returns whatever the device thinks of it, for objects that are checked when they are
/// used.
pub(crate) fn unheard<T>(device: &wgpu::Device, call: impl FnOnce() -> T) -> T {
    match observe(device, call).0 {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// What the device has to say of `call`, panics left aside.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn objection<T>(device: &wgpu::Device, call: impl FnOnce() -> T) -> Option<wgpu::Error> {
    observe(device, call).1
}

/// Whether the device has been destroyed, or its driver or hardware has failed.
///
/// The buffer asked for is none: a device that is there says so, a lost one says nothing.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn is_lost(device: &wgpu::Device) -> bool {
    objection(device, || device.create_buffer(&NOTHING)).is_none()
}

/// A browser's answer comes later than we may wait; [`is_lost_async`] has the time.
#[cfg(target_arch = "wasm32")]
pub(crate) fn is_lost(_device: &wgpu::Device) -> bool {
    false
}

/// [`is_lost`], asked for by those who can wait.
#[cfg(target_arch = "wasm32")]
pub(crate) async fn is_lost_async(device: &wgpu::Device) -> bool {
    let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
    drop(device.create_buffer(&NOTHING));
    scope.pop().await.is_none()
}

/// [`is_lost`] needs no time natively.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) async fn is_lost_async(device: &wgpu::Device) -> bool {
    is_lost(device)
}

/// No device makes it.
const NOTHING: wgpu::BufferDescriptor<'_> = wgpu::BufferDescriptor {
    label: None,
    size: 4,
    usage: wgpu::BufferUsages::empty(),
    mapped_at_creation: false,
};

/// The result of `call`, or its panic.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    // wgpu's own state is behind locks that do not poison.
    catch_unwind(AssertUnwindSafe(call))
}

type Observed<T> = (Result<T, Box<dyn Any + Send>>, Option<wgpu::Error>);

/// Runs `call` in an error scope of each kind. Scopes belong to the thread, so nobody else's errors
/// get in.
#[cfg(not(target_arch = "wasm32"))]
fn observe<T>(device: &wgpu::Device, call: impl FnOnce() -> T) -> Observed<T> {
    use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
    // A driver that cannot compile a shader reports an internal error.
    let scopes = [Internal, OutOfMemory, Validation].map(|filter| device.push_error_scope(filter));
    let result = caught(call);
    // All of them have to be popped, the last one first.
    let errors = scopes.into_iter().rev().map(|scope| at_once(scope.pop()));
    let error = errors.fold(None, |first, error| first.or(error));
    (result, error)
}

/// Natively wgpu's futures are ready at once; waiting for them would allocate.
#[cfg(not(target_arch = "wasm32"))]
fn at_once<T>(future: impl Future<Output = Option<T>>) -> Option<T> {
    use std::task::{Context, Poll, Waker};
    let mut context = Context::from_waker(Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        Poll::Ready(result) => result,
        Poll::Pending => None,
    }
}

/// A browser answers error scopes later than we may wait.
#[cfg(target_arch = "wasm32")]
fn observe<T>(device: &wgpu::Device, call: impl FnOnce() -> T) -> Observed<T> {
    (Ok(super::deferred::watched(device, None, call)), None)
}
