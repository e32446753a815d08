//! One writer a directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::error::CreateError;
use super::identity;

/// Stays in the directory: to remove it would let two others lock two different files of this name.
const NAME: &str = ".wgpu-linear-events.lock";

/// Ends when it is dropped, with the process at the latest.
#[derive(Debug)]
pub(super) struct DirectoryLock(File);

impl DirectoryLock {
    /// Whether it is still this directory's, which may have been removed and made again.
    pub(super) fn is_of(&self, directory: &Path) -> bool {
        identity::is_at(&self.0, &directory.join(NAME)).unwrap_or(false)
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // To close the file is not enough: a process that another thread is starting just now may
        // hold it for a moment more.
        if let Err(error) = self.0.unlock() {
            log::warn!("the directory of an event file stays locked: {error}");
        }
    }
}

/// Locks `directory`; `None` where the file system knows no locks.
pub(super) fn lock_directory(directory: &Path) -> Result<Option<DirectoryLock>, CreateError> {
    let path = directory.join(NAME);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|source| CreateError::File {
            path: path.clone(),
            source,
        })?;
    match file.try_lock() {
        Ok(()) => Ok(Some(DirectoryLock(file))),
        Err(TryLockError::WouldBlock) => Err(CreateError::InUse {
            directory: directory.to_owned(),
        }),
        Err(TryLockError::Error(error)) => {
            log::warn!(
                "{}: cannot tell whether another writer is here: {error}",
                path.display()
            );
            Ok(None)
        }
    }
}
