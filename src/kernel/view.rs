//! Operand views: which part of a buffer is which matrix.

use super::element_type::ElementType;
use super::error::PrepareError;

/// A dense row-major matrix inside a buffer the caller owns, of f32 unless told otherwise.
///
/// Element (i, j) lies `offset_bytes + s (i · columns + j)` bytes into `buffer`, where s is the size
/// of an element ([`ElementType::bytes`]). A view is a few words and a reference: copy it freely. Nothing is checked here; every operation checks its
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
    /// What its numbers are stored as. Of f16, only the four operations of a layer take any.
    pub element: ElementType,
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
            element: ElementType::F32,
        }
    }

    /// The same shape, of numbers that are stored as `element`.
    ///
    /// ```
    /// use wgpu_linear::kernel::ElementType;
    /// use wgpu_linear::{Matrix, wgpu};
    /// # fn view(buffer: &wgpu::Buffer) -> Matrix<'_> {
    /// Matrix::new(buffer, 64, 128).stored_as(ElementType::F16) // 16 KiB
    /// # }
    /// ```
    #[must_use]
    pub fn stored_as(self, element: ElementType) -> Self {
        Self { element, ..self }
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
        let vector = Vector::new(self.buffer, len).at(self.offset_bytes);
        Ok(vector.stored_as(self.element))
    }

    /// `rows` rows from row `first` on.
    pub(crate) fn rows(self, first: u32, rows: u32) -> Self {
        let first_bytes = u64::from(first) * u64::from(self.columns) * self.element.bytes();
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

/// Consecutive elements inside a buffer the caller owns: f32 unless told otherwise, or u32 where an
/// operation says so (labels).
#[derive(Clone, Copy, Debug)]
pub struct Vector<'a> {
    /// The buffer that holds the vector, and possibly more.
    pub buffer: &'a wgpu::Buffer,
    /// Where the vector begins, in bytes; a multiple of the device's
    /// `min_storage_buffer_offset_alignment`.
    pub offset_bytes: u64,
    /// Number of elements.
    pub len: u32,
    /// What its numbers are stored as.
    pub element: ElementType,
}

impl<'a> Vector<'a> {
    /// The vector of `len` elements at the start of `buffer`.
    #[must_use]
    pub fn new(buffer: &'a wgpu::Buffer, len: u32) -> Self {
        Self {
            buffer,
            offset_bytes: 0,
            len,
            element: ElementType::F32,
        }
    }

    /// The same length, of numbers that are stored as `element`.
    #[must_use]
    pub fn stored_as(self, element: ElementType) -> Self {
        Self { element, ..self }
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
