//! From a table as it was read to the numbers that a network takes, and back.
//!
//! What is learned from data, means, deviations, categories and what to fill in, comes from the
//! rows trained on alone. The names of the classes come from the whole table.

mod apply;
mod fit;
mod moments;
mod target;

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

pub use self::apply::{Examples, Goal};
use super::error::unnamed;
use super::options::Unknown;
use super::role::Role;

/// The version of what is written down.
pub const VERSION: u32 = 1;

/// What is done to a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// One input, (x − mean) / scale. Standardised: mean and standard deviation of the rows trained
    /// on, and 1 in place of a deviation of 0. Pixels: 0 and 255. Left as it is: 0 and 1.
    Number {
        /// What is subtracted.
        mean: f64,
        /// What it is divided by.
        scale: f64,
        /// What stands for a missing value; refused if nothing does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fill: Option<f64>,
    },
    /// An input for each category, 1 where it is the row's and 0 elsewhere.
    Category {
        /// Of the rows trained on, in natural order.
        categories: Vec<String>,
        /// What stands for a missing value; refused if nothing does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fill: Option<String>,
    },
}

impl Rule {
    /// How many inputs of the network it makes.
    #[must_use]
    pub fn inputs(&self) -> usize {
        match self {
            Self::Number { .. } => 1,
            Self::Category { categories, .. } => categories.len(),
        }
    }
}

/// A column and what is done to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnRule {
    /// Name; `column 3` where there is no header.
    pub name: String,
    /// In the file trained on, from 1.
    pub position: usize,
    /// What is done to it.
    pub rule: Rule,
    /// Whether its value is always the same in the rows trained on, so that it tells nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_constant: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A column that is learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetColumn {
    /// Name; `column 3` where there is no header.
    pub name: String,
    /// In the file trained on, from 1; 0 where it was in a file of its own.
    pub position: usize,
}

/// What the outputs of the network mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetRule {
    /// An output for each class.
    Classes {
        /// In natural order: numbers by size, texts by alphabet.
        names: Vec<String>,
    },
    /// An output for each value, (y − mean) / scale of the rows trained on.
    Values {
        /// What is subtracted from each.
        means: Vec<f64>,
        /// What each is divided by; 1 where a value is always the same.
        scales: Vec<f64>,
    },
}

/// What stood in a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Restored<'a> {
    /// A number.
    Number(f64),
    /// A category; `None` where it was one that was not trained on.
    Category(Option<&'a str>),
}

/// What is done to a table: saved with a model, so that the model takes raw tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// Version of the layout.
    pub version: u32,
    /// Whether the columns had names.
    pub is_named: bool,
    /// Columns of the file trained on, with those left out.
    pub file_columns: usize,
    /// Inputs.
    pub columns: Vec<ColumnRule>,
    /// Which columns are learned.
    pub targets: Vec<TargetColumn>,
    /// What becomes of them.
    pub target: TargetRule,
    /// What to do with categories that were not trained on.
    pub unknown: Unknown,
    /// Height, width and channels, where rows are images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<[usize; 3]>,
    /// The arrays of an archive, where they were named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrays: Option<(String, String)>,
}

impl Preprocessing {
    /// How many inputs the network has.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.columns.iter().map(|column| column.rule.inputs()).sum()
    }

    /// How many outputs the network has.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match &self.target {
            TargetRule::Classes { names } => names.len(),
            TargetRule::Values { means, .. } => means.len(),
        }
    }

    /// The name of each input of the network.
    #[must_use]
    pub fn input_names(&self) -> Vec<String> {
        let names = self.columns.iter().flat_map(|column| match &column.rule {
            Rule::Number { .. } => vec![column.name.clone()],
            Rule::Category { categories, .. } => {
                let name = |category| format!("{} = {category}", column.name);
                categories.iter().map(name).collect()
            }
        });
        names.collect()
    }

    /// The inputs of the network that each column makes: what belongs together when the weight of a
    /// column is judged.
    #[must_use]
    pub fn groups(&self) -> Vec<(String, Range<usize>)> {
        let mut start = 0;
        let group = |column: &ColumnRule| {
            let range = start..start + column.rule.inputs();
            start = range.end;
            (column.name.clone(), range)
        };
        self.columns.iter().map(group).collect()
    }

    /// The names of the classes, in the order of the outputs; none where values are learned.
    #[must_use]
    pub fn class_names(&self) -> &[String] {
        match &self.target {
            TargetRule::Classes { names } => names,
            TargetRule::Values { .. } => &[],
        }
    }

    /// The names of what is learned.
    #[must_use]
    pub fn target_names(&self) -> Vec<String> {
        let names = self.targets.iter().map(|target| target.name.clone());
        names.collect()
    }

    /// Outputs of the network in the units of the table, y = output · scale + mean; outputs of
    /// classes as they are.
    #[must_use]
    pub fn unstandardise(&self, outputs: ArrayView2<'_, f32>) -> Array2<f64> {
        let mut values = outputs.mapv(f64::from);
        if let TargetRule::Values { means, scales } = &self.target {
            for mut row in values.rows_mut() {
                for ((value, mean), scale) in row.iter_mut().zip(means).zip(scales) {
                    *value = *value * scale + mean;
                }
            }
        }
        values
    }

    /// An example in the units of the table: each column with its name. It is the inverse of
    /// [`Self::apply`] as far as f32 goes; missing values are what was filled in.
    #[must_use]
    pub fn restore(&self, x: ArrayView1<'_, f32>) -> Vec<(&str, Restored<'_>)> {
        let mut input = 0;
        let restore = |column| {
            let column: &ColumnRule = column;
            let first = input;
            input += column.rule.inputs();
            match &column.rule {
                Rule::Number { mean, scale, .. } => {
                    let value = x.get(first).map_or(f64::NAN, |x| f64::from(*x));
                    Restored::Number(value * scale + mean)
                }
                Rule::Category { categories, .. } => {
                    let is_it = |i: &usize| x.get(first + i).is_some_and(|x| *x > 0.5);
                    let category = (0..categories.len()).find(is_it);
                    Restored::Category(category.map(|i| categories[i].as_str()))
                }
            }
        };
        let restored: Vec<_> = self.columns.iter().map(restore).collect();
        let names = self.columns.iter().map(|column| column.name.as_str());
        names.zip(restored).collect()
    }

    /// Columns whose value is always the same in the rows trained on: they tell nothing.
    #[must_use]
    pub fn constant_columns(&self) -> Vec<&str> {
        let names = self.columns.iter().filter(|column| column.is_constant);
        names.map(|column| column.name.as_str()).collect()
    }

    /// The names that a header may have.
    pub(super) fn known_names(&self) -> Vec<&str> {
        let inputs = self.columns.iter().map(|c| (c.name.as_str(), c.position));
        let targets = self.targets.iter().map(|c| (c.name.as_str(), c.position));
        let named = inputs
            .chain(targets)
            .filter(|(name, position)| *name != unnamed(*position));
        named.map(|(name, _)| name).collect()
    }

    /// Name, position and role of each column that a file may have.
    pub(super) fn wanted_columns(&self) -> impl Iterator<Item = (&str, usize, Role)> {
        let inputs = self.columns.iter().map(|column| {
            let role = match column.rule {
                Rule::Number { .. } => Role::Number,
                Rule::Category { .. } => Role::Text,
            };
            (column.name.as_str(), column.position, role)
        });
        let role = match self.target {
            TargetRule::Classes { .. } => Role::TargetText,
            TargetRule::Values { .. } => Role::TargetNumber,
        };
        let targets = self.targets.iter();
        inputs.chain(targets.map(move |column| (column.name.as_str(), column.position, role)))
    }
}
