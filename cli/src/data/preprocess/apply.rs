//! A table made ready for the network.

use std::collections::HashMap;

use ndarray::Array2;
use wgpu_linear::train::Dataset;

use super::{Preprocessing, Rule, VERSION};
use crate::data::error::{DataError, Fault, Place, flag, list, shown};
use crate::data::memory::Budget;
use crate::data::numbers::Numbers;
use crate::data::options::Unknown;
use crate::data::table::{Column, Inputs, MISSING, Table, Texts, Values};

/// Rows that are filled column by column, so that they stay in caches.
const BLOCK: usize = 256;

/// A table made ready.
#[derive(Clone, Debug, PartialEq)]
pub struct Examples {
    /// What the network sees, rows × inputs.
    pub x: Array2<f32>,
    /// What it should give, if the table has it.
    pub goal: Option<Goal>,
}

/// What the network should give.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// The index of each row's class.
    Classes(Vec<u32>),
    /// Standardised, rows × outputs.
    Values(Array2<f32>),
}

impl Examples {
    /// The examples as the trainer takes them; `None` where they do not say what to learn.
    #[must_use]
    pub fn into_dataset(self) -> Option<Dataset> {
        match self.goal? {
            Goal::Classes(labels) => Dataset::new(self.x, labels).ok(),
            Goal::Values(y) => Dataset::with_values(self.x, y).ok(),
        }
    }
}

impl Preprocessing {
    /// Makes a table ready. Columns are found by name, whatever their order; those of arrays and
    /// images by position. A matrix of f32 is changed in place.
    ///
    /// # Errors
    /// [`DataError`] where a column is not there, a value is missing and none is known to fill in,
    /// a category or class is unknown, a number is beyond f32, or there is no memory for the
    /// examples.
    pub fn apply(&self, table: Table) -> Result<Examples, DataError> {
        if self.version != VERSION {
            return Err(table.file().fault(Fault::Version {
                found: self.version,
                known: VERSION,
            }));
        }
        let goal = self.goal(&table)?;
        let rows = table.rows();
        let values = match &table.inputs {
            Inputs::Columns(_) => self.columns(&table)?,
            Inputs::Matrix { .. } => self.matrix(table)?,
        };
        let x = Array2::from_shape_vec((rows, self.inputs()), values);
        // Both ways above give rows × inputs numbers.
        let x = x.map_err(|_| Place::default().fault(Fault::NoExamples(vec![rows])))?;
        Ok(Examples { x, goal })
    }

    fn columns(&self, table: &Table) -> Result<Vec<f32>, DataError> {
        let Inputs::Columns(columns) = &table.inputs else {
            return Ok(Vec::new());
        };
        let index: HashMap<&str, &Column> = columns.iter().map(|c| (&*c.name, c)).collect();
        let mut steps = Vec::new();
        let mut input = 0;
        for wanted in &self.columns {
            let column = index.get(&*wanted.name).ok_or_else(|| {
                let names: Vec<_> = columns.iter().map(|column| &column.name).collect();
                table.file().fault(Fault::Untrained {
                    wanted: wanted.name.clone(),
                    columns: list(&names),
                })
            })?;
            steps.push(Step::new(table, column, &wanted.rule, input, self.unknown)?);
            input += wanted.rule.inputs();
        }
        let len = table.rows().saturating_mul(input);
        let mut x = Budget::new(None).vector(len, &table.file())?;
        x.resize(len, 0.0);
        for (i, block) in x.chunks_mut((BLOCK * input).max(1)).enumerate() {
            for step in &steps {
                step.fill(block, i * BLOCK, input)?;
            }
        }
        Ok(x)
    }

    fn matrix(&self, table: Table) -> Result<Vec<f32>, DataError> {
        if table.width() != self.columns.len() {
            return Err(table.file().fault(Fault::Columns {
                expected: self.columns.len(),
                found: table.width(),
            }));
        }
        let mut rules = Vec::new();
        for column in &self.columns {
            match &column.rule {
                Rule::Number { mean, scale, fill } => rules.push((*mean, *scale, *fill)),
                Rule::Category { .. } => {
                    let place = table.file().column(column.position, &column.name);
                    return Err(place.fault(Fault::NoCategories));
                }
            }
        }
        let file = table.file();
        let fail = |index: usize, value: Option<f64>| {
            let column = &self.columns[index % rules.len()];
            let (position, name) = (column.position, &column.name);
            let place = file.clone().row((index / rules.len()) as u64 + 1);
            number_fault(place.column(position, name), value, position, name)
        };
        let Inputs::Matrix { numbers, .. } = table.inputs else {
            return Ok(Vec::new());
        };
        match numbers {
            Numbers::Singles(mut values) => {
                for (i, value) in values.iter_mut().enumerate() {
                    let rule = rules[i % rules.len()];
                    *value = scaled(f64::from(*value), rule).map_err(|value| fail(i, value))?;
                }
                Ok(values)
            }
            Numbers::Bytes(values) => convert(&values, &rules, &file, fail),
            Numbers::Doubles(values) => convert(&values, &rules, &file, fail),
        }
    }
}

type Scale = (f64, f64, Option<f64>);

/// (x − mean) / scale; an error with the number that is beyond f32, or without where it is missing.
fn scaled(value: f64, (mean, scale, fill): Scale) -> Result<f32, Option<f64>> {
    let value = if value.is_nan() {
        fill.ok_or(None)?
    } else {
        value
    };
    let scaled = ((value - mean) / scale) as f32;
    if scaled.is_finite() {
        Ok(scaled)
    } else {
        Err(Some(value))
    }
}

fn convert<T: Copy + Into<f64>>(
    values: &[T],
    rules: &[Scale],
    file: &Place,
    fail: impl Fn(usize, Option<f64>) -> DataError,
) -> Result<Vec<f32>, DataError> {
    let mut x = Budget::new(None).vector(values.len(), file)?;
    for row in values.chunks(rules.len().max(1)) {
        for (value, rule) in row.iter().zip(rules) {
            let value = scaled((*value).into(), *rule).map_err(|value| fail(x.len(), value))?;
            x.push(value);
        }
    }
    Ok(x)
}

fn number_fault(place: Place, value: Option<f64>, position: usize, name: &str) -> DataError {
    place.fault(match value {
        None => Fault::MissingUnseen,
        Some(value) => Fault::NotFinite {
            field: format!("{value:e}"),
            flag: flag(position, name),
        },
    })
}

/// A column on its way to its inputs.
struct Step<'a> {
    table: &'a Table,
    column: &'a Column,
    /// The first input.
    input: usize,
    work: Work<'a>,
}

enum Work<'a> {
    Number(&'a Numbers, Scale),
    /// For each text of the column, which of the inputs is 1; `None` for those that are unknown.
    Category {
        texts: &'a Texts,
        inputs: Vec<Option<usize>>,
        fill: Option<usize>,
        categories: &'a [String],
        unknown: Unknown,
    },
}

impl<'a> Step<'a> {
    fn new(
        table: &'a Table,
        column: &'a Column,
        rule: &'a Rule,
        input: usize,
        unknown: Unknown,
    ) -> Result<Self, DataError> {
        let work = match (&column.values, rule) {
            (Values::Numbers(numbers), Rule::Number { mean, scale, fill }) => {
                Work::Number(numbers, (*mean, *scale, *fill))
            }
            (Values::Texts(texts), Rule::Category { categories, fill }) => {
                let index: HashMap<&str, usize> =
                    categories.iter().map(String::as_str).zip(0..).collect();
                let find = |name: &String| index.get(&**name).copied();
                Work::Category {
                    texts,
                    inputs: texts.names.iter().map(find).collect(),
                    fill: fill.as_ref().and_then(find),
                    categories,
                    unknown,
                }
            }
            (values, _) => {
                let place = table.place(0).column(column.position, &column.name);
                return Err(place.fault(match values {
                    Values::Numbers(_) => Fault::NoCategories,
                    Values::Texts(texts) => Fault::NotNumber {
                        field: shown(texts.at(0).unwrap_or_default()),
                        flag: flag(column.position, &column.name),
                    },
                }));
            }
        };
        Ok(Self {
            table,
            column,
            input,
            work,
        })
    }

    /// Fills in the inputs of some rows, from row `first`; `inputs` a row.
    fn fill(&self, block: &mut [f32], first: usize, inputs: usize) -> Result<(), DataError> {
        for (i, x) in block.chunks_exact_mut(inputs).enumerate() {
            let row = first + i;
            match &self.work {
                Work::Number(numbers, scale) => {
                    let value = scaled(numbers.at(row), *scale);
                    x[self.input] = value.map_err(|value| {
                        let (position, name) = (self.column.position, &self.column.name);
                        number_fault(self.place(row), value, position, name)
                    })?;
                }
                Work::Category { .. } => {
                    if let Some(category) = self.category(row)? {
                        x[self.input + category] = 1.0;
                    }
                }
            }
        }
        Ok(())
    }

    fn category(&self, row: usize) -> Result<Option<usize>, DataError> {
        let Work::Category {
            texts,
            inputs,
            fill,
            categories,
            unknown,
        } = &self.work
        else {
            return Ok(None);
        };
        let code = texts.codes[row];
        if code == MISSING {
            let missing = || self.place(row).fault(Fault::MissingUnseen);
            return fill.ok_or_else(missing).map(Some);
        }
        match (inputs[code as usize], unknown) {
            (None, Unknown::Refuse) => Err(self.place(row).fault(Fault::UnknownCategory {
                found: shown(texts.at(row).unwrap_or_default()),
                known: list(categories),
            })),
            (category, _) => Ok(category),
        }
    }

    fn place(&self, row: usize) -> Place {
        let Column { position, name, .. } = self.column;
        self.table.place(row).column(*position, name)
    }
}
