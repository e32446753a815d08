//! What can be wrong with an event file, and where.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A damaged place of a stream of records. What is read before and after it is sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// Bytes before the damaged record.
    pub offset: u64,
    /// What is wrong with it.
    pub kind: DamageKind,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.offset, self.kind)
    }
}

impl Error for Damage {}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DamageKind {
    /// The length of a record contradicts its checksum. Where the next one begins is not known, so
    /// the rest of the file is not read.
    Length,
    /// The data of a record contradict their checksum. Reading goes on behind them.
    Data {
        /// Bytes of data.
        length: u64,
    },
    /// The checksums agree, but the data are no event. Reading goes on behind them.
    Message(Malformed),
    /// The file ends within a record, although a later file of the run follows. In the last file
    /// this is a [`Tail`], since more may come.
    Torn {
        /// Bytes of the record that are there.
        bytes: u64,
    },
}

impl fmt::Display for DamageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str(
                "the length of a record is damaged, so that nothing behind it can be read",
            ),
            Self::Data { length } => {
                write!(f, "the data of a record ({length} bytes) are damaged")
            }
            Self::Message(malformed) => write!(f, "a record is no event: {malformed}"),
            Self::Torn { bytes } => {
                write!(
                    f,
                    "the file ends within a record, of which {bytes} bytes are there"
                )
            }
        }
    }
}

impl Error for DamageKind {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Message(malformed) => Some(malformed),
            Self::Length | Self::Data { .. } | Self::Torn { .. } => None,
        }
    }
}

impl From<Malformed> for DamageKind {
    fn from(malformed: Malformed) -> Self {
        Self::Message(malformed)
    }
}

/// Why bytes are not a message of an event file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// A field is longer than the message, or a list of numbers is no multiple of their size.
    Truncated,
    /// An integer takes more than 64 bits.
    Varint,
    /// A field has a number that none can have.
    FieldNumber {
        /// The number.
        number: u64,
    },
    /// A field is of a type that event files do not use, so that its end is not known.
    WireType {
        /// The type, three bits.
        wire_type: u8,
    },
    /// A text is not UTF-8.
    Utf8,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("it ends within a field"),
            Self::Varint => f.write_str("an integer is too long"),
            Self::FieldNumber { number } => write!(f, "{number} is no number of a field"),
            Self::WireType { wire_type } => write!(f, "{wire_type} is no type of a field"),
            Self::Utf8 => f.write_str("a text is not UTF-8"),
        }
    }
}

impl Error for Malformed {}

/// A record of which only the beginning is there: the writer has not finished it, or never will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tail {
    /// Bytes up to the end of the last whole record.
    pub offset: u64,
    /// Bytes behind them.
    pub torn_bytes: u64,
}

/// A record could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecordError {
    /// The source failed. Nothing is lost: the next call tries again.
    Io {
        /// Bytes read so far.
        offset: u64,
        /// What the source said.
        source: io::Error,
    },
    /// A record is damaged. The next call goes on behind it, where that is possible.
    Damaged(Damage),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { offset, .. } => write!(f, "cannot read on at byte {offset}"),
            Self::Damaged(damage) => damage.fmt(f),
        }
    }
}

impl Error for RecordError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            // It says what the damage says.
            Self::Damaged(damage) => damage.source(),
        }
    }
}

impl From<Damage> for RecordError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

/// An event of a run could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The directory cannot be listed. The next call tries again.
    List {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be opened. In a directory, the next call goes on with the file after it.
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Reading a file failed. The next call tries again.
    Io {
        /// The file.
        path: PathBuf,
        /// Bytes read so far.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// A file is damaged. The next call goes on behind the damage, or with the next file.
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it is damaged, and how.
        damage: Damage,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List { directory, .. } => write!(f, "cannot list {}", directory.display()),
            Self::Open { path, .. } => write!(f, "cannot open {}", path.display()),
            Self::Io { path, offset, .. } => {
                write!(f, "cannot read {} on at byte {offset}", path.display())
            }
            Self::Damaged { path, damage } => write!(f, "{}, {damage}", path.display()),
        }
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::List { source, .. } | Self::Open { source, .. } | Self::Io { source, .. } => {
                Some(source)
            }
            Self::Damaged { .. } => None,
        }
    }
}

impl ReadError {
    pub(super) fn of_record(path: &Path, error: RecordError) -> Self {
        let path = path.to_owned();
        match error {
            RecordError::Io { offset, source } => Self::Io {
                path,
                offset,
                source,
            },
            RecordError::Damaged(damage) => Self::Damaged { path, damage },
        }
    }
}
