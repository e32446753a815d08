//! Tensors: what newer writers wrap every value in.
//!
//! Source: TensorFlow's
//! [`tensor.proto`](https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/tensor.proto)
//! and
//! [`types.proto`](https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/types.proto).

use super::damage::Malformed;
use super::event::{PluginData, TensorData, TensorValue, Value};
use super::fields::{Field, extend_f32, extend_f64, fields, last_varint};

const DT_FLOAT: u64 = 1;
const DT_DOUBLE: u64 = 2;
const DT_STRING: u64 = 7;

/// The value that a `TensorProto` is to its plugin.
pub(super) fn value(message: &[u8], plugin: PluginData) -> Result<Value, Malformed> {
    let shape = shape(message)?;
    let data = match last_varint(message, 1)? {
        DT_FLOAT => TensorData::F32(floats(message)?),
        DT_DOUBLE => TensorData::F64(doubles(message)?),
        DT_STRING => TensorData::Strings(strings(message)?),
        other => TensorData::Other(other),
    };
    Ok(match (plugin.name.as_str(), data) {
        ("scalars", TensorData::F32(values)) if values.len() == 1 => Value::Scalar(values[0]),
        ("scalars", TensorData::F64(values)) if values.len() == 1 => Value::Scalar64(values[0]),
        ("text", TensorData::Strings(texts)) => Value::Text(texts.into_iter().map(lossy).collect()),
        (name, _) if !name.is_empty() && shape.contains(&0) => Value::Plugin(Box::new(plugin)),
        (_, data) => Value::Tensor(Box::new(TensorValue {
            plugin,
            shape,
            data,
        })),
    })
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn shape(message: &[u8]) -> Result<Vec<i64>, Malformed> {
    let mut sizes = Vec::new();
    for field in fields(message) {
        if let (2, Field::Bytes(shape)) = field? {
            for field in fields(shape) {
                if let (2, Field::Bytes(dimension)) = field? {
                    sizes.push(last_varint(dimension, 1)?.cast_signed());
                }
            }
        }
    }
    Ok(sizes)
}

// The elements stand in `tensor_content` as they lie in memory, or in the list of their type.

fn floats(message: &[u8]) -> Result<Vec<f32>, Malformed> {
    let mut values = Vec::new();
    for field in fields(message) {
        if let (4 | 5, field) = field? {
            extend_f32(&mut values, field)?;
        }
    }
    Ok(values)
}

fn doubles(message: &[u8]) -> Result<Vec<f64>, Malformed> {
    let mut values = Vec::new();
    for field in fields(message) {
        if let (4 | 6, field) = field? {
            extend_f64(&mut values, field)?;
        }
    }
    Ok(values)
}

fn strings(message: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
    let mut values = Vec::new();
    for field in fields(message) {
        if let (8, Field::Bytes(bytes)) = field? {
            values.push(bytes.to_vec());
        }
    }
    Ok(values)
}
