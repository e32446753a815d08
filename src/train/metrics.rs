//! The metrics of a run on their way to an event file, which may fail without ending the training.

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use crate::events::EventWriter;

/// How often the file is brought up to date while an epoch runs.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// An event file, or none. A failing disk does not end the training: the writer keeps what it could not write and tries again. What counts is
/// whether everything has been written in the end.
#[derive(Debug)]
pub(super) struct Metrics {
    events: Option<EventWriter<File>>,
    flushed: Instant,
    first_error: Option<io::Error>,
    /// A record was not kept: the file stays incomplete even if the disk recovers.
    incomplete: bool,
}

impl Metrics {
    pub(super) fn new(events: Option<EventWriter<File>>) -> Self {
        Self {
            events,
            flushed: Instant::now(),
            first_error: None,
            incomplete: false,
        }
    }

    /// Writes a point, and brings the file up to date about once a second.
    pub(super) fn log(&mut self, step: u64, tag: &str, value: f32) {
        let Some(events) = &mut self.events else {
            return;
        };
        let result = events.scalar(tag, step as i64, value);
        self.incomplete |= result.as_ref().is_err_and(was_refused);
        self.note(result);
        if self.flushed.elapsed() >= FLUSH_EVERY {
            self.flush();
        }
    }

    /// Writes out everything so far.
    pub(super) fn flush(&mut self) {
        if let Some(events) = &mut self.events {
            let result = events.flush();
            self.note(result);
            self.flushed = Instant::now();
        }
    }

    /// Closes the file. An error means that points are missing from it.
    pub(super) fn close(mut self) -> io::Result<()> {
        let closed = self.events.take().map_or(Ok(()), EventWriter::close);
        match self.first_error {
            Some(error) if self.incomplete => Err(error),
            _ => closed,
        }
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result
            && self.first_error.is_none()
        {
            log::warn!("the event file cannot be written, training goes on: {error}");
            self.first_error = Some(error);
        }
    }
}

fn was_refused(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<crate::events::BacklogFull>())
}
