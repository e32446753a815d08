//! Twin of `parts/loss_total.wgsl`: totals of losses over any number of batches.

use crate::model::MeanLoss;

/// The running total of losses.
///
/// The kernels add in fixed point; this one in f64 with what each addition loses kept beside the
/// sum (Neumaier 1974). The relative error is near 2⁻⁵³ as long as there are fewer than 2⁵⁰
/// addends, none of them negative: nothing that the f32 of the mean would show.
///
/// ```
/// use wgpu_linear::reference::LossTotal;
/// let mut total = LossTotal::default();
/// total.add(3.0, 2.0, 2);
/// total.add(1.0, 2.0, 2);
/// assert_eq!((total.mean().mean, total.mean().examples), (1.0, 4));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossTotal {
    loss: Compensated,
    weight: Compensated,
    examples: u64,
}

impl LossTotal {
    /// Adds the losses of a batch of so many examples, and their weights: as many, where all of
    /// them are 1.
    pub fn add(&mut self, loss: f64, weight: f64, examples: u64) {
        self.loss.add(loss);
        self.weight.add(weight);
        self.examples = self.examples.wrapping_add(examples);
    }

    /// Σ loss / Σ weight; NaN where the weights are 0, and where a loss or a weight was not finite.
    #[must_use]
    pub fn mean(&self) -> MeanLoss {
        MeanLoss {
            mean: (self.loss.value() / self.weight.value()) as f32,
            examples: self.examples,
        }
    }
}

/// A sum, and what its additions have lost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Compensated {
    sum: f64,
    lost: f64,
}

impl Compensated {
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        // What the larger of the two has left no room for. An infinity leaves NaN here for good.
        self.lost += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
    }

    fn value(self) -> f64 {
        self.sum + self.lost
    }
}
