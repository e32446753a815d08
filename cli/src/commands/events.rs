//! `events`: what TensorBoard event files hold, and their scalars as a table.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use wgpu_linear::events::reader::{
    NamedRun, Overview, ReadError, ScalarPoint, Scalars, named_runs, printable,
};

use crate::CliError;
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  wgpu-linear events inspect runs
  wgpu-linear events export runs scalars.csv";
const INSPECT_EXAMPLES: &str = "\
Examples:
  wgpu-linear events inspect runs
  wgpu-linear events inspect runs --tag loss
  wgpu-linear events inspect runs --json

Event files of other programs, such as PyTorch, will do. The exit code is 1
where something is damaged. A record that is not complete at the end of the last
file of a run is said but is no damage: it may be in the writing.";
const EXPORT_EXAMPLES: &str = "\
Examples:
  wgpu-linear events export runs
  wgpu-linear events export runs scalars.csv
  wgpu-linear events export runs --json scalars.json

Values have the fewest digits that lead back to the same number. What is no
scalar is left out, and said on standard error, as is damage; then the exit code
is 1. In JSON, what is not finite is null.";

/// Of which command.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints files, tags, counts and steps of every run, and the damage found
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect {
        /// Folder with runs in it or below it, or one event file
        path: PathBuf,
        /// Only tags that contain this
        #[arg(long)]
        tag: Option<String>,
    },
    /// Writes all scalars as a table: run, tag, step, wall_time, value
    #[command(after_help = EXPORT_EXAMPLES)]
    Export {
        /// Folder with runs in it or below it, or one event file
        path: PathBuf,
        /// File to write; one that is there is replaced [default: standard output]
        out: Option<PathBuf>,
        /// As comma-separated values, which is the default; --json writes one JSON object
        #[arg(long, conflicts_with = "json")]
        csv: bool,
        /// Only tags that contain this
        #[arg(long)]
        tag: Option<String>,
    },
}

/// Inspects or exports.
///
/// # Errors
/// [`CliError::Input`] where there is no event file, [`CliError::Failure`] where something is
/// damaged or cannot be read or written.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CliError> {
    match &arguments.command {
        Command::Inspect { path, tag } => inspect(path, tag.as_deref(), output),
        Command::Export { path, out, tag, .. } => {
            export(path, out.as_deref(), tag.as_deref(), output)
        }
    }
}

fn runs_at(path: &Path) -> Result<Vec<NamedRun>, CliError> {
    let shown = path.display();
    if !path.exists() {
        return Err(CliError::Input(format!(
            "{shown}: there is no such file or folder"
        )));
    }
    let runs = named_runs(path).map_err(|error| CliError::failure(&error))?;
    if runs.is_empty() {
        let told = "there is no event file (a name that contains `tfevents`) in it or below it";
        return Err(CliError::Input(format!("{shown}: {told}")));
    }
    Ok(runs)
}

fn inspect(path: &Path, tag: Option<&str>, output: Output) -> Result<(), CliError> {
    let (mut text, mut values, mut damaged) = (Vec::new(), Vec::new(), 0);
    for run in runs_at(path)? {
        let read = Overview::read(&run.path);
        let mut overview = read.map_err(|error| CliError::failure(&error))?;
        damaged += overview.damages.len();
        overview.series.retain(|series| takes(tag, &series.tag));
        text.push(format!("run {}\n{overview}", printable(&run.name)));
        values.push(as_json(&run, &overview));
    }
    output.result(&text.join("\n"), &json!({"runs": values}))?;
    complain(damaged)
}

fn takes(wanted: Option<&str>, tag: &str) -> bool {
    wanted.is_none_or(|wanted| tag.contains(wanted))
}

fn complain(damaged: usize) -> Result<(), CliError> {
    if damaged == 0 {
        return Ok(());
    }
    let places = if damaged == 1 {
        "place is"
    } else {
        "places are"
    };
    let told = "what could be read around the damage is complete";
    Err(CliError::Failure(format!(
        "{damaged} {places} damaged; {told}"
    )))
}

fn as_json(run: &NamedRun, overview: &Overview) -> Value {
    let files = overview.files.iter();
    let files = files.map(|(name, bytes)| json!({"name": name, "bytes": bytes}));
    let series = overview.series.iter().map(|series| {
        json!({
            "tag": series.tag,
            "kind": series.kind,
            "points": series.points,
            "first_step": series.first_step,
            "last_step": series.last_step,
            "first_wall_time": series.first_wall_time,
            "last_wall_time": series.last_wall_time,
        })
    });
    let torn = overview.torn.as_ref();
    json!({
        "run": run.name,
        "path": run.path,
        "files": files.collect::<Vec<_>>(),
        "series": series.collect::<Vec<_>>(),
        "graphs": overview.graphs,
        "starts": overview.starts,
        "damages": overview.damages,
        "torn": torn.map(|(file, byte, bytes)| json!({"file": file, "byte": byte, "bytes": bytes})),
    })
}

/// What went wrong on the way to the table.
enum Trouble {
    Read(ReadError),
    Write(io::Error),
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl From<csv::Error> for Trouble {
    fn from(error: csv::Error) -> Self {
        Self::Write(error.into())
    }
}

fn export(
    path: &Path,
    out: Option<&Path>,
    tag: Option<&str>,
    output: Output,
) -> Result<(), CliError> {
    let runs = runs_at(path)?;
    let mut table = Table {
        runs,
        tag: tag.map(str::to_owned),
        points: 0,
        damages: Vec::new(),
        left_out: BTreeMap::new(),
    };
    let Some(file) = out else {
        let written = table.write(io::stdout().lock(), output.json);
        return match written {
            // Whoever reads has seen enough.
            Err(Trouble::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => {
                done("the standard output", written)?;
                table.complain(output)
            }
        };
    };
    let shown = file.display().to_string();
    // Beside, so that a failure leaves what was there.
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let written = File::create(&beside)
        .map_err(Trouble::Write)
        .and_then(|sink| {
            table.write(BufWriter::new(sink), output.json)?;
            Ok(fs::rename(&beside, file)?)
        });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    done(&shown, written)?;
    let points = table.points;
    let text = format!("{points} points are in {shown}");
    output.result(&text, &json!({"points": points, "file": shown}))?;
    table.complain(output)
}

fn done(target: &str, written: Result<(), Trouble>) -> Result<(), CliError> {
    written.map_err(|trouble| match trouble {
        Trouble::Read(error) => CliError::failure(&error),
        Trouble::Write(error) => {
            CliError::Failure(format!("{target}: the table cannot be written: {error}"))
        }
    })
}

/// The scalars of some runs on their way into a table.
struct Table {
    runs: Vec<NamedRun>,
    tag: Option<String>,
    points: u64,
    damages: Vec<String>,
    left_out: BTreeMap<String, u64>,
}

impl Table {
    fn write(&mut self, sink: impl Write, as_json: bool) -> Result<(), Trouble> {
        if as_json {
            self.write_json(sink)
        } else {
            self.write_csv(sink)
        }
    }

    fn write_csv(&mut self, sink: impl Write) -> Result<(), Trouble> {
        let mut rows = csv::Writer::from_writer(sink);
        rows.write_record(["run", "tag", "step", "wall_time", "value"])?;
        self.each(|run, point| {
            let (step, wall_time) = (point.step.to_string(), format!("{:?}", point.wall_time));
            let row = [run, &point.tag, &step, &wall_time, &point.digits];
            Ok(rows.write_record(row)?)
        })?;
        Ok(rows.flush()?)
    }

    fn write_json(&mut self, mut sink: impl Write) -> Result<(), Trouble> {
        write!(sink, "{{\"points\":[")?;
        let mut between = "";
        self.each(|run, point| {
            let value: Option<f64> = point.digits.parse().ok();
            let row = json!({
                "run": run,
                "tag": point.tag,
                "step": point.step,
                "wall_time": point.wall_time,
                "value": value,
            });
            write!(sink, "{between}{row}")?;
            between = ",";
            Ok(())
        })?;
        writeln!(sink, "]}}")?;
        Ok(sink.flush()?)
    }

    fn each(
        &mut self,
        mut row: impl FnMut(&str, &ScalarPoint) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        for run in &self.runs {
            let mut scalars = Scalars::open(&run.path)?;
            while let Some(point) = scalars.next_scalar()? {
                if takes(self.tag.as_deref(), &point.tag) {
                    row(&run.name, &point)?;
                    self.points += 1;
                }
            }
            let damages = scalars.damages().iter().map(ToString::to_string);
            self.damages.extend(damages);
            for (kind, count) in scalars.left_out() {
                *self.left_out.entry(kind.clone()).or_default() += count;
            }
        }
        Ok(())
    }

    /// Says what is missing in the table.
    fn complain(&self, output: Output) -> Result<(), CliError> {
        for (kind, count) in &self.left_out {
            let kind = printable(kind);
            output.note(&format!(
                "left out: {count} of the kind {kind}, which is no scalar"
            ));
        }
        for damage in &self.damages {
            output.note(&format!("damage: {}", printable(damage)));
        }
        complain(self.damages.len())
    }
}
