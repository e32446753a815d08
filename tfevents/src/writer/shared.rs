//! What callers and the writer's thread share: a bounded buffer under a lock that is held for less
//! than a microsecond.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use super::closed::Closed;
use crate::error::{Place, WriteError};
use crate::mutex::lock;
use crate::outbox::{CAPACITY_BYTES, WRITE_OUT_BYTES};
use crate::record;
use crate::steps::{StepPolicy, Steps};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) place: Place,
    state: Mutex<State>,
    /// The thread waits here for work.
    pub(super) work: Condvar,
    /// Callers wait here for room, and for the end of what they asked for.
    pub(super) done: Condvar,
}

#[derive(Debug)]
pub(super) struct State {
    /// Events that the thread has not taken yet.
    pub(super) buffer: Vec<u8>,
    /// Events that were accepted.
    pub(super) events: u64,
    pub(super) steps: Steps,
    /// The thread sleeps, and is to be woken when the buffer holds this much.
    pub(super) wake_at: usize,
    /// Numbers the calls of `flush`. What is asked for is written by an attempt that begins
    /// afterwards.
    pub(super) asked: u64,
    /// The last flush that an attempt has served, be it in vain.
    pub(super) served: u64,
    /// Since when the sink fails.
    pub(super) failure: Option<Failure>,
    /// Events refused while the sink failed.
    refused: u64,
    /// As many of them as callers of `flush` know about.
    refused_told: u64,
    /// What the sink said when it failed last, however long ago.
    last_error: Option<Arc<io::Error>>,
    pub(super) phase: Phase,
    pub(super) thread: Option<ThreadId>,
}

/// An episode of failing attempts.
#[derive(Debug)]
pub(super) struct Failure {
    source: Arc<io::Error>,
    /// What the sink has not taken, beside the buffer.
    waiting_bytes: usize,
    /// Events refused before it began.
    refused_before: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    Open,
    /// The thread is to write out what there is, and to end.
    Closing,
    Closed,
    Panicked,
}

/// The thread is awake.
pub(super) const AWAKE: usize = usize::MAX;

impl State {
    /// Accepts an event; `encode` appends its message.
    #[inline]
    pub(super) fn record(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        self.events += 1;
        record::append(&mut self.buffer, encode);
    }
}

impl Shared {
    pub(super) fn new(place: Place, policy: StepPolicy) -> Self {
        Self {
            place,
            state: Mutex::new(State {
                // Room for the record that crosses the mark.
                buffer: Vec::with_capacity(2 * WRITE_OUT_BYTES),
                events: 0,
                steps: Steps::new(policy),
                wake_at: AWAKE,
                asked: 0,
                served: 0,
                failure: None,
                refused: 0,
                refused_told: 0,
                last_error: None,
                phase: Phase::Open,
                thread: None,
            }),
            work: Condvar::new(),
            done: Condvar::new(),
        }
    }

    /// No code of others runs under the lock, so a poisoned one guards a sound state.
    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Hands in an event: `encode` appends its record. Waits while the buffer is full, unless the
    /// sink fails: then the event is refused, because training must go on.
    ///
    /// # Errors
    /// [`WriteError::Closed`] and [`WriteError::Panicked`].
    #[inline]
    pub(super) fn append(&self, encode: impl FnOnce(&mut State)) -> Result<(), WriteError> {
        let mut state = self.lock();
        if state.buffer.len() >= CAPACITY_BYTES || state.phase != Phase::Open {
            match self.wait_for_room(state)? {
                Some(with_room) => state = with_room,
                None => return Ok(()),
            }
        }
        encode(&mut state);
        if state.buffer.len() >= state.wake_at {
            state.wake_at = AWAKE;
            drop(state);
            self.work.notify_one();
        }
        Ok(())
    }

    #[cold]
    fn wait_for_room<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
    ) -> Result<Option<MutexGuard<'a, State>>, WriteError> {
        loop {
            self.check_open(&state)?;
            if state.buffer.len() < CAPACITY_BYTES {
                return Ok(Some(state));
            }
            // Within the error callback nobody would make room.
            if state.failure.is_some() || state.thread == Some(thread::current().id()) {
                state.refused += 1;
                return Ok(None);
            }
            state = self
                .done
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until everything handed in before has been written, or the sink has failed to take it.
    pub(super) fn flush(&self) -> Result<(), WriteError> {
        let mut state = self.lock();
        self.check_open(&state)?;
        self.check_thread(&state)?;
        state.asked += 1;
        let asked = state.asked;
        self.work.notify_one();
        while state.served < asked {
            match state.phase {
                Phase::Panicked => return Err(self.panicked()),
                Phase::Closed => break,
                Phase::Open | Phase::Closing => {
                    state = self
                        .done
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        let told = state.refused_told;
        state.refused_told = state.refused;
        self.outcome(&state, told)
    }

    /// Has the thread end, after it has written what there is. Returns at once.
    pub(super) fn ask_to_close(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Closing;
            self.work.notify_one();
        }
    }

    /// # Errors
    /// [`WriteError::Closed`], [`WriteError::Panicked`], [`WriteError::InCallback`].
    pub(super) fn check(&self) -> Result<(), WriteError> {
        let state = self.lock();
        self.check_open(&state)?;
        self.check_thread(&state)
    }

    /// What became of everything, after the thread has ended.
    pub(super) fn outcome_of_all(&self) -> Result<Closed, WriteError> {
        let state = self.lock();
        if state.phase == Phase::Panicked {
            return Err(self.panicked());
        }
        self.outcome(&state, 0)?;
        Ok(Closed {
            events: state.events,
            backwards: state.steps.backwards(&self.place),
            all_watched: state.steps.all_watched(),
        })
    }

    /// Takes down how an attempt went; the error, if it is news: an episode of failures is told
    /// once, and at its end what was lost.
    pub(super) fn note(
        &self,
        state: &mut State,
        error: Option<io::Error>,
        waiting_bytes: usize,
    ) -> Option<WriteError> {
        let before = state.failure.take();
        let Some(error) = error else {
            return self.refused_since(state, before?.refused_before);
        };
        let source = Arc::new(error);
        state.last_error = Some(Arc::clone(&source));
        let refused_before = before
            .as_ref()
            .map_or(state.refused, |it| it.refused_before);
        state.failure = Some(Failure {
            source,
            waiting_bytes,
            refused_before,
        });
        match before {
            Some(_) => None,
            None => self.still_waiting(state),
        }
    }

    /// Where more than `told` events were refused, or where bytes wait for a failing sink.
    fn outcome(&self, state: &State, told: u64) -> Result<(), WriteError> {
        match self
            .refused_since(state, told)
            .or_else(|| self.still_waiting(state))
        {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn refused_since(&self, state: &State, told: u64) -> Option<WriteError> {
        let source = state.last_error.as_ref()?;
        (state.refused > told).then(|| WriteError::Refused {
            place: self.place.clone(),
            events: state.refused - told,
            source: Arc::clone(source),
        })
    }

    fn still_waiting(&self, state: &State) -> Option<WriteError> {
        let failure = state.failure.as_ref()?;
        Some(WriteError::Sink {
            place: self.place.clone(),
            waiting_bytes: failure.waiting_bytes + state.buffer.len(),
            source: Arc::clone(&failure.source),
        })
    }

    /// # Errors
    /// [`WriteError::Closed`] and [`WriteError::Panicked`].
    pub(super) fn check_open(&self, state: &State) -> Result<(), WriteError> {
        match state.phase {
            Phase::Open => Ok(()),
            Phase::Closing | Phase::Closed => Err(WriteError::Closed {
                place: self.place.clone(),
            }),
            Phase::Panicked => Err(self.panicked()),
        }
    }

    fn check_thread(&self, state: &State) -> Result<(), WriteError> {
        if state.thread == Some(thread::current().id()) {
            return Err(WriteError::InCallback {
                place: self.place.clone(),
            });
        }
        Ok(())
    }

    fn panicked(&self) -> WriteError {
        WriteError::Panicked {
            place: self.place.clone(),
        }
    }
}
