//! Opening a writer.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::builder::WriterBuilder;
use super::event_file::{EventFile, FileSink};
use super::{Files, Writer};
use crate::error::CreateError;
use crate::lock::lock_directory;
use crate::name;

impl Writer {
    /// Opens a new event file in `directory`, with default settings. The directory is created where
    /// it does not exist.
    ///
    /// # Errors
    /// [`CreateError`].
    pub fn create(directory: impl AsRef<Path>) -> Result<Self, CreateError> {
        Self::builder().create(directory)
    }

    /// Settings other than the default.
    pub fn builder() -> WriterBuilder {
        WriterBuilder::default()
    }
}

impl WriterBuilder {
    /// Opens a new event file in `directory`, which is created where it does not exist.
    ///
    /// # Errors
    /// [`CreateError`].
    pub fn create(self, directory: impl AsRef<Path>) -> Result<Writer, CreateError> {
        let directory = match directory.as_ref() {
            // As everywhere but in calls of the system.
            here if here.as_os_str().is_empty() => Path::new("."),
            directory => directory,
        };
        fs::create_dir_all(directory).map_err(|error| name::at(directory, error))?;
        let lock = match self.allow_others {
            true => None,
            false => lock_directory(directory)?,
        };
        let (file, path) = name::create_last_file(directory, &self.suffix)?;
        let file = Arc::new(EventFile::new(file, &path)?);
        let sink = FileSink(Arc::clone(&file));
        let file = Some(file);
        Writer::spawn(self, sink, Files { file, lock }, Some(path))
    }

    /// Writes to `sink` instead of a file. It should be empty, and needs no buffer of its own.
    ///
    /// [`Writer::sync`] then only flushes, and [`Writer::scalar_group`] writes `tag/name`.
    ///
    /// # Errors
    /// [`CreateError::Thread`].
    pub fn write_to(self, sink: impl Write + Send + 'static) -> Result<Writer, CreateError> {
        Writer::spawn(self, sink, Files::default(), None)
    }
}
