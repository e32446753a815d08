//! Event files: how many scalars a second are written, and how long one call keeps the thread that
//! logs.
//!
//! A run opens a writer in a new directory, hands in its scalars at default settings, and closes
//! the writer; all of that is timed. Beforehand one such run is read back, and each of its points
//! compared. How long calls take is measured in runs of their own, since asking the clock before
//! and after each call takes about as long as the call.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;
use wgpu_linear::events::{Reader, Writer};

use crate::Arguments;
use crate::machine::{clock_nanoseconds, file_system, write_calls};
use crate::problem::Outcome;
use crate::report::{EVENT_COLUMNS, Report, guarded, rounded};
use crate::timing::quantile;

/// One way to log.
#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    threads: usize,
    /// Scalars in one call, which becomes one event.
    together: usize,
}

const CASES: [Case; 3] = [
    Case {
        name: "events_1_thread",
        threads: 1,
        together: 1,
    },
    Case {
        name: "events_8_threads",
        threads: 8,
        together: 1,
    },
    Case {
        name: "events_10_per_event",
        threads: 1,
        together: TAGS,
    },
];
/// Each thread has so many tags of its own, and logs all of them in each step.
const TAGS: usize = 10;
/// What is read back before a case is timed, at most.
const VERIFIED: usize = 200_000;

/// What one case was measured at, one element a round.
#[derive(Clone, Default)]
struct EventSamples {
    per_second: Vec<f64>,
    /// Nanoseconds that the median call took; 99 in 100; 999 in 1000; the slowest.
    calls: [Vec<f64>; 4],
    bytes: u64,
    /// Calls of write(2), where the system counts them.
    writes: Vec<f64>,
}

/// Measures the cases in turn, so that what else the machine does meets all of them.
pub(crate) fn bench_events(arguments: &Arguments, report: &mut Report) -> Outcome<()> {
    let folder = match &arguments.dir {
        Some(dir) => TempDir::new_in(dir)?,
        None => TempDir::new()?,
    };
    let (file_system, clock) = (file_system(folder.path()), clock_nanoseconds());
    println!(
        "file system: {}; asking for the time, which calls that are timed do once more, takes {clock:.0} ns",
        file_system.as_deref().unwrap_or("unknown")
    );
    let machine = json!({
        "rounds": arguments.rounds,
        "file_system": file_system,
        "clock_ns": rounded(clock),
    });
    report.heading(&EVENT_COLUMNS)?;
    let mut right = Vec::new();
    for case in CASES {
        report.common(case.fields(arguments.scalars, &machine));
        match guarded(|| verify(case, arguments.scalars.min(VERIFIED), folder.path())) {
            Ok(()) => right.push((case, EventSamples::default())),
            Err(error) => report.failure(case.name, &*error)?,
        }
    }
    for _ in 0..arguments.rounds {
        for (case, samples) in &mut right {
            case.measure(arguments.scalars, folder.path(), samples)?;
        }
    }
    for (case, samples) in &right {
        report.common(case.fields(arguments.scalars, &machine));
        let (cells, fields) = samples.results();
        report.events(case.name, cells, fields)?;
    }
    Ok(())
}

/// What stands around each call of a thread.
trait Meter {
    fn call(&mut self, call: impl FnOnce());
}

struct Untimed;

impl Meter for Untimed {
    fn call(&mut self, call: impl FnOnce()) {
        call();
    }
}

/// Nanoseconds of each call.
struct Timed(Vec<u64>);

impl Meter for Timed {
    fn call(&mut self, call: impl FnOnce()) {
        let begin = Instant::now();
        call();
        self.0.push(begin.elapsed().as_nanos() as u64);
    }
}

impl Case {
    fn calls_per_thread(self, scalars: usize) -> usize {
        scalars / self.threads / self.together
    }

    /// Of a run; whole calls, as many in each thread.
    fn scalars(self, scalars: usize) -> usize {
        self.calls_per_thread(scalars) * self.threads * self.together
    }

    fn fields(self, scalars: usize, machine: &Value) -> Value {
        let mut fields = machine.clone();
        fields["contender"] = "wgpu-linear".into();
        fields["threads"] = self.threads.into();
        fields["scalars"] = self.scalars(scalars).into();
        fields["scalars_per_call"] = self.together.into();
        fields
    }

    /// What one thread does.
    fn log(self, writer: &Writer, thread: usize, calls: usize, meter: &mut impl Meter) {
        let tags = tags(thread);
        if self.together == 1 {
            for i in 0..calls {
                let (tag, step) = (&tags[i % TAGS], (i / TAGS) as i64);
                meter.call(|| writer.scalar(tag, step, value(i)));
            }
        } else {
            for step in 0..calls {
                let values: [(&str, f32); TAGS] =
                    std::array::from_fn(|k| (tags[k].as_str(), value(step * TAGS + k)));
                meter.call(|| writer.scalars(step as i64, &values));
            }
        }
    }

    /// A run in `directory`, which is new; each thread has a meter of its own. The seconds from
    /// opening to having closed.
    fn run<M: Meter + Send>(
        self,
        scalars: usize,
        directory: &Path,
        meters: &mut [M],
    ) -> Outcome<f64> {
        let calls = self.calls_per_thread(scalars);
        let begin = Instant::now();
        let writer = Writer::create(directory)?;
        match meters {
            [meter] => self.log(&writer, 0, calls, meter),
            meters => thread::scope(|scope| {
                for (thread, meter) in meters.iter_mut().enumerate() {
                    let writer = &writer;
                    scope.spawn(move || self.log(writer, thread, calls, meter));
                }
            }),
        }
        writer.close()?;
        Ok(begin.elapsed().as_secs_f64())
    }

    /// One round: a run that is timed as a whole, and one in which each call is.
    fn measure(self, scalars: usize, folder: &Path, samples: &mut EventSamples) -> Outcome<()> {
        let calls = self.calls_per_thread(scalars);
        let directory = folder.join(self.name);
        let mut untimed: Vec<_> = (0..self.threads).map(|_| Untimed).collect();
        let writes = write_calls();
        let seconds = self.run(scalars, &directory, &mut untimed)?;
        let writes = write_calls()
            .zip(writes)
            .map(|(after, before)| after - before);
        samples.writes.extend(writes);
        let written = self.scalars(scalars) as f64;
        samples.per_second.push(written / seconds);
        samples.bytes = event_bytes(&directory)?;
        fs::remove_dir_all(&directory)?;

        let mut timed: Vec<_> = (0..self.threads)
            .map(|_| Timed(Vec::with_capacity(calls)))
            .collect();
        self.run(scalars, &directory, &mut timed)?;
        fs::remove_dir_all(&directory)?;
        let mut calls: Vec<_> = timed.into_iter().flat_map(|timed| timed.0).collect();
        calls.sort_unstable();
        let calls: Vec<_> = calls.into_iter().map(|ns| ns as f64).collect();
        for (quantiles, fraction) in samples.calls.iter_mut().zip([0.5, 0.99, 0.999, 1.0]) {
            quantiles.push(quantile(&calls, fraction));
        }
        Ok(())
    }
}

/// Reads a run back and compares every point.
fn verify(case: Case, scalars: usize, folder: &Path) -> Outcome<()> {
    let directory = folder.join("verified");
    let mut untimed: Vec<_> = (0..case.threads).map(|_| Untimed).collect();
    case.run(scalars, &directory, &mut untimed)?;
    let points = read_points(&directory)?;
    fs::remove_dir_all(&directory)?;
    let per_thread = case.calls_per_thread(scalars) * case.together;
    let mut compared = 0;
    for thread in 0..case.threads {
        for (k, tag) in tags(thread).iter().enumerate() {
            let expected = (k..per_thread).step_by(TAGS);
            let expected: Vec<_> = expected.map(|i| ((i / TAGS) as i64, value(i))).collect();
            if points.get(tag).map_or(&[][..], Vec::as_slice) != expected {
                return Err(format!("{tag}: what was read is not what was written").into());
            }
            compared += expected.len();
        }
    }
    let read: usize = points.values().map(Vec::len).sum();
    if read == compared {
        Ok(())
    } else {
        Err(format!("{read} points were read, and {compared} written").into())
    }
}

impl EventSamples {
    /// The numbers of the table, and the fields of the record.
    fn results(&self) -> ([String; 6], Value) {
        let sorted = |values: &[f64]| {
            let mut values = values.to_vec();
            values.sort_by(f64::total_cmp);
            values
        };
        let per_second = sorted(&self.per_second);
        let [p50, p99, p99_9, slowest] = self.calls.each_ref().map(|values| sorted(values));
        let median = |values: &[f64]| quantile(values, 0.5);
        let (rate, slowest) = (median(&per_second), quantile(&slowest, 1.0));
        let calls = [&p50, &p99, &p99_9].map(|values| median(values));
        let cells = [
            format!("{:.2}", rate * 1e-6),
            format!("{:.0}", calls[0]),
            format!("{:.0}", calls[1]),
            format!("{:.0}", calls[2]),
            format!("{:.1}", slowest * 1e-3),
            self.bytes.to_string(),
        ];
        let fields = json!({
            "scalars_per_s": rounded(rate),
            "scalars_per_s_min": rounded(quantile(&per_second, 0.0)),
            "scalars_per_s_max": rounded(quantile(&per_second, 1.0)),
            "p50_ns": rounded(calls[0]),
            "p99_ns": rounded(calls[1]),
            "p99_9_ns": rounded(calls[2]),
            "max_ns": rounded(slowest),
            "bytes": self.bytes,
            "writes": rounded(median(&sorted(&self.writes))),
        });
        (cells, fields)
    }
}

/// Fifteen bytes each.
fn tags(thread: usize) -> [String; TAGS] {
    std::array::from_fn(|k| format!("train/metric_{thread}{k}"))
}

fn value(index: usize) -> f32 {
    index as f32 * 0.25
}

fn event_bytes(directory: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains("tfevents") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}

/// Steps and values under each tag. Nothing but scalars is in the files, and no tail is torn.
fn read_points(directory: &Path) -> Outcome<HashMap<String, Vec<(i64, f32)>>> {
    let mut points: HashMap<_, Vec<_>> = HashMap::new();
    let mut reader = Reader::open(directory)?;
    while let Some(point) = reader.next_point()? {
        let value = point.value.scalar().ok_or("not a scalar")?;
        points
            .entry(point.tag)
            .or_default()
            .push((point.step, value as f32));
    }
    match reader.tail() {
        None => Ok(points),
        Some((path, tail)) => Err(format!("{}: {tail:?}", path.display()).into()),
    }
}
