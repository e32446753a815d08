//! State dicts of PyTorch.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wgpu_linear::exchange::pytorch::{Naming, import, import_training};
use wgpu_linear_fuzz::bounded;

fuzz_target!(|bytes: &[u8]| {
    let prefixes = Naming::prefixes(["0", "fc1"]);
    for naming in [Naming::default(), prefixes] {
        bounded(bytes, (256, 64 << 10), || {
            let _ = import(bytes, &naming);
        });
        bounded(bytes, (256, 64 << 10), || {
            let _ = import_training(bytes, &naming);
        });
    }
});
