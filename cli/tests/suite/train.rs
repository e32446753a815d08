//! `train`, and what can be done with what it leaves.

use std::fs;
use std::path::Path;
use std::process::Command;

use wgpu_linear::train::checkpoint::Checkpoint;

use crate::command::{data, fails_with, gives_json, program, succeeds};

/// A training of iris that takes a second, on the CPU.
fn train(out: &Path) -> Command {
    let mut command = program(&[]);
    command
        .arg("train")
        .arg(data("iris.csv"))
        .args(["--device", "cpu", "--epochs", "40"]);
    command.arg("--out").arg(out);
    command
}

fn json_of_run(command: &mut Command) -> serde_json::Value {
    gives_json(command.args(["--json", "--quiet"]))
}

fn parameters(run: &Path) -> Vec<wgpu_linear::model::LayerParameters> {
    Checkpoint::load(run.join("model.safetensors"))
        .unwrap()
        .parameters
}

#[test]
fn a_table_becomes_a_network_with_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = program(&["train", "--device", "cpu", "--out"]);
    let said = json_of_run(command.arg(&out).arg(data("iris.csv")));
    let accuracy = said["test"]["metrics"]["accuracy"].as_f64().unwrap();
    assert!((0.8..=1.0).contains(&accuracy), "{said}");
    assert_eq!(said["test"]["rows"], 30);
    for name in [
        "config.toml",
        "model.safetensors",
        "predictions.csv",
        "report.html",
        "report.json",
    ] {
        assert!(out.join(name).metadata().unwrap().len() > 100, "{name}");
    }
    let predictions = fs::read_to_string(out.join("predictions.csv")).unwrap();
    assert_eq!(predictions.lines().count(), 31);
    let report = fs::read_to_string(out.join("report.html")).unwrap();
    for part in ["iris.csv", "versicolor", "petal_length"] {
        assert!(report.contains(part), "{part}");
    }
}

/// The twin rounds as the kernels do, so it learns a little else.
#[test]
fn a_network_is_trained_in_mixed_precision() {
    let folder = tempfile::tempdir().unwrap();
    let [full, mixed] = ["full", "mixed"].map(|name| folder.path().join(name));
    succeeds(&mut train(&full));
    let said = json_of_run(train(&mixed).args(["--precision", "mixed"]));
    let accuracy = said["test"]["metrics"]["accuracy"].as_f64().unwrap();
    assert!((0.8..=1.0).contains(&accuracy), "{said}");
    assert_ne!(parameters(&full), parameters(&mixed));
    let settings = fs::read_to_string(mixed.join("config.toml")).unwrap();
    assert!(settings.contains("precision = \"mixed\""), "{settings}");
}

#[test]
fn the_settings_of_a_run_repeat_it_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second, other] = ["1", "2", "3"].map(|name| folder.path().join(name));
    let options = [
        "--hidden",
        "24,12",
        "--activation",
        "gelu",
        "--schedule",
        "cosine:0.1",
    ];
    succeeds(train(&first).args(options));
    let repeat = |out: &Path| {
        let mut command = program(&[]);
        command
            .arg("train")
            .arg("--config")
            .arg(first.join("config.toml"));
        command.arg("--out").arg(out);
        command
    };
    succeeds(&mut repeat(&second));
    succeeds(repeat(&other).args(["--seed", "1"]));
    assert_eq!(parameters(&first), parameters(&second));
    assert_ne!(parameters(&first), parameters(&other));
    let shapes: Vec<_> = parameters(&first)
        .iter()
        .map(|layer| layer.w.dim())
        .collect();
    assert_eq!(shapes, [(4, 24), (24, 12), (12, 3)]);
}

#[test]
fn a_model_takes_raw_tables() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    succeeds(&mut train(&out));
    let evaluated = json_of_run(
        program(&[])
            .arg("evaluate")
            .arg("--model")
            .arg(&out)
            .arg(data("iris.csv")),
    );
    let accuracy = evaluated["metrics"]["accuracy"].as_f64().unwrap();
    assert_eq!(evaluated["rows"], 150);
    assert!((0.93..=1.0).contains(&accuracy), "{evaluated}");

    // The same rows, columns in another order, without the species.
    let table = fs::read_to_string(data("iris.csv")).unwrap();
    let mut shuffled = String::new();
    for line in table.lines() {
        let fields: Vec<_> = line.split(',').collect();
        shuffled += &format!("{},{},{},{}\n", fields[3], fields[0], fields[2], fields[1]);
    }
    let path = folder.path().join("flowers.csv");
    fs::write(&path, shuffled).unwrap();
    let predict = |table: &Path| {
        succeeds(
            program(&[])
                .arg("predict")
                .arg("--model")
                .arg(&out)
                .arg(table),
        )
    };
    let predicted = predict(&path);
    assert_eq!(predicted, predict(&data("iris.csv")));
    let names = predicted
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(1).unwrap());
    let wanted = table
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().unwrap());
    let hits = names
        .zip(wanted)
        .filter(|(name, wanted)| name == wanted)
        .count();
    assert!((hits as f64 / 150.0 - accuracy).abs() < 1e-6, "{hits}");
}

#[test]
fn values_are_predicted_in_the_units_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = program(&[]);
    command
        .arg("train")
        .arg(data("diabetes.csv"))
        .arg("--out")
        .arg(&out);
    command.args([
        "--device",
        "cpu",
        "--early-stopping",
        "10",
        "--validation-fraction",
        "0.2",
    ]);
    let said = json_of_run(&mut command);
    let r2 = said["test"]["metrics"]["r2"].as_f64().unwrap();
    assert!((0.2..1.0).contains(&r2), "{said}");
    // Of targets from 25 to 346.
    let error = said["test"]["metrics"]["mean_absolute_error"]
        .as_f64()
        .unwrap();
    assert!((20.0..70.0).contains(&error), "{said}");
    assert!(said["best_epoch"].as_u64().unwrap() > 0);
}

#[test]
fn a_search_tries_and_takes_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let said = json_of_run(train(&out).args(["--trials", "3"]));
    let trials = said["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 3);
    let loss = |trial: &serde_json::Value| trial["loss"].as_f64().unwrap();
    let best = trials
        .iter()
        .min_by(|a, b| loss(a).total_cmp(&loss(b)))
        .unwrap();
    let config = fs::read_to_string(out.join("config.toml")).unwrap();
    assert!(
        config.contains(&format!("{}", best["width"])),
        "{config}\n{best}"
    );
    assert_eq!(fs::read_dir(out.join("trials")).unwrap().count(), 3);
}

#[test]
fn what_is_wrong_is_said_in_a_line_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let used = folder.path().join("used");
    fs::create_dir(&used).unwrap();
    fs::write(used.join("thesis.txt"), "mine").unwrap();
    let out = folder.path().join("run");
    for (options, said) in [
        (&["--schedule", "zigzag"][..], "--schedule"),
        (&["--activation", "rectifier"], "relu"),
        (&["--loss", "mean_squared_error"], "softmax_cross_entropy"),
        (&["--hidden", "64,-1"], "--hidden"),
        (&["--class-weights", "1,2"], "setosa"),
        (&["--test-fraction", "1.5"], "--test-fraction"),
        (&["--target", "colour"], "species"),
        (
            &["--trials", "2", "--validation-fraction", "0"],
            "--validation-fraction",
        ),
        (&["--batch", "0"], "batch"),
        (&["--learning-rate=-1"], "--learning-rate"),
        (&["--dropout", "1"], "dropout"),
        (&["--grace=-1"], "--grace"),
    ] {
        fails_with(train(&out).args(options), 2, said);
        assert!(!out.exists(), "{options:?}");
    }
    fails_with(&mut train(&used), 2, "--resume");
    assert_eq!(fs::read_dir(&used).unwrap().count(), 1);
    fails_with(
        program(&["train", "--resume"]).arg(&used),
        2,
        "no checkpoint",
    );
    let predict = |model: &Path| {
        let mut command = program(&["predict", "--model"]);
        command.arg(model).arg(data("iris.csv"));
        command
    };
    fails_with(&mut predict(&used), 2, "model.safetensors");
    fails_with(&mut predict(&data("iris.csv")), 2, "iris.csv");
    fails_with(&mut program(&["train"]), 2, "which data");
}
