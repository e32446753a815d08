//! What `train` is told.

use std::path::PathBuf;

use clap::Args;

use crate::config::Settings;

const EXAMPLES: &str = "\
Examples:
  wgpu-linear train data/digits.csv.gz
  wgpu-linear train data/iris.csv --hidden 32 --out runs/iris
  wgpu-linear train data/diabetes.csv --early-stopping 20
  wgpu-linear train --config runs/iris/config.toml --out runs/iris-again
  wgpu-linear train --resume runs/iris";

/// Trains a network on a table, and leaves it with its curves and a report
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub struct Arguments {
    /// A TOML file with the settings that the command line does not give
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Go on with the run in this folder, from its newest checkpoint
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["config", "out", "trials"])]
    pub(super) resume: Option<PathBuf>,
    /// Try so many learning rates and widths first, and train with the best
    #[arg(long, value_name = "N")]
    pub(super) trials: Option<u32>,
    #[command(flatten)]
    pub(super) settings: Settings,
}
