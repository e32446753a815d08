//! One writer a directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::error::CreateError;

/// Stays in the directory: to remove it would let two others lock two different files of this name.
const NAME: &str = ".wgpu-linear-events.lock";

/// Locks `directory` for as long as the file is open, which ends with the process at the latest; `None` where the file system
/// knows no locks.
pub(super) fn lock(directory: &Path) -> Result<Option<File>, CreateError> {
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
        Ok(()) => Ok(Some(file)),
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
