//! From a file as it is found to what the trainer takes.
//!
//! [`read`] gives a [`Table`] as it stands in the file, [`Preprocessing::fit`] learns from some of
//! its rows what to do with it, and [`Preprocessing::apply`] does it. [`read_like`] reads a table
//! for a model that exists: the same columns in any order, with or without the target.
//!
//! What a file is, its first bytes say, whatever its name; gzip is unpacked wherever it is found.
//!
//! | file | rows |
//! |---|---|
//! | text | a line each, fields between separators; quoted fields may hold both |
//! | `.npy` | the first axis of the array; the target is a column of it, or in `--labels` |
//! | `.npz` | the arrays x and y |
//! | IDX | images, and beside them the file of the labels |
//! | Parquet (feature `parquet`) | its rows; columns of numbers and texts |
//!
//! How a text is understood, where options do not say it:
//!
//! - Separator: of `,` `;` tab and `|` the one that gives most of the first 100 rows the same number
//!   of fields. Decimal mark: a comma where numbers have one and none has a point.
//! - Header: the first row is one if it has text above a column of numbers, or if it is nothing but
//!   different texts that do not occur again below.
//! - A column is numbers if at least half of its first 1,000 fields are, and categories otherwise.
//!   A text among numbers is an error.
//! - Missing: an empty field, `NA`, `N/A`, `NaN`, `null` and `?`.
//! - Target: the column called `target`, `label` or `class`, and the last where none is.
//! - Classes are learned where the target is text, or whole numbers of which at most 20 are
//!   different and each occurs twice on average; values otherwise.

mod array;
mod describe;
mod element;
mod error;
mod idx;
mod memory;
mod npz;
mod numbers;
mod options;
mod order;
#[cfg(feature = "parquet")]
mod parquet;
mod plan;
mod preprocess;
mod role;
mod rows;
mod shape;
mod source;
mod table;
mod text;

use std::path::Path;

pub use self::describe::{ColumnSummary, Summary, TargetSummary};
pub use self::error::{DataError, Fault, Place};
pub use self::numbers::Numbers;
pub use self::options::{ReadOptions, Scaling, Task, Unknown};
pub use self::preprocess::{
    ColumnRule, Examples, Goal, Preprocessing, Restored, Rule, TargetColumn, TargetRule, VERSION,
};
pub use self::table::{Column, Inputs, Table, Texts, Values};

use self::source::{Format, Source};

/// Reads a table to learn from.
///
/// # Errors
/// [`DataError`], with the place in the file and what to do.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Table, DataError> {
    read_for(path, options, None)
}

/// Reads a table for a model: the columns that it was trained with, found by name where both have
/// a header and by position otherwise. Other columns are left out. The target may be absent, and
/// is not looked at where [`ReadOptions::target`] is an empty list.
///
/// # Errors
/// [`DataError`], with the place in the file and what to do.
pub fn read_like(
    path: &Path,
    model: &Preprocessing,
    options: &ReadOptions,
) -> Result<Table, DataError> {
    read_for(path, options, Some(model))
}

fn read_for(
    path: &Path,
    options: &ReadOptions,
    model: Option<&Preprocessing>,
) -> Result<Table, DataError> {
    let source = Source::open(path)?;
    let mut table = match source.format {
        Format::Text => text::read(source, options, model)?,
        Format::Npy => array::read(source, options, model)?,
        Format::Npz => npz::read(path, options, model)?,
        Format::Idx => idx::read(source, options, model)?,
        #[cfg(feature = "parquet")]
        Format::Parquet => parquet::read(path, options, model)?,
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => return Err(source.origin.fault(Fault::Foreign("Parquet"))),
    };
    if table.rows == 0 {
        return Err(table.file().fault(Fault::HeaderOnly));
    }
    if let Some(labels) = options.labels.as_deref().filter(|_| options.wants_target()) {
        array::attach_labels(&mut table, labels, options)?;
    }
    Ok(table)
}
