//! What a run holds: its files, and of each tag how many points.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::damage::ReadError;
use super::directory::Reader;
use super::event::{Content, Event, Session};
use super::printable::printable;
use super::runs::{is_event_file, runs};

/// A run, and how it is called.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRun {
    /// Its path below the directory that was asked for, `.` for that itself.
    pub name: String,
    /// Its directory, or the one event file that it is.
    pub path: PathBuf,
}

/// The runs at `path`: the one event file that it is, or those in the directory and below it, as
/// [`runs`] finds them. None where there is no event file.
///
/// # Errors
/// [`ReadError::List`] where there is nothing at `path`, or a directory cannot be listed.
pub fn named_runs(path: impl AsRef<Path>) -> Result<Vec<NamedRun>, ReadError> {
    let path = path.as_ref();
    if path.is_file() {
        return Ok(vec![NamedRun {
            name: path.display().to_string(),
            path: path.to_owned(),
        }]);
    }
    let named = |run: PathBuf| {
        let below = run.strip_prefix(path).unwrap_or(&run).display().to_string();
        let name = if below.is_empty() {
            String::from(".")
        } else {
            below
        };
        NamedRun { name, path: run }
    };
    runs(path).map(|run| run.map(named)).collect()
}

/// What a run holds. It displays as lines that begin with two spaces, with whatever could move the
/// cursor of a terminal escaped.
///
/// ```
/// use tfevents::Writer;
/// use tfevents::reader::Overview;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let temporary = tempfile::tempdir()?;
/// # let run = temporary.path().join("run-1");
/// let writer = Writer::create(&run)?;
/// writer.scalar("loss", 7, 0.5);
/// writer.scalar("loss", 9, 0.25);
/// writer.close()?;
///
/// let overview = Overview::read(&run)?;
/// let loss = &overview.series[0];
/// assert_eq!((loss.tag.as_str(), loss.kind.as_str(), loss.points), ("loss", "scalar", 2));
/// assert_eq!((loss.first_step, loss.last_step), (7, 9));
/// assert!(overview.to_string().contains("steps 7 to 9"));
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overview {
    /// Names and bytes of the event files, by name.
    pub files: Vec<(String, u64)>,
    /// The points of each tag and kind, by tag.
    pub series: Vec<Series>,
    /// How many graphs there are.
    pub graphs: u64,
    /// How often a session was started.
    pub starts: u64,
    /// What is damaged: the name of the file, the place and how.
    pub damages: Vec<String>,
    /// The record at the end of the last file that is not complete: name of the file, where it
    /// begins, and how many bytes are there. It may be in the writing.
    pub torn: Option<(String, u64, u64)>,
}

/// Points of one tag and one kind.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The tag.
    pub tag: String,
    /// [`Value::kind`](super::Value::kind) of its values.
    pub kind: String,
    /// How many there are.
    pub points: u64,
    /// Step of the first of them.
    pub first_step: i64,
    /// Step of the last of them.
    pub last_step: i64,
    /// When the first was logged, in seconds since 1970.
    pub first_wall_time: f64,
    /// When the last was logged.
    pub last_wall_time: f64,
}

impl Overview {
    /// Reads a run to its end: a directory, or one event file.
    ///
    /// # Errors
    /// [`ReadError`] except for damage, which is in [`Self::damages`].
    pub fn read(run: impl AsRef<Path>) -> Result<Self, ReadError> {
        let run = run.as_ref();
        let mut overview = Self::default();
        let (mut reader, mut series) = (Reader::open(run)?, BTreeMap::new());
        loop {
            match reader.next_event() {
                Ok(Some(event)) => overview.add(event, &mut series),
                Ok(None) => break,
                Err(ReadError::Damaged { path, damage, .. }) => {
                    let damage = format!("{}, {damage}", file_name(&path));
                    overview.damages.push(damage);
                }
                Err(error) => return Err(error),
            }
        }
        overview.series = series.into_values().collect();
        overview.files = files(run).map_err(|source| ReadError::List {
            directory: run.to_owned(),
            source,
        })?;
        overview.torn = reader
            .tail()
            .map(|(path, tail)| (file_name(path), tail.offset, tail.torn_bytes));
        Ok(overview)
    }

    fn add(&mut self, event: Event, series: &mut BTreeMap<(String, String), Series>) {
        match event.content {
            Content::Graph(_) => self.graphs += 1,
            Content::Session(Session::Start) => self.starts += 1,
            Content::Summary(values) => {
                for value in values {
                    let kind = value.value.kind();
                    let key = (value.tag.clone(), kind.clone());
                    let series = series.entry(key).or_insert(Series {
                        tag: value.tag,
                        kind,
                        points: 0,
                        first_step: event.step,
                        last_step: event.step,
                        first_wall_time: event.wall_time,
                        last_wall_time: event.wall_time,
                    });
                    series.points += 1;
                    series.last_step = event.step;
                    series.last_wall_time = event.wall_time;
                }
            }
            _ => {}
        }
    }
}

impl fmt::Display for Overview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (file, bytes) in &self.files {
            writeln!(f, "  file {}, {bytes} bytes", printable(file))?;
        }
        self.fmt_series(f)?;
        for (count, what) in [
            (self.graphs, "graphs"),
            (self.starts, "starts of a session"),
        ] {
            if count > 0 {
                writeln!(f, "  {what}: {count}")?;
            }
        }
        for damage in &self.damages {
            writeln!(f, "  DAMAGE: {}", printable(damage))?;
        }
        if let Some((file, end, bytes)) = &self.torn {
            let file = printable(file);
            writeln!(
                f,
                "  torn tail: {file}, byte {end}: {bytes} bytes of a record that is not complete"
            )?;
        }
        Ok(())
    }
}

impl Overview {
    fn fmt_series(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags: Vec<_> = self.series.iter().map(|s| printable(&s.tag)).collect();
        let kinds: Vec<_> = self.series.iter().map(|s| printable(&s.kind)).collect();
        let widest = |words: &[String]| words.iter().map(|word| word.chars().count()).max();
        let (tag_width, kind_width) = (widest(&tags).unwrap_or(0), widest(&kinds).unwrap_or(0));
        for ((tag, kind), series) in tags.iter().zip(&kinds).zip(&self.series) {
            let Series {
                points: count,
                first_step,
                last_step,
                ..
            } = series;
            let points = if *count == 1 { "point, " } else { "points," };
            let seconds = series.last_wall_time - series.first_wall_time;
            writeln!(
                f,
                "  {tag:tag_width$}  {kind:kind_width$}  {count:>8} {points} steps {first_step} to {last_step}, {seconds:.1} s"
            )?;
        }
        if self.series.is_empty() {
            writeln!(f, "  no points")?;
        }
        Ok(())
    }
}

/// Names and sizes of the event files of a run, or of the one file that it is.
fn files(run: &Path) -> io::Result<Vec<(String, u64)>> {
    if run.is_file() {
        return Ok(vec![(file_name(run), run.metadata()?.len())]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(run)? {
        let entry = entry?;
        if is_event_file(&entry) {
            let bytes = fs::metadata(entry.path())?.len();
            files.push((file_name(&entry.path()), bytes));
        }
    }
    files.sort();
    Ok(files)
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
