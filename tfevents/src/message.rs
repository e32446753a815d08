//! The protocol-buffer message `Event`, of which an event file consists.
//!
//! Written by hand: seven fields are less than a code generator and its build script, and scalars
//! are the hot path.

use super::wire::{self, delimited_bytes, put_varint};

/// Fields of `Event`.
const WALL_TIME: u8 = 1;
const STEP: u8 = 2;
const FILE_VERSION: u8 = 3;
const GRAPH_DEF: u8 = 4;
const SUMMARY: u8 = 5;
const SESSION_LOG: u8 = 7;
/// `SessionLog.status`, and its value `START`.
const STATUS: u8 = 1;
const START: i64 = 1;
/// Fields of `Summary` and of `Summary.Value`.
const VALUE: u8 = 1;
const TAG: u8 = 1;
const SIMPLE_VALUE: u8 = 2;

/// Appends the `Event` that opens a file and names the version of its format.
pub(super) fn file_version(buffer: &mut Vec<u8>, wall_time_seconds: f64) {
    put_moment(buffer, wall_time_seconds, 0);
    wire::put_bytes(buffer, FILE_VERSION, b"brain.Event:2");
}

/// Appends the `Event` that makes readers forget what earlier files have at `step` and behind it.
pub(super) fn session_start(buffer: &mut Vec<u8>, wall_time_seconds: f64, step: i64) {
    put_moment(buffer, wall_time_seconds, step);
    wire::put_message(buffer, SESSION_LOG, |data| {
        wire::put_integer(data, STATUS, START);
    });
}

/// Appends the `Event` of one scalar.
#[inline]
pub(super) fn scalar(
    buffer: &mut Vec<u8>,
    wall_time_seconds: f64,
    step: i64,
    tag: &str,
    value: f32,
) {
    put_moment(buffer, wall_time_seconds, step);
    put_length(buffer, SUMMARY, delimited_bytes(value_bytes(tag)));
    put_scalar(buffer, tag, value);
}

/// Appends the `Event` of several scalars.
pub(super) fn scalars<'a>(
    buffer: &mut Vec<u8>,
    wall_time_seconds: f64,
    step: i64,
    values: impl Iterator<Item = (&'a str, f32)> + Clone,
) {
    let summary_bytes = values
        .clone()
        .map(|(tag, _)| delimited_bytes(value_bytes(tag)))
        .sum();
    put_moment(buffer, wall_time_seconds, step);
    put_length(buffer, SUMMARY, summary_bytes);
    for (tag, value) in values {
        put_scalar(buffer, tag, value);
    }
}

/// Appends the `Event` of a summary, given the encoded fields of the latter.
pub(super) fn summary<'a>(
    buffer: &mut Vec<u8>,
    wall_time_seconds: f64,
    step: i64,
    values: impl Iterator<Item = &'a [u8]> + Clone,
) {
    put_moment(buffer, wall_time_seconds, step);
    put_length(buffer, SUMMARY, values.clone().map(<[u8]>::len).sum());
    for value in values {
        buffer.extend_from_slice(value);
    }
}

/// Appends the `Event` of a `GraphDef`.
pub(super) fn graph(buffer: &mut Vec<u8>, wall_time_seconds: f64, graph_def: &[u8]) {
    put_moment(buffer, wall_time_seconds, 0);
    wire::put_bytes(buffer, GRAPH_DEF, graph_def);
}

#[inline]
fn put_moment(buffer: &mut Vec<u8>, wall_time_seconds: f64, step: i64) {
    wire::put_f64_unless_zero(buffer, WALL_TIME, wall_time_seconds);
    wire::put_integer_unless_zero(buffer, STEP, step);
}

/// Size of a `Summary.Value` with a scalar. A message inside a message is preceded by its length,
/// so inner lengths come first.
#[inline]
fn value_bytes(tag: &str) -> usize {
    let tag_bytes = match tag.len() {
        0 => 0,
        length => delimited_bytes(length),
    };
    tag_bytes + 1 + size_of::<f32>()
}

#[inline]
fn put_scalar(buffer: &mut Vec<u8>, tag: &str, value: f32) {
    put_length(buffer, VALUE, value_bytes(tag));
    wire::put_text(buffer, TAG, tag);
    wire::put_f32(buffer, SIMPLE_VALUE, value);
}

#[inline]
fn put_length(buffer: &mut Vec<u8>, number: u8, length: usize) {
    buffer.push(wire::key(number, wire::LENGTH_DELIMITED));
    put_varint(buffer, length as u64);
}
