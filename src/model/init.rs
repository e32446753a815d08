//! Seeded initial weights, the same for every implementor of `Model`.

use ndarray::{Array1, Array2};

use super::initialization::Initialization;
use super::network::{LayerConfig, NetworkConfig};
use super::parameters::LayerParameters;

/// The first weights and biases of a network: uniform numbers according to
/// [`LayerConfig::initialization`].
///
/// Depends on nothing but sizes, initialisation and seed; only additions, multiplications,
/// divisions and one correctly rounded square root are involved, so every platform gets the same
/// bits.
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
    let layers = config.layers().iter().enumerate();
    let draw = |(i, layer): (usize, &LayerConfig)| {
        let sizes = [layer.inputs, layer.outputs];
        initial_layer(sizes, layer.initialization, i == 0, &mut random)
    };
    layers.map(draw).collect()
}

/// The first weights and biases of one layer of inputs × outputs: first W, row by row, then b,
/// where it is drawn at all. `is_first` for the layer that takes the examples.
pub(crate) fn initial_layer(
    [inputs, outputs]: [usize; 2],
    initialization: Initialization,
    is_first: bool,
    random: &mut fastrand::Rng,
) -> LayerParameters {
    let limits = initialization.limits(inputs, outputs, is_first);
    let mut draw = |limit: f32| {
        // What is not drawn leaves the numbers to others.
        if limit == 0.0 {
            return 0.0;
        }
        limit * (2.0 * random.f32() - 1.0)
    };
    LayerParameters {
        w: Array2::from_shape_simple_fn((inputs, outputs), || draw(limits.w)),
        b: Array1::from_shape_simple_fn(outputs, || draw(limits.b)),
    }
}
