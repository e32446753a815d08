//! Twin of `convert.wgsl`.

use ndarray::NdFloat;

use super::rounding::round;
use crate::kernel::ElementType;

/// x = source, as numbers that are stored as `element`: what [`round`] makes of each.
///
/// ```
/// use wgpu_linear::kernel::ElementType;
/// use wgpu_linear::reference::convert;
///
/// assert_eq!(convert(ElementType::F16, &[2049.0_f32, 0.25]), [2048.0, 0.25]);
/// assert_eq!(convert(ElementType::F32, &[2049.0_f32, 0.25]), [2049.0, 0.25]);
/// ```
#[must_use]
pub fn convert<F: NdFloat>(element: ElementType, source: &[F]) -> Vec<F> {
    let mut x = source.to_vec();
    round(element, &mut x);
    x
}
