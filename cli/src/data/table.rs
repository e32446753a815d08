//! A table as it was read: columns of numbers and texts, or one matrix.

use std::collections::HashMap;
use std::path::PathBuf;

use super::error::{Place, unnamed};
use super::numbers::Numbers;
use super::options::Task;

/// The code of a text that is missing.
pub(super) const MISSING: u32 = u32::MAX;

/// Texts, each different one kept once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// Of each row: the index of its text, and the largest number where it is missing.
    pub(super) codes: Vec<u32>,
    /// The different texts, in order of their first row.
    pub(super) names: Vec<String>,
    index: HashMap<String, u32>,
    name_bytes: u64,
}

impl Texts {
    /// One row more.
    pub(super) fn push(&mut self, text: Option<&str>) {
        let code = match text {
            None => MISSING,
            Some(text) => match self.index.get(text) {
                Some(code) => *code,
                None => self.add(text),
            },
        };
        self.codes.push(code);
    }

    fn add(&mut self, text: &str) -> u32 {
        let code = self.names.len() as u32;
        self.names.push(text.to_owned());
        self.index.insert(text.to_owned(), code);
        self.name_bytes += 2 * (text.len() as u64 + 48);
        code
    }

    /// The text of a row.
    #[must_use]
    pub fn at(&self, row: usize) -> Option<&str> {
        let code = *self.codes.get(row)?;
        self.names.get(code as usize).map(String::as_str)
    }

    /// The different texts, in order of their first row.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn bytes(&self) -> u64 {
        4 * self.codes.len() as u64 + self.name_bytes
    }
}

/// What stands in a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers.
    Numbers(Numbers),
    /// Texts.
    Texts(Texts),
}

impl Values {
    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Texts(texts) => texts.codes.len(),
        }
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows without a value.
    #[must_use]
    pub fn missing(&self) -> usize {
        (0..self.len()).filter(|row| self.is_missing(*row)).count()
    }

    pub(super) fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Numbers(Numbers::Bytes(_)) => false,
            Self::Numbers(numbers) => numbers.at(row).is_nan(),
            Self::Texts(texts) => texts.codes[row] == MISSING,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Numbers(numbers) => numbers.bytes(),
            Self::Texts(texts) => texts.bytes(),
        }
    }

    pub(super) fn shrink(&mut self) {
        match self {
            Self::Numbers(numbers) => numbers.shrink(),
            Self::Texts(texts) => texts.codes.shrink_to_fit(),
        }
    }
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// As in the header; `column 3` where there is none.
    pub name: String,
    /// In the file, from 1.
    pub position: usize,
    /// What stands in it.
    pub values: Values,
}

/// What a network sees, before it is made ready.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs {
    /// Column by column.
    Columns(Vec<Column>),
    /// Row by row: images, and arrays with labels of their own.
    Matrix {
        /// All rows, one after the other.
        numbers: Numbers,
        /// Numbers of a row.
        columns: usize,
    },
}

/// A table as it was read.
#[derive(Clone, Debug)]
pub struct Table {
    pub(super) path: PathBuf,
    /// What was found out about the file, in words.
    pub(super) form: String,
    pub(super) rows: usize,
    pub(super) inputs: Inputs,
    /// None where there is nothing to be learned.
    pub(super) targets: Vec<Column>,
    /// Where the targets are, if elsewhere.
    pub(super) target_path: Option<PathBuf>,
    /// The line of each row, in files that have lines.
    pub(super) lines: Vec<u64>,
    /// Columns of the file, with those left out.
    pub(super) file_columns: usize,
    /// Whether the columns have names.
    pub(super) is_named: bool,
    /// What is learned from such a file, if nothing is said.
    pub(super) default_task: Option<Task>,
    /// Height, width and channels, of images.
    pub(super) image: Option<[usize; 3]>,
    /// What was left out and why.
    pub(super) notes: Vec<String>,
}

impl Table {
    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// What the network is to see.
    #[must_use]
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// What it is to learn; empty where the table does not have it.
    #[must_use]
    pub fn targets(&self) -> &[Column] {
        &self.targets
    }

    /// The line of a row, in files that have lines.
    #[must_use]
    pub fn line(&self, row: usize) -> Option<u64> {
        self.lines.get(row).copied()
    }

    /// Height, width and channels, where the rows are images.
    #[must_use]
    pub fn image(&self) -> Option<[usize; 3]> {
        self.image
    }

    /// How many columns of inputs.
    pub(super) fn width(&self) -> usize {
        match &self.inputs {
            Inputs::Columns(columns) => columns.len(),
            Inputs::Matrix { columns, .. } => *columns,
        }
    }

    /// Name and position of a column of inputs.
    pub(super) fn name(&self, index: usize) -> (usize, String) {
        match &self.inputs {
            Inputs::Columns(columns) => (columns[index].position, columns[index].name.clone()),
            Inputs::Matrix { .. } => (index + 1, matrix_name(index, self.image)),
        }
    }

    /// The place of a row.
    pub(super) fn place(&self, row: usize) -> Place {
        place(&self.path, &self.lines, row)
    }

    /// The place of a row's target.
    pub(super) fn target_place(&self, row: usize, column: &Column) -> Place {
        match &self.target_path {
            Some(path) => place(path, &[], row),
            None => self.place(row).column(column.position, &column.name),
        }
    }

    /// The table as a whole.
    pub(super) fn file(&self) -> Place {
        Place::file(&self.path)
    }
}

fn place(path: &std::path::Path, lines: &[u64], row: usize) -> Place {
    let mut place = Place::file(path).row(row as u64 + 1);
    place.line = lines.get(row).copied();
    place
}

/// Columns of a matrix have no names; pixels have places.
fn matrix_name(index: usize, image: Option<[usize; 3]>) -> String {
    match image {
        None => unnamed(index + 1),
        Some([_, width, channels]) => {
            let (pixel, channel) = (index / channels.max(1), index % channels.max(1));
            let (y, x) = (pixel / width.max(1), pixel % width.max(1));
            if channels == 1 {
                format!("pixel {y},{x}")
            } else {
                format!("pixel {y},{x},{channel}")
            }
        }
    }
}
