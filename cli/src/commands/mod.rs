//! The commands, one a file: its arguments and what it does.

pub mod bench;
pub mod completions;
pub mod doctor;
pub mod evaluate;
pub mod events;
pub mod export;
pub mod man;
pub mod predict;
pub mod train;

use clap::{CommandFactory, Parser, Subcommand};

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
pub enum Command {
    /// Trains a network on a table, and leaves it with its curves and a report
    Train(Box<train::Arguments>),
    /// Says how well a network does on a table that has what it should predict
    Evaluate(evaluate::Arguments),
    /// Predicts each row of a table, which need not have the target; writes CSV
    Predict(predict::Arguments),
    /// Writes a network as ONNX, with its preprocessing, or as a state dict of PyTorch
    Export(export::Arguments),
    /// Says what this machine can compute with, and whether it computes right
    Doctor(doctor::Arguments),
    /// Measures layers and training on this machine, each verified before it is timed
    Bench(bench::Arguments),
    /// Looks into TensorBoard event files
    Events(events::Arguments),
    /// Prints what completes commands in a shell
    Completions(completions::Arguments),
    /// Prints the manual page, or writes those of all commands
    Man(man::Arguments),
}

/// Does what was asked for.
///
/// # Errors
/// [`CliError`], which says what to do about it.
pub fn run(cli: &Cli) -> Result<(), CliError> {
    let output = Output {
        json: cli.json,
        quiet: cli.quiet,
    };
    match &cli.command {
        Command::Train(arguments) => train::run(arguments, output),
        Command::Evaluate(arguments) => evaluate::run(arguments, output),
        Command::Predict(arguments) => predict::run(arguments, output),
        Command::Export(arguments) => export::run(arguments, output),
        Command::Doctor(arguments) => doctor::run(arguments, output),
        Command::Bench(arguments) => bench::run(arguments, output),
        Command::Events(arguments) => events::run(arguments, output),
        Command::Completions(arguments) => completions::run(Cli::command(), arguments),
        Command::Man(arguments) => man::run(Cli::command(), arguments, output),
    }
}
