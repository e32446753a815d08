//! Where values of other crates come in: events of `tracing`, and instruments of `metrics`.

#[cfg(feature = "metrics")]
mod instruments;
#[cfg(feature = "metrics")]
mod metrics_recorder;
#[cfg(feature = "tracing")]
mod tracing_fields;
#[cfg(feature = "tracing")]
mod tracing_layer;

#[cfg(feature = "metrics")]
pub use metrics_recorder::MetricsRecorder;
#[cfg(feature = "tracing")]
pub use tracing_layer::TracingLayer;
