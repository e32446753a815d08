//! Cases of gradients that are clipped to a norm.

use super::bounds::{FLUSHED, U, gamma};
use super::case::{Case, Expected, Kernels, Trouble, Work};
use super::operands::{Operands, Place, Uploaded};
use super::outcome::CheckName;
use crate::nn::{CLIPPING_WORDS, Clip, GradientNorm};
use crate::reference;

/// Gradients in vectors, and what their norm is clipped to.
struct Clipped {
    variant: &'static str,
    vectors: Vec<Vec<f32>>,
    max_norm: f32,
}

pub(super) fn cases() -> Vec<Case> {
    let case = |clipped: Clipped| {
        let lens: Vec<_> = clipped.vectors.iter().map(Vec::len).collect();
        let name = CheckName {
            operation: "clip",
            shape: match *lens {
                [first, second] => format!("{first} and {second}"),
                _ => format!("{} times 1", lens.len()),
            },
            variant: clipped.variant.to_owned(),
        };
        Case::new(name, move |kernels| clip(&clipped, kernels))
    };
    let of = |variant, vectors, max_norm| Clipped {
        variant,
        vectors,
        max_norm,
    };
    // Zeros of both signs, and a denormal, whose bits are kept with the others.
    let mut within = vectors(0, 0);
    within[1].extend([0.0, -0.0, f32::from_bits(1)]);
    let beside = |value: f32| {
        let small = vectors(-70, 0).swap_remove(0);
        vec![[small, vec![0.0, -0.0]].concat(), vec![value]]
    };
    let all = [
        of("above", vectors(0, 0), 1.0),
        of("below", within, 1e6),
        // Around the edges of the ranges in which squares are summed.
        of("small", vectors(-100, -100), 1e-8),
        of("small and middle", vectors(-41, -40), 1e-12),
        of("large and middle", vectors(39, 40), 1.0),
        of("large, below", vectors(39, 40), 1e30),
        of(
            "large, at the limit",
            beside(2.0_f32.powi(60)),
            2.0_f32.powi(60),
        ),
        of(
            "by a power of two",
            vec![vec![2.0_f32.powi(84)], vec![0.0; 3]],
            1.0,
        ),
        // More than a thread each of the workgroup that adds them up.
        of("above", vec![vec![0.5]; 300], 1.0),
        of("NaN", beside(f32::NAN), 1.0),
        of("infinite", beside(f32::NEG_INFINITY), 1.0),
    ];
    all.into_iter().map(case).collect()
}

/// Magnitudes from 2^first to 2^(first + 1) and from 2^second to 2^(second + 1), of both signs.
fn vectors(first: i32, second: i32) -> Vec<Vec<f32>> {
    let mut random = fastrand::Rng::with_seed(61);
    let mut vector = |(len, exponent)| -> Vec<f32> {
        let mut number = |_| {
            let size = (1.0 + random.f32()) * 2.0_f32.powi(exponent);
            if random.bool() { size } else { -size }
        };
        (0..len).map(&mut number).collect()
    };
    [(5000, first), (77, second)].map(&mut vector).into()
}

/// Products, the additions of a thread, and two trees of 8; then a root, whose error WGSL takes
/// from its inverse (2 units) and a division (2.5), a sum, a division and two products. What is
/// within the limit keeps its bits, and so do zeros beside what is not finite.
fn clip(clipped: &Clipped, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let Clipped {
        vectors, max_norm, ..
    } = clipped;
    let mut operands = Operands::default();
    let places: Vec<_> = vectors
        .iter()
        .map(|values| operands.updated(values))
        .collect();
    let clipping = operands.between(CLIPPING_WORDS as usize);
    let wide = |values: &Vec<f32>| -> Vec<f64> { values.iter().copied().map(f64::from).collect() };
    let mut twins: Vec<_> = vectors.iter().map(wide).collect();
    let norm = reference::gradient_norm(twins.iter().flatten());
    reference::clip(*max_norm, norm, twins.iter_mut().flatten());
    let relative = gamma(1 + 8 + 40) + 12.0 * U;
    let mut expected = vec![norm_within(clipping, norm, relative * norm)];
    for ((place, values), twin) in places.iter().zip(vectors).zip(twins) {
        let is_kept = norm + 1e-6 <= f64::from(*max_norm);
        expected.push(if is_kept || !norm.is_finite() {
            let word = |(value, twin): (&f32, f64)| match twin.is_nan() {
                true => f32::NAN.to_bits(),
                false => value.to_bits(),
            };
            Expected::words("gradients", *place, values.iter().zip(twin).map(word))
        } else {
            let bounds: Vec<_> = twin.iter().map(|g| relative * g.abs() + FLUSHED).collect();
            Expected::within("gradients", *place, twin, bounds)
        });
    }
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let clipping = on.vector(clipping);
        let gradients: Vec<_> = places.iter().map(|place| on.vector(*place)).collect();
        let operands = GradientNorm {
            gradients: &gradients,
            max_norm: *max_norm,
            clipping,
        };
        let mut dispatches = vec![kernels.network.gradient_norm(operands)?];
        for gradients in gradients {
            dispatches.push(kernels.network.clip(Clip {
                clipping,
                gradients,
            })?);
        }
        Ok(dispatches)
    })
}

/// The norm of a `Clipping`, by its bits where it is none.
fn norm_within(clipping: Place, norm: f64, bound: f64) -> Expected {
    if norm.is_finite() {
        let number = |words: &[u32]| vec![f64::from(f32::from_bits(words[0]))];
        return Expected::within("clipping", clipping, [norm], [bound]).decoded(number);
    }
    let bits = |words: &[u32]| vec![f64::from(words[0])];
    Expected::exactly("clipping", clipping, [f64::from(f32::NAN.to_bits())]).decoded(bits)
}
