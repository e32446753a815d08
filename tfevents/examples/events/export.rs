//! The scalars of runs as comma-separated values.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use tfevents::reader::{NamedRun, Scalars, printable};

use crate::Outcome;

/// Writes the scalars of `runs` to the file `target`, or to standard output.
pub(crate) fn export(runs: &[NamedRun], target: Option<&Path>) -> Result<Outcome, Box<dyn Error>> {
    let Some(path) = target else {
        return write(runs, io::stdout().lock());
    };
    let file = File::create(path);
    let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
    write(runs, file)
}

fn write(runs: &[NamedRun], sink: impl Write) -> Result<Outcome, Box<dyn Error>> {
    // It has a buffer of its own.
    let mut rows = csv::Writer::from_writer(sink);
    rows.write_record(["run", "tag", "step", "wall_time", "value"])?;
    let (mut outcome, mut left_out) = (Outcome::Sound, BTreeMap::new());
    for run in runs {
        let mut scalars = Scalars::open(&run.path)?;
        while let Some(point) = scalars.next_scalar()? {
            let (step, wall_time) = (point.step.to_string(), format!("{:?}", point.wall_time));
            rows.write_record([&run.name, &point.tag, &step, &wall_time, &point.digits])?;
        }
        for damage in scalars.damages() {
            outcome = Outcome::Damaged;
            eprintln!("damage: {damage}");
        }
        for (kind, count) in scalars.left_out() {
            *left_out.entry(kind.clone()).or_insert(0) += count;
        }
    }
    rows.flush()?;
    for (kind, count) in left_out {
        let kind = printable(&kind);
        eprintln!("left out: {count} of the kind {kind}, which is no scalar");
    }
    Ok(outcome)
}
