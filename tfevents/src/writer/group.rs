//! Curves that share a chart: runs of their own below the writer's directory.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::{Handle, Writer, lock};
use crate::error::WriteError;

/// A writer for each directory that could be opened.
#[derive(Debug, Default)]
pub(super) struct Group {
    curves: HashMap<String, Option<Writer>>,
}

impl Group {
    /// Closes all, and returns the first error.
    pub(super) fn close(self) -> Result<(), WriteError> {
        first_error(self.curves.into_values().flatten(), Writer::close)
    }
}

impl Handle {
    /// `path` is that of the event file.
    pub(super) fn add_to_group(&self, path: &Path, tag: &str, name: &str, step: i64, value: f32) {
        // As PyTorch names it; what else no file system likes is its own to refuse.
        let directory = format!("{tag}_{name}").replace(['/', '\\'], "_");
        let open = || {
            let settings = self.settings.clone();
            settings.create(path.with_file_name(&directory))
        };
        let mut news = None;
        let mut group = lock(&self.group);
        let curve = group.curves.entry(directory.clone()).or_insert_with(|| {
            open()
                .map_err(|error| {
                    news = Some(WriteError::Group {
                        source: Arc::new(error),
                    })
                })
                .ok()
        });
        let curve = curve.clone();
        drop(group);
        if let Some(curve) = curve {
            curve.scalar(tag, step, value);
        }
        if let Some(error) = news {
            self.settings.report.tell(&error);
        }
    }

    /// Calls all, without the lock, and returns the first error.
    pub(super) fn each_of_group(
        &self,
        call: impl Fn(&Writer) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let curves: Vec<Writer> = lock(&self.group)
            .curves
            .values()
            .flatten()
            .cloned()
            .collect();
        first_error(curves.iter(), call)
    }
}

fn first_error<W>(
    writers: impl Iterator<Item = W>,
    call: impl Fn(W) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    writers.map(call).fold(Ok(()), Result::and)
}
