//! How errors are shown.

use std::error::Error;
use std::process::ExitCode;

/// Shows an error with its causes, and turns it into the exit code.
pub(crate) fn finish(result: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
    ExitCode::FAILURE
}
