//! The integration tests: one binary, a module per subject.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by panicking"
)]

#[path = "suite/support.rs"]
mod support;

#[path = "suite/compare.rs"]
mod compare;
#[path = "suite/contract.rs"]
mod contract;
#[cfg(target_os = "linux")]
#[path = "suite/crash.rs"]
mod crash;
#[path = "suite/data.rs"]
mod data;
#[path = "suite/decoder.rs"]
mod decoder;
#[path = "suite/delegate.rs"]
mod delegate;
#[path = "suite/event_files.rs"]
mod event_files;
#[path = "suite/golden.rs"]
mod golden;
#[path = "suite/gpu.rs"]
mod gpu;
#[path = "suite/histogram.rs"]
mod histogram;
#[path = "suite/linear.rs"]
mod linear;
#[path = "suite/mlp.rs"]
mod mlp;
#[path = "suite/network.rs"]
mod network;
#[path = "suite/prepare.rs"]
mod prepare;
#[path = "suite/proto.rs"]
mod proto;
#[path = "suite/reader.rs"]
mod reader;
#[path = "suite/reference.rs"]
mod reference;
#[path = "suite/report.rs"]
mod report;
#[path = "suite/resident.rs"]
mod resident;
#[path = "suite/stream_writer.rs"]
mod stream_writer;
#[path = "suite/summary.rs"]
mod summary;
#[path = "suite/tensorboard.rs"]
mod tensorboard;
#[path = "suite/training.rs"]
mod training;
#[path = "suite/tune.rs"]
mod tune;
#[path = "suite/windows.rs"]
mod windows;
#[path = "suite/writer.rs"]
mod writer;
