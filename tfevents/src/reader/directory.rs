//! The events of a run: of one file, or of all files of a directory, one after the other.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::damage::{Damage, DamageKind, ReadError, RecordError, Tail};
use super::event::{Content, Event, Point};
use super::records::RecordReader;
use super::runs::is_event_file;

/// The events of a run, in the order in which TensorBoard reads them: its files by name, each from
/// the first record to the last.
///
/// At the end of what is there, [`next_event`](Self::next_event) and
/// [`next_point`](Self::next_point) return `None`. A later call goes on with what has been written
/// since: more bytes of the last file, a record of which a part was there, new files. As in
/// TensorBoard, a file is left once one with a greater name is there, and a new file with a smaller
/// name than the one at hand is not seen.
#[derive(Debug)]
pub struct Reader {
    /// Where to look for further files; a reader of one file has none.
    directory: Option<PathBuf>,
    current: Option<OpenFile>,
    /// The last file of the directory that was opened, or could not be. Files are taken in the
    /// order of their names.
    entered: Option<PathBuf>,
    /// Of the event at hand.
    points: VecDeque<Point>,
}

#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    records: RecordReader<File>,
}

impl OpenFile {
    fn open(path: PathBuf) -> Result<Self, ReadError> {
        match File::open(&path) {
            Ok(file) => Ok(Self {
                path,
                records: RecordReader::new(file),
            }),
            Err(source) => Err(ReadError::Open { path, source }),
        }
    }

    fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        let event = self.records.next_event();
        event.map_err(|error| ReadError::of_record(&self.path, error))
    }

    /// What is wrong with its end, now that nothing more comes.
    fn finish(self) -> Result<(), ReadError> {
        let Some(tail) = self.records.tail() else {
            return Ok(());
        };
        let damage = Damage {
            offset: tail.offset,
            kind: DamageKind::Torn {
                bytes: tail.torn_bytes,
            },
        };
        Err(ReadError::of_record(
            &self.path,
            RecordError::Damaged(damage),
        ))
    }
}

impl Reader {
    /// Reads the event file `path`, whatever its name, or the event files of the directory `path`:
    /// those whose names contain `tfevents`, without those of its sub-directories
    /// ([`runs`](super::runs) finds these). There need not be one yet.
    ///
    /// # Errors
    ///
    /// [`ReadError::Open`] if there is no such file or directory, or if the file cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let path = path.as_ref().to_owned();
        let mut reader = Self {
            directory: None,
            current: None,
            entered: None,
            points: VecDeque::new(),
        };
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => reader.directory = Some(path),
            Ok(_) => reader.current = Some(OpenFile::open(path)?),
            Err(source) => return Err(ReadError::Open { path, source }),
        }
        Ok(reader)
    }

    /// The next event of any kind; `None` where there is no whole one for now. Do not mix with
    /// [`next_point`](Self::next_point), which takes events apart.
    ///
    /// # Errors
    ///
    /// [`ReadError::Damaged`] once for each damaged place; the next call goes on behind it.
    /// [`ReadError::Open`] for a file that cannot be opened; the next call goes on with the file
    /// after it. [`ReadError::Io`] and [`ReadError::List`] when the system fails; the next call
    /// tries again.
    pub fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        loop {
            if let Some(event) = self.event_of_current()? {
                return Ok(Some(event));
            }
            let Some(path) = self.following_file()? else {
                return Ok(None);
            };
            // What was written between the end of this file and the beginning of the next one.
            if let Some(event) = self.event_of_current()? {
                return Ok(Some(event));
            }
            if let Some(left) = self.current.take() {
                left.finish()?;
            }
            self.entered = Some(path.clone());
            self.current = Some(OpenFile::open(path)?);
        }
    }

    /// The next value under a tag; `None` where there is none for now. Events without values are
    /// passed over.
    ///
    /// # Errors
    ///
    /// Those of [`next_event`](Self::next_event).
    pub fn next_point(&mut self) -> Result<Option<Point>, ReadError> {
        while self.points.is_empty() {
            let Some(event) = self.next_event()? else {
                return Ok(None);
            };
            let Event {
                wall_time,
                step,
                content,
            } = event;
            if let Content::Summary(values) = content {
                self.points.extend(values.into_iter().map(|value| Point {
                    wall_time,
                    step,
                    tag: value.tag,
                    value: value.value,
                }));
            }
        }
        Ok(self.points.pop_front())
    }

    /// The points that are there, with the damage between them. Ends where
    /// [`next_point`](Self::next_point) has none for now, and after an error that is not
    /// [`ReadError::Damaged`].
    pub fn points(&mut self) -> Points<'_> {
        Points {
            reader: self,
            failed: false,
        }
    }

    /// The file at hand; none before the first event of a directory.
    pub fn path(&self) -> Option<&Path> {
        Some(&self.current.as_ref()?.path)
    }

    /// The record at the end of the file at hand of which only a part is there. After the last
    /// event, what a crash has left, or what is being written now.
    pub fn tail(&self) -> Option<(&Path, Tail)> {
        let current = self.current.as_ref()?;
        Some((&current.path, current.records.tail()?))
    }

    fn event_of_current(&mut self) -> Result<Option<Event>, ReadError> {
        self.current.as_mut().map_or(Ok(None), OpenFile::next_event)
    }

    /// The event file of the directory with the least name that is greater than that of the file at
    /// hand.
    fn following_file(&self) -> Result<Option<PathBuf>, ReadError> {
        let Some(directory) = &self.directory else {
            return Ok(None);
        };
        let after = |path: &PathBuf| self.entered.as_ref().is_none_or(|last| path > last);
        let least = || -> io::Result<Option<PathBuf>> {
            let mut least = None;
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                let path = entry.path();
                let less = least.as_ref().is_none_or(|least| path < *least);
                if less && after(&path) && is_event_file(&entry) {
                    least = Some(path);
                }
            }
            Ok(least)
        };
        least().map_err(|source| ReadError::List {
            directory: directory.clone(),
            source,
        })
    }
}

/// The points of a [`Reader`]: see [`Reader::points`].
#[derive(Debug)]
pub struct Points<'a> {
    reader: &'a mut Reader,
    failed: bool,
}

impl Iterator for Points<'_> {
    type Item = Result<Point, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.reader.next_point();
        self.failed = matches!(&next, Err(error) if !matches!(error, ReadError::Damaged { .. }));
        next.transpose()
    }
}
