//! The integration tests of the program: one binary, a module per subject.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by panicking"
)]

mod data;
mod data_faults;
mod data_files;
#[cfg(feature = "parquet")]
mod data_parquet;
mod explain;
mod report;
