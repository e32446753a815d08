//! What is learned from the rows trained on.

use super::moments::{Moments, moments_of};
use super::target;
use super::{ColumnRule, Preprocessing, Rule, TargetColumn, VERSION};
use crate::data::error::{DataError, Fault, Place, flag};
use crate::data::numbers::Numbers;
use crate::data::options::{ReadOptions, Scaling};
use crate::data::order::in_natural_order;
use crate::data::table::{Column, Inputs, MISSING, Table, Texts, Values};

/// Texts that are categories in any case.
const FEW: usize = 20;
/// More texts than these are no categories, unless they are said to be.
const MANY: usize = 1000;

impl Preprocessing {
    /// What the rows `training_rows` of a table teach. Rows that are not among them may differ as
    /// they like: only the names of the classes, and the refusal of missing values, look at all.
    ///
    /// # Errors
    /// [`DataError`] where there are fewer than two rows, a value is missing and not to be filled
    /// in, a column has no value or is free text, or nothing, one class or too many classes are to
    /// be learned.
    pub fn fit(
        table: &Table,
        training_rows: &[usize],
        options: &ReadOptions,
    ) -> Result<Self, DataError> {
        if table.rows() < 2 || training_rows.len() < 2 {
            let rows = training_rows.len().min(table.rows());
            return Err(table.file().fault(Fault::TooFewRows(rows)));
        }
        let target = target::fit(table, training_rows, options.task)?;
        let fit = Fit {
            table,
            rows: training_rows,
            options,
        };
        let columns = match &table.inputs {
            Inputs::Columns(columns) => columns.iter().map(|column| fit.column(column)).collect(),
            Inputs::Matrix { numbers, columns } => fit.matrix(numbers, *columns),
        };
        let targets = table.targets.iter().map(|column| TargetColumn {
            name: column.name.clone(),
            position: column.position,
        });
        Ok(Self {
            version: VERSION,
            is_named: table.is_named,
            file_columns: table.file_columns,
            columns: columns?,
            targets: targets.collect(),
            target,
            unknown: options.unknown,
            image: table.image,
            arrays: options.arrays.clone(),
        })
    }
}

struct Fit<'a> {
    table: &'a Table,
    rows: &'a [usize],
    options: &'a ReadOptions,
}

impl Fit<'_> {
    fn column(&self, column: &Column) -> Result<ColumnRule, DataError> {
        let (rule, is_constant) = match &column.values {
            Values::Numbers(numbers) => {
                self.check_missing(numbers, 1, |_| (column.position, column.name.clone()))?;
                let moments = moments_of(numbers, 1, self.rows)[0];
                let name = (column.position, &*column.name);
                let rule = self.number(numbers, 1, 0, &moments, name)?;
                (rule, moments.is_constant())
            }
            Values::Texts(texts) => {
                let rule = self.texts(texts, column)?;
                let is_constant = rule.inputs() < 2;
                (rule, is_constant)
            }
        };
        Ok(ColumnRule {
            name: column.name.clone(),
            position: column.position,
            rule,
            is_constant,
        })
    }

    fn matrix(&self, numbers: &Numbers, columns: usize) -> Result<Vec<ColumnRule>, DataError> {
        self.check_missing(numbers, columns, |index| self.table.name(index))?;
        let all = moments_of(numbers, columns, self.rows);
        let rule = |(i, moments): (usize, &Moments)| {
            let (position, name) = self.table.name(i);
            let rule = self.number(numbers, columns, i, moments, (position, &name))?;
            Ok(ColumnRule {
                name,
                position,
                rule,
                is_constant: moments.is_constant(),
            })
        };
        all.iter().enumerate().map(rule).collect()
    }

    fn number(
        &self,
        numbers: &Numbers,
        columns: usize,
        index: usize,
        moments: &Moments,
        (position, name): (usize, &str),
    ) -> Result<Rule, DataError> {
        let place = || self.table.file().column(position, name);
        let flag = || flag(position, name);
        if moments.count == 0 {
            return Err(place().fault(Fault::NoValues { flag: flag() }));
        }
        let is_image = self.table.image.is_some() && matches!(numbers, Numbers::Bytes(_));
        let (mean, scale) = match self.options.scaling {
            Some(Scaling::None) => (0.0, 1.0),
            Some(Scaling::Pixels) => (0.0, 255.0),
            None if is_image => (0.0, 255.0),
            Some(Scaling::Standardise) | None => moments.mean_and_scale(),
        };
        if !mean.is_finite() || !scale.is_finite() {
            let field = format!("{:e}", moments.most.max(-moments.least));
            return Err(place().fault(Fault::NotFinite {
                field,
                flag: flag(),
            }));
        }
        let fill = self.options.impute;
        let fill = fill.then(|| median(numbers, columns, index, self.rows));
        Ok(Rule::Number { mean, scale, fill })
    }

    fn texts(&self, texts: &Texts, column: &Column) -> Result<Rule, DataError> {
        let mut counts = vec![0_usize; texts.names.len()];
        for row in 0..self.table.rows() {
            if texts.codes[row] == MISSING && !self.options.impute {
                return Err(missing(self.table, row, column.position, &column.name));
            }
        }
        for row in self.rows {
            if let Some(count) = counts.get_mut(texts.codes[*row] as usize) {
                *count += 1;
            }
        }
        let used = texts.names.iter().zip(&counts);
        let used: Vec<_> = used.filter(|(_, count)| **count > 0).collect();
        let place = || self.table.file().column(column.position, &column.name);
        let flag = flag(column.position, &column.name);
        if used.is_empty() {
            return Err(place().fault(Fault::NoValues { flag }));
        }
        let (count, rows) = (used.len(), self.rows.len());
        let is_free = count > MANY || (count > FEW && 2 * count > rows);
        if is_free && !self.is_said_to_be_categorical(column) {
            return Err(place().fault(Fault::TooManyCategories { count, rows, flag }));
        }
        let categories = in_natural_order(used.iter().map(|(name, _)| (*name).clone()).collect());
        let most = used.iter().map(|(_, count)| **count).max();
        let is_most =
            |category: &&String| used.iter().any(|(n, c)| n == category && Some(**c) == most);
        let fill = categories.iter().find(is_most).cloned();
        Ok(Rule::Category {
            fill: fill.filter(|_| self.options.impute),
            categories,
        })
    }

    fn is_said_to_be_categorical(&self, column: &Column) -> bool {
        let position = column.position.to_string();
        let from_end = column.position as i64 - self.table.file_columns as i64 - 1;
        let is_it = |name: &String| {
            *name == column.name || *name == position || *name == from_end.to_string()
        };
        self.options.categorical.iter().any(is_it)
    }

    /// Refuses missing values, unless they are filled in.
    fn check_missing(
        &self,
        numbers: &Numbers,
        columns: usize,
        name: impl Fn(usize) -> (usize, String),
    ) -> Result<(), DataError> {
        if self.options.impute || matches!(numbers, Numbers::Bytes(_)) {
            return Ok(());
        }
        match (0..numbers.len()).find(|index| numbers.at(*index).is_nan()) {
            None => Ok(()),
            Some(index) => {
                let (position, name) = name(index % columns);
                Err(missing(self.table, index / columns, position, &name))
            }
        }
    }
}

fn missing(table: &Table, row: usize, position: usize, name: &str) -> DataError {
    let flag = flag(position, name);
    let place: Place = table.place(row).column(position, name);
    place.fault(Fault::Missing { flag })
}

/// The middle one of the numbers, or the mean of the two in the middle.
fn median(numbers: &Numbers, columns: usize, index: usize, rows: &[usize]) -> f64 {
    let value = |row: &usize| numbers.at(row * columns + index);
    let mut values: Vec<_> = rows
        .iter()
        .map(value)
        .filter(|value| !value.is_nan())
        .collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.get(middle) {
        None => 0.0,
        Some(upper) if values.len() % 2 == 1 => *upper,
        Some(upper) => values[middle - 1] / 2.0 + upper / 2.0,
    }
}
