//! What can go wrong, with the numbers that say why.

use std::time::Duration;

use crate::shader::SpecialiseError;

/// An operation could not be prepared. Nothing was encoded; device, buffers and kernels are as usable as before.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// An operand does not have the shape that the other operands imply.
    #[error(
        "{operation}: operand `{operand}` is {actual:?} (rows, columns) where the other operands need {expected:?}"
    )]
    Shape {
        /// Full label of the operation.
        operation: &'static str,
        /// Name of the operand.
        operand: &'static str,
        /// Rows and columns that the other operands imply; a vector counts as one row.
        expected: [u32; 2],
        /// Rows and columns of the view.
        actual: [u32; 2],
    },
    /// A buffer was created without a usage flag that the operation needs.
    #[error(
        "{operation}: the buffer of `{operand}` was created with {actual:?} and lacks {required:?}"
    )]
    MissingUsage {
        /// Full label of the operation.
        operation: &'static str,
        /// Name of the operand.
        operand: &'static str,
        /// The usage that is needed.
        required: wgpu::BufferUsages,
        /// The usages that the buffer has.
        actual: wgpu::BufferUsages,
    },
    /// A view begins at an offset that the device cannot bind.
    #[error(
        "{operation}: `{operand}` begins at byte {offset_bytes}, not a multiple of the {alignment_bytes} that this device requires"
    )]
    MisalignedOffset {
        /// Full label of the operation.
        operation: &'static str,
        /// Name of the operand.
        operand: &'static str,
        /// Where the view begins.
        offset_bytes: u64,
        /// `min_storage_buffer_offset_alignment` of the device.
        alignment_bytes: u64,
    },
    /// A view reaches past the end of its buffer.
    #[error(
        "{operation}: `{operand}` needs a buffer of {required_bytes} bytes, this one has {actual_bytes}"
    )]
    BufferTooSmall {
        /// Full label of the operation.
        operation: &'static str,
        /// Name of the operand.
        operand: &'static str,
        /// Offset plus length of the view.
        required_bytes: u64,
        /// Size of the buffer.
        actual_bytes: u64,
    },
    /// An operand that is written shares its buffer with one that is read, which WebGPU forbids even for disjoint ranges, or bytes with
    /// another one that is written.
    #[error(
        "{operation}: `{written}` is written and shares its buffer with `{other}`; use two buffers"
    )]
    Aliased {
        /// Full label of the operation.
        operation: &'static str,
        /// The operand that is written.
        written: &'static str,
        /// The operand in the same buffer.
        other: &'static str,
    },
    /// The operation is larger than this device allows.
    #[error("{operation}: needs {name} = {required}, this device allows {allowed}")]
    Limit {
        /// Full label of the operation.
        operation: &'static str,
        /// Name of the limit, as in [`wgpu::Limits`] where it is one.
        name: &'static str,
        /// What the operation needs.
        required: u64,
        /// What the device allows.
        allowed: u64,
    },
    /// The device refused the shader, the pipeline or the bindings, for example because a buffer belongs to another device of the same
    /// wgpu instance. (Buffers of another instance cannot be told from this one's.)
    #[error("{operation}: refused by the device")]
    Refused {
        /// Full label of the operation.
        operation: &'static str,
        /// What wgpu reported.
        source: wgpu::Error,
    },
    /// A shader file and its host code disagree.
    #[error(transparent)]
    Specialise(#[from] SpecialiseError),
}

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
    /// The device refused to copy the buffer, for example because it belongs to another device, is mapped or destroyed.
    #[error("the device refused to read the buffer")]
    Refused {
        /// What wgpu reported.
        source: wgpu::Error,
    },
    /// A submission of another device was waited for.
    #[error("the submission belongs to another device")]
    ForeignSubmission,
    /// The device did not finish its work in time.
    #[error("the GPU did not finish within {waited:?}")]
    Timeout {
        /// How long was waited.
        waited: Duration,
    },
    /// The device was lost, or its driver failed while results were read back.
    #[error("the GPU device was lost; open a new one")]
    DeviceLost,
}

fn seen_list(seen: &[String]) -> String {
    if seen.is_empty() {
        "none was found".into()
    } else {
        format!("found: {}", seen.join(", "))
    }
}
