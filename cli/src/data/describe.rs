//! What a table holds, in words and for machines.

use std::fmt;

use serde::Serialize;

use super::error::list;
use super::preprocess::{Preprocessing, Rule, TargetRule};
use super::table::{Inputs, Table, Values};

/// What a table holds and how it was understood.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Which file.
    pub path: String,
    /// How it was read.
    pub form: String,
    /// How many rows.
    pub rows: usize,
    /// The columns that are inputs; of images and arrays, none are listed.
    pub columns: Vec<ColumnSummary>,
    /// How many columns are inputs.
    pub width: usize,
    /// What is to be learned.
    pub targets: Vec<TargetSummary>,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

/// A column of inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnSummary {
    /// Its name.
    pub name: String,
    /// Its categories in order of their first row; `None` where it holds numbers.
    pub categories: Option<Vec<String>>,
    /// Rows without a value.
    pub missing: usize,
}

/// A column to be learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetSummary {
    /// Its name.
    pub name: String,
    /// Whether it is text.
    pub is_text: bool,
}

impl Table {
    /// What the table holds and how it was understood.
    #[must_use]
    pub fn describe(&self) -> Summary {
        let columns = match &self.inputs {
            Inputs::Columns(columns) => &columns[..],
            Inputs::Matrix { .. } => &[],
        };
        let summary = |column: &super::table::Column| ColumnSummary {
            name: column.name.clone(),
            categories: match &column.values {
                Values::Numbers(_) => None,
                Values::Texts(texts) => Some(texts.names.clone()),
            },
            missing: column.values.missing(),
        };
        let target = |column: &super::table::Column| TargetSummary {
            name: column.name.clone(),
            is_text: matches!(column.values, Values::Texts(_)),
        };
        Summary {
            path: self.path.display().to_string(),
            form: self.form.clone(),
            rows: self.rows,
            columns: columns.iter().map(summary).collect(),
            width: self.width(),
            targets: self.targets.iter().map(target).collect(),
            notes: self.notes.clone(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {} rows", self.path, self.form, self.rows)?;
        let categorical = self
            .columns
            .iter()
            .filter(|column| column.categories.is_some());
        let categorical = categorical.count();
        write!(f, "; columns of numbers: {}", self.width - categorical)?;
        if categorical > 0 {
            write!(f, ", of categories: {categorical}")?;
        }
        let targets: Vec<_> = self.targets.iter().map(|target| &target.name).collect();
        if !targets.is_empty() {
            write!(f, "; to be learned: {}", list(&targets))?;
        }
        let missing = |column: &&ColumnSummary| column.missing > 0;
        let missing: Vec<_> = self
            .columns
            .iter()
            .filter(missing)
            .map(|column| format!("{} ({})", column.name, column.missing))
            .collect();
        if !missing.is_empty() {
            write!(f, "; missing values: {}", list(&missing))?;
        }
        for note in &self.notes {
            write!(f, "; {note}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Preprocessing {
    /// What is done to a table, in a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} inputs", self.inputs())?;
        let is_text = |rule: &Rule| matches!(rule, Rule::Category { .. });
        let texts = self.columns.iter().filter(|column| is_text(&column.rule));
        match texts.count() {
            0 => {}
            count => write!(f, "; columns of categories: {count}")?,
        }
        match &self.target {
            TargetRule::Classes { names } => {
                write!(f, "; {} classes: {}", names.len(), list(names))?;
            }
            TargetRule::Values { .. } => {
                write!(f, "; values: {}", list(&self.target_names()))?;
            }
        }
        let constant = self.constant_columns();
        if !constant.is_empty() {
            write!(
                f,
                "; always the same, so of no use (scale 1): {}",
                list(&constant)
            )?;
        }
        Ok(())
    }
}
