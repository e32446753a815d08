//! Why there is no device, or why it did not do its work.

use std::time::Duration;

use crate::kernel::Failure;

/// A device could not be had or did not do its work.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum GpuError {
    /// No adapter matches the request.
    #[error("no GPU adapter matches {wanted}; {}. {hint}", seen_list(.seen))]
    NoAdapter {
        /// The request, in words.
        wanted: String,
        /// Every adapter that was found.
        seen: Vec<String>,
        /// What to install or try on this system.
        hint: &'static str,
    },
    /// The adapter refused to open a device.
    #[error("the adapter {adapter} refused to open a device")]
    RequestDevice {
        /// The adapter.
        adapter: String,
        /// What wgpu reported.
        source: wgpu::RequestDeviceError,
    },
    /// The device has not enough memory for a buffer.
    #[error("out of GPU memory: `{label}` of {bytes} bytes could not be created")]
    OutOfMemory {
        /// Label of the buffer.
        label: String,
        /// Its size.
        bytes: u64,
    },
    /// A buffer is larger than the device allows at all.
    #[error(
        "the buffer `{label}` of {bytes} bytes exceeds this device's max_buffer_size of {allowed} bytes"
    )]
    BufferTooLarge {
        /// Label of the buffer.
        label: String,
        /// Its size.
        bytes: u64,
        /// `max_buffer_size` of the device.
        allowed: u64,
    },
    /// A buffer that is to be read back lacks `COPY_SRC`, or the range lies outside it.
    #[error(
        "cannot read {bytes} bytes at byte {offset_bytes} of a buffer of {buffer_bytes} bytes with usages {usage:?}"
    )]
    Unreadable {
        /// Where the range begins.
        offset_bytes: u64,
        /// Length of the range.
        bytes: u64,
        /// Size of the buffer.
        buffer_bytes: u64,
        /// Usages of the buffer.
        usage: wgpu::BufferUsages,
    },
    /// The device refused to do it, for example because a buffer or a dispatch belongs to another
    /// device, or because a buffer is mapped or destroyed.
    #[error("the device refused")]
    Refused {
        /// What wgpu reported.
        source: wgpu::Error,
    },
    /// A buffer or a dispatch belongs to a device of another wgpu instance. (Another device of the
    /// same instance is [`Self::Refused`].)
    #[error("the {what} belongs to a device of another wgpu instance")]
    Foreign {
        /// `buffer` or `dispatch`.
        what: &'static str,
    },
    /// A submission of another device was waited for.
    #[error("the submission belongs to another device")]
    ForeignSubmission,
    /// The device did not finish its work in time. It goes on with it, and whatever is submitted
    /// later comes behind: device, queue and objects serve on.
    #[error(
        "the GPU did not finish {operation}{} within {waited:?}{}",
        of_bytes(*.bytes),
        behind_what(.behind.as_deref())
    )]
    Timeout {
        /// What was waited for, such as `reading`, with how much of it there is.
        operation: String,
        /// How many bytes were to come back; 0 where nothing was to be copied.
        bytes: u64,
        /// How long was waited.
        waited: Duration,
        /// What has timed out before and is still under way, in front of this.
        behind: Option<String>,
    },
    /// The device was lost: destroyed, or given up by its driver.
    #[error("the GPU device was lost; open a new one")]
    DeviceLost,
}

impl GpuError {
    /// What went wrong in a call that takes so many bytes under this label. wgpu panics where it
    /// does not know an object; `foreign` says what the caller has handed in, if it was the caller.
    pub(crate) fn of(
        failure: Failure,
        foreign: Option<&'static str>,
        (label, bytes): (&str, u64),
    ) -> Self {
        match (failure, foreign) {
            (Failure::Lost, _) => Self::DeviceLost,
            (Failure::Refused(wgpu::Error::OutOfMemory { .. }), _) => Self::OutOfMemory {
                label: label.to_owned(),
                bytes,
            },
            (Failure::Refused(source), _) => Self::Refused { source },
            (Failure::Panicked(_), Some(what)) => Self::Foreign { what },
            (Failure::Panicked(panic), None) => std::panic::resume_unwind(panic),
        }
    }
}

fn of_bytes(bytes: u64) -> String {
    match bytes {
        0 => String::new(),
        bytes => format!(" {bytes} bytes"),
    }
}

fn behind_what(behind: Option<&str>) -> String {
    behind.map_or(String::new(), |operation| {
        format!("; {operation}, for which the wait was given up before, still runs in front of it")
    })
}

fn seen_list(seen: &[String]) -> String {
    if seen.is_empty() {
        "none was found".into()
    } else {
        format!("found: {}", seen.join(", "))
    }
}
