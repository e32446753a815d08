//! Twin of `dropout.wgsl`.

use ndarray::NdFloat;

use super::rounding::round;
use crate::model::{DropoutSettings, NetworkConfig};

const ROUNDS: u32 = 10;
const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const KEY_STEPS: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];

/// Four words of 32 random bits for each counter and key: Philox-4x32-10 (Salmon et al., *Parallel
/// random numbers: as easy as 1, 2, 3*, SC 2011).
///
/// ```
/// use wgpu_linear::reference::philox;
/// assert_eq!(philox([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
/// ```
#[must_use]
#[inline]
pub fn philox(counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let mut words = counter;
    for _ in 0..ROUNDS {
        let [a, b, c, d] = words;
        let [first, second] = [
            u64::from(MULTIPLIERS[0]) * u64::from(a),
            u64::from(MULTIPLIERS[1]) * u64::from(c),
        ];
        let upper = |product: u64| (product >> 32) as u32;
        let lower = |product: u64| product as u32;
        words = [
            upper(second) ^ b ^ key[0],
            lower(second),
            upper(first) ^ d ^ key[1],
            lower(first),
        ];
        key = [
            key[0].wrapping_add(KEY_STEPS[0]),
            key[1].wrapping_add(KEY_STEPS[1]),
        ];
    }
    words
}

/// x ← x / (1 − p), or 0 with probability p, in the batch of this number; `x` row by row.
///
/// Element i is dropped where word i % 4 of [`philox`], with the counter (i / 4, layer, number of
/// the batch in two words) and the seed as its key, is below p · 2³².
///
/// ```
/// use wgpu_linear::model::DropoutSettings;
/// use wgpu_linear::reference::dropout;
///
/// let mut x = [1.0_f32; 1000];
/// dropout(DropoutSettings { rate: 0.5, seed: 0, layer: 0 }, 0, &mut x);
/// assert!(x.iter().all(|x| [0.0, 2.0].contains(x)));
/// assert!((400..600).contains(&x.iter().filter(|x| **x == 0.0).count()));
/// ```
pub fn dropout<F: NdFloat>(settings: DropoutSettings, batch: u64, x: &mut [F]) {
    let (threshold, key) = (settings.threshold(), settings.key());
    let scale = F::from(settings.scale()).unwrap_or_else(F::nan);
    let batch = [batch as u32, (batch >> 32) as u32];
    for (four, block) in (0..).zip(x.chunks_mut(4)) {
        let words = philox([four, settings.layer, batch[0], batch[1]], key);
        for (x, word) in block.iter_mut().zip(words) {
            *x = if word < threshold {
                F::zero()
            } else {
                scale * *x
            };
        }
    }
}

/// What is dropped behind the layers of a network in one batch.
#[derive(Clone, Copy)]
pub(super) struct Dropouts<'a> {
    pub(super) network: &'a NetworkConfig,
    /// The number of the batch; `None` where nothing is dropped.
    pub(super) batch: Option<u64>,
}

impl Dropouts<'_> {
    /// Drops elements of what lies behind a layer, or of its gradient; as it is stored before, and
    /// behind.
    pub(super) fn store<F: NdFloat>(&self, layer: usize, x: &mut [F]) {
        let element = self.network.element_of(layer);
        round(element, x);
        if let (Some(batch), Some(settings)) = (self.batch, self.network.dropout_behind(layer)) {
            dropout(settings, batch, x);
            round(element, x);
        }
    }
}
