//! The comparator of the tests, the error bounds, and proof that the comparator rejects what it
//! must.

use ndarray::{Array, Array2, ArrayView, ArrayView2, Dimension, array};

/// Unit roundoff of f32 where rounding is to nearest.
pub(crate) const U_NEAREST: f64 = 1.0 / (1_u64 << 24) as f64;
/// WGSL leaves the direction of rounding open, so a portable bound takes twice that.
pub(crate) const U_ANY: f64 = 1.0 / (1_u64 << 23) as f64;

/// γ_k = k·u / (1 − k·u) (Higham, Accuracy and Stability of Numerical Algorithms, chapter 3).
pub(crate) fn gamma(k: usize) -> f64 {
    let ku = k as f64 * U_ANY;
    assert!(ku < 1.0);
    ku / (1.0 - ku)
}

/// What a sum of `terms` rounded products may lose, where Σ |a||b| is `magnitude`: the bound for
/// any order of summation, and denormals that may be flushed.
pub(crate) fn hard_bound(terms: usize, magnitude: f64) -> f64 {
    gamma(terms) * magnitude + terms as f64 * f64::from(f32::MIN_POSITIVE)
}

/// What it loses in practice: a limit that shows regressions long before the hard bound does.
pub(crate) fn regression_bound(terms: usize, magnitude: f64) -> f64 {
    (8.0 + 2.0 * (terms as f64).sqrt()) * U_NEAREST * magnitude
        + terms as f64 * f64::from(f32::MIN_POSITIVE)
}

/// Err with the first element that is not within `bound` of `expected`. A NaN is within nothing.
pub(crate) fn within<D: Dimension>(
    actual: ArrayView<'_, f32, D>,
    expected: ArrayView<'_, f64, D>,
    bound: ArrayView<'_, f64, D>,
) -> Result<(), String> {
    assert_eq!(actual.shape(), expected.shape());
    assert_eq!(bound.shape(), expected.shape());
    for (i, ((actual, expected), bound)) in actual.iter().zip(expected).zip(bound).enumerate() {
        let error = (f64::from(*actual) - expected).abs();
        let good = error <= *bound;
        if !good {
            return Err(format!(
                "element {i}: {actual} instead of {expected}, error {error:e}, allowed {bound:e}"
            ));
        }
    }
    Ok(())
}

/// [`within`] one bound for all elements.
pub(crate) fn within_all<D: Dimension>(
    actual: ArrayView<'_, f32, D>,
    expected: ArrayView<'_, f64, D>,
    bound: f64,
) -> Result<(), String> {
    let bound = Array::from_elem(expected.raw_dim(), bound);
    within(actual, expected, bound.view())
}

/// Err unless every element has exactly the expected value.
pub(crate) fn same<D: Dimension>(
    actual: ArrayView<'_, f32, D>,
    expected: ArrayView<'_, f64, D>,
) -> Result<(), String> {
    within_all(actual, expected, 0.0)
}

/// |a|, in f64.
pub(crate) fn magnitude(a: ArrayView2<'_, f32>) -> Array2<f64> {
    a.mapv(|a| f64::from(a).abs())
}

const GOOD: [[f64; 3]; 2] = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];

#[test]
fn within_accepts_small_errors() {
    let actual = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.000_001]];
    assert_eq!(
        within_all(actual.view(), Array2::from(GOOD.to_vec()).view(), 1e-5),
        Ok(())
    );
}

#[test]
fn within_rejects_nan() {
    let expected = Array2::from(GOOD.to_vec());
    for position in [[0, 0], [1, 2]] {
        let mut actual = expected.mapv(|value| value as f32);
        actual[position] = f32::NAN;
        assert!(within_all(actual.view(), expected.view(), 1e30).is_err());
    }
}

#[test]
fn within_rejects_a_nan_bound() {
    let expected = Array2::from(GOOD.to_vec());
    let actual = expected.mapv(|value| value as f32);
    assert!(within_all(actual.view(), expected.view(), f64::NAN).is_err());
}

#[test]
fn within_rejects_one_wrong_element() {
    let expected = Array2::from(GOOD.to_vec());
    let mut actual = expected.mapv(|value| value as f32);
    actual[[1, 1]] += 1e-3;
    assert!(within_all(actual.view(), expected.view(), 1e-4).is_err());
}

#[test]
fn within_rejects_a_transposed_result() {
    let expected = array![[1.0, 2.0], [3.0, 4.0]];
    let actual = expected.mapv(|value| value as f32);
    assert!(within_all(actual.t(), expected.view(), 0.5).is_err());
}
