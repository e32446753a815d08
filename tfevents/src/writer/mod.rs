//! The writer with a thread of its own: callers encode into a shared buffer, the thread writes it
//! out.

mod builder;
mod curves;
mod group;
mod kinds;
mod open;
mod report;
mod shared;
mod thread;

use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::error::{CreateError, Place, WriteError};
use super::lock::DirectoryLock;
use super::steps::{self, Backwards};
use super::{Summary, clock, message, record};
use group::Group;
use shared::{Shared, lock};
use thread::Thread;

pub use builder::WriterBuilder;

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
    /// The sink, for `sync`.
    file: Option<Arc<File>>,
    #[expect(dead_code, reason = "dropping it unlocks the directory")]
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
        let (period, report) = (settings.flush_every, settings.report.clone());
        let thread = Thread::new(Arc::clone(&shared), sink, period, report);
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
    pub fn scalar(&self, tag: &str, step: i64, value: f32) {
        let now = self.handle.settings.clock.now();
        let mut warnings = Vec::new();
        self.handed_in(self.handle.shared.append(|state| {
            if state.steps.admit(tag, step, &mut warnings) {
                record::append(&mut state.buffer, |data| {
                    message::scalar(data, now, step, tag, value);
                });
            }
        }));
        self.handle.warn(&warnings);
    }

    /// Adds a point to each of several curves, as one event: for ten of them a third of the time
    /// and half the space of as many calls of [`scalar`](Self::scalar).
    pub fn scalars(&self, step: i64, values: &[(&str, f32)]) {
        let now = self.handle.settings.clock.now();
        let mut warnings = Vec::new();
        self.handed_in(self.handle.shared.append(|state| {
            let tags = values.iter().map(|(tag, _)| *tag);
            let left_out = state.steps.left_out(tags, step, &mut warnings);
            let values = steps::admitted(values.iter().copied(), &left_out);
            if values.clone().next().is_some() {
                record::append(&mut state.buffer, |data| {
                    message::scalars(data, now, step, values);
                });
            }
        }));
        self.handle.warn(&warnings);
    }

    /// Adds the values of `summary` as one event, at the present wall time. An empty summary adds
    /// nothing.
    pub fn summary(&self, step: i64, summary: &Summary) {
        let now = self.handle.settings.clock.now();
        self.add_summary(now, step, summary);
    }

    /// As [`summary`](Self::summary), at a given wall time, in seconds since 1970-01-01 00:00 UTC.
    ///
    /// # Errors
    /// [`WriteError::WallTime`] where it is NaN or infinite; nothing is added then.
    pub fn summary_at(
        &self,
        wall_time_seconds: f64,
        step: i64,
        summary: &Summary,
    ) -> Result<(), WriteError> {
        clock::check(wall_time_seconds)?;
        self.add_summary(wall_time_seconds, step, summary);
        Ok(())
    }

    /// Hands everything to the operating system: when this returns `Ok`, readers see it, and a
    /// killed process loses nothing of it. See [`sync`](Self::sync) for power cuts.
    ///
    /// # Errors
    /// - [`WriteError::Sink`]: the sink failed. Everything is kept and tried again; call this to
    ///   try at once.
    /// - [`WriteError::Refused`]: events were refused since the last call; the others are written.
    /// - [`WriteError::Closed`], [`WriteError::Panicked`], [`WriteError::InCallback`].
    pub fn flush(&self) -> Result<(), WriteError> {
        let group = self.handle.each_curve(Writer::flush);
        self.handle.shared.flush().and(group)
    }

    /// Flushes, and returns when the operating system says that the bytes are on the device, and
    /// the file's name in its directory, where a power cut does no harm to them. (fdatasync(2) of
    /// the file, fsync(2) of the directory.)
    ///
    /// This takes milliseconds. It is meant for checkpoints, not for every step.
    ///
    /// # Errors
    /// As [`flush`](Self::flush); [`WriteError::Sync`].
    pub fn sync(&self) -> Result<(), WriteError> {
        self.handle.each_curve(Writer::sync)?;
        self.handle.shared.flush()?;
        let file = lock(&self.handle.files).file.clone();
        let Some(file) = file else {
            return Ok(());
        };
        file.sync_data()
            .and_then(|()| sync_directory(self.path()))
            .map_err(|error| WriteError::Sync {
                place: self.handle.shared.place.clone(),
                source: Arc::new(error),
            })
    }

    /// Writes out everything and closes the file, for all clones: what they hand in afterwards is
    /// not kept.
    ///
    /// # Errors
    /// As [`flush`](Self::flush), but [`WriteError::Refused`] counts all events that were ever
    /// refused: `Ok` means that the file is complete. What a failing sink did not take is lost;
    /// call [`flush`](Self::flush) first if you mean to retry.
    pub fn close(self) -> Result<(), WriteError> {
        self.handle.shared.check()?;
        self.handle.close()
    }

    fn add_summary(&self, wall_time: f64, step: i64, summary: &Summary) {
        let mut warnings = Vec::new();
        self.handed_in(self.handle.shared.append(|state| {
            let tags = summary.values().map(|(tag, _)| tag);
            let left_out = state.steps.left_out(tags, step, &mut warnings);
            let values = steps::admitted(summary.values().map(|(_, value)| value), &left_out);
            if values.clone().next().is_some() {
                record::append(&mut state.buffer, |data| {
                    message::summary(data, wall_time, step, values);
                });
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
    fn close(&self) -> Result<(), WriteError> {
        let group = mem::take(&mut *lock(&self.group));
        let group = first_error(group.into_curves(), Writer::close);
        self.shared.ask_to_close();
        let thread = lock(&self.thread).take();
        // A thread cannot wait for itself, but it will end.
        if let Some(thread) = thread.filter(|it| it.thread().id() != std::thread::current().id()) {
            // Its panic is known by the phase.
            let _ = thread.join();
        }
        *lock(&self.files) = Files::default();
        self.shared.outcome_of_all().and(group)
    }

    /// Calls all curves of the group, without the lock, and returns the first error.
    fn each_curve(
        &self,
        call: impl Fn(&Writer) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let curves = lock(&self.group).curves();
        first_error(curves.iter(), call)
    }

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

fn first_error<W>(
    writers: impl IntoIterator<Item = W>,
    call: impl Fn(W) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    writers.into_iter().map(call).fold(Ok(()), Result::and)
}

/// A new file is safe when its directory is.
fn sync_directory(file: Option<&Path>) -> io::Result<()> {
    match file.and_then(Path::parent) {
        Some(directory) if cfg!(unix) => File::open(directory)?.sync_all(),
        // Elsewhere directories cannot be opened, and need not be.
        _ => Ok(()),
    }
}
