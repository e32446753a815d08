//! Twins of `sgd.wgsl`, `adam.wgsl` and `lion.wgsl`; their headers have the formulas and the
//! sources.

use ndarray::{ArrayView, ArrayViewMut, Dimension, NdFloat, Zip};

use super::float::cast;
use crate::model::{AdamSettings, LionSettings, Optimizer, SgdSettings};

/// One step of stochastic gradient descent: updates `velocity` and `parameters`.
///
/// # Panics
/// Where the shapes differ.
pub fn sgd<F: NdFloat, D: Dimension>(
    settings: &SgdSettings,
    gradients: ArrayView<'_, F, D>,
    velocity: ArrayViewMut<'_, F, D>,
    parameters: ArrayViewMut<'_, F, D>,
) {
    let step = sgd_step(settings);
    Zip::from(gradients)
        .and(velocity)
        .and(parameters)
        .for_each(|gradient, velocity, parameter| step(*gradient, velocity, parameter));
}

/// The step of one parameter, from its gradient: updates velocity and parameter.
#[inline(always)]
pub(super) fn sgd_step<F: NdFloat>(settings: &SgdSettings) -> impl Fn(F, &mut F, &mut F) + Copy {
    let [rate, momentum, decay] = [
        settings.learning_rate,
        settings.momentum,
        settings.weight_decay,
    ]
    .map(cast::<F>);
    let nesterov = settings.nesterov;
    #[inline(always)]
    move |gradient, velocity, parameter| {
        let g = gradient + decay * *parameter;
        *velocity = momentum * *velocity + g;
        let direction = if nesterov {
            g + momentum * *velocity
        } else {
            *velocity
        };
        *parameter -= rate * direction;
    }
}

/// 1 − β1ˢ and 1 − β2ˢ after s steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamCorrections<F> {
    /// 1 − β1ˢ.
    pub first: F,
    /// 1 − β2ˢ.
    pub second: F,
}

/// The corrections one step on.
#[must_use]
pub fn adam_advance<F: NdFloat>(
    settings: &AdamSettings,
    corrections: AdamCorrections<F>,
) -> AdamCorrections<F> {
    let advance = |beta: F, correction: F| beta * correction + (F::one() - beta);
    AdamCorrections {
        first: advance(cast(settings.beta1), corrections.first),
        second: advance(cast(settings.beta2), corrections.second),
    }
}

/// One step of Adam, or of AdamW where `decoupled`: updates `m`, `v` and `parameters`.
///
/// # Panics
/// Where the shapes differ.
pub fn adam<F: NdFloat, D: Dimension>(
    settings: &AdamSettings,
    decoupled: bool,
    corrections: AdamCorrections<F>,
    gradients: ArrayView<'_, F, D>,
    [m, v, parameters]: [ArrayViewMut<'_, F, D>; 3],
) {
    let step = adam_step(settings, decoupled, corrections);
    Zip::from(gradients)
        .and(m)
        .and(v)
        .and(parameters)
        .for_each(|gradient, m, v, parameter| step(*gradient, m, v, parameter));
}

/// The step of one parameter, from its gradient: updates both moments and the parameter.
#[inline(always)]
pub(super) fn adam_step<F: NdFloat>(
    settings: &AdamSettings,
    decoupled: bool,
    corrections: AdamCorrections<F>,
) -> impl Fn(F, &mut F, &mut F, &mut F) + Copy {
    let AdamSettings {
        learning_rate,
        beta1,
        beta2,
        epsilon,
        weight_decay,
    } = *settings;
    let [rate, beta1, beta2, epsilon, decay] =
        [learning_rate, beta1, beta2, epsilon, weight_decay].map(cast::<F>);
    let one = F::one();
    #[inline(always)]
    move |gradient, m, v, parameter| {
        let mut g = gradient;
        if decoupled {
            *parameter -= rate * decay * *parameter;
        } else {
            g += decay * *parameter;
        }
        *m = beta1 * *m + (one - beta1) * g;
        *v = beta2 * *v + (one - beta2) * g * g;
        *parameter -=
            rate * (*m / corrections.first) / ((*v / corrections.second).sqrt() + epsilon);
    }
}

/// One step of Lion: updates `m` and `parameters`.
///
/// # Panics
/// Where the shapes differ.
pub fn lion<F: NdFloat, D: Dimension>(
    settings: &LionSettings,
    gradients: ArrayView<'_, F, D>,
    m: ArrayViewMut<'_, F, D>,
    parameters: ArrayViewMut<'_, F, D>,
) {
    let step = lion_step(settings);
    Zip::from(gradients)
        .and(m)
        .and(parameters)
        .for_each(|gradient, m, parameter| step(*gradient, m, parameter));
}

/// The step of one parameter, from its gradient: updates the mean and the parameter.
#[inline(always)]
fn lion_step<F: NdFloat>(settings: &LionSettings) -> impl Fn(F, &mut F, &mut F) + Copy {
    let LionSettings {
        learning_rate,
        beta1,
        beta2,
        weight_decay,
    } = *settings;
    let [rate, beta1, beta2, decay] = [learning_rate, beta1, beta2, weight_decay].map(cast::<F>);
    let (zero, one) = (F::zero(), F::one());
    #[inline(always)]
    move |gradient, m, parameter| {
        let c = beta1 * *m + (one - beta1) * gradient;
        // Rust's sign of 0 is 1. A NaN stays one.
        let direction = if c == zero { zero } else { c.signum() };
        *m = beta2 * *m + (one - beta2) * gradient;
        *parameter -= rate * (direction + decay * *parameter);
    }
}

/// The names of what an optimizer remembers of each parameter, first and second: those of its
/// state on the device.
pub(super) fn moment_names(optimizer: &Optimizer) -> &'static [&'static str] {
    match optimizer {
        Optimizer::Sgd(_) => &["velocity"],
        Optimizer::Adam(_) | Optimizer::AdamW(_) => &["m", "v"],
        Optimizer::Lion(_) => &["m"],
    }
}

/// The name of Adam's corrections, where it is they that the optimizer keeps.
pub(super) fn corrections_name(optimizer: &Optimizer) -> Option<&'static str> {
    let is_adam = matches!(optimizer, Optimizer::Adam(_) | Optimizer::AdamW(_));
    is_adam.then_some("corrections")
}

/// The step of an optimizer over plain slices, for [`super::Mlp`].
#[derive(Clone, Copy)]
pub(super) enum Rule<F> {
    /// SGD that forgets its velocity at once.
    Plain(SgdSettings),
    Sgd(SgdSettings),
    Adam(AdamSettings, bool, AdamCorrections<F>),
    Lion(LionSettings),
}

impl<F: NdFloat> Rule<F> {
    /// The next step of `optimizer`; moves Adam's corrections on.
    pub(super) fn of(optimizer: &Optimizer, corrections: &mut AdamCorrections<F>) -> Self {
        let mut adam = |settings, decoupled| {
            *corrections = adam_advance(&settings, *corrections);
            Self::Adam(settings, decoupled, *corrections)
        };
        match *optimizer {
            Optimizer::Sgd(settings) if settings.momentum == 0.0 => Self::Plain(settings),
            Optimizer::Sgd(settings) => Self::Sgd(settings),
            Optimizer::Adam(settings) => adam(settings, false),
            Optimizer::AdamW(settings) => adam(settings, true),
            Optimizer::Lion(settings) => Self::Lion(settings),
        }
    }

    /// Updates what the optimizer remembers, and the parameters. SGD and Lion remember one number
    /// only.
    #[inline(always)]
    pub(super) fn run(self, gradients: &[F], [first, second, parameters]: [&mut [F]; 3]) {
        let pairs = gradients.iter().zip(parameters);
        match self {
            Self::Plain(settings) => {
                let step = sgd_step(&settings);
                pairs.for_each(|(g, p)| step(*g, &mut F::zero(), p));
            }
            Self::Sgd(settings) => {
                let step = sgd_step(&settings);
                pairs
                    .zip(first)
                    .for_each(|((g, p), velocity)| step(*g, velocity, p));
            }
            Self::Adam(settings, decoupled, corrections) => {
                let step = adam_step(&settings, decoupled, corrections);
                pairs
                    .zip(first)
                    .zip(second)
                    .for_each(|(((g, p), m), v)| step(*g, m, v, p));
            }
            Self::Lion(settings) => {
                let step = lion_step(&settings);
                pairs.zip(first).for_each(|((g, p), m)| step(*g, m, p));
            }
        }
    }
}
