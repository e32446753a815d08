//! Numbers as they are stored.

use half::f16;
use ndarray::NdFloat;

use super::float::cast;
use crate::kernel::ElementType;

/// Each number as `element` stores it: the nearest f16, ties to even, past 65,504 an infinity. In
/// f32 nothing changes, whatever the float type of the twin.
///
/// ```
/// use wgpu_linear::kernel::ElementType;
/// use wgpu_linear::reference::round;
///
/// let mut values = [2049.0, 1e5, 0.1_f64];
/// round(ElementType::F16, &mut values);
/// assert_eq!(values, [2048.0, f64::INFINITY, 0.0999755859375]);
/// ```
pub fn round<F: NdFloat>(element: ElementType, values: &mut [F]) {
    if element == ElementType::F32 {
        return;
    }
    for value in values {
        let wide = value.to_f64().unwrap_or(f64::NAN);
        *value = cast(f16::from_f64(wide).to_f32());
    }
}
