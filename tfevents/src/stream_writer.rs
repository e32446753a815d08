//! The synchronous writer: one buffer in front of any sink, and what happens when the sink fails.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use super::clock::{self, Clock};
use super::error::{Place, WriteError};
use super::number::{stored_step, stored_value};
use super::outbox::{CAPACITY_BYTES, Outbox, WRITE_OUT_BYTES, uninterrupted};
use super::{Graph, Scalar, Step, Summary, message, record};

/// Writes TensorBoard events to any [`Write`], in the caller's thread. The format is described in
/// the [module](super); [`Writer`](super::Writer) is the one for training runs.
///
/// Events gather in a buffer. They go to the sink when 64 KiB are waiting, and when
/// [`flush`](Self::flush) or [`close`](Self::close) is called. Dropping the writer flushes too, but
/// can only log a failure.
///
/// # When the sink fails
///
/// Bytes reach the sink in the order in which they were handed in, each exactly once. After a write
/// that failed, or took only a part, the rest stays in the buffer, and the next call continues
/// where the sink left off. Hence:
///
/// - The call that meets an error returns it. **Its event is kept all the same**, so do not hand it
///   in again; to carry on is enough, and once the sink works again nothing is missing.
/// - There are two exceptions, in which the event is *not* kept: [`WriteError::WallTime`], and
///   [`WriteError::Refused`] for a full backlog. A call that finds more than 1 MiB waiting writes
///   that out first; if this fails, the event is refused. So what waits is bounded by 1 MiB and one
///   event.
///
/// # Example
///
/// ```
/// use tfevents::StreamWriter;
///
/// let mut bytes = Vec::new();
/// let mut events = StreamWriter::new(&mut bytes);
/// events.scalar("train/loss", 1, 0.25)?;
/// events.close()?;
/// // 40 bytes for the version, 48 for the scalar.
/// assert_eq!(bytes.len(), 88);
/// # Ok::<(), tfevents::WriteError>(())
/// ```
pub struct StreamWriter<W: Write> {
    sink: W,
    clock: Clock,
    outbox: Outbox,
    flush_on_drop: bool,
}

impl<W: Write> StreamWriter<W> {
    /// A writer on any sink, with the record of the format's version in its buffer.
    ///
    /// The sink should be empty: an event file starts with that record. It needs no buffer of its
    /// own. Pass `&mut sink` to keep the sink. Nothing goes to it yet.
    #[must_use]
    pub fn new(sink: W) -> Self {
        Self::on(sink, Clock::System)
    }

    /// The same with another clock: seconds since 1970-01-01 00:00 UTC. The system's time stands in
    /// for times that are not finite.
    ///
    /// ```
    /// use tfevents::StreamWriter;
    ///
    /// let mut files = [Vec::new(), Vec::new()];
    /// for file in &mut files {
    ///     let mut events = StreamWriter::with_clock(file, || 1_700_000_000.25);
    ///     events.scalar("train/loss", 1, 0.25)?;
    ///     events.close()?;
    /// }
    /// assert_eq!(files[0], files[1]);
    /// # Ok::<(), tfevents::WriteError>(())
    /// ```
    #[must_use]
    pub fn with_clock(sink: W, clock: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        Self::on(sink, Clock::Other(Box::new(clock)))
    }

    fn on(sink: W, clock: Clock) -> Self {
        // Room for the record that crosses the mark, so that the buffer does not grow as long as
        // the sink works.
        let mut bytes = Vec::with_capacity(WRITE_OUT_BYTES + 1024);
        let now = clock.now();
        record::append(&mut bytes, |data| message::file_version(data, now));
        Self {
            sink,
            clock,
            outbox: Outbox::new(bytes),
            flush_on_drop: true,
        }
    }

    /// Adds the point (`step`, `value`) to the curve `tag`, at the present wall time.
    ///
    /// Any step is good, in any order. TensorBoard groups tags by what precedes their first slash.
    /// NaN and infinities are kept: that a loss has become NaN is news.
    ///
    /// # Errors
    /// Those of the sink when this call writes to it. The event is kept nevertheless, unless the
    /// error is [`WriteError::Refused`]: see [above](Self#when-the-sink-fails).
    pub fn scalar(
        &mut self,
        tag: &str,
        step: impl Step,
        value: impl Scalar,
    ) -> Result<(), WriteError> {
        self.scalar_at(self.clock.now(), tag, step, value)
    }

    /// As [`scalar`](Self::scalar), at a given wall time, in seconds since 1970-01-01 00:00 UTC.
    ///
    /// # Errors
    /// - [`WriteError::WallTime`] where the wall time is NaN or infinite; the event is not kept;
    /// - as [`scalar`](Self::scalar).
    ///
    /// ```
    /// # use tfevents::StreamWriter;
    /// let mut events = StreamWriter::new(std::io::sink());
    /// events.scalar_at(1_500_000_000.5, "train/loss", 3, f32::INFINITY)?;
    /// assert!(events.scalar_at(f64::NAN, "train/loss", 4, 0.5).is_err());
    /// # Ok::<(), tfevents::WriteError>(())
    /// ```
    pub fn scalar_at(
        &mut self,
        wall_time_seconds: f64,
        tag: &str,
        step: impl Step,
        value: impl Scalar,
    ) -> Result<(), WriteError> {
        let (step, value) = (stored_step(step), stored_value(value));
        self.append(wall_time_seconds, |data| {
            message::scalar(data, wall_time_seconds, step, tag, value);
        })
    }

    /// Adds a point to each of several curves, as one event. No values add nothing.
    ///
    /// # Errors
    /// As [`scalar`](Self::scalar).
    pub fn scalars(
        &mut self,
        step: impl Step,
        values: &[(&str, impl Scalar)],
    ) -> Result<(), WriteError> {
        if values.is_empty() {
            return Ok(());
        }
        let (now, step) = (self.clock.now(), stored_step(step));
        let values = values
            .iter()
            .map(|(tag, value)| (*tag, stored_value(*value)));
        self.append(now, |data| message::scalars(data, now, step, values))
    }

    /// Adds the values of `summary` as one event, at the present wall time. An empty summary adds
    /// nothing.
    ///
    /// # Errors
    /// As [`scalar`](Self::scalar).
    pub fn summary(&mut self, step: impl Step, summary: &Summary) -> Result<(), WriteError> {
        self.summary_at(self.clock.now(), step, summary)
    }

    /// As [`summary`](Self::summary), at a given wall time, in seconds since 1970-01-01 00:00 UTC.
    ///
    /// # Errors
    /// As [`scalar_at`](Self::scalar_at).
    pub fn summary_at(
        &mut self,
        wall_time_seconds: f64,
        step: impl Step,
        summary: &Summary,
    ) -> Result<(), WriteError> {
        if summary.is_empty() {
            return Ok(());
        }
        let step = stored_step(step);
        let values = summary.values().map(|(_, value)| value);
        self.append(wall_time_seconds, |data| {
            message::summary(data, wall_time_seconds, step, values);
        })
    }

    /// Adds the graph of a model, at the present wall time.
    ///
    /// # Errors
    /// As [`scalar`](Self::scalar).
    pub fn graph(&mut self, graph: &Graph) -> Result<(), WriteError> {
        let now = self.clock.now();
        let graph = graph.encoded();
        self.append(now, |data| message::graph(data, now, &graph))
    }

    /// Hands everything to the sink, and flushes the sink.
    ///
    /// `Ok` means that the sink has taken every byte: for a file, that the operating system has
    /// them and every reader sees them.
    ///
    /// # Errors
    /// [`WriteError::Sink`] with the sink's error; one of kind
    /// [`Interrupted`](io::ErrorKind::Interrupted) is not returned but tried again, and a sink that
    /// takes no byte without saying why is of kind [`WriteZero`](io::ErrorKind::WriteZero).
    /// Whatever the sink did not take is kept. Call this again to retry.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.write_out()?;
        self.call_sink(|sink, _| uninterrupted(|| sink.flush()))
            .map_err(|error| self.failed(error))
    }

    /// Flushes, and closes the sink by dropping it.
    ///
    /// # Errors
    /// As [`flush`](Self::flush). The sink is then closed as well, and what it did not take is
    /// lost; call [`flush`](Self::flush) first if you mean to retry.
    pub fn close(mut self) -> Result<(), WriteError> {
        let result = self.flush();
        // The error is the caller's now: dropping neither tries again nor logs it a second time.
        self.flush_on_drop = false;
        result
    }

    fn append(
        &mut self,
        wall_time_seconds: f64,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), WriteError> {
        clock::check(wall_time_seconds)?;
        self.make_room()?;
        record::append(&mut self.outbox.bytes, encode);
        if self.outbox.waiting_bytes() >= WRITE_OUT_BYTES {
            self.write_out()?;
        }
        Ok(())
    }

    /// Writes out a full backlog, so that a sink that fails for good does not take all memory.
    fn make_room(&mut self) -> Result<(), WriteError> {
        if self.outbox.waiting_bytes() <= CAPACITY_BYTES {
            return Ok(());
        }
        self.write_to_sink().map_err(|error| WriteError::Refused {
            place: Place::default(),
            events: 1,
            source: Arc::new(error),
        })
    }

    fn write_out(&mut self) -> Result<(), WriteError> {
        self.write_to_sink().map_err(|error| self.failed(error))
    }

    fn write_to_sink(&mut self) -> io::Result<()> {
        let result = self.call_sink(|sink, outbox| outbox.write_to(sink));
        self.outbox.forget_sent();
        result
    }

    fn call_sink<T>(
        &mut self,
        call: impl FnOnce(&mut W, &mut Outbox) -> io::Result<T>,
    ) -> io::Result<T> {
        // A sink that panics must not be called again by `drop`, perhaps while unwinding.
        self.flush_on_drop = false;
        let result = call(&mut self.sink, &mut self.outbox);
        self.flush_on_drop = true;
        result
    }

    fn failed(&self, error: io::Error) -> WriteError {
        WriteError::Sink {
            place: Place::default(),
            waiting_bytes: self.outbox.waiting_bytes(),
            source: Arc::new(error),
        }
    }
}

impl<W: Write> Drop for StreamWriter<W> {
    fn drop(&mut self) {
        if self.flush_on_drop
            && let Err(error) = self.flush()
        {
            log::error!("lost on dropping the writer: {error}");
        }
    }
}

impl<W: Write> fmt::Debug for StreamWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter")
            .field("clock", &self.clock)
            .field("waiting_bytes", &self.outbox.waiting_bytes())
            .finish_non_exhaustive()
    }
}
