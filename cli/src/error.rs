//! What a command ends with when it does not succeed.

use std::error::Error;
use std::process::ExitCode;

/// An error with its exit code: one line that names the place and the remedy.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The arguments, the configuration or the data are wrong; exit code 2.
    #[error("{0}")]
    Input(String),
    /// Something failed on the way: a disk, a device, a training that diverged; exit code 1.
    #[error("{0}")]
    Failure(String),
}

impl CliError {
    /// A mistake in what was given.
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input(message.into())
    }

    /// Something that failed, with its causes in one line.
    pub fn failure(error: &dyn Error) -> Self {
        Self::Failure(with_causes(error))
    }

    /// 2 for a mistake in what was given, 1 for a failure.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Input(_) => ExitCode::from(2),
            Self::Failure(_) => ExitCode::FAILURE,
        }
    }
}

/// An error and its causes, in one line: `what: why: why that`.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        // Some errors quote their cause already.
        if !text.ends_with(&why) {
            text = format!("{text}: {why}");
        }
        cause = error.source();
    }
    text.replace(['\r', '\n'], " ")
}
