//! Parquet files, whose reader may panic, which is caught.

#![no_main]

use std::sync::Once;

use libfuzzer_sys::fuzz_target;
use wgpu_linear_fuzz::read_table;

static SILENCE: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    // The hook of the fuzzer ends the process even where a panic is caught. One that is not caught
    // ends it all the same, since nothing may unwind out of here.
    SILENCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    if bytes.starts_with(b"PAR1") {
        read_table("columns", bytes, None, (1024, 8 << 20));
    }
});
