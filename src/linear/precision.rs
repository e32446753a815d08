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

    /// Whether a factor of its products is stored as f16; see `Elements::has_rounded_factor`.
    pub(super) const fn has_rounded_factor(self) -> bool {
        match self {
            Self::F32 => false,
            Self::F16 | Self::Mixed => true,
        }
    }

    /// The features that a device needs for it.
    #[must_use]
    pub const fn features(self) -> wgpu::Features {
        match self {
            Self::F32 => wgpu::Features::empty(),
            Self::F16 | Self::Mixed => wgpu::Features::SHADER_F16,
        }
    }

    /// The same where a device with these features can have it; elsewhere [`Self::F32`], with a
    /// warning in the log.
    ///
    /// ```
    /// use wgpu_linear::linear::Precision;
    /// use wgpu_linear::wgpu::Features;
    ///
    /// assert_eq!(Precision::Mixed.or_f32(Features::SHADER_F16), Precision::Mixed);
    /// assert_eq!(Precision::Mixed.or_f32(Features::empty()), Precision::F32);
    /// ```
    #[must_use]
    pub fn or_f32(self, device: wgpu::Features) -> Self {
        if device.contains(self.features()) {
            return self;
        }
        log::warn!("the device has no SHADER_F16: f32 is taken in the place of {self}");
        Self::F32
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
