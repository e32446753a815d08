//! How gradients of f16 are kept from vanishing: the loss is multiplied while they are computed.

use super::error::ModelError;

/// Dynamic loss scaling, for [`Precision::Mixed`](crate::linear::Precision::Mixed): the gradient of
/// the loss is multiplied by a scale, so that gradients stored as f16 do not vanish, and those of
/// the parameters, which are f32, are divided by it again before anything is done with them.
///
/// An update with a gradient that is not finite is left out, and the scale halved; after `interval`
/// updates in a row without one the scale is doubled (Micikevicius et al., "Mixed precision
/// training", ICLR 2018). All of that is decided on the device. It stays between 2⁻²⁴ and 2²⁴.
///
/// ```
/// use wgpu_linear::model::LossScaling;
///
/// let scaling = LossScaling { interval: 2, ..LossScaling::default() };
/// let first = scaling.begin();
/// assert_eq!(scaling.next(first, false).scale, first.scale / 2.0);
/// let second = scaling.next(first, true);
/// assert_eq!((second.scale, second.updates), (first.scale, 1));
/// assert_eq!(scaling.next(second, true).scale, 2.0 * first.scale);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct LossScaling {
    /// The scale at first, from 2⁻²⁴ to 2²⁴.
    pub first: f32,
    /// Updates without a gradient that is not finite after which the scale is doubled; 1 to 2²⁴.
    pub interval: u32,
}

impl Default for LossScaling {
    /// 2¹⁶, doubled after 2,000 updates: what PyTorch's *GradScaler* takes.
    fn default() -> Self {
        Self {
            first: 65_536.0,
            interval: 2_000,
        }
    }
}

/// Where loss scaling stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossScale {
    /// What the gradient of the loss is multiplied by.
    pub scale: f32,
    /// Updates since it was changed.
    pub updates: u32,
}

impl LossScale {
    /// The name of its numbers in a [`TrainingState`](super::TrainingState).
    pub(crate) const NAME: &str = "loss_scale";

    /// As a state and the device have it.
    pub(crate) fn numbers(self) -> [f32; 2] {
        [self.scale, self.updates as f32]
    }
}

impl LossScaling {
    /// 2²⁴, up to where f32 counts every update as well.
    pub const LARGEST: f32 = 16_777_216.0;
    /// 2⁻²⁴.
    pub const SMALLEST: f32 = 1.0 / Self::LARGEST;

    /// Before the first update.
    #[must_use]
    pub fn begin(&self) -> LossScale {
        LossScale {
            scale: self.first,
            updates: 0,
        }
    }

    /// Behind an update whose gradients were all finite, or one that was left out since they were
    /// not.
    #[must_use]
    pub fn next(&self, now: LossScale, is_finite: bool) -> LossScale {
        let changed = |scale: f32| LossScale {
            scale: scale.clamp(Self::SMALLEST, Self::LARGEST),
            updates: 0,
        };
        let updates = now.updates + 1;
        match is_finite {
            false => changed(0.5 * now.scale),
            true if updates >= self.interval => changed(2.0 * now.scale),
            true => LossScale { updates, ..now },
        }
    }

    pub(super) fn check(&self) -> Result<(), ModelError> {
        let interval = self.interval as f32;
        for (name, value, least) in [
            ("first loss scale", self.first, Self::SMALLEST),
            ("interval of the loss scale", interval, 1.0),
        ] {
            // A NaN is in no range.
            if !(least..=Self::LARGEST).contains(&value) {
                return Err(ModelError::Setting { name, value });
            }
        }
        Ok(())
    }
}
