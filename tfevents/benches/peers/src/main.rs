//! Our event writer beside those of others: scalars a second, opening and closing included, and how
//! long one call takes.
//!
//! All contenders do the same work in turn, so that what else the machine does meets all of them:
//! ten scalars a step, each under a tag of fifteen bytes, at the settings they have by default.
//! Before a contender is timed, a run of it is read back and each point compared.

mod contenders;
#[path = "../../../../examples/bench/machine.rs"]
mod machine;
mod torch;
mod verify;

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use contenders::{Contender, Ours, Tboard, TboardBuffered, TensorboardRs, Tfrecord, Writer};
use serde_json::{Value, json};
use torch::Torch;

type Outcome<T> = Result<T, Box<dyn Error>>;

const TAGS: [&str; 10] = [
    "train/metric_00",
    "train/metric_01",
    "train/metric_02",
    "train/metric_03",
    "train/metric_04",
    "train/metric_05",
    "train/metric_06",
    "train/metric_07",
    "train/metric_08",
    "train/metric_09",
];

fn value(index: usize) -> f32 {
    index as f32 * 0.25
}

/// Measures event writers in turn.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where a folder for the files is made, and removed again [default: that for temporary files]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Scalars of a run
    #[arg(long, value_parser = clap::value_parser!(u32).range(100..), default_value = "500000")]
    scalars: u32,
    /// The same for PyTorch, which is slow
    #[arg(long, value_parser = clap::value_parser!(u32).range(100..), default_value = "20000")]
    torch_scalars: u32,
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), default_value = "7")]
    rounds: u32,
    /// A Python interpreter with the packages `torch` and `tensorboard`
    #[arg(long)]
    python: Option<PathBuf>,
    /// Which of them [default: all; `torch` with --python alone]
    #[arg(long, value_enum, value_delimiter = ',')]
    contenders: Vec<Contender>,
    /// File for one JSON object per line; what it held before is lost
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Arguments {
    fn contenders(&self) -> Outcome<Vec<Contender>> {
        let mut chosen = self.contenders.clone();
        if chosen.is_empty() {
            chosen = clap::ValueEnum::value_variants().to_vec();
            if self.python.is_none() {
                eprintln!("torch is left out: it takes --python");
                chosen.retain(|contender| *contender != Contender::Torch);
            }
        } else if chosen.contains(&Contender::Torch) && self.python.is_none() {
            return Err("torch takes --python".into());
        }
        Ok(chosen)
    }

    fn scalars(&self, contender: Contender) -> usize {
        let scalars = match contender {
            Contender::Torch => self.torch_scalars,
            _ => self.scalars,
        };
        // Whole steps.
        scalars as usize / TAGS.len() * TAGS.len()
    }
}

/// A run: seconds from opening to having closed, and nanoseconds of each call where they are asked
/// for.
struct Run {
    seconds: f64,
    nanoseconds: Vec<u64>,
}

/// Calls `call` with the numbers from 0, and takes the time of each call if `each`.
fn repeat(
    calls: usize,
    each: bool,
    mut call: impl FnMut(usize) -> Outcome<()>,
) -> Outcome<Vec<u64>> {
    let mut nanoseconds = Vec::with_capacity(if each { calls } else { 0 });
    for i in 0..calls {
        if each {
            let begin = Instant::now();
            call(i)?;
            nanoseconds.push(begin.elapsed().as_nanos() as u64);
        } else {
            call(i)?;
        }
    }
    Ok(nanoseconds)
}

fn run_one<W: Writer>(directory: &Path, scalars: usize, each: bool) -> Outcome<Run> {
    let begin = Instant::now();
    let mut writer = W::open(directory)?;
    let nanoseconds = repeat(scalars, each, |i| {
        writer.scalar(TAGS[i % TAGS.len()], (i / TAGS.len()) as i64, value(i))
    })?;
    writer.close()?;
    Ok(Run {
        seconds: begin.elapsed().as_secs_f64(),
        nanoseconds,
    })
}

fn run_ten(directory: &Path, scalars: usize, each: bool) -> Outcome<Run> {
    let begin = Instant::now();
    let writer = Ours::open(directory)?;
    let nanoseconds = repeat(scalars / TAGS.len(), each, |step| {
        let values: [_; TAGS.len()] =
            std::array::from_fn(|k| (TAGS[k], value(step * TAGS.len() + k)));
        writer.0.scalars(step as i64, &values);
        Ok(())
    })?;
    writer.close()?;
    Ok(Run {
        seconds: begin.elapsed().as_secs_f64(),
        nanoseconds,
    })
}

fn run(
    contender: Contender,
    torch: &mut Option<Torch>,
    directory: &Path,
    scalars: usize,
    each: bool,
) -> Outcome<Run> {
    match contender {
        Contender::WgpuLinear => run_one::<Ours>(directory, scalars, each),
        Contender::WgpuLinearTen => run_ten(directory, scalars, each),
        Contender::TfrecordNoflush => run_one::<Tfrecord<false>>(directory, scalars, each),
        Contender::Tfrecord => run_one::<Tfrecord<true>>(directory, scalars, each),
        Contender::TensorboardRs => run_one::<TensorboardRs>(directory, scalars, each),
        Contender::Tboard => run_one::<Tboard>(directory, scalars, each),
        Contender::TboardBuffered => run_one::<TboardBuffered>(directory, scalars, each),
        Contender::Torch => match torch {
            Some(torch) => torch.run(directory, scalars, each),
            None => Err("torch takes --python".into()),
        },
    }
}

/// What a contender was measured at, one element a round.
struct Samples {
    contender: Contender,
    scalars: usize,
    per_second: Vec<f64>,
    /// Nanoseconds of the median call, of 99 in 100, of 999 in 1000, and of the slowest.
    calls: [Vec<f64>; 4],
    bytes: u64,
    /// Calls of write(2), where the system counts them; not those of PyTorch's process.
    writes: Vec<f64>,
}

fn quantile(values: &[f64], fraction: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len().saturating_sub(1) as f64 * fraction).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

impl Samples {
    fn add(&mut self, torch: &mut Option<Torch>, directory: &Path) -> Outcome<()> {
        let writes = machine::write_calls();
        let timed = run(self.contender, torch, directory, self.scalars, false)?;
        let writes = machine::write_calls().zip(writes);
        if self.contender != Contender::Torch {
            self.writes
                .extend(writes.map(|(after, before)| after - before));
        }
        self.per_second.push(self.scalars as f64 / timed.seconds);
        self.bytes = fs::read_dir(directory)?.try_fold(0, |sum, entry| -> Outcome<u64> {
            Ok(sum + entry?.metadata()?.len())
        })?;
        fs::remove_dir_all(directory)?;
        let timed = run(self.contender, torch, directory, self.scalars, true)?;
        fs::remove_dir_all(directory)?;
        let calls: Vec<_> = timed.nanoseconds.iter().map(|ns| *ns as f64).collect();
        for (quantiles, fraction) in self.calls.iter_mut().zip([0.5, 0.99, 0.999, 1.0]) {
            quantiles.push(quantile(&calls, fraction));
        }
        Ok(())
    }

    fn rate(&self) -> f64 {
        quantile(&self.per_second, 0.5)
    }

    fn writes_each(&self) -> Option<f64> {
        let writes = quantile(&self.writes, 0.5) / self.scalars as f64;
        writes.is_finite().then_some(writes)
    }

    fn line(&self, arguments: &Arguments, folder: &Path) -> Value {
        let [p50, p99, p99_9, slowest] = &self.calls;
        json!({
            "case": if self.contender.scalars_per_call() == 1 { "events_1_thread" } else { "events_10_per_event" },
            "contender": self.contender.name(),
            "crate_version": self.contender.version(),
            "device": machine::processor(),
            "backend": "host",
            "file_system": machine::file_system(folder),
            "clock_ns": machine::clock_nanoseconds().round(),
            "threads": 1,
            "scalars": self.scalars,
            "scalars_per_call": self.contender.scalars_per_call(),
            "rounds": arguments.rounds,
            "scalars_per_s": self.rate().round(),
            "scalars_per_s_min": quantile(&self.per_second, 0.0).round(),
            "scalars_per_s_max": quantile(&self.per_second, 1.0).round(),
            "p50_ns": quantile(p50, 0.5),
            "p99_ns": quantile(p99, 0.5),
            "p99_9_ns": quantile(p99_9, 0.5),
            "max_ns": quantile(slowest, 1.0),
            "bytes": self.bytes,
            "writes": quantile(&self.writes, 0.5),
        })
    }
}

fn measure(arguments: &Arguments) -> Outcome<()> {
    let folder = match &arguments.dir {
        Some(dir) => tempfile::TempDir::new_in(dir)?,
        None => tempfile::TempDir::new()?,
    };
    let mut json = match &arguments.json {
        Some(path) => {
            Some(fs::File::create(path).map_err(|error| format!("{}: {error}", path.display()))?)
        }
        None => None,
    };
    let mut torch = arguments.python.as_deref().map(Torch::start).transpose()?;
    let directory = folder.path().join("run");
    let mut all = Vec::new();
    for contender in arguments.contenders()? {
        let scalars = arguments.scalars(contender);
        // PyTorch imports modules in its first run, so it is a warm-up too.
        run(
            contender,
            &mut torch,
            &directory,
            scalars.min(100_000),
            false,
        )?;
        verify::verify(&directory, scalars.min(100_000))
            .map_err(|error| format!("{}: {error}", contender.name()))?;
        fs::remove_dir_all(&directory)?;
        all.push(Samples {
            contender,
            scalars,
            per_second: Vec::new(),
            calls: Default::default(),
            bytes: 0,
            writes: Vec::new(),
        });
    }
    for _ in 0..arguments.rounds {
        for samples in &mut all {
            samples.add(&mut torch, &directory)?;
        }
    }
    println!(
        "{} scalars (torch: {}), medians of {} rounds",
        arguments.scalars, arguments.torch_scalars, arguments.rounds
    );
    println!(
        "contender          scalars/s   ours is   p50 ns   p99 ns p99.9 ns   max µs  bytes each  writes each"
    );
    let ours = all
        .iter()
        .find(|samples| samples.contender == Contender::WgpuLinear);
    let ours = ours.map_or(f64::NAN, Samples::rate);
    for samples in &all {
        let line = samples.line(arguments, folder.path());
        println!(
            "{:<16} {:>11} {:>8.2}× {:>8} {:>8} {:>8} {:>8.0} {:>11.1} {:>12}",
            samples.contender.name(),
            samples.rate().round() as u64,
            ours / samples.rate(),
            line["p50_ns"],
            line["p99_ns"],
            line["p99_9_ns"],
            line["max_ns"].as_f64().unwrap_or(f64::NAN) * 1e-3,
            samples.bytes as f64 / samples.scalars as f64,
            samples
                .writes_each()
                .map_or_else(|| "-".to_owned(), |writes| format!("{writes:.5}")),
        );
        if let Some(file) = &mut json {
            writeln!(file, "{line}")?;
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match measure(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
