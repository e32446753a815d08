//! The orderly end of a run: a first signal asks for it, a second one does not wait.

use std::process::exit;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::CliError;

/// As shells have it for a process that an interrupt ended.
const INTERRUPTED: i32 = 130;
/// The exit code where the grace was too short.
const OUT_OF_TIME: i32 = 3;

/// Whether a run should end, and what would be missing if it ended now.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_asked: AtomicBool,
    signals: AtomicU32,
    /// What is yet to be written.
    missing: Mutex<Vec<&'static str>>,
}

impl Stop {
    /// Has SIGINT, SIGTERM and SIGHUP (on Windows their like) ask for an end, which must come within
    /// `grace`; a second signal ends the process at once.
    ///
    /// # Errors
    /// [`CliError::Failure`] where the system does not let us.
    pub fn on_signals(grace: Duration) -> Result<Self, CliError> {
        let stop = Self::default();
        let handler = stop.clone();
        ctrlc::set_handler(move || handler.signal(grace))
            .map_err(|error| CliError::failure(&error))?;
        Ok(stop)
    }

    fn signal(&self, grace: Duration) {
        if self.shared.signals.fetch_add(1, Ordering::SeqCst) > 0 {
            self.end_now("a second signal: ended at once", INTERRUPTED);
        }
        self.shared.is_asked.store(true, Ordering::SeqCst);
        eprintln!(
            "Ending: the step at hand, a checkpoint, the events; {} s at most. A second signal ends at once.",
            grace.as_secs_f64()
        );
        let stop = self.clone();
        // A grace beyond the end of time is none.
        thread::spawn(move || {
            thread::sleep(grace);
            stop.end_now(
                &format!("not done within {} s (--grace)", grace.as_secs_f64()),
                OUT_OF_TIME,
            );
        });
    }

    /// Whether the run should end.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.shared.is_asked.load(Ordering::SeqCst)
    }

    /// Says what an end at this moment would leave unwritten.
    pub fn set_missing(&self, missing: &[&'static str]) {
        *self.lock() = missing.to_vec();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<&'static str>> {
        // What is in there is a list of texts: a panic elsewhere cannot have spoiled it.
        self.shared
            .missing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn end_now(&self, why: &str, code: i32) -> ! {
        let missing = self.lock().join(", ");
        let missing = match missing.as_str() {
            "" => "nothing is missing".to_owned(),
            missing => format!("missing: {missing}"),
        };
        eprintln!("{why}; {missing}");
        exit(code)
    }
}
