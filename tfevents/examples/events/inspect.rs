//! What a run holds.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::Metadata;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use tfevents::reader::{Content, Event, ReadError, Reader, Session, TensorValue, Value};

use crate::printable::printable;
use crate::{Outcome, Run};

/// Points of one tag and one kind.
#[derive(Debug)]
struct Series {
    count: u64,
    first_step: i64,
    last_step: i64,
    first_wall_time: f64,
    last_wall_time: f64,
}

#[derive(Debug, Default)]
struct Contents {
    /// By tag and kind.
    series: BTreeMap<(String, String), Series>,
    graphs: u64,
    starts: u64,
    damages: Vec<String>,
}

/// Prints what the runs hold.
pub(crate) fn inspect(runs: &[Run]) -> Result<Outcome, Box<dyn Error>> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut outcome = Outcome::Sound;
    for (index, run) in runs.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        let mut reader = Reader::open(&run.path)?;
        let contents = Contents::read(&mut reader)?;
        writeln!(out, "run {}", printable(&run.name))?;
        for (file, bytes) in files(&run.path)? {
            writeln!(out, "  file {file}, {bytes} bytes")?;
        }
        contents.print(&mut out)?;
        if let Some((path, tail)) = reader.tail() {
            let (end, torn) = (tail.offset, tail.torn_bytes);
            let file = file_name(path);
            writeln!(
                out,
                "  torn tail: {file}, byte {end}: {torn} bytes of a record that is not complete"
            )?;
        }
        if !contents.damages.is_empty() {
            outcome = Outcome::Damaged;
        }
    }
    out.flush()?;
    Ok(outcome)
}

/// Names and sizes of the event files of a run, or of the one file that it is.
fn files(run: &Path) -> io::Result<Vec<(String, u64)>> {
    if run.is_file() {
        return Ok(vec![(file_name(run), run.metadata()?.len())]);
    }
    let mut files = Vec::new();
    for entry in run.read_dir()? {
        let path = entry?.path();
        let name = file_name(&path);
        // A link that leads nowhere is no file.
        let metadata = path.metadata().ok().filter(Metadata::is_file);
        if let Some(metadata) = metadata.filter(|_| name.contains("tfevents")) {
            files.push((name, metadata.len()));
        }
    }
    files.sort();
    Ok(files)
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    printable(&name.to_string_lossy())
}

impl Contents {
    fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        let mut contents = Self::default();
        loop {
            match reader.next_event() {
                Ok(Some(event)) => contents.add(event),
                Ok(None) => return Ok(contents),
                Err(ReadError::Damaged { path, damage, .. }) => {
                    contents
                        .damages
                        .push(format!("{}, {damage}", file_name(&path)));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn add(&mut self, event: Event) {
        match event.content {
            Content::Graph(_) => self.graphs += 1,
            Content::Session(Session::Start) => self.starts += 1,
            Content::Summary(values) => {
                for value in values {
                    let series = self.series.entry((value.tag, kind(&value.value)));
                    let series = series.or_insert(Series {
                        count: 0,
                        first_step: event.step,
                        last_step: event.step,
                        first_wall_time: event.wall_time,
                        last_wall_time: event.wall_time,
                    });
                    series.count += 1;
                    series.last_step = event.step;
                    series.last_wall_time = event.wall_time;
                }
            }
            _ => {}
        }
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let tags = self
            .series
            .keys()
            .map(|(tag, _)| printable(tag).chars().count());
        let kinds = self.series.keys().map(|(_, kind)| kind.chars().count());
        let (tag_width, kind_width) = (tags.max().unwrap_or(0), kinds.max().unwrap_or(0));
        for ((tag, kind), series) in &self.series {
            let tag = printable(tag);
            let Series {
                count,
                first_step,
                last_step,
                ..
            } = series;
            let points = if *count == 1 { "point, " } else { "points," };
            let seconds = series.last_wall_time - series.first_wall_time;
            writeln!(
                out,
                "  {tag:tag_width$}  {kind:kind_width$}  {count:>8} {points} steps {first_step} to {last_step}, {seconds:.1} s"
            )?;
        }
        if self.series.is_empty() {
            writeln!(out, "  no points")?;
        }
        for (count, what) in [
            (self.graphs, "graphs"),
            (self.starts, "starts of a session"),
        ] {
            if count > 0 {
                writeln!(out, "  {what}: {count}")?;
            }
        }
        for damage in &self.damages {
            writeln!(out, "  DAMAGE: {damage}")?;
        }
        Ok(())
    }
}

/// What a value is, in a word or two.
pub(crate) fn kind(value: &Value) -> String {
    match value {
        Value::Scalar(_) | Value::Scalar64(_) => "scalar".into(),
        Value::Histogram(_) => "histogram".into(),
        Value::Image(_) => "image".into(),
        Value::Text(_) => "text".into(),
        Value::Plugin(plugin) => printable(&plugin.name),
        Value::Tensor(tensor) => kind_of_tensor(tensor),
        _ => "other".into(),
    }
}

fn kind_of_tensor(tensor: &TensorValue) -> String {
    if tensor.plugin.name.is_empty() {
        "tensor".into()
    } else {
        printable(&tensor.plugin.name)
    }
}
