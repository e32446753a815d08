//! `wgpu-linear predict`: what a network says of a table.

use std::io::stdout;
use std::path::PathBuf;

use clap::Args;

use crate::config::Device;
use crate::data::{self, ReadOptions};
use crate::output::{Output, written};
use crate::training::{SavedModel, input, read_options, write_predictions};
use crate::{CliError, device, file};

const EXAMPLES: &str = "\
Examples:
  wgpu-linear predict --model runs/iris data/iris.csv
  wgpu-linear predict --model runs/iris data/iris.csv --output predictions.csv";

/// Predicts each row of a table, which need not have the target; writes CSV
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The table, raw as the one that the network was trained on
    data: PathBuf,
    /// A model, or the folder of the run that made it
    #[arg(long, value_name = "PATH")]
    model: PathBuf,
    /// File to write to [default: the standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    device: Device,
}

/// Predicts.
///
/// # Errors
/// [`CliError::Input`] where model or table cannot be read or do not fit, [`CliError::Failure`] where
/// the device reports an error or the predictions cannot be written.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CliError> {
    if let Some(path) = &arguments.output {
        file::check_apart(&arguments.data, path)?;
    }
    let saved = SavedModel::load(&arguments.model)?;
    if let Some(path) = &arguments.output {
        file::check_apart(&saved.path, path)?;
    }
    let options = ReadOptions {
        target: Some(Vec::new()),
        labels: None,
        ..read_options(&saved.settings.data)?
    };
    let table = data::read_like(&arguments.data, &saved.preprocessing, &options).map_err(input)?;
    let x = saved.preprocessing.apply(table).map_err(input)?.x;
    let gpu = device::open(arguments.device, output)?;
    let outputs = saved
        .model(gpu.as_ref())?
        .predict(x.view())
        .map_err(|error| CliError::failure(&error))?;
    let rows: Vec<usize> = (0..x.nrows()).collect();
    let write = |to: &mut dyn std::io::Write| {
        write_predictions(to, &saved.preprocessing, &rows, &outputs, None)
    };
    match &arguments.output {
        None => written(write(&mut stdout().lock())),
        Some(path) => {
            file::write(path, write).map_err(|error| file::refused(path, &error))?;
            output.note(&format!(
                "{} rows predicted: {}",
                rows.len(),
                path.display()
            ));
            Ok(())
        }
    }
}
