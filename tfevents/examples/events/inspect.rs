//! What a run holds.

use std::error::Error;
use std::io::{self, BufWriter, Write};

use tfevents::reader::{NamedRun, Overview, printable};

use crate::Outcome;

/// Prints what the runs hold.
pub(crate) fn inspect(runs: &[NamedRun]) -> Result<Outcome, Box<dyn Error>> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut outcome = Outcome::Sound;
    for (index, run) in runs.iter().enumerate() {
        let overview = Overview::read(&run.path)?;
        let between = if index > 0 { "\n" } else { "" };
        write!(out, "{between}run {}\n{overview}", printable(&run.name))?;
        if !overview.damages.is_empty() {
            outcome = Outcome::Damaged;
        }
    }
    out.flush()?;
    Ok(outcome)
}
