//! Text that ends its lines, and its rows in time.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read};
use std::rc::Rc;

use csv::ByteRecord;

/// Bytes within which a row must end; one that does not has a quotation that is not closed.
pub(super) const LONGEST_ROW: usize = 64 << 20;

/// A reader that refuses rows without end, and marks the end of the file: behind the last line it
/// adds a row of one NUL, which no text holds, so that a quotation that is still open swallows it.
pub(super) struct Guarded<R> {
    reader: R,
    since_row: Rc<Cell<usize>>,
    mark: [u8; 3],
    marked: usize,
}

impl<R: Read> Guarded<R> {
    /// The reader, and the bytes since a row ended, for the caller to clear. Rows end with a byte
    /// `end`.
    pub(super) fn new(reader: R, end: u8) -> (Self, Rc<Cell<usize>>) {
        let since_row = Rc::new(Cell::new(0));
        let guarded = Self {
            reader,
            since_row: Rc::clone(&since_row),
            mark: [end, 0, end],
            marked: 0,
        };
        (guarded, since_row)
    }
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_row.get() > LONGEST_ROW {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let mut count = match self.marked {
            0 => self.reader.read(buffer)?,
            _ => 0,
        };
        if count == 0 {
            let mark = &self.mark[self.marked..];
            count = mark.len().min(buffer.len());
            buffer[..count].copy_from_slice(&mark[..count]);
            self.marked += count;
        }
        self.since_row.set(self.since_row.get() + count);
        Ok(count)
    }
}

/// What a record says of the end of the file.
pub(super) enum End {
    /// It is not there yet.
    Later,
    /// It is there.
    Here,
    /// It came within a quotation.
    Quoted,
}

/// Whether a record is the mark at the end, or holds it.
pub(super) fn end(record: &ByteRecord) -> End {
    match record.as_slice() {
        [0] if record.len() == 1 => End::Here,
        [.., 0, b'\n' | b'\r'] => End::Quoted,
        _ => End::Later,
    }
}
