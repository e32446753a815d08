//! Cases of what works on whole buffers: batches gathered from a data set, histograms, and
//! gradients clipped to a norm.

use ndarray::Array2;

use super::bounds::{FLUSHED, U, gamma};
use super::case::{Case, Expected, Kernels, Trouble, Work};
use super::operands::{Operands, Uploaded};
use super::outcome::CheckName;
use crate::events::Histogram;
use crate::nn::{
    CLIPPING_WORDS, Clip, Examples, Gather, GradientNorm, HISTOGRAM_WORDS, HistogramOf,
    histogram_from_words, histogram_numbers,
};
use crate::reference;

pub(super) fn cases() -> Vec<Case> {
    let name = |operation, shape: String, variant: &str| CheckName {
        operation,
        shape,
        variant: variant.to_owned(),
    };
    let mut cases = vec![
        Case::new(name("gather", "30×7".to_owned(), ""), |kernels| {
            gather(false, kernels)
        }),
        Case::new(name("gather", "30×7".to_owned(), "bytes"), |kernels| {
            gather(true, kernels)
        }),
    ];
    // By one workgroup, and by several, whose counts are merged.
    for len in [1000, 20_001] {
        let name = name("histogram", len.to_string(), "");
        cases.push(Case::new(name, move |kernels| histogram(len, kernels)));
    }
    for (max_norm, variant) in [(1.0, "above"), (1e6, "below")] {
        let name = name("clip", "5000 and 77".to_owned(), variant);
        cases.push(Case::new(name, move |kernels| clip(max_norm, kernels)));
    }
    cases
}

const EXAMPLES: usize = 30;
const INPUTS: usize = 7;

/// The same numbers as they are, or as bytes.
fn gather(of_bytes: bool, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let bytes = Array2::from_shape_fn((EXAMPLES, INPUTS), |(i, j)| (i * 41 + j * 7) as u8);
    let numbers = bytes.mapv(f32::from);
    let classes: Vec<u32> = (0..EXAMPLES as u32).map(|i| i * i).collect();
    let indices = [29, 0, 7, 7, 13];
    let mut operands = Operands::default();
    let data = if of_bytes {
        let padded = bytes.iter().copied().chain([0; 3]);
        let padded: Vec<u8> = padded.take(bytes.len().next_multiple_of(4)).collect();
        let words = padded.chunks_exact(4);
        operands.words(words.map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])))
    } else {
        operands.input(&numbers)
    };
    let index_place = operands.words(indices);
    let wanted = operands.words(classes.iter().copied());
    let x = operands.output(indices.len() * INPUTS);
    let targets = operands.output(indices.len());
    let rows = reference::gather(numbers.view(), &indices).mapv(f64::from);
    let picked = indices.map(|index| f64::from(classes[index as usize]));
    let expected = vec![
        Expected::exactly("x", x, rows),
        Expected::exactly("targets", targets, picked)
            .decoded(|words| words.iter().copied().map(f64::from).collect()),
    ];
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let data = if of_bytes {
            Examples::Bytes {
                words: on.vector(data),
                examples: EXAMPLES as u32,
                inputs: INPUTS as u32,
                scale: 1.0,
            }
        } else {
            Examples::Values(on.matrix(data, INPUTS))
        };
        let operands = Gather {
            indices: on.vector(index_place),
            data,
            wanted: on.matrix(wanted, 1),
            x: on.matrix(x, INPUTS),
            targets: on.matrix(targets, 1),
        };
        Ok(vec![kernels.network.gather(operands)?])
    })
}

/// What is not finite, the edges of buckets, and numbers of both signs with magnitudes from 1e-15
/// to 1e15.
fn spread(len: usize) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(len as u64);
    let number = || {
        let size = 10_f64.powf(30.0 * random.f64() - 15.0) as f32;
        if random.bool() { size } else { -size }
    };
    let odd = [f32::NAN, f32::NEG_INFINITY, 0.0, -0.0];
    let first = odd
        .into_iter()
        .chain(Histogram::edges_f32().iter().copied());
    first
        .chain(std::iter::repeat_with(number))
        .take(len)
        .collect()
}

/// Counts, minimum and maximum as the twin's; sums within the bound for the additions that follow
/// each other: those of a thread, the tree, and the slabs. One more is the rounding of a square.
fn histogram(len: usize, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let values = spread(len);
    let mut operands = Operands::default();
    let input = operands.input(&values);
    let result = operands.updated_words([u32::MAX; HISTOGRAM_WORDS as usize]);
    let twin = reference::histogram(&values);
    let additions = values.len().div_ceil(64 * 256).max(8) + 8 + 64 + 1;
    let finite = values.iter().filter(|value| value.is_finite());
    let magnitude: f64 = finite.map(|value| f64::from(value.abs())).sum();
    let flushed = values.len() as f64 * FLUSHED;
    let numbers = histogram_numbers(&twin);
    let mut bounds = vec![0.0; numbers.len()];
    bounds[0] = gamma(additions) * magnitude + flushed;
    bounds[1] = gamma(additions) * twin.sum_squares() + flushed * FLUSHED;
    let decode =
        |words: &[u32]| histogram_from_words(words).map_or(Vec::new(), |h| histogram_numbers(&h));
    let expected = vec![Expected::within("result", result, numbers, bounds).decoded(decode)];
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let operands = HistogramOf {
            values: on.vector(input),
            result: on.vector(result),
        };
        Ok(vec![kernels.network.histogram(operands)?])
    })
}

/// Products, the additions of a thread, and two trees of 8; then a root, whose error WGSL takes
/// from its inverse (2 units) and a division (2.5), a sum, a division and two products.
fn clip(max_norm: f32, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let mut random = fastrand::Rng::with_seed(61);
    let vectors =
        [5000, 77].map(|len| -> Vec<f32> { (0..len).map(|_| 2.0 * random.f32() - 1.0).collect() });
    let mut operands = Operands::default();
    let places = vectors.each_ref().map(|values| operands.updated(values));
    let clipping = operands.between(CLIPPING_WORDS as usize);
    let mut twins =
        vectors.map(|values| -> Vec<f64> { values.iter().copied().map(f64::from).collect() });
    let norm = reference::gradient_norm(twins.iter().flatten());
    reference::clip(max_norm, norm, twins.iter_mut().flatten());
    let relative = gamma(1 + 8 + 40) + 12.0 * U;
    let of_norm = |words: &[u32]| vec![f64::from(f32::from_bits(words[0]))];
    let mut expected =
        vec![Expected::within("clipping", clipping, [norm], [relative * norm]).decoded(of_norm)];
    for (place, twin) in places.into_iter().zip(twins) {
        let bounds: Vec<_> = twin.iter().map(|g| relative * g.abs() + FLUSHED).collect();
        expected.push(Expected::within("gradients", place, twin, bounds));
    }
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let clipping = on.vector(clipping);
        let gradients = places.map(|place| on.vector(place));
        let operands = GradientNorm {
            gradients: &gradients,
            max_norm,
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
