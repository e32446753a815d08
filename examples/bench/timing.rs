//! Running a case, waiting for it, and how long that took.

use std::hint::black_box;
use std::time::Instant;

use serde_json::{Value, json};
use wgpu_linear::{Gpu, GpuError};

use crate::contenders::Step;
use crate::problem::{Operation, Outcome, Problem};
use crate::report::rounded;

/// The device, with its own clock where it has one.
pub(crate) struct Session {
    pub(crate) gpu: Gpu,
    pub(crate) queries: Option<(wgpu::QuerySet, wgpu::Buffer)>,
}

impl Session {
    pub(crate) fn new(gpu: Gpu) -> Outcome<Self> {
        let device = gpu.device();
        let queries = device
            .features()
            .contains(wgpu::Features::TIMESTAMP_QUERY)
            .then(|| {
                let set = device.create_query_set(&wgpu::QuerySetDescriptor {
                    label: Some("bench"),
                    ty: wgpu::QueryType::Timestamp,
                    count: 2,
                });
                let resolved = device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("timestamps"),
                    size: 16,
                    usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
                    mapped_at_creation: false,
                });
                (set, resolved)
            });
        Ok(Self { gpu, queries })
    }

    /// Runs the steps `inner` times in one pass of one submission, and waits.
    pub(crate) fn run(
        &self,
        steps: &[Step],
        inner: usize,
        queries: Option<&(wgpu::QuerySet, wgpu::Buffer)>,
    ) -> Result<(), GpuError> {
        let mut encoder = self
            .gpu
            .device()
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let timestamp_writes = queries.map(|(query_set, _)| wgpu::ComputePassTimestampWrites {
                query_set,
                beginning_of_pass_write_index: Some(0),
                end_of_pass_write_index: Some(1),
            });
            let descriptor = wgpu::ComputePassDescriptor {
                label: Some("bench"),
                timestamp_writes,
            };
            let mut pass = encoder.begin_compute_pass(&descriptor);
            for _ in 0..inner {
                steps.iter().for_each(|step| step.record(&mut pass));
            }
        }
        if let Some((set, resolved)) = queries {
            encoder.resolve_query_set(set, 0..2, resolved, 0);
        }
        let submission = self.gpu.queue().submit([encoder.finish()]);
        self.gpu.wait(submission)
    }

    /// Seconds by the device's clock for one of `inner` runs; none without such a clock.
    pub(crate) fn device_seconds(
        &self,
        steps: &[Step],
        inner: usize,
    ) -> Result<Option<f64>, GpuError> {
        let Some(queries) = &self.queries else {
            return Ok(None);
        };
        self.run(steps, inner, Some(queries))?;
        let words = self.gpu.read::<u32>(&queries.1)?;
        let ticks = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        let elapsed = ticks(words[2], words[3]).saturating_sub(ticks(words[0], words[1]));
        let period = f64::from(self.gpu.queue().get_timestamp_period());
        Ok(Some(elapsed as f64 * period * 1e-9 / inner as f64))
    }
}

/// A case of one contender, ready to be run.
pub(crate) enum Work<'a> {
    Device {
        session: &'a Session,
        steps: Vec<Step>,
    },
    Host {
        problem: &'a Problem,
        operations: &'static [Operation],
    },
}

impl Work<'_> {
    /// Runs the case `inner` times and waits; the seconds of one.
    pub(crate) fn seconds(&self, inner: usize) -> Outcome<f64> {
        let begin = Instant::now();
        match self {
            Self::Device { session, steps } => session.run(steps, inner, None)?,
            Self::Host {
                problem,
                operations,
            } => {
                for operation in (0..inner).flat_map(|_| *operations) {
                    black_box(problem.on_host(*operation));
                }
            }
        }
        Ok(begin.elapsed().as_secs_f64() / inner as f64)
    }

    pub(crate) fn device_seconds(&self, inner: usize) -> Outcome<Option<f64>> {
        match self {
            Self::Device { session, steps } => Ok(session.device_seconds(steps, inner)?),
            Self::Host { .. } => Ok(None),
        }
    }

    pub(crate) fn label(&self) -> String {
        match self {
            Self::Device { steps, .. } => {
                steps.iter().map(Step::label).collect::<Vec<_>>().join("+")
            }
            Self::Host { .. } => "ndarray".to_owned(),
        }
    }
}

/// Seconds of one operation in each sample, by the host's clock and by the device's, ascending.
#[derive(Clone, Default)]
pub(crate) struct Samples {
    pub(crate) wall: Vec<f64>,
    pub(crate) device: Vec<f64>,
    pub(crate) inner: usize,
}

impl Samples {
    pub(crate) fn sorted(mut self) -> Self {
        self.wall.sort_by(f64::total_cmp);
        self.device.sort_by(f64::total_cmp);
        self
    }

    pub(crate) fn median(&self) -> f64 {
        quantile(&self.wall, 0.5)
    }

    pub(crate) fn fastest(&self) -> f64 {
        quantile(&self.wall, 0.0)
    }

    pub(crate) fn fields(&self) -> Value {
        json!({
            "ms_median": rounded(1e3 * self.median()),
            "ms_p10": rounded(1e3 * quantile(&self.wall, 0.1)),
            "ms_p90": rounded(1e3 * quantile(&self.wall, 0.9)),
            "gpu_ms_median": rounded(1e3 * quantile(&self.device, 0.5)),
            "runs": self.wall.len(),
            "inner": self.inner,
        })
    }
}

/// NaN without values, which JSON shows as null.
pub(crate) fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    let index = (sorted.len().saturating_sub(1) as f64 * fraction).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// Takes samples of each case in turn, `inner` operations a submission. With the operations that
/// take long, both clocks tell of the same run.
fn take_samples(
    works: &[&Work<'_>],
    inner: usize,
    runs: usize,
    long: bool,
) -> Outcome<Vec<Samples>> {
    let mut samples = vec![
        Samples {
            inner,
            ..Samples::default()
        };
        works.len()
    ];
    for run in 0..runs {
        for (work, samples) in works.iter().zip(&mut samples) {
            // Asking the device's clock costs time, so short operations have samples of their own
            // for it, and few.
            if !long {
                samples.wall.push(work.seconds(inner)?);
            }
            if long || run < DEVICE_SAMPLES {
                let begin = Instant::now();
                let device = work.device_seconds(inner)?;
                samples.device.extend(device);
                match device {
                    Some(_) if long => samples
                        .wall
                        .push(begin.elapsed().as_secs_f64() / inner as f64),
                    None if long => samples.wall.push(work.seconds(inner)?),
                    _ => {}
                }
            }
        }
    }
    Ok(samples.into_iter().map(Samples::sorted).collect())
}

const DEVICE_SAMPLES: usize = 9;

/// Samples of each case with one operation per submission ("each"), and with many in one ("end").
pub(crate) fn measure(works: &[&Work<'_>], min_time: f64) -> Outcome<[Vec<Samples>; 2]> {
    let slowest = |inner| -> Outcome<f64> {
        let seconds = works.iter().map(|work| work.seconds(inner));
        seconds
            .collect::<Outcome<Vec<_>>>()
            .map(|seconds| seconds.into_iter().fold(0.0, f64::max))
    };
    let begin = Instant::now();
    let (mut once, mut warm_ups) = (slowest(1)?, 1);
    while warm_ups < 3 && begin.elapsed().as_secs_f64() < 0.5
        || begin.elapsed().as_secs_f64() < min_time.min(0.3)
    {
        (once, warm_ups) = (slowest(1)?, warm_ups + 1);
    }
    let long = once > LONG;
    let least = if long { 3 } else { 9 };
    let each = take_samples(
        works,
        1,
        ((min_time / once) as usize).clamp(least, 200),
        long,
    )?;
    let inner = ((LONG / once) as usize).clamp(1, 100);
    if inner == 1 {
        return Ok([each.clone(), each]);
    }
    let together = slowest(inner)? * inner as f64;
    let end = take_samples(
        works,
        inner,
        ((min_time / together) as usize).clamp(9, 100),
        false,
    )?;
    Ok([each, end])
}

/// Seconds that one submission shall take at least, where many operations are in it.
const LONG: f64 = 0.05;
