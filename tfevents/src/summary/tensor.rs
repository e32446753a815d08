//! Values that are tensors, or nothing but metadata: how all plugins but the oldest keep their
//! data.
//!
//! Sources: `tensorflow/core/framework/tensor.proto` and `summary.proto`.

use super::wire;
use crate::shape;

/// Elements of a tensor.
pub(super) enum Elements<'a> {
    Floats(&'a [f32]),
    Bytes(&'a [u8]),
}

/// Appends the tensor of a `Summary.Value`, with the given sizes.
pub(super) fn put(data: &mut Vec<u8>, sizes: &[usize], elements: &Elements<'_>) {
    wire::put_message(data, TENSOR, |data| {
        let dtype = match elements {
            Elements::Floats(_) => DT_FLOAT,
            Elements::Bytes(_) => DT_STRING,
        };
        wire::put_integer(data, DTYPE, dtype);
        let sizes: Vec<_> = sizes.iter().map(|size| Some(*size as u64)).collect();
        wire::put_message(data, TENSOR_SHAPE, |data| shape::put(data, &sizes));
        match elements {
            Elements::Floats(values) => wire::put_packed_f32(data, FLOAT_VAL, values),
            Elements::Bytes(bytes) => wire::put_bytes(data, STRING_VAL, bytes),
        }
    });
}

/// Appends the metadata of a `Summary.Value`: the plugin that shows it, and what only this plugin
/// can read.
pub(super) fn put_plugin(data: &mut Vec<u8>, name: &str, content: &[u8]) {
    wire::put_message(data, METADATA, |data| {
        wire::put_message(data, PLUGIN_DATA, |data| {
            wire::put_text(data, PLUGIN_NAME, name);
            if !content.is_empty() {
                wire::put_bytes(data, CONTENT, content);
            }
        });
    });
}

/// Fields of `Summary.Value`.
const TENSOR: u8 = 8;
const METADATA: u8 = 9;
/// Fields of `SummaryMetadata` and its `PluginData`.
const PLUGIN_DATA: u8 = 1;
const PLUGIN_NAME: u8 = 1;
const CONTENT: u8 = 2;
/// Fields of `TensorProto`.
const DTYPE: u8 = 1;
const TENSOR_SHAPE: u8 = 2;
const FLOAT_VAL: u8 = 5;
const STRING_VAL: u8 = 8;
/// Values of `DataType`.
const DT_FLOAT: i64 = 1;
const DT_STRING: i64 = 7;
