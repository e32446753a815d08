//! The scalars of runs as comma-separated values.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use tfevents::reader::{ReadError, Reader, Value};

use crate::inspect::kind;
use crate::{Outcome, Run};

/// Writes the scalars of `runs` to the file `target`, or to standard output.
pub(crate) fn export(runs: &[Run], target: Option<&Path>) -> Result<Outcome, Box<dyn Error>> {
    let mut left_out = BTreeMap::new();
    let outcome = match target {
        None => write(runs, io::stdout().lock(), &mut left_out)?,
        Some(path) => {
            let file = File::create(path);
            let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
            write(runs, file, &mut left_out)?
        }
    };
    for (kind, count) in left_out {
        eprintln!("left out: {count} of the kind {kind}, which is no scalar");
    }
    Ok(outcome)
}

fn write(
    runs: &[Run],
    sink: impl Write,
    left_out: &mut BTreeMap<String, u64>,
) -> Result<Outcome, Box<dyn Error>> {
    // It has a buffer of its own.
    let mut rows = csv::Writer::from_writer(sink);
    rows.write_record(["run", "tag", "step", "wall_time", "value"])?;
    let mut outcome = Outcome::Sound;
    for run in runs {
        let mut reader = Reader::open(&run.path)?;
        loop {
            match reader.next_point() {
                Ok(None) => break,
                Ok(Some(point)) => match digits(&point.value) {
                    Some(value) => {
                        let (step, wall_time) =
                            (point.step.to_string(), format!("{:?}", point.wall_time));
                        rows.write_record([&run.name, &point.tag, &step, &wall_time, &value])?;
                    }
                    None => *left_out.entry(kind(&point.value)).or_default() += 1,
                },
                Err(error @ ReadError::Damaged { .. }) => {
                    outcome = Outcome::Damaged;
                    eprintln!("damage: {error}");
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    rows.flush()?;
    Ok(outcome)
}

/// The fewest digits that lead back to the same number of the same precision.
fn digits(value: &Value) -> Option<String> {
    match value {
        Value::Scalar(value) => Some(format!("{value:?}")),
        Value::Scalar64(value) => Some(format!("{value:?}")),
        _ => None,
    }
}
