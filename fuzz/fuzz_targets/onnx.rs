//! Networks of others.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wgpu_linear::exchange::onnx::{export, import};
use wgpu_linear_fuzz::bounded;

fuzz_target!(|bytes: &[u8]| {
    bounded(bytes, (1024, 64 << 10), || {
        if let Ok(model) = import(bytes) {
            // What was read can be written.
            let _ = export(&model);
        }
    });
});
