//! Event files and their names.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Barrier;
use std::time::{SystemTime, UNIX_EPOCH};

use tfevents::{CreateError, Writer};

use crate::decoder::decode;

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Their names, in order.
fn event_files(directory: &Path) -> Vec<String> {
    let files = crate::support::event_files(directory);
    files.iter().map(|path| file_name(path)).collect()
}

fn create_name(directory: &Path) -> io::Result<String> {
    Ok(file_name(Writer::create(directory)?.path().unwrap()))
}

fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

#[test]
fn file_is_readable_after_flush_sync_and_close() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let events = Writer::create(directory.path().join("runs/first"))?;
    let path = events.path().unwrap().to_owned();
    let count = || io::Result::Ok(decode(&fs::read(&path)?).len());
    assert_eq!(count()?, 0);
    events.scalar("loss", 0, 0.5);
    events.flush()?;
    assert_eq!(count()?, 2);
    events.scalar("loss", 1, 0.5);
    events.sync()?;
    assert_eq!(count()?, 3);
    events.scalar("loss", 2, 0.5);
    events.close()?;
    assert_eq!(count()?, 4);
    Ok(())
}

#[test]
fn file_name_has_the_five_parts_tensorboard_expects() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let before = unix_seconds();
    let name = create_name(directory.path())?;
    let rest = name.strip_prefix("events.out.tfevents.").unwrap();
    let (seconds, rest) = rest.split_once('.').unwrap();
    assert_eq!(seconds.len(), 10);
    assert!((before..=unix_seconds()).contains(&seconds.parse().unwrap()));
    let mut parts = rest.rsplitn(3, '.');
    assert!(parts.next().unwrap().parse::<u64>().is_ok(), "{name}");
    assert_eq!(parts.next().unwrap(), std::process::id().to_string());
    let host = parts.next().unwrap();
    let safe = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    assert!(!host.is_empty() && host.chars().all(safe), "{name}");
    Ok(())
}

#[test]
fn file_name_sorts_after_those_of_the_future() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let now = unix_seconds();
    // Made on other machines, by other programs, some of them with a clock that is ahead.
    for name in [
        String::from("checkpoint.bin"),
        String::from("events.out.tfevents.0000000001.host"),
        format!("events.out.tfevents.{now}.zzz.99999.9"),
        format!("events.out.tfevents.{}.zzz.99999.9", now + 1),
        String::from("events.out.tfevents.4000000000.zzz.99999.9.v2"),
        String::from("events.out.tfevents.3999999999.zzz"),
    ] {
        fs::write(directory.path().join(name), "older")?;
    }
    let names = [(); 3].map(|()| create_name(directory.path()).unwrap());
    for (name, seconds) in names.iter().zip(4_000_000_001_u64..) {
        let start = format!("events.out.tfevents.{seconds}.");
        assert!(name.starts_with(&start), "{name}");
    }
    // And none of the others was touched.
    let olds = fs::read_dir(directory.path())?.filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        fs::read(path).unwrap() == b"older"
    });
    assert_eq!(olds.count(), 6);
    Ok(())
}

#[test]
fn file_name_is_last_when_many_are_made_in_one_second() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let mut last = String::new();
    for _ in 0..20 {
        let name = create_name(directory.path())?;
        assert!(name > last, "{name} does not sort after {last}");
        last = name;
    }
    Ok(())
}

#[test]
fn file_names_differ_when_threads_race_for_them() -> io::Result<()> {
    const THREADS: usize = 8;
    let directory = tempfile::tempdir()?;
    let start = Barrier::new(THREADS);
    let create = || {
        start.wait();
        let builder = Writer::builder().allow_others(true);
        let events = builder.create(directory.path()).unwrap();
        events.scalar("loss", 0, 0.5);
        events.close().unwrap();
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(create);
        }
    });
    // Each has its own file, and those given up in the race are gone.
    let files = event_files(directory.path());
    for file in &files {
        assert_eq!(decode(&fs::read(directory.path().join(file))?).len(), 2);
    }
    assert_eq!(files.len(), THREADS);
    Ok(())
}

#[test]
fn create_fails_when_no_name_sorts_last() -> io::Result<()> {
    for other in ["events.out.tfevents.9999999999.host", "z.tfevents"] {
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join(other), "")?;
        let error = Writer::create(directory.path()).unwrap_err();
        assert!(
            matches!(&error, CreateError::NoNameAfter { last, .. } if last == other),
            "{error}"
        );
        assert_eq!(event_files(directory.path()), [other]);
    }
    Ok(())
}

#[test]
fn create_fails_with_the_path_where_no_directory_can_be() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("file");
    fs::write(&file, "not a directory")?;
    let mut impossible = vec![file.clone(), file.join("below")];
    if cfg!(target_os = "linux") {
        // Not even root can make one here.
        impossible.push("/proc/wgpu-linear".into());
    }
    for path in impossible {
        let error = Writer::create(&path).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(path.to_str().unwrap()), "{message}");
    }
    assert_eq!(fs::read(&file)?, b"not a directory");
    Ok(())
}

#[test]
fn suffix_ends_the_name_and_may_not_leave_the_directory() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let with = |suffix: &str| Writer::builder().suffix(suffix).create(directory.path());
    let name = file_name(with(".v2-a_B.7")?.path().unwrap());
    assert!(name.ends_with(".v2-a_B.7"), "{name}");
    for suffix in ["/x", "\\x", "a b", "ä", "\0", "\n"] {
        let error = with(suffix).unwrap_err();
        assert!(
            matches!(&error, CreateError::Suffix { suffix: s } if s == suffix),
            "{error}"
        );
    }
    assert_eq!(event_files(directory.path()), [name]);
    Ok(())
}

/// An error that trying another name does not mend.
#[test]
fn name_that_is_too_long_is_an_error_with_the_path() {
    let directory = tempfile::tempdir().unwrap();
    let builder = Writer::builder().suffix(&"x".repeat(300));
    let error = builder.create(directory.path()).unwrap_err();
    let CreateError::File { path, source } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(path.parent(), Some(directory.path()));
    assert_eq!(source.kind(), io::ErrorKind::InvalidFilename);
    assert_eq!(event_files(directory.path()), [""; 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn file_name_has_the_name_of_the_machine() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let set = std::env::var("HOSTNAME")
        .ok()
        .filter(|host| !host.is_empty());
    let host = match set {
        Some(host) => host,
        None => fs::read_to_string("/proc/sys/kernel/hostname")?,
    };
    let safe = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let host = host.trim().chars().take(64);
    let host: String = host.map(|c| if safe(c) { c } else { '_' }).collect();
    let name = create_name(directory.path())?;
    assert!(name.contains(&format!(".{host}.")), "{name}");
    Ok(())
}

#[test]
fn second_writer_of_a_directory_is_refused_until_the_first_has_closed() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let first = Writer::create(directory.path())?;
    let clone = first.clone();
    for _ in 0..2 {
        let error = Writer::create(directory.path()).unwrap_err();
        assert!(
            matches!(&error, CreateError::InUse { directory: d } if d == directory.path()),
            "{error}"
        );
    }
    assert_eq!(event_files(directory.path()).len(), 1);
    Writer::builder()
        .allow_others(true)
        .create(directory.path())?;
    // Another directory is another run.
    Writer::create(directory.path().join("below"))?;

    first.close()?;
    let second = Writer::create(directory.path())?;
    drop(clone);
    assert!(Writer::create(directory.path()).is_err());
    drop(second);
    Writer::create(directory.path())?;
    Ok(())
}
