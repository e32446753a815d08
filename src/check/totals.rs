//! Cases of the running total of losses.

use super::case::{Case, Expected, Kernels, Trouble, Work};
use super::losses::name;
use super::operands::{Operands, Place, Uploaded};
use crate::nn::{AccumulateLoss, LOSS_TOTAL_WORDS, mean_loss_from_words};

const WORDS: usize = LOSS_TOTAL_WORDS as usize;
/// Of the sum of losses, and of that of weights.
const SUM_WORDS: usize = 10;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for len in [1, 257, 5000] {
        let name = |variant| name("accumulate_loss", [len, 1], variant);
        cases.push(Case::new(name(""), move |kernels| {
            accumulate(len, false, kernels)
        }));
        cases.push(Case::new(name("weighted"), move |kernels| {
            accumulate(len, true, kernels)
        }));
    }
    let carried = name("accumulate_loss", [1, 1], "carried");
    cases.push(Case::new(carried, carry));
    cases
}

/// Mean and number of examples of a total.
pub(super) fn of_total(total: Place, values: [f64; 2], mean_bound: f64) -> Expected {
    let decode = |words: &[u32]| {
        let loss = mean_loss_from_words(words);
        loss.map_or(Vec::new(), |loss| {
            vec![f64::from(loss.mean), loss.examples as f64]
        })
    };
    Expected::within("total", total, values, [mean_bound, 0.0]).decoded(decode)
}

/// Small whole numbers, whose sums f32 holds exactly, twice.
fn accumulate(len: usize, is_weighted: bool, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let losses: Vec<f32> = (0..len).map(|i| (1 + i * i % 7) as f32).collect();
    let weight = 16.0;
    let mut operands = Operands::default();
    let (input, weight_sum) = (operands.input(&losses), operands.input(&[weight]));
    let total = operands.updated_words([0; WORDS]);
    let sum: f64 = losses.iter().copied().map(f64::from).sum();
    let all = if is_weighted {
        f64::from(weight)
    } else {
        len as f64
    };
    // The mean is rounded to f32.
    let mean = f64::from((sum / all) as f32);
    let expected = vec![of_total(total, [mean, 2.0 * len as f64], 0.0)];
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let operands = AccumulateLoss {
            losses: on.vector(input),
            batch: len as u32,
            weight_sum: is_weighted.then_some(on.vector(weight_sum)),
            total: on.vector(total),
        };
        let step = kernels.network.accumulate_loss(operands)?;
        Ok(vec![step.clone(), step])
    })
}

/// Numbers of 24 bits with their signs, and where the lowest stands, in units of 2⁻¹⁴⁹: at the ends
/// of words, across them, and as low and as high as f32 goes.
const ADDENDS: [(i32, usize); 9] = [
    (0x00a5_1235, 0),
    (-0x00f1_0f0f, 0),
    (-0x0091_2e4d, 8),
    (0x00ff_ffff, 9),
    (0x00c0_ffef, 31),
    (-0x00ab_cdef, 32),
    (0x0088_0001, 63),
    (-0x00ff_ffff, 95),
    (-0x00d1_2345, 253),
];
/// Where 1 stands.
const UNIT: usize = 149;

/// Single losses, the last of which are 0 and no numbers, with weights and without. All words are
/// full before, so that each is carried on; and the count of what is no number stops at the end.
fn carry(kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let value = |(digits, shift): (i32, usize)| {
        (f64::from(digits) * 2.0_f64.powi(shift as i32 - UNIT as i32)) as f32
    };
    let losses: Vec<_> = ADDENDS.map(value).into_iter().chain(ODD).collect();
    let (weight, examples) = (f32::MIN_POSITIVE, u32::MAX - 9);
    let [mut loss_sum, mut weight_sum] = [[u32::MAX; SUM_WORDS]; 2];
    for (digits, shift) in ADDENDS {
        add(&mut loss_sum, i64::from(digits), shift);
    }
    for i in 0..losses.len() {
        match is_weighted(i) {
            true => add(&mut weight_sum, 1 << 23, 0),
            false => add(&mut weight_sum, i64::from(examples), UNIT),
        }
    }
    let mut counts = [u32::MAX; 2];
    add(&mut counts, losses.len() as i64 * i64::from(examples), 0);
    let after = [&loss_sum[..], &weight_sum, &counts, &[u32::MAX]].concat();

    let mut operands = Operands::default();
    let inputs: Vec<_> = losses.iter().map(|loss| operands.input([loss])).collect();
    let weight_place = operands.input(&[weight]);
    let mut before = [u32::MAX; WORDS];
    before[WORDS - 1] -= 1;
    let total = operands.updated_words(before);
    let expected = vec![Expected::words("total", total, after)];
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let step = |(i, input): (usize, &Place)| {
            Ok(kernels.network.accumulate_loss(AccumulateLoss {
                losses: on.vector(*input),
                batch: examples,
                weight_sum: is_weighted(i).then_some(on.vector(weight_place)),
                total: on.vector(total),
            })?)
        };
        inputs.iter().enumerate().map(step).collect()
    })
}

/// What adds nothing.
const ODD: [f32; 3] = [0.0, f32::INFINITY, f32::NAN];

fn is_weighted(i: usize) -> bool {
    i % 3 == 1
}

/// Adds digits · 2^shift to a whole number in two's complement, lowest word first.
fn add(words: &mut [u32], digits: i64, shift: usize) {
    // What is still to be added, from here on.
    let mut rest = i128::from(digits) << (shift % 32);
    for word in words.iter_mut().skip(shift / 32) {
        rest += i128::from(*word);
        *word = rest as u32;
        rest >>= 32;
    }
}
