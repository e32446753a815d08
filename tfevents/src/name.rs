//! Where a new event file goes: `events.out.tfevents.<seconds, ten
//! digits>.<host>.<process>.<counter><suffix>`.
//!
//! TensorBoard reads the files of a run in the order of their names, and once it has come to a file
//! it never looks for new ones that sort before it. So a new name has to sort after all the others,
//! whatever the clock says.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, process};

use super::error::CreateError;
use super::time::{SystemTime, UNIX_EPOCH};

const PREFIX: &str = "events.out.tfevents.";
/// TensorBoard takes every file with this in its name for an event file.
pub(super) const MARK: &str = "tfevents";
const SECONDS_DIGITS: usize = 10;
/// Each lost race costs one attempt, so this many others would have to be creating files here at
/// the same time.
const MAX_ATTEMPTS: usize = 1000;
const MAX_HOST_BYTES: usize = 64;

/// Creates an empty event file in `directory` whose name sorts after those of all event files
/// there.
pub(super) fn create_last_file(
    directory: &Path,
    suffix: &str,
) -> Result<(File, PathBuf), CreateError> {
    if suffix != safe_in_file_name(suffix) {
        let suffix = suffix.to_owned();
        return Err(CreateError::Suffix { suffix });
    }
    for _ in 0..MAX_ATTEMPTS {
        let name = next_name(directory, suffix)?;
        let path = directory.join(&name);
        let file = match create_new(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(at(&path, error)),
        };
        // Another process may have listed the directory when we did and then picked a greater name.
        // Of any such group the one with the greatest name stays, the others try again: each file
        // that stays was the last one at some moment after it had been created.
        if last_name(&event_files(directory)?) == Some(name.as_str()) {
            return Ok((file, path));
        }
        drop(file);
        fs::remove_file(&path).map_err(|error| at(&path, error))?;
    }
    Err(CreateError::NamesTaken {
        directory: directory.to_owned(),
        attempts: MAX_ATTEMPTS,
    })
}

/// Creates the file at `path`, to be appended to. Reading is for whoever has to copy it when it has
/// lost its name.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create_new(true).open(path)
}

/// The error with its path, without which "File exists" says little.
pub(super) fn at(path: &Path, source: io::Error) -> CreateError {
    let path = path.to_owned();
    CreateError::File { path, source }
}

fn next_name(directory: &Path, suffix: &str) -> Result<String, CreateError> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let others = event_files(directory)?;
    let name = format!(
        "{PREFIX}{:0SECONDS_DIGITS$}.{}.{}.{}{suffix}",
        seconds_after(&others, seconds_now()),
        hostname(),
        process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed),
    );
    match last_name(&others) {
        Some(last) if last >= name.as_str() => Err(CreateError::NoNameAfter {
            directory: directory.to_owned(),
            last: last.to_owned(),
        }),
        _ => Ok(name),
    }
}

fn event_files(directory: &Path) -> Result<Vec<String>, CreateError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| at(directory, error))? {
        let entry = entry.map_err(|error| at(directory, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.contains(MARK) {
            names.push(name);
        }
    }
    Ok(names)
}

fn last_name(names: &[String]) -> Option<&str> {
    names.iter().map(String::as_str).max()
}

/// `now`, or the first second behind all of `names` when one of them is not older.
fn seconds_after(names: &[String], now: u64) -> u64 {
    names
        .iter()
        .filter_map(|name| seconds_of(name))
        .map(|seconds| seconds + 1)
        .fold(now, u64::max)
}

fn seconds_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?.get(..SECONDS_DIGITS)?;
    digits.parse().ok()
}

fn seconds_now() -> u64 {
    // A clock before 1970 counts as 1970; sorting does not rest on it.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// The name of this machine, for people who look at the file; the format asks nothing of it.
fn hostname() -> String {
    let from_file = |path: &str| fs::read_to_string(path).ok();
    [
        env::var("HOSTNAME").ok(),
        env::var("COMPUTERNAME").ok(),
        from_file("/proc/sys/kernel/hostname"),
        from_file("/etc/hostname"),
    ]
    .into_iter()
    .flatten()
    .map(|host| {
        safe_in_file_name(host.trim())
            .chars()
            .take(MAX_HOST_BYTES)
            .collect::<String>()
    })
    .find(|host| !host.is_empty())
    .unwrap_or_else(|| String::from("localhost"))
}

pub(super) fn safe_in_file_name(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '_' | '-' => c,
            _ => '_',
        })
        .collect()
}
