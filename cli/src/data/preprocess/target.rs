//! What is learned: classes or values.

use std::collections::HashMap;

use ndarray::Array2;

use super::apply::Goal;
use super::moments::moments_of;
use super::{Preprocessing, TargetRule};
use crate::data::error::{DataError, Fault, list, shown};
use crate::data::numbers::Numbers;
use crate::data::options::Task;
use crate::data::order::{in_natural_order, number_name};
use crate::data::table::{Column, Table, Values};

/// As many different whole numbers may be the names of classes.
const FEW: usize = 20;
/// No more classes than these.
const MANY: usize = 10_000;

/// What the target column says, and otherwise `task`.
pub(super) fn fit(
    table: &Table,
    training_rows: &[usize],
    task: Option<Task>,
) -> Result<TargetRule, DataError> {
    let [first, others @ ..] = &table.targets[..] else {
        return Err(table.file().fault(Fault::NoTarget));
    };
    for column in &table.targets {
        check_complete(table, column)?;
    }
    let task = match (task.or(table.default_task), &first.values) {
        (Some(Task::Classes), _) if !others.is_empty() => {
            return Err(table.file().fault(Fault::SeveralTargets(others.len() + 1)));
        }
        (Some(task), _) => task,
        (None, _) if !others.is_empty() => Task::Values,
        (None, Values::Texts(_)) => Task::Classes,
        (None, Values::Numbers(numbers)) => task_of(numbers),
    };
    match task {
        Task::Classes => classes(table, first),
        Task::Values => values(table, training_rows),
    }
}

/// Classes, if the numbers are whole, at most 20 different ones, and each occurs twice on average;
/// otherwise values.
fn task_of(numbers: &Numbers) -> Task {
    let mut different = Vec::new();
    for index in 0..numbers.len() {
        let value = numbers.at(index);
        if value.fract() != 0.0 {
            return Task::Values;
        }
        if !different.contains(&value) {
            different.push(value);
        }
        if different.len() > FEW {
            return Task::Values;
        }
    }
    if 2 * different.len() <= numbers.len() {
        Task::Classes
    } else {
        Task::Values
    }
}

fn check_complete(table: &Table, column: &Column) -> Result<(), DataError> {
    match (0..table.rows()).find(|row| column.values.is_missing(*row)) {
        None => Ok(()),
        Some(row) => Err(table.target_place(row, column).fault(Fault::MissingTarget)),
    }
}

fn classes(table: &Table, column: &Column) -> Result<TargetRule, DataError> {
    let names = match &column.values {
        Values::Texts(texts) => texts.names.clone(),
        Values::Numbers(numbers) => {
            let values = (0..numbers.len()).map(|index| numbers.at(index));
            let different: HashMap<u64, f64> =
                values.map(|value| (value.to_bits(), value)).collect();
            let names: std::collections::BTreeSet<_> =
                different.into_values().map(number_name).collect();
            names.into_iter().collect()
        }
    };
    let (count, rows) = (names.len(), table.rows());
    let place = || {
        let mut place = table.target_place(0, column);
        (place.line, place.row) = (None, None);
        place
    };
    if count > MANY || (count > FEW && 2 * count > rows) {
        return Err(place().fault(Fault::TooManyClasses { count, rows }));
    }
    if let [name] = &names[..] {
        return Err(place().fault(Fault::OneClass(shown(name))));
    }
    Ok(TargetRule::Classes {
        names: in_natural_order(names),
    })
}

fn values(table: &Table, training_rows: &[usize]) -> Result<TargetRule, DataError> {
    let (mut means, mut scales) = (Vec::new(), Vec::new());
    for column in &table.targets {
        let Values::Numbers(numbers) = &column.values else {
            return Err(text(table, column));
        };
        let (mean, scale) = moments_of(numbers, 1, training_rows)[0].mean_and_scale();
        if !mean.is_finite() || !scale.is_finite() {
            let place = table.file().column(column.position, &column.name);
            return Err(place.fault(Fault::TargetRange));
        }
        means.push(mean);
        scales.push(scale);
    }
    Ok(TargetRule::Values { means, scales })
}

/// The first text of a column that should have numbers.
fn text(table: &Table, column: &Column) -> DataError {
    let text = match &column.values {
        Values::Texts(texts) => texts.at(0).unwrap_or_default(),
        Values::Numbers(_) => "",
    };
    let place = table.target_place(0, column);
    place.fault(Fault::TextTarget(shown(text)))
}

impl Preprocessing {
    /// What the model is to learn from a table, if the table has it.
    pub(super) fn goal(&self, table: &Table) -> Result<Option<Goal>, DataError> {
        if table.targets.is_empty() || table.targets.len() != self.targets.len() {
            return Ok(None);
        }
        for column in &table.targets {
            check_complete(table, column)?;
        }
        match &self.target {
            TargetRule::Classes { names } => {
                let labels = labels(table, &table.targets[0], names)?;
                Ok(Some(Goal::Classes(labels)))
            }
            TargetRule::Values { means, scales } => {
                let mut y = Array2::zeros((table.rows(), means.len()));
                for (i, column) in table.targets.iter().enumerate() {
                    let Values::Numbers(numbers) = &column.values else {
                        return Err(text(table, column));
                    };
                    for row in 0..table.rows() {
                        y[[row, i]] = ((numbers.at(row) - means[i]) / scales[i]) as f32;
                    }
                }
                Ok(Some(Goal::Values(y)))
            }
        }
    }
}

fn labels(table: &Table, column: &Column, names: &[String]) -> Result<Vec<u32>, DataError> {
    let index: HashMap<&str, u32> = names.iter().map(String::as_str).zip(0..).collect();
    let unknown = |row, found: &str| {
        table.target_place(row, column).fault(Fault::UnknownClass {
            found: shown(found),
            known: list(names),
        })
    };
    match &column.values {
        Values::Texts(texts) => {
            let known: Vec<_> = texts
                .names
                .iter()
                .map(|name| index.get(name.as_str()))
                .collect();
            let label = |(row, code): (usize, &u32)| {
                let label = known.get(*code as usize).copied().flatten().copied();
                label.ok_or_else(|| unknown(row, texts.at(row).unwrap_or_default()))
            };
            texts.codes.iter().enumerate().map(label).collect()
        }
        Values::Numbers(numbers) => {
            let mut known = HashMap::new();
            let label = |row| {
                let value = numbers.at(row);
                let entry = known.entry(value.to_bits());
                let label = *entry.or_insert_with(|| index.get(&*number_name(value)).copied());
                label.ok_or_else(|| unknown(row, &number_name(value)))
            };
            (0..numbers.len()).map(label).collect()
        }
    }
}

impl Table {
    /// The class of each row, where the column to be learned has classes; `None` where it has
    /// values. What [`Preprocessing::fit`] would make of all rows, for those who want to choose
    /// rows by class before.
    ///
    /// # Errors
    /// [`DataError`] where there is no column to be learned, or it has no value somewhere.
    pub fn class_labels(&self, task: Option<Task>) -> Result<Option<Vec<u32>>, DataError> {
        let rows: Vec<usize> = (0..self.rows()).collect();
        match fit(self, &rows, task)? {
            TargetRule::Classes { names } => labels(self, &self.targets[0], &names).map(Some),
            TargetRule::Values { .. } => Ok(None),
        }
    }
}
