//! Help, completions and manual pages; and that the examples in them run.

use std::fs;
use std::path::Path;
use std::process::Command;

use clap::CommandFactory;
use wgpu_linear_cli::commands::Cli;

use crate::command::{end, fails_with, program, succeeds, told};
use crate::events::write_runs;

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

/// A command and those below it.
fn all(command: &clap::Command, path: &str) -> Vec<(String, clap::Command)> {
    let below = command.get_subcommands().flat_map(|below| {
        let path = format!("{path} {}", below.get_name());
        all(below, path.trim())
    });
    std::iter::once((path.to_owned(), command.clone()))
        .chain(below)
        .collect()
}

#[test]
fn every_command_has_help_that_fits_a_terminal_and_shows_examples() {
    for (path, command) in all(&Cli::command(), "") {
        let mut help = program(&path.split_whitespace().collect::<Vec<_>>());
        let text = succeeds(help.arg("--help").env("COLUMNS", "80"));
        let too_long = text.lines().find(|line| line.chars().count() > 80);
        assert_eq!(too_long, None, "{path}");
        if !path.is_empty() {
            assert!(!examples(&command).is_empty(), "{path} has no examples");
            assert!(text.contains("Examples:"), "{path}");
        }
    }
}

/// The lines behind `Examples:` that call the program.
fn examples(command: &clap::Command) -> Vec<String> {
    let text = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| line.starts_with("  wgpu-linear "));
    lines.map(|line| line.trim().to_owned()).collect()
}

/// What the examples of help work on.
fn with_their_files(folder: &Path) {
    write_runs(folder);
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data");
    fs::create_dir(folder.join("data")).unwrap();
    for entry in fs::read_dir(data).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.join("data").join(entry.file_name())).unwrap();
    }
}

/// Runs the examples of these commands as a shell does, in a folder with what they work on.
fn check_examples(takes: impl Fn(&str) -> bool) {
    let folder = tempfile::tempdir().unwrap();
    with_their_files(folder.path());
    let program = Path::new(env!("CARGO_BIN_EXE_wgpu-linear"));
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&folders);
    let own = program.parent().unwrap().to_owned();
    let path = std::env::join_paths(std::iter::once(own).chain(folders)).unwrap();
    let mut count = 0;
    for (name, command) in all(&Cli::command(), "") {
        for example in examples(&command).into_iter().filter(|_| takes(&name)) {
            let mut shell = Command::new("sh");
            shell
                .args(["-c", &example])
                .current_dir(folder.path())
                .env("PATH", &path);
            let output = end(&mut shell);
            assert!(output.status.success(), "{}", told(&shell, &output));
            count += 1;
        }
    }
    assert!(count > 0);
}

/// Those that take long.
const LONG: [&str; 2] = ["doctor", "bench"];

#[cfg(unix)]
#[test]
fn examples_of_help_run() {
    check_examples(|command| !LONG.contains(&command));
}

#[cfg(unix)]
mod slow {
    use super::{LONG, check_examples};

    #[test]
    fn long_examples_of_help_run() {
        check_examples(|command| LONG.contains(&command));
    }
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = succeeds(&mut program(&["completions", shell]));
        assert!(
            script.contains("doctor") && script.contains("completions"),
            "{shell}"
        );
    }
    fails_with(
        &mut program(&["completions", "dos"]),
        2,
        "invalid value 'dos'",
    );
}

#[test]
fn manual_pages_are_written() {
    let page = succeeds(&mut program(&["man"]));
    assert!(page.contains(".TH wgpu-linear 1"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("pages");
    assert_eq!(succeeds(program(&["man"]).arg(&pages)), "");
    for name in [
        "wgpu-linear.1",
        "wgpu-linear-doctor.1",
        "wgpu-linear-events-export.1",
    ] {
        assert!(pages.join(name).is_file(), "{name}");
    }
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    fails_with(
        program(&["man"]).arg(&file),
        1,
        "manual pages cannot be written",
    );
}

#[test]
fn no_command_and_unknown_ones_are_refused() {
    let output = end(&mut program(&[]));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    fails_with(
        &mut program(&["no-such-command"]),
        2,
        "unrecognized subcommand",
    );
}

/// On `| head -1`.
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    for arguments in [
        &["completions", "bash"][..],
        &["man"],
        &["--help"],
        &["doctor", "--fast"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = program(arguments);
        let output = command.stdout(writer).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}

/// Nobody looks at the standard error, so nothing but results is said.
#[test]
fn results_are_all_that_is_said() {
    for arguments in [&["doctor", "--fast"][..], &["completions", "fish"]] {
        let mut command = program(arguments);
        let output = end(&mut command);
        assert!(output.stderr.is_empty(), "{}", told(&command, &output));
    }
}
