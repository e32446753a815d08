//! The writer's thread: takes the buffer when it is due, and writes it out while callers fill
//! another.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::event_file::Watch;
use super::report::Report;
use super::shared::{AWAKE, Phase, Shared, State};
use crate::outbox::{CAPACITY_BYTES, Outbox, WRITE_OUT_BYTES, uninterrupted};
use crate::time::Instant;

/// While events come fast, the thread looks after them by itself, so that no caller has to take the
/// time to wake it.
const NAP: Duration = Duration::from_micros(100);
/// A sink that fails is not tried again sooner, however short the period.
const SHORTEST_RETRY: Duration = Duration::from_millis(100);

pub(super) struct Thread<W> {
    shared: Arc<Shared>,
    sink: W,
    period: Duration,
    report: Report,
    watch: Option<Watch>,
    outbox: Outbox,
    /// When what waits is due at the latest.
    due: Option<Instant>,
    /// The buffer was full enough by itself the last time.
    busy: bool,
}

impl<W: Write> Thread<W> {
    pub(super) fn new(
        shared: Arc<Shared>,
        sink: W,
        watch: Option<Watch>,
        (period, report): (Duration, Report),
    ) -> Self {
        Self {
            shared,
            sink,
            period,
            report,
            watch,
            outbox: Outbox::new(Vec::with_capacity(2 * WRITE_OUT_BYTES)),
            due: None,
            busy: false,
        }
    }

    pub(super) fn run(mut self) {
        // Dropped last, after the sink: who hears that the file is closed may rely on it.
        let ending = Ending(Arc::clone(&self.shared));
        ending.0.lock().thread = Some(thread::current().id());
        loop {
            let closing = self.wait_for_work();
            self.attempt();
            if closing {
                break;
            }
        }
        drop(self);
        ending.0.lock().phase = Phase::Closed;
    }

    /// Sleeps until there is something to do; whether it is the last.
    fn wait_for_work(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        loop {
            let closing = state.phase == Phase::Closing;
            if closing || state.asked > state.served || self.is_due(&state) {
                state.wake_at = AWAKE;
                self.due = None;
                return closing;
            }
            state = self.sleep(&shared, state);
        }
    }

    fn is_due(&self, state: &State) -> bool {
        // While the sink fails, a full buffer is no reason to try again at once.
        let full = state.buffer.len() >= WRITE_OUT_BYTES && state.failure.is_none();
        full || self.due.is_some_and(|due| Instant::now() >= due)
    }

    fn sleep<'a>(
        &mut self,
        shared: &'a Shared,
        mut state: MutexGuard<'a, State>,
    ) -> MutexGuard<'a, State> {
        let failing = state.failure.is_some();
        if mem::take(&mut self.busy) && !failing {
            state.wake_at = CAPACITY_BYTES / 2;
            let woken = shared.work.wait_timeout(state, NAP);
            return woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.buffer.is_empty() && !failing {
            // Nothing to write, no clock to watch.
            state.wake_at = 1;
            self.due = None;
            let woken = shared.work.wait(state);
            return woken.unwrap_or_else(PoisonError::into_inner);
        }
        let now = Instant::now();
        let period = match failing {
            true => self.period.max(SHORTEST_RETRY),
            false => self.period,
        };
        let due = *self.due.get_or_insert(now + period);
        state.wake_at = if failing { AWAKE } else { WRITE_OUT_BYTES };
        let rest = due.saturating_duration_since(now);
        let woken = shared.work.wait_timeout(state, rest);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Tries to write everything, and tells those who wait how it went.
    fn attempt(&mut self) {
        let mut serving = self.shared.lock().asked;
        let result = self.write_out(&mut serving);
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        state.served = serving;
        let news = shared.note(&mut state, result.err(), self.outbox.waiting_bytes());
        drop(state);
        shared.done.notify_all();
        if let Some(error) = news {
            self.report.tell(&error);
        }
        if let Some(error) = self.watch.as_mut().and_then(Watch::news) {
            self.report.tell(&error);
        }
    }

    fn write_out(&mut self, serving: &mut u64) -> io::Result<()> {
        // What an earlier attempt has left comes first.
        self.outbox.write_to(&mut self.sink)?;
        let mut state = self.shared.lock();
        self.busy = state.buffer.len() >= WRITE_OUT_BYTES;
        mem::swap(&mut self.outbox.bytes, &mut state.buffer);
        *serving = state.asked;
        drop(state);
        self.shared.done.notify_all();

        self.outbox.write_to(&mut self.sink)?;
        if self.outbox.bytes.capacity() > 2 * CAPACITY_BYTES {
            // An event larger than all that usually waits: its memory is not kept.
            self.outbox.bytes.shrink_to(2 * WRITE_OUT_BYTES);
        }
        uninterrupted(|| self.sink.flush())
    }
}

/// Callers must not wait for a thread that has gone, be it by a panic of the sink or of the
/// callback.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.phase != Phase::Closed {
            state.phase = Phase::Panicked;
        }
        drop(state);
        self.0.done.notify_all();
    }
}
