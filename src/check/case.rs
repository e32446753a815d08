//! A case: a name, how it is prepared, and what must come of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bounds;
use super::operands::{Operands, Place, Results, Uploaded};
use super::outcome::{Check, CheckError, CheckName, Verdict, Wrong};
use crate::device::{Gpu, GpuError};
use crate::kernel::{Dispatch, ElementType, PrepareError};
use crate::linear::{LinearKernels, Operation, Plan, Shape};
use crate::nn::NetworkKernels;

/// What cases are prepared with.
pub(super) struct Kernels<'a> {
    pub(super) gpu: &'a Gpu,
    pub(super) linear: &'a LinearKernels,
    pub(super) network: &'a NetworkKernels,
}

/// One check that can be made.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) name: CheckName,
    /// The plan that the linear kernels must follow while it is prepared.
    pub(super) plan: Option<(Shape, Operation, Plan)>,
    prepare: Arc<Prepare>,
}

type Prepare = dyn Fn(&Kernels<'_>) -> Result<Work, Trouble> + Send + Sync;

impl Case {
    pub(super) fn new(
        name: CheckName,
        prepare: impl Fn(&Kernels<'_>) -> Result<Work, Trouble> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            plan: None,
            prepare: Arc::new(prepare),
        }
    }

    /// The same by this plan.
    pub(super) fn by(self, shape: Shape, operation: Operation, plan: Plan) -> Self {
        Self {
            plan: Some((shape, operation, plan)),
            ..self
        }
    }

    /// Compiles and uploads.
    pub(super) fn prepare(&self, kernels: &Kernels<'_>) -> Prepared {
        let begin = Instant::now();
        let work = (self.prepare)(kernels);
        Prepared {
            name: self.name.clone(),
            work,
            duration: begin.elapsed(),
        }
    }
}

/// Why there is nothing to run.
pub(super) enum Trouble {
    Refused(PrepareError),
    Gpu(GpuError),
}

impl From<PrepareError> for Trouble {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::DeviceLost { .. } => Self::Gpu(GpuError::DeviceLost),
            error => Self::Refused(error),
        }
    }
}

impl From<GpuError> for Trouble {
    fn from(error: GpuError) -> Self {
        Self::Gpu(error)
    }
}

/// A case that can be run.
pub(super) struct Prepared {
    name: CheckName,
    work: Result<Work, Trouble>,
    duration: Duration,
}

impl Prepared {
    /// Runs it and compares.
    pub(super) fn check(self, gpu: &Gpu) -> Result<Check, CheckError> {
        let Self {
            name,
            work,
            duration,
        } = self;
        let begin = Instant::now();
        let (kernels, verdict) = match work {
            Ok(work) => {
                let kernels = work.kernels();
                let verdict = work.run(gpu);
                (kernels, verdict)
            }
            Err(Trouble::Refused(error)) => (Vec::new(), Ok(Verdict::Refused(error))),
            Err(Trouble::Gpu(error)) => (Vec::new(), Err(error)),
        };
        match verdict {
            Ok(verdict) => Ok(Check {
                name,
                kernels,
                verdict,
                duration: duration + begin.elapsed(),
            }),
            Err(source) => Err(CheckError {
                name,
                kernels,
                source: Box::new(source),
            }),
        }
    }

    #[cfg(test)]
    pub(super) fn name(&self) -> &CheckName {
        &self.name
    }

    /// Why it could not be prepared.
    #[cfg(test)]
    pub(super) fn refusal(self) -> Option<PrepareError> {
        match self.work {
            Err(Trouble::Refused(error)) => Some(error),
            _ => None,
        }
    }

    /// The kernels that it runs.
    #[cfg(test)]
    pub(super) fn kernels(&self) -> Vec<String> {
        self.work.as_ref().map(Work::kernels).unwrap_or_default()
    }

    /// The files that these are made of.
    #[cfg(test)]
    pub(super) fn files(&self) -> Vec<crate::kernel::File> {
        let dispatches = self.work.iter().flat_map(|work| &work.dispatches);
        let kernels = dispatches.flat_map(Dispatch::kernels);
        let mut files: Vec<_> = kernels.flat_map(|kernel| kernel.files().unwrap()).collect();
        files.sort_by_key(|file| file.name);
        files.dedup();
        files
    }
}

/// Prepared work with what must come of it.
pub(super) struct Work {
    dispatches: Vec<Dispatch>,
    operands: Uploaded,
    expected: Vec<Expected>,
}

impl Work {
    /// Uploads `operands`, and prepares what works on them.
    pub(super) fn new(
        gpu: &Gpu,
        operands: Operands,
        expected: Vec<Expected>,
        dispatches: impl FnOnce(&Uploaded) -> Result<Vec<Dispatch>, Trouble>,
    ) -> Result<Self, Trouble> {
        let operands = operands.upload(gpu)?;
        Ok(Self {
            dispatches: dispatches(&operands)?,
            operands,
            expected,
        })
    }

    fn kernels(&self) -> Vec<String> {
        let mut names = Vec::new();
        for kernel in self.dispatches.iter().flat_map(Dispatch::kernels) {
            let name = kernel.name();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn run(&self, gpu: &Gpu) -> Result<Verdict, GpuError> {
        gpu.run(&self.dispatches)?;
        let results = self.operands.read_back(gpu)?;
        Ok(self.judge(&results))
    }

    fn judge(&self, results: &Results) -> Verdict {
        let mut nearest = [0.0, 0.0];
        for expected in &self.expected {
            match expected.compare(results.of(expected.place)) {
                Ok(errors) => nearest = nearer(nearest, errors),
                Err(wrong) => return Verdict::Wrong(wrong),
            }
        }
        if let Some(broken) = results.broken_guards() {
            return Verdict::Wrong(Wrong {
                result: "guard cells",
                element: broken.first,
                actual: broken.actual,
                expected: broken.expected,
                bound: 0.0,
                largest_error: (broken.actual - broken.expected).abs(),
                elements: broken.count,
            });
        }
        let [error, bound] = nearest;
        Verdict::Right { error, bound }
    }
}

/// Of two errors with their bounds, that which comes nearer to it.
fn nearer(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    let share = |[error, bound]: [f64; 2]| if bound > 0.0 { error / bound } else { -1.0 };
    if share(b) > share(a) { b } else { a }
}

/// What a result must be.
#[derive(Debug)]
pub(super) struct Expected {
    result: &'static str,
    place: Place,
    /// From the words of the result to the numbers that are compared.
    decode: fn(&[u32]) -> Vec<f64>,
    values: Vec<f64>,
    bounds: Vec<f64>,
    /// Whether infinities and NaN are as good as each other.
    takes_others: bool,
}

impl Expected {
    /// Each element within its bound.
    pub(super) fn within(
        result: &'static str,
        place: Place,
        values: impl IntoIterator<Item = f64>,
        bounds: impl IntoIterator<Item = f64>,
    ) -> Self {
        let expected = Self {
            result,
            place,
            decode: place.element.decoder(),
            values: values.into_iter().collect(),
            bounds: bounds.into_iter().collect(),
            takes_others: false,
        };
        match place.element {
            ElementType::F32 => expected,
            ElementType::F16 => expected.rounded_to_f16(),
        }
    }

    /// The same, rounded in whichever direction; with what stands behind an odd number of them.
    fn rounded_to_f16(mut self) -> Self {
        for (value, bound) in self.values.iter().zip(&mut self.bounds) {
            *bound += bounds::f16(*value, *bound);
        }
        if let Some(padding) = self.place.element.padding(self.values.len()) {
            self.values.push(padding.into());
            self.bounds.push(0.0);
        }
        self
    }

    /// Every element as it is here.
    pub(super) fn exactly(
        result: &'static str,
        place: Place,
        values: impl IntoIterator<Item = f64>,
    ) -> Self {
        let values: Vec<_> = values.into_iter().collect();
        let bounds = vec![0.0; values.len()];
        Self::within(result, place, values, bounds)
    }

    /// Every word as it is here.
    pub(super) fn words(
        result: &'static str,
        place: Place,
        words: impl IntoIterator<Item = u32>,
    ) -> Self {
        let whole = |words: &[u32]| words.iter().copied().map(f64::from).collect();
        Self::exactly(result, place, words.into_iter().map(f64::from)).decoded(whole)
    }

    /// The same of words that stand for other numbers.
    pub(super) fn decoded(self, decode: fn(&[u32]) -> Vec<f64>) -> Self {
        Self { decode, ..self }
    }

    /// The same, where infinities and NaN are as good as each other.
    pub(super) fn finite_or_not(self) -> Self {
        let takes_others = true;
        Self {
            takes_others,
            ..self
        }
    }

    /// The error nearest to its bound, with the bound. A NaN is within nothing.
    fn compare(&self, words: &[u32]) -> Result<[f64; 2], Wrong> {
        let actual = (self.decode)(words);
        let (mut nearest, mut largest) = ([0.0, 0.0], 0.0_f64);
        let mut wrong: Option<(usize, usize)> = None;
        let at = |values: &[f64], i: usize| values.get(i).copied().unwrap_or(f64::NAN);
        for (i, expected) in self.values.iter().enumerate() {
            let (found, bound) = (at(&actual, i), at(&self.bounds, i));
            let is_other = |value: f64| self.takes_others && !value.is_finite();
            if i < actual.len() && is_other(found) && is_other(*expected) {
                continue;
            }
            let error = (found - expected).abs();
            let is_right = error <= bound;
            if !is_right {
                let (first, count) = wrong.unwrap_or((i, 0));
                wrong = Some((first, count + 1));
            }
            largest = if error.is_finite() && largest.is_finite() {
                largest.max(error)
            } else {
                f64::NAN
            };
            nearest = nearer(nearest, [error, bound]);
        }
        let Some((element, elements)) = wrong else {
            return Ok(nearest);
        };
        Err(Wrong {
            result: self.result,
            element,
            actual: at(&actual, element),
            expected: at(&self.values, element),
            bound: at(&self.bounds, element),
            largest_error: largest,
            elements,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(bound: f64) -> Expected {
        let place = Operands::default().output(3);
        Expected::within("t", place, [1.0, 2.0, 3.0], [bound; 3])
    }

    fn words(values: [f32; 3]) -> [u32; 3] {
        values.map(f32::to_bits)
    }

    #[test]
    fn what_is_within_its_bound_is_right_with_the_nearest_error() {
        let nearest = expected(0.5).compare(&words([1.0, 2.25, 3.125]));
        assert_eq!(nearest, Ok([0.25, 0.5]));
        assert_eq!(
            expected(0.0).compare(&words([1.0, 2.0, 3.0])),
            Ok([0.0, 0.0])
        );
    }

    #[test]
    fn what_is_beyond_its_bound_is_wrong_with_the_first_element_and_the_largest_error() {
        let wrong = expected(0.5).compare(&words([1.0, 3.0, 7.0])).unwrap_err();
        assert_eq!((wrong.result, wrong.element, wrong.elements), ("t", 1, 2));
        assert_eq!((wrong.actual, wrong.expected), (3.0, 2.0));
        assert_eq!((wrong.bound, wrong.largest_error), (0.5, 4.0));
    }

    #[test]
    fn where_others_are_taken_no_number_is_as_good_as_one_of_them() {
        let place = Operands::default().output(3);
        let wanted = [1.0, f64::NAN, f64::INFINITY];
        let expected = || Expected::within("t", place, wanted, [0.5, f64::NAN, 0.5]);
        let good = words([1.25, f32::NEG_INFINITY, f32::NAN]);
        assert_eq!(expected().finite_or_not().compare(&good), Ok([0.25, 0.5]));
        assert_eq!(expected().compare(&good).unwrap_err().elements, 2);
        for bad in [[f32::NAN; 3], [1.0, 2.0, f32::NAN], [1.0, f32::NAN, 3e38]] {
            let wrong = expected().finite_or_not().compare(&words(bad));
            assert_eq!(wrong.unwrap_err().elements, 1);
        }
        let none = expected().finite_or_not().compare(&good[..1]);
        assert_eq!(none.unwrap_err().elements, 2);
    }

    #[test]
    fn what_is_not_finite_or_not_there_is_wrong() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for place in 0..3 {
                let mut values = [1.0, 2.0, 3.0];
                values[place] = bad;
                let wrong = expected(1e300).compare(&words(values)).unwrap_err();
                assert_eq!((wrong.element, wrong.elements), (place, 1));
                assert!(wrong.largest_error.is_nan());
            }
        }
        assert_eq!(expected(1e300).compare(&[]).unwrap_err().elements, 3);
        let by_nan_bound = expected(f64::NAN).compare(&words([1.0, 2.0, 3.0]));
        assert!(by_nan_bound.is_err());
    }
}
