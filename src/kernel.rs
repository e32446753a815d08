//! Kernels as data: a WGSL entry point with its constants and bindings.

use std::borrow::Cow;

use crate::error::PrepareError;
use crate::shader::{Constant, File, SpecialiseError, specialise};
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
    /// The files that make up its WGSL: the algorithm, then the parts that it shares with others.
    pub files: Cow<'static, [File]>,
    /// Name of the entry point.
    pub entry_point: &'static str,
    /// Values that replace those of the files.
    pub constants: Cow<'static, [(&'static str, Constant)]>,
    /// Bindings, sorted by index.
    pub bindings: &'static [Binding],
    /// Whether it indexes its operands so carefully that the compiler need not add checks; see `trusted_module` in `src/cache.rs`.
    pub trusted: bool,
}

impl Kernel {
    /// The path of the file with the algorithm, below `shaders/`.
    #[must_use]
    pub fn file(&self) -> &'static str {
        self.files.first().map_or("", |file| file.name)
    }

    /// The WGSL that is compiled: the files, one behind the other, with this kernel's constants.
    ///
    /// # Errors
    /// [`SpecialiseError`] if files and host disagree; a test of this crate rules that out.
    pub fn wgsl(&self) -> Result<String, SpecialiseError> {
        let sources: Vec<_> = self.files.iter().map(|file| file.source).collect();
        specialise(&sources.join("\n"), &self.constants)
    }
}

pub(crate) fn expect_matrix(
    operation: &'static str,
    operand: &'static str,
    view: Matrix<'_>,
    rows: u32,
    columns: u32,
) -> Result<(), PrepareError> {
    expect_shape(
        operation,
        operand,
        [view.rows, view.columns],
        [rows, columns],
    )
}

pub(crate) fn expect_vector(
    operation: &'static str,
    operand: &'static str,
    view: Vector<'_>,
    len: u32,
) -> Result<(), PrepareError> {
    expect_shape(operation, operand, [1, view.len], [1, len])
}

fn expect_shape(
    operation: &'static str,
    operand: &'static str,
    actual: [u32; 2],
    expected: [u32; 2],
) -> Result<(), PrepareError> {
    if actual == expected {
        return Ok(());
    }
    Err(PrepareError::Shape {
        operation,
        operand,
        expected,
        actual,
    })
}

/// The words of a kernel's `Dims`, padded: sizes, and whatever else differs from dispatch to dispatch.
pub(crate) type Dims = [u32; 20];

/// `words`, at most twenty, padded with zeros.
pub(crate) fn dims(words: impl IntoIterator<Item = u32>) -> Dims {
    let mut dims = Dims::default();
    dims.iter_mut().zip(words).for_each(|(to, word)| *to = word);
    dims
}
