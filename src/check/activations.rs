//! Cases of the activations, and how far each may be from its twin.

use ndarray::{Array1, Array2, Axis};

use super::bounds;
use super::case::{Case, Expected, Kernels, Trouble, Work};
use super::operands::{Operands, Place, Uploaded};
use super::outcome::CheckName;
use crate::linear::Activation;
use crate::nn::{ActivationForward, ActivationGrad};
use crate::reference;

pub(super) fn cases() -> Vec<Case> {
    let of = |function: Activation| {
        let name = |operation| CheckName {
            operation,
            shape: arguments().len().to_string(),
            variant: function.name().to_owned(),
        };
        let forward = Case::new(name("activation"), move |kernels| {
            let t = arguments();
            let mut operands = Operands::default();
            let (input, a) = (operands.input(&t), operands.output(t.len()));
            let values = activation(function, &row(&t));
            let expected = vec![within("a", a, values).finite_or_not()];
            Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
                let operands = ActivationForward {
                    function,
                    t: on.vector(input),
                    a: on.vector(a),
                };
                Ok(vec![kernels.network.activation(operands)?])
            })
        });
        let backward = Case::new(name("activation_grad"), move |kernels| {
            grad(function, kernels)
        });
        [forward, backward]
    };
    Activation::ALL.into_iter().flat_map(of).collect()
}

fn grad(function: Activation, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let t = arguments();
    let da: Vec<f32> = (0..t.len()).map(|i| 1.0 + (i % 5) as f32).collect();
    let mut operands = Operands::default();
    let [t_place, da_place] = [&t, &da].map(|values| operands.input(values));
    let dt = operands.output(t.len());
    let slopes = activation_grad(function, &row(&t), &row(&da));
    let expected = vec![within("dt", dt, slopes).finite_or_not()];
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let operands = ActivationGrad {
            function,
            t: on.vector(t_place),
            da: on.vector(da_place),
            dt: on.vector(dt),
        };
        Ok(vec![kernels.network.activation_grad(operands)?])
    })
}

/// From tiny to large, both signs, both zeros, dense around 0; and no number.
fn arguments() -> Vec<f32> {
    let mut values: Vec<f32> = (-1000..=1000).map(|i| i as f32 / 100.0).collect();
    for exponent in -100..=12 {
        values.extend([2.0_f32.powi(exponent), -(2.0_f32.powi(exponent))]);
    }
    values.extend([-0.0, 88.0, -88.0, 104.0, -104.0, f32::NAN]);
    values
}

fn row(values: &[f32]) -> Array2<f64> {
    let row: Array1<f64> = values.iter().copied().map(f64::from).collect();
    row.insert_axis(Axis(0))
}

/// f(t), and how far it may be off: WGSL grants exp an error of 3 + 2|x| units in the last place,
/// which x·e⁻ˣ turns into a few 1e-7 at most; the polynomial of erf adds 1.5e-7. So 1e-6 of the
/// scale of the result is asked for.
pub(super) fn activation(function: Activation, t: &Array2<f64>) -> (Array2<f64>, Array2<f64>) {
    let a = reference::activation(function, t.view());
    let bound = a.mapv(|a| 1e-6 * a.abs().max(1.0)) + phase(function, t);
    (a, bound)
}

/// da · f′(t), and how far it may be off.
pub(super) fn activation_grad(
    function: Activation,
    t: &Array2<f64>,
    da: &Array2<f64>,
) -> (Array2<f64>, Array2<f64>) {
    let dt = reference::activation_grad(function, t.view(), da.view());
    let magnitude = da.mapv(f64::abs);
    let bound = phase(function, t) * &magnitude + magnitude.mapv(|da| 1e-6 * da.max(5.0));
    (dt, bound)
}

/// What the rounding of its argument may do to a sine.
fn phase(function: Activation, t: &Array2<f64>) -> Array2<f64> {
    let Activation::Sine { frequency } = function else {
        return Array2::zeros(t.raw_dim());
    };
    let frequency = f64::from(frequency);
    t.mapv(|t| bounds::U * (frequency * t).abs() * frequency.abs().max(1.0))
}

/// A result with its bounds, element by element.
pub(super) fn within(
    result: &'static str,
    place: Place,
    (values, bounds): (Array2<f64>, Array2<f64>),
) -> Expected {
    Expected::within(result, place, values, bounds)
}
