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

/// What a product in int8 may differ from x·ŵ, where r is the largest element of the row of X
/// divided by 127, and the magnitudes of a column of Ŵ add up to `column`: `docs/PRECISION.md`.
pub(super) fn int8(r: f64, column: f64, product: f64) -> f64 {
    let quantised = (r / 2.0 * (1.0 + 2.0_f64.powi(-14)) + 2.0_f64.powi(-119)) * column;
    quantised + gamma(4) * (product.abs() + quantised) + 4.0 * FLUSHED
}

/// The same of x·ŵ + b = t, where quantising changes no operand: 2.5 units of [`U`] for the
/// quotient of 127 and 127, 3 for a conversion and two factors, and 1 for the sum.
pub(super) fn whole_int8(t: f64, b: f64) -> f64 {
    7.0 * U * (t.abs() + b.abs())
}
