//! What the targets share: memory that is watched, and files in memory.

#[path = "../../tfevents/fuzz/src/lib.rs"]
mod counting;

use std::path::{Path, PathBuf};

use wgpu_linear_cli::data::{ReadOptions, read};

pub use counting::{BYTES_PER_BYTE, peak_bytes};

/// Runs `work` on `input`, which may take `per_byte` bytes of memory for each of the input's, and
/// `fixed` besides.
pub fn bounded(input: &[u8], (per_byte, fixed): (usize, usize), work: impl FnOnce()) {
    let peak = peak_bytes(work);
    let bound = per_byte * input.len() + fixed;
    assert!(peak <= bound, "{peak} bytes for {} of input", input.len());
}

/// A file of this process with these bytes, in memory where the system has a folder for that.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    let path = folder.join(format!("wgpu-linear-fuzz-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Bytes for each byte of a table as text, and bytes besides. A separator makes a column, which takes
/// 1.8 KB where no row but the first has it.
pub const TEXT: (usize, usize) = (2048, 2 << 20);

/// Whether the reader takes the bytes for an archive, for which it makes room by what is claimed: a
/// matter of the target `npz`.
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK")
}

/// Reads a table, alone or with labels. What is packed unpacks to any size, and is left to the
/// program's own limit on memory.
pub fn read_table(name: &str, bytes: &[u8], labels: Option<&[u8]>, bound: (usize, usize)) {
    let is_left_out = |bytes: &[u8]| bytes.starts_with(&[0x1f, 0x8b]) || is_archive(bytes);
    if !is_left_out(bytes) && !labels.is_some_and(is_left_out) {
        read_any(name, bytes, labels, bound);
    }
}

/// [`read_table`] whatever it is.
pub fn read_any(name: &str, bytes: &[u8], labels: Option<&[u8]>, bound: (usize, usize)) {
    let path = file(name, bytes);
    let options = ReadOptions {
        labels: labels.map(|labels| file("labels", labels)),
        // With something to learn and without, in turn.
        target: bytes.len().is_multiple_of(4).then(Vec::new),
        max_bytes: Some(1 << 20),
        ..ReadOptions::default()
    };
    let mut table = None;
    bounded(bytes, bound, || table = read(&path, &options).ok());
    let _ = table.map(|table| table.describe());
}
