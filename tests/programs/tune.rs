//! `05_tune`: it keeps the winners, also beside another one that does.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::command::{example, fails_with, script, succeeds};

fn tune(cache: &Path, shape: &str) -> Command {
    let mut tune = example("05_tune");
    tune.args([
        "--device",
        "gpu",
        "--operation",
        "forward",
        "--shape",
        shape,
    ]);
    tune.arg("--cache").arg(cache);
    tune
}

/// Two programs tune at the same time, and a third finds what both have written.
#[test]
fn programs_that_tune_at_the_same_time_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("tuned.tsv");
    let (one, other) = ("40x50x60", "60x50x40");
    let beside = tune(&cache, one).stdout(Stdio::null()).spawn();
    let said = succeeds(&mut tune(&cache, other));
    assert!(!said.contains("from the cache"), "{said}");
    let beside = beside.unwrap().wait().unwrap();
    assert!(beside.success(), "{beside}");
    for shape in [one, other] {
        let said = succeeds(&mut tune(&cache, shape));
        assert!(said.contains("from the cache"), "{said}");
    }
}

/// The table takes each candidate of each operation from the record.
#[test]
fn planner_is_compared_with_the_tuner() {
    let folder = tempfile::tempdir().unwrap();
    let [cache, json] = ["tuned.tsv", "tune.jsonl"].map(|name| folder.path().join(name));
    for shape in ["40x50x60", "16x64x8"] {
        succeeds(tune(&cache, shape).arg("--json").arg(&json));
    }
    let said = succeeds(script("planner_table.py").arg(&json));
    let rows = said.lines().filter(|line| line.starts_with("| Forward"));
    assert_eq!(rows.count(), 2, "{said}");
    assert!(said.contains("median of 2"), "{said}");
    let lines = std::fs::read_to_string(&json).unwrap();
    assert_eq!(lines.matches("\"planned\":true").count(), 2, "{lines}");
    assert_eq!(lines.matches("\"winner\":true").count(), 2, "{lines}");
}

#[test]
fn what_cannot_be_tuned_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("tuned.tsv");
    fails_with(&mut tune(&cache, "64x64"), "not of the form 512x512x512");
    fails_with(&mut tune(&cache, "4294967295x4294967295x1"), "are allowed");
    fails_with(
        example("05_tune").args(["--device", "cpu"]),
        "nothing to tune",
    );
    assert!(!cache.exists());
}
