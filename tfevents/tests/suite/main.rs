//! The integration tests: one binary, a module per subject.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by panicking"
)]

mod support;

#[cfg(target_os = "linux")]
mod crash;
mod decoder;
mod errors;
mod event_files;
mod golden;
#[cfg(unix)]
mod gone;
mod image_buffers;
mod metrics_recorder;
mod numbers;
mod overview;
mod programs;
mod proto;
mod reader;
mod steps;
mod stream_writer;
mod summary;
mod tensorboard;
mod tracing_layer;
mod writer;
