//! With how many digits a layer is stored.

use std::fmt;

use crate::kernel::ElementType;

/// With how many digits a layer is stored. Sums are taken in f32 whatever is stored.
///
/// `docs/PRECISION.md` has the error bounds.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Precision {
    /// Everything is f32.
    #[default]
    F32,
    /// Matrices are f16, weights and their gradients too; biases are f32.
    F16,
    /// Activations and their gradients are f16; weights, biases and their gradients f32.
    Mixed,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Mixed];

    /// What X, T and A are stored as, and their gradients.
    #[must_use]
    pub const fn activations(self) -> ElementType {
        match self {
            Self::F32 => ElementType::F32,
            Self::F16 | Self::Mixed => ElementType::F16,
        }
    }

    /// What W and dW are stored as.
    #[must_use]
    pub const fn weights(self) -> ElementType {
        match self {
            Self::F32 | Self::Mixed => ElementType::F32,
            Self::F16 => ElementType::F16,
        }
    }

    /// As it is written down: `f32`, `f16`, `mixed`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Mixed => "mixed",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
