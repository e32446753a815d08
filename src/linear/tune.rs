//! Measuring: which of the planner's candidates is the fastest on this adapter.

use std::time::{Duration, Instant};

use crate::device::{Gpu, GpuError};
use crate::kernel::{Dispatch, PrepareError};

use super::operations::LinearKernels;
use super::plan::Plan;
use super::precision::Precision;
use super::shape::{Operation, Shape};
use super::trial::{Trial, required_bytes};
use super::tune_cache::{TuneCache, TuneCacheError, Winner};

/// Finds the fastest plan for an operation on a shape by measuring, and has the kernels use it from
/// then on.
///
/// [`plan()`](super::plan()) estimates; this runs the best of
/// [`ranked_candidates`](super::ranked_candidates) on operands of its own. A plan whose result is
/// wrong in a single element cannot win. For [`Operation::QuantisedForward`] that of
/// [`Algorithm::Int8`](super::Algorithm::Int8) is always among them, and is used where it is the
/// fastest. With a [`TuneCache`], the winner is kept in a file and not measured again.
///
/// Nothing else should use the adapter meanwhile. The operations are tuned apart: a training step
/// on a layer has three.
///
/// ```
/// use wgpu_linear::linear::{Operation, Shape, Tuner};
/// use wgpu_linear::{Gpu, LinearKernels};
///
/// let gpu = Gpu::new()?;
/// let kernels = LinearKernels::new(gpu.device());
/// let shape = Shape { batch: 32, inputs: 64, outputs: 16 };
/// let tuned = Tuner::new(&gpu, &kernels).tune(shape, Operation::Forward)?;
/// println!("{} takes {:?}", tuned.plan, tuned.time);
/// assert_eq!(kernels.plan(shape, Operation::Forward), tuned.plan);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tuner<'a> {
    gpu: &'a Gpu,
    kernels: &'a LinearKernels,
    /// Compiles what is tried, so that `kernels` holds what is used.
    trial_kernels: LinearKernels,
    cache: Option<TuneCache>,
    options: TuneOptions,
    precision: Precision,
}

/// How much tuning may take. `TuneOptions::default()` suits software adapters too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TuneOptions {
    /// Time for one operation on one shape, compiling included. The planner's choice is always
    /// measured, and what has been begun is finished, so that it can take longer where a single run
    /// takes seconds. Default: 5 s.
    pub budget: Duration,
    /// How many candidates are measured at most, the best ones by estimate. Default: 8.
    pub most_candidates: usize,
    /// What the operands may take on the device, and as much on the host. Default: 1 GiB.
    pub most_bytes: u64,
    /// Whether to measure what the cache knows already, and replace it. Default: no.
    pub remeasure: bool,
}

impl Default for TuneOptions {
    fn default() -> Self {
        Self {
            budget: Duration::from_secs(5),
            most_candidates: 8,
            most_bytes: 1 << 30,
            remeasure: false,
        }
    }
}

/// What came of tuning an operation on a shape.
#[non_exhaustive]
#[derive(Debug)]
pub struct Tuned {
    /// The fastest plan, which the kernels now use.
    pub plan: Plan,
    /// Median time of one run of it; zero where there is nothing to compute.
    pub time: Duration,
    /// What [`plan()`](super::plan()) chooses, of the kernels that compute right results here.
    pub planned: Plan,
    /// Median time of one run of that; `None` where it could not run or was wrong.
    pub planned_time: Option<Duration>,
    /// All that was measured, in the order of the estimates, but those by
    /// [`Algorithm::Int8`](super::Algorithm::Int8) behind the first; empty where nothing was.
    pub measurements: Vec<Measurement>,
    /// Whether all this came from the cache.
    pub from_cache: bool,
    /// Why the cache could not keep the plan; it is used all the same.
    pub unsaved: Option<TuneCacheError>,
}

/// One candidate with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// The candidate.
    pub plan: Plan,
    /// Its place among the estimates; 0 is the planner's choice.
    pub rank: usize,
    /// Median time of one run.
    pub time: Duration,
    /// Samples behind the median; 0 where the first runs were so slow, or all time was spent, that
    /// it was left at that.
    pub samples: usize,
}

/// An operation could not be tuned. The kernels use the plan that they used before.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// The operands would take more memory than [`TuneOptions::most_bytes`].
    #[error(
        "tuning {operation:?} on {shape} needs {required_bytes} bytes, {allowed_bytes} are allowed"
    )]
    TooLarge {
        /// The shape.
        shape: Shape,
        /// The operation.
        operation: Operation,
        /// What the operands take.
        required_bytes: u64,
        /// What they may take.
        allowed_bytes: u64,
    },
    /// Every candidate computes wrong results on this adapter.
    #[error(
        "{operation:?} on {shape}: `{plan}` and every other candidate compute wrong results on this adapter"
    )]
    WrongResult {
        /// The shape.
        shape: Shape,
        /// The operation.
        operation: Operation,
        /// The best candidate by estimate.
        plan: Plan,
    },
    /// No candidate could be prepared.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The device has not enough memory or did not do its work.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

impl<'a> Tuner<'a> {
    /// A tuner for `kernels`, which must be of the device of `gpu`.
    #[must_use]
    pub fn new(gpu: &'a Gpu, kernels: &'a LinearKernels) -> Self {
        Self {
            gpu,
            kernels,
            trial_kernels: LinearKernels::with_checks(gpu.device(), kernels.cache.checks())
                .with_capabilities(kernels.capabilities()),
            cache: None,
            options: TuneOptions::default(),
            precision: Precision::F32,
        }
    }

    /// The same with a file that keeps the winners.
    #[must_use]
    pub fn with_cache(self, cache: TuneCache) -> Self {
        Self {
            cache: Some(cache),
            ..self
        }
    }

    /// The same for layers whose factors are stored as `precision` says: what is found holds for
    /// products of which a factor is f16, and may be done by matrix units, where the device was opened
    /// with them. Results are f32 here. Default: f32, and what is found then holds for all products
    /// until something else is found for those of f16.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The same with other bounds.
    #[must_use]
    pub fn with_options(self, options: TuneOptions) -> Self {
        Self { options, ..self }
    }

    /// Finds the fastest plan for `operation` on `shape`, in the cache or by measuring, and gives
    /// it to [`LinearKernels::use_plan`].
    ///
    /// # Errors
    /// [`TuneError::TooLarge`], [`TuneError::Prepare`], [`TuneError::WrongResult`] or
    /// [`TuneError::Gpu`]. A cache that cannot be read or written is none: see [`Tuned::unsaved`].
    pub fn tune(&self, shape: Shape, operation: Operation) -> Result<Tuned, TuneError> {
        let shape = match operation {
            // db does not depend on the inputs; the kernels look its plan up without them.
            Operation::BiasGrad => Shape { inputs: 0, ..shape },
            _ => shape,
        };
        let tuned = match self.recall(shape, operation) {
            Some(tuned) => tuned,
            None => self.measure_and_keep(shape, operation)?,
        };
        self.kernels
            .use_tuned(shape, operation, self.precision_of(operation), tuned.plan);
        Ok(tuned)
    }

    fn recall(&self, shape: Shape, operation: Operation) -> Option<Tuned> {
        let cache = self.cache.as_ref().filter(|_| !self.options.remeasure)?;
        let winner = cache
            .find(
                self.kernels,
                shape,
                (operation, self.precision_of(operation)),
            )
            .filter(|winner| !self.kernels.is_condemned(operation, &winner.plan))?;
        Some(Tuned {
            from_cache: true,
            ..self.tuned(shape, operation, &winner)
        })
    }

    fn planned(&self, shape: Shape, operation: Operation) -> Plan {
        let rounds = self.precision_of(operation).has_rounded_factor();
        self.kernels.planned(shape, operation, rounds)
    }

    /// Quantised weights are for layers of f32 alone.
    fn precision_of(&self, operation: Operation) -> Precision {
        match operation {
            Operation::QuantisedForward => Precision::F32,
            _ => self.precision,
        }
    }

    fn tuned(&self, shape: Shape, operation: Operation, winner: &Winner) -> Tuned {
        Tuned {
            plan: winner.plan,
            time: winner.time,
            planned: self.planned(shape, operation),
            planned_time: winner.planned_time,
            measurements: Vec::new(),
            from_cache: false,
            unsaved: None,
        }
    }

    fn measure_and_keep(&self, shape: Shape, operation: Operation) -> Result<Tuned, TuneError> {
        if operation.product(shape).contains(&0) {
            let winner = Winner {
                plan: self.planned(shape, operation),
                time: Duration::ZERO,
                planned_time: Some(Duration::ZERO),
            };
            return Ok(self.tuned(shape, operation, &winner));
        }
        let (winner, measurements) = self.measure(shape, operation)?;
        let unsaved = self.cache.as_ref().and_then(|cache| {
            let tuned = (operation, self.precision_of(operation));
            let result = cache.insert(self.kernels, shape, tuned, &winner);
            result.err().inspect(|error| {
                log::warn!("the tuned plan for {operation:?} on {shape} is not kept: {error}");
            })
        });
        Ok(Tuned {
            measurements,
            unsaved,
            ..self.tuned(shape, operation, &winner)
        })
    }

    fn measure(
        &self,
        shape: Shape,
        operation: Operation,
    ) -> Result<(Winner, Vec<Measurement>), TuneError> {
        let (required_bytes, allowed_bytes) =
            (required_bytes(shape, operation), self.options.most_bytes);
        if required_bytes > allowed_bytes {
            return Err(TuneError::TooLarge {
                shape,
                operation,
                required_bytes,
                allowed_bytes,
            });
        }
        let start = Instant::now();
        let trial = Trial::new(self.gpu, shape, operation, self.precision_of(operation))?;
        let mut contestants = self.admit_all(&trial, (shape, operation), start)?;
        self.compete(&mut contestants, start)?;
        let measurements: Vec<_> = contestants.iter().map(Contestant::measurement).collect();
        let planned_time = measurements
            .iter()
            .find_map(|measurement| (measurement.rank == 0).then_some(measurement.time));
        let winner = measurements
            .iter()
            .min_by_key(|measurement| measurement.time)
            .map(|best| Winner {
                plan: best.plan,
                time: best.time,
                planned_time,
            });
        let plan = self.planned(shape, operation);
        let wrong = TuneError::WrongResult {
            shape,
            operation,
            plan,
        };
        Ok((winner.ok_or(wrong)?, measurements))
    }

    /// Compiles, verifies and runs the best candidates once, until the time for it is over.
    fn admit_all(
        &self,
        trial: &Trial<'_>,
        (shape, operation): (Shape, Operation),
        start: Instant,
    ) -> Result<Vec<Contestant>, TuneError> {
        let mut contestants: Vec<Contestant> = Vec::new();
        let mut refusal = None;
        let rounds = self.precision_of(operation).has_rounded_factor();
        let mut plans = self.kernels.ranked_plans(shape, operation, rounds);
        plans.retain(|plan| !self.kernels.is_condemned(operation, plan));
        let most = self.options.most_candidates.max(1);
        let mut plans: Vec<_> = plans.into_iter().enumerate().collect();
        // Nothing else finds out whether these are of use, so they come behind the planner's
        // choice.
        plans.sort_by_key(|(rank, plan)| (*rank > 0, !plan.needs_measuring()));
        for (rank, plan) in plans.into_iter().take(most) {
            // A third is kept for the comparison.
            if !contestants.is_empty() && start.elapsed() > self.options.budget * 2 / 3 {
                break;
            }
            let dispatch = match trial.prepare(&self.trial_kernels, plan) {
                Ok(dispatch) => dispatch,
                Err(error) => {
                    log::debug!("{operation:?} {shape}: `{plan}` cannot be prepared: {error}");
                    refusal = refusal.or(Some(error));
                    continue;
                }
            };
            if !trial.is_right(&dispatch)? {
                let adapter = self.gpu.description();
                log::warn!("{operation:?} {shape}: `{plan}` computes wrong results on {adapter}");
                continue;
            }
            self.warm_up(&dispatch, contestants.is_empty())?;
            let first = self.first_time(&dispatch)?;
            contestants.push(Contestant::new(plan, rank, dispatch, first));
        }
        match refusal {
            Some(error) if contestants.is_empty() => Err(error.into()),
            _ => Ok(contestants),
        }
    }

    /// Takes turns, so that whatever slows the machine down for a while slows all of them down.
    fn compete(&self, contestants: &mut [Contestant], start: Instant) -> Result<(), GpuError> {
        let best = contestants.iter().map(|c| c.first).min();
        let limit = best.unwrap_or_default() * MUCH_SLOWER;
        for _ in 0..ROUNDS {
            if start.elapsed() > self.options.budget {
                break;
            }
            for contestant in contestants.iter_mut().filter(|c| c.first <= limit) {
                let runs = contestant.runs.len() as u32;
                contestant.samples.push(self.time(&contestant.runs)? / runs);
            }
        }
        Ok(())
    }

    /// The best of a few runs, where they are short and so easily disturbed.
    fn first_time(&self, dispatch: &Dispatch) -> Result<Duration, GpuError> {
        let dispatch = std::slice::from_ref(dispatch);
        let mut best = self.time(dispatch)?;
        for _ in 0..3 {
            if best < SAMPLE {
                best = best.min(self.time(dispatch)?);
            }
        }
        Ok(best)
    }

    /// Keeps the device busy until its clocks are up: while the host prepares and verifies, a GPU
    /// goes to sleep, and then takes some times as long.
    fn warm_up(&self, dispatch: &Dispatch, is_first: bool) -> Result<(), GpuError> {
        let time = if is_first { FIRST_WARM_UP } else { WARM_UP };
        let (start, dispatch) = (Instant::now(), std::slice::from_ref(dispatch));
        while !self.gpu.is_software() && start.elapsed() < time {
            self.time(dispatch)?;
        }
        Ok(())
    }

    fn time(&self, dispatches: &[Dispatch]) -> Result<Duration, GpuError> {
        let start = Instant::now();
        let submission = self.gpu.run(dispatches)?;
        self.gpu.wait(submission)?;
        Ok(start.elapsed())
    }
}

/// A candidate that computes the right results.
struct Contestant {
    plan: Plan,
    rank: usize,
    /// Time of its first runs after that which was verified.
    first: Duration,
    /// What one sample runs.
    runs: Vec<Dispatch>,
    samples: Vec<Duration>,
}

/// Samples of each contestant, if there is time.
const ROUNDS: usize = 9;
/// What takes so many times as long as the best one is not run again.
const MUCH_SLOWER: u32 = 2;
/// A sample takes about so long: submitting and waiting should not count.
const SAMPLE: Duration = Duration::from_millis(5);
const MOST_RUNS: u128 = 256;
/// An NVIDIA H200 that has slept for three seconds takes 5.5 times as long for its first 0.13 s, and
/// three times as long until 0.33 s; after one second it is at once as fast as ever.
const FIRST_WARM_UP: Duration = Duration::from_millis(400);
const WARM_UP: Duration = Duration::from_millis(50);

impl Contestant {
    fn new(plan: Plan, rank: usize, dispatch: Dispatch, first: Duration) -> Self {
        let runs = (SAMPLE.as_nanos() / first.as_nanos().max(1)).clamp(1, MOST_RUNS);
        Self {
            plan,
            rank,
            first,
            runs: vec![dispatch; runs as usize],
            samples: Vec::new(),
        }
    }

    fn measurement(&self) -> Measurement {
        Measurement {
            plan: self.plan,
            rank: self.rank,
            time: median(&self.samples).unwrap_or(self.first),
            samples: self.samples.len(),
        }
    }
}

fn median(samples: &[Duration]) -> Option<Duration> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}
