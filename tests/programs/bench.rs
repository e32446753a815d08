//! `bench`, on next to nothing: it verifies each result before it times it, and its record is
//! complete.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{example, fails_with, script, succeeds};

fn bench(arguments: &[&str]) -> Command {
    let mut bench = example("bench");
    bench.args(arguments);
    bench
}

/// Measures into a record in this folder, which must have these cases.
fn record(folder: &Path, name: &str, arguments: &[&str], cases: &[&str]) -> PathBuf {
    let path = folder.join(name);
    succeeds(bench(arguments).arg("--json").arg(&path));
    let said = succeeds(script("check_record.py").arg(&path).args(cases));
    assert!(said.starts_with("check_record: "), "{said}");
    path
}

#[test]
fn records_of_kernels_are_complete_and_can_be_compared() {
    let folder = tempfile::tempdir().unwrap();
    let [gpu, cpu] = ["gpu", "cpu"].map(|device| {
        let mut arguments = vec!["kernels", "--device", device, "--shapes", "64x64x64"];
        arguments.extend(["--min-time", "0.05", "--rerun", "3"]);
        let cases = ["fwd", "dx", "dw", "db", "bwd", "bwd_no_db"];
        record(folder.path(), device, &arguments, &cases)
    });
    let said = succeeds(script("compare.py").args([gpu, cpu]));
    assert!(said.contains("geometric mean"), "{said}");
}

#[test]
fn records_of_training_are_complete() {
    let folder = tempfile::tempdir().unwrap();
    for device in ["gpu", "cpu"] {
        let mut arguments = vec!["training", "--device", device, "--mlps", "64-128-10@64"];
        arguments.extend(["--min-time", "0.05", "--rerun", "3"]);
        record(folder.path(), device, &arguments, &["train", "train_loss"]);
    }
}

#[test]
fn records_of_the_first_result_are_complete() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["start", "--mlps", "8-16-4@8", "--rounds", "1"];
    let cases = ["start_train", "start_fwd"];
    record(folder.path(), "start", &arguments, &cases);
}

#[test]
fn records_of_events_are_complete() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["events", "--scalars", "20000", "--rounds", "2"];
    let cases = ["events_1_thread", "events_8_threads", "events_10_per_event"];
    record(folder.path(), "events", &arguments, &cases);
}

#[test]
fn shapes_that_no_device_can_hold_are_said_and_left_out() {
    let shapes = "4294967295x4294967295x1,8x8x8";
    let mut bench = bench(&["kernels", "--device", "cpu", "--shapes", shapes]);
    let said = succeeds(bench.args(["--ops", "fwd", "--min-time", "0"]));
    assert!(said.contains("left out"), "{said}");
}

#[test]
fn wrong_arguments_are_refused() {
    for (arguments, message) in [
        (&["kernels", "--device", "tpu"][..], "invalid value 'tpu'"),
        (&["everything"], "invalid value 'everything'"),
        (&["kernels", "--shapes", "64x64"], "expected MxKxN"),
        (&["kernels", "--shapes", "64x0x64"], "`0` is not a size"),
        (&["training", "--mlps", "64-10"], "expected SIZES@BATCH"),
        (
            &["kernels", "--ops", "sideways"],
            "invalid value 'sideways'",
        ),
        (&["kernels", "--min-time", "nan"], "0 to 600 seconds"),
        (&["events", "--scalars", "5"], "80 to 100000000 scalars"),
        (&["events", "--rounds", "0"], "0 is not in 1..=1000"),
        (&["events", "--dir", "no/such/folder"], "no/such/folder"),
        (&["kernels", "--backend", "none"], "vulkan, metal or dx12"),
        (
            &[
                "kernels",
                "--device",
                "cpu",
                "--json",
                "no/such/folder/record.jsonl",
            ],
            "no/such/folder",
        ),
        (
            &["kernels", "--adapter", "no such adapter"],
            "the name \"no such adapter\"",
        ),
    ] {
        fails_with(&mut bench(arguments), message);
    }
}
