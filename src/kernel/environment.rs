//! Environment variables that change what the crate does.

/// An environment variable, unless it is unset or empty.
pub(crate) fn from_env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
