//! What an optimizer remembers, as PyTorch calls it.

use crate::model::LayerParameters;

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
    /// The moment of this name.
    #[must_use]
    pub fn moment(&self, name: &str) -> Option<&[LayerParameters]> {
        self.moments
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, layers)| &layers[..])
    }
}
