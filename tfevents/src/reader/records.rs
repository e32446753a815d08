//! Records of a stream: both checksums verified, nothing held but the record at hand.

use std::io::{self, Read};

use super::damage::{Damage, DamageKind, RecordError, Tail};
use super::event::Event;
use crate::checksum::masked_crc32c;

/// The length and its checksum.
const HEADER_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;
/// Room for what is read ahead. A longer record gets more as its bytes arrive.
const READ_AHEAD_BYTES: usize = 64 << 10;

/// The records of an event file, from any [`Read`].
///
/// Where the source has no more bytes, [`next_record`](Self::next_record) returns `None`; when it
/// has grown, the same call goes on, also in the middle of a record. Memory: at most 64 KiB, or
/// twice the bytes of the longest record that are there. A length is believed once its checksum
/// agrees, and even then room is made only as bytes arrive.
///
/// ```
/// use tfevents::reader::RecordReader;
///
/// // A record of one byte, and the beginning of another.
/// let bytes = b"\x01\0\0\0\0\0\0\0\x01\x75\xde\x41a\x78\x6e\xe4\x28\x07\0";
/// let mut records = RecordReader::new(bytes.as_slice());
/// let record = records.next_record()?.unwrap();
/// assert_eq!((record.offset, record.data), (0, b"a".as_slice()));
///
/// assert!(records.next_record()?.is_none());
/// let tail = records.tail().unwrap();
/// assert_eq!((tail.offset, tail.torn_bytes), (17, 2));
/// # Ok::<(), tfevents::reader::RecordError>(())
/// ```
#[derive(Debug)]
pub struct RecordReader<R> {
    source: R,
    /// What has been read and not yet handed out is `buffer[begin..end]`.
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    /// Of `begin`, in the source.
    offset: u64,
    /// A length was damaged: there is no way to go on.
    lost: bool,
}

/// The data of a record, as they stand in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// Bytes of the source before the record.
    pub offset: u64,
    /// An `Event` in the encoding of protocol buffers: [`Event::decode`].
    pub data: &'a [u8],
}

impl<R: Read> RecordReader<R> {
    /// Reads the records of `source`, from where it stands. It needs no buffer of its own.
    pub fn new(source: R) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            begin: 0,
            end: 0,
            offset: 0,
            lost: false,
        }
    }

    /// The next record whose checksums agree; `None` where the source has no whole one for now.
    ///
    /// # Errors
    ///
    /// [`RecordError::Io`] when the source fails (an interrupted read is repeated); the next call
    /// tries again. [`RecordError::Damaged`] with [`DamageKind::Length`] or [`DamageKind::Data`];
    /// behind the former comes nothing but `None`.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, RecordError> {
        if self.lost || !self.buffered(HEADER_BYTES)? {
            return Ok(None);
        }
        let Some(length) = checked_length(self.pending()) else {
            self.lost = true;
            return Err(self.damage(DamageKind::Length));
        };
        let data_end = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .saturating_add(HEADER_BYTES);
        let record_end = data_end.saturating_add(CHECKSUM_BYTES);
        if !self.buffered(record_end)? {
            return Ok(None);
        }
        let data = &self.pending()[HEADER_BYTES..data_end];
        let checksum = &self.pending()[data_end..record_end];
        if masked_crc32c(data).to_le_bytes() != *checksum {
            let error = self.damage(DamageKind::Data { length });
            self.advance(record_end);
            return Err(error);
        }
        let (begin, offset) = (self.begin, self.offset);
        self.advance(record_end);
        Ok(Some(Record {
            offset,
            data: &self.buffer[begin..][HEADER_BYTES..data_end],
        }))
    }

    /// The next event; `None` where the source has no whole one for now.
    ///
    /// # Errors
    ///
    /// Those of [`next_record`](Self::next_record), and [`RecordError::Damaged`] with
    /// [`DamageKind::Message`] for a record that is no event; the next call goes on behind it.
    pub fn next_event(&mut self) -> Result<Option<Event>, RecordError> {
        let Some(record) = self.next_record()? else {
            return Ok(None);
        };
        match Event::decode(record.data) {
            Ok(event) => Ok(Some(event)),
            Err(malformed) => Err(RecordError::Damaged(Damage {
                offset: record.offset,
                kind: DamageKind::Message(malformed),
            })),
        }
    }

    /// The bytes of a record that has not arrived as a whole, if there are any: what is left of a
    /// crash, once nothing more comes.
    pub fn tail(&self) -> Option<Tail> {
        let torn_bytes = (self.end - self.begin) as u64;
        (torn_bytes > 0 && !self.lost).then_some(Tail {
            offset: self.offset,
            torn_bytes,
        })
    }

    /// Bytes of the source up to the end of the last whole record.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn damage(&self, kind: DamageKind) -> RecordError {
        RecordError::Damaged(Damage {
            offset: self.offset,
            kind,
        })
    }

    fn pending(&self) -> &[u8] {
        &self.buffer[self.begin..self.end]
    }

    fn advance(&mut self, bytes: usize) {
        self.begin += bytes;
        self.offset += bytes as u64;
    }

    /// Reads until `bytes` bytes are pending; false when the source has no more for now.
    fn buffered(&mut self, bytes: usize) -> Result<bool, RecordError> {
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
        while self.end - self.begin < bytes {
            self.make_room();
            let room = &mut self.buffer[self.end..];
            match self.source.read(room) {
                Ok(0) => return Ok(false),
                // A source that claims more than it was given room for is wrong, but not our ruin.
                Ok(read) => self.end += read.min(room.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    let offset = self.offset + self.pending().len() as u64;
                    return Err(RecordError::Io { offset, source });
                }
            }
        }
        Ok(true)
    }

    /// Only a record that fills the whole buffer makes it grow: it never exceeds twice the bytes
    /// that are there.
    fn make_room(&mut self) {
        if self.end < self.buffer.len() {
            return;
        }
        if self.begin > 0 {
            self.buffer.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.begin = 0;
        } else {
            let length = READ_AHEAD_BYTES.max(2 * self.buffer.len());
            self.buffer.reserve_exact(length - self.buffer.len());
            self.buffer.resize(length, 0);
        }
    }
}

fn checked_length(pending: &[u8]) -> Option<u64> {
    let (length, rest) = pending.split_first_chunk()?;
    let checksum = rest.first_chunk()?;
    (masked_crc32c(length).to_le_bytes() == *checksum).then(|| u64::from_le_bytes(*length))
}
