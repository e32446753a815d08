//! The integration tests: one binary, a module per subject.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by panicking"
)]

mod support;

mod accumulation;
mod bounded;
mod busy;
mod checkpoint;
mod clip;
mod company;
mod compare;
mod contract;
mod convert;
mod cooperative;
mod data;
#[expect(dead_code, reason = "the tests of event files need more of it")]
#[path = "../../tfevents/tests/suite/decoder.rs"]
mod decoder;
mod delegate;
mod documents;
mod dropout;
mod errors;
mod exchange;
mod failing;
mod faults;
mod gpu;
mod graph;
mod halves;
mod histogram;
mod injected;
mod instances;
mod int8;
mod layers;
mod linear;
mod loss_total;
mod lost;
mod machine_code;
mod metrics;
mod mixed;
mod mlp;
mod network;
mod not_finite;
mod operations;
mod pipelines;
mod plans;
mod predictor;
mod prepare;
mod properties;
mod recovery;
mod reference;
mod report;
mod requirements;
mod resident;
mod schedules;
mod selfcheck;
mod smoothing;
mod splits;
mod state;
mod stopping;
mod structure;
mod torch_reference;
mod training;
mod tune;
mod values;
mod weights;
mod windows;
