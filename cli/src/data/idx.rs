//! IDX files, as those of MNIST: <http://yann.lecun.com/exdb/mnist/>.

use std::path::{Path, PathBuf};

use super::array::{attach_labels, table};
use super::error::{DataError, Fault};
use super::options::{ReadOptions, Task};
use super::preprocess::Preprocessing;
use super::shape::of_idx;
use super::source::Source;
use super::table::Table;

/// Reads images, and the labels in the file beside them.
pub(super) fn read(
    mut source: Source,
    options: &ReadOptions,
    model: Option<&Preprocessing>,
) -> Result<Table, DataError> {
    let origin = source.origin.clone();
    let path = source.path();
    let shape = of_idx(&mut source, &origin)?;
    if shape.axes.len() < 2 {
        return Err(origin.fault(Fault::LabelsAlone));
    }
    let beside = labels_beside(&path);
    let is_missing = options.labels.is_none() && !beside.iter().any(|path| path.is_file());
    if is_missing && options.wants_target() && model.is_none() {
        let name = beside.first().and_then(|path| path.file_name());
        let name = name.map_or_else(|| "file of labels".into(), |name| name.to_string_lossy());
        return Err(origin.fault(Fault::NoLabels(name.into_owned())));
    }
    let mut table = table(source, &origin, &shape, true, options, model)?;
    table.default_task = Some(Task::Classes);
    let beside = beside.iter().find(|path| path.is_file());
    if let (Some(labels), None, true) = (beside, &options.labels, options.wants_target()) {
        attach_labels(&mut table, labels, options)?;
    }
    Ok(table)
}

/// Where the labels of these images may be.
fn labels_beside(images: &Path) -> Vec<PathBuf> {
    let Some(name) = images.file_name().and_then(|name| name.to_str()) else {
        return Vec::new();
    };
    let stem = name.strip_suffix(".gz").unwrap_or(name);
    let mut names = Vec::new();
    for (of_images, of_labels) in [
        ("images-idx3", "labels-idx1"),
        ("images.idx3", "labels.idx1"),
        ("images-idx4", "labels-idx1"),
    ] {
        if stem.contains(of_images) {
            let stem = stem.replace(of_images, of_labels);
            names.push(images.with_file_name(&stem));
            names.push(images.with_file_name(format!("{stem}.gz")));
        }
    }
    names
}
