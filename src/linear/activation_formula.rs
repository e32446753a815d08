//! The activations and their derivatives on the host: the formulas of `shaders/parts/activations/`,
//! for the twin and for what kernels are first given.

use ndarray::NdFloat;

use super::activation::Activation;

/// f(t).
#[inline]
pub(crate) fn value<F: NdFloat>(function: Activation, t: F) -> F {
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

/// f′(t); NaN of a NaN, as the kernels have it, even where it is 1 everywhere else.
#[inline]
pub(crate) fn derivative<F: NdFloat>(function: Activation, t: F) -> F {
    let one = F::one();
    match function {
        Activation::Identity => step(t, one),
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

/// A parameter, stored as f32, in the float type of the argument.
fn cast<F: NdFloat>(parameter: f32) -> F {
    F::from(parameter).unwrap_or_else(F::nan)
}
