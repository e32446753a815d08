//! What a run tells on its way to an event file, which may fail without ending the training.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::events::{Graph, Summary, WriteError, Writer};

/// An event file, or none. A failing disk does not end the training: what counts is whether
/// everything has been written in the end.
#[derive(Debug)]
pub(super) struct EventLog {
    events: Option<Writer>,
    /// Up to which step there are points, by tag; `None` where no step is ever repeated.
    reached: Option<HashMap<String, u64>>,
    /// Whether the file says how the run began.
    is_begun: bool,
}

impl EventLog {
    /// `repeats` for a run that may repeat steps: what is there of them already is left out then.
    pub(super) fn new(events: Option<Writer>, repeats: bool) -> Self {
        Self {
            reached: (repeats && events.is_some()).then(HashMap::new),
            events,
            is_begun: false,
        }
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

    /// How a run begins: said once.
    pub(super) fn begin(&mut self, step: u64, beginning: &Summary, graph: Option<&Graph>) {
        if let Some(events) = self.events.as_ref().filter(|_| !self.is_begun) {
            events.summary(step as i64, beginning);
            if let Some(graph) = graph {
                events.graph(graph);
            }
        }
        self.is_begun = true;
    }

    /// How it ends, if it has begun.
    pub(super) fn end(&self, step: u64, ending: &Summary) {
        if let Some(events) = self.events.as_ref().filter(|_| self.is_begun) {
            events.summary(step as i64, ending);
        }
    }

    /// Adds values of one step, which together go by this name.
    pub(super) fn summary(&mut self, step: u64, name: &str, summary: &Summary) {
        if self.is_new(step, name)
            && let Some(events) = &self.events
        {
            events.summary(step as i64, summary);
        }
    }

    /// Adds a point.
    pub(super) fn scalar(&mut self, step: u64, tag: &str, value: f32) {
        if self.is_new(step, tag)
            && let Some(events) = &self.events
        {
            events.scalar(tag, step as i64, value);
        }
    }

    /// Whether there is nothing of this step yet.
    fn is_new(&mut self, step: u64, tag: &str) -> bool {
        let Some(reached) = &mut self.reached else {
            return true;
        };
        match reached.get_mut(tag) {
            Some(last) if step <= *last => return false,
            Some(last) => *last = step,
            None => {
                reached.insert(tag.to_owned(), step);
            }
        }
        true
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
