//! The writer with a thread of its own: callers encode into a shared buffer, the thread writes it
//! out.

mod builder;
mod closed;
mod curves;
mod event_file;
mod group;
mod kinds;
mod open;
mod report;
mod shared;
mod thread;
mod wait;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::error::{CreateError, Place, WriteError};
use super::lock::DirectoryLock;
use super::mutex::lock;
use super::number::{Scalar, Step, stored_step, stored_value};
use super::steps::{self, Backwards};
use super::{Summary, clock, message, record};
use event_file::{EventFile, Watch};
use group::Group;
use shared::Shared;
use thread::Thread;

pub use builder::WriterBuilder;
pub use closed::Closed;

/// Writes TensorBoard events to a file that is opened once. Clones are cheap and write to the same
/// file, from any thread.
///
/// The calls that log (such as [`scalar`](Self::scalar)) take about a tenth of a microsecond and
/// cannot fail: an event is encoded into a buffer, under a lock, and a thread writes the buffer out
/// when 64 KiB have come together or a second has passed. [`flush`](Self::flush),
/// [`sync`](Self::sync) and [`close`](Self::close) wait for it. Dropping the last clone closes the
/// file as well, but can only log a failure.
///
/// ```
/// use tfevents::{Summary, Writer};
///
/// # let temporary = tempfile::tempdir()?;
/// # let directory = temporary.path().join("run-1");
/// let events = Writer::create(directory)?; // runs/run-1, say
/// std::thread::scope(|scope| {
///     for worker in 0..2 {
///         let events = events.clone();
///         scope.spawn(move || events.scalar(&format!("worker{worker}/loss"), 1, 0.5));
///     }
/// });
/// events.scalars(1, &[("accuracy/test", 0.93), ("learning_rate", 1e-3)]); // one event
/// events.summary(1, &Summary::new().scalar("loss/test", 0.25));
/// events.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What holds
///
/// - **A file of its own.** Each writer creates a new file, whose name sorts after all others of
///   the directory, even when the clock went backwards or others do the same in the same second.
///   Older files are never appended to, truncated or repaired: whatever follows a torn record is
///   lost to readers.
/// - **In order, once.** Bytes reach the file in the order in which events were handed in. After a
///   short or failed write the exact rest is tried again, about every
///   [`flush_every`](WriterBuilder::flush_every) and on each `flush`.
/// - **What is flushed is there.** When `flush` returns `Ok`, write(2) has taken everything handed
///   in before by this thread, and by others whose calls had returned; a killed process loses
///   nothing of it. `sync` makes that hold for a power cut.
/// - **Bounded memory.** 1 MiB may wait, and as much be on its way. While the disk is slow, a full
///   buffer makes callers wait. While it *fails*, they do not wait: events that do not fit are
///   refused, counted and reported, and whatever was accepted is written when the disk has
///   recovered.
/// - **A file that has gone is noticed.** `flush`, `sync` and `close` say so when the file, or its
///   directory, was removed, moved or replaced, and [`restore`](Self::restore) makes it again. The
///   thread looks once a second while it writes, and reports it as other errors.
/// - **One writer a directory**, by an advisory lock; a second one gets [`CreateError::InUse`].
/// - **Values are values**: NaN and infinities are kept, since it is news that a loss is NaN. Wall
///   times are finite.
#[derive(Clone, Debug)]
pub struct Writer {
    handle: Arc<Handle>,
}

/// What the clones share; the last to be dropped closes the file.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    /// Settings, for the clock and for the writers of groups.
    settings: WriterBuilder,
    files: Mutex<Files>,
    thread: Mutex<Option<JoinHandle<()>>>,
    group: Mutex<Group<Writer>>,
    told_closed: AtomicBool,
}

/// What is open beside the thread's sink.
#[derive(Debug, Default)]
struct Files {
    /// The sink.
    file: Option<Arc<EventFile>>,
    /// Dropping it unlocks the directory.
    lock: Option<DirectoryLock>,
}

impl Writer {
    fn spawn(
        settings: WriterBuilder,
        sink: impl Write + Send + 'static,
        files: Files,
        path: Option<PathBuf>,
    ) -> Result<Self, CreateError> {
        let shared = Arc::new(Shared::new(Place::new(path), settings.steps));
        let now = settings.clock.now();
        let mut state = shared.lock();
        record::append(&mut state.buffer, |data| message::file_version(data, now));
        if let Some(step) = settings.resume_at {
            record::append(&mut state.buffer, |data| {
                message::session_start(data, now, step)
            });
        }
        drop(state);
        let watch = files.file.clone().map(Watch::new);
        let manners = (settings.flush_every, settings.report.clone());
        let thread = Thread::new(Arc::clone(&shared), sink, watch, manners);
        let thread = std::thread::Builder::new()
            .name(String::from("events"))
            .spawn(move || thread.run())
            .map_err(|source| CreateError::Thread { source })?;
        Ok(Self {
            handle: Arc::new(Handle {
                shared,
                settings,
                files: Mutex::new(files),
                thread: Mutex::new(Some(thread)),
                group: Mutex::default(),
                told_closed: AtomicBool::new(false),
            }),
        })
    }

    /// The file that is written, or `None` for a writer made by [`WriterBuilder::write_to`].
    pub fn path(&self) -> Option<&Path> {
        self.handle.shared.place.path()
    }

    /// Adds the point (`step`, `value`) to the curve `tag`, at the present wall time.
    ///
    /// TensorBoard groups tags by what precedes their first slash. NaN and infinities are kept.
    /// Steps are [integers](Step), values [numbers](Scalar).
    #[inline]
    pub fn scalar(&self, tag: &str, step: impl Step, value: impl Scalar) {
        self.add_scalar(tag, stored_step(step), stored_value(value));
    }

    fn add_scalar(&self, tag: &str, step: i64, value: f32) {
        let now = self.handle.settings.clock.now();
        let mut warnings = Vec::new();
        self.handed_in(self.handle.shared.append(|state| {
            if state.steps.admit(tag, step, &mut warnings) {
                state.record(|data| message::scalar(data, now, step, tag, value));
            }
        }));
        self.handle.warn(&warnings);
    }

    /// Adds a point to each of several curves, as one event: for ten of them a third of the time
    /// and half the space of as many calls of [`scalar`](Self::scalar).
    pub fn scalars(&self, step: impl Step, values: &[(&str, impl Scalar)]) {
        let step = stored_step(step);
        let now = self.handle.settings.clock.now();
        let mut warnings = Vec::new();
        self.handed_in(self.handle.shared.append(|state| {
            let tags = values.iter().map(|(tag, _)| *tag);
            let left_out = state.steps.left_out(tags, step, &mut warnings);
            let values = values
                .iter()
                .map(|(tag, value)| (*tag, stored_value(*value)));
            let values = steps::admitted(values, &left_out);
            if values.clone().next().is_some() {
                state.record(|data| message::scalars(data, now, step, values));
            }
        }));
        self.handle.warn(&warnings);
    }

    /// Adds the values of `summary` as one event, at the present wall time. An empty summary adds
    /// nothing.
    pub fn summary(&self, step: impl Step, summary: &Summary) {
        let now = self.handle.settings.clock.now();
        self.add_summary(now, stored_step(step), summary);
    }

    /// As [`summary`](Self::summary), at a given wall time, in seconds since 1970-01-01 00:00 UTC.
    ///
    /// # Errors
    /// [`WriteError::WallTime`] where it is NaN or infinite; nothing is added then.
    pub fn summary_at(
        &self,
        wall_time_seconds: f64,
        step: impl Step,
        summary: &Summary,
    ) -> Result<(), WriteError> {
        clock::check(wall_time_seconds)?;
        self.add_summary(wall_time_seconds, stored_step(step), summary);
        Ok(())
    }

    fn add_summary(&self, wall_time: f64, step: i64, summary: &Summary) {
        let mut warnings = Vec::new();
        self.handed_in(self.handle.shared.append(|state| {
            let tags = summary.values().map(|(tag, _)| tag);
            let left_out = state.steps.left_out(tags, step, &mut warnings);
            let values = steps::admitted(summary.values().map(|(_, value)| value), &left_out);
            if values.clone().next().is_some() {
                state.record(|data| message::summary(data, wall_time, step, values));
            }
        }));
        self.handle.warn(&warnings);
    }

    /// Whoever logs to a closed writer is told once.
    #[inline]
    fn handed_in(&self, result: Result<(), WriteError>) {
        if let Err(error) = result {
            self.handle.refuse(&error);
        }
    }
}

impl Handle {
    #[inline]
    fn warn(&self, warnings: &[Backwards]) {
        for warning in warnings {
            warning.warn(self.settings.steps);
        }
    }

    #[cold]
    fn refuse(&self, error: &WriteError) {
        if !self.told_closed.swap(true, Ordering::Relaxed) {
            self.settings.report.tell(error);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if lock(&self.thread).is_none() {
            return;
        }
        if let Err(error) = self.close() {
            log::error!("lost on dropping the writer: {error}");
        }
    }
}
