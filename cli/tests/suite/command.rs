//! Runs the program to its end and asserts how it ended.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The program with these arguments, which finds nothing of its user's.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgpu-linear"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A file of the folder `data/` of the repository.
pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../data")
        .join(name)
}

/// The same on a machine without any adapter.
pub(crate) fn without_adapter(arguments: &[&str]) -> Command {
    let mut command = program(arguments);
    for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
        command.env(variable, "/nonexistent");
    }
    command
}

pub(crate) fn end(command: &mut Command) -> Output {
    let output = command.output();
    output.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

pub(crate) fn told(command: &Command, output: &Output) -> String {
    let [said, complained] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{command:?}: {}\n{said}\n{complained}", output.status)
}

/// What the program prints. It must succeed, and say nothing else.
#[track_caller]
pub(crate) fn succeeds(command: &mut Command) -> String {
    let output = end(command);
    assert!(output.status.success(), "{}", told(command, &output));
    String::from_utf8(output.stdout).unwrap()
}

/// The one JSON object that it prints.
#[track_caller]
pub(crate) fn gives_json(command: &mut Command) -> Value {
    json_of(&succeeds(command))
}

#[track_caller]
pub(crate) fn json_of(text: &str) -> Value {
    assert_eq!(text.lines().count(), 1, "{text}");
    let value: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert!(value.is_object(), "{text}");
    value
}

/// The program must end with this exit code and say so in one line of standard error; what it has
/// printed.
#[track_caller]
pub(crate) fn fails_with(command: &mut Command, code: i32, message: &str) -> String {
    let output = end(command);
    let told = told(command, &output);
    assert_eq!(output.status.code(), Some(code), "{told}");
    let complaints = String::from_utf8_lossy(&output.stderr);
    let found = complaints
        .lines()
        .any(|line| line.starts_with("error: ") && line.contains(message));
    assert!(found, "no line `error: … {message}`:\n{told}");
    String::from_utf8(output.stdout).unwrap()
}
