//! What a report says: plain data, which a training fills in.

use serde::Serialize;

use super::curves::Curves;
use super::predictions::Predictions;
use crate::explain::{Calibration, Confusion, Importance};

/// What a run tells, for `report.html` and `report.json`.
///
/// Every part is optional: what is empty or `None` is left out of the page. Numbers that are not
/// finite become `null` in JSON. Texts may hold anything; the page escapes them.
///
/// ```
/// use wgpu_linear_cli::report::{RunReport, Score, Task};
///
/// let report = RunReport {
///     name: "iris.csv".into(),
///     task: Task::Classification { target: "species".into(), classes: vec![] },
///     scores: vec![Score::new("accuracy").test(0.97).baseline(0.33)],
///     ..RunReport::default()
/// };
/// assert!(report.html().contains("97.0\u{a0}%"));
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunReport {
    /// The name of the data, such as the file's.
    pub name: String,
    /// What is predicted.
    pub task: Task,
    /// How the run ended, as a sentence: *Stopped early after 31 epochs; the weights are those of
    /// epoch 21.*
    pub ending: Option<String>,
    /// What the user should know beside what the report finds by itself, a sentence each.
    pub notes: Vec<String>,
    /// The metrics. `accuracy`, of classes, and `mean_absolute_error` and `r2`, of values, also
    /// make up the sentence at the top.
    pub scores: Vec<Score>,
    /// How the training went.
    pub curves: Option<Curves>,
    /// Which classes are taken for which on the test set; also what precision, recall and F1 of
    /// each class are computed from.
    pub confusion: Option<Confusion>,
    /// Whether confidence is justified, on the test set.
    pub calibration: Option<Calibration>,
    /// Of regression, the answers beside the truth on the test set, one for each output.
    pub predictions: Vec<Predictions>,
    /// The examples of the test set with the highest loss.
    pub worst: Option<WorstErrors>,
    /// What each input contributes.
    pub importance: Option<Importance>,
    /// What it was trained on.
    pub data: Option<DataSummary>,
    /// The settings, in the order in which they are shown.
    pub configuration: Vec<Setting>,
    /// Where and when it ran, and how long it took.
    pub run: Run,
}

/// What is predicted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Task {
    /// One of several classes.
    Classification {
        /// The name of the column.
        target: String,
        /// The names of the classes; where there are fewer names than classes, numbers stand in.
        classes: Vec<String>,
    },
    /// Values.
    Regression {
        /// The names of the columns.
        targets: Vec<String>,
    },
}

impl Default for Task {
    fn default() -> Self {
        Self::Regression {
            targets: Vec::new(),
        }
    }
}

impl Task {
    /// The name of a class: its number, from 0, where it has none.
    #[must_use]
    pub fn class(&self, class: usize) -> String {
        let name = match self {
            Self::Classification { classes, .. } => classes.get(class),
            Self::Regression { .. } => None,
        };
        name.map_or_else(|| class.to_string(), String::clone)
    }

    /// The column or columns that are predicted, in one text.
    #[must_use]
    pub fn target(&self) -> String {
        match self {
            Self::Classification { target, .. } => target.clone(),
            Self::Regression { targets } => targets.join(", "),
        }
    }

    /// Whether classes are predicted.
    #[must_use]
    pub fn is_classification(&self) -> bool {
        matches!(self, Self::Classification { .. })
    }
}

/// A metric on the parts of the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// Its name as the library has it, such as `accuracy`, `r2`, `mean_absolute_error`, `loss`.
    pub name: String,
    /// On the training rows.
    pub train: Option<f64>,
    /// On the validation rows.
    pub validation: Option<f64>,
    /// On the test rows.
    pub test: Option<f64>,
    /// On the test rows, of what takes no network: always the most frequent class of the training
    /// rows ([`most_frequent`](crate::explain::most_frequent)), or their mean
    /// ([`mean_baseline`](crate::explain::mean_baseline)).
    pub baseline: Option<f64>,
}

impl Score {
    /// A metric that nothing is known of yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// The same, with its value on the training rows.
    #[must_use]
    pub fn train(self, value: impl Into<f64>) -> Self {
        let train = Some(value.into());
        Self { train, ..self }
    }

    /// The same, with its value on the validation rows.
    #[must_use]
    pub fn validation(self, value: impl Into<f64>) -> Self {
        let validation = Some(value.into());
        Self { validation, ..self }
    }

    /// The same, with its value on the test rows.
    #[must_use]
    pub fn test(self, value: impl Into<f64>) -> Self {
        let test = Some(value.into());
        Self { test, ..self }
    }

    /// The same, with what takes no network on the test rows.
    #[must_use]
    pub fn baseline(self, value: impl Into<f64>) -> Self {
        let baseline = Some(value.into());
        Self { baseline, ..self }
    }
}

/// The examples with the highest loss.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WorstErrors {
    /// Width and height in pixels where the inputs are a gray picture.
    pub picture: Option<[usize; 2]>,
    /// The names of the columns of [`WorstExample::values`], as the table has them.
    pub columns: Vec<String>,
    /// The worst first: 12 to 24 make a good page.
    pub examples: Vec<WorstExample>,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct WorstExample {
    /// Where to find it: its row in the table, counted from 1 without the heading.
    pub row: Option<u64>,
    /// What would have been right: the name of a class, or a value.
    pub actual: String,
    /// What the network answered.
    pub predicted: String,
    /// The probability that the network gave its answer.
    pub confidence: Option<f64>,
    /// Its loss.
    pub loss: f64,
    /// The row of the table, as it stood there before any preprocessing.
    pub values: Vec<String>,
    /// The picture, from 0, black, to 255, white, row by row from the top; empty where it is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pixels: Vec<u8>,
}

/// What the network was trained on.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DataSummary {
    /// Where it came from: the path or the paths.
    pub source: String,
    /// Its rows, those left out not counted.
    pub rows: u64,
    /// The inputs of the network, after categories became several inputs each.
    pub inputs: Option<u64>,
    /// The columns of the table. For pictures it may be empty.
    pub columns: Vec<Column>,
    /// The parts that it was split into, and how: training, validation, test.
    pub parts: Vec<Part>,
    /// The classes, in their order.
    pub classes: Vec<ClassShare>,
}

/// A column of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name, or its number as text.
    pub name: String,
    /// What is in it: *number*, *category with 3 values*.
    pub kind: String,
    /// What it is for: *input*, *target*, *left out*.
    pub role: String,
    /// How many values were missing.
    pub missing: u64,
    /// What was put in their place: *mean 3.2*, *a category of its own*.
    pub imputed: Option<String>,
    /// Whether all values are equal, so that it says nothing.
    pub is_constant: bool,
}

/// A part of the data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Part {
    /// *training*, *validation* or *test*.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// How they were chosen: *random, stratified, seed 1*.
    pub chosen: String,
}

/// How frequent a class is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClassShare {
    /// Its name.
    pub name: String,
    /// Its rows in each part, in the order of [`DataSummary::parts`].
    pub rows: Vec<u64>,
}

/// A setting and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Setting {
    /// A setting and its value.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl ToString) -> Self {
        Self {
            name: name.into(),
            value: value.to_string(),
        }
    }
}

/// Where and when a run took place, and how long it took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Run {
    /// The command that repeats it.
    pub command: Option<String>,
    /// The device, as [`Model::device`](wgpu_linear::model::Model::device) names it.
    pub device: Option<String>,
    /// How long each phase took, in the order in which they are shown: reading the data, training,
    /// evaluation, explanation.
    pub timings: Vec<Timing>,
    /// Examples trained on in a second, on average over the training.
    pub examples_per_second: Option<f64>,
    /// The version of this program.
    pub version: Option<String>,
    /// When it ended: *2026-11-27 14:03 UTC*.
    pub date: Option<String>,
}

/// How long something took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// What: *training*.
    pub what: String,
    /// In seconds.
    pub seconds: f64,
}

impl Timing {
    /// How long something took.
    #[must_use]
    pub fn new(what: impl Into<String>, time: std::time::Duration) -> Self {
        Self {
            what: what.into(),
            seconds: time.as_secs_f64(),
        }
    }
}
