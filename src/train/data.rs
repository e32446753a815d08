//! Readers for data sets (feature `data`).

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use ndarray::Array2;

use super::Dataset;

/// A data file could not be read.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file could not be opened.
    #[error("cannot open the data file {}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not well-formed CSV (rows of different lengths, a truncated gzip stream), or
    /// reading it failed.
    #[error("the data file is not readable as CSV")]
    Csv(#[from] csv::Error),
    /// A field is not a finite number, or a label not a whole number from 0.
    #[error("line {line}, column {column}: \"{field}\" is not {expected}")]
    Field {
        /// From 1.
        line: u64,
        /// From 1.
        column: usize,
        /// What stands there.
        field: String,
        /// What should.
        expected: &'static str,
    },
    /// The rows hold no feature beside the label, or there are none.
    #[error("the data file holds no examples")]
    Empty,
}

/// Reads a CSV file without a header: features first, the class last. A name that ends in `.gz` is
/// decompressed.
///
/// # Errors
/// [`DataError`], with line and column where a field is wrong.
pub fn read_csv(path: impl AsRef<Path>) -> Result<Dataset, DataError> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|source| DataError::Open {
        path: path.to_owned(),
        source,
    })?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        parse_csv(MultiGzDecoder::new(file))
    } else {
        parse_csv(file)
    }
}

/// [`read_csv`] from any reader.
///
/// ```
/// let data = wgpu_linear::train::data::parse_csv("0.5,1,7\n2,3,0\n".as_bytes())?;
/// assert_eq!(data.labels(), [7, 0]);
/// assert_eq!(data.x()[[1, 0]], 2.0);
/// # Ok::<(), wgpu_linear::train::data::DataError>(())
/// ```
///
/// # Errors
/// As [`read_csv`].
pub fn parse_csv(reader: impl Read) -> Result<Dataset, DataError> {
    let mut features = Vec::new();
    let mut labels = Vec::new();
    for record in csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(reader)
        .records()
    {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        let last = record.len().saturating_sub(1);
        for (i, field) in record.iter().enumerate().take(last) {
            let value = field
                .trim()
                .parse::<f32>()
                .ok()
                .filter(|value| value.is_finite());
            features.push(value.ok_or_else(|| wrong(line, i, field, "a finite number"))?);
        }
        let label = record.get(last).unwrap_or_default();
        labels.push(
            label
                .trim()
                .parse()
                .map_err(|_| wrong(line, last, label, "a class, a whole number from 0"))?,
        );
    }
    let columns = features.len() / labels.len().max(1);
    if columns == 0 {
        return Err(DataError::Empty);
    }
    // The CSV reader has made sure that all rows are equally long.
    let x =
        Array2::from_shape_vec((labels.len(), columns), features).map_err(|_| DataError::Empty)?;
    Dataset::new(x, labels).map_err(|_| DataError::Empty)
}

fn wrong(line: u64, index: usize, field: &str, expected: &'static str) -> DataError {
    DataError::Field {
        line,
        column: index + 1,
        field: field.to_owned(),
        expected,
    }
}
