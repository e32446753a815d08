//! Whether two names, or a name and an open file, mean the same file.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

/// What makes a file this one. Where the operating system does not tell, all are alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Identity {
    #[cfg(unix)]
    device_and_number: (u64, u64),
}

impl Identity {
    #[cfg(unix)]
    pub(super) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let device_and_number = (metadata.dev(), metadata.ino());
        Self { device_and_number }
    }

    #[cfg(not(unix))]
    pub(super) fn of(_: &Metadata) -> Self {
        Self {}
    }
}

/// Whether an open file still has a name somewhere. Where the operating system does not tell: no.
#[cfg(unix)]
pub(super) fn has_name(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
}

#[cfg(not(unix))]
pub(super) fn has_name(_: &File) -> bool {
    false
}

/// What stands at `path`; `None` where nothing does.
pub(super) fn at(path: &Path) -> io::Result<Option<Identity>> {
    match path.metadata() {
        Ok(metadata) => Ok(Some(Identity::of(&metadata))),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_absence(error: &io::Error) -> bool {
    // A folder on the way may have become a file.
    let kinds = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    kinds.contains(&error.kind())
}

/// Whether `path` means this open file.
pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = Identity::of(&file.metadata()?);
    Ok(at(path)? == Some(open))
}
