//! Event files that no longer stand where they were made.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;
use tfevents::{CreateError, FileFate, WriteError, Writer};

use crate::support::scalars;

/// A run with a point, in a directory of its own.
struct Run {
    root: TempDir,
    events: Writer,
}

impl Run {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        let events = Writer::create(root.path().join("runs/run")).unwrap();
        events.scalar("loss", 0, 0.5);
        events.flush().unwrap();
        Self { root, events }
    }

    fn directory(&self) -> PathBuf {
        self.root.path().join("runs/run")
    }

    fn file(&self) -> &Path {
        self.events.path().unwrap()
    }

    /// A place to which things are moved.
    fn elsewhere(&self) -> PathBuf {
        self.root.path().join("elsewhere")
    }
}

type Harm = fn(&Run) -> io::Result<()>;

/// What may become of a file.
const HARMS: [(&str, FileFate, Harm); 7] = [
    ("file removed", FileFate::Removed, |run| {
        fs::remove_file(run.file())
    }),
    ("directory removed", FileFate::Removed, |run| {
        fs::remove_dir_all(run.directory())
    }),
    ("all runs removed", FileFate::Removed, |run| {
        fs::remove_dir_all(run.directory().parent().unwrap())
    }),
    ("directory became a file", FileFate::Removed, |run| {
        fs::remove_dir_all(run.directory())?;
        fs::write(run.directory(), "")
    }),
    ("file moved", FileFate::Moved, |run| {
        fs::rename(run.file(), run.elsewhere())
    }),
    ("directory moved", FileFate::Moved, |run| {
        fs::rename(run.directory(), run.elsewhere())
    }),
    ("file replaced", FileFate::Replaced, |run| {
        fs::write(run.elsewhere(), "another")?;
        fs::rename(run.elsewhere(), run.file())
    }),
];

fn assert_gone(result: Result<(), WriteError>, file: &Path, expected: FileFate, harm: &str) {
    match result {
        Err(WriteError::Gone { place, fate }) => {
            assert_eq!((place.path(), fate), (Some(file), expected), "{harm}");
        }
        other => panic!("{harm}: {other:?}"),
    }
}

#[test]
fn flush_sync_and_close_notice_that_the_file_has_gone() {
    for (name, fate, harm) in HARMS {
        let run = Run::new();
        let file = run.file().to_owned();
        harm(&run).unwrap();
        run.events.scalar("loss", 1, 0.5);
        assert_gone(run.events.flush(), &file, fate, name);
        assert_gone(run.events.flush(), &file, fate, name);
        assert_gone(run.events.sync(), &file, fate, name);
        let closed = run.events.close().map(drop);
        assert_gone(closed, &file, fate, name);
    }
}

#[test]
fn close_notices_it_without_a_flush() {
    let run = Run::new();
    let file = run.file().to_owned();
    fs::remove_dir_all(run.directory()).unwrap();
    let closed = run.events.close().map(drop);
    let error = io::Error::from(closed.unwrap_err());
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let expected = format!("{}: the event file was removed", file.display());
    assert_eq!(error.to_string(), expected);
    // Nothing is made again by itself.
    assert!(!run.root.path().join("runs/run").exists());
}

#[test]
fn restored_file_has_everything_and_goes_on() {
    for (name, fate, harm) in HARMS {
        if fate == FileFate::Replaced || name == "directory became a file" {
            continue;
        }
        let run = Run::new();
        let file = run.file().to_owned();
        harm(&run).unwrap();
        // More than the buffer holds, of which a part is written before and after.
        for step in 1..40_000 {
            run.events.scalar("loss", step, 0.5);
        }
        run.events.restore().unwrap();
        for step in 40_000..50_000 {
            run.events.scalar("loss", step, 0.5);
        }
        run.events.flush().unwrap();
        run.events.restore().unwrap();
        run.events.sync().unwrap();
        assert_eq!(run.events.path(), Some(&*file));
        // The directory is locked, again or still.
        let error = Writer::create(run.directory()).unwrap_err();
        assert!(
            matches!(error, CreateError::InUse { .. }),
            "{name}: {error}"
        );
        let closed = run.events.close().unwrap();
        assert_eq!(closed.events, 50_000);
        let directory = file.parent().unwrap();
        let steps = scalars(directory).into_iter().map(|(_, step, _)| step);
        assert!(steps.eq(0..50_000), "{name}");
        assert_eq!(crate::support::event_files(directory).len(), 1);
        Writer::create(directory).unwrap();
    }
}

#[test]
fn restored_twice_it_is_there_twice() {
    let run = Run::new();
    for step in 1..4 {
        fs::remove_dir_all(run.directory()).unwrap();
        run.events.scalar("loss", step, 0.5);
        run.events.restore().unwrap();
        run.events.flush().unwrap();
        assert_eq!(scalars(&run.directory()).len() as i64, step + 1);
    }
}

#[test]
fn moved_file_goes_on_where_it_is_and_may_come_back() {
    let run = Run::new();
    fs::rename(run.directory(), run.elsewhere()).unwrap();
    run.events.scalar("loss", 1, 0.5);
    run.events.flush().unwrap_err();
    assert_eq!(scalars(&run.elsewhere()).len(), 2);
    fs::rename(run.elsewhere(), run.directory()).unwrap();
    run.events.flush().unwrap();
    run.events.close().unwrap();
}

#[test]
fn what_stands_in_the_place_is_not_touched() {
    let run = Run::new();
    let file = run.file().to_owned();
    fs::write(run.elsewhere(), "another").unwrap();
    fs::rename(run.elsewhere(), &file).unwrap();
    let error = run.events.restore().unwrap_err();
    let WriteError::Restore { source } = &error else {
        panic!("{error:?}");
    };
    let CreateError::File { path, source } = &**source else {
        panic!("{error:?}");
    };
    assert_eq!((path, source.kind()), (&file, io::ErrorKind::AlreadyExists));
    assert_eq!(fs::read(&file).unwrap(), b"another");
    // Out of the way with it, and all is well.
    fs::remove_file(&file).unwrap();
    run.events.restore().unwrap();
    run.events.close().unwrap();
    assert_eq!(scalars(file.parent().unwrap()).len(), 1);
}

#[test]
fn directory_of_another_writer_is_left_to_it() {
    let run = Run::new();
    fs::remove_dir_all(run.directory()).unwrap();
    let other = Writer::create(run.directory()).unwrap();
    for _ in 0..2 {
        let error = run.events.restore().unwrap_err();
        assert!(
            matches!(&error, WriteError::Restore { source } if matches!(**source, CreateError::InUse { .. })),
            "{error}"
        );
    }
    assert_eq!(crate::support::event_files(&run.directory()).len(), 1);
    other.close().unwrap();
    run.events.restore().unwrap();
    assert!(Writer::create(run.directory()).is_err());
    run.events.close().unwrap();
}

#[test]
fn links_and_names_that_lead_elsewhere_later_do_not_matter() {
    let root = TempDir::new().unwrap();
    let [first, second, link] = ["first", "second", "link"].map(|name| root.path().join(name));
    fs::create_dir(&first).unwrap();
    fs::create_dir(&second).unwrap();
    std::os::unix::fs::symlink(&first, &link).unwrap();
    let events = Writer::create(&link).unwrap();
    events.scalar("loss", 0, 0.5);
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&second, &link).unwrap();
    events.flush().unwrap();
    events.sync().unwrap();
    events.close().unwrap();
    assert_eq!(scalars(&first).len(), 1);
}

#[test]
fn writer_without_a_file_has_none_to_restore() {
    let events = Writer::builder().write_to(io::sink()).unwrap();
    events.restore().unwrap();
    let clone = events.clone();
    events.close().unwrap();
    assert!(matches!(clone.restore(), Err(WriteError::Closed { .. })));
}

#[test]
fn curves_of_a_group_are_restored_too() {
    let run = Run::new();
    run.events.scalar_group("loss", 0, &[("train", 0.5)]);
    run.events.flush().unwrap();
    fs::remove_dir_all(run.directory()).unwrap();
    run.events.flush().unwrap_err();
    run.events.restore().unwrap();
    run.events.flush().unwrap();
    let directory = run.directory();
    run.events.close().unwrap();
    assert_eq!(scalars(&directory).len(), 1);
    assert_eq!(scalars(&directory.join("loss_train")).len(), 1);
}

#[test]
fn curve_that_has_gone_alone_is_an_error_of_close() {
    let run = Run::new();
    run.events.scalar_group("loss", 0, &[("train", 0.5)]);
    fs::remove_dir_all(run.directory().join("loss_train")).unwrap();
    let error = run.events.close().unwrap_err();
    assert!(matches!(error, WriteError::Gone { .. }), "{error}");
}

#[test]
fn thread_tells_once_while_it_writes() {
    let root = TempDir::new().unwrap();
    let directory = root.path().join("run");
    let (send, receive) = mpsc::channel();
    let events = Writer::builder()
        .flush_every(Duration::from_millis(50))
        .on_error(move |error| send.send(error.clone()).unwrap())
        .create(&directory)
        .unwrap();
    // It looks once a second.
    std::thread::sleep(Duration::from_millis(1100));
    fs::remove_dir_all(&directory).unwrap();
    let (mut told, mut rounds) = (Vec::new(), 0);
    for step in 0..600 {
        events.scalar("loss", step, 0.5);
        told.extend(receive.recv_timeout(Duration::from_millis(100)));
        // Long enough to be told again, if it were.
        rounds += usize::from(!told.is_empty());
        if rounds > 15 {
            break;
        }
    }
    drop(events);
    told.extend(receive);
    assert!(matches!(told[..], [WriteError::Gone { .. }]), "{told:?}");
}

/// A path that leads in a circle says neither that the file is there nor that it is not.
#[test]
fn what_cannot_be_told_is_no_error() {
    let run = Run::new();
    fs::rename(run.directory(), run.elsewhere()).unwrap();
    std::os::unix::fs::symlink(run.directory(), run.directory()).unwrap();
    run.events.scalar("loss", 1, 0.25);
    run.events.flush().unwrap();
    assert_eq!(scalars(&run.elsewhere()).len(), 2);
    run.events.close().unwrap();
}

#[test]
fn writer_that_allows_others_does_so_after_it_was_restored() {
    let root = TempDir::new().unwrap();
    let events = Writer::builder().allow_others(true).create(root.path());
    let events = events.unwrap();
    fs::remove_file(events.path().unwrap()).unwrap();
    events.restore().unwrap();
    Writer::create(root.path()).unwrap().close().unwrap();
    events.close().unwrap();
}
