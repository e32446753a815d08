//! The data of one record.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tfevents::reader::Event;
use tfevents_fuzz::{BYTES_PER_BYTE, peak_bytes};

fuzz_target!(|data: &[u8]| {
    let peak = peak_bytes(|| {
        let first = Event::decode(data);
        // Again, without comparing NaN with itself.
        assert_eq!(first.is_ok(), Event::decode(data).is_ok());
    });
    // Two events at a time.
    let bound = 2 * (1024 + BYTES_PER_BYTE * data.len());
    assert!(peak <= bound, "{peak} bytes for {} of input", data.len());
});
