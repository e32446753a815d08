//! What a case of the four operations works on, and what must come of it.

use ndarray::{Array1, Array2, Axis};

use super::activations::{activation, activation_grad, within};
use super::bounds;
use super::case::{Kernels, Trouble, Work};
use super::operands::{Operands, Place, Uploaded};
use crate::kernel::{Dispatch, ElementType};
use crate::linear::{
    Activation, BiasGrad, Forward, ForwardActivated, ForwardInference, InputGrad,
    InputGradActivated, Operation, Precision, Shape, WeightGrad,
};
use crate::reference;

/// What is done beside the product.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Forward { has_bias: bool },
    Activated(Activation),
    Inference(Activation),
    InputGrad,
    BelowActivation(Activation),
    WeightGrad { has_db: bool },
    BiasGrad,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Numbers {
    /// From −9 to 9.
    Whole,
    /// Uniform in ±1.
    Real,
    /// So few quarters, in ±2, that a product of few terms is exact and small.
    Quarters,
}

pub(super) fn shape(sizes: [usize; 3]) -> Shape {
    let [batch, inputs, outputs] = sizes.map(|size| size as u32);
    Shape {
        batch,
        inputs,
        outputs,
    }
}

impl Form {
    pub(super) fn operation(self) -> Operation {
        match self {
            Self::Forward { .. } | Self::Activated(_) | Self::Inference(_) => Operation::Forward,
            Self::InputGrad | Self::BelowActivation(_) => Operation::InputGrad,
            Self::WeightGrad { .. } => Operation::WeightGrad,
            Self::BiasGrad => Operation::BiasGrad,
        }
    }

    /// Under which its plan is looked up: db does not depend on the inputs.
    pub(super) fn shape(self, [batch, inputs, outputs]: [usize; 3]) -> Shape {
        match self {
            Self::BiasGrad => shape([batch, 0, outputs]),
            _ => shape([batch, inputs, outputs]),
        }
    }

    pub(super) fn words(self) -> (&'static str, Option<String>) {
        let of = |function: Activation| Some(function.name().to_owned());
        match self {
            Self::Forward { has_bias: true } => ("forward", None),
            Self::Forward { has_bias: false } => ("forward", Some("without bias".to_owned())),
            Self::Activated(function) => ("forward_activated", of(function)),
            Self::Inference(function) => ("forward_inference", of(function)),
            Self::InputGrad => ("input_grad", None),
            Self::BelowActivation(function) => ("input_grad_activated", of(function)),
            Self::WeightGrad { has_db: true } => ("weight_grad", None),
            Self::WeightGrad { has_db: false } => ("weight_grad", Some("without db".to_owned())),
            Self::BiasGrad => ("bias_grad", None),
        }
    }
}

/// A layer with its inputs and the gradient that arrives.
pub(super) struct Layer {
    x: Array2<f32>,
    w: Array2<f32>,
    b: Array1<f32>,
    dt: Array2<f32>,
    is_exact: bool,
    precision: Precision,
}

/// A result, and what rounding may do to each of its elements.
type Bounded = (Array2<f64>, Array2<f64>);

impl Layer {
    pub(super) fn new(
        [batch, inputs, outputs]: [usize; 3],
        numbers: Numbers,
        precision: Precision,
    ) -> Self {
        let mut random = fastrand::Rng::with_seed((batch * 1_000_003 + inputs * 1_009) as u64);
        let mut number = || match numbers {
            Numbers::Whole => random.i32(-9..=9) as f32,
            Numbers::Real => 2.0 * random.f32() - 1.0,
            Numbers::Quarters => random.i32(-8..=8) as f32 / 4.0,
        };
        let mut matrix = |rows, columns, element| {
            let mut values = Array2::from_shape_simple_fn((rows, columns), &mut number);
            reference::round(element, values.as_slice_mut().unwrap_or_default());
            values
        };
        let (activations, weights) = (precision.activations(), precision.weights());
        Self {
            x: matrix(batch, inputs, activations),
            w: matrix(inputs, outputs, weights),
            b: matrix(1, outputs, ElementType::F32).row(0).to_owned(),
            dt: matrix(batch, outputs, activations),
            is_exact: numbers != Numbers::Real,
            precision,
        }
    }

    pub(super) fn prepare(&self, form: Form, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
        match form {
            Form::Forward { has_bias } => self.forward(has_bias, kernels),
            Form::Activated(function) => self.activated(function, kernels),
            Form::Inference(function) => self.inference(function, kernels),
            Form::InputGrad => self.input_grad(kernels),
            Form::BelowActivation(function) => self.below_activation(function, kernels),
            Form::WeightGrad { has_db } => self.weight_grad(has_db, kernels),
            Form::BiasGrad => self.bias_grad(kernels),
        }
    }

    /// An activation, or the gradient of one.
    fn placed(&self, operands: &mut Operands, values: &Array2<f32>) -> Place {
        operands.input_as(self.precision.activations(), values)
    }

    fn weights(&self, operands: &mut Operands) -> Place {
        operands.input_as(self.precision.weights(), &self.w)
    }

    /// A·B and what a sum of its terms may lose; nothing, where all of them are exact.
    fn product(
        &self,
        value: Array2<f64>,
        magnitude: impl Fn() -> Array2<f64>,
        terms: usize,
    ) -> Bounded {
        let bound = if self.is_exact {
            Array2::zeros(value.raw_dim())
        } else {
            magnitude().mapv(|magnitude| bounds::sum(terms, magnitude))
        };
        (value, bound)
    }

    fn t(&self, has_bias: bool) -> Bounded {
        let [x, w] = [&self.x, &self.w].map(|matrix| matrix.mapv(f64::from));
        let b = self.b.mapv(f64::from);
        let bias = has_bias.then_some(b.view());
        let t = reference::forward(x.view(), w.view(), bias);
        let magnitude = || x.mapv(f64::abs).dot(&w.mapv(f64::abs)) + b.mapv(f64::abs);
        self.product(t, magnitude, self.w.nrows() + 1)
    }

    fn dx(&self) -> Bounded {
        let [dt, w] = [&self.dt, &self.w].map(|matrix| matrix.mapv(f64::from));
        let dx = reference::input_grad(dt.view(), w.view());
        let magnitude = || dt.mapv(f64::abs).dot(&w.mapv(f64::abs).t());
        self.product(dx, magnitude, self.w.ncols())
    }

    fn dw(&self) -> Bounded {
        let [x, dt] = [&self.x, &self.dt].map(|matrix| matrix.mapv(f64::from));
        let dw = reference::weight_grad(x.view(), dt.view());
        let magnitude = || x.mapv(f64::abs).t().dot(&dt.mapv(f64::abs));
        self.product(dw, magnitude, self.x.nrows())
    }

    /// One row.
    fn db(&self) -> Bounded {
        let dt = self.dt.mapv(f64::from);
        let db = reference::bias_grad(dt.view()).insert_axis(Axis(0));
        let magnitude = || dt.mapv(f64::abs).sum_axis(Axis(0)).insert_axis(Axis(0));
        self.product(db, magnitude, self.dt.nrows())
    }

    fn forward(&self, has_bias: bool, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
        let (inputs, outputs) = self.w.dim();
        let mut operands = Operands::default();
        let [x, w] = [
            self.placed(&mut operands, &self.x),
            self.weights(&mut operands),
        ];
        let b = operands.input(&self.b);
        let t = operands.output_as(self.precision.activations(), self.dt.len());
        let expected = vec![within("t", t, self.t(has_bias))];
        Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
            one(kernels.linear.forward(Forward {
                x: on.matrix(x, inputs),
                w: on.matrix(w, outputs),
                b: has_bias.then_some(on.vector(b)),
                t: on.matrix(t, outputs),
            })?)
        })
    }

    fn activated(&self, function: Activation, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
        let (inputs, outputs) = self.w.dim();
        let mut operands = Operands::default();
        let [x, w] = [
            self.placed(&mut operands, &self.x),
            self.weights(&mut operands),
        ];
        let b = operands.input(&self.b);
        let element = self.precision.activations();
        let [t, a] = [0; 2].map(|_| operands.output_as(element, self.dt.len()));
        let (values, bound) = self.t(true);
        let expected = vec![
            within("a", a, activation(function, &values)),
            within("t", t, (values, bound)),
        ];
        Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
            one(kernels.linear.forward_activated(ForwardActivated {
                x: on.matrix(x, inputs),
                w: on.matrix(w, outputs),
                b: Some(on.vector(b)),
                function,
                t: on.matrix(t, outputs),
                a: on.matrix(a, outputs),
            })?)
        })
    }

    fn inference(&self, function: Activation, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
        let (inputs, outputs) = self.w.dim();
        let mut operands = Operands::default();
        let [x, w] = [
            self.placed(&mut operands, &self.x),
            self.weights(&mut operands),
        ];
        let b = operands.input(&self.b);
        let a = operands.output_as(self.precision.activations(), self.dt.len());
        let expected = vec![within("a", a, activation(function, &self.t(true).0))];
        Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
            one(kernels.linear.forward_inference(ForwardInference {
                x: on.matrix(x, inputs),
                w: on.matrix(w, outputs),
                b: Some(on.vector(b)),
                function,
                a: on.matrix(a, outputs),
            })?)
        })
    }

    fn input_grad(&self, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
        let (inputs, outputs) = self.w.dim();
        let mut operands = Operands::default();
        let dt = self.placed(&mut operands, &self.dt);
        let w = self.weights(&mut operands);
        let dx = operands.output_as(self.precision.activations(), self.x.len());
        let expected = vec![within("dx", dx, self.dx())];
        Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
            one(kernels.linear.input_grad(InputGrad {
                dt: on.matrix(dt, outputs),
                w: on.matrix(w, outputs),
                dx: on.matrix(dx, inputs),
            })?)
        })
    }

    fn below_activation(
        &self,
        function: Activation,
        kernels: &Kernels<'_>,
    ) -> Result<Work, Trouble> {
        let (inputs, outputs) = self.w.dim();
        let mut operands = Operands::default();
        let [dt, t_below] = [&self.dt, &self.x].map(|matrix| self.placed(&mut operands, matrix));
        let w = self.weights(&mut operands);
        let dt_below = operands.output_as(self.precision.activations(), self.x.len());
        let t = self.x.mapv(f64::from);
        let slopes = activation_grad(function, &t, &self.dx().0);
        let expected = vec![within("dt_below", dt_below, slopes)];
        Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
            one(kernels.linear.input_grad_activated(InputGradActivated {
                dt: on.matrix(dt, outputs),
                w: on.matrix(w, outputs),
                function,
                t_below: on.matrix(t_below, inputs),
                dt_below: on.matrix(dt_below, inputs),
            })?)
        })
    }

    fn weight_grad(&self, has_db: bool, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
        let (inputs, outputs) = self.w.dim();
        let mut operands = Operands::default();
        let [x, dt] = [&self.x, &self.dt].map(|matrix| self.placed(&mut operands, matrix));
        let dw = operands.output_as(self.precision.weights(), self.w.len());
        let db = operands.output(outputs);
        let mut expected = vec![within("dw", dw, self.dw())];
        if has_db {
            expected.push(within("db", db, self.db()));
        }
        Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
            one(kernels.linear.weight_grad(WeightGrad {
                x: on.matrix(x, inputs),
                dt: on.matrix(dt, outputs),
                dw: on.matrix(dw, outputs),
                db: has_db.then_some(on.vector(db)),
            })?)
        })
    }

    fn bias_grad(&self, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
        let outputs = self.dt.ncols();
        let mut operands = Operands::default();
        let dt = self.placed(&mut operands, &self.dt);
        let db = operands.output(outputs);
        let expected = vec![within("db", db, self.db())];
        Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
            one(kernels.linear.bias_grad(BiasGrad {
                dt: on.matrix(dt, outputs),
                db: on.vector(db),
            })?)
        })
    }
}

fn one(dispatch: Dispatch) -> Result<Vec<Dispatch>, Trouble> {
    Ok(vec![dispatch])
}
