//! What an optimizer remembers, as PyTorch calls it.

use crate::model::{AdamSettings, LayerParameters};

/// What an optimizer of PyTorch remembers of each parameter, laid out as the layers are.
///
/// | in a file | what it is | here |
/// |---|---|---|
/// | `optimizer.exp_avg.PREFIX.weight`, `….bias` | mean of the gradient | Adam and AdamW: m |
/// | `optimizer.exp_avg_sq.PREFIX.weight`, `….bias` | mean of its square | Adam and AdamW: v |
/// | `optimizer.momentum_buffer.PREFIX.weight`, `….bias` | direction | SGD with momentum: velocity |
/// | `optimizer.step` | steps taken, i64 | Adam's 1 − βˢ |
///
/// Weights are transposed as parameters are. `docs/EXCHANGE.md` has the lines of Python that write
/// such a file from *optimizer.state* and read it back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerState {
    /// Name, such as `exp_avg`, and values in the shapes of the parameters. A name has no dot.
    pub moments: Vec<(String, Vec<LayerParameters>)>,
    /// Steps taken; `None` where the optimizer does not count them.
    pub steps: Option<u64>,
}

impl OptimizerState {
    /// PyTorch's name of each moment, and that of the formulas in `shaders/`.
    pub const NAMES: [(&str, &str); 3] = [
        ("exp_avg", "m"),
        ("exp_avg_sq", "v"),
        ("momentum_buffer", "velocity"),
    ];

    /// Adam's 1 − β1ˢ and 1 − β2ˢ after the s steps taken; `None` where these are not known.
    ///
    /// ```
    /// use wgpu_linear::exchange::pytorch::OptimizerState;
    /// use wgpu_linear::model::AdamSettings;
    ///
    /// let state = OptimizerState { steps: Some(2), ..OptimizerState::default() };
    /// let settings = AdamSettings { beta1: 0.5, beta2: 0.75, ..AdamSettings::default() };
    /// assert_eq!(state.corrections(&settings), Some([0.75, 0.4375]));
    /// ```
    #[must_use]
    pub fn corrections(&self, settings: &AdamSettings) -> Option<[f32; 2]> {
        let steps = self.steps? as f64;
        let betas = [settings.beta1, settings.beta2];
        Some(betas.map(|beta| (1.0 - f64::from(beta).powf(steps)) as f32))
    }

    /// The moment of this name.
    #[must_use]
    pub fn moment(&self, name: &str) -> Option<&[LayerParameters]> {
        self.moments
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, layers)| &layers[..])
    }
}
