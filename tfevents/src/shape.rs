//! Shapes of tensors, in graphs and in values.
//!
//! Source: `tensorflow/core/framework/tensor_shape.proto`.

use super::wire;

/// Appends the fields of a `TensorShapeProto`; `None` is a size that is not known.
pub(super) fn put(data: &mut Vec<u8>, sizes: &[Option<u64>]) {
    const UNKNOWN: i64 = -1;
    for size in sizes {
        let size = size.map_or(UNKNOWN, |size| i64::try_from(size).unwrap_or(i64::MAX));
        wire::put_message(data, DIM, |data| {
            wire::put_integer_unless_zero(data, SIZE, size);
        });
    }
}

/// Fields of `TensorShapeProto` and its `Dim`.
const DIM: u8 = 2;
const SIZE: u8 = 1;
