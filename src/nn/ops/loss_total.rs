//! `parts/loss_total.wgsl`: exact running totals of losses, and the mean that they say.

use crate::model::MeanLoss;

/// Words of u32 that hold the running total of losses, see [`NetworkKernels::accumulate_loss`]
/// and [`mean_loss_from_words`].
///
/// | words | what |
/// |---|---|
/// | 0 to 9 | Σ loss, a whole number in two's complement, lowest word first, in units of 2⁻¹⁴⁹ |
/// | 10 to 19 | Σ weight in the same form; an example without a weight has 1 |
/// | 20, 21 | the number of examples, lower word first |
/// | 22 | how many sums of a batch were not finite |
///
/// A total of zeros is that of no examples.
///
/// [`NetworkKernels::accumulate_loss`]: super::NetworkKernels::accumulate_loss
pub const LOSS_TOTAL_WORDS: u32 = 23;

/// As an array has it.
pub(in crate::nn) const WORDS: usize = LOSS_TOTAL_WORDS as usize;

/// `SUM_WORDS` in the shader.
const SUM_WORDS: usize = 10;

/// The mean that a total of [`LOSS_TOTAL_WORDS`] says: Σ loss / Σ weight, taken in f64 and rounded
/// to f32 in the end. `None` where there are more words or fewer.
///
/// NaN where the weights are 0, and where a sum of losses or weights was not finite.
///
/// ```
/// use wgpu_linear::nn::{AccumulateLoss, LOSS_TOTAL_WORDS, NetworkKernels, mean_loss_from_words};
/// use wgpu_linear::{Gpu, Vector};
///
/// let gpu = Gpu::new()?;
/// let losses = gpu.upload("losses", &[0.5_f32, 1.0, 0.0, 0.0])?;
/// let total = gpu.zeros("total", LOSS_TOTAL_WORDS as usize)?;
/// let step = NetworkKernels::new(gpu.device()).accumulate_loss(AccumulateLoss {
///     losses: Vector::new(&losses, 4),
///     batch: 4,
///     weight_sum: None,
///     total: Vector::new(&total, LOSS_TOTAL_WORDS),
/// })?;
/// gpu.run(&[step.clone(), step]);
/// let loss = mean_loss_from_words(&gpu.read(&total)?);
/// assert!(loss.is_some_and(|loss| loss.mean == 0.375 && loss.examples == 8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn mean_loss_from_words(words: &[u32]) -> Option<MeanLoss> {
    words.try_into().ok().map(mean_loss)
}

/// The same as numbers; none of them where there are more words or fewer.
pub(super) fn mean_and_examples(words: &[u32]) -> Vec<f64> {
    let loss = mean_loss_from_words(words);
    let numbers = loss.map(|loss| vec![f64::from(loss.mean), loss.examples as f64]);
    numbers.unwrap_or_default()
}

/// [`mean_loss_from_words`] of as many words as there must be.
pub(in crate::nn) fn mean_loss(words: [u32; WORDS]) -> MeanLoss {
    let (loss, rest) = words.split_at(SUM_WORDS);
    let (weight, counts) = rest.split_at(SUM_WORDS);
    let mean = if counts[2] == 0 {
        number(loss) / number(weight)
    } else {
        f64::NAN
    };
    MeanLoss {
        mean: mean as f32,
        examples: u64::from(counts[1]) << 32 | u64::from(counts[0]),
    }
}

/// The f64 nearest to a sum.
fn number(words: &[u32]) -> f64 {
    let is_negative = words.last().is_some_and(|word| word >> 31 == 1);
    let magnitude = Magnitude::of(words, is_negative);
    if is_negative {
        -magnitude.number()
    } else {
        magnitude.number()
    }
}

/// |sum|, lowest word first.
struct Magnitude([u32; SUM_WORDS]);

impl Magnitude {
    fn of(words: &[u32], is_negative: bool) -> Self {
        let mut carry = is_negative;
        let mut magnitude = [0; SUM_WORDS];
        for (to, word) in magnitude.iter_mut().zip(words) {
            let digits = if is_negative { !word } else { *word };
            (*to, carry) = digits.overflowing_add(u32::from(carry));
        }
        Self(magnitude)
    }

    /// The highest four words that matter are rounded once, by the conversion from u128: it has
    /// more bits than f64, so all that the words below can do is break a tie.
    fn number(&self) -> f64 {
        let top = self.0.iter().rposition(|word| *word != 0).unwrap_or(0);
        let first = top.saturating_sub(3);
        let (below, rest) = self.0.split_at(first);
        let digits = rest
            .iter()
            .take(4)
            .rev()
            .fold(0, |digits: u128, word| digits << 32 | u128::from(*word));
        let rest_is_lost = below.iter().any(|word| *word != 0);
        let rounded = (digits | u128::from(rest_is_lost)) as f64;
        rounded * 2.0_f64.powi(32 * first as i32 - 149)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Σ loss and Σ weight, in units of 2⁻¹⁴⁹ · 2^shift.
    fn words(loss: i128, weight: i128, shift: usize) -> [u32; WORDS] {
        let mut words = [0; WORDS];
        for (first, value) in [(0, loss), (SUM_WORDS, weight)] {
            let sign = if value < 0 { u32::MAX } else { 0 };
            let skipped = shift / 32;
            words[first + skipped..first + SUM_WORDS].fill(sign);
            for i in 0..4 {
                words[first + skipped + i] = (value >> (32 * i)) as u32;
            }
        }
        words
    }

    #[test]
    fn mean_loss_divides_sums_of_either_sign() {
        for (loss, expected) in [
            (3, 0.75),
            (-3, -0.75),
            (0, 0.0),
            (-1, -0.25),
            (i128::MIN, -(2.0_f32.powi(125))),
        ] {
            for shift in [0, 32, 96, 192] {
                assert_eq!(mean_loss(words(loss, 4, shift)).mean, expected);
            }
        }
        let mut half = words(1 << 52, 0, 96);
        half[SUM_WORDS + 4] = 1 << 22; // 2^150, that is 2
        assert_eq!(mean_loss(half).mean, 0.25);
    }

    /// 2⁵³ + 1 lies between two f64; a bit far below decides.
    #[test]
    fn numbers_are_rounded_once() {
        let unit = 2.0_f64.powi(32 * 6 - 149);
        let tie = words((1 << 53) + 1, 1, 192);
        assert_eq!(number(&tie[..SUM_WORDS]), 2.0_f64.powi(53) * unit);
        let mut above = tie;
        above[0] = 1;
        assert_eq!(number(&above[..SUM_WORDS]), (2.0_f64.powi(53) + 2.0) * unit);
        let below = words(-(1 << 53) - 1, 1, 192);
        assert_eq!(number(&below[..SUM_WORDS]), -(2.0_f64.powi(53)) * unit);
    }

    #[test]
    fn the_largest_and_the_smallest_sums_are_numbers() {
        let mut words = [0; SUM_WORDS];
        words[9] = 1 << 31;
        assert_eq!(number(&words), -(2.0_f64.powi(170)));
        words = [u32::MAX; SUM_WORDS];
        assert_eq!(number(&words), -f64::from(f32::from_bits(1)));
        words = [0; SUM_WORDS];
        words[0] = 1;
        assert_eq!(number(&words), f64::from(f32::from_bits(1)));
    }

    #[test]
    fn mean_loss_is_nan_without_weight_or_after_a_sum_that_was_not_finite() {
        assert!(mean_loss([0; WORDS]).mean.is_nan());
        let mut total = words(3, 4, 96);
        assert_eq!(mean_loss(total).mean, 0.75);
        total[22] = 1;
        total[21] = 3;
        total[20] = 5;
        let loss = mean_loss(total);
        assert!(loss.mean.is_nan());
        assert_eq!(loss.examples, (3 << 32) + 5);
        assert_eq!(mean_loss_from_words(&[0; 22]), None);
    }
}
