//! Whether a model trains as its twin does.

use ndarray::{Array2, ArrayView2, Axis};

use crate::model::{LayerParameters, MlpConfig, Model, ModelError, Targets};
use crate::reference;

/// How far a model is from its twin in f64 after the same steps.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingErrors {
    /// The largest relative error of a loss.
    pub loss: f64,
    /// The largest relative error of what the steps have changed in a tensor, in Frobenius norms.
    pub update: f64,
}

impl TrainingErrors {
    /// Whether both are as small as rounding makes them. A sum so near to 0 that one of the two lets
    /// it through a ReLU and the other does not changes up to 1 % of a gradient.
    #[must_use]
    pub fn are_small(&self) -> bool {
        self.loss <= 1e-5 && self.update <= 2e-2
    }
}

/// Trains `model`, which has just been made from `config`, and its twin on these batches, one step
/// each.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::check::training;
/// use wgpu_linear::model::{MlpConfig, Targets};
/// use wgpu_linear::{Gpu, nn};
///
/// let config = MlpConfig::new(&[2, 8, 2]);
/// let mut model = nn::Mlp::new(&Gpu::new()?, config.clone())?;
/// let x = array![[0.0, 1.0], [1.0, 0.0]];
/// let errors = training(&mut model, config, &[(x.view(), Targets::Classes(&[0, 1])); 3])?;
/// assert!(errors.are_small(), "{errors:?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ModelError`] of the model or its twin.
pub fn training(
    model: &mut dyn Model,
    config: MlpConfig,
    batches: &[(ArrayView2<'_, f32>, Targets<'_>)],
) -> Result<TrainingErrors, ModelError> {
    let before = model.parameters()?;
    let mut twin = reference::Mlp::<f64>::new(config)?;
    let mut loss = 0.0_f64;
    for (x, targets) in batches {
        let expected = twin.batch_loss(*x, *targets)?;
        twin.train_batch(*x, *targets)?;
        model.train_batch(*x, *targets)?;
        let error = (f64::from(model.take_loss()?.mean) - expected).abs() / expected;
        loss = larger(loss, error);
    }
    let update = update_error(&before, &model.parameters()?, twin.layers());
    Ok(TrainingErrors { loss, update })
}

/// A NaN counts as the largest of all, and stays one.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

/// The largest relative error of what some steps have changed in a tensor: |after − twin| / |twin −
/// before|, in Frobenius norms.
#[must_use]
pub fn update_error(
    before: &[LayerParameters],
    after: &[LayerParameters],
    twin: &[LayerParameters<f64>],
) -> f64 {
    let tensors = |layer: &LayerParameters| {
        let bias = layer.b.view().insert_axis(Axis(0));
        [layer.w.mapv(f64::from), bias.mapv(f64::from)]
    };
    let mut largest = 0.0_f64;
    for ((before, after), twin) in before.iter().zip(after).zip(twin) {
        let expected = [twin.w.clone(), twin.b.clone().insert_axis(Axis(0))];
        let tensors = tensors(before)
            .into_iter()
            .zip(tensors(after))
            .zip(expected);
        for ((before, after), expected) in tensors {
            let error = norm(&(&after - &expected)) / norm(&(&expected - &before));
            largest = larger(largest, error);
        }
    }
    largest
}

fn norm(matrix: &Array2<f64>) -> f64 {
    matrix.iter().map(|value| value * value).sum::<f64>().sqrt()
}
