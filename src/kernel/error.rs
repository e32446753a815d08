//! Why an operation could not be prepared, with the numbers that say so.

use std::error::Error;
use std::time::Duration;

use super::{ElementType, SourceError};

/// An operation could not be prepared. Nothing was encoded; device, buffers and kernels are as
/// usable as before.
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
    /// An operand is stored as another type than the operation takes there.
    #[error("{operation}: operand `{operand}` is stored as {actual}, {expected} is wanted")]
    ElementType {
        /// Full label of the operation.
        operation: &'static str,
        /// Name of the operand.
        operand: &'static str,
        /// What is wanted, for the other operands given.
        expected: ElementType,
        /// What the view says.
        actual: ElementType,
    },
    /// The device was opened without a feature that the operands need.
    #[error("{operation}: needs the feature {feature}, which this device was opened without")]
    Feature {
        /// Full label of the operation.
        operation: &'static str,
        /// Name of the feature, as in [`wgpu::Features`].
        feature: &'static str,
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
    /// An operand that is written shares its buffer with one that is read, which WebGPU forbids
    /// even for disjoint ranges, or bytes with another one that is written.
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
    /// An operand's buffer belongs to a device of another wgpu instance. (Another device of the same
    /// instance is [`Self::Refused`].)
    #[error("{operation}: the buffer of `{operand}` belongs to a device of another wgpu instance")]
    Foreign {
        /// Full label of the operation.
        operation: &'static str,
        /// Name of the operand.
        operand: &'static str,
    },
    /// The device has not enough memory for what the operation needs beside its operands: partial
    /// results, tables, sizes.
    #[error("{operation}: out of GPU memory, {bytes} bytes could not be had")]
    OutOfMemory {
        /// Full label of the operation.
        operation: &'static str,
        /// How many bytes were asked for; 0 where the driver asked, for the kernel itself.
        bytes: u64,
    },
    /// The device is lost: destroyed, or given up by its driver.
    #[error("{operation}: the GPU device was lost; open a new one")]
    DeviceLost {
        /// Full label of the operation.
        operation: &'static str,
    },
    /// The device refused the shader, the pipeline or the bindings, for example because a buffer
    /// belongs to another device of the same wgpu instance.
    #[error("{operation}: refused by the device")]
    Refused {
        /// Full label of the operation.
        operation: &'static str,
        /// What wgpu reported.
        source: wgpu::Error,
    },
    /// A kernel computed wrong numbers when it was run for the first time on this device, and no
    /// other can take its place. See
    /// [`GpuOptions::first_use_checks`](crate::GpuOptions::first_use_checks).
    #[error(
        "{operation}: the kernel `{kernel}` computes wrong results on {adapter} with the driver {driver}: {found}. Update the driver or choose another adapter; where you know better, `GpuOptions::first_use_checks` or `Gpu::with_first_use_checks` turns the check off"
    )]
    Miscompiled {
        /// Full label of the operation.
        operation: &'static str,
        /// The kernel, by [`Kernel::name`](crate::Kernel::name).
        kernel: String,
        /// Name of the adapter.
        adapter: String,
        /// Name and version of its driver, as far as it tells.
        driver: String,
        /// The first thing that is wrong, in words.
        found: Box<str>,
    },
    /// The device did not finish the first run of a kernel in time.
    #[error("{operation}: the GPU did not finish the first run of a kernel within {waited:?}")]
    Timeout {
        /// Full label of the operation.
        operation: &'static str,
        /// How long was waited.
        waited: Duration,
    },
    /// The first run of a kernel could not be made.
    #[error("{operation}: the first run of a kernel, which shows whether it is right, failed")]
    FirstUse {
        /// Full label of the operation.
        operation: &'static str,
        /// A [`GpuError`](crate::GpuError).
        source: Box<dyn Error + Send + Sync>,
    },
    /// A shader file and its host code disagree.
    #[error(transparent)]
    Source(#[from] SourceError),
}
