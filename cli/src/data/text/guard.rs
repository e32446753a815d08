//! Text that ends its lines, and its rows in time.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read};
use std::rc::Rc;

/// Bytes within which a row must end; one that does not has a quotation that is not closed.
pub(super) const LONGEST_ROW: usize = 64 << 20;

/// A reader that refuses rows without end, and ends the last line where the file does not.
pub(super) struct Guarded<R> {
    reader: R,
    since_row: Rc<Cell<usize>>,
    last: u8,
    /// What ends a row.
    end: u8,
}

impl<R: Read> Guarded<R> {
    /// The reader, and the bytes since a row ended, for the caller to clear. Rows end with a byte
    /// `end`.
    pub(super) fn new(reader: R, end: u8) -> (Self, Rc<Cell<usize>>) {
        let since_row = Rc::new(Cell::new(0));
        let guarded = Self {
            reader,
            since_row: Rc::clone(&since_row),
            last: b'\n',
            end,
        };
        (guarded, since_row)
    }
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_row.get() > LONGEST_ROW {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let mut count = self.reader.read(buffer)?;
        if count == 0 && !matches!(self.last, b'\n' | b'\r') && !buffer.is_empty() {
            buffer[0] = self.end;
            count = 1;
        }
        if count > 0 {
            self.last = buffer[count - 1];
        }
        self.since_row.set(self.since_row.get() + count);
        Ok(count)
    }
}
