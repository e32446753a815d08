//! How far a result may be from the twin in f64: Higham, *Accuracy and Stability of Numerical
//! Algorithms*, chapter 3, and what WGSL grants its functions.

/// WGSL leaves the direction of rounding open, so a portable bound takes twice the unit roundoff of
/// rounding to nearest.
pub(super) const U: f64 = 1.0 / (1_u64 << 23) as f64;

/// Denormals may be flushed.
pub(super) const FLUSHED: f64 = f32::MIN_POSITIVE as f64;

/// What rounding to f16 may do to a number that is `off` from `value` at most, in whichever direction
/// it rounds; nothing to one that f16 has. The smallest numbers are 2⁻²⁴ apart.
pub(super) fn f16(value: f64, off: f64) -> f64 {
    if off == 0.0 && f64::from(half::f16::from_f64(value)) == value {
        return 0.0;
    }
    (value.abs() + off) / f64::from(1 << 10) + 1.0 / f64::from(1 << 24)
}

/// γ_k = k·u / (1 − k·u), for k·u below 1.
pub(super) fn gamma(k: usize) -> f64 {
    let ku = k as f64 * U;
    ku / (1.0 - ku)
}

/// What a sum of `terms` rounded products may lose in any order, where Σ |a||b| is `magnitude`.
pub(super) fn sum(terms: usize, magnitude: f64) -> f64 {
    gamma(terms) * magnitude + terms as f64 * FLUSHED
}
