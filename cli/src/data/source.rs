//! A file, unpacked where it is packed, and what its first bytes say that it is.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::error::{DataError, Fault, Place};

/// Bytes that are read at once; a fuzzer's files are small, and many.
pub(super) const BUFFER: usize = if cfg!(fuzzing) { 1 << 12 } else { 1 << 18 };
/// Bytes by which a format is told.
const MAGIC: usize = 8;

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Npy,
    Npz,
    Idx,
    Parquet,
}

/// Which file is read, for its errors.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) place: Place,
    is_packed: bool,
}

impl Origin {
    /// A file that is unpacked as it is read.
    pub(super) fn packed(place: Place) -> Self {
        Self {
            place,
            is_packed: true,
        }
    }

    /// What a failed read means.
    pub(super) fn broken(&self, error: io::Error) -> DataError {
        broken(&self.place, self.is_packed, error)
    }

    /// An error of the whole file.
    pub(super) fn fault(&self, fault: Fault) -> DataError {
        self.place.clone().fault(fault)
    }
}

/// A file that has been opened and looked at.
pub(super) struct Source {
    pub(super) origin: Origin,
    pub(super) format: Format,
    reader: Box<dyn BufRead>,
}

impl Source {
    /// Opens a file, and looks at its beginning.
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let place = Place::file(path);
        let file = File::open(path).map_err(|error| place.clone().fault(Fault::Open(error)))?;
        if file.metadata().is_ok_and(|data| data.is_dir()) {
            return Err(place.fault(Fault::Folder));
        }
        let mut file = BufReader::with_capacity(BUFFER, file);
        let packed = file.fill_buf();
        let packed = packed.map_err(|error| place.clone().fault(Fault::Read(error)))?;
        let is_packed = packed.starts_with(&[0x1f, 0x8b]);
        let mut reader: Box<dyn BufRead> = if is_packed {
            Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file)))
        } else {
            Box::new(file)
        };
        let start = take_magic(&mut reader).map_err(|error| broken(&place, is_packed, error))?;
        if start.is_empty() {
            return Err(place.fault(Fault::Empty));
        }
        let format = format(&start).map_err(|fault| place.clone().fault(fault))?;
        if let Some(expected) = misnamed(path, format) {
            let found = start.escape_ascii().to_string();
            return Err(place.fault(Fault::Magic { expected, found }));
        }
        if is_packed && matches!(format, Format::Npz | Format::Parquet) {
            return Err(place.fault(Fault::PackedArchive));
        }
        // What was looked at is read again.
        let reader = Box::new(BufReader::with_capacity(
            BUFFER,
            Cursor::new(start).chain(reader),
        ));
        Ok(Self {
            origin: Origin { place, is_packed },
            format,
            reader,
        })
    }

    /// The path of the file.
    pub(super) fn path(&self) -> PathBuf {
        self.origin.place.path.clone()
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

/// Reads to the end of the buffer or of the file: the number of bytes.
pub(super) fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The first bytes, taken away.
fn take_magic(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = vec![0; MAGIC];
    let count = fill(reader, &mut start)?;
    start.truncate(count);
    Ok(start)
}

fn broken(place: &Place, is_packed: bool, error: io::Error) -> DataError {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    let is_damage = matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof);
    let fault = if is_packed && is_damage {
        Fault::Gzip(error)
    } else {
        Fault::Read(error)
    };
    place.clone().fault(fault)
}

fn format(start: &[u8]) -> Result<Format, Fault> {
    Ok(match start {
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Format::Npy,
        [b'P', b'K', 3 | 5, ..] => Format::Npz,
        [0, 0, 8..=14, 1..=9, ..] => Format::Idx,
        [b'P', b'A', b'R', b'1', ..] if cfg!(feature = "parquet") => Format::Parquet,
        [b'P', b'A', b'R', b'1', ..] => {
            return Err(Fault::Foreign(
                "Parquet, which this program was built without",
            ));
        }
        [0x1f, 0x8b, ..] => return Err(Fault::PackedTwice),
        [0x89, b'H', b'D', b'F', ..] => return Err(Fault::Foreign("HDF5")),
        [0x80, 2..=5, ..] => return Err(Fault::Foreign("a Python pickle")),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Err(Fault::NotUtf8),
        _ => Format::Text,
    })
}

/// What the name of the file says, where its content is another.
fn misnamed(path: &Path, format: Format) -> Option<&'static str> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let (expected, says) = if name.ends_with(".npy") {
        (Format::Npy, ".npy")
    } else if name.ends_with(".npz") {
        (Format::Npz, ".npz")
    } else if name.ends_with(".parquet") {
        (Format::Parquet, "Parquet")
    } else if name.ends_with("-ubyte") || name.ends_with(".idx") {
        (Format::Idx, "IDX")
    } else {
        return None;
    };
    (format != expected).then_some(says)
}
