//! `doctor`: what this machine can compute with, and whether it computes right.

mod advice;
mod device;
mod findings;
mod text;

use clap::Args;
use wgpu_linear::{AdapterChoice, Gpu, GpuError, GpuOptions};

use self::device::DeviceReport;
use self::findings::{Adapter, Report, System};
use crate::CliError;
use crate::error::with_causes;
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  wgpu-linear doctor
  wgpu-linear doctor --fast
  wgpu-linear doctor --json > doctor.json

A bug report begins with what it prints. The exit code is 1 where no adapter can
be opened, and where the adapter computes wrong results.";

/// What to look at.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Part of the adapter's name [default: WGPU_ADAPTER_NAME, else the best there is]
    #[arg(long)]
    adapter: Option<String>,
    /// Run and measure nothing: neither the self-check nor the peaks
    #[arg(long)]
    fast: bool,
}

/// The adapter whose name contains this, or the best.
pub(super) fn options(adapter: Option<&str>) -> GpuOptions {
    let adapter = adapter.map_or(AdapterChoice::Auto, |name| {
        AdapterChoice::Name(name.to_owned())
    });
    GpuOptions {
        adapter,
        ..GpuOptions::default()
    }
}

/// Examines and prints.
///
/// # Errors
/// [`CliError::Failure`] where no adapter can be opened, and where one computes wrong results;
/// [`CliError::Input`] where the named one is not there.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CliError> {
    let options = options(arguments.adapter.as_deref());
    let infos = pollster::block_on(Gpu::adapter_infos(&options));
    let opened = Gpu::open(&options);
    if let (Some(_), Err(error @ GpuError::NoAdapter { .. })) = (&arguments.adapter, &opened) {
        return Err(CliError::input(error.to_string()));
    }
    let (device, error) = match &opened {
        Ok(gpu) => (Some(DeviceReport::of(gpu, arguments.fast, output)), None),
        Err(error) => (None, Some(with_causes(error))),
    };
    let threads = std::thread::available_parallelism();
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        system: System {
            os: std::env::consts::OS,
            architecture: std::env::consts::ARCH,
            threads: threads.map_or(1, std::num::NonZero::get),
        },
        adapters: infos.into_iter().map(Adapter::of).collect(),
        device,
        error,
        advice: Vec::new(),
    };
    report.advice = advice::advice(&report);
    output.result(&text::text(&report), &report)?;
    verdict(&report)
}

fn verdict(report: &Report) -> Result<(), CliError> {
    let Some(device) = &report.device else {
        let why = report.error.as_deref().unwrap_or("no adapter");
        return Err(CliError::Failure(why.to_owned()));
    };
    let wrong = device.self_check.as_ref().map_or(0, |check| check.failures);
    if wrong > 0 {
        let told = format!("{wrong} checks failed: this adapter does not compute right");
        return Err(CliError::Failure(told));
    }
    match &device.error {
        Some(error) => Err(CliError::Failure(error.clone())),
        None => Ok(()),
    }
}
