//! Twins of `gradient_norm.wgsl` and `clip.wgsl`.

use ndarray::NdFloat;

/// norm = √Σ g², in f64.
///
/// ```
/// use wgpu_linear::reference::gradient_norm;
/// assert_eq!(gradient_norm(&[3.0e30_f32, 4.0e30]), f64::from(3.0e30_f32).hypot(f64::from(4.0e30_f32)));
/// ```
#[must_use]
pub fn gradient_norm<'a, F: NdFloat>(gradients: impl IntoIterator<Item = &'a F>) -> f64 {
    let square = |g: &F| g.to_f64().map_or(f64::NAN, |g| g * g);
    gradients.into_iter().map(square).sum::<f64>().sqrt()
}

/// g ← g · min(1, max_norm / (norm + 10⁻⁶)) (Pascanu, Mikolov & Bengio 2013), as PyTorch's
/// *clip_grad_norm_*. Where the norm is not finite, all gradients but zeros become NaN.
///
/// ```
/// use wgpu_linear::reference::{clip, gradient_norm};
/// let mut gradients = [3.0_f64, 4.0];
/// let norm = gradient_norm(&gradients);
/// clip(1.0, norm, &mut gradients);
/// assert!((gradient_norm(&gradients) - 1.0).abs() < 1e-6);
/// ```
pub fn clip<'a, F: NdFloat>(
    max_norm: f32,
    norm: f64,
    gradients: impl IntoIterator<Item = &'a mut F>,
) {
    let factor = f64::from(max_norm) / (norm + 1e-6);
    if factor >= 1.0 {
        return;
    }
    for g in gradients {
        // In f64, where the factor does not vanish.
        let value = g.to_f64().filter(|_| norm.is_finite());
        if *g != F::zero() {
            *g = value
                .and_then(|g| F::from(g * factor))
                .unwrap_or_else(F::nan);
        }
    }
}
