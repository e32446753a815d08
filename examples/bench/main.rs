//! Measures the crate on this machine: `cargo run --release --example bench -- kernels`, `--
//! training`, `-- start`, `-- events`, `-- precision` or `-- memory`; `-- --help` lists the options.
//!
//! Every result is checked before it is timed, those of kernels against an f64 reference; a wrong
//! one is reported and not timed. Each case becomes a row of the table on standard output and, with
//! `--json FILE`, a JSON object on a line of its own, written as soon as it is known.
//!
//! Two ceilings are measured in the same run on the same adapter: what a shader of nothing but
//! multiply-adds reaches, and what a copy reaches. The smaller of "multiply-adds" and "operations
//! per byte × copy" is the peak that a case is held against (the roofline model; Williams, Waterman
//! and Patterson 2009).
//!
//! The program needs no data: its binary runs by itself on any machine with the same operating
//! system.

mod ceilings;
mod contenders;
mod events;
mod host;
mod kernels;
mod machine;
mod memory;
mod precision;
mod problem;
mod report;
mod start;
mod timing;
mod training;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use contenders::Contender;
use problem::{Group, Outcome, Shape};
use report::{Report, explain};
use timing::Session;
use wgpu_linear::{AdapterChoice, Gpu, GpuError, GpuOptions};

/// Measures the linear layer, the training of small networks, how soon a process has its first
/// result, the writing of event files, how far results are from exact arithmetic, or what training
/// takes of memory.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure
    what: What,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = On::Gpu)]
    device: On,
    /// Part of the adapter's name [default: WGPU_ADAPTER_NAME, else the best there is]
    #[arg(long)]
    adapter: Option<String>,
    /// vulkan, metal or dx12, several with commas [default: WGPU_BACKEND, else all]
    #[arg(long, value_parser = parse_backends)]
    backend: Option<wgpu::Backends>,
    /// File for one JSON object per line; what it held before is lost
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// kernels: batch × inputs × outputs
    #[arg(long, value_name = "MxKxN", value_delimiter = ',', value_parser = parse_shape, default_value = SHAPES)]
    shapes: Vec<Shape>,
    /// kernels: a file of tuned plans, such as 05_tune keeps; those for this adapter are used
    #[arg(long, value_name = "FILE")]
    tuned: Option<PathBuf>,
    /// kernels: 2048³, 4096³ and 8192³ as well
    #[arg(long)]
    large: bool,
    /// kernels: instead of the shapes, each dimension doubled from 64 to 2048 in turn, the others
    /// staying at 256
    #[arg(long)]
    sweep: bool,
    /// kernels: which operations; bwd is dx, dw and db together, measured in turn with bwd_no_db
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "fwd,dx,dw,db,bwd"
    )]
    ops: Vec<Group>,
    /// kernels: whose; ndarray alone runs on the CPU [default: wgpu-linear and naive, or ndarray]
    #[arg(long, value_enum, value_delimiter = ',')]
    contenders: Vec<Contender>,
    /// training, memory: layer sizes @ batch; start: the first of them
    #[arg(long, value_name = "SIZES@BATCH", value_delimiter = ',', value_parser = parse_mlp, default_value = MLPS)]
    mlps: Vec<(Vec<usize>, usize)>,
    /// Seconds aimed at for one measurement
    #[arg(long, value_name = "S", value_parser = parse_seconds, default_value = "0.2")]
    min_time: f64,
    /// Runs every case N times more and checks that the bits are the same
    #[arg(long, value_name = "N", default_value_t = 0)]
    rerun: u32,
    /// events: where a folder for the files is made, and removed again [default: that for temporary
    /// files]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// events: scalars of a run
    #[arg(long, value_name = "N", value_parser = parse_scalars, default_value = "1000000")]
    scalars: usize,
    /// events, start: how often each case is measured
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=1000), default_value = "7")]
    rounds: u32,
    /// start: what a process does that was started by another
    #[arg(long, value_enum, hide = true)]
    child: Option<start::Start>,
    /// start: folder that keeps compiled pipelines
    #[arg(long, hide = true)]
    pipelines: Option<PathBuf>,
}

const SHAPES: &str = "64x64x64,128x784x128,256x256x256,512x512x512,1024x1024x1024,100x333x77,4096x64x16,16x4096x64,1x4096x4096,8x1024x4096,65536x64x64";
const MLPS: &str = "64-128-10@64,784-128-10@128,784-512-512-10@512";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The operations of a linear layer
    Kernels,
    /// Steps of training
    Training,
    /// The first result of a process, with empty caches and with full ones
    Start,
    /// Scalars in event files; takes no device
    Events,
    /// Errors of a forward pass with f32 and f16, over the length of its sums
    Precision,
    /// Device memory of training in f32 and in mixed precision
    Memory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum On {
    /// Any GPU adapter, software ones such as llvmpipe too
    Gpu,
    /// The CPU twin (ndarray)
    Cpu,
}

fn parse_shape(text: &str) -> Result<Shape, String> {
    let sizes = text
        .split('x')
        .map(parse_size)
        .collect::<Result<Vec<_>, _>>()?;
    Shape::try_from(sizes).map_err(|_| "expected MxKxN, such as 128x784x128".to_owned())
}

fn parse_mlp(text: &str) -> Result<(Vec<usize>, usize), String> {
    let (sizes, batch) = text
        .split_once('@')
        .ok_or("expected SIZES@BATCH, such as 64-128-10@64")?;
    let sizes = sizes
        .split('-')
        .map(parse_size)
        .collect::<Result<Vec<_>, _>>()?;
    if sizes.len() < 2 {
        return Err("a network needs two sizes or more".to_owned());
    }
    Ok((sizes, parse_size(batch)?))
}

fn parse_size(text: &str) -> Result<usize, String> {
    match text.parse::<u32>() {
        Ok(size) if size > 0 => Ok(size as usize),
        _ => Err(format!("`{text}` is not a size of at least 1")),
    }
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().map_err(|error| error.to_string())?;
    if (0.0..=600.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("expected 0 to 600 seconds".to_owned())
    }
}

fn parse_scalars(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(scalars) if (80..=100_000_000).contains(&scalars) => Ok(scalars),
        _ => Err("expected 80 to 100000000 scalars".to_owned()),
    }
}

fn parse_backends(names: &str) -> Result<wgpu::Backends, String> {
    let backends = wgpu::Backends::from_comma_list(names);
    if backends.is_empty() {
        Err("expected vulkan, metal or dx12".to_owned())
    } else {
        Ok(backends)
    }
}

impl Arguments {
    fn contenders(&self) -> Vec<Contender> {
        match (self.device, self.contenders.as_slice()) {
            (On::Cpu, _) => vec![Contender::Ndarray],
            // A picture of how the crate scales.
            (On::Gpu, []) if self.sweep => vec![Contender::WgpuLinear],
            (On::Gpu, []) => vec![Contender::WgpuLinear, Contender::Naive],
            (On::Gpu, chosen) => chosen.to_vec(),
        }
    }

    /// Shapes, each with the dimension that is swept, if any.
    fn shapes(&self) -> Vec<(Shape, Option<&'static str>)> {
        if self.sweep {
            return (0..3).flat_map(sweep).collect();
        }
        let large: &[usize] = if self.large { &[2048, 4096, 8192] } else { &[] };
        let large = large.iter().map(|side| [*side; 3]);
        self.shapes
            .iter()
            .copied()
            .chain(large)
            .map(|shape| (shape, None))
            .collect()
    }

    fn open(&self) -> Result<Option<Gpu>, GpuError> {
        if self.device == On::Cpu || self.what == What::Events {
            return Ok(None);
        }
        let options = GpuOptions {
            adapter: self
                .adapter
                .clone()
                .map_or(AdapterChoice::Auto, AdapterChoice::Name),
            backends: self.backend,
            features: wgpu::Features::TIMESTAMP_QUERY,
            pipelines: self.pipelines.clone(),
            ..GpuOptions::default()
        };
        Gpu::open(&options).map(Some)
    }
}

fn sweep(dimension: usize) -> impl Iterator<Item = (Shape, Option<&'static str>)> {
    (6..=11).map(move |power| {
        let mut shape = [256; 3];
        shape[dimension] = 1 << power;
        (shape, Some(["m", "k", "n"][dimension]))
    })
}

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("error")).init();
    match run(&Arguments::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("error: {failed} cases failed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {}", explain(&*error));
            ExitCode::FAILURE
        }
    }
}

/// Measures what was asked for; the number of cases that failed.
fn run(arguments: &Arguments) -> Outcome<usize> {
    if let Some(start) = arguments.child {
        return start::child(arguments, start).map(|()| 0);
    }
    let session = arguments.open()?.map(Session::new).transpose()?;
    let mut report = Report::new(arguments, session.as_ref())?;
    match arguments.what {
        What::Kernels => kernels::bench_kernels(arguments, session.as_ref(), &mut report)?,
        What::Training => training::bench_training(arguments, session.as_ref(), &mut report)?,
        What::Start => start::bench_start(arguments, &mut report)?,
        What::Events => events::bench_events(arguments, &mut report)?,
        What::Precision => precision::bench_precision(session.as_ref(), &mut report)?,
        What::Memory => memory::bench_memory(arguments, &mut report)?,
    }
    Ok(report.failed)
}
