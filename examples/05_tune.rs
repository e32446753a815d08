//! Measures the planner's candidates on your adapter: `cargo run --release --example 05_tune --
//! --shape 512x512x512 --device gpu`.
//!
//! Prints what each candidate takes, marks the planner's choice and the winner, and keeps the
//! winner in a file, by default in your folder for caches. A program that calls
//! `kernels.use_plans(&TuneCache::at_default_path()?)` uses it from then on.

mod support;

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use support::Device;
use wgpu_linear::linear::{
    Measurement, Operation, Precision, Shape, TuneCache, TuneOptions, Tuned, Tuner,
};
use wgpu_linear::{Gpu, LinearKernels};

/// Finds the fastest kernel for a linear layer on this machine's GPU.
#[derive(Debug, Parser)]
struct Arguments {
    /// Batch, inputs and outputs of the layer
    #[arg(long, value_parser = parse_shape, default_value = "512x512x512")]
    shape: Shape,
    /// What to tune; all four, unless one is named
    #[arg(long, value_enum)]
    operation: Vec<Name>,
    /// What the factors are stored as; f16 and mixed may be multiplied by matrix units, which
    /// WGPU_LINEAR_MATRIX_UNITS=1 opens
    #[arg(long, value_enum, default_value_t = Stored::F32)]
    precision: Stored,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = Device::Auto)]
    device: Device,
    /// File that keeps the winners [default: wgpu-linear/tuned.tsv in your folder for caches]
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Seconds for each operation
    #[arg(long, default_value_t = 5.0)]
    budget: f64,
    /// How many candidates are measured at most, the best ones by estimate
    #[arg(long, value_name = "N", default_value_t = TuneOptions::default().most_candidates)]
    candidates: usize,
    /// Measure even what the cache knows
    #[arg(long)]
    remeasure: bool,
    /// File that a JSON object is added to for each candidate that is measured, on a line of its
    /// own: what the planner is worth, and what its constants are fitted to
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Stored {
    F32,
    F16,
    Mixed,
}

impl Stored {
    const fn precision(self) -> Precision {
        match self {
            Self::F32 => Precision::F32,
            Self::F16 => Precision::F16,
            Self::Mixed => Precision::Mixed,
        }
    }
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Name {
    Forward,
    InputGrad,
    WeightGrad,
    BiasGrad,
}

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    support::finish(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Some(gpu) = arguments.device.open()? else {
        return Err("the CPU twin has nothing to tune".into());
    };
    let cache = match &arguments.cache {
        Some(path) => TuneCache::at(path),
        None => TuneCache::at_default_path()?,
    };
    let options = TuneOptions {
        budget: Duration::try_from_secs_f64(arguments.budget)?,
        remeasure: arguments.remeasure,
        most_candidates: arguments.candidates,
        ..TuneOptions::default()
    };
    println!("device: {}", gpu.description());
    println!("cache:  {}", cache.path().display());
    let kernels = LinearKernels::new(gpu.device());
    let tuner = Tuner::new(&gpu, &kernels)
        .with_cache(cache)
        .with_options(options)
        .with_precision(arguments.precision.precision());
    for operation in operations(&arguments.operation) {
        let tuned = tuner.tune(arguments.shape, operation)?;
        report(arguments.shape, operation, &tuned);
        if let Some(path) = &arguments.json {
            let mut file = OpenOptions::new().create(true).append(true).open(path)?;
            let lines = record(&gpu, arguments, operation, &tuned);
            file.write_all(lines.as_bytes())?;
        }
    }
    Ok(())
}

fn operations(names: &[Name]) -> Vec<Operation> {
    let all = [
        Name::Forward,
        Name::InputGrad,
        Name::WeightGrad,
        Name::BiasGrad,
    ];
    let names = if names.is_empty() { &all } else { names };
    let operation = |name: &Name| match name {
        Name::Forward => Operation::Forward,
        Name::InputGrad => Operation::InputGrad,
        Name::WeightGrad => Operation::WeightGrad,
        Name::BiasGrad => Operation::BiasGrad,
    };
    names.iter().map(operation).collect()
}

fn report(shape: Shape, operation: Operation, tuned: &Tuned) {
    println!("\n{operation:?} {shape}");
    let flop = operation
        .product(shape)
        .iter()
        .fold(2.0, |product, size| product * f64::from(*size));
    let line = |rank: &str, plan: &str, time: Duration, mark: &str| {
        let milliseconds = time.as_secs_f64() * 1e3;
        let rate = flop / time.as_secs_f64() / 1e9;
        println!("{rank:>4}  {plan:<26} {milliseconds:>10.4} {rate:>9.2}  {mark}");
    };
    if tuned.from_cache {
        let planned = tuned.planned_time.map_or(String::new(), |time| {
            let milliseconds = time.as_secs_f64() * 1e3;
            format!(
                "; the planner's {} took {milliseconds:.4} ms",
                tuned.planned
            )
        });
        line("", &tuned.plan.to_string(), tuned.time, "winner");
        println!("      from the cache{planned}");
        return;
    }
    println!("rank  candidate                          ms   GFLOP/s");
    for measurement in &tuned.measurements {
        let mut marks = Vec::new();
        if measurement.plan == tuned.planned {
            marks.push("planned");
        }
        if measurement.plan == tuned.plan {
            marks.push("winner");
        }
        if measurement.samples == 0 {
            marks.push("not repeated");
        }
        let (rank, plan) = (measurement.rank + 1, measurement.plan.to_string());
        line(
            &rank.to_string(),
            &plan,
            measurement.time,
            &marks.join(", "),
        );
    }
}

/// A line for each candidate; fields as in `benches/record/README.md`.
fn record(gpu: &Gpu, arguments: &Arguments, operation: Operation, tuned: &Tuned) -> String {
    let (shape, precision) = (arguments.shape, arguments.precision.precision());
    let info = gpu.device().adapter_info();
    let line = |measurement: &Measurement| {
        let line = json!({
            "case": "tune",
            "operation": format!("{operation:?}"),
            "precision": precision.name(),
            "m": shape.batch,
            "k": shape.inputs,
            "n": shape.outputs,
            "plan": measurement.plan.to_string(),
            "rank": measurement.rank,
            "ms_median": measurement.time.as_secs_f64() * 1e3,
            "runs": measurement.samples,
            "planned": measurement.plan == tuned.planned,
            "winner": measurement.plan == tuned.plan,
            "device": info.name,
            "backend": format!("{:?}", info.backend).to_lowercase(),
            "driver": format!("{} {}", info.driver, info.driver_info).trim(),
            "crate_version": env!("CARGO_PKG_VERSION"),
        });
        format!("{line}\n")
    };
    tuned.measurements.iter().map(line).collect()
}

fn parse_shape(text: &str) -> Result<Shape, String> {
    let wanted = || format!("`{text}` is not of the form 512x512x512");
    let sizes: Vec<u32> = text
        .split('x')
        .map(|size| size.parse().map_err(|_| wanted()))
        .collect::<Result<_, _>>()?;
    let [batch, inputs, outputs] = sizes[..] else {
        return Err(wanted());
    };
    Ok(Shape {
        batch,
        inputs,
        outputs,
    })
}
