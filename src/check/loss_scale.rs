//! Cases of loss scaling: gradients that are scaled and not, and how the scale moves. Optimizers that
//! leave an update out are among those of the optimizers.

use super::case::{Case, Expected, Kernels, Trouble, Work};
use super::operands::{Operands, Place, Uploaded};
use super::outcome::CheckName;
use crate::kernel::Dispatch;
use crate::model::LossScaling;
use crate::nn::{CopyScaled, NextScale, ScaleGradients, UnscaleGradients};

/// A workgroup, and a part of one.
const ELEMENTS: usize = 300;

pub(super) fn cases() -> Vec<Case> {
    let name = |variant: &str| CheckName {
        operation: "loss_scale",
        shape: ELEMENTS.to_string(),
        variant: variant.to_owned(),
    };
    vec![
        Case::new(name("gradients"), gradients),
        Case::new(name("updates"), updates),
    ]
}

/// Whole numbers, so that eight times as much and an eighth are exact.
fn numbers() -> Vec<f32> {
    (0..ELEMENTS).map(|i| i as f32 - 150.0).collect()
}

fn times(factor: f64) -> impl Iterator<Item = f64> {
    let numbers = numbers().into_iter();
    numbers.map(move |x| f64::from(x) * factor)
}

/// Scaled in place, copied, and divided again. What is not finite in the last element, or in the
/// first, is found.
fn gradients(kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let mut operands = Operands::default();
    let state = operands.updated(&[8.0, 2.0]);
    let source = operands.input(&numbers());
    let (copied, scaled) = (operands.output(ELEMENTS), operands.updated(&numbers()));
    let mut unscaled = Vec::new();
    let mut expected = vec![
        Expected::exactly("loss scale", state, [8.0, 2.0]),
        Expected::exactly("x", copied, times(8.0)),
        Expected::exactly("x", scaled, times(8.0)),
    ];
    let others = [
        (None, 0),
        (Some((ELEMENTS - 1, f32::INFINITY)), 1),
        (Some((0, f32::NAN)), 1),
    ];
    for (other, found) in others {
        let (mut before, mut after): (_, Vec<_>) = (numbers(), times(0.125).collect());
        if let Some((i, other)) = other {
            (before[i], after[i]) = (other, other.into());
        }
        let verdict = operands.between_words([0, 7]);
        let x = operands.updated(&before);
        expected.push(Expected::words("verdict", verdict, [found, 7]));
        expected.push(Expected::exactly("x", x, after).finite_or_not());
        unscaled.push((verdict, x));
    }
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let (network, loss_scale) = (kernels.network, on.vector(state));
        let mut dispatches = vec![
            network.copy_scaled(CopyScaled {
                loss_scale,
                source: on.vector(source),
                x: on.vector(copied),
            })?,
            network.scale_gradients(ScaleGradients {
                loss_scale,
                x: on.vector(scaled),
            })?,
        ];
        for (verdict, x) in unscaled {
            dispatches.push(network.unscale_gradients(UnscaleGradients {
                loss_scale,
                verdict: on.vector(verdict),
                x: on.vector(x),
            })?);
        }
        Ok(dispatches)
    })
}

/// Scales with what was found, and what comes of both.
fn updates(kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let scaling = LossScaling {
        interval: 3,
        ..LossScaling::default()
    };
    let (most, least) = (LossScaling::LARGEST, LossScaling::SMALLEST);
    let mut operands = Operands::default();
    let (mut expected, mut places) = (Vec::new(), Vec::new());
    for (before, found, after) in [
        ([8.0, 0.0], 0, [8.0, 1.0]),
        ([8.0, 1.0], 0, [8.0, 2.0]),
        ([8.0, 2.0], 0, [16.0, 0.0]),
        ([8.0, 2.0], 1, [4.0, 0.0]),
        ([most, 2.0], 0, [most, 0.0]),
        ([least, 1.0], 1, [least, 0.0]),
    ] {
        let state = operands.updated(&before);
        let verdict = operands.between_words([found, 1 - found]);
        expected.push(Expected::exactly("loss scale", state, after.map(f64::from)));
        expected.push(Expected::words("verdict", verdict, [0, found]));
        places.push((state, verdict));
    }
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let next = |(state, verdict): (Place, Place)| {
            let dispatch = kernels.network.next_scale(NextScale {
                scaling,
                loss_scale: on.vector(state),
                verdict: on.vector(verdict),
            });
            Ok::<Dispatch, Trouble>(dispatch?)
        };
        places.into_iter().map(next).collect()
    })
}
