//! The optimizer of [`super::Mlp`]: the steps of [`super::sgd`] and [`super::adam`] over plain slices.

use ndarray::{Array, Dimension, NdFloat};

use super::optimizer::{adam_step, sgd_step};
use super::simd::with_best_instructions;
use super::threads::{self, Task};
use super::{AdamCorrections, adam_advance};
use crate::model::{AdamSettings, LayerParameters, Optimizer, SgdSettings};

/// Parameters that are worth waking another thread for.
const LEAST_WORK: usize = 1 << 16;

/// What the optimizer remembers, in the shapes of the parameters. SGD needs the first moment (its velocity) only.
#[derive(Clone, Debug)]
pub(super) struct Moments<F> {
    first: Vec<LayerParameters<F>>,
    second: Vec<LayerParameters<F>>,
    corrections: AdamCorrections<F>,
}

impl<F: NdFloat> Moments<F> {
    pub(super) fn new(zeros: impl Fn() -> Vec<LayerParameters<F>>) -> Self {
        Self {
            first: zeros(),
            second: zeros(),
            corrections: AdamCorrections {
                first: F::zero(),
                second: F::zero(),
            },
        }
    }

    /// One step of all layers.
    pub(super) fn update(
        &mut self,
        optimizer: &Optimizer,
        gradients: &[LayerParameters<F>],
        layers: &mut [LayerParameters<F>],
    ) {
        let rule = self.rule(optimizer);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((layer, gradient), (first, second)) in layers.iter_mut().zip(gradients).zip(moments) {
            let w = [&mut first.w, &mut second.w, &mut layer.w];
            update(rule, &gradient.w, w);
            let b = [&mut first.b, &mut second.b, &mut layer.b];
            update(rule, &gradient.b, b);
        }
    }

    fn rule(&mut self, optimizer: &Optimizer) -> Rule<F> {
        let (settings, decoupled) = match *optimizer {
            Optimizer::Sgd(settings) if settings.momentum == 0.0 => return Rule::Plain(settings),
            Optimizer::Sgd(settings) => return Rule::Sgd(settings),
            Optimizer::Adam(settings) => (settings, false),
            Optimizer::AdamW(settings) => (settings, true),
        };
        self.corrections = adam_advance(&settings, self.corrections);
        Rule::Adam(settings, decoupled, self.corrections)
    }
}

#[derive(Clone, Copy)]
enum Rule<F> {
    /// SGD that forgets its velocity at once.
    Plain(SgdSettings),
    Sgd(SgdSettings),
    Adam(AdamSettings, bool, AdamCorrections<F>),
}

/// One step of one tensor.
fn update<F: NdFloat, D: Dimension>(
    rule: Rule<F>,
    gradients: &Array<F, D>,
    [first, second, parameters]: [&mut Array<F, D>; 3],
) {
    if !parameters.is_standard_layout() {
        // Someone has put a matrix of another layout in the place of a weight.
        *parameters = parameters.as_standard_layout().into_owned();
    }
    let part = Part {
        rule,
        gradients: gradients.as_slice().unwrap_or_default(),
        first: first.as_slice_mut().unwrap_or_default(),
        second: second.as_slice_mut().unwrap_or_default(),
        parameters: parameters.as_slice_mut().unwrap_or_default(),
    };
    assert_eq!(
        part.gradients.len(),
        part.parameters.len(),
        "one gradient per parameter"
    );
    let levels = threads::levels(part.gradients.len(), LEAST_WORK);
    threads::run(part, levels);
}

/// Some elements of a tensor.
struct Part<'a, F> {
    rule: Rule<F>,
    gradients: &'a [F],
    first: &'a mut [F],
    second: &'a mut [F],
    parameters: &'a mut [F],
}

impl<F: NdFloat> Task for Part<'_, F> {
    fn halves(self) -> (Self, Self) {
        let half = self.gradients.len() / 2;
        let gradients = self.gradients.split_at(half);
        let first = self.first.split_at_mut(half);
        let second = self.second.split_at_mut(half);
        let parameters = self.parameters.split_at_mut(half);
        let part = |gradients, first, second, parameters| Part {
            rule: self.rule,
            gradients,
            first,
            second,
            parameters,
        };
        (
            part(gradients.0, first.0, second.0, parameters.0),
            part(gradients.1, first.1, second.1, parameters.1),
        )
    }

    fn run(self) {
        with_best_instructions(
            #[inline(always)]
            || {
                let pairs = self.gradients.iter().zip(self.parameters);
                match self.rule {
                    Rule::Plain(settings) => {
                        let step = sgd_step(&settings);
                        pairs.for_each(|(g, p)| step(*g, &mut F::zero(), p));
                    }
                    Rule::Sgd(settings) => {
                        let step = sgd_step(&settings);
                        pairs
                            .zip(self.first)
                            .for_each(|((g, p), velocity)| step(*g, velocity, p));
                    }
                    Rule::Adam(settings, decoupled, corrections) => {
                        let step = adam_step(&settings, decoupled, corrections);
                        pairs
                            .zip(self.first)
                            .zip(self.second)
                            .for_each(|(((g, p), m), v)| step(*g, m, v, p));
                    }
                }
            },
        );
    }
}
