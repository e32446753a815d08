//! The file of a writer: whether it still stands where it was made, and how it is made again.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::error::{CreateError, FileFate, Place, WriteError};
use crate::identity::{self, Identity};
use crate::mutex::lock;
use crate::name;
use crate::time::Instant;

/// The file, open until the last of its owners has gone.
#[derive(Debug)]
pub(super) struct EventFile {
    place: Place,
    /// Without links, from the root: it stays right when the working directory changes, or where a
    /// link leads.
    path: PathBuf,
    /// Held while bytes are written, so that nobody writes while the file is made again.
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: Arc<File>,
    /// Of the file as it was opened.
    identity: Identity,
}

impl Open {
    fn new(file: File) -> io::Result<Self> {
        let identity = Identity::of(&file.metadata()?);
        let file = Arc::new(file);
        Ok(Self { file, identity })
    }
}

impl EventFile {
    /// `file` has just been created at `path`.
    pub(super) fn new(file: File, path: &Path) -> Result<Self, CreateError> {
        let open = Open::new(file).map_err(|error| name::at(path, error))?;
        Ok(Self {
            place: Place::new(Some(path.to_owned())),
            // Where links cannot be followed, as on some file systems of Windows, it is as given.
            path: fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
            open: Mutex::new(open),
        })
    }

    pub(super) fn directory(&self) -> &Path {
        // A file stands in a directory.
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Asks for what `sync` needs: that the bytes are on the device, and the name in its directory.
    pub(super) fn sync(&self) -> io::Result<()> {
        // Nobody waits for the device with the lock.
        let file = Arc::clone(&lock(&self.open).file);
        file.sync_data()?;
        match cfg!(unix) {
            true => File::open(self.directory())?.sync_all(),
            // Elsewhere directories cannot be opened, and need not be.
            false => Ok(()),
        }
    }

    /// # Errors
    /// [`WriteError::Gone`]. Where that cannot be told, none.
    pub(super) fn check(&self) -> Result<(), WriteError> {
        match self.fate() {
            None => Ok(()),
            Some(fate) => Err(WriteError::Gone {
                place: self.place.clone(),
                fate,
            }),
        }
    }

    fn fate(&self) -> Option<FileFate> {
        let found = identity::at(&self.path).ok()?;
        let open = lock(&self.open);
        match found {
            Some(found) if found == open.identity => None,
            // Some file systems number their files anew.
            Some(_) if identity::is_at(&open.file, &self.path).ok()? => None,
            Some(_) => Some(FileFate::Replaced),
            None if identity::has_name(&open.file) => Some(FileFate::Moved),
            None => Some(FileFate::Removed),
        }
    }

    /// Writes everything that the file has had so far to a new one at the same path, where the next
    /// bytes go as well. Nothing is done where the file is in its place.
    pub(super) fn restore(&self) -> Result<(), CreateError> {
        if self.fate().is_none() {
            return Ok(());
        }
        let mut open = lock(&self.open);
        let copy = name::create_new(&self.path).map_err(|error| name::at(&self.path, error))?;
        match copied(&open.file, copy).and_then(Open::new) {
            Ok(copy) => {
                *open = copy;
                Ok(())
            }
            Err(error) => {
                // Half a copy would be taken for the whole.
                let _ = fs::remove_file(&self.path);
                Err(name::at(&self.path, error))
            }
        }
    }
}

/// `to`, which is empty, with all bytes of `from`.
fn copied(mut from: &File, mut to: File) -> io::Result<File> {
    // What is appended goes to the end, wherever this leaves the position.
    from.rewind()?;
    let bytes = io::copy(&mut from, &mut to)?;
    match bytes == from.metadata()?.len() {
        true => Ok(to),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Looks after the file while nobody asks.
#[derive(Debug)]
pub(super) struct Watch {
    file: Arc<EventFile>,
    looked: Instant,
    gone: bool,
}

impl Watch {
    /// So often at most.
    const PERIOD: Duration = Duration::from_secs(1);

    pub(super) fn new(file: Arc<EventFile>) -> Self {
        let looked = Instant::now();
        let gone = false;
        Self { file, looked, gone }
    }

    /// The error of [`EventFile::check`], if that is news.
    pub(super) fn news(&mut self) -> Option<WriteError> {
        if self.looked.elapsed() < Self::PERIOD {
            return None;
        }
        self.looked = Instant::now();
        let error = self.file.check().err();
        let known = mem::replace(&mut self.gone, error.is_some());
        error.filter(|_| !known)
    }
}

/// The file as the thread's sink.
pub(super) struct FileSink(pub(super) Arc<EventFile>);

impl Write for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*lock(&self.0.open).file).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*lock(&self.0.open).file).flush()
    }
}
