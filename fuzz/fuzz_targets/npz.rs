//! Archives of arrays. An entry may unpack to a thousand times its size, and the reader of archives
//! makes room for as many entries as are claimed, 65,535 at most or as many as the file has bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wgpu_linear_fuzz::{is_archive, read_any};

fuzz_target!(|bytes: &[u8]| {
    if is_archive(bytes) {
        read_any("archive", bytes, None, (1024, 24 << 20));
    }
});
