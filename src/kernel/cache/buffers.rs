//! Buffers that the kernels need beside their operands.

use super::{KernelCache, MOST_BINDINGS, filled_buffer, refusal};
use crate::kernel::guard::create;
use crate::kernel::operand::check_size;
use crate::kernel::{ElementType, PrepareError};

impl KernelCache {
    /// A buffer for partial results, which lives as long as the dispatches that use it, and is bound
    /// as a whole.
    pub(crate) fn scratch(
        &self,
        operation: &'static str,
        bytes: u64,
    ) -> Result<wgpu::Buffer, PrepareError> {
        check_size(operation, bytes, ElementType::F32, &self.limits)?;
        self.scratch_in_parts(operation, bytes)
    }

    /// The same for partial results that are bound in parts.
    pub(crate) fn scratch_in_parts(
        &self,
        operation: &'static str,
        bytes: u64,
    ) -> Result<wgpu::Buffer, PrepareError> {
        self.guard(operation, bytes, || {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("wgpu_linear::scratch"),
                size: bytes,
                usage: wgpu::BufferUsages::STORAGE,
                mapped_at_creation: false,
            })
        })
    }

    /// A buffer of these words, which kernels read.
    pub(crate) fn table(
        &self,
        operation: &'static str,
        words: &[u32],
    ) -> Result<wgpu::Buffer, PrepareError> {
        let (label, usage) = ("wgpu_linear::table", wgpu::BufferUsages::STORAGE);
        let contents: &[u8] = bytemuck::cast_slice(words);
        self.guard(operation, contents.len() as u64, || {
            filled_buffer(&self.device, label, usage, contents)
        })
    }

    pub(super) fn guard<T>(
        &self,
        operation: &'static str,
        bytes: u64,
        make: impl FnOnce() -> T,
    ) -> Result<T, PrepareError> {
        create(&self.device, make).map_err(|failure| refusal(operation, bytes, failure))
    }

    pub(super) fn placeholders(
        &self,
        operation: &'static str,
    ) -> Result<&[wgpu::Buffer; MOST_BINDINGS], PrepareError> {
        if let Some(placeholders) = self.placeholders.get() {
            return Ok(placeholders);
        }
        let descriptor = wgpu::BufferDescriptor {
            label: Some("wgpu_linear::placeholder"),
            size: 16,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        };
        let bytes = descriptor.size * MOST_BINDINGS as u64;
        let placeholders = self.guard(operation, bytes, || {
            std::array::from_fn(|_| self.device.create_buffer(&descriptor))
        })?;
        // Another thread may have been quicker.
        Ok(self.placeholders.get_or_init(|| placeholders))
    }
}
