//! The examples as programs: what they print, what they refuse, and with which status they end.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::tensorboard::assert_reads;

/// The example `name`. Cargo builds the examples of a package before it runs all its tests.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // The test is target/PROFILE/deps/suite-HASH.
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples").join(name);
    let program = program.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.is_file(),
        "{} is not there: `cargo test -p tfevents` builds it, and so does `cargo build -p tfevents --examples` with the same profile",
        program.display()
    );
    program
}

/// What a program said, and how it ended.
#[derive(Debug)]
struct Ended {
    status: Option<i32>,
    output: String,
    errors: String,
}

fn run<A: AsRef<OsStr>>(name: &str, arguments: &[A]) -> Ended {
    let ended = Command::new(example(name))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ended {
        status: ended.status.code(),
        output: String::from_utf8(ended.stdout).unwrap(),
        errors: String::from_utf8(ended.stderr).unwrap(),
    }
}

fn inspect(path: &Path) -> Ended {
    run("events", &[OsStr::new("inspect"), path.as_os_str()])
}

fn export(path: &Path) -> Ended {
    let arguments = [OsStr::new("export"), path.as_os_str(), OsStr::new("--csv")];
    run("events", &arguments)
}

impl Ended {
    /// What it has printed, of a program that succeeded.
    fn output(self) -> String {
        assert_eq!(self.status, Some(0), "{self:?}");
        self.output
    }

    /// It must end with this status, and say so.
    fn fails(&self, status: i32, message: &str) {
        assert_eq!(self.status, Some(status), "{self:?}");
        let said = self.output.contains(message) || self.errors.contains(message);
        assert!(said, "no `{message}` in {self:?}");
    }
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// A directory with one event file, `tfevents`.
fn run_with(bytes: &[u8]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("tfevents"), bytes).unwrap();
    directory
}

fn golden_scalars() -> Vec<u8> {
    fs::read(golden().join("scalars.tfevents")).unwrap()
}

/// With the 21st byte, which is in the first record, another one.
fn damaged_scalars() -> TempDir {
    let mut bytes = golden_scalars();
    assert_ne!(bytes[20], b'x');
    bytes[20] = b'x';
    run_with(&bytes)
}

/// There is a line that begins with `start` and has the other parts behind it, in this order.
fn has_line(text: &str, start: &str, parts: &[&str]) -> bool {
    text.lines().any(|line| {
        let rest = line.strip_prefix(start);
        let end = parts.iter().try_fold(rest, |rest, part| {
            let (_, behind) = rest?.split_once(part)?;
            Some(Some(behind))
        });
        end.flatten().is_some()
    })
}

#[test]
fn metrics_are_written_and_inspected() {
    let directory = tempfile::tempdir().unwrap();
    let metrics = directory.path().join("metrics");
    assert!(run("metrics", &[&metrics]).output().contains("written: "));
    let said = inspect(&metrics).output();
    let parts = [" histogram ", " 10 points,", " steps 0 to 90"];
    assert!(has_line(&said, "  weights ", &parts), "{said}");
}

#[test]
fn facades_are_written_and_inspected() {
    let directory = tempfile::tempdir().unwrap();
    let facades = directory.path().join("facades");
    let said = run("facades", &[&facades]).output();
    assert!(said.contains("\n60 events\n"), "{said}");
    let said = inspect(&facades).output();
    let tags = ["examples", "learning_rate", "train/accuracy", "train/loss"];
    for tag in tags {
        let parts = [" scalar ", " 30 points,", " steps 0 to 29"];
        assert!(has_line(&said, &format!("  {tag} "), &parts), "{said}");
    }
    let parts = [" histogram ", " 30 points,"];
    assert!(has_line(&said, "  gradient/norm ", &parts), "{said}");
}

#[test]
fn metrics_fail_with_the_path_where_no_directory_can_be() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("read.csv");
    fs::write(&file, "").unwrap();
    run("metrics", &[&file]).fails(1, file.to_str().unwrap());
}

#[test]
fn files_of_pytorch_are_inspected_and_exported() {
    let said = inspect(&golden()).output();
    let parts = [" histogram ", " 1 point,  steps 1 to 1"];
    assert!(has_line(&said, "  spread ", &parts), "{said}");
    let rows = export(&golden()).output();
    let row = ".,double,-2,1700000000.25,0.1";
    assert!(rows.lines().any(|line| line == row), "{rows}");
}

#[test]
fn torn_tail_is_said_and_is_no_damage() {
    let directory = run_with(&golden_scalars()[..300]);
    let said = inspect(directory.path()).output();
    let tail = "torn tail: tfevents, byte 272: 28 bytes";
    assert!(said.contains(tail), "{said}");
}

#[test]
fn damage_is_said_and_shows_in_the_status() {
    let directory = damaged_scalars();
    inspect(directory.path()).fails(3, "DAMAGE: tfevents, byte 0");
    export(directory.path()).fails(3, "damage: ");
}

#[test]
fn directories_without_an_event_file_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    inspect(directory.path()).fails(1, "no event file");
    let nothing = directory.path().join("nothing");
    inspect(&nothing).fails(1, "No such file");
    inspect(&nothing).fails(1, nothing.to_str().unwrap());
}

#[test]
fn arguments_that_are_none_are_refused() {
    let directory = golden();
    let directory = directory.to_str().unwrap();
    run("events", &["look", directory]).fails(2, "unrecognized subcommand 'look'");
    run("events", &["inspect"]).fails(2, "required arguments were not provided");
    run("events", &["export", directory]).fails(2, "--csv");
    run("events", &["inspect", directory, "--no-such-option"]).fails(2, "unexpected argument");
}

/// As behind a pipe into `head`.
#[test]
fn reader_that_has_seen_enough_is_no_error() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let ended = Command::new(example("events"))
        .arg("export")
        .arg(golden())
        .arg("--csv")
        .stdout(writer)
        .status()
        .unwrap();
    assert!(ended.success(), "{ended}");
}

/// The same points as TensorBoard itself reads.
#[test]
fn exported_points_are_those_that_tensorboard_reads() {
    let directory = run_with(&golden_scalars());
    let rows = export(directory.path()).output();
    // TensorBoard's table has no name of a run.
    let table = directory.path().join("read.csv");
    let mut file = fs::File::create(&table).unwrap();
    for line in rows.lines() {
        let (_, rest) = line.split_once(',').unwrap();
        writeln!(file, "{rest}").unwrap();
    }
    assert_reads(directory.path(), &table, 6);

    let exported = directory.path().join("exported.csv");
    let arguments = [
        OsStr::new("export"),
        directory.path().as_os_str(),
        OsStr::new("--csv"),
        exported.as_os_str(),
    ];
    assert_eq!(run("events", &arguments).output(), "");
    assert_eq!(fs::read_to_string(exported).unwrap(), rows);
}
