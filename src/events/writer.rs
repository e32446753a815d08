//! The writer: one buffer in front of the sink, and what happens when the sink fails.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Summary, message, name, record};

/// The buffer goes to the sink when it holds this much.
const WRITE_OUT_BYTES: usize = 64 * 1024;
/// New records are refused while more than this waits for a sink that fails.
const MAX_WAITING_BYTES: usize = 1024 * 1024;

/// Writes scalars as TensorBoard events to a file, or to any other [`Write`]. The format is described in the
/// [module](super).
///
/// Records gather in a buffer. They go to the sink when 64 KiB are waiting, and when [`flush`](Self::flush),
/// [`sync`](EventWriter::sync) or [`close`](Self::close) is called. Dropping the writer flushes too, but can only log a
/// failure: call [`close`](Self::close) to learn of it.
///
/// # When the sink fails
///
/// Bytes reach the sink in the order in which they were handed in, each exactly once. After a write that failed, or took only
/// a part, the rest stays in the buffer, and the next call continues where the sink left off. Hence:
///
/// - The call that meets an error returns it. **Its record is kept all the same**, so do not hand it in again; to carry on is
///   enough, and once the sink works again nothing is missing.
/// - There are two exceptions, in which the record is *not* kept: an invalid wall time, see [`scalar_at`](Self::scalar_at),
///   and a full backlog. A call that finds more than 1 MiB waiting writes that out first; if this fails, the record is
///   refused, and the error contains [`BacklogFull`]. So what waits is bounded by 1 MiB and one record.
///
/// # Example
///
/// ```
/// use wgpu_linear::events::EventWriter;
///
/// # fn main() -> std::io::Result<()> {
/// let mut bytes = Vec::new();
/// let mut events = EventWriter::new(&mut bytes);
/// events.scalar("train/loss", 1, 0.25)?;
/// events.close()?;
/// // 40 bytes for the version, 48 for the scalar.
/// assert_eq!(bytes.len(), 88);
/// # Ok(())
/// # }
/// ```
pub struct EventWriter<W: Write> {
    sink: W,
    path: Option<PathBuf>,
    buffer: Vec<u8>,
    /// So many bytes at the front of `buffer` have gone to the sink already. Above zero only while the sink is at work, or
    /// after it has panicked.
    sent: usize,
    flush_on_drop: bool,
}

impl EventWriter<File> {
    /// Creates a new event file in `directory`, and the directory itself if it is missing.
    ///
    /// The file is named `events.out.tfevents.<seconds>.<host>.<process>.<counter>`. No existing file is opened, whether to
    /// append or to truncate. The new name sorts after those of all event files in the directory, as TensorBoard requires of
    /// later files: the seconds are those of the clock, or one more than the greatest in the directory if the clock is not
    /// past them. The file is opened once, here; [`path`](Self::path) says where.
    ///
    /// # Errors
    ///
    /// - any error of the file system, with the path in its message: the directory cannot be created or listed, or the file
    ///   cannot be created in it;
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput) if a file such as `z.tfevents` is there, which TensorBoard takes for an
    ///   event file and after which no name of the above form sorts;
    /// - [`AlreadyExists`](io::ErrorKind::AlreadyExists) if `directory` is a file, or if others keep taking the names.
    ///
    /// # Example
    ///
    /// ```
    /// use wgpu_linear::events::EventWriter;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let temporary = tempfile::tempdir()?;
    /// # let run = temporary.path().join("run-1");
    /// let mut events = EventWriter::create(&run)?;
    /// events.scalar("test/accuracy", 10, 0.93)?;
    /// events.sync()?; // after a checkpoint, say
    /// events.close()?;
    ///
    /// // Resumed later: a second file in the same directory, the same run to TensorBoard.
    /// let events = EventWriter::create(&run)?;
    /// println!("writing {:?}", events.path());
    /// # assert_eq!(std::fs::read_dir(&run)?.count(), 2);
    /// # events.close()
    /// # }
    /// ```
    pub fn create(directory: impl AsRef<Path>) -> io::Result<Self> {
        let directory = directory.as_ref();
        fs::create_dir_all(directory).map_err(|error| name::at(directory, error))?;
        let (file, path) = name::create_last_file(directory)?;
        let mut writer = Self::new(file);
        writer.path = Some(path);
        Ok(writer)
    }

    /// Flushes, and returns when the operating system says that the bytes are on the device ([`File::sync_data`]), where a
    /// power cut does no harm to them.
    ///
    /// This takes milliseconds. It is meant for the end of an epoch, not for every step.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush), and those of [`File::sync_data`]. An error of the latter means that bytes which were
    /// written already may be lost; operating systems do not try again.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.sink.sync_data()
    }
}

impl<W: Write> EventWriter<W> {
    /// A writer on any sink, with the record of the format's version in its buffer.
    ///
    /// The sink should be empty: an event file starts with that record. It needs no buffer of its own. Pass `&mut sink` to
    /// keep the sink.
    ///
    /// Nothing goes to the sink yet.
    ///
    /// # Example
    ///
    /// ```
    /// let events = wgpu_linear::events::EventWriter::new(std::io::sink());
    /// assert_eq!(events.path(), None);
    /// ```
    #[must_use]
    pub fn new(sink: W) -> Self {
        // Room for the record that crosses the mark, so that the buffer does not grow as long as the sink works.
        let mut buffer = Vec::with_capacity(WRITE_OUT_BYTES + 1024);
        let now = wall_time_now();
        record::append(&mut buffer, |data| message::file_version(data, now));
        Self {
            sink,
            path: None,
            buffer,
            sent: 0,
            flush_on_drop: true,
        }
    }

    /// The file that is written, or `None` for a writer made by [`new`](Self::new).
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Adds the point (`step`, `value`) to the curve `tag`, at the present wall time.
    ///
    /// Any step is good, in any order. TensorBoard groups tags by what precedes their first slash. NaN and infinities are
    /// kept: that a loss has become NaN is news.
    ///
    /// # Errors
    ///
    /// Those of the sink when this call writes to it. The record is kept nevertheless, unless the error contains
    /// [`BacklogFull`]: see [above](Self#when-the-sink-fails).
    pub fn scalar(&mut self, tag: &str, step: i64, value: f32) -> io::Result<()> {
        self.scalar_at(wall_time_now(), tag, step, value)
    }

    /// As [`scalar`](Self::scalar), at a given wall time, in seconds since 1970-01-01 00:00 UTC.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput) if the wall time is NaN or infinite, which TensorBoard cannot
    ///   show; the record is not kept;
    /// - as [`scalar`](Self::scalar).
    ///
    /// # Example
    ///
    /// ```
    /// # use wgpu_linear::events::EventWriter;
    /// # fn main() -> std::io::Result<()> {
    /// let mut events = EventWriter::new(std::io::sink());
    /// events.scalar_at(1_500_000_000.5, "train/loss", 3, f32::INFINITY)?;
    /// assert!(events.scalar_at(f64::NAN, "train/loss", 4, 0.5).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn scalar_at(
        &mut self,
        wall_time_seconds: f64,
        tag: &str,
        step: i64,
        value: f32,
    ) -> io::Result<()> {
        if !wall_time_seconds.is_finite() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the wall time of an event has to be finite, not {wall_time_seconds}"),
            ));
        }
        self.make_room()?;
        record::append(&mut self.buffer, |data| {
            message::scalar(data, wall_time_seconds, tag, step, value);
        });
        if self.waiting_bytes() >= WRITE_OUT_BYTES {
            self.write_out()?;
        }
        Ok(())
    }

    /// Adds the values of `summary` as one event, at the present wall time; an empty summary adds nothing.
    ///
    /// # Errors
    ///
    /// As [`scalar`](Self::scalar).
    pub fn summary(&mut self, step: i64, summary: &Summary) -> io::Result<()> {
        if summary.is_empty() {
            return Ok(());
        }
        self.make_room()?;
        let now = wall_time_now();
        record::append(&mut self.buffer, |data| {
            message::summary(data, now, step, summary.encoded());
        });
        if self.waiting_bytes() >= WRITE_OUT_BYTES {
            self.write_out()?;
        }
        Ok(())
    }

    /// Hands everything to the sink, and flushes the sink.
    ///
    /// `Ok` means that the sink has taken every byte: for a file, that the operating system has them and every reader sees
    /// them. See [`sync`](EventWriter::sync) for power cuts.
    ///
    /// # Errors
    ///
    /// - those of the sink; one of kind [`Interrupted`](io::ErrorKind::Interrupted) is not returned but tried again;
    /// - [`WriteZero`](io::ErrorKind::WriteZero) if the sink takes no byte without saying why.
    ///
    /// Whatever the sink did not take is kept. Call this again to retry.
    pub fn flush(&mut self) -> io::Result<()> {
        self.write_out()?;
        self.call_sink(|sink, _| sink.flush())
    }

    /// Flushes, and closes the sink by dropping it.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush). The sink is then closed as well, and what it did not take is lost; call
    /// [`flush`](Self::flush) first if you mean to retry.
    pub fn close(mut self) -> io::Result<()> {
        let result = self.flush();
        // The error is the caller's now: dropping neither tries again nor logs it a second time.
        self.flush_on_drop = false;
        result
    }

    fn waiting_bytes(&self) -> usize {
        self.buffer.len() - self.sent
    }

    /// Writes out a full backlog, so that a sink that fails for good does not take all memory.
    fn make_room(&mut self) -> io::Result<()> {
        if self.waiting_bytes() <= MAX_WAITING_BYTES {
            return Ok(());
        }
        self.write_out().map_err(|source| {
            let waiting_bytes = self.waiting_bytes();
            io::Error::new(
                source.kind(),
                BacklogFull {
                    waiting_bytes,
                    source,
                },
            )
        })
    }

    /// Writes the buffer to the sink and removes from it exactly what the sink has taken.
    fn write_out(&mut self) -> io::Result<()> {
        let result = self.write_all();
        self.buffer.drain(..self.sent);
        self.sent = 0;
        result
    }

    fn write_all(&mut self) -> io::Result<()> {
        while self.waiting_bytes() > 0 {
            match self.call_sink(|sink, rest| sink.write(rest))? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                // A sink that claims more than it was offered is at fault, but not worth a panic.
                taken => self.sent += taken.min(self.waiting_bytes()),
            }
        }
        Ok(())
    }

    /// Calls the sink with the bytes that wait for it, again when it is interrupted.
    fn call_sink<T>(&mut self, call: impl Fn(&mut W, &[u8]) -> io::Result<T>) -> io::Result<T> {
        // A sink that panics must not be called again by `drop`, perhaps while unwinding.
        self.flush_on_drop = false;
        let result = loop {
            match call(&mut self.sink, &self.buffer[self.sent..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.flush_on_drop = true;
        result
    }
}

impl<W: Write> Drop for EventWriter<W> {
    fn drop(&mut self) {
        if !self.flush_on_drop {
            return;
        }
        if let Err(error) = self.flush() {
            let waiting_bytes = self.waiting_bytes();
            let place = match &self.path {
                Some(path) => path.display().to_string(),
                None => String::from("events"),
            };
            log::error!("{place}: {waiting_bytes} bytes were lost on dropping the writer: {error}");
        }
    }
}

impl<W: Write> fmt::Debug for EventWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventWriter")
            .field("path", &self.path)
            .field("waiting_bytes", &self.waiting_bytes())
            .finish_non_exhaustive()
    }
}

/// A record was refused, and is not kept, because more than 1 MiB was waiting for a sink that failed again.
///
/// It is found inside an [`io::Error`] of the same kind as the sink's own:
///
/// ```
/// use std::io;
/// use wgpu_linear::events::BacklogFull;
///
/// fn was_refused(error: &io::Error) -> bool {
///     error.get_ref().is_some_and(|inner| inner.is::<BacklogFull>())
/// }
/// # assert!(!was_refused(&io::ErrorKind::StorageFull.into()));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct BacklogFull {
    /// So many bytes are waiting now, after what the sink took before it failed.
    pub waiting_bytes: usize,
    /// What the sink said this time.
    pub source: io::Error,
}

impl fmt::Display for BacklogFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "event refused, {} bytes already wait for a sink that fails: {}",
            self.waiting_bytes, self.source
        )
    }
}

// No `source()`: the message contains the sink's already, and a chain would print it twice.
impl std::error::Error for BacklogFull {}

/// Seconds since 1970, negative for a clock that is set before it.
fn wall_time_now() -> f64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64(),
        Err(error) => -error.duration().as_secs_f64(),
    }
}
