//! `wgpu-linear evaluate`: how well a network does on a table.

use std::path::PathBuf;

use clap::Args;

use crate::config::Device;
use crate::data;
use crate::output::Output;
use crate::training::{Outcome, SavedModel, dataset, input, read_options};
use crate::{CliError, device};

const EXAMPLES: &str = "\
Examples:
  wgpu-linear evaluate --model runs/iris data/iris.csv
  wgpu-linear evaluate --model runs/iris/model.safetensors data/iris.csv --json";

/// Says how well a network does on a table that has what it should predict
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The table, raw as the one that the network was trained on
    data: PathBuf,
    /// A model, or the folder of the run that made it
    #[arg(long, value_name = "PATH")]
    model: PathBuf,
    /// Labels in a file of their own (IDX, .npy)
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    device: Device,
}

/// Evaluates.
///
/// # Errors
/// [`CliError::Input`] where model or table cannot be read or do not fit, [`CliError::Failure`] where
/// the device reports an error.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CliError> {
    let saved = SavedModel::load(&arguments.model)?;
    let mut options = read_options(&saved.settings.data)?;
    options.labels.clone_from(&arguments.labels);
    let table = data::read_like(&arguments.data, &saved.preprocessing, &options).map_err(input)?;
    let data = dataset(&saved.preprocessing, table)?;
    let gpu = device::open(arguments.device, output)?;
    let mut model = saved.model(gpu.as_ref())?;
    let outcome = Outcome::of(model.as_mut(), &saved.preprocessing, &data)?;
    output.result(
        &format!("On {} rows:\n{}", data.len(), outcome.text()),
        &outcome.for_machines(),
    )
}
