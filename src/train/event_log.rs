//! What a run tells on its way to an event file, which may fail without ending the training.

use std::path::PathBuf;

use crate::events::{Graph, Summary, WriteError, Writer};

/// An event file, or none. A failing disk does not end the training: what counts is whether
/// everything has been written in the end.
#[derive(Debug)]
pub(super) struct EventLog {
    events: Option<Writer>,
}

impl EventLog {
    pub(super) fn new(events: Option<Writer>) -> Self {
        Self { events }
    }

    /// The event file, for messages.
    pub(super) fn path(&self) -> PathBuf {
        let path = self.events.as_ref().and_then(Writer::path);
        path.map(PathBuf::from).unwrap_or_default()
    }

    /// Whether anybody reads what is added.
    pub(super) fn is_on(&self) -> bool {
        self.events.is_some()
    }

    /// Adds the graph of the model.
    pub(super) fn graph(&self, graph: &Graph) {
        if let Some(events) = &self.events {
            events.graph(graph);
        }
    }

    /// Adds values of one step.
    pub(super) fn summary(&self, step: u64, summary: &Summary) {
        if let Some(events) = &self.events {
            events.summary(step as i64, summary);
        }
    }

    /// Adds a point.
    pub(super) fn scalar(&self, step: u64, tag: &str, value: f32) {
        if let Some(events) = &self.events {
            events.scalar(tag, step as i64, value);
        }
    }

    /// Writes out everything so far. An error is reported by the writer, and counts only if it
    /// lasts.
    pub(super) fn flush(&self) {
        if let Some(events) = &self.events {
            let _ = events.flush();
        }
    }

    /// Closes the file. An error means that points are missing from it.
    pub(super) fn close(self) -> Result<(), WriteError> {
        self.events
            .map_or(Ok(()), |events| events.close().map(drop))
    }
}
