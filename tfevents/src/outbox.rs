//! Bytes on their way to a sink.

use std::io::{self, Write};

/// The bytes go to the sink when so many have come together.
pub(super) const WRITE_OUT_BYTES: usize = 64 * 1024;
/// No more than about so many wait in a buffer, however slow the sink is, and if it fails.
pub(super) const CAPACITY_BYTES: usize = 1024 * 1024;

/// Bytes that a sink is to take in order, each exactly once, however many calls and failures that
/// needs.
#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) bytes: Vec<u8>,
    /// So many of them the sink has taken.
    sent: usize,
}

impl Outbox {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, sent: 0 }
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Writes what waits. After an error the rest still waits: the next call continues where the
    /// sink left off.
    pub(super) fn write_to(&mut self, sink: &mut impl Write) -> io::Result<()> {
        while self.waiting_bytes() > 0 {
            let rest = &self.bytes[self.sent..];
            match uninterrupted(|| sink.write(rest))? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                // A sink that claims more than it was offered is at fault, but not worth a panic.
                taken => self.sent += taken.min(self.waiting_bytes()),
            }
        }
        self.bytes.clear();
        self.sent = 0;
        Ok(())
    }

    /// Gives back the memory of what has been sent, for an outbox that is appended to while it
    /// waits.
    pub(super) fn forget_sent(&mut self) {
        self.bytes.drain(..self.sent);
        self.sent = 0;
    }
}

/// Repeats a call that a signal interrupted.
pub(super) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
