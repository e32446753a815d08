//! How to read a file, where it is not to be found out.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What is to be learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// One of some classes.
    Classes,
    /// One or several numbers.
    Values,
}

/// What is done to numbers before the network sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// (x − mean) / standard deviation, of the rows trained on.
    Standardise,
    /// x / 255, as for the pixels of images.
    Pixels,
    /// Nothing.
    None,
}

/// What to do with a category that was not among the rows trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// Say where it is, and stop.
    #[default]
    Refuse,
    /// None of the inputs of this column is 1.
    Zeros,
}

/// How to read a file, and what to make of its columns.
///
/// A column is named by its name, or by its position: from 1, or from the end with −1 as the last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReadOptions {
    /// Whether the first line has the names of the columns; found out if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// What separates fields; found out among `,` `;` tab and `|` if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<char>,
    /// The decimal mark, `.` or `,`; found out if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<char>,
    /// The columns to be learned. If not said, the one that is called `target`, `label` or `class`,
    /// and the last where none is; none at all where the list is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Vec<String>>,
    /// What is to be learned; found out if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// Columns that are categories even if they look like numbers.
    pub categorical: Vec<String>,
    /// Columns that are numbers even if most of their first fields are not.
    pub numeric: Vec<String>,
    /// Columns to be left out.
    pub drop: Vec<String>,
    /// Whether missing values are filled in, with the median of numbers and the most frequent
    /// category; refused otherwise.
    pub impute: bool,
    /// What is done to numbers; if not said, bytes of images are divided by 255 and all others
    /// standardised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// What to do with a category that was not among the rows trained on.
    pub unknown: Unknown,
    /// A second file with what is to be learned, `.npy` or IDX.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// The names of the arrays x and y in an `.npz` archive; found out if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrays: Option<(String, String)>,
    /// The most memory that a table may take, in bytes; what the machine has if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

impl ReadOptions {
    /// Whether the targets are of interest.
    pub(super) fn wants_target(&self) -> bool {
        self.target.as_ref().is_none_or(|names| !names.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_a_configuration_file() {
        let options = ReadOptions {
            header: Some(true),
            separator: Some('\t'),
            decimal: Some(','),
            target: Some(vec!["label".into(), "-1".into()]),
            task: Some(Task::Values),
            categorical: vec!["colour".into()],
            impute: true,
            scaling: Some(Scaling::Standardise),
            unknown: Unknown::Zeros,
            labels: Some("y.npy".into()),
            arrays: Some(("x".into(), "y".into())),
            max_bytes: Some(1 << 40),
            ..ReadOptions::default()
        };
        for options in [options, ReadOptions::default()] {
            let text = toml::to_string(&options).unwrap();
            assert_eq!(
                toml::from_str::<ReadOptions>(&text).unwrap(),
                options,
                "{text}"
            );
        }
        let text = "task = \"classes\"\ntarget = []\nscaling = \"pixels\"";
        let read: ReadOptions = toml::from_str(text).unwrap();
        assert_eq!(read.task, Some(Task::Classes));
        assert!(!read.wants_target());
        assert!(toml::from_str::<ReadOptions>("separater = \",\"").is_err());
    }
}
