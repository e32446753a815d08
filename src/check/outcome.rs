//! What a self-check has found.

use std::fmt;
use std::time::Duration;

use crate::device::GpuError;
use crate::kernel::PrepareError;

/// What came of [`selfcheck`](super::selfcheck).
#[non_exhaustive]
#[derive(Debug)]
pub struct SelfCheck {
    /// Name, backend and driver of the adapter, in words.
    pub adapter: String,
    /// Every check, in the order in which they were made.
    pub checks: Vec<Check>,
    /// How long all of them took, compiling included.
    pub duration: Duration,
}

impl SelfCheck {
    /// The checks that found something wrong: a wrong result, or a kernel that the device refuses.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks
            .iter()
            .filter(|check| check.verdict.is_failure())
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.failures().next().is_none()
    }
}

/// One operation, run and compared with its twin.
#[non_exhaustive]
#[derive(Debug)]
pub struct Check {
    /// What was checked.
    pub name: CheckName,
    /// The kernels that ran, by [`Kernel::name`](crate::Kernel::name); none where the device
    /// refused.
    pub kernels: Vec<String>,
    /// What came of it.
    pub verdict: Verdict,
    /// How long it took: preparing, which compiles what no check before needed, running, and
    /// reading back.
    pub duration: Duration,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.verdict)?;
        if !self.kernels.is_empty() {
            write!(f, " (kernels {})", self.kernels.join(", "))?;
        }
        Ok(())
    }
}

/// What a check is of.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckName {
    /// The operation, such as `forward` or `adam`.
    pub operation: &'static str,
    /// Sizes of its operands, such as `13×517×35` for batch × inputs × outputs.
    pub shape: String,
    /// By what, or of what: the plan of a matrix product, the activation or the loss; may be empty.
    pub variant: String,
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation, self.shape)?;
        if !self.variant.is_empty() {
            write!(f, ", {}", self.variant)?;
        }
        Ok(())
    }
}

/// What came of a check.
#[non_exhaustive]
#[derive(Debug)]
pub enum Verdict {
    /// Every element is within its bound, which is 0 where results are exact.
    Right {
        /// The error of the element that came nearest to its bound.
        error: f64,
        /// Its bound.
        bound: f64,
    },
    /// An element is not.
    Wrong(Wrong),
    /// It could not be prepared. [`PrepareError::Limit`] is no failure: the device has not what the
    /// operation needs, and says so.
    Refused(PrepareError),
}

impl Verdict {
    /// Whether something is wrong with the device, its driver or the kernel.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Right { .. } | Self::Refused(PrepareError::Limit { .. }) => false,
            Self::Wrong(_) | Self::Refused(_) => true,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right { bound: 0.0, .. } => write!(f, "right, exactly"),
            Self::Right { error, bound } => write!(f, "right, error {error:.1e} of {bound:.1e}"),
            Self::Wrong(wrong) => wrong.fmt(f),
            Self::Refused(error) => write!(f, "refused: {error}"),
        }
    }
}

/// How wrong a result is.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Wrong {
    /// Which of the results: the name of its operand. `guard cells` where something was written
    /// outside of all of them.
    pub result: &'static str,
    /// The first wrong element, counted from 0.
    pub element: usize,
    /// What it is.
    pub actual: f64,
    /// What the twin has.
    pub expected: f64,
    /// How far it may be from that.
    pub bound: f64,
    /// The largest error of all elements of this result; NaN where one is not finite.
    pub largest_error: f64,
    /// How many elements of this result are wrong.
    pub elements: usize,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            result,
            element,
            actual,
            expected,
            bound,
            largest_error,
            elements,
        } = self;
        write!(
            f,
            "WRONG: {result}[{element}] is {actual:e} instead of {expected:e}, allowed {bound:.1e}; \
             {elements} wrong, the largest error {largest_error:.1e}"
        )
    }
}

/// The device failed, so that the check could not come to its end.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
#[error("the self-check of {name} could not be completed (kernels: {})", list(.kernels))]
pub struct CheckError {
    /// What was being checked.
    pub name: CheckName,
    /// The kernels that were running, by [`Kernel::name`](crate::Kernel::name); none where it was
    /// still being prepared.
    pub kernels: Vec<String>,
    /// What the device said.
    pub source: Box<GpuError>,
}

fn list(kernels: &[String]) -> String {
    if kernels.is_empty() {
        "none yet".to_owned()
    } else {
        kernels.join(", ")
    }
}
