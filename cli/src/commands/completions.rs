//! `completions`: what completes commands in a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use crate::CliError;
use crate::output::{Output, print};

const EXAMPLES: &str = "\
Examples:
  wgpu-linear completions bash > wgpu-linear.bash
  wgpu-linear completions zsh > _wgpu-linear

Where a shell looks for such files: bash in
~/.local/share/bash-completion/completions, fish in ~/.config/fish/completions,
zsh in the folders of $fpath.";

/// For which shell.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// [`CliError::Failure`] where it cannot be written.
pub fn run(arguments: &Arguments, _: Output) -> Result<(), CliError> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    clap_complete::generate(arguments.shell, &mut command, "wgpu-linear", &mut script);
    print(&String::from_utf8_lossy(&script))
}
