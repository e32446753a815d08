//! Who is told of errors.

use std::fmt;
use std::sync::Arc;

use crate::error::WriteError;

#[derive(Clone, Default)]
pub(super) enum Report {
    /// The crate `log`.
    #[default]
    Log,
    Callback(Arc<dyn Fn(&WriteError) + Send + Sync>),
}

impl Report {
    pub(super) fn tell(&self, error: &WriteError) {
        match self {
            Self::Log => log::warn!("{error}"),
            Self::Callback(callback) => callback(error),
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "Log",
            Self::Callback(_) => "Callback",
        })
    }
}
