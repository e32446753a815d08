//! What a browser says later of what it was asked for.
//!
//! It answers error scopes by promises. So everything is taken for good at first, and the answers
//! are gathered here, device by device, for those who can wait for them.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use wasm_bindgen_futures::spawn_local;
use wgpu::ErrorFilter::{OutOfMemory, Validation};

/// What a device has refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// What wgpu reported.
    pub(crate) source: wgpu::Error,
    /// Label and size of the buffer that it was about, where it was one.
    pub(crate) buffer: Option<(String, u64)>,
}

/// How matters stand with a device.
#[derive(Debug, Default)]
struct Standing {
    /// Calls that it has not answered yet.
    awaited: usize,
    /// The first that it refused, until somebody has been told.
    refusal: Option<Refusal>,
    waiting: Vec<Waker>,
}

type Shared = Rc<RefCell<Standing>>;

thread_local! {
    /// Devices with answers under way, or a refusal that nobody has been told. A page has few.
    static STANDINGS: RefCell<Vec<(wgpu::Device, Shared)>> = const { RefCell::new(Vec::new()) };
}

/// Runs `call` in error scopes whose answers [`settled`] waits for.
///
/// Internal errors are left out, since wgpu 30 panics when it hears of one in a browser. A pipeline
/// that is not valid for that reason is refused where it is used.
pub(super) fn watched<T>(
    device: &wgpu::Device,
    buffer: Option<(&str, u64)>,
    call: impl FnOnce() -> T,
) -> T {
    let memory = device.push_error_scope(OutOfMemory);
    let validation = device.push_error_scope(Validation);
    let result = call();
    let answers = [validation.pop(), memory.pop()];
    let standing = standing(device);
    standing.borrow_mut().awaited += 1;
    let device = device.clone();
    let buffer = buffer.map(|(label, bytes)| (label.to_owned(), bytes));
    spawn_local(async move {
        let mut first = None;
        for answer in answers {
            let error = answer.await;
            first = first.or(error);
        }
        let refusal = first.map(|source| Refusal { source, buffer });
        answered(&device, &standing, refusal);
    });
    result
}

/// Waits until the device has answered for every call so far.
///
/// # Errors
/// The first call that it refused since somebody was told of one.
pub(crate) async fn settled(device: &wgpu::Device) -> Result<(), Refusal> {
    let Some(standing) = known(device) else {
        return Ok(());
    };
    poll_fn(|context| {
        let mut standing = standing.borrow_mut();
        if standing.awaited == 0 {
            return Poll::Ready(());
        }
        standing.waiting.push(context.waker().clone());
        Poll::Pending
    })
    .await;
    heard(device)
}

/// [`settled`], as far as answers have arrived; does not wait.
///
/// # Errors
/// As [`settled`].
pub(crate) fn heard(device: &wgpu::Device) -> Result<(), Refusal> {
    let Some(standing) = known(device) else {
        return Ok(());
    };
    let refusal = standing.borrow_mut().refusal.take();
    forget_if_done(device, &standing);
    refusal.map_or(Ok(()), Err)
}

fn answered(device: &wgpu::Device, standing: &Shared, refusal: Option<Refusal>) {
    if let Some(Refusal { source, .. }) = &refusal {
        // Nobody may ever ask.
        log::warn!("refused by the device: {source}");
    }
    let mut now = standing.borrow_mut();
    now.awaited -= 1;
    let earlier = now.refusal.take();
    now.refusal = earlier.or(refusal);
    let waiting = match now.awaited {
        0 => std::mem::take(&mut now.waiting),
        _ => Vec::new(),
    };
    drop(now);
    waiting.into_iter().for_each(Waker::wake);
    forget_if_done(device, standing);
}

fn known(device: &wgpu::Device) -> Option<Shared> {
    STANDINGS.with_borrow(|all| {
        let mut found = all.iter().filter(|(theirs, _)| theirs == device);
        found.next().map(|(_, standing)| Rc::clone(standing))
    })
}

fn standing(device: &wgpu::Device) -> Shared {
    known(device).unwrap_or_else(|| {
        let fresh = Shared::default();
        let entry = (device.clone(), Rc::clone(&fresh));
        STANDINGS.with_borrow_mut(|all| all.push(entry));
        fresh
    })
}

/// A list of devices must not keep them alive.
fn forget_if_done(device: &wgpu::Device, standing: &Shared) {
    let now = standing.borrow();
    if now.awaited == 0 && now.refusal.is_none() {
        STANDINGS.with_borrow_mut(|all| all.retain(|(theirs, _)| theirs != device));
    }
}
