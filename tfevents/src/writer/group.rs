//! Writers of curves by the name of their directory.

use std::collections::HashMap;

use crate::error::CreateError;

/// A writer `W` for each directory that could be opened.
#[derive(Debug)]
pub(super) struct Group<W> {
    curves: HashMap<String, Option<W>>,
}

impl<W> Default for Group<W> {
    fn default() -> Self {
        let curves = HashMap::new();
        Self { curves }
    }
}

impl<W: Clone> Group<W> {
    /// The curve of this directory, opened with its first point. Where that fails it is tried, and
    /// told, only once.
    pub(super) fn curve(
        &mut self,
        directory: &str,
        open: impl FnOnce() -> Result<W, CreateError>,
    ) -> (Option<W>, Option<CreateError>) {
        if let Some(curve) = self.curves.get(directory) {
            return (curve.clone(), None);
        }
        let (curve, error) = match open() {
            Ok(curve) => (Some(curve), None),
            Err(error) => (None, Some(error)),
        };
        self.curves.insert(directory.to_owned(), curve.clone());
        (curve, error)
    }

    pub(super) fn curves(&self) -> Vec<W> {
        self.curves.values().flatten().cloned().collect()
    }

    pub(super) fn into_curves(self) -> impl Iterator<Item = W> {
        self.curves.into_values().flatten()
    }
}
