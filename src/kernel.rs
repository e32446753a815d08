//! Kernels as data: a WGSL entry point with its constants and bindings.

use crate::error::PrepareError;
use crate::shader::{Constant, SpecialiseError, specialise};
use crate::view::{Matrix, Vector};

/// How a kernel uses a binding.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// A uniform buffer with the sizes or settings.
    Uniform,
    /// A storage buffer that is only read.
    Read,
    /// A storage buffer that is written, and read where the formula says so.
    ReadWrite,
}

/// One variable of a kernel in bind group 0.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Binding {
    /// `@binding` number.
    pub index: u32,
    /// Name of the variable in the WGSL file.
    pub name: &'static str,
    /// How it is used.
    pub access: Access,
    /// Whether each recording says where in the buffer it begins, so that one bind group serves many places.
    pub dynamic: bool,
}

impl Binding {
    pub(crate) const fn new(index: u32, name: &'static str, access: Access) -> Self {
        Self {
            index,
            name,
            access,
            dynamic: false,
        }
    }

    /// A binding whose offset is given when it is recorded.
    pub(crate) const fn dynamic(index: u32, name: &'static str, access: Access) -> Self {
        Self {
            dynamic: true,
            ..Self::new(index, name, access)
        }
    }
}

/// A compute kernel as the crate runs it: readable source, constants and bindings.
///
/// [`crate::kernels`] lists all of them.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// Full label, shown by graphics debuggers and in errors.
    pub label: &'static str,
    /// Name of the file in `shaders/`.
    pub file: &'static str,
    /// Its contents.
    pub source: &'static str,
    /// Name of the entry point.
    pub entry_point: &'static str,
    /// Values that replace those of the file.
    pub constants: &'static [(&'static str, Constant)],
    /// Bindings, sorted by index.
    pub bindings: &'static [Binding],
}

impl Kernel {
    /// The WGSL that is compiled: the file with this kernel's constants.
    ///
    /// # Errors
    /// [`SpecialiseError`] if file and host disagree; a test of this crate rules that out.
    pub fn wgsl(&self) -> Result<String, SpecialiseError> {
        specialise(self.source, self.constants)
    }

    pub(crate) fn expect_matrix(
        &self,
        operand: &'static str,
        view: Matrix<'_>,
        rows: u32,
        columns: u32,
    ) -> Result<(), PrepareError> {
        self.expect_shape(operand, [view.rows, view.columns], [rows, columns])
    }

    pub(crate) fn expect_vector(
        &self,
        operand: &'static str,
        view: Vector<'_>,
        len: u32,
    ) -> Result<(), PrepareError> {
        self.expect_shape(operand, [1, view.len], [1, len])
    }

    fn expect_shape(
        &self,
        operand: &'static str,
        actual: [u32; 2],
        expected: [u32; 2],
    ) -> Result<(), PrepareError> {
        if actual == expected {
            return Ok(());
        }
        Err(PrepareError::Shape {
            operation: self.label,
            operand,
            expected,
            actual,
        })
    }
}

/// The words of a kernel's `Dims`, padded: sizes, and whatever else differs from dispatch to dispatch.
pub(crate) type Dims = [u32; 8];

/// `words`, at most eight, padded with zeros.
pub(crate) fn dims(words: impl IntoIterator<Item = u32>) -> Dims {
    let mut dims = Dims::default();
    dims.iter_mut().zip(words).for_each(|(to, word)| *to = word);
    dims
}
