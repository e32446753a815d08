//! The writer with a thread: sinks that are slow, fail or panic, and many callers.
