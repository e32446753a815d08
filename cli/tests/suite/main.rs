//! The tests of the program: one binary, a module per subject.

#![expect(
    clippy::unwrap_used,
    reason = "a test says what it expects by panicking"
)]

mod explain;
mod report;
