//! The case of gradients that are accumulated over several batches.

use ndarray::{Array1, aview1};

use super::case::{Case, Expected, Kernels, Trouble, Work};
use super::operands::{Operands, Uploaded};
use super::outcome::CheckName;
use crate::nn::GradientSum;
use crate::reference;

/// A workgroup, and a part of one.
const ELEMENTS: usize = 300;
const BATCHES: usize = 4;

pub(super) fn cases() -> Vec<Case> {
    let name = CheckName {
        operation: "accumulate_gradients",
        shape: ELEMENTS.to_string(),
        variant: format!("{BATCHES} batches"),
    };
    vec![Case::new(name, accumulate)]
}

/// Small whole numbers, whose sums f32 holds exactly, and so their quarters. What is only read is
/// compared as well: the kernels could write there.
fn accumulate(kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let mut random = fastrand::Rng::with_seed(83);
    let mut number = |_| random.i32(-999..=999) as f32;
    let batches = [0; BATCHES].map(|_| -> Vec<f32> { (0..ELEMENTS).map(&mut number).collect() });
    let mut operands = Operands::default();
    let places = batches.each_ref().map(|values| operands.updated(values));
    let sum_place = operands.output(ELEMENTS);
    let [first, second, third, mut last] = batches.map(|values| aview1(&values).mapv(f64::from));
    let mut sum = Array1::zeros(ELEMENTS);
    reference::keep_gradients(first.view(), sum.view_mut());
    reference::add_gradients(second.view(), sum.view_mut());
    reference::add_gradients(third.view(), sum.view_mut());
    reference::mean_gradients(BATCHES as u32, sum.view(), last.view_mut());
    let mut expected = vec![Expected::exactly("sum", sum_place, sum)];
    for (place, gradients) in places.into_iter().zip([first, second, third, last]) {
        expected.push(Expected::exactly("gradients", place, gradients));
    }
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let [first, second, third, last] = places.map(|place| GradientSum {
            gradients: on.vector(place),
            sum: on.vector(sum_place),
        });
        let network = kernels.network;
        Ok(vec![
            network.keep_gradients(first)?,
            network.add_gradients(second)?,
            network.add_gradients(third)?,
            network.mean_gradients(last, BATCHES as u32)?,
        ])
    })
}
