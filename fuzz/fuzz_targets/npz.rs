//! Archives of arrays. An entry may unpack to a thousand times its size, and the reader of archives
//! makes room for as many entries as are claimed, 65,535 at most or as many as the file has bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wgpu_linear_fuzz::read_table;

fuzz_target!(|bytes: &[u8]| {
    if bytes.starts_with(b"PK") {
        read_table("archive", bytes, None, (1024, 24 << 20));
    }
});
