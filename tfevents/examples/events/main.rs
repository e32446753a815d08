//! Looks into event files: `cargo run --release -p tfevents --example events -- inspect runs`, and `… export runs --csv scalars.csv`.
//!
//! Whoever wrote them: this crate, PyTorch, TensorFlow.

mod export;
mod inspect;

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tfevents::reader::{NamedRun, named_runs};

/// Looks into TensorBoard event files.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints the files, tags, counts and steps of every run, and the damage found.
    ///
    /// The status is 0 if everything could be read, 3 if there is damage, 1 for any other error and 2 for wrong arguments. A record
    /// that is not complete at the end of the last file of a run is said but is no damage: it may be in the writing.
    Inspect {
        /// Directory with runs in it or below it, or one event file
        path: PathBuf,
    },
    /// Writes all scalars as CSV: run, tag, step, wall_time, value.
    ///
    /// Values have the fewest digits that lead back to the same number. What is no scalar is left out, and said on standard error, as
    /// is damage. The status is that of `inspect`.
    Export {
        /// Directory with runs in it or below it, or one event file
        path: PathBuf,
        /// As comma-separated values, the only format; to FILE, or to standard output
        #[arg(long, value_name = "FILE", required = true)]
        csv: Option<Option<PathBuf>>,
    },
}

/// How a command ends that has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Sound,
    Damaged,
}

fn runs_at(path: &Path) -> Result<Vec<NamedRun>, Box<dyn Error>> {
    let runs = named_runs(path)?;
    if runs.is_empty() {
        let told = "there is no event file (a name that contains `tfevents`) in it or below it";
        return Err(format!("{}: {told}", path.display()).into());
    }
    Ok(runs)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Command::Inspect { path } => runs_at(path).and_then(|runs| inspect::inspect(&runs)),
        Command::Export { path, csv } => {
            let target = csv.iter().flatten().next();
            runs_at(path).and_then(|runs| export::export(&runs, target.map(PathBuf::as_path)))
        }
    };
    match result {
        Ok(Outcome::Sound) => ExitCode::SUCCESS,
        Ok(Outcome::Damaged) => ExitCode::from(3),
        // Whoever reads our output has seen enough.
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

fn complain(error: &dyn Error) {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let of_csv = error.downcast_ref::<csv::Error>().map(csv::Error::kind);
    let error = match of_csv {
        Some(csv::ErrorKind::Io(error)) => Some(error),
        _ => error.downcast_ref::<io::Error>(),
    };
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
