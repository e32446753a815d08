//! The protocol-buffer messages `Event` and `Summary`, as far as scalars need them.
//!
//! Written by hand: seven fields are less than a code generator and its build script. The bytes are those of TensorFlow's own
//! encoder: fields in the order of their numbers, and no proto3 field that has its default value. A field in a `oneof`
//! (`file_version`, `summary`, `simple_value`) is written whatever its value, since being present is its meaning.

/// Wire types of the encoding: how a reader finds the end of a field.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const LENGTH_DELIMITED: u8 = 2;
const FIXED32: u8 = 5;

const EVENT_WALL_TIME: u8 = key(1, FIXED64);
const EVENT_STEP: u8 = key(2, VARINT);
const EVENT_FILE_VERSION: u8 = key(3, LENGTH_DELIMITED);
const EVENT_SUMMARY: u8 = key(5, LENGTH_DELIMITED);
const SUMMARY_VALUE: u8 = key(1, LENGTH_DELIMITED);
const VALUE_TAG: u8 = key(1, LENGTH_DELIMITED);
const VALUE_SIMPLE_VALUE: u8 = key(2, FIXED32);

/// One key byte suffices: the field numbers here are all below 16.
const fn key(field_number: u8, wire_type: u8) -> u8 {
    field_number << 3 | wire_type
}

/// Appends the `Event` that opens a file and names the version of its format.
pub(super) fn file_version(buffer: &mut Vec<u8>, wall_time_seconds: f64) {
    put_wall_time(buffer, wall_time_seconds);
    put_bytes(buffer, EVENT_FILE_VERSION, b"brain.Event:2");
}

/// Appends the `Event` of one scalar.
pub(super) fn scalar(
    buffer: &mut Vec<u8>,
    wall_time_seconds: f64,
    tag: &str,
    step: i64,
    value: f32,
) {
    // A message inside a message is preceded by its length, so the inner lengths come first.
    let tag_bytes = match tag.len() {
        0 => 0,
        length => delimited_bytes(length),
    };
    let value_bytes = tag_bytes + 1 + size_of::<f32>();
    let summary_bytes = delimited_bytes(value_bytes);

    put_wall_time(buffer, wall_time_seconds);
    if step != 0 {
        buffer.push(EVENT_STEP);
        // int64 travels as its two's complement: ten bytes for a negative step.
        put_varint(buffer, step.cast_unsigned());
    }
    put_length(buffer, EVENT_SUMMARY, summary_bytes);
    put_length(buffer, SUMMARY_VALUE, value_bytes);
    if !tag.is_empty() {
        put_bytes(buffer, VALUE_TAG, tag.as_bytes());
    }
    buffer.push(VALUE_SIMPLE_VALUE);
    buffer.extend_from_slice(&value.to_le_bytes());
}

fn put_wall_time(buffer: &mut Vec<u8>, seconds: f64) {
    // Bits, not `== 0.0`: negative zero is not the default value.
    if seconds.to_bits() != 0 {
        buffer.push(EVENT_WALL_TIME);
        buffer.extend_from_slice(&seconds.to_le_bytes());
    }
}

fn put_bytes(buffer: &mut Vec<u8>, key: u8, bytes: &[u8]) {
    put_length(buffer, key, bytes.len());
    buffer.extend_from_slice(bytes);
}

fn put_length(buffer: &mut Vec<u8>, key: u8, length: usize) {
    buffer.push(key);
    put_varint(buffer, length as u64);
}

/// Seven bits a byte, lowest first; the top bit says that another byte follows.
fn put_varint(buffer: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        buffer.push(number as u8 | 0x80);
        number >>= 7;
    }
    buffer.push(number as u8);
}

/// Size of a length-delimited field, with its key and its length.
fn delimited_bytes(content_bytes: usize) -> usize {
    1 + varint_bytes(content_bytes as u64) + content_bytes
}

fn varint_bytes(number: u64) -> usize {
    // Zero takes one byte as well.
    let bits = u64::BITS - (number | 1).leading_zeros();
    bits.div_ceil(7) as usize
}
