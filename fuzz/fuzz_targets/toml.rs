//! Configurations of a run.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wgpu_linear_cli::config::Settings;
use wgpu_linear_fuzz::bounded;

fuzz_target!(|text: &str| {
    bounded(text.as_bytes(), (1024, 64 << 10), || {
        if let Ok(settings) = Settings::parse(text) {
            // What was read can be written, and read again.
            Settings::parse(&settings.to_toml()).unwrap();
        }
    });
});
