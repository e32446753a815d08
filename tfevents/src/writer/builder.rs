//! How to open a writer.

use std::sync::Arc;
use std::time::Duration;

use super::report::Report;
use crate::clock::Clock;
use crate::error::WriteError;
use crate::number::{Step, stored_step};
use crate::steps::StepPolicy;

const ONE_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// How a [`Writer`](crate::Writer) is to be.
///
/// ```
/// use std::time::Duration;
/// use tfevents::{StepPolicy, Writer};
///
/// # let temporary = tempfile::tempdir()?;
/// # let directory = temporary.path().join("run-1");
/// // A run that goes on at step 500, from a checkpoint.
/// let events = Writer::builder()
///     .resume_at(500)
///     .flush_every(Duration::from_secs(10))
///     .backwards_steps(StepPolicy::Drop)
///     .on_error(|error| eprintln!("metrics: {error}"))
///     .create(directory)?;
/// events.scalar("loss", 500, 0.25);
/// events.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
#[derive(Clone, Debug)]
pub struct WriterBuilder {
    pub(super) flush_every: Duration,
    pub(super) suffix: String,
    pub(super) resume_at: Option<i64>,
    pub(super) steps: StepPolicy,
    pub(super) report: Report,
    pub(super) clock: Arc<Clock>,
    pub(super) allow_others: bool,
}

impl Default for WriterBuilder {
    fn default() -> Self {
        Self {
            flush_every: Duration::from_secs(1),
            suffix: String::new(),
            resume_at: None,
            steps: StepPolicy::default(),
            report: Report::default(),
            clock: Arc::default(),
            allow_others: false,
        }
    }
}

impl WriterBuilder {
    /// How long an event may wait before it is written out. Default: one second.
    ///
    /// Events are written sooner where 64 KiB have come together, and on
    /// [`Writer::flush`](crate::Writer::flush).
    pub fn flush_every(mut self, period: Duration) -> Self {
        // Instants end somewhere, and nobody waits for longer.
        self.flush_every = period.min(ONE_YEAR);
        self
    }

    /// What the name of the file ends with, `.v2` say: ASCII letters, digits, `.`, `_` and `-`.
    /// Default: nothing.
    pub fn suffix(mut self, suffix: &str) -> Self {
        suffix.clone_into(&mut self.suffix);
        self
    }

    /// This run goes on at `step`: TensorBoard is told to forget what earlier files of the
    /// directory have at this step and behind it, because it will be written again. (A `SessionLog`
    /// with status `START`, as PyTorch's `purge_step`.)
    ///
    /// Default: nothing is forgotten. Either way a file of its own is written, and the earlier ones
    /// are left as they are.
    pub fn resume_at(mut self, step: impl Step) -> Self {
        self.resume_at = Some(stored_step(step));
        self
    }

    /// What to do about steps that go backwards under the same tag. Default: [`StepPolicy::Warn`].
    pub fn backwards_steps(mut self, policy: StepPolicy) -> Self {
        self.steps = policy;
        self
    }

    /// Is told of errors once, when they begin, and, where events were lost, once more when the
    /// sink works again. Default: a warning through the crate `log`.
    ///
    /// The writer's own thread calls it, and goes on when it returns: it may log to the writer, but
    /// not wait for it. A clone of the writer that the callback keeps would hold the file open
    /// until [`Writer::close`](crate::Writer::close).
    pub fn on_error(mut self, callback: impl Fn(&WriteError) + Send + Sync + 'static) -> Self {
        self.report = Report::Callback(Arc::new(callback));
        self
    }

    /// Where wall times come from: seconds since 1970-01-01 00:00 UTC. Default: the system's clock,
    /// which also stands in for times that are not finite.
    pub fn clock(mut self, clock: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(Clock::Other(Box::new(clock)));
        self
    }

    /// Whether other writers may write to the same directory at the same time. Default: no.
    ///
    /// TensorBoard reads one file of a directory after another, and may not come back to an earlier
    /// one that still grows.
    pub fn allow_others(mut self, allow: bool) -> Self {
        self.allow_others = allow;
        self
    }
}
