//! What can go wrong.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// A new event file could not be opened.
#[non_exhaustive]
#[derive(Debug)]
pub enum CreateError {
    /// Another writer, of this or another process, writes to this directory. Give each run a
    /// directory of its own, or allow it with
    /// [`WriterBuilder::allow_others`](super::WriterBuilder::allow_others).
    InUse {
        /// The directory.
        directory: PathBuf,
    },
    /// A file such as `z.tfevents` is there, which TensorBoard takes for an event file and after
    /// which none of our names sorts.
    NoNameAfter {
        /// The directory.
        directory: PathBuf,
        /// The file that is in the way.
        last: String,
    },
    /// Others keep taking the names that were free a moment before.
    NamesTaken {
        /// The directory.
        directory: PathBuf,
        /// So many names were tried.
        attempts: usize,
    },
    /// A suffix may consist of ASCII letters, digits, `.`, `_` and `-`.
    Suffix {
        /// The suffix.
        suffix: String,
    },
    /// The file system refused.
    File {
        /// What could not be created, listed or locked.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system has no thread left.
    Thread {
        /// Why.
        source: io::Error,
    },
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { directory } => {
                let directory = directory.display();
                write!(
                    f,
                    "{directory}: another writer is writing to this directory"
                )
            }
            Self::NoNameAfter { directory, last } => write!(
                f,
                "{}: no name of an event file sorts after {last:?}, so TensorBoard might never read a new one; choose another directory",
                directory.display()
            ),
            Self::NamesTaken {
                directory,
                attempts,
            } => {
                let directory = directory.display();
                write!(
                    f,
                    "{directory}: {attempts} names for a new event file were taken"
                )
            }
            Self::Suffix { suffix } => write!(
                f,
                "the suffix {suffix:?} has characters other than ASCII letters, digits, '.', '_' and '-'"
            ),
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Thread { source } => write!(f, "no thread for the event writer: {source}"),
        }
    }
}

impl Error for CreateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::File { source, .. } | Self::Thread { source } => Some(source),
            Self::InUse { .. }
            | Self::NoNameAfter { .. }
            | Self::NamesTaken { .. }
            | Self::Suffix { .. } => None,
        }
    }
}

/// Events could not be written.
///
/// The source is shared, because whoever waits for the same bytes gets the same error.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum WriteError {
    /// The sink failed. What it did not take is kept, and tried again.
    Sink {
        /// Where.
        place: Place,
        /// So much is not written yet.
        waiting_bytes: usize,
        /// What the sink said.
        source: Arc<io::Error>,
    },
    /// The device may have lost bytes that were written before; operating systems do not try again.
    Sync {
        /// Where.
        place: Place,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// Events were refused, because too many bytes waited already for a sink that failed. All
    /// others are in order.
    Refused {
        /// Where.
        place: Place,
        /// How many.
        events: u64,
        /// What the sink said.
        source: Arc<io::Error>,
    },
    /// The wall time is NaN or infinite, which TensorBoard cannot show. The event is not kept.
    WallTime {
        /// The wall time.
        seconds: f64,
    },
    /// The writer was closed before, by this handle or another one. The event is not kept.
    Closed {
        /// Where.
        place: Place,
    },
    /// The writer's thread has panicked, in the sink or in the error callback. The event is not
    /// kept.
    Panicked {
        /// Where.
        place: Place,
    },
    /// `flush`, `sync` and `close` wait for the writer's thread, so the error callback, which that
    /// thread calls, cannot.
    InCallback {
        /// Where.
        place: Place,
    },
    /// The event file no longer stands where it was made, so that nobody finds it there. What was
    /// written to it can be had back before the writer is closed, by
    /// [`Writer::restore`](super::Writer::restore).
    Gone {
        /// Where it stood.
        place: Place,
        /// What became of it.
        fate: FileFate,
    },
    /// A file that was gone could not be made again. The writer goes on as before.
    Restore {
        /// Why.
        source: Arc<CreateError>,
    },
    /// The event file for one curve of a group could not be opened. Its points are not kept.
    Group {
        /// Why.
        source: Arc<CreateError>,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sink {
                place,
                waiting_bytes,
                source,
            } => {
                write!(
                    f,
                    "{place}: {waiting_bytes} bytes wait for a sink that fails: {source}"
                )
            }
            Self::Sync { place, source } => write!(f, "{place}: not on the device: {source}"),
            Self::Refused {
                place,
                events,
                source,
            } => {
                write!(
                    f,
                    "{place}: {events} events were refused while the sink failed: {source}"
                )
            }
            Self::WallTime { seconds } => {
                write!(
                    f,
                    "the wall time of an event has to be finite, not {seconds}"
                )
            }
            Self::Closed { place } => write!(f, "{place}: the writer is closed"),
            Self::Panicked { place } => write!(f, "{place}: the writer's thread has panicked"),
            Self::InCallback { place } => {
                write!(
                    f,
                    "{place}: the error callback cannot wait for its own thread"
                )
            }
            Self::Gone { place, fate } => write!(f, "{place}: {fate}"),
            Self::Restore { source } | Self::Group { source } => source.fmt(f),
        }
    }
}

impl Error for WriteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Sink { source, .. }
            | Self::Sync { source, .. }
            | Self::Refused { source, .. } => Some(source),
            // They say what their source says.
            Self::Restore { source } | Self::Group { source } => source.source(),
            Self::Gone { .. }
            | Self::WallTime { .. }
            | Self::Closed { .. }
            | Self::Panicked { .. }
            | Self::InCallback { .. } => None,
        }
    }
}

/// What became of an event file that no longer stands where it was made.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFate {
    /// It was removed. Outside of Unix, where that cannot be told apart, or moved.
    Removed,
    /// It, or its directory, was moved or renamed: everything is written there.
    Moved,
    /// Another file stands in its place. Outside of Unix this is not noticed.
    Replaced,
}

impl fmt::Display for FileFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Removed => "the event file was removed",
            Self::Moved => "the event file, or its directory, was moved away",
            Self::Replaced => "another file stands in the place of the event file",
        })
    }
}

/// The file that an error is about, or "events" for a sink without a path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place(Option<Arc<PathBuf>>);

impl Place {
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self(path.map(Arc::new))
    }

    /// The file, if it is one.
    pub fn path(&self) -> Option<&std::path::Path> {
        self.0.as_ref().map(|path| path.as_path())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(path) => write!(f, "{}", path.display()),
            None => f.write_str("events"),
        }
    }
}

/// The kind of the sink's error is kept.
impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        let kind = match &error {
            WriteError::Sink { source, .. }
            | WriteError::Sync { source, .. }
            | WriteError::Refused { source, .. } => source.kind(),
            WriteError::Gone { .. } => io::ErrorKind::NotFound,
            WriteError::Restore { source } | WriteError::Group { source } => kind_of(source),
            WriteError::WallTime { .. } => io::ErrorKind::InvalidInput,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// The kind of the file system's error is kept.
impl From<CreateError> for io::Error {
    fn from(error: CreateError) -> Self {
        Self::new(kind_of(&error), error)
    }
}

fn kind_of(error: &CreateError) -> io::ErrorKind {
    match error {
        CreateError::File { source, .. } | CreateError::Thread { source } => source.kind(),
        CreateError::InUse { .. } => io::ErrorKind::ResourceBusy,
        CreateError::NamesTaken { .. } => io::ErrorKind::AlreadyExists,
        CreateError::NoNameAfter { .. } | CreateError::Suffix { .. } => io::ErrorKind::InvalidInput,
    }
}
