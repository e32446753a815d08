//! Gradients against finite differences.

use ndarray::ArrayView2;

use super::mlp::Mlp;
use crate::model::{ModelError, Targets};

/// The largest disagreement that [`gradcheck`] found.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradCheck {
    /// max |analytic − numeric| / max(1, |analytic|, |numeric|) over all parameters; NaN if any of
    /// them is.
    pub worst: f64,
    /// How many parameters were compared.
    pub parameters: usize,
}

/// Compares [`Mlp::backward`] with central differences (l(p + h) − l(p − h)) / 2h of the mean loss,
/// for every parameter.
///
/// With h = 1e-6 a correct network of smooth activations stays below 1e-7: the truncation error is
/// of order h², the rounding error of order 1e-16 / h. ReLU and leaky ReLU have a kink: a parameter
/// that moves an argument across it shows up as a larger error. Costs two forward passes per
/// parameter.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::model::{Activation, MlpConfig, Targets};
/// use wgpu_linear::reference::{Mlp, gradcheck};
///
/// let config = MlpConfig { activation: Activation::Tanh, ..MlpConfig::new(&[2, 5, 3]) };
/// let mut mlp = Mlp::<f64>::new(config)?;
/// let x = array![[0.5, -1.0], [2.0, 0.25]];
/// let found = gradcheck(&mut mlp, x.view(), Targets::Classes(&[2, 0]), 1e-6)?;
/// assert!(found.worst <= 1e-7 && found.parameters == 2 * 5 + 5 + 5 * 3 + 3);
/// # Ok::<(), wgpu_linear::model::ModelError>(())
/// ```
///
/// # Errors
/// As [`crate::model::Model::train_batch`].
pub fn gradcheck(
    mlp: &mut Mlp<f64>,
    x: ArrayView2<'_, f32>,
    targets: Targets<'_>,
    h: f64,
) -> Result<GradCheck, ModelError> {
    mlp.backward(x, targets)?;
    let analytic = mlp.gradients().to_vec();
    let mut found = GradCheck {
        worst: 0.0,
        parameters: 0,
    };
    for (layer, gradients) in analytic.iter().enumerate() {
        let (inputs, outputs) = gradients.w.dim();
        for i in 0..inputs {
            for j in 0..outputs {
                let numeric = difference(mlp, x, targets, h, |mlp| {
                    &mut mlp.layers_mut()[layer].w[[i, j]]
                })?;
                found.note(gradients.w[[i, j]], numeric);
            }
        }
        for j in 0..outputs {
            let numeric = difference(mlp, x, targets, h, |mlp| &mut mlp.layers_mut()[layer].b[j])?;
            found.note(gradients.b[j], numeric);
        }
    }
    Ok(found)
}

/// The central difference of the loss along one parameter, which is put back afterwards.
fn difference(
    mlp: &mut Mlp<f64>,
    x: ArrayView2<'_, f32>,
    targets: Targets<'_>,
    h: f64,
    parameter: impl Fn(&mut Mlp<f64>) -> &mut f64,
) -> Result<f64, ModelError> {
    let value = *parameter(mlp);
    *parameter(mlp) = value + h;
    let above = mlp.batch_loss(x, targets)?;
    *parameter(mlp) = value - h;
    let below = mlp.batch_loss(x, targets)?;
    *parameter(mlp) = value;
    Ok((above - below) / (2.0 * h))
}

impl GradCheck {
    fn note(&mut self, analytic: f64, numeric: f64) {
        let error = (analytic - numeric).abs() / analytic.abs().max(numeric.abs()).max(1.0);
        // f64::max would drop a NaN.
        self.worst = if self.worst.is_nan() || error.is_nan() {
            f64::NAN
        } else {
            self.worst.max(error)
        };
        self.parameters += 1;
    }
}
