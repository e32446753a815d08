//! Files that are there as a whole or not at all.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::CliError;

/// Writes a file beside its place, and moves it there when it is on the disk.
///
/// # Errors
/// What the file system reports; what was there before is there still.
pub fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = BufWriter::new(fs::File::create(&beside)?);
    let written = fill(&mut file)
        .and_then(|()| file.flush())
        .and_then(|()| file.get_ref().sync_all())
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // What is there in part is of no use; that it cannot be removed changes nothing.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// [`write()`] with all of the contents at hand.
///
/// # Errors
/// As [`write()`].
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, |file| file.write_all(bytes))
}

/// Why `path` cannot be written, and what helps.
pub fn refused(path: &Path, error: &io::Error) -> CliError {
    let remedy = match error.kind() {
        _ if path.is_dir() => "it is a folder; name a file in it",
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            "the folder that it belongs into is not there; make it first, or name another"
        }
        io::ErrorKind::StorageFull => "make room, or write to another disk",
        _ => "write to another folder",
    };
    CliError::Failure(format!(
        "cannot write {}: {error}: {remedy}",
        path.display()
    ))
}

/// Refuses to write over what is read: `from` and `to` are the same file.
///
/// # Errors
/// [`CliError::Input`] where they are.
pub fn check_apart(from: &Path, to: &Path) -> Result<(), CliError> {
    match (from.canonicalize(), to.canonicalize()) {
        (Ok(from), Ok(to)) if from == to => Err(CliError::input(format!(
            "{} is what is read and what would be written; write to another file",
            to.display()
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_filled_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        replace(&path, b"old").unwrap();
        let fails = write(&path, |file| {
            file.write_all(b"half of the n")?;
            Err(io::Error::other("no space"))
        });
        assert!(fails.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }
}
