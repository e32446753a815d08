//! Seeded initial weights, the same for every implementor of `Model`.

use ndarray::{Array1, Array2};

use super::config::MlpConfig;
use super::initialization::Initialization;
use super::parameters::LayerParameters;

/// The first weights and biases of a network: uniform numbers according to
/// [`MlpConfig::initialization`].
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
pub fn initial_parameters(config: &MlpConfig) -> Vec<LayerParameters> {
    let mut random = fastrand::Rng::with_seed(config.seed);
    let layers = config.layer_sizes.windows(2).enumerate();
    let draw = |(i, ends): (usize, &[usize])| {
        let sizes = [ends[0], ends[1]];
        initial_layer(sizes, config.initialization, i == 0, &mut random)
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
