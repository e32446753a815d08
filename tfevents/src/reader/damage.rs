//! What can be wrong with an event file, and where.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A damaged place of a stream of records. What is read before and after it is sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("byte {offset}: {kind}")]
#[non_exhaustive]
pub struct Damage {
    /// Bytes before the damaged record.
    pub offset: u64,
    /// What is wrong with it.
    pub kind: DamageKind,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DamageKind {
    /// The length of a record contradicts its checksum. Where the next one begins is not known, so the rest of the file is not read.
    #[error("the length of a record is damaged, so that nothing behind it can be read")]
    Length,
    /// The data of a record contradict their checksum. Reading goes on behind them.
    #[error("the data of a record ({length} bytes) are damaged")]
    Data {
        /// Bytes of data.
        length: u64,
    },
    /// The checksums agree, but the data are no event. Reading goes on behind them.
    #[error("a record is no event: {0}")]
    Message(#[from] Malformed),
    /// The file ends within a record, although a later file of the run follows. In the last file this is a [`Tail`], since more may come.
    #[error("the file ends within a record, of which {bytes} bytes are there")]
    Torn {
        /// Bytes of the record that are there.
        bytes: u64,
    },
}

/// Why bytes are not a message of an event file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Malformed {
    /// A field is longer than the message, or a list of numbers is no multiple of their size.
    #[error("it ends within a field")]
    Truncated,
    /// An integer takes more than 64 bits.
    #[error("an integer is too long")]
    Varint,
    /// A field has a number that none can have.
    #[error("{number} is no number of a field")]
    FieldNumber {
        /// The number.
        number: u64,
    },
    /// A field is of a type that event files do not use, so that its end is not known.
    #[error("{wire_type} is no type of a field")]
    WireType {
        /// The type, three bits.
        wire_type: u8,
    },
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    Utf8,
}

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
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The source failed. Nothing is lost: the next call tries again.
    #[error("cannot read on at byte {offset}")]
    Io {
        /// Bytes read so far.
        offset: u64,
        /// What the source said.
        source: io::Error,
    },
    /// A record is damaged. The next call goes on behind it, where that is possible.
    #[error(transparent)]
    Damaged(#[from] Damage),
}

/// An event of a run could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The directory cannot be listed. The next call tries again.
    #[error("cannot list {}", directory.display())]
    List {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be opened. In a directory, the next call goes on with the file after it.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Reading a file failed. The next call tries again.
    #[error("cannot read {} on at byte {offset}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Bytes read so far.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// A file is damaged. The next call goes on behind the damage, or with the next file.
    #[error("{}, {damage}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it is damaged, and how.
        damage: Damage,
    },
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
