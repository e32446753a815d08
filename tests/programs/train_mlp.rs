//! `03_train_mlp`: it learns the digits on every device, and says what keeps it from doing so.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::command::{example, fails_with, succeeds};

fn train() -> Command {
    example("03_train_mlp")
}

/// Training on the CPU into a folder that does not matter.
fn train_into(folder: &Path) -> Command {
    let mut train = train();
    train.args(["--device", "cpu", "--logdir"]).arg(folder);
    train
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The same range as that of the training tests of the suite, for one seed.
fn check_learns_on(device: &str) {
    let folder = folder();
    let said = succeeds(
        train()
            .args(["--device", device, "--logdir"])
            .arg(folder.path()),
    );
    let accuracy = said
        .lines()
        .find_map(|line| line.strip_prefix("test accuracy "));
    let accuracy: f32 = accuracy
        .unwrap_or_else(|| panic!("{said}"))
        .parse()
        .unwrap();
    assert!((0.96..1.0).contains(&accuracy), "{said}");
    let files = fs::read_dir(folder.path()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let events = names.filter(|name| name.starts_with("events.out.tfevents."));
    assert_eq!(events.count(), 1, "event files");
}

#[test]
fn digits_are_learned_on_whatever_there_is() {
    check_learns_on("auto");
}

#[test]
fn digits_are_learned_on_the_gpu() {
    check_learns_on("gpu");
}

#[test]
fn digits_are_learned_on_the_cpu() {
    check_learns_on("cpu");
}

#[test]
fn wrong_arguments_are_refused() {
    fails_with(train().args(["--device", "tpu"]), "invalid value 'tpu'");
    fails_with(train().arg("--no-such-option"), "unexpected argument");
}

#[test]
fn data_that_cannot_be_read_is_named() {
    fails_with(train().args(["--data", "no/such.csv"]), "no/such.csv");
    let folder = folder();
    let bad = folder.path().join("bad.csv");
    fs::write(&bad, "1,2,x\n").unwrap();
    fails_with(train().arg("--data").arg(&bad), "line 1, column 3");
}

#[test]
fn folder_that_cannot_be_made_is_named() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    fails_with(&mut train_into(&file.join("run")), file.to_str().unwrap());
}

#[test]
fn settings_that_train_nothing_are_refused() {
    let folder = folder();
    let train = || train_into(folder.path());
    fails_with(train().args(["--batch", "0"]), "batch must be at least 1");
    fails_with(train().args(["--learning-rate", "nan"]), "learning_rate");
}

/// Who names an adapter means it, whatever the device.
#[test]
fn adapter_that_is_not_there_is_named() {
    for device in ["gpu", "auto"] {
        let mut train = train();
        let train = train.env("WGPU_ADAPTER_NAME", "no such adapter");
        fails_with(
            train.args(["--device", device]),
            "the name \"no such adapter\"",
        );
    }
    let mut train = train();
    let train = train.env("WGPU_BACKEND", "no-such-backend");
    fails_with(
        train.args(["--device", "gpu"]),
        "WGPU_BACKEND=no-such-backend",
    );
}

#[cfg(target_os = "linux")]
#[test]
fn machine_without_a_driver_is_told_what_to_install() {
    let mut train = train();
    for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
        train.env(variable, "/dev/null");
    }
    fails_with(train.args(["--device", "gpu"]), "Install the Vulkan driver");
}

/// A full disk, played by a limit on the size of files (8 KiB): the training goes through, and the
/// loss of points is reported.
#[cfg(unix)]
#[test]
fn full_disk_costs_the_points_and_not_the_training() {
    let folder = folder();
    let train = train_into(folder.path());
    let mut limited = Command::new("bash");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "bash"]);
    limited.arg(train.get_program()).args(train.get_args());
    fails_with(&mut limited, "is incomplete");
    // Again, with what it says on standard output.
    let said = limited.output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("test accuracy 0.9"), "{said}");
}
