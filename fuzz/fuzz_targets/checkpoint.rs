//! Checkpoints. Their checksum is not looked at, so that what is behind it is reached.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wgpu_linear::train::checkpoint::Checkpoint;
use wgpu_linear_fuzz::bounded;

fuzz_target!(|bytes: &[u8]| {
    bounded(bytes, (256, 64 << 10), || {
        if let Ok(checkpoint) = Checkpoint::from_bytes(bytes) {
            // What was read can be written.
            checkpoint.to_bytes().unwrap();
        }
    });
});
