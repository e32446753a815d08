//! Cases of what works on whole buffers: batches gathered from a data set, and histograms.

use std::ops::Range;

use ndarray::Array2;

use super::bounds::{FLUSHED, gamma};
use super::case::{Case, Expected, Kernels, Trouble, Work};
use super::operands::{Operands, Place, Uploaded};
use super::outcome::CheckName;
use crate::events::Histogram;
use crate::nn::{
    Examples, Gather, HISTOGRAM_WORDS, HistogramOf, histogram_from_words, histogram_numbers,
};
use crate::reference;

pub(super) fn cases() -> Vec<Case> {
    let name = |operation, shape: String, variant: &str| CheckName {
        operation,
        shape,
        variant: variant.to_owned(),
    };
    let mut cases = Vec::new();
    for batch in [SMALL, LARGE] {
        let shape = format!("{}×{}", batch.examples, batch.inputs);
        cases.extend(["", "bytes"].map(|variant| {
            let of_bytes = !variant.is_empty();
            Case::new(name("gather", shape.clone(), variant), move |kernels| {
                gather(batch, of_bytes, kernels)
            })
        }));
    }
    // By one workgroup, and by several, whose counts are merged. Small numbers alone show what
    // becomes of them, and so do numbers that are neither small nor large.
    for len in [1000, 20_001] {
        let name = name("histogram", len.to_string(), "");
        cases.push(Case::new(name, move |kernels| {
            let values = [spread(len), within(-70..-43, len), within(-30..30, len)];
            histograms(&values, kernels)
        }));
    }
    let name = name("histogram", "5000".to_owned(), "nothing finite");
    cases.push(Case::new(name, |kernels| {
        let odd = [f32::NAN, f32::INFINITY].repeat(2500);
        histograms(&[spread(5000), odd], kernels)
    }));
    cases
}

/// Sizes of a data set, and a batch of it.
#[derive(Clone, Copy)]
struct Gathered {
    examples: usize,
    inputs: usize,
    outputs: usize,
    batch: usize,
}

/// Rows of a last part, and labels; and rows of whole parts for almost all threads that there are.
const SMALL: Gathered = Gathered {
    examples: 30,
    inputs: 13,
    outputs: 1,
    batch: 5,
};
const LARGE: Gathered = Gathered {
    examples: 50,
    inputs: 8,
    outputs: 3,
    batch: 100,
};

/// The same numbers as they are, or as bytes.
fn gather(sizes: Gathered, of_bytes: bool, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let Gathered {
        examples,
        inputs,
        outputs,
        batch,
    } = sizes;
    let bytes = Array2::from_shape_fn((examples, inputs), |(i, j)| (i * 41 + j * 7) as u8);
    let numbers = bytes.mapv(f32::from);
    let labels = Array2::from_shape_fn((examples, outputs), |(i, j)| (i * i + 1000 * j) as u32);
    // The last, the first, and some twice.
    let indices: Vec<_> = (1..=batch)
        .map(|i| ((examples - 1) * i * i % examples) as u32)
        .collect();
    let mut operands = Operands::default();
    let data = if of_bytes {
        let padded = bytes.iter().copied().chain([0; 3]);
        let padded: Vec<u8> = padded.take(bytes.len().next_multiple_of(4)).collect();
        let words = padded.chunks_exact(4);
        operands.words(words.map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])))
    } else {
        operands.input(&numbers)
    };
    let index_place = operands.words(indices.iter().copied());
    let wanted = operands.words(labels.iter().copied());
    let [x, targets] = [inputs, outputs].map(|columns| operands.output(batch * columns));
    let rows = reference::gather(numbers.view(), &indices).mapv(f64::from);
    let picked = reference::gather(labels.view(), &indices);
    let expected = vec![
        Expected::exactly("x", x, rows),
        Expected::words("targets", targets, picked),
    ];
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let data = if of_bytes {
            Examples::Bytes {
                words: on.vector(data),
                examples: examples as u32,
                inputs: inputs as u32,
                scale: 1.0,
            }
        } else {
            Examples::Values(on.matrix(data, inputs))
        };
        let operands = Gather {
            indices: on.vector(index_place),
            data,
            wanted: on.matrix(wanted, outputs),
            x: on.matrix(x, inputs),
            targets: on.matrix(targets, outputs),
        };
        Ok(vec![kernels.network.gather(operands)?])
    })
}

/// The word behind the counts.
const NON_FINITE: usize = Histogram::BUCKETS;

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

/// Magnitudes of these powers of two, of both signs.
fn within(exponents: Range<i32>, len: usize) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(len as u64);
    let number = || {
        let size = (1.0 + random.f32()) * 2.0_f32.powi(random.i32(exponents.clone()));
        if random.bool() { size } else { -size }
    };
    std::iter::repeat_with(number).take(len).collect()
}

/// One of each, behind each other. The first have the smallest numbers and the largest: nothing of
/// them is left in the memory of a workgroup.
fn histograms(values: &[Vec<f32>], kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let mut operands = Operands::default();
    let place = |values| {
        let result = operands.updated_words([u32::MAX; HISTOGRAM_WORDS as usize]);
        (operands.input(values), result)
    };
    let places: Vec<_> = values.iter().map(place).collect();
    let results = values.iter().zip(&places);
    let expected = results.map(|(values, (_, result))| histogram(values, *result));
    let expected = expected.collect();
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let count = |(input, result): &(Place, Place)| {
            let (values, result) = (on.vector(*input), on.vector(*result));
            Ok(kernels.network.histogram(HistogramOf { values, result })?)
        };
        places.iter().map(count).collect()
    })
}

/// Counts, minimum and maximum as the twin's; sums within the bound for the additions that follow
/// each other: those of a thread, the tree, and the slabs. One more is the rounding of a square.
fn histogram(values: &[f32], result: Place) -> Expected {
    let twin = reference::histogram(values);
    if twin.num() == 0 {
        // Its limits are those of nothing, which f64 does not compare.
        let mut words = [0; HISTOGRAM_WORDS as usize];
        (words[NON_FINITE], words[NON_FINITE + 1]) = (values.len() as u32, u32::MAX);
        return Expected::words("result", result, words);
    }
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
    Expected::within("result", result, numbers, bounds).decoded(decode)
}
