//! Twin of `loss_scale.wgsl`.

use ndarray::NdFloat;

use super::float::cast;
use crate::model::{LayerParameters, LossScale, LossScaling, TrainingState};

/// The scale of the loss of a network.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScaledLoss {
    scaling: LossScaling,
    now: LossScale,
}

impl ScaledLoss {
    pub(super) fn new(scaling: LossScaling) -> Self {
        let now = scaling.begin();
        Self { scaling, now }
    }

    pub(super) fn scale<F: NdFloat>(&self) -> F {
        cast(self.now.scale)
    }

    /// g ← g / s, and whether each is finite.
    pub(super) fn unscale<F: NdFloat>(&self, gradients: &mut [LayerParameters<F>]) -> bool {
        let (scale, mut are_finite) = (self.scale::<F>(), true);
        for layer in gradients {
            for g in layer.w.iter_mut().chain(&mut layer.b) {
                are_finite &= g.is_finite();
                *g /= scale;
            }
        }
        are_finite
    }

    /// [`Self::unscale`], and the scale of the next update; whether this one is made.
    pub(super) fn update<F: NdFloat>(&mut self, gradients: &mut [LayerParameters<F>]) -> bool {
        let are_finite = self.unscale(gradients);
        self.now = self.scaling.next(self.now, are_finite);
        are_finite
    }

    pub(super) fn state(&self) -> (String, Vec<f32>) {
        (LossScale::NAME.to_owned(), self.now.numbers().to_vec())
    }

    /// That of a state which has been checked.
    pub(super) fn set_state(&mut self, state: &TrainingState) {
        if let Some([scale, updates]) = state.scalar(LossScale::NAME) {
            self.now = LossScale {
                scale: *scale,
                updates: *updates as u32,
            };
        }
    }
}
