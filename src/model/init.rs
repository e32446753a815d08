//! Seeded initial weights, the same for every implementor of `Model`.

use ndarray::{Array1, Array2};

use super::initialization::Initialization;
use super::network::{LayerConfig, NetworkConfig};
use super::parameters::LayerParameters;

/// The first weights and biases of a network: uniform weights according to
/// [`LayerConfig::initialization`], biases of 0.
///
/// Depends on nothing but sizes, initialisation and seed; only additions, multiplications and one
/// correctly rounded square root are involved, so every platform gets the same bits.
///
/// ```
/// use wgpu_linear::model::{MlpConfig, initial_parameters};
/// let layers = initial_parameters(&MlpConfig::new(&[24, 3]));
/// assert_eq!(layers[0].w.dim(), (24, 3));
/// assert!(layers[0].w.iter().all(|w| w.abs() <= 0.5)); // √(6 / 24)
/// ```
#[must_use]
pub fn initial_parameters(config: impl Into<NetworkConfig>) -> Vec<LayerParameters> {
    let config = config.into();
    let mut random = fastrand::Rng::with_seed(config.seed);
    let layer = |layer: &LayerConfig| {
        let (inputs, outputs) = (layer.inputs, layer.outputs);
        let fan = match layer.initialization {
            Initialization::He => inputs,
            Initialization::Xavier => inputs + outputs,
        };
        let limit = (6.0 / fan as f32).sqrt();
        let w =
            Array2::from_shape_simple_fn((inputs, outputs), || limit * (2.0 * random.f32() - 1.0));
        LayerParameters {
            w,
            b: Array1::zeros(outputs),
        }
    };
    config.layers().iter().map(layer).collect()
}
