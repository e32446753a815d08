//! The optimizer of [`super::Mlp`]: its steps over plain slices, in several threads.

use ndarray::{Array, Dimension, NdFloat};

use super::float::{cast, to_f32};
use super::optimizer::{AdamCorrections, Rule, corrections_name, moment_names};
use super::simd::with_best_instructions;
use super::threads::{self, Task};
use crate::model::{LayerParameters, ModelError, Moment, Optimizer, StateShape, TrainingState};

/// Parameters that are worth waking another thread for.
const LEAST_WORK: usize = 1 << 16;

/// What the optimizer remembers, in the shapes of the parameters. SGD needs the first moment (its
/// velocity) only.
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

    /// What is remembered, in f32.
    pub(super) fn state(&self, optimizer: &Optimizer, batches: u64) -> TrainingState {
        let moments = moment_names(optimizer)
            .iter()
            .zip([&self.first, &self.second]);
        let moment = |(name, layers): (&&str, &Vec<LayerParameters<F>>)| Moment {
            name: (*name).to_owned(),
            layers: layers.iter().map(layer_to_f32).collect(),
        };
        let AdamCorrections { first, second } = self.corrections;
        let corrections = corrections_name(optimizer).into_iter();
        TrainingState {
            moments: moments.map(moment).collect(),
            scalars: corrections
                .map(|name| (name.to_owned(), vec![to_f32(first), to_f32(second)]))
                .collect(),
            batches,
        }
    }

    /// Remembers what is in `state`, or changes nothing. `others` are numbers that are not its own.
    pub(super) fn set_state(
        &mut self,
        optimizer: &Optimizer,
        others: Option<&'static str>,
        state: &TrainingState,
    ) -> Result<(), ModelError> {
        let corrections = corrections_name(optimizer);
        let scalars = corrections.into_iter().chain(others);
        let shape = StateShape {
            moments: moment_names(optimizer).to_vec(),
            scalars: scalars.map(|name| (name, 2)).collect(),
            layers: self
                .first
                .iter()
                .map(|layer| layer.w.dim().into())
                .collect(),
        };
        shape.check(state)?;
        let moments = [&mut self.first, &mut self.second];
        for (to, name) in moments.into_iter().zip(shape.moments) {
            let from = state.moment(name).unwrap_or_default();
            *to = from.iter().map(layer_from_f32).collect();
        }
        let corrections = corrections.and_then(|name| state.scalar(name));
        if let Some([first, second]) = corrections {
            let [first, second] = [*first, *second].map(cast);
            self.corrections = AdamCorrections { first, second };
        }
        Ok(())
    }

    /// One step of all layers.
    pub(super) fn update(
        &mut self,
        optimizer: &Optimizer,
        gradients: &[LayerParameters<F>],
        layers: &mut [LayerParameters<F>],
    ) {
        let rule = Rule::of(optimizer, &mut self.corrections);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((layer, gradient), (first, second)) in layers.iter_mut().zip(gradients).zip(moments) {
            let w = [&mut first.w, &mut second.w, &mut layer.w];
            update(rule, &gradient.w, w);
            let b = [&mut first.b, &mut second.b, &mut layer.b];
            update(rule, &gradient.b, b);
        }
    }
}

/// Row by row, however `layer` lies: steps run over plain slices.
pub(super) fn layer_from_f32<F: NdFloat>(layer: &LayerParameters) -> LayerParameters<F> {
    LayerParameters {
        w: layer.w.as_standard_layout().mapv(cast),
        b: layer.b.as_standard_layout().mapv(cast),
    }
}

pub(super) fn layer_to_f32<F: NdFloat>(layer: &LayerParameters<F>) -> LayerParameters {
    LayerParameters {
        w: layer.w.mapv(to_f32),
        b: layer.b.mapv(to_f32),
    }
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
    let elements = Elements {
        rule,
        gradients: gradients.as_slice().unwrap_or_default(),
        first: first.as_slice_mut().unwrap_or_default(),
        second: second.as_slice_mut().unwrap_or_default(),
        parameters: parameters.as_slice_mut().unwrap_or_default(),
    };
    assert_eq!(
        elements.gradients.len(),
        elements.parameters.len(),
        "one gradient per parameter"
    );
    let levels = threads::levels(elements.gradients.len(), LEAST_WORK);
    threads::run(elements, levels);
}

/// Some elements of a tensor.
struct Elements<'a, F> {
    rule: Rule<F>,
    gradients: &'a [F],
    first: &'a mut [F],
    second: &'a mut [F],
    parameters: &'a mut [F],
}

impl<F: NdFloat> Task for Elements<'_, F> {
    fn halves(self) -> (Self, Self) {
        let half = self.gradients.len() / 2;
        let gradients = self.gradients.split_at(half);
        let first = self.first.split_at_mut(half);
        let second = self.second.split_at_mut(half);
        let parameters = self.parameters.split_at_mut(half);
        let part = |gradients, first, second, parameters| Elements {
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
                let state = [self.first, self.second, self.parameters];
                self.rule.run(self.gradients, state);
            },
        );
    }
}
