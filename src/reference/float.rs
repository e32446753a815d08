//! Numbers in the float type of a twin.

use ndarray::NdFloat;

/// A setting, stored as f32 for both twins, in the float type of this one.
pub(super) fn cast<F: NdFloat>(value: f32) -> F {
    // Every f32 is a value of f32 and f64; a narrower type takes the nearest.
    F::from(value).unwrap_or_else(F::nan)
}

/// The nearest f32.
pub(super) fn to_f32<F: NdFloat>(value: F) -> f32 {
    value.to_f32().unwrap_or(f32::NAN)
}

pub(super) fn count<F: NdFloat>(examples: usize) -> F {
    F::from(examples).unwrap_or_else(F::nan)
}
