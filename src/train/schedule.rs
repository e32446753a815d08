//! How the learning rate changes over a training run.

use std::fmt;

/// A learning rate for every step, relative to that of the optimizer.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Schedule {
    /// The same throughout.
    #[default]
    Constant,
    /// Half a cosine from 1 down to `floor` (Loshchilov & Hutter, "SGDR", ICLR 2017, without
    /// restarts).
    Cosine {
        /// The factor at the end.
        floor: f32,
    },
    /// Divided by 1 / `factor` after every `epochs` epochs.
    Steps {
        /// Length of a stair.
        epochs: u32,
        /// What each stair multiplies by.
        factor: f32,
    },
}

impl Schedule {
    /// The factor for step `step` of `steps` (both from 0) in epoch `epoch`.
    ///
    /// ```
    /// use wgpu_linear::train::Schedule;
    /// let cosine = Schedule::Cosine { floor: 0.1 };
    /// assert_eq!(cosine.factor(0, 100, 0), 1.0);
    /// assert!((cosine.factor(100, 100, 9) - 0.1).abs() < 1e-6);
    /// assert_eq!(Schedule::Steps { epochs: 10, factor: 0.5 }.factor(0, 1, 25), 0.25);
    /// ```
    #[must_use]
    pub fn factor(&self, step: u64, steps: u64, epoch: u32) -> f32 {
        match *self {
            Self::Constant => 1.0,
            Self::Cosine { floor } => {
                let way = step as f32 / steps.max(1) as f32;
                floor + (1.0 - floor) * 0.5 * (1.0 + (std::f32::consts::PI * way).cos())
            }
            Self::Steps { epochs, factor } => {
                factor.powi(i32::try_from(epoch / epochs.max(1)).unwrap_or(i32::MAX))
            }
        }
    }
}

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

/// In words.
impl fmt::Display for Curve<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schedule(Schedule::Constant) => f.write_str("constant"),
            Self::Schedule(Schedule::Cosine { floor }) => write!(f, "cosine to {floor}"),
            Self::Schedule(Schedule::Steps { epochs, factor }) => {
                write!(f, "times {factor} every {epochs} epochs")
            }
            Self::Function(_) => f.write_str("a function"),
        }
    }
}

impl fmt::Debug for Curve<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
