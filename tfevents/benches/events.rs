//! Event files: `cargo bench -p tfevents`. The example `bench` measures the time of single calls
//! too, and `benches/peers` other writers.
//!
//! - `file`: a run from opening to having closed, at default settings, each in a new directory.
//! - `encode`: scalars to bytes alone, on one thread and into nothing.
//! - `histogram`: from values to buckets, and from buckets to bytes.

#![expect(
    clippy::expect_used,
    reason = "a benchmark without its file has nothing to go on with"
)]

use std::fs;
use std::hint::black_box;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tempfile::TempDir;
use tfevents::{Histogram, StreamWriter, Summary, Writer};

/// Scalars in a run.
const SCALARS: usize = 100_000;
const TAGS: usize = 10;
const THREADS: usize = 8;

/// A thread has tags of its own, because steps go up under each tag.
fn tags(thread: usize) -> [String; TAGS] {
    std::array::from_fn(|k| format!("train/metric_{thread}{k}"))
}

fn log_scalars(events: &Writer, thread: usize, count: usize) {
    let tags = tags(thread);
    for i in 0..count {
        events.scalar(&tags[i % TAGS], (i / TAGS) as i64, i as f32);
    }
}

fn log_from_one(events: &Writer) {
    log_scalars(events, 0, SCALARS);
}

fn log_from_eight(events: &Writer) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || log_scalars(events, thread, SCALARS / THREADS));
        }
    });
}

fn log_together(events: &Writer) {
    let tags = tags(0);
    for step in 0..SCALARS / TAGS {
        let values: [_; TAGS] = std::array::from_fn(|k| (tags[k].as_str(), step as f32));
        events.scalars(step as i64, &values);
    }
}

/// Seconds of a run in a new directory, which is removed afterwards.
fn run(directory: &Path, log: fn(&Writer)) -> Duration {
    let begin = Instant::now();
    let events = Writer::create(directory).expect("the directory is new");
    log(&events);
    events.close().expect("there is room for the file");
    let elapsed = begin.elapsed();
    fs::remove_dir_all(directory).expect("nobody else is there");
    elapsed
}

fn file(criterion: &mut Criterion) {
    let folder = TempDir::new().expect("there is a place for temporary files");
    let directory = folder.path().join("run");
    let mut group = criterion.benchmark_group("file");
    group.throughput(Throughput::Elements(SCALARS as u64));
    let names = ["scalar", "scalars_10", "scalar_8_threads"];
    let logs: [fn(&Writer); 3] = [log_from_one, log_together, log_from_eight];
    for (name, log) in names.into_iter().zip(logs) {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|runs| (0..runs).map(|_| run(&directory, log)).sum());
        });
    }
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    let mut events = StreamWriter::new(io::sink());
    let (tags, mut i) = (tags(0), 0);
    group.throughput(Throughput::Elements(1));
    group.bench_function("scalar", |bencher| {
        bencher.iter(|| {
            i += 1;
            events.scalar(&tags[i % TAGS], i as i64, black_box(0.25))
        });
    });
    let values = tags.each_ref().map(|tag| (tag.as_str(), 0.25));
    group.throughput(Throughput::Elements(TAGS as u64));
    group.bench_function("scalars_10", |bencher| {
        bencher.iter(|| {
            i += 1;
            events.scalars(i as i64, black_box(&values))
        });
    });
    group.finish();
}

fn histogram(criterion: &mut Criterion) {
    let mut random = fastrand::Rng::with_seed(1);
    let values: Vec<f32> = (0..SCALARS).map(|_| 0.1 * (random.f32() - 0.5)).collect();
    let mut group = criterion.benchmark_group("histogram");
    group.throughput(Throughput::Elements(SCALARS as u64));
    group.bench_function("of_values", |bencher| {
        bencher.iter(|| Histogram::of(black_box(&values).iter().copied()));
    });
    let histogram = Histogram::of(values.iter().copied());
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode", |bencher| {
        bencher.iter(|| Summary::new().histogram("layer0/weights", black_box(&histogram)));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = file, encode, histogram
}
criterion_main!(benches);
