//! Arrays as NumPy writes them, and IDX: one file, or a second one with labels behind it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wgpu_linear_fuzz::{TEXT, read_table};

fuzz_target!(|bytes: &[u8]| {
    // The first two bytes say where the labels begin; beyond the end there are none.
    let Some((at, rest)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let at = usize::from(u16::from_le_bytes(*at));
    let (images, labels) = rest
        .split_at_checked(at)
        .map_or((rest, None), |(a, b)| (a, Some(b)));
    // What is no array is read as text.
    read_table("array", images, labels, TEXT);
});
