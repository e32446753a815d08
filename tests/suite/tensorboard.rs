//! Event files as the real TensorBoard reads them.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Command;

use wgpu_linear::events::{Summary, Writer};

const PYTHON: &str = "WGPU_LINEAR_TENSORBOARD_PYTHON";

/// An event file and, beside it, the table of what is in it.
struct Recorder {
    events: Writer,
    table: String,
}

impl Recorder {
    fn add(&mut self, wall_time: f64, tag: &str, step: i64, value: f32) -> io::Result<()> {
        let quoted = tag.replace('"', "\"\"");
        // As f64, whose shortest decimal form Python reads back to the same bits.
        let wide = f64::from(value);
        writeln!(self.table, "\"{quoted}\",{step},{wall_time:?},{wide:?}").unwrap();
        let point = Summary::new().scalar(tag, value);
        Ok(self.events.summary_at(wall_time, step, &point)?)
    }
}

fn add_special_values(recorder: &mut Recorder) -> io::Result<()> {
    let values = [
        0.0,
        -0.0,
        1.0 / 3.0,
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        f32::from_bits(1),
        f32::NAN,
        -f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
    ];
    let tags = ["train/loss", "commas, \"quotes\"", "größe/μ-1", "a b\nc"];
    for (i, value) in values.into_iter().enumerate() {
        for (j, tag) in tags.iter().enumerate() {
            let wall_time = 1.7e9 + 0.123_456_7 * (i * tags.len() + j) as f64;
            recorder.add(wall_time, tag, 10 * i as i64 - 3, value)?;
        }
    }
    Ok(())
}

fn add_special_steps(recorder: &mut Recorder) -> io::Result<()> {
    let exact_in_f64 = 1_i64 << 53;
    let steps = [
        i64::MIN,
        -1,
        0,
        1,
        127,
        128,
        1 << 31,
        exact_in_f64 + 1,
        i64::MAX,
        5,
    ];
    for (i, step) in steps.into_iter().enumerate() {
        recorder.add(1.7e9 - i as f64 / 7.0, "steps", step, i as f32)?;
    }
    // Wall times that are the default value, negative, and tiny.
    for wall_time in [0.0, -1.5, f64::MIN_POSITIVE] {
        recorder.add(wall_time, "wall times", 0, 1.0)?;
    }
    Ok(())
}

/// More than the reader keeps by default (10,000), and than the writer's buffer holds.
fn add_many(recorder: &mut Recorder) -> io::Result<()> {
    for i in 0..12_000 {
        recorder.add(1.7e9 + f64::from(i), "many", i.into(), (i as f32).sin())?;
    }
    Ok(())
}

fn read_with_tensorboard(directory: &Path, table: &Path) {
    let python = std::env::var_os(PYTHON).unwrap_or_else(|| {
        panic!(
            "{PYTHON} is not set. It names a Python interpreter with the package `tensorboard`; `scripts/test` sets it up."
        )
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check_events.py");
    let output = Command::new(&python)
        .arg(script)
        .args([directory, table])
        .output()
        .unwrap_or_else(|error| panic!("{PYTHON} is {python:?}, which cannot be run: {error}"));
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complaint}");
    // 44 values, 10 steps, 3 wall times, 12,000 in a row, and one after resuming.
    assert!(said.contains("12058 points equal"), "{said}{complaint}");
}

#[test]
fn event_file_read_by_tensorboard_value_for_value() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let run = directory.path().join("run");
    let mut recorder = Recorder {
        events: Writer::create(&run)?,
        table: String::from("tag,step,wall_time,value\n"),
    };
    add_special_values(&mut recorder)?;
    add_special_steps(&mut recorder)?;
    add_many(&mut recorder)?;

    // A resumed run opens a second file, which has to be read after the first.
    recorder.events.clone().close()?;
    recorder.events = Writer::create(&run)?;
    recorder.add(1.8e9, "many", 12_000, -1.0)?;
    recorder.events.close()?;

    let table = directory.path().join("expected.csv");
    std::fs::write(&table, recorder.table)?;
    read_with_tensorboard(&run, &table);
    Ok(())
}
