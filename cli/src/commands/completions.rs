//! `completions`: what completes commands in a shell.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::CliError;
use crate::output::print;

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

/// Prints the script for `program`.
///
/// # Errors
/// [`CliError::Failure`] where it cannot be written.
pub fn run(mut program: Command, arguments: &Arguments) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, "wgpu-linear", &mut script);
    print(&String::from_utf8_lossy(&script))
}
