//! The examples as programs: what they print, what they write, what they refuse, and how they end.
//!
//! The binary is one of its own because it needs the examples: `cargo test --test programs` alone
//! does not build them. `scripts/test --quick` leaves it out.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by panicking"
)]

mod command;

mod apply;
mod bench;
mod kernels;
mod neural_texture;
mod shortest;
mod surrogate;
mod train_mlp;
mod tune;
