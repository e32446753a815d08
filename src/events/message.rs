//! The protocol-buffer messages `Event` and `Summary`, as far as scalars need them.
//!
//! Written by hand: seven fields are less than a code generator and its build script.

use super::wire::{self, delimited_bytes, put_varint};

/// Fields of `Event`.
const WALL_TIME: u8 = 1;
const STEP: u8 = 2;
const FILE_VERSION: u8 = 3;
const SUMMARY: u8 = 5;
/// Fields of `Summary` and of `Summary.Value`.
const VALUE: u8 = 1;
const TAG: u8 = 1;
const SIMPLE_VALUE: u8 = 2;

/// Appends the `Event` that opens a file and names the version of its format.
pub(super) fn file_version(buffer: &mut Vec<u8>, wall_time_seconds: f64) {
    put_wall_time(buffer, wall_time_seconds);
    wire::put_bytes(buffer, FILE_VERSION, b"brain.Event:2");
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
        wire::put_integer(buffer, STEP, step);
    }
    put_length(buffer, SUMMARY, summary_bytes);
    put_length(buffer, VALUE, value_bytes);
    wire::put_text(buffer, TAG, tag);
    wire::put_f32(buffer, SIMPLE_VALUE, value);
}

/// Appends the `Event` of a summary, given the fields of the latter.
pub(super) fn summary(buffer: &mut Vec<u8>, wall_time_seconds: f64, step: i64, fields: &[u8]) {
    put_wall_time(buffer, wall_time_seconds);
    if step != 0 {
        wire::put_integer(buffer, STEP, step);
    }
    wire::put_bytes(buffer, SUMMARY, fields);
}

fn put_wall_time(buffer: &mut Vec<u8>, seconds: f64) {
    // Bits, not `== 0.0`: negative zero is not the default value.
    if seconds.to_bits() != 0 {
        wire::put_f64(buffer, WALL_TIME, seconds);
    }
}

fn put_length(buffer: &mut Vec<u8>, number: u8, length: usize) {
    buffer.push(wire::key(number, wire::LENGTH_DELIMITED));
    put_varint(buffer, length as u64);
}
