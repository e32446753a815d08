//! The program as its users have it: one binary, a module per subject.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by panicking"
)]

mod bench;
mod command;
mod doctor;
mod events;
mod help;
