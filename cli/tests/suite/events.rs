//! `events`: what it says of runs, and what it exports.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use wgpu_linear::events::{Summary, Writer};

use crate::command::{fails_with, gives_json, json_of, program, succeeds};

/// `runs/first` with three losses and a text.
pub(crate) fn write_runs(folder: &Path) {
    let writer = Writer::create(folder.join("runs/first")).unwrap();
    for step in 0..3 {
        writer.scalar("loss", step, 0.5 / (1.0 + step as f32));
    }
    writer.scalar("accuracy", 2, 0.75);
    writer.summary(2, &Summary::new().text("note", "a text"));
    writer.close().unwrap();
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_runs(folder.path());
    folder
}

fn events(folder: &TempDir, arguments: &[&str]) -> std::process::Command {
    let mut events = program(&["events"]);
    events.args(arguments).current_dir(folder.path());
    events
}

#[test]
fn runs_are_inspected() {
    let folder = folder();
    let text = succeeds(&mut events(&folder, &["inspect", "runs"]));
    assert!(text.starts_with("run first\n"), "{text}");
    assert!(text.contains("3 points, steps 0 to 2"), "{text}");
    let text = succeeds(&mut events(&folder, &["inspect", "runs", "--tag", "acc"]));
    assert!(
        text.contains("accuracy") && !text.contains("loss"),
        "{text}"
    );
    let value = gives_json(&mut events(&folder, &["inspect", "runs", "--json"]));
    let series = value["runs"][0]["series"].as_array().unwrap();
    let tags: Vec<_> = series.iter().map(|s| s["tag"].as_str().unwrap()).collect();
    assert_eq!(tags, ["accuracy", "loss", "note/text_summary"]);
    assert_eq!(series[1]["last_step"], 2);
}

#[test]
fn scalars_are_exported() {
    let folder = folder();
    let text = succeeds(&mut events(&folder, &["export", "runs"]));
    assert!(text.starts_with("run,tag,step,wall_time,value\n"), "{text}");
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("first,loss,"))
            .count(),
        3
    );
    let said = succeeds(&mut events(&folder, &["export", "runs", "a.csv", "--csv"]));
    assert_eq!(said, "4 points are in a.csv\n");
    assert_eq!(
        fs::read_to_string(folder.path().join("a.csv")).unwrap(),
        text
    );
    let value = gives_json(&mut events(
        &folder,
        &["export", "runs", "--json", "--tag", "loss"],
    ));
    let points = value["points"].as_array().unwrap();
    assert_eq!((points.len(), &points[2]["step"]), (3, &2.into()));
    assert_eq!(points[1]["value"], 0.25);
    let said = gives_json(&mut events(
        &folder,
        &["export", "runs", "a.json", "--json"],
    ));
    assert_eq!(said["points"], 4);
    let file = fs::read_to_string(folder.path().join("a.json")).unwrap();
    assert_eq!(json_of(&file)["points"].as_array().unwrap().len(), 4);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn damage_is_said_and_is_a_failure() {
    let folder = folder();
    let run = folder.path().join("runs/first");
    // Beside the events lies an empty file, which may come first.
    let paths = fs::read_dir(&run)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut written = paths.map(|path| (fs::read(&path).unwrap(), path));
    let (mut bytes, file) = written.find(|(bytes, _)| bytes.len() > 100).unwrap();
    bytes[100] ^= 0xff;
    fs::write(&file, bytes).unwrap();
    let text = fails_with(
        &mut events(&folder, &["inspect", "runs"]),
        1,
        "1 place is damaged",
    );
    assert!(text.contains("DAMAGE: "), "{text}");
    let text = fails_with(
        &mut events(&folder, &["export", "runs"]),
        1,
        "1 place is damaged",
    );
    assert!(text.contains("first,accuracy,2,"), "{text}");
}

#[test]
fn what_is_not_there_or_cannot_be_written_is_told() {
    let folder = folder();
    fails_with(
        &mut events(&folder, &["inspect", "nothing"]),
        2,
        "nothing: there is no such",
    );
    fs::create_dir(folder.path().join("empty")).unwrap();
    fails_with(
        &mut events(&folder, &["export", "empty"]),
        2,
        "no event file",
    );
    let mut to_nowhere = events(&folder, &["export", "runs", "no/such/folder/a.csv"]);
    fails_with(
        &mut to_nowhere,
        1,
        "no/such/folder/a.csv: the table cannot be written",
    );
    let mut both = events(&folder, &["export", "runs", "--csv", "--json"]);
    fails_with(&mut both, 2, "cannot be used with");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let folder = folder();
    for arguments in [
        &["export", "runs"][..],
        &["export", "runs", "--json"],
        &["inspect", "runs"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut events = events(&folder, arguments);
        let output = events
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let complaints = String::from_utf8(output.stderr).unwrap();
        assert!(
            !complaints.contains("error") && !complaints.contains("panic"),
            "{complaints}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let folder = folder();
    let full = fs::File::create("/dev/full").unwrap();
    let mut inspect = events(&folder, &["inspect", "runs"]);
    fails_with(
        inspect.stdout(full),
        1,
        "cannot be written to the standard output",
    );
}
