//! Tables as text, by the program's reader.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wgpu_linear_fuzz::{TEXT, read_table};

// Buffers of the reader, and two copies of a row of numbers with its names.
fuzz_target!(|bytes: &[u8]| read_table("table", bytes, None, TEXT));
