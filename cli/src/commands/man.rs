//! `man`: the manual pages.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man;

use crate::CliError;
use crate::output::{Output, print};

const EXAMPLES: &str = "\
Examples:
  wgpu-linear man > wgpu-linear.1
  wgpu-linear man pages";

/// Where to.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Folder for a page of each command [default: the first page to standard output]
    folder: Option<PathBuf>,
}

/// Writes the pages of `program`.
///
/// # Errors
/// [`CliError::Failure`] where they cannot be written.
pub fn run(program: Command, arguments: &Arguments, output: Output) -> Result<(), CliError> {
    let Some(folder) = &arguments.folder else {
        let mut page = Vec::new();
        let rendered = Man::new(program).render(&mut page);
        rendered.map_err(|error| CliError::failure(&error))?;
        return print(&String::from_utf8_lossy(&page));
    };
    let written =
        fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(program, folder));
    written.map_err(|error| {
        let folder = folder.display();
        CliError::Failure(format!(
            "{folder}: the manual pages cannot be written: {error}"
        ))
    })?;
    output.note(&format!("manual pages are in {}", folder.display()));
    Ok(())
}
