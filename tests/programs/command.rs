//! Runs a program to its end and asserts how it ended.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const PYTHON: &str = "WGPU_LINEAR_TENSORBOARD_PYTHON";

/// The example `name`, to be run. Cargo builds the examples of a package before all its tests run.
pub(crate) fn example(name: &str) -> Command {
    Command::new(path_of(name))
}

/// Where the example `name` is: in `target/PROFILE/examples`, beside this test's `deps`.
pub(crate) fn path_of(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples").join(name);
    let program = program.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.is_file(),
        "{} is not there: `cargo test` builds it, and so does `cargo build --examples`",
        program.display()
    );
    program
}

/// A script of this project, to be run by the Python that has its packages.
pub(crate) fn script(name: &str) -> Command {
    let python = std::env::var_os(PYTHON).unwrap_or_else(|| {
        panic!(
            "{PYTHON} is not set. It names a Python interpreter with the packages `numpy` and \
             `safetensors`; `scripts/test` sets it up."
        )
    });
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut command = Command::new(python);
    command.arg(folder.join(name));
    command
}

/// What the program prints. It must succeed.
#[track_caller]
pub(crate) fn succeeds(command: &mut Command) -> String {
    let output = end(command);
    assert!(output.status.success(), "{}", told(command, &output));
    String::from_utf8(output.stdout).unwrap()
}

/// The program must refuse, and say so on standard error. 2 is the status of a command line that is
/// none, 1 that of all other refusals; a panic (101) or a signal is neither.
#[track_caller]
pub(crate) fn fails_with(command: &mut Command, message: &str) {
    let output = end(command);
    let refused = matches!(output.status.code(), Some(1 | 2));
    assert!(refused, "{}", told(command, &output));
    let said = String::from_utf8_lossy(&output.stderr).contains(message);
    assert!(said, "no `{message}`:\n{}", told(command, &output));
}

#[track_caller]
fn end(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output();
    output.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn told(command: &Command, output: &Output) -> String {
    let [said, complained] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{command:?}: {}\n{said}{complained}", output.status)
}
