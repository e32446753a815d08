//! `bench`: how fast layers and training are on this machine.

use std::time::{Duration, Instant};

use clap::Args;
use ndarray::{Array2, ArrayView2, Axis};
use serde::Serialize;
use wgpu_linear::check::{self, Peaks};
use wgpu_linear::linear::{Operation, Shape, TuneOptions, Tuner};
use wgpu_linear::model::{MlpConfig, Model, ModelError, Targets};
use wgpu_linear::{Gpu, GpuError, LinearKernels, nn, reference};

use super::doctor::options;
use crate::CliError;
use crate::output::{Output, plan_in_short, wrapped};

const EXAMPLES: &str = "\
Examples:
  wgpu-linear bench
  wgpu-linear bench --layers 784-512-512-10 --batch 512
  wgpu-linear bench --shapes 64x64x64 --seconds 0.1 --json

Every result is verified before it is timed: those of layers on small whole
numbers, training against three steps of the CPU twin in double precision. The
share is of the least time that multiply-adds and memory allow. For records that
can be compared there is the example `bench` of the library.";

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Sizes of the network that is trained, from inputs to classes
    #[arg(long, value_parser = parse_layers, default_value = "784-128-10")]
    layers: Layers,
    /// Examples of a training step
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1 << 20), default_value = "128")]
    batch: u32,
    /// Layers to measure: batch x inputs x outputs
    #[arg(long, value_parser = parse_shape, value_delimiter = ',', default_value = "128x784x128,512x512x512,16x4096x64")]
    shapes: Vec<Shape>,
    /// Part of the adapter's name [default: WGPU_ADAPTER_NAME, else the best there is]
    #[arg(long)]
    adapter: Option<String>,
    /// Seconds aimed at for each measurement
    #[arg(long, value_parser = parse_seconds, default_value = "1")]
    seconds: f64,
}

/// Sizes from inputs to classes.
#[derive(Clone, Debug)]
struct Layers(Vec<usize>);

fn parse_layers(text: &str) -> Result<Layers, String> {
    let sizes: Result<Vec<usize>, String> = text
        .split('-')
        .map(|size| parse_size(size).map(|size| size as usize))
        .collect();
    match sizes? {
        sizes if sizes.len() >= 2 => Ok(Layers(sizes)),
        _ => Err("expected two sizes or more, such as 784-128-10".to_owned()),
    }
}

fn parse_shape(text: &str) -> Result<Shape, String> {
    let sizes: Vec<u32> = text.split('x').map(parse_size).collect::<Result<_, _>>()?;
    let [batch, inputs, outputs] = sizes[..] else {
        return Err("expected batch x inputs x outputs, such as 128x784x128".to_owned());
    };
    Ok(Shape {
        batch,
        inputs,
        outputs,
    })
}

fn parse_size(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(size) if (1..=1 << 20).contains(&size) => Ok(size),
        _ => Err(format!("`{text}` is no size from 1 to {}", 1 << 20)),
    }
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=600.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected 0 to 600 seconds".to_owned()),
    }
}

#[derive(Debug, Serialize)]
struct Report {
    /// None where there is no adapter.
    adapter: Option<String>,
    gflops_peak: Option<f64>,
    gigabytes_per_s_peak: Option<f64>,
    layers: Vec<LayerRow>,
    training: Vec<TrainingRow>,
}

#[derive(Debug, Serialize)]
struct LayerRow {
    operation: String,
    batch: u32,
    inputs: u32,
    outputs: u32,
    plan: String,
    milliseconds: f64,
    gflops: f64,
    share_of_peak: f64,
}

#[derive(Debug, Serialize)]
struct TrainingRow {
    device: &'static str,
    milliseconds_per_step: f64,
    examples_per_s: f64,
}

/// Measures and prints.
///
/// # Errors
/// [`CliError::Failure`] where a result is wrong or the device fails, [`CliError::Input`] where the
/// named adapter is not there.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CliError> {
    let mut report = Report {
        adapter: None,
        gflops_peak: None,
        gigabytes_per_s_peak: None,
        layers: Vec::new(),
        training: Vec::new(),
    };
    match Gpu::open(&options(arguments.adapter.as_deref())) {
        Ok(gpu) => on_device(arguments, &gpu, &mut report)?,
        Err(error @ GpuError::NoAdapter { .. }) if arguments.adapter.is_some() => {
            return Err(CliError::input(error.to_string()));
        }
        Err(error @ GpuError::NoAdapter { .. }) => {
            output.note(&format!("the CPU twin alone is measured: {error}"));
        }
        Err(error) => return Err(CliError::failure(&error)),
    }
    let config = MlpConfig::new(&arguments.layers.0);
    let mut twin = reference::Mlp::<f32>::new(config.clone()).map_err(|e| CliError::failure(&e))?;
    report
        .training
        .push(train("cpu", &mut twin, config, arguments)?);
    output.result(&text(arguments, &report), &report)
}

fn on_device(arguments: &Arguments, gpu: &Gpu, report: &mut Report) -> Result<(), CliError> {
    report.adapter = Some(gpu.description());
    let time = Duration::from_secs_f64(arguments.seconds);
    let peaks = check::peaks(gpu, time.min(Duration::from_millis(200)));
    let peaks = peaks.map_err(|error| CliError::failure(&error))?;
    report.gflops_peak = Some(peaks.flops * 1e-9);
    report.gigabytes_per_s_peak = Some(peaks.bytes * 1e-9);
    let kernels = LinearKernels::of(gpu);
    // The planner's choice alone, as a program that tunes nothing has it.
    let tuner = Tuner::new(gpu, &kernels).with_options(TuneOptions {
        budget: time,
        most_candidates: 1,
        ..TuneOptions::default()
    });
    for shape in &arguments.shapes {
        for operation in OPERATIONS {
            let tuned = tuner.tune(*shape, operation);
            let tuned = tuned.map_err(|error| CliError::failure(&error))?;
            let row = layer_row(
                *shape,
                operation,
                &tuned.plan.to_string(),
                tuned.time,
                peaks,
            );
            report.layers.push(row);
        }
    }
    let config = MlpConfig::new(&arguments.layers.0);
    let mut mlp = nn::Mlp::new(gpu, config.clone()).map_err(|error| CliError::failure(&error))?;
    report
        .training
        .push(train("gpu", &mut mlp, config, arguments)?);
    Ok(())
}

const OPERATIONS: [Operation; 4] = [
    Operation::Forward,
    Operation::InputGrad,
    Operation::WeightGrad,
    Operation::BiasGrad,
];

/// Its name, floating-point operations, and the elements that must move at least.
fn work(shape: Shape, operation: Operation) -> (&'static str, f64, f64) {
    let [batch, inputs, outputs] = [shape.batch, shape.inputs, shape.outputs].map(f64::from);
    let (x, w, t) = (batch * inputs, inputs * outputs, batch * outputs);
    let flops = 2.0 * batch * inputs * outputs;
    match operation {
        Operation::Forward => ("forward", flops, x + w + outputs + t),
        Operation::InputGrad => ("input_grad", flops, x + w + t),
        Operation::WeightGrad => ("weight_grad", flops, x + w + t),
        _ => ("bias_grad", t, t + outputs),
    }
}

fn layer_row(
    shape: Shape,
    operation: Operation,
    plan: &str,
    time: Duration,
    peaks: Peaks,
) -> LayerRow {
    let (name, flops, elements) = work(shape, operation);
    let rate = flops / time.as_secs_f64();
    LayerRow {
        operation: name.to_owned(),
        batch: shape.batch,
        inputs: shape.inputs,
        outputs: shape.outputs,
        plan: plan.to_owned(),
        milliseconds: time.as_secs_f64() * 1e3,
        gflops: rate * 1e-9,
        share_of_peak: rate / peaks.of(flops, 4.0 * elements),
    }
}

/// Random examples, a few batches of them.
struct Examples {
    x: Array2<f32>,
    labels: Vec<u32>,
    batch: usize,
}

const BATCHES: usize = 4;

impl Examples {
    fn new(arguments: &Arguments) -> Self {
        let (sizes, batch) = (&arguments.layers.0, arguments.batch as usize);
        let mut random = fastrand::Rng::with_seed(43);
        let classes = sizes.last().copied().unwrap_or(1) as u32;
        let number = || 2.0 * random.f32() - 1.0;
        let x = Array2::from_shape_simple_fn((BATCHES * batch, sizes[0]), number);
        let labels = (0..BATCHES * batch).map(|_| random.u32(0..classes));
        Self {
            x,
            labels: labels.collect(),
            batch,
        }
    }

    fn batches(&self) -> Vec<(ArrayView2<'_, f32>, Targets<'_>)> {
        let labels = self.labels.chunks(self.batch).map(Targets::Classes);
        self.x
            .axis_chunks_iter(Axis(0), self.batch)
            .zip(labels)
            .collect()
    }

    /// So many steps, until the last is done: from the device's memory where the model has such.
    fn train(&self, model: &mut dyn Model, steps: usize) -> Result<f32, ModelError> {
        let order: Vec<_> = (0..self.labels.len())
            .cycle()
            .take(steps * self.batch)
            .collect();
        if let Some(resident) = model.resident() {
            resident.set_order(&order, self.batch)?;
            while resident.train_next()? {}
        } else {
            for (x, targets) in self.batches().into_iter().cycle().take(steps) {
                model.train_batch(x, targets)?;
            }
        }
        Ok(model.take_loss()?.mean)
    }
}

/// Verifies three steps and times many.
fn train(
    device: &'static str,
    model: &mut dyn Model,
    config: MlpConfig,
    arguments: &Arguments,
) -> Result<TrainingRow, CliError> {
    let examples = Examples::new(arguments);
    let failed = |error: ModelError| CliError::failure(&error);
    let errors = check::training(model, config, &examples.batches()[..3]).map_err(failed)?;
    if !errors.are_small() {
        let (loss, update) = (errors.loss, errors.update);
        return Err(CliError::Failure(format!(
            "training on {device} is wrong and was not timed: the loss is {loss:.1e} off, an \
             update {update:.1e}; `wgpu-linear doctor` may know more"
        )));
    }
    if let Some(resident) = model.resident() {
        let targets = Targets::Classes(&examples.labels);
        resident.load(examples.x.view(), targets).map_err(failed)?;
    }
    let mut seconds = |steps: usize| -> Result<f64, CliError> {
        let begin = Instant::now();
        let loss = examples.train(model, steps).map_err(failed)?;
        if loss.is_finite() {
            Ok(begin.elapsed().as_secs_f64() / steps as f64)
        } else {
            let told = format!("training on {device} is wrong: the loss is {loss}");
            Err(CliError::Failure(told))
        }
    };
    let once = seconds(BATCHES)?;
    let steps = ((arguments.seconds / 4.0 / once) as usize).clamp(BATCHES, 2000);
    let mut samples = Vec::new();
    for _ in 0..3 {
        samples.push(seconds(steps)?);
    }
    samples.sort_by(f64::total_cmp);
    Ok(TrainingRow {
        device,
        milliseconds_per_step: samples[1] * 1e3,
        examples_per_s: examples.batch as f64 / samples[1],
    })
}

fn text(arguments: &Arguments, report: &Report) -> String {
    let mut lines = Vec::new();
    if let Some(adapter) = &report.adapter {
        lines.push(wrapped(adapter, "  ", 80));
    }
    if let (Some(flops), Some(bytes)) = (report.gflops_peak, report.gigabytes_per_s_peak) {
        lines.push(format!(
            "peaks: {flops:.1} GFLOP/s in multiply-adds, {bytes:.1} GB/s in a copy"
        ));
    }
    if !report.layers.is_empty() {
        lines.push(String::new());
        let [operation, shape, plan] = ["operation", "batch×in×out", "kernel"];
        lines.push(format!(
            "{operation:<11} {shape:<15} {plan:<25}       ms  GFLOP/s share"
        ));
    }
    for row in &report.layers {
        let shape = format!("{}×{}×{}", row.batch, row.inputs, row.outputs);
        lines.push(format!(
            "{:<11} {shape:<15} {:<25} {:>8.3} {:>8.1} {:>4.0}%",
            row.operation,
            plan_in_short(&row.plan),
            row.milliseconds,
            row.gflops,
            100.0 * row.share_of_peak
        ));
    }
    let sizes: Vec<_> = arguments.layers.0.iter().map(usize::to_string).collect();
    let batch = arguments.batch;
    lines.push(String::new());
    lines.push(format!(
        "training {} with batches of {batch}",
        sizes.join("-")
    ));
    for row in &report.training {
        let device = match row.device {
            "cpu" => "CPU twin",
            _ => "adapter",
        };
        let (step, rate) = (row.milliseconds_per_step, row.examples_per_s);
        lines.push(format!(
            "  {device:<9} {step:>9.3} ms a step {rate:>12.0} examples/s"
        ));
    }
    lines.join("\n")
}
