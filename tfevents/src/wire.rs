//! The encoding of protocol buffers, as far as a writer needs it: fields of four wire types,
//! appended to a buffer.
//!
//! The bytes are those of Google's own encoder: fields in the order of their numbers, and no proto3
//! field that has its default value. A field in a `oneof` is written whatever its value, since
//! being present is its meaning; so are the elements of a repeated field. Which is which is the
//! caller's to know.
//!
//! Source: [encoding of protocol buffers](https://protobuf.dev/programming-guides/encoding/).

/// Wire types: how a reader finds the end of a field.
pub(super) const VARINT: u8 = 0;
pub(super) const FIXED64: u8 = 1;
pub(super) const LENGTH_DELIMITED: u8 = 2;
pub(super) const FIXED32: u8 = 5;

/// One key byte suffices for field numbers below 16.
pub(super) const fn key(field_number: u8, wire_type: u8) -> u8 {
    assert!(field_number < 16, "the key takes two bytes");
    field_number << 3 | wire_type
}

/// A `double` field, whatever its value.
#[inline]
pub(super) fn put_f64(buffer: &mut Vec<u8>, number: u8, value: f64) {
    buffer.push(key(number, FIXED64));
    buffer.extend_from_slice(&value.to_le_bytes());
}

/// A `double` field, left out where it is +0.
#[inline]
pub(super) fn put_f64_unless_zero(buffer: &mut Vec<u8>, number: u8, value: f64) {
    // Bits, not `== 0.0`: negative zero is not the default value.
    if value.to_bits() != 0 {
        put_f64(buffer, number, value);
    }
}

/// A `repeated double` field, left out where there are none.
pub(super) fn put_packed_f64(buffer: &mut Vec<u8>, number: u8, values: &[f64]) {
    if !values.is_empty() {
        buffer.push(key(number, LENGTH_DELIMITED));
        put_varint(buffer, size_of_val(values) as u64);
        buffer.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
}

/// A `float` field, whatever its value.
#[inline]
pub(super) fn put_f32(buffer: &mut Vec<u8>, number: u8, value: f32) {
    buffer.push(key(number, FIXED32));
    buffer.extend_from_slice(&value.to_le_bytes());
}

/// A `repeated float` field, left out where there are none.
pub(super) fn put_packed_f32(buffer: &mut Vec<u8>, number: u8, values: &[f32]) {
    if !values.is_empty() {
        buffer.push(key(number, LENGTH_DELIMITED));
        put_varint(buffer, size_of_val(values) as u64);
        buffer.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
}

/// An integer or enum field, left out where it is 0.
#[inline]
pub(super) fn put_integer_unless_zero(buffer: &mut Vec<u8>, number: u8, value: i64) {
    if value != 0 {
        put_integer(buffer, number, value);
    }
}

/// An integer, enum or `bool` field, whatever its value. int64 travels as its two's complement: ten
/// bytes for a negative one.
#[inline]
pub(super) fn put_integer(buffer: &mut Vec<u8>, number: u8, value: i64) {
    buffer.push(key(number, VARINT));
    put_varint(buffer, value.cast_unsigned());
}

/// A `bytes` or `string` field, whatever its value.
#[inline]
pub(super) fn put_bytes(buffer: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    buffer.push(key(number, LENGTH_DELIMITED));
    put_varint(buffer, bytes.len() as u64);
    buffer.extend_from_slice(bytes);
}

/// A `string` field, left out where it is empty.
#[inline]
pub(super) fn put_text(buffer: &mut Vec<u8>, number: u8, text: &str) {
    if !text.is_empty() {
        put_bytes(buffer, number, text.as_bytes());
    }
}

/// A message as a field of another; `encode` appends its fields.
///
/// Not for the hot path: the message is encoded behind the place of its length, and moved when that
/// is known.
pub(super) fn put_message(buffer: &mut Vec<u8>, number: u8, encode: impl FnOnce(&mut Vec<u8>)) {
    buffer.push(key(number, LENGTH_DELIMITED));
    let begin = buffer.len();
    encode(buffer);
    let mut length = [0; MAX_VARINT_BYTES];
    let length = varint(&mut length, (buffer.len() - begin) as u64);
    buffer.splice(begin..begin, length.iter().copied());
}

const MAX_VARINT_BYTES: usize = 10;

#[inline]
pub(super) fn put_varint(buffer: &mut Vec<u8>, number: u64) {
    match number {
        0..0x80 => buffer.push(number as u8),
        // Most steps, which are on the hot path.
        0x80..0x4000 => buffer.extend_from_slice(&[number as u8 | 0x80, (number >> 7) as u8]),
        _ => put_long_varint(buffer, number),
    }
}

fn put_long_varint(buffer: &mut Vec<u8>, number: u64) {
    let mut bytes = [0; MAX_VARINT_BYTES];
    buffer.extend_from_slice(varint(&mut bytes, number));
}

/// Seven bits a byte, lowest first; the top bit says that another byte follows.
fn varint(bytes: &mut [u8; MAX_VARINT_BYTES], mut number: u64) -> &[u8] {
    let mut length = 0;
    while number >= 0x80 {
        bytes[length] = number as u8 | 0x80;
        number >>= 7;
        length += 1;
    }
    bytes[length] = number as u8;
    &bytes[..=length]
}

/// Size of a length-delimited field, with its key and its length.
#[inline]
pub(super) fn delimited_bytes(content_bytes: usize) -> usize {
    1 + varint_bytes(content_bytes as u64) + content_bytes
}

#[inline]
fn varint_bytes(number: u64) -> usize {
    // Zero takes one byte as well.
    let bits = u64::BITS - (number | 1).leading_zeros();
    bits.div_ceil(7) as usize
}
