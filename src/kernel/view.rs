//! Operand views: which part of a buffer is which matrix.

use super::error::PrepareError;

/// A dense row-major f32 matrix inside a buffer the caller owns.
///
/// Element (i, j) lies `offset_bytes + 4 (i · columns + j)` bytes into `buffer`. A view is two
/// words and a reference: copy it freely. Nothing is checked here; every operation checks its
/// operands when it is prepared.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// The buffer that holds the matrix, and possibly more.
    pub buffer: &'a wgpu::Buffer,
    /// Where the matrix begins, in bytes; a multiple of the device's
    /// `min_storage_buffer_offset_alignment`.
    pub offset_bytes: u64,
    /// Number of rows.
    pub rows: u32,
    /// Number of columns.
    pub columns: u32,
}

impl<'a> Matrix<'a> {
    /// The matrix of `rows` × `columns` at the start of `buffer`.
    #[must_use]
    pub fn new(buffer: &'a wgpu::Buffer, rows: u32, columns: u32) -> Self {
        Self {
            buffer,
            offset_bytes: 0,
            rows,
            columns,
        }
    }

    /// The same shape, beginning `offset_bytes` into the buffer.
    #[must_use]
    pub fn at(self, offset_bytes: u64) -> Self {
        Self {
            offset_bytes,
            ..self
        }
    }

    /// The same elements as a vector, which may have fewer.
    pub(crate) fn flat(self, operation: &'static str) -> Result<Vector<'a>, PrepareError> {
        let len = u32::try_from(self.elements()).map_err(|_| PrepareError::Limit {
            operation,
            name: "elements of an operand",
            required: self.elements(),
            allowed: u64::from(u32::MAX),
        })?;
        Ok(Vector::new(self.buffer, len).at(self.offset_bytes))
    }

    /// `rows` rows from row `first` on.
    pub(crate) fn rows(self, first: u32, rows: u32) -> Self {
        let first_bytes = u64::from(first) * u64::from(self.columns) * 4;
        Self {
            offset_bytes: self.offset_bytes + first_bytes,
            rows,
            ..self
        }
    }

    /// Number of elements, rows · columns.
    #[must_use]
    pub fn elements(&self) -> u64 {
        u64::from(self.rows) * u64::from(self.columns)
    }
}

/// Consecutive 4-byte elements inside a buffer the caller owns: f32, or u32 where an operation says
/// so (labels).
#[derive(Clone, Copy, Debug)]
pub struct Vector<'a> {
    /// The buffer that holds the vector, and possibly more.
    pub buffer: &'a wgpu::Buffer,
    /// Where the vector begins, in bytes; a multiple of the device's
    /// `min_storage_buffer_offset_alignment`.
    pub offset_bytes: u64,
    /// Number of elements.
    pub len: u32,
}

impl<'a> Vector<'a> {
    /// The vector of `len` elements at the start of `buffer`.
    #[must_use]
    pub fn new(buffer: &'a wgpu::Buffer, len: u32) -> Self {
        Self {
            buffer,
            offset_bytes: 0,
            len,
        }
    }

    /// The same length, beginning `offset_bytes` into the buffer.
    #[must_use]
    pub fn at(self, offset_bytes: u64) -> Self {
        Self {
            offset_bytes,
            ..self
        }
    }
}
