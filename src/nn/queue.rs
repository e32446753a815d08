//! What paces submissions: how many steps go into one, and how many may wait on the queue.

#[cfg(not(target_arch = "wasm32"))]
use std::collections::VecDeque;
use std::ops::Range;

use crate::device::{Gpu, GpuError};

/// What a submission should take. A quarter of the 100 ms that it may: the estimate comes from
/// earlier submissions, and a desktop that shares the GPU, or the driver's watchdog, has to wait
/// for the longest.
#[cfg(not(target_arch = "wasm32"))]
const TARGET: std::time::Duration = std::time::Duration::from_millis(25);
/// More gain nothing, since a submission costs less than a step, and commands take memory.
#[cfg(not(target_arch = "wasm32"))]
const MOST_STEPS: usize = 256;
/// A browser tells no time of ours to trust.
#[cfg(target_arch = "wasm32")]
const BROWSER_STEPS: usize = 8;

/// Steps that have been asked for and not yet submitted, and the submissions under way.
#[derive(Debug)]
pub(super) struct Queue {
    /// Batches of the order that wait.
    waiting: Range<usize>,
    /// Batches that make an update, and how many of those submitted wait for one.
    accumulation: u32,
    accumulated: u32,
    pace: Pace,
}

impl Queue {
    /// A queue of steps of which `accumulation` make an update.
    pub(super) fn new(accumulation: u32) -> Self {
        Self {
            waiting: 0..0,
            accumulation,
            accumulated: 0,
            pace: Pace::new(STEPS_IN_FLIGHT),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Has batch `i` wait behind the others; whether they should be submitted now.
    pub(super) fn push(&mut self, i: usize) -> bool {
        if self.waiting.is_empty() {
            self.waiting = i..i;
        }
        self.waiting.end = i + 1;
        self.is_full()
    }

    /// Whether no more steps should wait.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= self.pace.steps()
    }

    /// The batches that wait.
    pub(super) fn waiting(&self) -> Range<usize> {
        self.waiting.clone()
    }

    /// How many batches since the last update come before batch `i`, which waits.
    pub(super) fn since_update(&self, i: usize) -> u32 {
        self.accumulated_after(i - self.waiting.start)
    }

    /// How many batches have no update yet, submitted or not.
    pub(super) fn pending(&self) -> u32 {
        self.accumulated_after(self.waiting.len())
    }

    /// Batches without an update after `steps` more.
    fn accumulated_after(&self, steps: usize) -> u32 {
        let batches = u64::from(self.accumulated) + steps as u64;
        (batches % u64::from(self.accumulation)) as u32
    }

    /// The next batch is the first of an update.
    pub(super) fn forget_accumulated(&mut self) {
        self.accumulated = 0;
    }

    /// All that waited have been submitted.
    pub(super) fn submitted_all(&mut self, submission: wgpu::SubmissionIndex) {
        self.accumulated = self.pending();
        let steps = std::mem::take(&mut self.waiting).len();
        self.pace.submitted(submission, steps);
    }

    /// A single step, which did not wait, has been submitted.
    pub(super) fn submitted_one(&mut self, submission: wgpu::SubmissionIndex) {
        self.accumulated = self.accumulated_after(1);
        self.pace.submitted(submission, 1);
    }

    /// Waits, where that is possible, until there is room for a single step.
    pub(super) fn admit_one(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        self.pace.admit(gpu, STEPS_IN_FLIGHT)
    }

    /// Waits, where that is possible, until there is room for many steps.
    pub(super) fn admit_many(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        self.pace.admit(gpu, SUBMISSIONS_IN_FLIGHT)
    }

    /// Waits, where that is possible, until all submissions have been executed.
    pub(super) fn drain(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        self.pace.admit(gpu, 1)
    }
}

/// Single steps that may be on the queue: enough to keep a GPU busy, few enough to bound memory.
const STEPS_IN_FLIGHT: usize = 32;
/// Submissions of many steps that may be: enough to keep a GPU busy, few enough that a loss is not
/// long in coming.
const SUBMISSIONS_IN_FLIGHT: usize = 4;

/// The submissions under way, and what they tell about the time of a step.
#[derive(Debug)]
struct Pace {
    #[cfg(not(target_arch = "wasm32"))]
    in_flight: VecDeque<Flight>,
    /// Steps that the next submission may hold.
    steps: usize,
    /// When the last submission was seen to be finished.
    #[cfg(not(target_arch = "wasm32"))]
    seen: std::time::Instant,
}

#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug)]
struct Flight {
    submission: wgpu::SubmissionIndex,
    steps: usize,
    submitted: std::time::Instant,
}

#[cfg(not(target_arch = "wasm32"))]
impl Pace {
    /// Room for `most` submissions in flight.
    fn new(most: usize) -> Self {
        Self {
            in_flight: VecDeque::with_capacity(most),
            steps: 1,
            seen: std::time::Instant::now(),
        }
    }

    fn submitted(&mut self, submission: wgpu::SubmissionIndex, steps: usize) {
        self.in_flight.push_back(Flight {
            submission,
            steps,
            submitted: std::time::Instant::now(),
        });
    }

    /// Waits until fewer than `most` submissions are on the queue, and learns from those that it
    /// sees finish.
    fn admit(&mut self, gpu: &Gpu, most: usize) -> Result<(), GpuError> {
        while self.in_flight.len() >= most {
            let Some(oldest) = self.in_flight.front() else {
                return Ok(());
            };
            // One that is not waited for to the end stays.
            let waited = !gpu.is_done(&oldest.submission)?;
            if waited {
                let submission = oldest.submission.clone();
                gpu.wait_for(
                    submission,
                    format_args!("training ({} steps)", oldest.steps),
                )?;
            }
            let Some(oldest) = self.in_flight.pop_front() else {
                return Ok(());
            };
            let begin = oldest.submitted.max(self.seen);
            self.seen = std::time::Instant::now();
            self.steps = next_steps(self.steps, oldest.steps, self.seen - begin, waited);
        }
        Ok(())
    }
}

/// How many steps to submit after `taken` of them took `time` (or at most that, where nobody waited
/// for their end).
#[cfg(not(target_arch = "wasm32"))]
fn next_steps(steps: usize, taken: usize, time: std::time::Duration, waited: bool) -> usize {
    let per_step = time.as_secs_f64() / taken.max(1) as f64;
    let fit = (TARGET.as_secs_f64() / per_step.max(1e-9)) as usize;
    // Growing is an experiment, so it goes slowly; shrinking is not. An upper bound of the time
    // cannot tell that it was too long.
    let least = if waited { 1 } else { steps };
    fit.clamp(least, (2 * steps).max(least)).min(MOST_STEPS)
}

#[cfg(target_arch = "wasm32")]
impl Pace {
    fn new(_most: usize) -> Self {
        Self {
            steps: BROWSER_STEPS,
        }
    }

    fn submitted(&mut self, _submission: wgpu::SubmissionIndex, _steps: usize) {}

    /// The browser throttles by itself.
    fn admit(&mut self, _gpu: &Gpu, _most: usize) -> Result<(), GpuError> {
        Ok(())
    }
}

impl Pace {
    /// Steps that the next submission may hold.
    fn steps(&self) -> usize {
        self.steps
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::{MOST_STEPS, next_steps};
    use std::time::Duration;

    #[test]
    fn steps_double_at_most_and_shrink_at_once() {
        let ms = Duration::from_millis;
        assert_eq!(next_steps(1, 1, ms(1), true), 2);
        assert_eq!(next_steps(16, 16, ms(16), true), 25);
        assert_eq!(next_steps(16, 16, ms(1600), true), 1);
        assert_eq!(next_steps(8, 1, ms(200), true), 1);
        assert_eq!(
            next_steps(MOST_STEPS, MOST_STEPS, Duration::ZERO, true),
            MOST_STEPS
        );
    }

    #[test]
    fn steps_do_not_shrink_for_a_time_that_nobody_waited() {
        assert_eq!(next_steps(16, 16, Duration::from_secs(60), false), 16);
        assert_eq!(next_steps(16, 16, Duration::from_millis(1), false), 32);
    }
}
