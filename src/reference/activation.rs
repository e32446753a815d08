//! Twins of `activation.wgsl`, by the formulas of `src/linear/activation_formula.rs`.

use ndarray::{Array2, ArrayView2, NdFloat, Zip};

use crate::linear::{derivative, value};
use crate::model::Activation;

/// a = f(t), element by element.
#[must_use]
pub fn activation<F: NdFloat>(function: Activation, t: ArrayView2<'_, F>) -> Array2<F> {
    t.mapv(|t| value(function, t))
}

/// dt = da · f′(t), element by element.
///
/// # Panics
/// Where the shapes differ.
#[must_use]
pub fn activation_grad<F: NdFloat>(
    function: Activation,
    t: ArrayView2<'_, F>,
    da: ArrayView2<'_, F>,
) -> Array2<F> {
    Zip::from(t)
        .and(da)
        .map_collect(|t, da| *da * derivative(function, *t))
}

/// Whether f′(t) can be told from f(t) alone, so that t need not be kept.
pub(super) fn forgets_argument(function: Activation) -> bool {
    matches!(function, Activation::Identity | Activation::Relu)
}

/// [`activation`] in place, where [`forgets_argument`]; with a bias first: t + b becomes f(t + b).
#[inline(always)]
pub(super) fn add_bias_and_activate<F: NdFloat>(function: Activation, t: &mut [F], b: &[F]) {
    match function {
        // A function that is known before the loop can be vectorized.
        Activation::Relu => map(t, b, |t, b| value(Activation::Relu, t + b)),
        _ => map(t, b, |t, b| t + b),
    }
}

/// [`activation_grad`] in place: da becomes da · f′(t).
#[inline(always)]
pub(super) fn activation_grad_in_place<F: NdFloat>(function: Activation, da: &mut [F], t: &[F]) {
    match function {
        Activation::Identity => {}
        Activation::Relu => map(da, t, |da, t| da * derivative(Activation::Relu, t)),
        _ => map(da, t, |da, t| da * derivative(function, t)),
    }
}

#[inline(always)]
fn map<F: NdFloat>(changed: &mut [F], other: &[F], f: impl Fn(F, F) -> F) {
    for (value, other) in changed.iter_mut().zip(other) {
        *value = f(*value, *other);
    }
}
