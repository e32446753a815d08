//! The program as its users have it, and its parts: one binary, a module per subject.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by panicking"
)]

mod bench;
mod command;
mod data;
mod data_faults;
mod data_files;
#[cfg(feature = "parquet")]
mod data_parquet;
#[path = "../../../tests/suite/delegate.rs"]
mod delegate;
mod doctor;
mod events;
mod explain;
#[expect(dead_code, reason = "the tests of the library need more of it")]
#[path = "../../../tests/suite/failing.rs"]
mod failing;
mod faults;
mod help;
mod recovery;
mod report;
mod stopping;
mod train;
