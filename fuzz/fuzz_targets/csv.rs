//! Data sets as text, by the library's reader.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wgpu_linear::train::data::parse_csv;
use wgpu_linear_fuzz::bounded;

fuzz_target!(|bytes: &[u8]| {
    bounded(bytes, (64, 64 << 10), || {
        let _ = parse_csv(bytes);
    });
});
