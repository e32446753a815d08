// Exact running totals in fixed point: Σ loss, Σ weight and the number of examples.
//
// Layout      a sum is a whole number of SUM_WORDS words in two's complement, lowest word first, in
//             units of 2⁻¹⁴⁹, the smallest f32; so every f32 is such a number (Kulisch). The file
//             that needs this part binds a LossTotal as `total`
// Order       whole numbers have one sum, in whatever order and by whatever compiler
// Range       2⁴² addends of the largest f32; 2⁶⁴ examples
// Edges       an infinity or a NaN adds nothing, and is counted; it is told by its exponent, since
//             WGSL lets compilers assume that there is none
// Threads     one thread alone adds
// Host        src/nn/ops/loss_total.rs

const SUM_WORDS: u32 = 10u;

struct LossTotal {
    sums: array<u32, 2 * SUM_WORDS>, // of losses, then of weights
    examples: array<u32, 2>, // lower word first
    non_finite: u32, // how many addends were no finite numbers; stops at the largest u32
}

const LOSSES: u32 = 0u;
const WEIGHTS: u32 = SUM_WORDS;
const UNIT: u32 = 149u; // where the bit for 1 stands

// Adds ±mantissa · 2^shift, in units of 2⁻¹⁴⁹, to the sum that begins at word `first`.
fn add_fixed(first: u32, mantissa: u32, shift: u32, is_negative: bool) {
    let word = shift / 32u;
    let bit = shift % 32u;
    let low = mantissa << bit;
    let high = select(mantissa >> (32u - max(bit, 1u)), 0u, bit == 0u);
    // −x = ~x + 1
    var carry = select(0u, 1u, is_negative);
    for (var i = 0u; i < SUM_WORDS; i++) {
        let digits = select(select(0u, high, i == word + 1u), low, i == word);
        let old = total.sums[first + i];
        let sum = old + select(digits, ~digits, is_negative);
        let carried = sum + carry;
        carry = select(0u, 1u, (sum < old) | (carried < sum));
        total.sums[first + i] = carried;
    }
}

fn add_f32(first: u32, value: f32) {
    let bits = bitcast<u32>(value);
    let exponent = (bits >> 23u) & 255u;
    if exponent == 255u {
        total.non_finite = max(total.non_finite, total.non_finite + 1u);
        return;
    }
    let fraction = bits & 0x7fffffu;
    let mantissa = select(fraction | 0x800000u, fraction, exponent == 0u);
    add_fixed(first, mantissa, max(exponent, 1u) - 1u, (bits >> 31u) == 1u);
}

fn count_examples(batch: u32) {
    let sum = total.examples[0] + batch;
    total.examples[1] += select(0u, 1u, sum < batch);
    total.examples[0] = sum;
}

// Adds the sum of the losses of `batch` examples of weight 1.
fn add_batch(loss: f32, batch: u32) {
    add_f32(LOSSES, loss);
    add_fixed(WEIGHTS, batch, UNIT, false);
    count_examples(batch);
}
