//! What is known of an opened device.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;
use wgpu_linear::check::{self, SelfCheck};
use wgpu_linear::linear::{Operation, Shape, TuneCache};
use wgpu_linear::model::{MlpConfig, Model, ModelError, Targets};
use wgpu_linear::ndarray::Array2;
use wgpu_linear::wgpu::Features;
use wgpu_linear::{Gpu, LinearKernels, Requirements, nn, selfcheck};

use crate::error::with_causes;
use crate::output::Output;

#[derive(Debug, Serialize)]
pub(super) struct DeviceReport {
    pub(super) adapter: String,
    pub(super) is_software: bool,
    pub(super) limits: Vec<Limit>,
    pub(super) features: Vec<Feature>,
    /// What the device lacks, with what that costs.
    pub(super) lacks: Vec<String>,
    pub(super) plans: Vec<Plans>,
    pub(super) tune_cache: Tuned,
    /// None where it was not asked for, or did not come to its end.
    pub(super) self_check: Option<CheckReport>,
    pub(super) peaks: Option<Peaks>,
    /// The kernels that a training is denied, since they were wrong when they were first used.
    pub(super) condemned: Vec<String>,
    /// Why the self-check or the peaks are missing.
    pub(super) error: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Limit {
    pub(super) name: &'static str,
    pub(super) required: u64,
    pub(super) recommended: u64,
    pub(super) actual: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Feature {
    pub(super) name: &'static str,
    pub(super) is_available: bool,
}

/// The kernels of a layer.
#[derive(Debug, Serialize)]
pub(super) struct Plans {
    pub(super) shape: String,
    pub(super) forward: String,
    pub(super) input_grad: String,
    pub(super) weight_grad: String,
    pub(super) bias_grad: String,
}

/// The file of tuned plans.
#[derive(Debug, Serialize)]
pub(super) struct Tuned {
    pub(super) path: Option<String>,
    pub(super) plans: usize,
    /// Those that are of use here.
    pub(super) for_this_adapter: usize,
    /// Why it cannot be used.
    pub(super) error: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct CheckReport {
    pub(super) is_right: bool,
    pub(super) failures: usize,
    pub(super) kernels: usize,
    pub(super) seconds: f64,
    pub(super) checks: Vec<CheckRow>,
}

#[derive(Debug, Serialize)]
pub(super) struct CheckRow {
    pub(super) check: String,
    pub(super) kernels: Vec<String>,
    pub(super) verdict: String,
    pub(super) is_failure: bool,
    pub(super) milliseconds: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Peaks {
    pub(super) gflops: f64,
    pub(super) gigabytes_per_s: f64,
}

/// Batch, inputs and outputs of layers as many have them.
const SHAPES: [[u32; 3]; 5] = [
    [1, 784, 128],
    [128, 784, 128],
    [128, 128, 10],
    [512, 512, 512],
    [4096, 1024, 1024],
];

impl DeviceReport {
    pub(super) fn of(gpu: &Gpu, fast: bool, output: Output) -> Self {
        let (device, kernels) = (gpu.device(), LinearKernels::of(gpu));
        let mut report = Self {
            adapter: gpu.description(),
            is_software: gpu.is_software(),
            limits: limits(gpu),
            features: features(device.features()),
            lacks: Requirements::explain(device)
                .iter()
                .map(ToString::to_string)
                .collect(),
            plans: SHAPES.map(|shape| plans(&kernels, shape)).into(),
            tune_cache: tuned(&kernels),
            self_check: None,
            peaks: None,
            condemned: Vec::new(),
            error: None,
        };
        if !fast {
            report.examine(gpu, output);
        }
        report
    }

    fn examine(&mut self, gpu: &Gpu, output: Output) {
        if let Err(error) = train_a_little(gpu) {
            self.error = Some(with_causes(&error));
        }
        self.condemned = gpu.condemned_kernels();
        if output.is_animated() {
            output.note("checking every kernel against its twin …");
        }
        match selfcheck(gpu) {
            Ok(found) => self.self_check = Some(CheckReport::of(&found)),
            Err(error) => {
                self.error = Some(with_causes(&error));
                return;
            }
        }
        if output.is_animated() {
            output.note("measuring what the adapter reaches at most …");
        }
        match check::peaks(gpu, Duration::from_millis(400)) {
            Ok(peaks) => {
                self.peaks = Some(Peaks {
                    gflops: peaks.flops * 1e-9,
                    gigabytes_per_s: peaks.bytes * 1e-9,
                });
            }
            Err(error) => self.error = Some(with_causes(&error)),
        }
    }
}

/// A step of a usual network, for what is found when its kernels are first used.
fn train_a_little(gpu: &Gpu) -> Result<(), ModelError> {
    let [inputs, outputs] = [64, 10];
    let mut model = nn::Mlp::new(gpu, MlpConfig::new(&[inputs, 128, outputs]))?;
    let classes: Vec<u32> = (0..64).map(|row| row % outputs as u32).collect();
    let x = Array2::ones((classes.len(), inputs));
    model.train_batch(x.view(), Targets::Classes(&classes))?;
    model.take_loss().map(|_| ())
}

impl CheckReport {
    fn of(found: &SelfCheck) -> Self {
        let kernels: BTreeSet<_> = found.checks.iter().flat_map(|c| &c.kernels).collect();
        let rows = found.checks.iter().map(|check| CheckRow {
            check: check.name.to_string(),
            kernels: check.kernels.clone(),
            verdict: check.verdict.to_string(),
            is_failure: check.verdict.is_failure(),
            milliseconds: check.duration.as_secs_f64() * 1e3,
        });
        Self {
            is_right: found.is_right(),
            failures: found.failures().count(),
            kernels: kernels.len(),
            seconds: found.duration.as_secs_f64(),
            checks: rows.collect(),
        }
    }
}

fn limits(gpu: &Gpu) -> Vec<Limit> {
    let survey = Requirements::survey(&gpu.device().limits());
    let limit = |limit: wgpu_linear::SurveyedLimit| Limit {
        name: limit.name,
        required: limit.required,
        recommended: limit.recommended,
        actual: limit.actual,
    };
    survey.into_iter().map(limit).collect()
}

/// What is opened for those who ask for it alone.
pub(super) const MATRIX_UNITS: &str = "EXPERIMENTAL_COOPERATIVE_MATRIX";

fn features(features: Features) -> Vec<Feature> {
    let known = [
        ("SUBGROUP", Features::SUBGROUP),
        ("SHADER_INT64", Features::SHADER_INT64),
        ("SHADER_F16", Features::SHADER_F16),
        (MATRIX_UNITS, Features::EXPERIMENTAL_COOPERATIVE_MATRIX),
    ];
    let feature = |(name, feature)| Feature {
        name,
        is_available: features.contains(feature),
    };
    known.map(feature).into()
}

fn plans(kernels: &LinearKernels, [batch, inputs, outputs]: [u32; 3]) -> Plans {
    let shape = Shape {
        batch,
        inputs,
        outputs,
    };
    let plan = |operation| kernels.plan(shape, operation).to_string();
    Plans {
        shape: shape.to_string(),
        forward: plan(Operation::Forward),
        input_grad: plan(Operation::InputGrad),
        weight_grad: plan(Operation::WeightGrad),
        bias_grad: plan(Operation::BiasGrad),
    }
}

fn tuned(kernels: &LinearKernels) -> Tuned {
    let cache = match TuneCache::at_default_path() {
        Ok(cache) => cache,
        Err(error) => return Tuned::none(None, with_causes(&error)),
    };
    let path = Some(cache.path().display().to_string());
    match cache.count() {
        Ok(plans) => Tuned {
            path,
            plans,
            for_this_adapter: kernels.use_plans(&cache),
            error: None,
        },
        Err(error) => Tuned::none(path, with_causes(&error)),
    }
}

impl Tuned {
    fn none(path: Option<String>, error: String) -> Self {
        Self {
            path,
            plans: 0,
            for_this_adapter: 0,
            error: Some(error),
        }
    }
}
