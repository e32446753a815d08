//! The integration tests: one binary, a module per subject.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by panicking"
)]

mod support;

mod compare;
mod contract;
#[cfg(target_os = "linux")]
mod crash;
mod data;
mod decoder;
mod delegate;
mod event_files;
mod golden;
mod gpu;
mod histogram;
mod linear;
mod mlp;
mod network;
mod prepare;
mod proto;
mod reader;
mod reference;
mod report;
mod resident;
mod stream_writer;
mod summary;
mod tensorboard;
mod training;
mod tune;
mod windows;
mod writer;
