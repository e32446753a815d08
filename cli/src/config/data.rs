//! Where the data are, how to read them, and which rows are kept for validation and test.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::over::over;
use crate::data::{Scaling, Unknown};

/// Whether the first row of a table names its columns.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Header {
    /// Found out.
    Auto,
    /// It does.
    Yes,
    /// It is data.
    No,
}

/// What is to be predicted.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Found out from the target column.
    Auto,
    /// One of several classes.
    Classes,
    /// One number or several.
    Values,
}

/// Where the data are and how to read them.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[command(next_help_heading = "Data")]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct DataSettings {
    /// The table: CSV, Parquet, NumPy (.npy, .npz) or IDX, gzipped or not
    #[arg(value_name = "DATA", help_heading = "Arguments")]
    pub path: Option<PathBuf>,
    /// A second table, for the test; DATA is then for training and validation alone
    #[arg(long, value_name = "FILE")]
    pub test_file: Option<PathBuf>,
    /// Labels in a file of their own (IDX, .npy)
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Whether the first row names the columns [default: auto]
    #[arg(long, value_enum)]
    pub header: Option<Header>,
    /// What separates fields [default: found out among , ; tab |]
    #[arg(long, value_name = "CHARACTER")]
    pub separator: Option<String>,
    /// What to predict: columns by name or by position, from 1 or, from the end, -1 [default: the
    /// last]
    #[arg(
        long,
        value_name = "COLUMN",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub target: Option<Vec<String>>,
    /// Whether to predict classes or values [default: auto]
    #[arg(long, value_enum)]
    pub task: Option<Task>,
    /// Columns whose numbers are names of categories
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub categorical: Option<Vec<String>>,
    /// Columns that are numbers, whatever they look like
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub numeric: Option<Vec<String>>,
    /// The decimal mark, . or , [default: found out]
    #[arg(long, value_name = "CHARACTER")]
    pub decimal: Option<String>,
    /// Columns to leave out
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub drop: Option<Vec<String>>,
    /// Fill in missing values: the median of a column, or its most frequent category
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub impute: Option<bool>,
    /// What is done to numbers first [default: pixels for images, else standardise]
    #[arg(long, value_enum)]
    pub scaling: Option<Scaling>,
    /// What to do with a category that the training rows have not [default: refuse]
    #[arg(long, value_enum)]
    pub unknown: Option<Unknown>,
    /// The names of the arrays of inputs and targets in an .npz file [default: found out]
    #[arg(long, value_name = "X,Y", value_delimiter = ',')]
    pub arrays: Option<Vec<String>>,
    /// The most memory that a table may take [default: what the machine has]
    #[arg(long, value_name = "BYTES")]
    pub max_bytes: Option<u64>,
}

impl DataSettings {
    pub(super) fn over(self, other: Self) -> Self {
        over!(
            self,
            other,
            path,
            test_file,
            labels,
            header,
            separator,
            target,
            task,
            categorical,
            numeric,
            decimal,
            drop,
            impute,
            scaling,
            unknown,
            arrays,
            max_bytes,
        )
    }
}

/// Which rows are kept for validation and test.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[command(next_help_heading = "Split")]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SplitSettings {
    /// Share of the rows for the test, drawn so that classes keep theirs [default: 0.2]
    #[arg(long, value_name = "SHARE", conflicts_with = "test_every")]
    pub test_fraction: Option<f64>,
    /// Every so manieth row for the test, from the first on
    #[arg(long, value_name = "N")]
    pub test_every: Option<usize>,
    /// Share of the other rows for the validation, by which epochs and trials are compared
    /// [default: 0.2 with --early-stopping, --plateau or --trials, else 0]
    #[arg(long, value_name = "SHARE")]
    pub validation_fraction: Option<f64>,
    /// Seed of the drawing [default: 0]
    #[arg(long, value_name = "SEED")]
    pub split_seed: Option<u64>,
}

impl SplitSettings {
    pub(super) fn over(self, other: Self) -> Self {
        // Two ways to say the same: the upper layer chooses.
        let other = match (self.test_fraction, self.test_every) {
            (None, None) => other,
            _ => Self {
                test_fraction: None,
                test_every: None,
                ..other
            },
        };
        over!(
            self,
            other,
            test_fraction,
            test_every,
            validation_fraction,
            split_seed,
        )
    }
}
