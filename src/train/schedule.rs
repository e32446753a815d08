//! How the learning rate changes over a training run.

use std::fmt;
use std::str::FromStr;

/// A learning rate for every step, relative to that of the optimizer.
///
/// A schedule is written as its name and numbers: `constant`, `linear:0.1`, `cosine:0.01`,
/// `steps:10:0.5`, `exponential:0.95`, `one-cycle:0.3:25:10000`. That is how it is displayed,
/// parsed and, with the feature `serde`, serialized. Numbers at the end of `linear` (0), `cosine`
/// (0) and `one-cycle` (0.3, 25 and 10,000) may be left out.
///
/// ```
/// use wgpu_linear::train::Schedule;
///
/// let stairs: Schedule = "steps:10:0.5".parse()?;
/// assert_eq!(stairs, Schedule::Steps { epochs: 10, factor: 0.5 });
/// assert_eq!("one-cycle".parse(), Ok(Schedule::one_cycle()));
/// assert_eq!(Schedule::Cosine { floor: 0.01 }.to_string(), "cosine:0.01");
/// # Ok::<(), wgpu_linear::train::ScheduleError>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Schedule {
    /// The same throughout.
    #[default]
    Constant,
    /// A straight line from 1 to `end`: 1 + (end − 1) · step / steps. PyTorch's *LinearLR* with a
    /// start factor of 1, over all steps.
    Linear {
        /// The factor at the end.
        end: f32,
    },
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
    /// factor^epoch: PyTorch's *ExponentialLR*.
    Exponential {
        /// What each epoch multiplies by.
        factor: f32,
    },
    /// Half a cosine up, from 1 / `start_divisor` to 1, and half a cosine down, to 1 /
    /// (`start_divisor` · `end_divisor`) at the last step (Smith & Topin, "Super-Convergence",
    /// 2018). The learning rate of the optimizer is the largest. PyTorch's *OneCycleLR* with its two
    /// phases; momentum stays as it is, which is not cycled here.
    OneCycle {
        /// The share of the steps that rise, within 0 and 1.
        warmup: f32,
        /// By what the first rate is smaller than the largest.
        start_divisor: f32,
        /// By what the last rate is smaller than the first.
        end_divisor: f32,
    },
}

impl Schedule {
    /// [`Self::OneCycle`] with the numbers that PyTorch has for it: a warm-up of 0.3, divisors of
    /// 25 and 10,000.
    #[must_use]
    pub const fn one_cycle() -> Self {
        Self::OneCycle {
            warmup: 0.3,
            start_divisor: 25.0,
            end_divisor: 1e4,
        }
    }

    /// The factor for step `step` of `steps` (both from 0) in epoch `epoch`.
    ///
    /// ```
    /// use wgpu_linear::train::Schedule;
    /// let cosine = Schedule::Cosine { floor: 0.1 };
    /// assert_eq!(cosine.factor(0, 100, 0), 1.0);
    /// assert!((cosine.factor(100, 100, 9) - 0.1).abs() < 1e-6);
    /// assert_eq!(Schedule::Steps { epochs: 10, factor: 0.5 }.factor(0, 1, 25), 0.25);
    /// assert_eq!(Schedule::one_cycle().factor(0, 100, 0), 1.0 / 25.0);
    /// ```
    #[must_use]
    pub fn factor(&self, step: u64, steps: u64, epoch: u32) -> f32 {
        let way = step as f64 / steps.max(1) as f64;
        let power = |factor: f32, n: u32| factor.powi(i32::try_from(n).unwrap_or(i32::MAX));
        match *self {
            Self::Constant => 1.0,
            Self::Linear { end } => (1.0 + (f64::from(end) - 1.0) * way) as f32,
            Self::Cosine { floor } => half_cosine(1.0, f64::from(floor), way),
            Self::Steps { epochs, factor } => power(factor, epoch / epochs.max(1)),
            Self::Exponential { factor } => power(factor, epoch),
            Self::OneCycle {
                warmup,
                start_divisor,
                end_divisor,
            } => {
                let start = 1.0 / f64::from(start_divisor);
                let (rises, way) = phase(step, steps, warmup);
                if rises {
                    half_cosine(start, 1.0, way)
                } else {
                    half_cosine(1.0, start / f64::from(end_divisor), way)
                }
            }
        }
    }
}

/// Half a cosine between two factors: `from` where `way` is 0, `to` where it is 1.
fn half_cosine(from: f64, to: f64, way: f64) -> f32 {
    (to + (from - to) * 0.5 * (1.0 + (std::f64::consts::PI * way).cos())) as f32
}

/// Whether a step is in the phase of one cycle that rises, and how far it is in its phase. As
/// PyTorch counts, the peak is the last step of the share, and the end the last of all.
fn phase(step: u64, steps: u64, warmup: f32) -> (bool, f64) {
    let last = steps.saturating_sub(1) as f64;
    let peak = f64::from(warmup) * steps as f64 - 1.0;
    let step = (step as f64).min(last);
    if step <= peak || steps == 0 {
        // Where one step alone rises, it is the beginning.
        (true, step / peak.max(f64::MIN_POSITIVE))
    } else {
        (false, (step - peak) / (last - peak))
    }
}

/// A text is not that of a [`Schedule`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no schedule: expected {expected}")]
pub struct ScheduleError {
    /// What was to be a schedule.
    pub text: String,
    /// How it is written.
    pub expected: &'static str,
}

impl Schedule {
    /// How the schedules of a name are written.
    fn form(name: &str) -> &'static str {
        match name {
            "constant" => "constant, without numbers",
            "linear" => "linear:END, with a number from 0",
            "cosine" => "cosine:FLOOR, with a number from 0",
            "steps" => "steps:EPOCHS:FACTOR, with a whole number from 1 and a number from 0",
            "exponential" => "exponential:FACTOR, with a number from 0",
            "one-cycle" => {
                "one-cycle:WARMUP:START_DIVISOR:END_DIVISOR, with a number within 0 and 1 and two above 0"
            }
            _ => {
                "constant, linear:END, cosine:FLOOR, steps:EPOCHS:FACTOR, exponential:FACTOR or one-cycle"
            }
        }
    }

    fn parse(name: &str, numbers: &[&str]) -> Option<Self> {
        let number = |i: usize| numbers.get(i).and_then(|text| text.parse::<f32>().ok());
        let number_or = |i: usize, usual: f32| match numbers.get(i) {
            Some(_) => number(i),
            None => Some(usual),
        };
        let factor = |number: &f32| (0.0..f32::INFINITY).contains(number);
        let divisor = |number: &f32| *number > 0.0 && number.is_finite();
        match (name, numbers.len()) {
            ("constant", 0) => Some(Self::Constant),
            ("linear", 0..=1) => Some(Self::Linear {
                end: number_or(0, 0.0).filter(factor)?,
            }),
            ("cosine", 0..=1) => Some(Self::Cosine {
                floor: number_or(0, 0.0).filter(factor)?,
            }),
            ("steps", 2) => Some(Self::Steps {
                epochs: numbers[0].parse().ok().filter(|epochs| *epochs > 0)?,
                factor: number(1).filter(factor)?,
            }),
            ("exponential", 1) => Some(Self::Exponential {
                factor: number(0).filter(factor)?,
            }),
            ("one-cycle", 0..=3) => Some(Self::OneCycle {
                warmup: number_or(0, 0.3).filter(|share| (0.0..=1.0).contains(share))?,
                start_divisor: number_or(1, 25.0).filter(divisor)?,
                end_divisor: number_or(2, 1e4).filter(divisor)?,
            }),
            _ => None,
        }
    }
}

/// As it is parsed: the name and its numbers.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Linear { end } => write!(f, "linear:{end}"),
            Self::Cosine { floor } => write!(f, "cosine:{floor}"),
            Self::Steps { epochs, factor } => write!(f, "steps:{epochs}:{factor}"),
            Self::Exponential { factor } => write!(f, "exponential:{factor}"),
            Self::OneCycle {
                warmup,
                start_divisor,
                end_divisor,
            } => write!(f, "one-cycle:{warmup}:{start_divisor}:{end_divisor}"),
        }
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    /// # Errors
    /// [`ScheduleError`] where there is no such name, numbers are missing or too many, or one is
    /// out of its range.
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let (name, numbers) = text.split_once(':').unwrap_or((text, ""));
        let numbers: Vec<_> = if text.contains(':') {
            numbers.split(':').collect()
        } else {
            Vec::new()
        };
        Self::parse(name, &numbers).ok_or_else(|| ScheduleError {
            text: text.to_owned(),
            expected: Self::form(name),
        })
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Schedule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Schedule {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
