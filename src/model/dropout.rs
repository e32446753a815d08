//! What is dropped in training, and by which random numbers: GPU and twin drop the same.

/// Dropout behind one layer: how many elements are dropped, and which.
///
/// ```
/// use wgpu_linear::model::DropoutSettings;
///
/// let settings = DropoutSettings { rate: 0.25, seed: 7, layer: 0 };
/// assert_eq!(settings.threshold(), 1 << 30);
/// assert_eq!(settings.scale(), 4.0 / 3.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DropoutSettings {
    /// p, the probability with which an element is dropped; from 0, below 1. Not checked.
    pub rate: f32,
    /// The key of the random numbers.
    pub seed: u64,
    /// Which layer, from 0: each drops by numbers of its own.
    pub layer: u32,
}

impl DropoutSettings {
    /// p · 2³², to the nearest whole number: an element is dropped where its 32 random bits are
    /// below it.
    #[must_use]
    pub fn threshold(&self) -> u32 {
        // Nothing is rounded from 2⁻⁹ on; at most 2³² − 2⁸.
        (f64::from(self.rate) * 2.0_f64.powi(32)).round() as u32
    }

    /// 1 / (1 − p), by which all others are multiplied.
    #[must_use]
    pub fn scale(&self) -> f64 {
        1.0 / (1.0 - f64::from(self.rate))
    }

    /// The seed as the generator takes it, the lower word first.
    pub(crate) fn key(&self) -> [u32; 2] {
        [self.seed as u32, (self.seed >> 32) as u32]
    }
}
