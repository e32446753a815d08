//! Totals of losses: exact over millions of batches, and NaN where a loss was no number.

use ndarray::{Array1, Array2, array};
use wgpu_linear::model::{LayerParameters, Loss, MeanLoss, MlpConfig, Model, Targets};
use wgpu_linear::nn::{AccumulateLoss, LOSS_TOTAL_WORDS, mean_loss_from_words};
use wgpu_linear::reference::LossTotal;
use wgpu_linear::{Dispatch, Vector, nn, reference};

use crate::support::{Guarded, gpu, network_kernels};

/// A total on the device, of nothing yet.
pub(crate) struct Total(wgpu::Buffer);

impl Total {
    pub(crate) fn new() -> Self {
        Self::of(&[0; LOSS_TOTAL_WORDS as usize])
    }

    fn of(words: &[u32]) -> Self {
        Self(gpu().upload("total", words).unwrap())
    }

    pub(crate) fn vector(&self) -> Vector<'_> {
        Vector::new(&self.0, LOSS_TOTAL_WORDS)
    }

    fn words(&self) -> Vec<u32> {
        gpu().read(&self.0).unwrap()
    }

    pub(crate) fn mean(&self) -> MeanLoss {
        mean_loss_from_words(&self.words()).unwrap()
    }

    /// The dispatch that adds these losses of so many examples.
    pub(crate) fn adding(&self, losses: &Guarded, batch: u32) -> Dispatch {
        let operands = AccumulateLoss {
            losses: losses.vector(),
            batch,
            weight_sum: None,
            total: self.vector(),
        };
        network_kernels().accumulate_loss(operands).unwrap()
    }

    /// Adds each of these as the only loss of a batch of one.
    fn add_each(&self, losses: &[f32]) {
        let inputs: Vec<_> = losses.iter().map(|loss| Guarded::input([loss])).collect();
        let steps: Vec<_> = inputs.iter().map(|input| self.adding(input, 1)).collect();
        gpu().run(&steps).unwrap();
    }
}

/// The loss of 16,385 examples, 620 / 512 each: f32 holds their sum exactly, but no f32 holds the
/// sum of a few hundred such batches.
const BATCH: u32 = (1 << 14) + 1;
const LOSS: f32 = 620.0 / 512.0;
const BATCHES: u32 = 3052;

#[test]
fn the_mean_over_fifty_million_examples_is_exact() {
    let (losses, total) = (Guarded::input(&[LOSS; BATCH as usize]), Total::new());
    // One more loss, so that the mean is none of them.
    let last = Guarded::input(&[1e6]);
    let mut steps = vec![total.adding(&losses, BATCH); BATCHES as usize];
    steps.push(total.adding(&last, 1));
    gpu().run(&steps).unwrap();
    let examples = u64::from(BATCH) * u64::from(BATCHES) + 1;
    assert!(examples > 50_000_000);
    let sum = (examples - 1) as f64 * f64::from(LOSS) + 1e6;
    let expected = MeanLoss {
        mean: (sum / examples as f64) as f32,
        examples,
    };
    assert_eq!(total.mean(), expected);
    assert_ne!(expected.mean, LOSS);
    let sum_bits = fixed(&[(LOSS, i64::from(BATCH) * i64::from(BATCHES)), (1e6, 1)]);
    assert_eq!(total.words()[..10], sum_bits);
}

#[test]
fn the_twin_takes_the_mean_over_fifty_million_examples() {
    let mut total = LossTotal::default();
    total.add(1e16, 1.0, 1);
    for _ in 0..50_000_000 {
        total.add(1.5, 1.0, 1);
    }
    total.add(-1e16, 1.0, 1);
    // A plain sum in f64 would have lost every other half.
    let mean = total.mean();
    assert_eq!(
        (mean.mean, mean.examples),
        ((7.5e7 / 50_000_002.0) as f32, 50_000_002)
    );
    total.add(f64::INFINITY, 1.0, 1);
    total.add(1.0, 1.0, 1);
    assert!(total.mean().mean.is_nan());
}

#[test]
fn more_examples_are_counted_than_a_word_holds() {
    let mut words = Total::new().words();
    // 2³² − 3 examples of weight 1 and loss 0.
    words[20] = u32::MAX - 2;
    words[10 + 4..10 + 6].copy_from_slice(&[(u32::MAX - 2) << 21, (u32::MAX - 2) >> 11]);
    let total = Total::of(&words);
    assert_eq!(total.mean().examples, (1 << 32) - 3);
    let losses = Guarded::input(&[0.5; 4]);
    let batch = (1 << 30) + 1;
    gpu().run(&vec![total.adding(&losses, batch); 9]).unwrap();
    let examples = (1 << 32) - 3 + 9 * u64::from(batch);
    let mean = (18.0 / examples as f64) as f32;
    assert_eq!(total.mean(), MeanLoss { mean, examples });
}

/// The words of Σ value · count, by counting bits: another way than the shader's.
fn fixed(addends: &[(f32, i64)]) -> [u32; 10] {
    let mut bits = [0_i128; 320];
    for (value, count) in addends {
        let raw = value.to_bits();
        let exponent = (raw >> 23 & 255) as usize;
        let mantissa = (raw & 0x7f_ffff) | u32::from(exponent > 0) << 23;
        let sign = if *value < 0.0 { -1 } else { 1 };
        for i in (0..24).filter(|i| mantissa >> i & 1 == 1) {
            bits[exponent.max(1) - 1 + i] += sign * i128::from(*count);
        }
    }
    let mut carry = 0;
    let mut words = [0; 10];
    for (i, bit) in bits.into_iter().enumerate() {
        let sum = bit + carry;
        words[i / 32] |= (sum.rem_euclid(2) as u32) << (i % 32);
        carry = sum.div_euclid(2);
    }
    words
}

/// Each f32 that is not denormal, of either sign; the sum goes up and down through all words.
#[test]
fn totals_hold_losses_of_all_sizes_exactly() {
    let mut random = fastrand::Rng::with_seed(51);
    let any = |_| loop {
        let value = f32::from_bits(random.u32(..));
        if value.is_normal() {
            return value;
        }
    };
    let mut losses: Vec<f32> = (0..300).map(any).collect();
    losses.extend([f32::MAX, f32::MIN_POSITIVE, 1.0, -1.0, 0.0, -0.0, f32::MIN]);
    losses.extend([f32::MAX; 5]);
    let total = Total::new();
    let mut added = Vec::new();
    for part in losses.chunks(13) {
        total.add_each(part);
        added.extend(part.iter().map(|loss| (*loss, 1)));
        assert_eq!(total.words()[..10], fixed(&added), "{} losses", added.len());
    }
    assert_eq!(total.mean().examples, losses.len() as u64);
    // What was added and taken away again leaves nothing.
    let negative: Vec<_> = losses.iter().map(|loss| -loss).collect();
    total.add_each(&negative);
    assert_eq!(total.mean().mean, 0.0);
    assert_eq!(total.words()[..10], [0; 10]);
}

#[test]
fn sums_that_are_not_finite_are_noticed_at_every_report() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let total = Total::new();
        total.add_each(&[1.0, bad, 1.0, bad]);
        assert!(total.mean().mean.is_nan(), "{bad}");
        assert_eq!((total.mean().examples, total.words()[22]), (4, 2), "{bad}");
    }
    // One among many, and a sum that f32 cannot hold.
    let mut losses = vec![1.0; 3000];
    losses[2999] = f32::NAN;
    for losses in [losses, vec![f32::MAX; 2]] {
        let total = Total::new();
        gpu()
            .run(&[total.adding(&Guarded::input(&losses), 7)])
            .unwrap();
        assert!(total.mean().mean.is_nan());
    }
    let mut words = Total::new().words();
    words[22] = u32::MAX;
    let total = Total::of(&words);
    total.add_each(&[f32::NAN]);
    assert_eq!(total.words()[22], u32::MAX, "the count does not wrap");
}

/// Makes the weights of a network of one layer these, finite or not.
fn with_outputs(mlp: &mut nn::Mlp, outputs: &[f32]) {
    let w = Array2::from_elem((1, outputs.len()), 1.0);
    let b = Array1::zeros(outputs.len());
    mlp.set_parameters(&[LayerParameters { w, b }]).unwrap();
    // What `set_parameters` refuses.
    let w = mlp.network().unwrap().layers()[0].w();
    let bytes = bytemuck::cast_slice(outputs);
    gpu().queue().write_buffer(w.buffer, w.offset_bytes, bytes);
}

/// Logits that are not finite, for both kernels of the cross-entropy and both ways of asking.
#[test]
fn a_network_that_has_diverged_reports_nan() {
    for (loss, bad) in [
        (Loss::SoftmaxCrossEntropy, f32::NAN),
        (Loss::SoftmaxCrossEntropy, f32::INFINITY),
        (Loss::SoftmaxCrossEntropy, f32::NEG_INFINITY),
        (Loss::MeanSquaredError, f32::NAN),
        (Loss::MeanSquaredError, f32::INFINITY),
        (Loss::BinaryCrossEntropy, f32::INFINITY),
    ] {
        for rows in [3, 5000] {
            let config = MlpConfig {
                loss,
                ..MlpConfig::new(&[1, 2])
            };
            let mut mlp = nn::Mlp::new(gpu(), config.clone()).unwrap();
            with_outputs(&mut mlp, &[bad, 1.0]);
            let (x, classes, y) = (
                Array2::ones((rows, 1)),
                vec![0; rows],
                Array2::zeros((rows, 2)),
            );
            let targets = match loss {
                Loss::SoftmaxCrossEntropy => Targets::Classes(&classes),
                _ => Targets::Values(y.view()),
            };
            mlp.train_batch(x.view(), targets).unwrap();
            let taken = mlp.take_loss().unwrap();
            assert!(taken.mean.is_nan(), "{loss:?} {bad} {rows}: {taken:?}");
            assert_eq!(taken.examples, rows as u64);
            // Nothing of it is left in the next report.
            with_outputs(&mut mlp, &[0.5, 1.0]);
            mlp.train_batch(x.view(), targets).unwrap();
            assert!(mlp.take_loss().unwrap().mean.is_finite());
            with_outputs(&mut mlp, &[bad, 1.0]);
            mlp.train_batch(x.view(), targets).unwrap();
            assert!(mlp.request_loss().unwrap());
            mlp.parameters().unwrap();
            let polled = mlp.poll_loss().unwrap().unwrap();
            assert!(polled.mean.is_nan(), "{loss:?} {bad} {rows}: {polled:?}");
            with_outputs(&mut mlp, &[0.5, 1.0]);
            mlp.train_batch(x.view(), targets).unwrap();
            assert!(mlp.take_loss().unwrap().mean.is_finite());
        }
    }
}

#[test]
fn the_twin_of_a_network_that_has_diverged_reports_nan() {
    let mut twin = reference::Mlp::<f32>::new(MlpConfig::new(&[1, 2])).unwrap();
    twin.layers_mut()[0].w[[0, 0]] = f32::NAN;
    let x = array![[1.0]];
    twin.train_batch(x.view(), Targets::Classes(&[1])).unwrap();
    assert!(twin.take_loss().unwrap().mean.is_nan());
    assert_eq!(twin.take_loss().unwrap().examples, 0);
}
