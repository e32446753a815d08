//! Signals and kills in the middle of a training, and going on after them.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use wgpu_linear::train::checkpoint::{Checkpoint, Checkpoints};

use crate::command::{data, program, succeeds};

/// A training of some seconds with everything that a step may depend on.
fn train(out: &Path, device: &str) -> Command {
    let mut command = program(&[]);
    command
        .arg("train")
        .arg(data("digits.csv.gz"))
        .arg("--out")
        .arg(out);
    command.args([
        "--device", device, "--epochs", "12", "--hidden", "48", "--report", "false",
    ]);
    command.args([
        "--schedule",
        "cosine:0.01",
        "--warmup",
        "20",
        "--dropout",
        "0.1",
    ]);
    command.args(["--early-stopping", "50", "--validation-fraction", "0.1"]);
    command.args(["--checkpoint-every", "2", "--quiet"]);
    command
}

fn start(command: &mut Command) -> Child {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(child.id().to_string())
        .status();
    assert!(status.unwrap().success());
}

/// Waits until the run has begun to train: its event file is there.
fn wait_for_events(out: &Path) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let has_events = || {
        let entries = fs::read_dir(out).into_iter().flatten().flatten();
        let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.any(|name| name.contains("tfevents"))
    };
    while !has_events() {
        assert!(Instant::now() < deadline, "no events after a minute");
        sleep(Duration::from_millis(5));
    }
}

fn resume(out: &Path) {
    succeeds(program(&[]).args(["train", "--quiet", "--resume"]).arg(out));
}

fn parameters(run: &Path) -> Vec<wgpu_linear::model::LayerParameters> {
    Checkpoint::load(run.join("model.safetensors"))
        .unwrap()
        .parameters
}

/// `rounds` trainings, each told to end at another moment, gone on with, and compared with one that
/// was left alone.
fn stops_and_goes_on(device: &str, rounds: u64) {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let begin = Instant::now();
    succeeds(&mut train(&whole, device));
    let time = begin.elapsed();
    let wanted = parameters(&whole);
    let mut stopped = 0;
    for round in 0..rounds {
        let out = folder.path().join(round.to_string());
        let mut child = start(&mut train(&out, device));
        wait_for_events(&out);
        let after = time.mul_f64((round as f64 + 0.5) / rounds as f64 * 0.8);
        sleep(after);
        let asked = Instant::now();
        signal(&child, if round % 2 == 0 { "TERM" } else { "INT" });
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "round {round}");
        assert!(asked.elapsed() < Duration::from_secs(10), "round {round}");
        if !out.join("model.safetensors").exists() {
            stopped += 1;
            let latest = Checkpoints::latest(out.join("checkpoints")).unwrap();
            assert!(latest.is_some(), "round {round}");
            resume(&out);
        }
        assert_eq!(parameters(&out), wanted, "round {round}, after {after:?}");
        fs::remove_dir_all(&out).unwrap();
    }
    assert!(
        stopped > 0,
        "all runs were over before they were told to end"
    );
}

#[test]
fn a_run_that_was_told_to_end_goes_on_to_the_same_bits() {
    stops_and_goes_on("cpu", 3);
}

#[test]
fn a_search_that_ends_before_its_first_trial_is_orderly() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = program(&["train", "--device", "cpu", "--epochs", "100000"]);
    command.args(["--trials", "2"]).arg(data("iris.csv"));
    let mut child = start(command.arg("--out").arg(&out));
    wait_for_events(&out.join("trials/trial-001"));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!out.join("trials.json").exists());
}

#[test]
fn on_the_gpu_too() {
    stops_and_goes_on("gpu", 2);
}

/// A training whose steps take seconds, so that there is something to wait for.
fn slow_steps(out: &Path) -> Command {
    let mut command = program(&["train", "--device", "cpu", "--batch", "1437"]);
    command.args(["--hidden", "4000,4000"]);
    command.arg(data("digits.csv.gz")).arg("--out").arg(out);
    command
}

#[test]
fn a_second_signal_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut child = start(&mut slow_steps(&out));
    wait_for_events(&out);
    sleep(Duration::from_millis(300));
    signal(&child, "INT");
    sleep(Duration::from_millis(50));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_grace_that_is_too_short_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let child = slow_steps(&out)
        .args(["--grace", "0.01"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_events(&out);
    sleep(Duration::from_millis(300));
    signal(&child, "TERM");
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{said}");
    assert!(
        said.contains("missing: ") && said.contains("checkpoint"),
        "{said}"
    );
}

/// `rounds` trainings that write a checkpoint after every step, killed at some moment: there is
/// always one that can be read, once there was one.
fn survives_kills(rounds: u64) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut seen = 0;
    for round in 0..rounds {
        let mut command = program(&[]);
        command.arg("train").arg("--quiet");
        if out.exists() {
            command.arg("--resume").arg(&out);
        } else {
            command.arg(data("iris.csv")).arg("--out").arg(&out);
            command.args([
                "--device",
                "cpu",
                "--epochs",
                "1000000",
                "--checkpoint-every",
                "1",
            ]);
        }
        let mut child = start(&mut command);
        let checkpoints = out.join("checkpoints");
        let deadline = Instant::now() + Duration::from_secs(60);
        while Checkpoints::latest(&checkpoints).ok().flatten().is_none() {
            assert!(Instant::now() < deadline, "no checkpoint after a minute");
            sleep(Duration::from_millis(2));
        }
        sleep(Duration::from_micros(100 * (round * 37 % 211)));
        signal(&child, "KILL");
        child.wait().unwrap();
        let (_, latest) = Checkpoints::latest(&checkpoints).unwrap().unwrap();
        let step = latest.progress.unwrap().step;
        assert!(step >= seen, "round {round}: step {step} after {seen}");
        seen = step;
    }
    assert!(seen > 0);
}

#[test]
fn a_killed_run_has_a_checkpoint() {
    survives_kills(5);
}

mod slow {
    use super::*;

    #[test]
    #[ignore = "takes minutes: part of scripts/test --long"]
    fn a_hundred_signals() {
        stops_and_goes_on("cpu", 60);
        stops_and_goes_on("gpu", 40);
    }

    #[test]
    #[ignore = "takes minutes: part of scripts/test --long"]
    fn two_hundred_kills() {
        survives_kills(200);
    }
}
