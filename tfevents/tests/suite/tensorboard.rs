//! Event files as the real TensorBoard reads them.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use tfevents::{
    Category, Graph, HParams, Histogram, Image, Layout, Node, PrCurve, SessionStatus, Summary,
    Writer,
};

const HEADER: &str = "tag,step,wall_time,value\n";
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

fn add_special_values(recorder: &mut Recorder, tags: &[&str]) -> io::Result<()> {
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

/// What a script of this project says, run by a Python that has TensorBoard.
pub(crate) fn python(script: &str, arguments: &[&Path]) -> String {
    let python = std::env::var_os(PYTHON).unwrap_or_else(|| {
        panic!(
            "{PYTHON} is not set. It names a Python interpreter with the package `tensorboard`; `scripts/test` sets it up."
        )
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scripts")
        .join(script);
    let output = Command::new(&python)
        .arg(script)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{PYTHON} is {python:?}, which cannot be run: {error}"));
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complaint}");
    said.into_owned()
}

/// Reads with TensorBoard what is in the table; how many points that is.
pub(crate) fn assert_reads(directory: &Path, table: &Path, points: i64) {
    let said = python("check_events.py", &[directory, table]);
    assert!(said.contains(&format!("{points} points equal")), "{said}");
}

/// The points (step, step) under one tag, for steps from 0 on, at wall times of their own.
#[cfg(target_os = "linux")]
pub(crate) fn assert_shows_steps(directory: &Path, steps: i64) {
    let mut table = String::from(HEADER);
    let events = crate::support::event_files(directory)
        .into_iter()
        .flat_map(|file| crate::decoder::decode_torn(&std::fs::read(file).unwrap()).0)
        .filter(|event| !event.tag.is_empty());
    for (step, event) in events.enumerate() {
        let time = event.wall_time;
        writeln!(table, "{},{step},{time:?},{step}", event.tag).unwrap();
    }
    let path = directory.join("expected.csv");
    std::fs::write(&path, table).unwrap();
    assert_reads(directory, &path, steps);
}

#[test]
fn event_file_read_by_tensorboard_value_for_value() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let run = directory.path().join("run");
    let mut recorder = Recorder {
        events: Writer::create(&run)?,
        table: String::from(HEADER),
    };
    let tags = ["train/loss", "commas, \"quotes\"", "größe/μ-1", "a b\nc"];
    add_special_values(&mut recorder, &tags)?;
    add_special_steps(&mut recorder)?;
    add_many(&mut recorder)?;

    // A resumed run opens a second file, which has to be read after the first.
    recorder.events.clone().close()?;
    recorder.events = Writer::create(&run)?;
    recorder.add(1.8e9, "many", 12_000, -1.0)?;
    recorder.events.close()?;

    let table = directory.path().join("expected.csv");
    std::fs::write(&table, recorder.table)?;
    // 44 values, 10 steps, 3 wall times, 12,000 in a row, and one after resuming.
    assert_reads(&run, &table, 12_058);
    Ok(())
}

/// The reader that TensorBoard runs by default, with and without checksums, and the one behind
/// `--inspect`.
#[test]
fn event_files_read_by_data_server_value_for_value() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let run = directory.path().join("run");
    let mut recorder = Recorder {
        events: Writer::create(&run)?,
        table: String::from(HEADER),
    };
    let tags = ["train/loss", "commas, \"quotes\"", "größe/μ-1"];
    add_special_values(&mut recorder, &tags)?;
    for step in 0..6000 {
        recorder.add(1.7e9 + f64::from(step), "many", step.into(), step as f32)?;
    }
    for step in 6000..7000 {
        // Written again by the resumed run, so forgotten.
        recorder.events.scalar("many", step, 0.5);
    }
    recorder.events.clone().close()?;
    recorder.events = Writer::builder().resume_at(6000).create(&run)?;
    for step in 6000..8000 {
        recorder.add(1.8e9 + f64::from(step), "many", step.into(), -1.0)?;
    }
    recorder.events.close()?;

    let table = directory.path().join("expected.csv");
    std::fs::write(&table, recorder.table)?;
    // 33 values, and 8,000 in a row.
    assert_reads(&run, &table, 8033);
    let said = python("check_data_server.py", &[&run, &table]);
    assert!(said.contains("8033 points equal\n"), "{said}");
    assert!(said.contains("8033 points equal --checksum\n"), "{said}");
    assert!(said.contains("--inspect lists the same"), "{said}");
    Ok(())
}

/// One layer, from the examples to the loss.
fn network() -> Graph {
    let (x, w) = (Node::new("x", "Placeholder"), "layer1/w");
    let (b, sum, result) = ("layer1/b", "layer1/matmul", "layer1/add_bias");
    Graph::new()
        .node(x.shape(&[None, Some(4)]))
        .node(Node::new(w, "Variable").shape(&[Some(4), Some(3)]))
        .node(Node::new(b, "Variable").shape(&[Some(3)]))
        .node(Node::new(sum, "MatMul").input("x").input(w))
        .node(Node::new(result, "BiasAdd").input(sum).input(b))
        .node(Node::new("y", "Placeholder").shape(&[None]))
        .node(Node::new("loss", "Mean").input(result).input("y"))
}

/// Writes something of every kind.
fn write_all_kinds(events: &Writer, image: &Image) {
    let hparams = HParams::new()
        .param("learning_rate", 0.1_f32)
        .param("optimizer", "adam")
        .param("nesterov", true)
        .metric("accuracy/test");
    events.hparams(&hparams);
    events.graph(&network());
    events.histogram("w", 1, &Histogram::of([1.0_f32, 1.0, 4.0, -2.0, f32::NAN]));
    events.histogram("w", 2, &Histogram::of([1e30, -1e30]));
    events.histogram("nothing", 3, &Histogram::of(Vec::<f32>::new()));
    events.image("i", 4, image);
    events.text("notes", 5, "größe");
    let curve = PrCurve::of(&[false, true], &[0.25, 1.0], 3).unwrap();
    events.summary(6, &Summary::new().pr_curve("c", &curve));
    let layout = Layout::new().category(Category::new("all").multiline("lines", &["x.*"]));
    events.summary(0, &Summary::new().layout(&layout));
    events.scalar("accuracy/test", 7, 0.75);
    events.hparams_end(SessionStatus::Success);
}

#[test]
fn every_kind_of_summary_read_by_tensorboard() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let events = Writer::builder()
        .clock(|| 1.7e9)
        .create(directory.path().join("run"))?;
    let image = Image::from_rgb8(2, 1, &[1, 2, 3, 4, 5, 6]).unwrap();
    write_all_kinds(&events, &image);
    events.close()?;

    let said = python("check_kinds.py", &[directory.path()]);
    let found: serde_json::Value = serde_json::from_str(&said)?;
    check_data(&found, &image);
    check_hparams(&found["hparams"]);
    Ok(())
}

fn check_data(found: &serde_json::Value, image: &Image) {
    // TensorBoard counts in the buckets between the least and the greatest value, and takes these
    // for the outer limits.
    let histograms = &found["histograms"];
    let statistics = |tag: &str, point: usize| &histograms[tag][point]["statistics"];
    assert_eq!(*statistics("w", 0), json!([-2.0, 4.0, 4.0, 4.0, 22.0]));
    assert_eq!(histograms["w"][0]["step"], 1);
    assert_eq!(statistics("w", 1)[2], 2.0);
    assert_eq!(statistics("nothing", 0)[2], 0.0);
    let counts = histograms["w"][0]["counts"].as_array().unwrap().iter();
    assert_eq!(counts.map(|n| n.as_f64().unwrap()).sum::<f64>(), 4.0);

    let file = json!([{"step": 4, "size": [2, 1], "file": image.png()}]);
    assert_eq!(found["images"]["i"], file);
    let texts = json!({"notes/text_summary": [[5, ["größe"]]]});
    assert_eq!(found["texts"], texts);
    let rows = [
        [1.0, 1.0, 1.0],
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 1.0],
        [0.0, 0.0, 0.0],
        [0.5, 1.0, 1.0],
        [1.0, 1.0, 1.0],
    ];
    assert_eq!(found["pr_curves"], json!({"c": [[6, 3, rows]]}));
    let chart = json!({"title": "lines", "multiline": {"tag": ["x.*"]}});
    let layout = json!({"category": [{"title": "all", "chart": [chart]}]});
    assert_eq!(found["layout"], layout);
    let matmul = json!(["layer1/matmul", "MatMul", ["x", "layer1/w"]]);
    assert_eq!(found["graph"][3], matmul);
    assert_eq!(found["graph"].as_array().unwrap().len(), 7);
}

/// One row, with the values that were written and the last point of the metric.
fn check_hparams(page: &serde_json::Value) {
    let columns = json!({
        "learning_rate": "DATA_TYPE_FLOAT64",
        "nesterov": "DATA_TYPE_BOOL",
        "optimizer": "DATA_TYPE_STRING",
    });
    assert_eq!(page["columns"], columns);
    assert_eq!(page["rows"].as_array().unwrap().len(), 1);
    let row = &page["rows"][0];
    let values = json!({"learning_rate": 0.1, "nesterov": true, "optimizer": "adam"});
    assert_eq!(row["hparams"], values);
    let metric = &row["metricValues"][0];
    assert_eq!(metric["name"]["tag"], "accuracy/test");
    assert_eq!(
        (&metric["value"], &metric["trainingStep"]),
        (&json!(0.75), &json!(7))
    );
    assert_eq!(row["sessions"][0]["status"], "STATUS_SUCCESS");
    assert_eq!(row["sessions"][0]["endTimeSecs"], 1.7e9);
}
