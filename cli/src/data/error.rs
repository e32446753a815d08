//! What is wrong with a file, where, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

/// A file cannot be read as a table, or a table does not fit a model: one line that names the
/// place and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct DataError {
    /// Where.
    pub place: Box<Place>,
    /// What, and what to do about it.
    pub fault: Box<Fault>,
}

/// A place in a file; what is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Which file.
    pub path: PathBuf,
    /// Line of the text, from 1.
    pub line: Option<u64>,
    /// Row of the table, from 1 and without the header; said where there are no lines.
    pub row: Option<u64>,
    /// Position of a column, from 1, and its name.
    pub column: Option<(usize, String)>,
}

impl Place {
    /// The file as a whole.
    pub fn file(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            ..Self::default()
        }
    }

    /// A line of text.
    #[must_use]
    pub fn line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// A row of the table, from 1.
    #[must_use]
    pub fn row(mut self, row: u64) -> Self {
        self.row = Some(row);
        self
    }

    /// A column: its position from 1, and its name.
    #[must_use]
    pub fn column(mut self, position: usize, name: &str) -> Self {
        self.column = Some((position, name.to_owned()));
        self
    }

    /// An error here.
    #[must_use]
    pub fn fault(self, fault: Fault) -> DataError {
        DataError {
            place: Box::new(self),
            fault: Box::new(fault),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        match (self.line, self.row) {
            (Some(line), _) => write!(f, ", line {line}")?,
            (None, Some(row)) => write!(f, ", row {row}")?,
            (None, None) => {}
        }
        match &self.column {
            Some((position, name)) if *name == unnamed(*position) => {
                write!(f, ", column {position}")
            }
            Some((position, name)) => write!(f, ", column {position} ({})", shown(name)),
            None => Ok(()),
        }
    }
}

/// The name of a column that has none.
pub(super) fn unnamed(position: usize) -> String {
    format!("column {position}")
}

/// How a flag names a column: by its name where it has one.
pub(super) fn flag(position: usize, name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name == unnamed(position) {
        position.to_string()
    } else if name.chars().all(is_plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', "'\\''"))
    }
}

/// A text in one line, and not all of it where it is long.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 40;
    let mut out: String = text
        .chars()
        .take(MOST)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}

/// Some of the names, separated by commas.
pub(super) fn list<S: AsRef<str>>(names: &[S]) -> String {
    const MOST: usize = 12;
    let mut out: Vec<_> = names
        .iter()
        .take(MOST)
        .map(|name| shown(name.as_ref()))
        .collect();
    if names.len() > MOST {
        out.push(format!("… ({} in all)", names.len()));
    }
    out.join(", ")
}

/// What is wrong, in words that end with the remedy.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The operating system refuses.
    #[error("cannot be opened: {0}")]
    Open(std::io::Error),
    /// Reading failed on the way.
    #[error("cannot be read to its end: {0}")]
    Read(std::io::Error),
    /// A folder in place of a file.
    #[error("is a folder: name a file in it")]
    Folder,
    /// No byte, or nothing but blank lines.
    #[error("is empty: give a file with rows")]
    Empty,
    /// The first line is a header, and there is no other.
    #[error("has a header and no row below it: add rows, or say --header no if that line is data")]
    HeaderOnly,
    /// An array without rows, or without columns.
    #[error("has the shape {0:?}, which holds no examples: give at least one row and one column")]
    NoExamples(Vec<usize>),
    /// Too little to learn from.
    #[error(
        "has {0} row(s) to train on: at least 2 are needed, so add rows or take a larger share"
    )]
    TooFewRows(usize),
    /// A row is longer or shorter than the first.
    #[error(
        "{found} fields where the first line has {expected}: mend the line, or name the separator \
         with --separator"
    )]
    Ragged {
        /// Fields of the first row.
        expected: usize,
        /// Fields of this one.
        found: usize,
    },
    /// A quotation that does not end.
    #[error("a quotation mark is not closed before the file ends: close it, or write it twice")]
    OpenQuote,
    /// A quotation that does not end, or a file that is not text.
    #[error(
        "a row of more than {0} MB: a quotation mark is not closed, or --separator is another one"
    )]
    LongRow(u64),
    /// A character that cannot separate.
    #[error("{0:?} cannot separate fields: give one ASCII character with --separator")]
    Separator(char),
    /// A decimal mark that is none.
    #[error("{0:?} is no decimal mark: give . or , with --decimal")]
    Decimal(char),
    /// A text among numbers.
    #[error(
        "\"{field}\" is not a number, as the column's are: mend it, take the column as categories \
         with --categorical {flag}, or leave it out with --drop {flag}"
    )]
    NotNumber {
        /// What stands there.
        field: String,
        /// The column, as a flag names it.
        flag: String,
    },
    /// An infinity, or a number beyond the range.
    #[error(
        "\"{field}\" is not a finite number: mend it, or leave the column out with --drop {flag}"
    )]
    NotFinite {
        /// What stands there.
        field: String,
        /// The column, as a flag names it.
        flag: String,
    },
    /// Nothing where a value should be.
    #[error(
        "the value is missing: mend it, have it filled in with --impute, or leave the column out \
         with --drop {flag}"
    )]
    Missing {
        /// The column, as a flag names it.
        flag: String,
    },
    /// Nothing where a value should be, and the model has not learned what to put there.
    #[error("the value is missing: mend it, or train with --impute so that it can be filled in")]
    MissingUnseen,
    /// Nothing where the target should be.
    #[error(
        "the value to be learned is missing: mend or remove the row, or name another column with \
         --target"
    )]
    MissingTarget,
    /// A column without any value.
    #[error("the column has no value in the rows to train on: leave it out with --drop {flag}")]
    NoValues {
        /// The column, as a flag names it.
        flag: String,
    },
    /// A flag names a column that is not there.
    #[error("has no column {wanted} for {option}; it has {columns}")]
    NoColumn {
        /// Which flag.
        option: &'static str,
        /// What it says.
        wanted: String,
        /// Which columns there are.
        columns: String,
    },
    /// A column that a model was trained with is not there.
    #[error(
        "has no column {wanted}, which the model was trained with; it has {columns}: rename the \
         column, or say --header no if the first line is data"
    )]
    Untrained {
        /// The column of the model.
        wanted: String,
        /// Which columns there are.
        columns: String,
    },
    /// Another number of columns than a model was trained with.
    #[error(
        "has {found} columns where the model was trained with {expected}: give the same columns in \
         the same order, or a header and --header yes"
    )]
    Columns {
        /// Of the model.
        expected: usize,
        /// Of the file.
        found: usize,
    },
    /// Two columns of one name.
    #[error(
        "is named as column {first} is: rename one of them, or say --header no if the first line \
         is data"
    )]
    DuplicateColumn {
        /// Position of the other, from 1.
        first: usize,
    },
    /// Nothing is left to learn from.
    #[error(
        "no column is left beside the target: name the separator with --separator, the target with \
         --target, or drop less with --drop"
    )]
    NoInputs,
    /// Nothing is named to be learned.
    #[error("nothing is named to be learned: name a column with --target, or a file with --labels")]
    NoTarget,
    /// Targets that no f64 standardises.
    #[error("the values to be learned are too large: write them in larger units")]
    TargetRange,
    /// Categories of a matrix.
    #[error(
        "the model takes the column as categories, and the file has numbers there: give a CSV file"
    )]
    NoCategories,
    /// A class alone cannot be learned.
    #[error(
        "every row is of the class {0}: two classes are needed, so add rows, name another column \
         with --target, or learn values with --task values"
    )]
    OneClass(String),
    /// More classes than any network here is for.
    #[error(
        "has {count} different values in {rows} rows: learn values with --task values, or name \
         another column with --target"
    )]
    TooManyClasses {
        /// Different values.
        count: usize,
        /// Rows.
        rows: usize,
    },
    /// A class that is not one of the model's.
    #[error(
        "the class \"{found}\" is not one of the model's ({known}): mend the row, or name another \
         column with --target"
    )]
    UnknownClass {
        /// What stands there.
        found: String,
        /// What may stand there.
        known: String,
    },
    /// Text where values are to be learned.
    #[error(
        "\"{0}\" is not a number, so it cannot be learned as a value: learn classes with --task \
         classes, or name another column with --target"
    )]
    TextTarget(String),
    /// Several targets can be learned as values alone.
    #[error(
        "{0} columns cannot be learned as classes together: name one with --target, or learn \
         values with --task values"
    )]
    SeveralTargets(usize),
    /// A category that was not among the rows trained on.
    #[error(
        "the category \"{found}\" was not among the rows trained on ({known}): mend it, or say \
         --unknown zeros to go on without it"
    )]
    UnknownCategory {
        /// What stands there.
        found: String,
        /// What may stand there.
        known: String,
    },
    /// Names, addresses, free text.
    #[error(
        "has {count} different texts in {rows} rows, too many to be categories: leave the column \
         out with --drop {flag}, or insist with --categorical {flag}"
    )]
    TooManyCategories {
        /// Different texts.
        count: usize,
        /// Rows.
        rows: usize,
        /// The column, as a flag names it.
        flag: String,
    },
    /// Text in another encoding.
    #[error("the text is not UTF-8: save the file as UTF-8")]
    NotUtf8,
    /// A byte that no text has.
    #[error("holds a NUL byte, so it is no text: give CSV, .npy, .npz or IDX")]
    Binary,
    /// A format that is known and not read.
    #[error("is {0}: save it as CSV")]
    Foreign(&'static str),
    /// A format that is read from its end, within one that is not.
    #[error("is packed with gzip, and is an archive itself: unpack it with gunzip")]
    PackedArchive,
    /// gzip within gzip.
    #[error("is packed twice: unpack it once with gunzip")]
    PackedTwice,
    /// Its name says what it is not.
    #[error(
        "is named as {expected}, but does not begin as one (found {found}): it is damaged or \
         misnamed, so get it again or rename it"
    )]
    Magic {
        /// What the name says.
        expected: &'static str,
        /// The first bytes.
        found: String,
    },
    /// A cut or damaged gzip stream.
    #[error("the gzip stream is cut off or damaged ({0}): get the file again")]
    Gzip(std::io::Error),
    /// An array of complex numbers, texts, objects …
    #[error("holds elements of type {0}: save them as float32, for example x.astype('float32')")]
    ElementType(String),
    /// Not a table.
    #[error("has the shape {0:?}: give rows × columns, for example x.reshape(len(x), -1)")]
    Rank(Vec<usize>),
    /// Images in the order of Fortran.
    #[error("is stored column by column: save numpy.ascontiguousarray(x)")]
    Fortran,
    /// The head of an array file is not understood.
    #[error("has a damaged head ({0}): save the array again")]
    ArrayHead(String),
    /// An archive that is not understood.
    #[error("is a damaged archive ({0}): save the arrays again")]
    Archive(String),
    /// A Parquet file that is damaged, or packed in a way that is not known here.
    #[error(
        "cannot be read as Parquet ({0}): write it anew with compression='snappy', or save it as \
         CSV"
    )]
    Parquet(String),
    /// A table without rows.
    #[error("has no rows: add some")]
    NoRows,
    /// A column that is neither numbers nor text.
    #[error("the column is {kind}: save it as numbers or text, or leave it out with --drop {flag}")]
    ColumnType {
        /// What it is.
        kind: String,
        /// The column, as a flag names it.
        flag: String,
    },
    /// The archive does not hold what is looked for.
    #[error("holds no array {wanted}; it holds {there}: name both with --arrays X,Y")]
    NoArray {
        /// What is looked for.
        wanted: String,
        /// What there is.
        there: String,
    },
    /// Fewer bytes than the head says.
    #[error("ends after {found} of {expected} bytes of data: it is cut off, so get it again")]
    Short {
        /// As the head says.
        expected: u64,
        /// Counted.
        found: u64,
    },
    /// More bytes than the head says.
    #[error("goes on after the {expected} bytes of data that its head says: get the file again")]
    Long {
        /// As the head says.
        expected: u64,
    },
    /// Images and labels that do not belong together.
    #[error(
        "holds {labels} labels for the {examples} rows of {data}: name the right file with --labels"
    )]
    Labels {
        /// Rows of the labels.
        labels: usize,
        /// Rows of the data.
        examples: usize,
        /// The other file, or array.
        data: String,
    },
    /// Images without labels.
    #[error(
        "holds images alone, and there is no {0} beside it: name the labels with --labels FILE"
    )]
    NoLabels(String),
    /// Labels that are neither arrays nor IDX.
    #[error("holds no labels that can be read: give an .npy or IDX file with --labels")]
    LabelsFormat,
    /// Labels of too many axes.
    #[error(
        "holds labels of the shape {0:?}: give one label, or a row of values, for each example"
    )]
    LabelsRank(Vec<usize>),
    /// Labels in place of images.
    #[error("holds labels, no images: give the file of the images, and this one with --labels")]
    LabelsAlone,
    /// A large table, or a small file that unpacks to one.
    #[error(
        "takes more memory than there is ({needed} MB, {available} MB can be had): give fewer rows, or allow more with --max-bytes"
    )]
    Memory {
        /// Megabytes.
        needed: u64,
        /// Megabytes.
        available: u64,
    },
    /// More rows than row numbers.
    #[error("has {0} rows: at most 4294967295 are read, so give a part of them")]
    Rows(u64),
    /// The preprocessing was written by another version of the program.
    #[error(
        "its preprocessing is of version {found}, this program knows version {known}: use a newer program"
    )]
    Version {
        /// As written.
        found: u32,
        /// As known.
        known: u32,
    },
}
