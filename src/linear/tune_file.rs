//! A file that several programs rewrite: whole or not at all, and one after the other.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// `path` with `suffix` behind its file name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Readers see the old file or the new one, whatever happens in between.
pub(super) fn replace(path: &Path, contents: &str) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let temporary = beside(path, &format!(".{}-{count}.tmp", std::process::id()));
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(contents.as_bytes())?;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary, path)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

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

/// As the platforms document it; a crate for this line would bring one to three more.
pub(super) fn cache_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let home = || std::env::home_dir().filter(|home| home.is_absolute());
    if cfg!(windows) {
        variable("LOCALAPPDATA").filter(|path| path.is_absolute())
    } else if cfg!(target_vendor = "apple") {
        home().map(|home| home.join("Library").join("Caches"))
    } else {
        // The specification wants relative paths to be ignored.
        variable("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| home().map(|home| home.join(".cache")))
    }
}
