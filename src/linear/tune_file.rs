//! A file that several programs rewrite, one after the other.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::kernel::beside;

/// Keeps others from writing between our reading and our writing, so that no entry is lost. A file
/// that exists is the lock: locks of the operating system need Rust 1.89.
///
/// It is a courtesy. Where it cannot be had in time, the worst is that an entry is lost and
/// measured again.
pub(super) struct FileLock(Option<PathBuf>);

impl FileLock {
    const PATIENCE: Duration = Duration::from_secs(2);
    /// Older locks were left behind by a program that died; writing takes milliseconds.
    const STALE: Duration = Duration::from_secs(10);

    pub(super) fn acquire(locked: &Path) -> Self {
        let path = beside(locked, ".lock");
        let start = Instant::now();
        loop {
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(_) => return Self(Some(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                // The file itself will say what is wrong with the folder.
                Err(_) => return Self(None),
            }
            if is_older(&path, Self::STALE) {
                let _ = fs::remove_file(&path);
            } else if start.elapsed() > Self::PATIENCE {
                return Self(None);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

fn is_older(path: &Path, age: Duration) -> bool {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| {
        SystemTime::now()
            .duration_since(modified)
            .is_ok_and(|elapsed| elapsed > age)
    })
}
