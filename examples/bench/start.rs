//! From the start of a process to its first verified result: `bench start`.
//!
//! What takes long there is compiling, and whatever compiles keeps what it has compiled. So each
//! start is a process of its own, with the driver's cache and ours in folders of their own: empty
//! ones, and the same once more.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::ValueEnum;
use ndarray::Array1;
use serde_json::{Value, json};
use wgpu_linear::model::{Model, Targets, initial_parameters};
use wgpu_linear::{Forward, Gpu, LinearKernels, Matrix, Vector, check, nn, reference};

use crate::Arguments;
use crate::problem::{Outcome, Shape, integers};
use crate::report::{Report, START_COLUMNS, guarded, milliseconds, rounded};
use crate::timing::quantile;
use crate::training::{Batches, config};

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Start {
    /// One training step of the first network
    Train,
    /// One forward pass
    Forward,
}

/// Of the forward pass.
const SHAPE: Shape = [512; 3];

/// Which caches hold something.
#[derive(Clone, Copy, Debug)]
enum Caches {
    None,
    Pipelines,
    Driver,
}

impl Caches {
    const ALL: [Self; 3] = [Self::None, Self::Pipelines, Self::Driver];

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pipelines => "pipelines",
            Self::Driver => "driver",
        }
    }
}

/// The times of a process, in milliseconds since it was asked for, or since the one before.
const TIMES: [&str; 5] = ["total_ms", "open_ms", "prepare_ms", "run_ms", "verify_ms"];

pub(crate) fn bench_start(arguments: &Arguments, report: &mut Report) -> Outcome<()> {
    report.heading(&START_COLUMNS)?;
    for start in [Start::Train, Start::Forward] {
        let fields = match start {
            Start::Train => arguments.mlps.first().map(|(sizes, batch)| {
                let mlp: Vec<_> = sizes.iter().map(usize::to_string).collect();
                json!({"mlp": mlp.join("-"), "m": batch, "k": sizes[0], "n": sizes[sizes.len() - 1]})
            }),
            Start::Forward => Some(json!({"m": SHAPE[0], "k": SHAPE[1], "n": SHAPE[2]})),
        };
        for caches in Caches::ALL {
            report.common(json!({"contender": "wgpu-linear", "caches": caches.name()}));
            report.add_common(fields.clone().unwrap_or_default());
            let samples = guarded(|| {
                (0..arguments.rounds)
                    .map(|_| measure(start, caches))
                    .collect::<Outcome<Vec<_>>>()
            });
            match samples {
                Ok(samples) => summarize(start, caches, &samples, report)?,
                Err(error) => report.failure(name(start), &*error)?,
            }
        }
    }
    Ok(())
}

fn name(start: Start) -> &'static str {
    match start {
        Start::Train => "start_train",
        Start::Forward => "start_fwd",
    }
}

/// A process with these caches, after another that has filled them.
fn measure(start: Start, caches: Caches) -> Outcome<[f64; 5]> {
    let [driver, other, pipelines] = [(); 3].map(|()| tempfile::tempdir());
    let (driver, other, pipelines) = (driver?, other?, pipelines?);
    match caches {
        Caches::None => process(start, driver.path(), None),
        Caches::Pipelines => {
            process(start, other.path(), Some(pipelines.path()))?;
            process(start, driver.path(), Some(pipelines.path()))
        }
        Caches::Driver => {
            process(start, driver.path(), None)?;
            process(start, driver.path(), None)
        }
    }
}

/// Starts this program anew, to do nothing else.
fn process(start: Start, driver_cache: &Path, pipelines: Option<&Path>) -> Outcome<[f64; 5]> {
    let begin = Instant::now();
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(std::env::args_os().skip(1))
        .arg("--child")
        .arg(
            start
                .to_possible_value()
                .map_or(String::new(), |v| v.get_name().to_owned()),
        )
        // Mesa's and NVIDIA's.
        .env("MESA_SHADER_CACHE_DIR", driver_cache)
        .env("__GL_SHADER_DISK_CACHE_PATH", driver_cache)
        .stdout(Stdio::piped());
    if let Some(folder) = pipelines {
        command.arg("--pipelines").arg(folder);
    }
    let mut child = command.spawn()?;
    let mut said = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut said)?;
    }
    let total = begin.elapsed().as_secs_f64() * 1e3;
    let status = child.wait()?;
    if !status.success() {
        return Err(format!("the process ended with {status}").into());
    }
    let said: Vec<f64> = serde_json::from_str(&said)?;
    let [open, prepare, run, verify] = said[..] else {
        return Err("the process did not tell its times".into());
    };
    Ok([total, open, prepare, run, verify])
}

fn summarize(
    start: Start,
    caches: Caches,
    samples: &[[f64; 5]],
    report: &mut Report,
) -> Outcome<()> {
    let sorted: [Vec<f64>; 5] = std::array::from_fn(|i| {
        let mut times: Vec<_> = samples.iter().map(|times| times[i]).collect();
        times.sort_by(f64::total_cmp);
        times
    });
    let mut fields = json!({
        "case": name(start),
        "ms_median": rounded(quantile(&sorted[0], 0.5)),
        "ms_p10": rounded(quantile(&sorted[0], 0.1)),
        "ms_p90": rounded(quantile(&sorted[0], 0.9)),
        "runs": samples.len(),
    });
    for (name, times) in TIMES.iter().zip(&sorted).skip(1) {
        fields[*name] = rounded(quantile(times, 0.5));
    }
    report.line(&[fields])?;
    let times = sorted.map(|times| milliseconds(1e-3 * quantile(&times, 0.5)));
    let of = match start {
        Start::Train => report.sizes(&["mlp"]).trim_matches('"').to_owned(),
        Start::Forward => report.sizes(&["m", "k", "n"]).replace(' ', ""),
    };
    let words = [name(start).to_owned(), of, caches.name().to_owned()];
    report.row(&START_COLUMNS, &[words.as_slice(), &times].concat())
}

/// What a process does that was started for it: times in milliseconds on a line.
pub(crate) fn child(arguments: &Arguments, start: Start) -> Outcome<()> {
    let begin = Instant::now();
    let gpu = arguments
        .open()?
        .ok_or("there is nothing to start on the CPU")?;
    let open = begin.elapsed();
    let [prepare, run, verify] = match start {
        Start::Train => train(arguments, &gpu)?,
        Start::Forward => forward(SHAPE, &gpu)?,
    };
    let open = open.as_secs_f64() * 1e3;
    println!("{}", Value::from(vec![open, prepare, run, verify]));
    Ok(())
}

/// The time since the last lap.
struct Laps(Instant);

impl Laps {
    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let lap = now - std::mem::replace(&mut self.0, now);
        lap.as_secs_f64() * 1e3
    }
}

fn train(arguments: &Arguments, gpu: &Gpu) -> Outcome<[f64; 3]> {
    let (sizes, batch) = arguments.mlps.first().ok_or("no network is given")?;
    let config = config(sizes);
    let batches = Batches::new(sizes, *batch);
    let (x, classes) = (batches.x[0].view(), Targets::Classes(&batches.classes[0]));
    let mut laps = Laps(Instant::now());
    let mut mlp = nn::Mlp::new(gpu, config.clone())?;
    mlp.train_batch(x, classes)?;
    let prepare = laps.lap();
    let loss = f64::from(mlp.take_loss()?.mean);
    let run = laps.lap();
    let before = initial_parameters(&config);
    let mut twin = reference::Mlp::<f64>::new(config)?;
    let expected = twin.batch_loss(x, classes)?;
    twin.train_batch(x, classes)?;
    let update = check::update_error(&before, &mlp.parameters()?, twin.layers());
    let good = (loss - expected).abs() <= 1e-5 * expected && update <= 2e-2;
    if !good {
        let told = format!("the loss is {loss}, not {expected}; an update is {update:e} off");
        return Err(format!("wrong result: {told}").into());
    }
    Ok([prepare, run, laps.lap()])
}

/// T = X·W + b of small whole numbers, which is exact; so T·r = X·(W·r) + b·r for a vector r.
fn forward([m, k, n]: Shape, gpu: &Gpu) -> Outcome<[f64; 3]> {
    let mut random = fastrand::Rng::with_seed(44);
    let (x, w, b) = (
        integers(&mut random, m, k),
        integers(&mut random, k, n),
        integers(&mut random, 1, n),
    );
    let mut laps = Laps(Instant::now());
    let upload = |label, matrix: &ndarray::Array2<f32>| {
        gpu.upload(label, matrix.as_slice().unwrap_or_default())
    };
    let [x_buffer, w_buffer, b_buffer] = [upload("x", &x)?, upload("w", &w)?, upload("b", &b)?];
    let t_buffer = gpu.zeros("t", m * n)?;
    let [rows, inputs, outputs] = [m, k, n].map(|size| size as u32);
    let forward = LinearKernels::of(gpu).forward(Forward {
        x: Matrix::new(&x_buffer, rows, inputs),
        w: Matrix::new(&w_buffer, inputs, outputs),
        b: Some(Vector::new(&b_buffer, outputs)),
        t: Matrix::new(&t_buffer, rows, outputs),
    })?;
    gpu.run(&[forward])?;
    let prepare = laps.lap();
    let t = ndarray::Array2::from_shape_vec((m, n), gpu.read::<f32>(&t_buffer)?)?;
    let run = laps.lap();
    let r = Array1::from_shape_fn(n, |_| f64::from(random.i32(1..=255)));
    let [x, w, b, t] = [x, w, b, t].map(|matrix| matrix.mapv(f64::from));
    let expected = x.dot(&w.dot(&r)) + b.row(0).dot(&r);
    if t.dot(&r) != expected {
        return Err("wrong result".into());
    }
    Ok([prepare, run, laps.lap()])
}
