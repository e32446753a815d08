//! The commands, one a file: its arguments and what it does.

use clap::{Parser, Subcommand};

use crate::CliError;
use crate::output::Output;

/// Small networks on any GPU: from a table to a trained, saved and explained network.
#[derive(Debug, Parser)]
#[command(name = "wgpu-linear", version, propagate_version = true)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// Print results as one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// Print results alone
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {}

/// Does what was asked for.
///
/// # Errors
/// [`CliError`], which says what to do about it.
pub fn run(cli: &Cli) -> Result<(), CliError> {
    let _output = Output {
        json: cli.json,
        quiet: cli.quiet,
    };
    match cli.command {}
}
