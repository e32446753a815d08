//! What figures depend on, beside the crate. The project in `tfevents/benches/peers` has this file
//! too.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Instant;

/// What asking for the time adds to a call that is timed.
pub(crate) fn clock_nanoseconds() -> f64 {
    let (begin, asked) = (Instant::now(), 100_000);
    for _ in 0..asked {
        std::hint::black_box(Instant::now());
    }
    begin.elapsed().as_secs_f64() * 1e9 / f64::from(asked)
}

/// The type of the file system, where the system lists its mounts.
pub(crate) fn file_system(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    mounts
        .filter(|(at, _)| path.starts_with(at))
        .max_by_key(|(at, _)| at.len())
        .map(|(_, kind)| kind.to_owned())
}

/// The processor, so that figures of two machines are not compared unawares.
pub(crate) fn processor() -> String {
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("cpu", |rest| rest.trim_start_matches([' ', '\t', ':']));
    format!("{model}, {threads} threads")
}

/// How often this process has called write(2) and its like, where the system counts that (Linux).
pub(crate) fn write_calls() -> Option<f64> {
    let counters = fs::read_to_string("/proc/self/io").ok()?;
    let count = counters
        .lines()
        .find_map(|line| line.strip_prefix("syscw: "));
    count?.parse().ok()
}
