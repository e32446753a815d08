//! Forward and backward through the layers of [`super::Mlp`], in buffers that are kept from batch
//! to batch.

use ndarray::{ArrayView2, CowArray, Dimension, NdFloat};

use super::activation::{activation_grad_in_place, add_bias_and_activate, forgets_argument};
use super::dropout::Dropouts;
use super::float::cast;
use super::loss::{Objective, Sums};
use super::memory;
use super::product::{Lines, Scratch, product};
use super::rounding::round;
use super::simd::with_best_instructions;
use crate::linear::value;
use crate::model::{Activation, LayerParameters, ModelError, Targets};

/// Everything that a pass computes, beside the gradients of the parameters. Grows with the largest
/// batch, and allocates nothing otherwise.
#[derive(Clone, Debug)]
pub(super) struct Workspace<F> {
    /// The batch, in the float type of the network.
    x: Vec<F>,
    results: Vec<LayerResult<F>>,
    /// The gradient of the mean loss by the results of the layer at hand, and by those of the layer
    /// below.
    dt: Vec<F>,
    below: Vec<F>,
    scratch: Vec<Scratch<F>>,
    /// Rows of the largest batch that there was memory for.
    rows: usize,
}

/// What a layer gives, batch × outputs.
#[derive(Clone, Debug)]
struct LayerResult<F> {
    /// t; in its place f(t) where [`forgets_argument`].
    t: Vec<F>,
    /// f(t); empty where it is in the place of t.
    a: Vec<F>,
}

impl<F> LayerResult<F> {
    /// What the next layer takes.
    fn output(&self) -> &[F] {
        if self.a.is_empty() { &self.t } else { &self.a }
    }

    /// The same, to drop elements of it. In the place of t that changes no derivative: those of
    /// functions that forget it are asked for the sign alone, and what is dropped has none.
    fn output_mut(&mut self) -> &mut [F] {
        if self.a.is_empty() {
            &mut self.t
        } else {
            &mut self.a
        }
    }
}

impl<F: NdFloat> Workspace<F> {
    pub(super) fn new() -> Self {
        Self {
            x: Vec::new(),
            results: Vec::new(),
            dt: Vec::new(),
            below: Vec::new(),
            scratch: Vec::new(),
            rows: 0,
        }
    }

    /// Refuses a batch of `rows` rows where there is no memory for what a pass computes.
    pub(super) fn ask_for(&mut self, sizes: &[usize], rows: usize) -> Result<(), ModelError> {
        if rows <= self.rows {
            return Ok(());
        }
        // x, t and f(t) of each layer, and two gradients as wide as the widest.
        let widest = sizes.iter().max().copied().unwrap_or(0);
        let widths = sizes
            .iter()
            .fold(widest, |sum, size| sum.saturating_add(*size));
        memory::ask(memory::bytes::<[F; 2]>(rows, widths))?;
        self.rows = rows;
        Ok(())
    }

    /// A = f(X·W + b) layer after layer, with a function for each, of which elements are dropped.
    /// Returns the last, batch × outputs.
    pub(super) fn forward(
        &mut self,
        (functions, dropouts): (&[Activation], Dropouts<'_>),
        layers: &[LayerParameters<F>],
        x: ArrayView2<'_, f32>,
    ) -> &[F] {
        fill(&mut self.x, x);
        self.results.resize_with(layers.len(), || LayerResult {
            t: Vec::new(),
            a: Vec::new(),
        });
        for (i, (layer, function)) in layers.iter().zip(functions).enumerate() {
            let (below, rest) = self.results.split_at_mut(i);
            let input = below.last().map_or(self.x.as_slice(), LayerResult::output);
            rest[0].compute(&mut self.scratch, *function, input, layer, x.nrows());
            rest[0].store(i, dropouts);
        }
        self.results.last().map_or(&[], LayerResult::output)
    }

    /// Gradients of the mean loss, times `scale`, of the batch that [`Self::forward`] has seen.
    /// Returns the sums of losses and weights.
    pub(super) fn backward(
        &mut self,
        (functions, dropouts, objective): (&[Activation], Dropouts<'_>, Objective<'_>),
        scale: F,
        layers: &[LayerParameters<F>],
        targets: Targets<'_>,
        gradients: &mut [LayerParameters<F>],
    ) -> Sums<F> {
        let (Some(last), [.., layer], [.., function]) = (self.results.last(), layers, functions)
        else {
            let (loss, weight) = (F::zero(), F::zero());
            return Sums { loss, weight };
        };
        self.dt.clear();
        self.dt.extend_from_slice(last.output());
        let sums = objective.measure(&mut self.dt, layer.b.len(), targets);
        activation_grad_in_place(*function, &mut self.dt, &last.t);
        if scale != F::one() {
            self.dt.iter_mut().for_each(|dt| *dt *= scale);
        }
        for i in (0..layers.len()).rev() {
            let (inputs, outputs) = layers[i].w.dim();
            let (dt, scratch) = (&self.dt, &mut self.scratch);
            let input = match i {
                0 => &self.x,
                _ => self.results[i - 1].output(),
            };
            let dw = gradients[i].w.as_slice_mut().unwrap_or_default();
            // dW = Xᵀ·dT
            let (x_columns, dt_columns) =
                (Lines::columns(input, inputs), Lines::columns(dt, outputs));
            product(scratch, x_columns, dt_columns, dw, |_, _| ());
            sum_rows(dt, gradients[i].b.as_slice_mut().unwrap_or_default());
            if i > 0 {
                // dX = dT·Wᵀ, and on the way on to the dT of the layer below.
                let t = &self.results[i - 1].t;
                let w = layers[i].w.as_standard_layout();
                let (dt_rows, w_rows) = (Lines::rows(dt, outputs), Lines::rows(slice(&w), outputs));
                self.below.resize(t.len(), F::zero());
                product(scratch, dt_rows, w_rows, &mut self.below, |row, da| {
                    activation_grad_in_place(functions[i - 1], da, &t[row * inputs..][..inputs]);
                });
                dropouts.store(i - 1, &mut self.below);
                std::mem::swap(&mut self.dt, &mut self.below);
            }
        }
        sums
    }
}

impl<F: NdFloat> LayerResult<F> {
    /// As it is stored, with elements of the output dropped.
    fn store(&mut self, layer: usize, dropouts: Dropouts<'_>) {
        if !self.a.is_empty() {
            round(dropouts.network.element_of(layer), &mut self.t);
        }
        dropouts.store(layer, self.output_mut());
    }

    /// t = X·W + b and a = f(t).
    fn compute(
        &mut self,
        scratch: &mut Vec<Scratch<F>>,
        function: Activation,
        x: &[F],
        layer: &LayerParameters<F>,
        batch: usize,
    ) {
        let (inputs, outputs) = layer.w.dim();
        let (w, b) = (layer.w.as_standard_layout(), layer.b.as_standard_layout());
        let (x_rows, w_columns) = (Lines::rows(x, inputs), Lines::columns(slice(&w), outputs));
        self.t.resize(batch * outputs, F::zero());
        product(scratch, x_rows, w_columns, &mut self.t, |_, row| {
            add_bias_and_activate(function, row, slice(&b));
        });
        self.a.clear();
        if !forgets_argument(function) {
            self.a.extend(self.t.iter().map(|t| value(function, *t)));
        }
    }
}

/// db = Σ_i dT_i·
fn sum_rows<F: NdFloat>(dt: &[F], db: &mut [F]) {
    db.fill(F::zero());
    with_best_instructions(
        #[inline(always)]
        || {
            for row in dt.chunks_exact(db.len()) {
                for (sum, dt) in db.iter_mut().zip(row) {
                    *sum += *dt;
                }
            }
        },
    );
}

/// A copy of the batch, row by row.
fn fill<F: NdFloat>(values: &mut Vec<F>, x: ArrayView2<'_, f32>) {
    values.clear();
    match x.as_slice() {
        Some(x) => values.extend(x.iter().map(|x| cast::<F>(*x))),
        None => values.extend(x.iter().map(|x| cast::<F>(*x))),
    }
}

/// Elements in standard layout, which are one slice.
fn slice<'a, F, D: Dimension>(array: &'a CowArray<'_, F, D>) -> &'a [F] {
    array.as_slice().unwrap_or_default()
}
