//! Curves that share a chart, each written by a writer of its own.

use std::path::Path;
use std::sync::Arc;

use super::{Handle, Writer};
use crate::error::WriteError;
use crate::mutex::lock;
use crate::number::{Scalar, Step, stored_step, stored_value};

impl Writer {
    /// Adds a point to each curve of a group that TensorBoard draws into one chart, as PyTorch's
    /// `add_scalars` does: the curve `name` becomes the run `DIRECTORY/tag_name`, in which `value`
    /// stands under `tag`.
    ///
    /// Each curve has a file and a thread of its own, opened with its first point and closed with
    /// this writer. Without a directory ([`write_to`](crate::WriterBuilder::write_to)) the values
    /// become scalars `tag/name`.
    pub fn scalar_group(&self, tag: &str, step: impl Step, values: &[(&str, impl Scalar)]) {
        let step = stored_step(step);
        for (name, value) in values {
            let value = stored_value(*value);
            match self.path() {
                Some(path) => self.handle.add_to_group(path, tag, name, step, value),
                None => self.scalar(&format!("{tag}/{name}"), step, value),
            }
        }
    }
}

impl Handle {
    /// `path` is that of the event file.
    fn add_to_group(&self, path: &Path, tag: &str, name: &str, step: i64, value: f32) {
        // As PyTorch names it; what else no file system likes is its own to refuse.
        let directory = format!("{tag}_{name}").replace(['/', '\\'], "_");
        let open = || {
            let settings = self.settings.clone();
            settings.create(path.with_file_name(&directory))
        };
        let (curve, error) = lock(&self.group).curve(&directory, open);
        if let Some(curve) = curve {
            curve.scalar(tag, step, value);
        }
        if let Some(error) = error {
            let source = Arc::new(error);
            self.settings.report.tell(&WriteError::Group { source });
        }
    }
}
