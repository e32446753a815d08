//! Files for the tests of the readers.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;
use wgpu_linear_cli::data::{
    DataError, Examples, Inputs, Preprocessing, ReadOptions, Table, Values, read,
};

/// A folder that goes when the test ends.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Reads a text as the file `table.csv`.
    pub(crate) fn read(
        &self,
        text: impl AsRef<[u8]>,
        options: &ReadOptions,
    ) -> Result<Table, DataError> {
        read(&self.write("table.csv", text), options)
    }
}

/// A data set of the repository.
pub(crate) fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../data")
        .join(name)
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An IDX file: type, axes and data.
pub(crate) fn idx(kind: u8, axes: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, axes.len() as u8];
    for axis in axes {
        bytes.extend(axis.to_be_bytes());
    }
    bytes.extend(data);
    bytes
}

/// An `.npy` file: type, shape and data.
pub(crate) fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut text =
        format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}").into_bytes();
    text.resize((text.len() + 11).next_multiple_of(64) - 11, b' ');
    text.push(b'\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text);
    bytes.extend(data);
    bytes
}

/// All rows.
pub(crate) fn all(table: &Table) -> Vec<usize> {
    (0..table.rows()).collect()
}

/// Fitted on all rows, and applied to them.
pub(crate) fn ready(table: Table, options: &ReadOptions) -> (Preprocessing, Examples) {
    let preprocessing = Preprocessing::fit(&table, &all(&table), options).unwrap();
    let examples = preprocessing.apply(table).unwrap();
    (preprocessing, examples)
}

/// The numbers of a column of inputs.
pub(crate) fn numbers(table: &Table, column: usize) -> Vec<f64> {
    match table.inputs() {
        Inputs::Columns(columns) => match &columns[column].values {
            Values::Numbers(numbers) => (0..numbers.len()).map(|row| numbers.at(row)).collect(),
            Values::Texts(_) => panic!("column {column} is text"),
        },
        Inputs::Matrix { numbers, columns } => (0..table.rows())
            .map(|row| numbers.at(row * columns + column))
            .collect(),
    }
}

/// The names of the inputs' columns.
pub(crate) fn names(table: &Table) -> Vec<String> {
    let summary = table.describe();
    summary
        .columns
        .into_iter()
        .map(|column| column.name)
        .collect()
}
