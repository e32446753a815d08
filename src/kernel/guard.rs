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

/// [`guard`] for what creates objects and does nothing else: after a failure it may be tried again.
pub(crate) fn create<T>(device: &wgpu::Device, create: impl FnOnce() -> T) -> Result<T, Failure> {
    #[cfg(test)]
    super::starved::check(device).map_err(Failure::Refused)?;
    guard(device, create)
}

/// [`create()`] for a buffer with this label and so many bytes: a browser, which refuses it later,
/// has no other way to say which it was.
pub(crate) fn create_buffer(
    device: &wgpu::Device,
    buffer: (&str, u64),
    create: impl FnOnce() -> wgpu::Buffer,
) -> Result<wgpu::Buffer, Failure> {
    #[cfg(target_arch = "wasm32")]
    return Ok(super::deferred::watched(device, Some(buffer), create));
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _ = buffer;
        self::create(device, create)
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
    let [internal, memory, validation] = scopes;
    // All of them have to be popped, the last one first. What could not be made for want of memory,
    // or compiled, is used all the same, which is a mistake that follows from it.
    let validation = at_once(validation.pop());
    let memory = at_once(memory.pop());
    let internal = at_once(internal.pop());
    (result, memory.or(internal).or(validation))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A device whose memory is the host's, and which validates no size.
    fn boundless() -> wgpu::Device {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = wgpu::Backends::NOOP;
        descriptor.backend_options.noop.enable = true;
        descriptor.flags = wgpu::InstanceFlags::empty();
        let limits = wgpu::Limits {
            max_buffer_size: 1 << 60,
            ..wgpu::Limits::default()
        };
        descriptor.backend_options.noop.limits = Some(limits.clone());
        let instance = wgpu::Instance::new(descriptor);
        let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::NOOP));
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: limits,
            ..Default::default()
        };
        pollster::block_on(adapters[0].request_device(&descriptor))
            .unwrap()
            .0
    }

    fn buffer(device: &wgpu::Device, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        })
    }

    /// What is made with a buffer that there was no memory for is a mistake as well.
    #[test]
    fn memory_that_ran_out_is_told_before_what_follows_from_it() {
        let device = boundless();
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: None,
            entries: &[wgpu::BindGroupLayoutEntry {
                binding: 0,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Uniform,
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            }],
        });
        let bind = |bytes: u64| {
            let uniform = buffer(&device, bytes, wgpu::BufferUsages::UNIFORM);
            let resource = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &uniform,
                offset: 0,
                size: wgpu::BufferSize::new(16),
            });
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &layout,
                entries: &[wgpu::BindGroupEntry {
                    binding: 0,
                    resource,
                }],
            })
        };
        let failed = guard(&device, || bind(1 << 50));
        assert!(
            matches!(
                failed,
                Err(Failure::Refused(wgpu::Error::OutOfMemory { .. }))
            ),
            "{failed:?}"
        );
        assert!(guard(&device, || bind(16)).is_ok());
    }

    /// The application's scopes, open around ours, hear nothing of ours and are left balanced.
    #[test]
    fn scopes_of_the_application_hear_nothing() {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        let device = boundless();
        let scopes =
            [Internal, OutOfMemory, Validation].map(|filter| device.push_error_scope(filter));
        let huge = |usage| move |device: &wgpu::Device| buffer(device, 1 << 50, usage);
        for usage in [wgpu::BufferUsages::STORAGE, wgpu::BufferUsages::empty()] {
            assert!(guard(&device, || huge(usage)(&device)).is_err());
        }
        assert!(!is_lost(&device));
        let theirs = buffer(&device, 4, wgpu::BufferUsages::empty());
        drop(theirs);
        let [internal, memory, validation] = scopes;
        let heard = [validation, memory, internal].map(|scope| pollster::block_on(scope.pop()));
        assert!(
            matches!(heard, [Some(wgpu::Error::Validation { .. }), None, None]),
            "{heard:?}"
        );
    }
}
