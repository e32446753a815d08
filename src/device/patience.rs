//! Waiting for the device, never longer than so long.

use std::fmt;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::GpuError;
#[cfg(not(target_arch = "wasm32"))]
use crate::kernel::{caught, is_lost};

/// How long to wait, and what was waited for in vain. Cloning is cheap and refers to the same.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    #[cfg(not(target_arch = "wasm32"))]
    timeout: Duration,
    #[cfg(not(target_arch = "wasm32"))]
    late: Arc<Mutex<Option<Late>>>,
}

/// Work that was waited for too long, and may still be under way.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, Debug)]
struct Late {
    submission: wgpu::SubmissionIndex,
    operation: String,
}

/// What is waited for, and how many bytes of it.
type Awaited<'a> = (fmt::Arguments<'a>, u64);

impl Patience {
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn new(timeout: Duration) -> Self {
        let late = Arc::default();
        Self { timeout, late }
    }

    /// A browser's answers are not waited for.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn new(_timeout: Duration) -> Self {
        Self {}
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Waits until `submission` has been executed, with whatever lies in front of it on the queue:
    /// all of it together has the time that one wait has.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn wait(
        &self,
        device: &wgpu::Device,
        submission: wgpu::SubmissionIndex,
        awaited: Awaited<'_>,
    ) -> Result<(), GpuError> {
        if is_done(device, &submission, self.timeout)? {
            return Ok(());
        }
        let is_done = |earlier: &_| is_done(device, earlier, Duration::ZERO);
        Err(self.give_up(submission, awaited, is_done)?)
    }

    /// The error of a wait that was too long, and what is in front of it.
    #[cfg(not(target_arch = "wasm32"))]
    fn give_up(
        &self,
        submission: wgpu::SubmissionIndex,
        awaited: Awaited<'_>,
        is_done: impl Fn(&wgpu::SubmissionIndex) -> Result<bool, GpuError>,
    ) -> Result<GpuError, GpuError> {
        // Looking calls back whoever waits, so no lock is held.
        let earlier = self.late().clone();
        if let Some(Late {
            submission,
            operation,
        }) = earlier
            && !is_done(&submission)?
        {
            return Ok(self.timeout_of(awaited, Some(operation)));
        }
        let operation = awaited.0.to_string();
        *self.late() = Some(Late {
            submission,
            operation,
        });
        Ok(self.timed_out(awaited))
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn late(&self) -> MutexGuard<'_, Option<Late>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The browser polls by itself.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn wait(
        &self,
        _device: &wgpu::Device,
        _submission: wgpu::SubmissionIndex,
        _awaited: Awaited<'_>,
    ) -> Result<(), GpuError> {
        Ok(())
    }

    /// The error of a wait that was too long.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn timed_out(&self, awaited: Awaited<'_>) -> GpuError {
        self.timeout_of(awaited, None)
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn timeout_of(&self, (operation, bytes): Awaited<'_>, behind: Option<String>) -> GpuError {
        GpuError::Timeout {
            operation: operation.to_string(),
            bytes,
            waited: self.timeout,
            behind,
        }
    }
}

/// Whether `submission` has been executed, after waiting for so long.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn is_done(
    device: &wgpu::Device,
    submission: &wgpu::SubmissionIndex,
    timeout: Duration,
) -> Result<bool, GpuError> {
    let poll = || {
        device.poll(wgpu::PollType::Wait {
            submission_index: Some(submission.clone()),
            timeout: Some(timeout),
        })
    };
    match untroubled(device, poll)? {
        Ok(_) => Ok(true),
        Err(wgpu::PollError::Timeout) => Ok(false),
        Err(wgpu::PollError::WrongSubmissionIndex(..)) if is_lost(device) => {
            Err(GpuError::DeviceLost)
        }
        Err(wgpu::PollError::WrongSubmissionIndex(..)) => Err(GpuError::ForeignSubmission),
    }
}

/// The result of `poll`, in which wgpu 30 panics where the driver says that the device is lost, and
/// now and then where another thread polls at the same time: it takes the queue for empty that the
/// other one has just emptied. The second time all is well.
#[cfg(not(target_arch = "wasm32"))]
fn untroubled<T>(device: &wgpu::Device, poll: impl Fn() -> T) -> Result<T, GpuError> {
    const TIMES: usize = 10;
    for _ in 1..TIMES {
        match caught(&poll) {
            Ok(result) => return Ok(result),
            Err(_) if is_lost(device) => return Err(GpuError::DeviceLost),
            Err(_) => {}
        }
    }
    Ok(poll())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `is_done` says of the work given up first, and what is told of the next wait.
    #[test]
    fn what_was_given_up_is_named_as_long_as_it_runs() {
        let (_, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
        let patience = Patience::new(Duration::from_millis(7));
        let give_up = |operation: &str, is_done: bool| {
            let awaited = (format_args!("{operation}"), 12);
            let error = patience.give_up(queue.submit([]), awaited, |_| Ok(is_done));
            error.unwrap().to_string()
        };
        let alone = |operation| format!("the GPU did not finish {operation} 12 bytes within 7ms");
        assert_eq!(give_up("this", false), alone("this"));
        let behind = "; this, for which the wait was given up before, still runs in front of it";
        for operation in ["that", "another"] {
            assert_eq!(give_up(operation, false), alone(operation) + behind);
        }
        assert_eq!(give_up("the last", true), alone("the last"));
        let behind = behind.replace("this", "the last");
        assert_eq!(give_up("this", false), alone("this") + &behind);
    }
}
