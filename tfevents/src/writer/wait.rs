//! The calls that wait for the thread: what has been handed in is written, on the device, there
//! again, or complete.

use std::fs;
use std::mem;
use std::sync::Arc;

use super::closed::Closed;
use super::{Files, Handle, Writer};
use crate::error::{CreateError, WriteError};
use crate::lock::lock_directory;
use crate::mutex::lock;
use crate::name;
use crate::steps::BackwardSteps;

impl Writer {
    /// Hands everything to the operating system: when this returns `Ok`, readers see it, and a
    /// killed process loses nothing of it. See [`sync`](Self::sync) for power cuts.
    ///
    /// # Errors
    /// - [`WriteError::Sink`]: the sink failed. Everything is kept and tried again; call this to
    ///   try at once.
    /// - [`WriteError::Refused`]: events were refused since the last call; the others are written.
    /// - [`WriteError::Gone`]: everything is written, but the file no longer stands where it was
    ///   made. [`restore`](Self::restore) makes it again.
    /// - [`WriteError::Closed`], [`WriteError::Panicked`], [`WriteError::InCallback`].
    pub fn flush(&self) -> Result<(), WriteError> {
        let group = self.handle.each_curve(Writer::flush);
        let written = self.handle.shared.flush();
        written.and_then(|()| self.handle.check_file()).and(group)
    }

    /// Flushes, and returns when the operating system says that the bytes are on the device, and
    /// the file's name in its directory, where a power cut does no harm to them. (fdatasync(2) of
    /// the file, fsync(2) of the directory.)
    ///
    /// This takes milliseconds. It is meant for checkpoints, not for every step.
    ///
    /// # Errors
    /// As [`flush`](Self::flush); [`WriteError::Sync`].
    pub fn sync(&self) -> Result<(), WriteError> {
        self.handle.each_curve(Writer::sync)?;
        self.handle.shared.flush()?;
        self.handle.check_file()?;
        let file = lock(&self.handle.files).file.clone();
        let Some(file) = file else {
            return Ok(());
        };
        file.sync().map_err(|error| WriteError::Sync {
            place: self.handle.shared.place.clone(),
            source: Arc::new(error),
        })
    }

    /// Makes an event file again that was removed or moved, at the same path, with everything that
    /// was ever written to it, and goes on there. The directory is made again too, and locked.
    ///
    /// The operating system keeps a file without a name as long as it is open, so this is possible
    /// until the writer is closed, and copies the whole file. Nothing is done by itself, since
    /// whoever removes a directory mostly means it. Where the file is in its place, and where there
    /// is none, this does nothing.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use tfevents::{WriteError, Writer};
    ///
    /// # let temporary = tempfile::tempdir()?;
    /// # let directory = temporary.path().join("run-1");
    /// let events = Writer::create(&directory)?;
    /// events.scalar("loss", 0, 0.5);
    /// std::fs::remove_dir_all(&directory)?; // somebody tidies up
    /// if let Err(WriteError::Gone { .. }) = events.flush() {
    ///     events.restore()?;
    /// }
    /// events.close()?;
    /// # assert_eq!(tfevents::Reader::open(&directory)?.next_point()?.unwrap().tag, "loss");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`WriteError::Restore`]: the file or its directory cannot be made, another file stands in
    ///   its place, or another writer has the directory now ([`CreateError::InUse`]). The writer
    ///   goes on as before, and this can be called again.
    /// - [`WriteError::Closed`], [`WriteError::Panicked`].
    pub fn restore(&self) -> Result<(), WriteError> {
        let group = self.handle.each_curve(Writer::restore);
        self.handle.restore_file().and(group)
    }

    /// Writes out everything and closes the file, for all clones: what they hand in afterwards is
    /// not kept. Returns what there is to say about it all.
    ///
    /// # Errors
    /// As [`flush`](Self::flush), but [`WriteError::Refused`] counts all events that were ever
    /// refused: `Ok` means that the file is complete. What a failing sink did not take is lost, and
    /// so is what was written to a file that has no name any more; call [`flush`](Self::flush)
    /// first if you mean to retry, or to [`restore`](Self::restore).
    pub fn close(self) -> Result<Closed, WriteError> {
        self.handle.shared.check()?;
        self.handle.close()
    }

    /// The tags whose steps went backwards so far: what [`close`](Self::close) returns, while the
    /// writer is open or where it could not be closed well.
    #[must_use]
    pub fn backwards(&self) -> Vec<BackwardSteps> {
        let shared = &self.handle.shared;
        let mut backwards = shared.lock().steps.backwards(&shared.place);
        for curve in lock(&self.handle.group).curves() {
            backwards.extend(curve.backwards());
        }
        backwards
    }
}

impl Handle {
    pub(super) fn close(&self) -> Result<Closed, WriteError> {
        let group = mem::take(&mut *lock(&self.group));
        let curves: Vec<_> = group.into_curves().map(Writer::close).collect();
        self.shared.ask_to_close();
        let thread = lock(&self.thread).take();
        // A thread cannot wait for itself, but it will end.
        if let Some(thread) = thread.filter(|it| it.thread().id() != std::thread::current().id()) {
            // Its panic is known by the phase.
            let _ = thread.join();
        }
        let file = self.check_file();
        *lock(&self.files) = Files::default();
        let mut closed = self.shared.outcome_of_all()?;
        file?;
        for curve in curves {
            closed.add(curve?);
        }
        closed.warn();
        Ok(closed)
    }

    /// # Errors
    /// [`WriteError::Gone`].
    fn check_file(&self) -> Result<(), WriteError> {
        let file = lock(&self.files).file.clone();
        file.map_or(Ok(()), |file| file.check())
    }

    fn restore_file(&self) -> Result<(), WriteError> {
        self.shared.check_open(&self.shared.lock())?;
        let mut files = lock(&self.files);
        self.restore_in(&mut files)
            .map_err(|error| WriteError::Restore {
                source: Arc::new(error),
            })
    }

    fn restore_in(&self, files: &mut Files) -> Result<(), CreateError> {
        let Some(file) = files.file.clone() else {
            return Ok(());
        };
        if file.check().is_ok() {
            return Ok(());
        }
        let directory = file.directory();
        fs::create_dir_all(directory).map_err(|error| name::at(directory, error))?;
        let is_locked = files.lock.as_ref().is_some_and(|it| it.is_of(directory));
        if !self.settings.allow_others && !is_locked {
            files.lock = None;
            files.lock = lock_directory(directory)?;
        }
        file.restore()
    }

    /// Calls all curves of the group, without the lock, and returns the first error.
    fn each_curve(
        &self,
        call: impl Fn(&Writer) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let curves = lock(&self.group).curves();
        curves.iter().map(call).fold(Ok(()), Result::and)
    }
}
