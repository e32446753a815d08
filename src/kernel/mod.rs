//! Kernels: WGSL put together and specialised, compiled on first use, checked against their
//! operands and made into dispatches. Knows nothing of what is computed.

mod cache;
mod compile;
#[cfg(target_arch = "wasm32")]
mod deferred;
mod dispatch;
mod element_type;
mod environment;
mod error;
mod estimate;
#[cfg(test)]
mod fault;
#[cfg(any(feature = "checkpoint", not(target_arch = "wasm32")))]
mod file;
#[cfg(not(target_arch = "wasm32"))]
mod first_use;
mod guard;
mod jobs;
mod limits;
mod operand;
mod owner;
#[cfg(not(target_arch = "wasm32"))]
mod pipelines;
mod portions;
mod probe;
mod software;
mod source;
#[cfg(test)]
pub(crate) mod starved;
pub(crate) mod uniform;
mod view;

pub use compile::ShaderChecks;
pub use dispatch::Dispatch;
pub use element_type::ElementType;
pub use error::PrepareError;
pub use source::{Constant, File, SourceError, specialise};
pub use uniform::{Member, Scalar};
pub use view::{Matrix, Vector};

pub(crate) use cache::KernelCache;
#[cfg(target_arch = "wasm32")]
pub(crate) use deferred::{Refusal, heard, settled};
pub(crate) use dispatch::{Grid, passes};
pub(crate) use environment::from_env;
pub(crate) use estimate::slowness;
#[cfg(test)]
pub(crate) use fault::Fault;
#[cfg(feature = "checkpoint")]
pub(crate) use file::replace_durably;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use file::{beside, cache_folder, replace};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use first_use::{FirstUse, Runner, Stopped};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use guard::is_lost;
pub(crate) use guard::{Failure, caught, create_buffer, guard, is_lost_async, watch};
pub(crate) use jobs::{Job, side_by_side};
pub(crate) use operand::{Operand, check_operands, expect_matrix, expect_vector};
pub(crate) use owner::is_foreign;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use pipelines::Pipelines;
pub(crate) use portions::Portions;
pub(crate) use probe::{Probe, Wanted, quarters};
pub(crate) use software::{LLVMPIPE_LOOP_ITERATIONS, loop_iterations};
pub(crate) use source::file;
pub(crate) use uniform::{Contents, Uniform, uniform};

use std::borrow::Cow;

/// How a kernel uses a binding.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// A uniform buffer with the sizes or settings: these members, in this order.
    Uniform(&'static [Member]),
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
    /// Whether each recording says where in the buffer it begins, so that one bind group serves
    /// many places.
    pub dynamic: bool,
}

impl Binding {
    /// A storage buffer that is only read.
    pub(crate) const fn read(index: u32, name: &'static str) -> Self {
        Self::new(index, name, Access::Read)
    }

    /// A storage buffer that is written.
    pub(crate) const fn write(index: u32, name: &'static str) -> Self {
        Self::new(index, name, Access::ReadWrite)
    }

    /// A uniform buffer with the members of `U`.
    pub(crate) const fn uniform<U: Uniform>(index: u32, name: &'static str) -> Self {
        Self::new(index, name, Access::Uniform(U::MEMBERS))
    }

    /// The uniform with the sizes of a dispatch, which the cache makes from what `prepare` is
    /// given.
    pub(crate) const fn dims<U: Uniform>() -> Self {
        Self::uniform::<U>(0, "dims")
    }

    const fn new(index: u32, name: &'static str, access: Access) -> Self {
        Self {
            index,
            name,
            access,
            dynamic: false,
        }
    }

    /// The same with an offset that is given when it is recorded.
    pub(crate) const fn dynamic(self) -> Self {
        Self {
            dynamic: true,
            ..self
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
    /// What distinguishes it from others of that label, in a word or two; empty where there are
    /// none.
    pub variant: Cow<'static, str>,
    /// The file with the algorithm.
    pub file: File,
    /// The parts that the host chooses where the algorithm leaves it the choice.
    pub choices: Cow<'static, [File]>,
    /// Name of the entry point.
    pub entry_point: &'static str,
    /// Values that replace those of the files.
    pub constants: Cow<'static, [(&'static str, Constant)]>,
    /// Threads of a workgroup in x, y and z.
    pub workgroup: [u32; 3],
    /// Workgroup memory that the shader declares and uses, in bytes.
    pub shared_bytes: u32,
    /// Bindings, sorted by index.
    pub bindings: &'static [Binding],
    /// Whether it indexes its operands so carefully that the compiler need not add checks; see
    /// `trusted_module` in `src/kernel/compile.rs`.
    pub trusted: bool,
}

impl Kernel {
    /// A kernel that is the only one of its label, checked by the compiler.
    pub(crate) const fn new(
        label: &'static str,
        (file, entry_point): (File, &'static str),
        constants: &'static [(&'static str, Constant)],
        workgroup: u32,
        bindings: &'static [Binding],
    ) -> Self {
        Self {
            label,
            variant: Cow::Borrowed(""),
            file,
            choices: Cow::Borrowed(&[]),
            entry_point,
            constants: Cow::Borrowed(constants),
            workgroup: [workgroup, 1, 1],
            shared_bytes: 0,
            bindings,
            trusted: false,
        }
    }

    /// The same with so much workgroup memory.
    pub(crate) const fn sharing(self, bytes: u32) -> Self {
        let mut kernel = self;
        kernel.shared_bytes = bytes;
        kernel
    }

    /// A short name that no other kernel has: the label without the crate's name, and the variant.
    #[must_use]
    pub fn name(&self) -> String {
        let label = self.label.rsplit("::").next().unwrap_or(self.label);
        if self.variant.is_empty() {
            label.to_owned()
        } else {
            format!("{label}/{}", self.variant)
        }
    }

    /// The files that make up its WGSL: the algorithm, then the parts that headers ask for.
    ///
    /// # Errors
    /// [`SourceError`] if headers and host disagree; a test of this crate rules that out.
    pub fn files(&self) -> Result<Vec<File>, SourceError> {
        source::assemble(self.file, &self.choices)
    }

    /// The WGSL that is compiled: the files, one behind the other, with this kernel's constants.
    ///
    /// # Errors
    /// [`SourceError`] if files and host disagree; a test of this crate rules that out.
    pub fn wgsl(&self) -> Result<String, SourceError> {
        let sources: Vec<_> = self.files()?.iter().map(|file| file.source).collect();
        let wgsl = specialise(&sources.join("\n"), &self.constants)?;
        Ok(format!("{}{wgsl}", self.enables()))
    }

    /// The first lines of its WGSL: what it needs beside the core of the language.
    #[must_use]
    pub fn enables(&self) -> &'static str {
        match (self.uses_f16(), self.uses_matrix_units()) {
            (_, true) => "enable f16;\nenable wgpu_cooperative_matrix;\n\n",
            (true, false) => "enable f16;\n\n",
            (false, false) => "",
        }
    }

    /// Whether it needs [`wgpu::Features::SHADER_F16`].
    #[must_use]
    pub fn uses_f16(&self) -> bool {
        let is_f16 = |(_, value): &(&str, Constant)| *value == Constant::Type(ElementType::F16);
        self.uses_matrix_units() || self.constants.iter().any(is_f16)
    }

    /// Whether it needs [`wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX`], which no browser has.
    #[must_use]
    pub fn uses_matrix_units(&self) -> bool {
        let is_matrix = |file: &File| file.name.starts_with("parts/matrices/");
        self.choices.iter().any(is_matrix)
    }

    /// Whether it needs [`wgpu::Features::SUBGROUP`]. Compilers of browsers want
    /// `enable subgroups;` as the first line of such a kernel, which naga 30 refuses.
    ///
    /// # Errors
    /// As [`Self::wgsl`].
    pub fn uses_subgroups(&self) -> Result<bool, SourceError> {
        Ok(source::uses_subgroups(&self.wgsl()?))
    }
}
