//! Wall times of events.

use std::fmt;

use super::error::WriteError;
use super::time::{SystemTime, UNIX_EPOCH};

/// Gives seconds since 1970-01-01 00:00 UTC.
#[derive(Default)]
pub(super) enum Clock {
    #[default]
    System,
    /// Somebody else's, for replays and tests.
    Other(Box<dyn Fn() -> f64 + Send + Sync>),
}

impl Clock {
    /// Always finite: TensorBoard cannot show anything else, so the system's time replaces it.
    #[inline]
    pub(super) fn now(&self) -> f64 {
        match self {
            Self::System => system(),
            Self::Other(clock) => {
                let seconds = clock();
                if seconds.is_finite() {
                    seconds
                } else {
                    system()
                }
            }
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Other(_) => "Other",
        })
    }
}

/// The system's time; negative for a clock that is set before 1970.
fn system() -> f64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64(),
        Err(error) => -error.duration().as_secs_f64(),
    }
}

/// # Errors
/// [`WriteError::WallTime`] for NaN and infinities.
pub(super) fn check(seconds: f64) -> Result<(), WriteError> {
    if seconds.is_finite() {
        Ok(())
    } else {
        Err(WriteError::WallTime { seconds })
    }
}
