//! A schedule, or a function in its place, behind a warm-up.

use std::fmt;

use super::schedule::Schedule;

/// A [`Schedule`], or a function in its place.
pub(super) enum Curve<'a> {
    Schedule(Schedule),
    Function(Box<dyn Fn(u64, u64, u32) -> f32 + 'a>),
}

impl Curve<'_> {
    /// The factor for step `step` of `steps` (both from 0) in epoch `epoch`, behind a linear
    /// warm-up of `warmup` steps: 1 / (warmup + 1), 2 / (warmup + 1), … times the first factor.
    pub(super) fn factor(&self, warmup: u64, step: u64, steps: u64, epoch: u32) -> f32 {
        let (done, all) = (step.saturating_sub(warmup), steps.saturating_sub(warmup));
        let factor = match self {
            Self::Schedule(schedule) => schedule.factor(done, all, epoch),
            Self::Function(function) => function(done, all, epoch),
        };
        if step < warmup {
            factor * ((step + 1) as f64 / (warmup as f64 + 1.0)) as f32
        } else {
            factor
        }
    }
}

/// The schedule as it is parsed.
impl fmt::Display for Curve<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schedule(schedule) => fmt::Display::fmt(schedule, f),
            Self::Function(_) => f.write_str("a function"),
        }
    }
}

impl fmt::Debug for Curve<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
