//! Twins of `activation.wgsl`; its header has the formulas.

use ndarray::{Array2, ArrayView2, NdFloat, Zip};

use super::float::cast;
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

#[inline]
pub(super) fn value<F: NdFloat>(function: Activation, t: F) -> F {
    let zero = F::zero();
    match function {
        Activation::Identity => t,
        // Not `max`, which would drop a NaN.
        Activation::Relu => {
            if t <= zero {
                zero
            } else {
                t
            }
        }
        Activation::LeakyRelu { slope } => {
            if t > zero {
                t
            } else {
                cast::<F>(slope) * t
            }
        }
        Activation::Tanh => t.tanh(),
        Activation::Sigmoid => sigmoid(t),
        Activation::Gelu => t * normal_distribution(t),
        Activation::Silu => t * sigmoid(t),
        Activation::Sine { frequency } => (cast::<F>(frequency) * t).sin(),
        Activation::Softplus => t.max(zero) + (-t.abs()).exp().ln_1p(),
    }
}

#[inline]
fn derivative<F: NdFloat>(function: Activation, t: F) -> F {
    let one = F::one();
    match function {
        Activation::Identity => one,
        Activation::Relu => step(t, F::zero()),
        Activation::LeakyRelu { slope } => step(t, cast(slope)),
        Activation::Tanh => t.cosh().powi(-2),
        Activation::Sigmoid => sigmoid(t) * sigmoid(-t),
        Activation::Gelu => normal_distribution(t) + t * normal_density(t),
        Activation::Silu => sigmoid(t) + t * sigmoid(t) * sigmoid(-t),
        Activation::Sine { frequency } => {
            let frequency = cast::<F>(frequency);
            frequency * (frequency * t).cos()
        }
        Activation::Softplus => sigmoid(t),
    }
}

/// 1 for positive numbers, else `otherwise`; NaN for NaN.
#[inline]
fn step<F: NdFloat>(t: F, otherwise: F) -> F {
    if t > F::zero() {
        F::one()
    } else if t <= F::zero() {
        otherwise
    } else {
        t
    }
}

fn sigmoid<F: NdFloat>(t: F) -> F {
    F::one() / (F::one() + (-t).exp())
}

/// Φ(t) = erfc(−t / √2) / 2; erfc keeps its precision in the lower tail, where 1 + erf would
/// cancel.
fn normal_distribution<F: NdFloat>(t: F) -> F {
    let t = t.to_f64().unwrap_or(f64::NAN);
    F::from(0.5 * libm::erfc(-t * std::f64::consts::FRAC_1_SQRT_2)).unwrap_or_else(F::nan)
}

/// φ(t) = exp(−t² / 2) / √(2π).
fn normal_density<F: NdFloat>(t: F) -> F {
    let t = t.to_f64().unwrap_or(f64::NAN);
    F::from((-0.5 * t * t).exp() / std::f64::consts::TAU.sqrt()).unwrap_or_else(F::nan)
}
