//! How a run recovers from a device that fails: settings, and what is told of a failure.

use crate::model::ModelError;

/// How [`Trainer::run_recovering`](super::Trainer::run_recovering) recovers from a device that
/// fails.
///
/// The run takes its state into memory now and then, before its first step for the first time:
/// parameters, what the optimizer remembers, and where it stands. That waits for the device and
/// copies three times the parameters for Adam, so have it seldom; the steps since are lost time
/// where a device fails. In the midst of an epoch it comes with the next value of `loss/train`, so
/// that no point of the curve changes.
///
/// ```
/// use wgpu_linear::train::Recovery;
///
/// // For epochs of hours.
/// let often = Recovery { every_steps: 1000, ..Recovery::default() };
/// assert_eq!((often.most_times, often.every_epochs), (3, 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// How often at most a run goes on on another device; 0 for never.
    pub most_times: u32,
    /// The state is taken after so many epochs; 0 for none of these.
    pub every_epochs: u32,
    /// And after so many steps, or a few more; 0 for none of these.
    pub every_steps: u64,
}

impl Default for Recovery {
    /// Up to three times, with the state of the last epoch.
    fn default() -> Self {
        Self {
            most_times: 3,
            every_epochs: 1,
            every_steps: 0,
        }
    }
}

/// A device has failed in a run that goes on on another.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct DeviceFailure<'a> {
    /// How it failed; see [`ModelError::is_device_failure`].
    pub error: &'a ModelError,
    /// Steps done when that was noticed.
    pub step: u64,
    /// The step of the last state, which the run goes back to. `None` where the first device has
    /// failed before its state could be read: then the run begins with what the next model has.
    pub back_to: Option<u64>,
    /// Which failure of the run it is, from 1.
    pub number: u32,
}
