//! Archives of arrays as NumPy saves them (`.npz`): ZIP with an `.npy` file for each.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::ZipArchive;
use zip::read::ZipFile;

use super::array::{labels, table};
use super::error::{DataError, Fault, Place, list};
use super::options::ReadOptions;
use super::preprocess::Preprocessing;
use super::shape::of_npy;
use super::source::Origin;
use super::table::Table;

/// How the arrays of examples and targets are called, the likeliest first.
const NAMES: [(&str, &str); 6] = [
    ("x", "y"),
    ("X", "y"),
    ("x_train", "y_train"),
    ("X_train", "y_train"),
    ("data", "target"),
    ("images", "labels"),
];

type Archive = ZipArchive<BufReader<File>>;

/// Reads the arrays x and y.
pub(super) fn read(
    path: &Path,
    options: &ReadOptions,
    model: Option<&Preprocessing>,
) -> Result<Table, DataError> {
    let origin = Origin::packed(Place::file(path));
    let file = File::open(path).map_err(|error| origin.fault(Fault::Open(error)))?;
    let archive = ZipArchive::new(BufReader::new(file));
    let mut archive = archive.map_err(|error| origin.fault(Fault::Archive(error.to_string())))?;
    let there: Vec<_> = archive.file_names().map(str::to_owned).collect();
    if there.iter().any(|name| name == "[Content_Types].xml") {
        return Err(origin.fault(Fault::Foreign("a spreadsheet")));
    }
    let arrays = options.arrays.clone();
    let arrays = arrays.or_else(|| model.and_then(|model| model.arrays.clone()));
    let (x, y) = arrays
        .or_else(|| found(&there))
        .unwrap_or_else(|| ("x".into(), "y".into()));
    let has_y = there.contains(&entry(&y));
    let wants_y = options.wants_target() && options.labels.is_none();
    if wants_y && !has_y && model.is_none() {
        return Err(absent(&origin, &y, &there));
    }
    let mut array = open(&mut archive, &origin, &x, &there)?;
    let shape = of_npy(&mut array, &origin)?;
    let mut table = table(array, &origin, &shape, true, options, model)?;
    if wants_y && has_y {
        let mut array = open(&mut archive, &origin, &y, &there)?;
        let shape = of_npy(&mut array, &origin)?;
        table.targets = labels(array, &origin, &shape, &table, options)?;
        table.target_path = Some(path.to_owned());
    }
    Ok(table)
}

fn entry(name: &str) -> String {
    format!("{name}.npy")
}

/// The first pair of names of which the archive has both, or else the first.
fn found(there: &[String]) -> Option<(String, String)> {
    let has = |name| there.contains(&entry(name));
    let both = NAMES.iter().find(|(x, y)| has(x) && has(y));
    let one = || NAMES.iter().find(|(x, _)| has(x));
    let (x, y) = both.or_else(one)?;
    Some(((*x).into(), (*y).into()))
}

fn open<'a>(
    archive: &'a mut Archive,
    origin: &Origin,
    name: &str,
    there: &[String],
) -> Result<ZipFile<'a, BufReader<File>>, DataError> {
    if !there.contains(&entry(name)) {
        return Err(absent(origin, name, there));
    }
    let array = archive.by_name(&entry(name));
    array.map_err(|error| origin.fault(Fault::Archive(error.to_string())))
}

fn absent(origin: &Origin, wanted: &str, there: &[String]) -> DataError {
    let names: Vec<_> = there
        .iter()
        .map(|name| name.strip_suffix(".npy").unwrap_or(name))
        .collect();
    let there = if names.is_empty() {
        "none".into()
    } else {
        list(&names)
    };
    origin.fault(Fault::NoArray {
        wanted: wanted.to_owned(),
        there,
    })
}
