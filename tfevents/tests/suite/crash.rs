//! What is left of an event file when its process is killed or the disk is full. The writer runs in
//! a process of its own: this binary once more, with the test `child` alone.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tfevents::{WriteError, Writer};

use crate::decoder::{Event, decode, decode_torn};
use crate::support::event_files;

const TASK: &str = "TFEVENTS_CRASH_TASK";
const DIRECTORY: &str = "TFEVENTS_CRASH_DIRECTORY";

// ---- The process that writes
// ----------------------------------------------------------------------------------------

#[test]
#[ignore = "the tests of this module start it as a process of its own"]
fn child() {
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    match &std::env::var(TASK).unwrap()[..] {
        "flush" => flush_for_ever(&directory),
        "write" => write_for_ever(&directory),
        "limit" => meet_a_limit(&directory),
        "restore" => restore_within_a_limit(&directory),
        "tmpfs" => meet_a_full_tmpfs(&directory),
        other => panic!("unknown task {other}"),
    }
}

/// The parent reads what is said here.
fn say(line: &str) {
    println!("\n> {line}");
    std::io::stdout().flush().unwrap();
}

fn add(events: &Writer, step: i64) {
    events.scalar("train/loss", step, step as f32);
}

fn flush_for_ever(directory: &Path) {
    let events = Writer::create(directory).unwrap();
    for step in 1.. {
        for i in 0..50 {
            add(&events, 50 * step - 50 + i);
        }
        events.flush().unwrap();
        say(&(50 * step).to_string());
    }
}

fn write_for_ever(directory: &Path) {
    let period = Duration::from_micros(200);
    let events = Writer::builder()
        .flush_every(period)
        .create(directory)
        .unwrap();
    say("open");
    for step in 0.. {
        add(&events, step);
        if step % 16 == 0 {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

/// The size of files is limited. Whoever limited it hears when the limit is met, and lifts it.
fn meet_a_limit(directory: &Path) {
    let (events, errors) = counting(directory);
    (0..10_000).for_each(|step| add(&events, step));
    assert!(matches!(events.flush(), Err(WriteError::Sink { .. })));
    (10_000..11_000).for_each(|step| add(&events, step));
    assert!(matches!(events.flush(), Err(WriteError::Sink { .. })));
    say("full");
    std::io::stdin().lines().next().unwrap().unwrap();
    events.flush().unwrap();
    (11_000..12_000).for_each(|step| add(&events, step));
    events.close().unwrap();
    say(&format!("{} errors", errors.load(Ordering::Relaxed)));
}

/// Whoever looks on limits the size of files before the file is to be made again, and lifts the
/// limit when it hears that this failed.
fn restore_within_a_limit(directory: &Path) {
    let events = Writer::create(directory).unwrap();
    let file = events.path().unwrap();
    (0..10_000).for_each(|step| add(&events, step));
    events.flush().unwrap();
    std::fs::remove_file(file).unwrap();
    say("removed");
    std::io::stdin().lines().next().unwrap().unwrap();
    let error = events.restore().unwrap_err();
    assert!(matches!(error, WriteError::Restore { .. }), "{error}");
    assert!(!file.exists(), "half a copy");
    say("refused");
    std::io::stdin().lines().next().unwrap().unwrap();
    add(&events, 10_000);
    events.restore().unwrap();
    events.close().unwrap();
    say("restored");
}

/// The directory is a file system of 256 KiB, which `filler` takes most of.
fn meet_a_full_tmpfs(directory: &Path) {
    let filler = directory.join("filler");
    std::fs::write(&filler, vec![0; 128 << 10]).unwrap();
    let (events, errors) = counting(&directory.join("run"));
    (0..3000).for_each(|step| add(&events, step));
    let error = std::io::Error::from(events.flush().unwrap_err());
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    std::fs::remove_file(filler).unwrap();
    events.flush().unwrap();
    (3000..3500).for_each(|step| add(&events, step));
    events.sync().unwrap();
    events.close().unwrap();
    let [file] = &event_files(&directory.join("run"))[..] else {
        panic!("not exactly one file");
    };
    assert_steps(&decode(&std::fs::read(file).unwrap()), 0..3500);
    say(&format!("{} errors", errors.load(Ordering::Relaxed)));
}

fn counting(directory: &Path) -> (Writer, Arc<AtomicUsize>) {
    let errors = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&errors);
    let events = Writer::builder()
        .flush_every(Duration::from_millis(10))
        .on_error(move |_| {
            told.fetch_add(1, Ordering::Relaxed);
        })
        .create(directory)
        .unwrap();
    (events, errors)
}

// ---- The process that looks on
// --------------------------------------------------------------------------------------

struct Process {
    child: Child,
    input: ChildStdin,
    output: std::io::Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// The size of files, in bytes, soft and hard as prlimit(1) has it.
    fn limit_files(&self, limit: &str) {
        let pid = self.child.id().to_string();
        let limit = format!("--fsize={limit}");
        let status = Command::new("prlimit")
            .args(["--pid", &pid, &limit])
            .status();
        assert!(status.unwrap().success());
    }

    fn start(task: &str, directory: &Path) -> Self {
        Self::start_by(&[], task, directory)
    }

    /// `prefix` is a command that starts another one.
    fn start_by(prefix: &[&str], task: &str, directory: &Path) -> Self {
        let binary = std::env::current_exe().unwrap();
        let mut words: Vec<_> = prefix.iter().map(std::ffi::OsString::from).collect();
        words.push(binary.into());
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .args(["--exact", "crash::child", "--ignored", "--nocapture"])
            .env(TASK, task)
            .env(DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
        }
    }

    /// What the child says next; the test harness prints lines of its own.
    fn hear(&mut self) -> String {
        for line in &mut self.output {
            if let Some(said) = line.unwrap().strip_prefix("> ") {
                return said.to_owned();
            }
        }
        panic!("the child ended without a word: {:?}", self.child.wait());
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn wait(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

/// A file of scalars, each with its step as its value, after the version.
fn assert_steps(events: &[Event], steps: std::ops::Range<i64>) {
    assert!(events[0].file_version.is_some());
    for (event, step) in events[1..].iter().zip(steps.clone()) {
        assert_eq!((&event.tag[..], event.step), ("train/loss", step));
        assert_eq!(event.value_bits, Some((step as f32).to_bits()));
    }
    assert_eq!(events.len() - 1, steps.count());
}

#[test]
fn nothing_flushed_is_missing_after_sigkill() {
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..500 {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Process::start("flush", directory.path());
        let mut flushed = 0;
        for _ in 0..random.u32(1..=4) {
            flushed = child.hear().parse().unwrap();
        }
        child.kill();
        let [file] = &event_files(directory.path())[..] else {
            panic!("not exactly one file");
        };
        let (events, _) = decode_torn(&std::fs::read(file).unwrap());
        let steps = events.len() as i64 - 1;
        assert!(steps >= flushed, "{steps} of {flushed}");
        assert_steps(&events, 0..steps);
    }
}

#[test]
fn killed_run_has_one_torn_record_at_most_and_its_sequel_shows_every_step() {
    const LONGEST_RECORD: usize = 64;
    const SEQUEL: i64 = 10;
    let mut random = fastrand::Rng::with_seed(2);
    let (mut torn, mut steps_in_all) = (0, 0);
    for round in 0..200 {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Process::start("write", directory.path());
        assert_eq!(child.hear(), "open");
        std::thread::sleep(Duration::from_micros(random.u64(0..20_000)));
        child.kill();
        let [first] = &event_files(directory.path())[..] else {
            panic!("not exactly one file");
        };
        let before = std::fs::read(first).unwrap();
        let (events, tail) = decode_torn(&before);
        assert!(tail < LONGEST_RECORD, "{tail} bytes");
        torn += usize::from(tail > 0);
        // Killed so early that nothing was written, not even the version.
        let steps = events.len().saturating_sub(1) as i64;
        steps_in_all += steps;
        if steps > 0 {
            assert_steps(&events, 0..steps);
        }

        let sequel = Writer::builder()
            .resume_at(steps)
            .create(directory.path())
            .unwrap();
        (steps..steps + SEQUEL).for_each(|step| add(&sequel, step));
        sequel.close().unwrap();
        let [same, second] = &event_files(directory.path())[..] else {
            panic!("not exactly two files");
        };
        assert_eq!(same, first);
        assert_eq!(
            std::fs::read(first).unwrap(),
            before,
            "the older file was touched"
        );
        let mut events = decode(&std::fs::read(second).unwrap());
        let start = events.remove(1);
        assert_eq!((start.session_status, start.step), (Some(1), steps));
        assert_steps(&events, steps..steps + SEQUEL);
        if round % 50 == 0 {
            crate::tensorboard::assert_shows_steps(directory.path(), steps + SEQUEL);
        }
    }
    println!("{torn} of 200 had a torn record; {steps_in_all} steps were written");
    assert!(steps_in_all > 1000, "{steps_in_all}");
}

#[test]
fn limit_on_the_size_of_files_is_reported_once_and_forgotten_when_lifted() {
    let directory = tempfile::tempdir().unwrap();
    // The soft limit, in KiB, of which no record ends at the end. Without the trap the signal would
    // kill.
    let limit = [
        "bash",
        "-c",
        "trap '' XFSZ; ulimit -S -f 100; exec \"$@\"",
        "bash",
    ];
    let mut child = Process::start_by(&limit, "limit", directory.path());
    assert_eq!(child.hear(), "full");
    let [file] = &event_files(directory.path())[..] else {
        panic!("not exactly one file");
    };
    assert_eq!(std::fs::metadata(file).unwrap().len(), 100 << 10);
    child.limit_files("unlimited");
    child.input.write_all(b"go on\n").unwrap();
    assert_eq!(child.hear(), "1 errors");
    child.wait();
    assert_steps(&decode(&std::fs::read(file).unwrap()), 0..12_000);
}

#[test]
fn copy_that_fails_leaves_no_half_and_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let trap = ["bash", "-c", "trap '' XFSZ; exec \"$@\"", "bash"];
    let mut child = Process::start_by(&trap, "restore", directory.path());
    for (said, limit) in [("removed", "100000:"), ("refused", "unlimited")] {
        assert_eq!(child.hear(), said);
        child.limit_files(limit);
        child.input.write_all(b"go on\n").unwrap();
    }
    assert_eq!(child.hear(), "restored");
    child.wait();
    let [file] = &event_files(directory.path())[..] else {
        panic!("not exactly one file");
    };
    assert_steps(&decode(&std::fs::read(file).unwrap()), 0..10_001);
}

#[test]
#[ignore = "mounts a file system, for which it needs a mount namespace; scripts/test runs it"]
fn full_tmpfs_is_reported_once_and_forgotten_when_there_is_space() {
    let directory = tempfile::tempdir().unwrap();
    let mount = [
        "unshare",
        "--map-root-user",
        "--mount",
        "bash",
        "-c",
        "mount -t tmpfs -o size=256k none \"$TFEVENTS_CRASH_DIRECTORY\" && exec \"$@\"",
        "bash",
    ];
    let mut child = Process::start_by(&mount, "tmpfs", directory.path());
    assert_eq!(child.hear(), "1 errors");
    child.wait();
}
