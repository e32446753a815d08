//! How well a network does on some rows, in the units of the table.

use std::io::{self, Write};

use ndarray::Array2;
use serde::Serialize;
use wgpu_linear::model::{Model, Targets};
use wgpu_linear::train::{Dataset, DetailedEvaluation, evaluate_in_detail};

use crate::CliError;
use crate::data::Preprocessing;
use crate::explain::{predicted_class, probabilities};

/// How well a network does on some rows.
#[derive(Debug)]
pub struct Outcome {
    /// Loss and metrics as the trainer measures them, with the outputs of the network.
    pub details: DetailedEvaluation,
    /// Metrics in the units of the table, the most telling first.
    pub scores: Vec<(String, f64)>,
    /// The values that were wanted and those that the network gives, in the units of the table;
    /// `None` for classes.
    pub values: Option<[Array2<f64>; 2]>,
}

/// Metrics by name, for machines.
#[derive(Debug, Serialize)]
pub struct Scores<'a> {
    /// Rows that were judged.
    pub rows: usize,
    /// Name and value.
    pub metrics: std::collections::BTreeMap<&'a str, f64>,
}

impl Outcome {
    /// Has the model predict all rows of `data`.
    ///
    /// # Errors
    /// [`CliError::Failure`] where the device reports an error.
    pub fn of(
        model: &mut dyn Model,
        preprocessing: &Preprocessing,
        data: &Dataset,
    ) -> Result<Self, CliError> {
        let details = evaluate_in_detail(model, data).map_err(|error| CliError::failure(&error))?;
        let values = data.values().map(|y| {
            [y, &details.outputs].map(|values| preprocessing.unstandardise(values.view()))
        });
        let scores = match &values {
            None => scores_of_classes(&details),
            Some(values) => scores_of_values(values),
        };
        Ok(Self {
            details,
            scores,
            values,
        })
    }

    /// A metric by name.
    #[must_use]
    pub fn score(&self, name: &str) -> Option<f64> {
        let found = self.scores.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| *value)
    }

    /// All metrics, for machines.
    #[must_use]
    pub fn for_machines(&self) -> Scores<'_> {
        Scores {
            rows: self.details.outputs.nrows(),
            metrics: self.scores.iter().map(|(n, v)| (n.as_str(), *v)).collect(),
        }
    }

    /// All metrics, for people: a line each.
    #[must_use]
    pub fn text(&self) -> String {
        let lines = self.scores.iter().map(|(name, value)| {
            let name = name.replace('_', " ");
            format!("  {name:<24} {}\n", significant(*value))
        });
        lines.collect()
    }
}

/// Four digits behind the point, or in the exponent where the number is very large or small.
#[must_use]
fn significant(value: f64) -> String {
    if value != 0.0 && !(1e-3..1e7).contains(&value.abs()) && value.is_finite() {
        format!("{value:.4e}")
    } else {
        format!("{value:.4}")
    }
}

/// The loss is left out: it is the log loss, but for weights of classes and smoothed labels.
fn scores_of_classes(details: &DetailedEvaluation) -> Vec<(String, f64)> {
    let metrics = details.evaluation.metrics();
    metrics
        .map(|(name, value)| (name.to_owned(), widened(value)))
        .collect()
}

/// The f64 that is written as the f32 is: 0.92, and not 0.9200000166893005.
fn widened(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::NAN)
}

/// R², mean absolute error and so on of values in the units of the table.
fn scores_of_values([wanted, given]: &[Array2<f64>; 2]) -> Vec<(String, f64)> {
    let differences = given - wanted;
    let mean = |of: fn(f64) -> f64| differences.mapv(of).mean().unwrap_or(f64::NAN);
    let largest = differences.iter().map(|d| d.abs()).fold(0.0, f64::max);
    let r2 = r2(wanted, &differences);
    [
        ("r2", r2),
        ("mean_absolute_error", mean(f64::abs)),
        ("root_mean_squared_error", mean(|d| d * d).sqrt()),
        ("max_error", largest),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// The mean over the outputs of 1 − Σ (t − y)² / Σ (y − mean)²; 0 where all y are equal, and 1 where
/// they are met too, as scikit-learn has it.
fn r2(wanted: &Array2<f64>, differences: &Array2<f64>) -> f64 {
    let columns = wanted.columns().into_iter().zip(differences.columns());
    let of_column = columns.map(|(y, d)| {
        let mean = y.mean().unwrap_or(f64::NAN);
        let residual: f64 = d.iter().map(|d| d * d).sum();
        let total: f64 = y.iter().map(|y| (y - mean).powi(2)).sum();
        match (residual == 0.0, total == 0.0) {
            (true, _) => 1.0,
            (false, true) => 0.0,
            (false, false) => 1.0 - residual / total,
        }
    });
    of_column.sum::<f64>() / wanted.ncols() as f64
}

/// Writes predictions as CSV: the row of the table, from 1, what was wanted where that is known, what
/// the network gives, and for classes the probability of each.
///
/// # Errors
/// What the writer reports.
pub fn write_predictions(
    to: impl Write,
    preprocessing: &Preprocessing,
    rows: &[usize],
    outputs: &Array2<f32>,
    targets: Option<Targets<'_>>,
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record(heading(preprocessing, targets.is_some()))
        .map_err(of_writer)?;
    // A network computes with f32: more digits would say nothing.
    let values = |values: ndarray::ArrayView2<'_, f32>| {
        let values = preprocessing.unstandardise(values);
        values.mapv(|value| value as f32)
    };
    let wanted = match targets {
        Some(Targets::Values(y)) => Some(values(y)),
        _ => None,
    };
    let given = values(outputs.view());
    let names = preprocessing.class_names();
    for (i, row) in rows.iter().enumerate() {
        let mut record = vec![(row + 1).to_string()];
        let outputs = outputs.row(i);
        if names.is_empty() {
            let wanted = wanted.as_ref().map(|wanted| wanted.row(i));
            record.extend(wanted.iter().flatten().map(ToString::to_string));
            record.extend(given.row(i).iter().map(ToString::to_string));
        } else {
            let mut actual = None;
            if let Some(Targets::Classes(labels)) = targets {
                actual = Some(labels[i] as usize);
                record.push(names[labels[i] as usize].clone());
            }
            let predicted = predicted_class(outputs, actual.unwrap_or(0));
            record.push(names[predicted].clone());
            record.extend(probabilities(outputs).iter().map(|p| format!("{p:.6}")));
        }
        csv.write_record(record).map_err(of_writer)?;
    }
    csv.flush()
}

/// What the writer below reported: `From` would hide its kind.
fn of_writer(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn heading(preprocessing: &Preprocessing, has_targets: bool) -> Vec<String> {
    let mut heading = vec!["row".to_owned()];
    let names: Vec<_> = preprocessing
        .targets
        .iter()
        .map(|t| t.name.clone())
        .collect();
    if has_targets {
        heading.extend(names.iter().cloned());
    }
    heading.extend(names.iter().map(|name| format!("predicted {name}")));
    let classes = preprocessing.class_names().iter();
    heading.extend(classes.map(|class| format!("probability of {class}")));
    heading
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn scores_of_values_are_those_of_their_definitions() {
        // scikit-learn's r2_score([[1], [2], [3]], [[1], [2], [5]]) is −1.
        let scores = scores_of_values(&[array![[1.0], [2.0], [3.0]], array![[1.0], [2.0], [5.0]]]);
        let values: Vec<_> = scores.iter().map(|(_, value)| *value).collect();
        let expected = [-1.0, 2.0 / 3.0, (4.0_f64 / 3.0).sqrt(), 2.0];
        for (value, expected) in values.iter().zip(expected) {
            assert!((value - expected).abs() <= 1e-12, "{scores:?}");
        }
    }

    #[test]
    fn a_number_is_written_as_before() {
        for value in [0.92_f32, 1.0 / 3.0, 1e-30, f32::MAX, 0.0] {
            assert_eq!(widened(value).to_string(), value.to_string());
            assert_eq!(widened(value) as f32, value);
        }
        assert!(widened(f32::NAN).is_nan());
        assert_eq!(widened(f32::INFINITY), f64::INFINITY);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(significant(0.97654), "0.9765");
        assert_eq!(significant(1.5e-6), "1.5000e-6");
        assert_eq!(significant(0.0), "0.0000");
        assert_eq!(significant(f64::NAN), "NaN");
    }
}
