//! Which directories are runs.

use std::collections::HashSet;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use super::damage::ReadError;
use crate::name::MARK;

/// Whether this is a file, or leads to one, with the mark in its name.
pub(super) fn is_event_file(entry: &DirEntry) -> bool {
    let marked = entry.file_name().to_string_lossy().contains(MARK);
    marked && fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file())
}

/// The runs under `root`, as TensorBoard finds them: every directory with an event file, `root`
/// itself and those under it, in the order of their paths. Links are followed, and no directory is
/// visited twice.
///
/// ```
/// use tfevents::reader::runs;
///
/// # fn main() -> std::io::Result<()> {
/// # let temporary = tempfile::tempdir()?;
/// # let logs = temporary.path();
/// std::fs::create_dir_all(logs.join("today/first"))?;
/// std::fs::write(logs.join("today/first/events.out.tfevents.1"), "")?;
///
/// let found: Vec<_> = runs(logs).collect::<Result<_, _>>().unwrap();
/// assert_eq!(found, [logs.join("today/first")]);
/// # Ok(())
/// # }
/// ```
pub fn runs(root: impl AsRef<Path>) -> Runs {
    Runs {
        ahead: vec![root.as_ref().to_owned()],
        visited: HashSet::new(),
    }
}

/// Directories with event files: see [`runs`]. An item is an error, [`ReadError::List`], for a
/// directory that cannot be listed; those after it follow.
#[derive(Debug)]
pub struct Runs {
    /// Directories to visit, the next one last.
    ahead: Vec<PathBuf>,
    /// By the paths that lead to them without links: a link may lead back to where it stands.
    visited: HashSet<PathBuf>,
}

impl Runs {
    /// Whether the directory is a run; its own directories are visited next.
    fn visit(&mut self, directory: &Path) -> std::io::Result<bool> {
        if !self.visited.insert(fs::canonicalize(directory)?) {
            return Ok(false);
        }
        let mut is_run = false;
        let mut below = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if is_event_file(&entry) {
                is_run = true;
            } else if fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir()) {
                below.push(entry.path());
            }
        }
        below.sort_unstable_by(|a, b| b.cmp(a));
        self.ahead.append(&mut below);
        Ok(is_run)
    }
}

impl Iterator for Runs {
    type Item = Result<PathBuf, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(directory) = self.ahead.pop() {
            match self.visit(&directory) {
                Ok(true) => return Some(Ok(directory)),
                Ok(false) => {}
                Err(source) => return Some(Err(ReadError::List { directory, source })),
            }
        }
        None
    }
}
