//! What the numbers of an operand are stored as.

use std::fmt;

/// What the numbers of a matrix or a vector are stored as. Whatever it is, sums are taken in f32.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// Four bytes. Vectors of u32 (labels) count as such, too.
    #[default]
    F32,
    /// Two bytes: 11 significant bits, up to 65,504. Needs [`wgpu::Features::SHADER_F16`].
    F16,
}

impl ElementType {
    /// Of one number.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// As WGSL and Rust call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
