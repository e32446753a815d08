//! Arrays as NumPy saves them (`.npy`), and tables made of arrays.

use std::io::Read;
use std::path::Path;

use super::element::{Elements, check_finite};
use super::error::{DataError, Fault};
use super::memory::Budget;
use super::options::ReadOptions;
use super::order::number_name;
use super::plan::{Columns, Plan, unnamed_columns};
use super::preprocess::{Preprocessing, Rule};
use super::role::Role;
use super::rows::Rows;
use super::shape::{Shape, of_idx, of_npy};
use super::source::{Format, Origin, Source};
use super::table::{Column, Inputs, Table, Values};

/// Reads an `.npy` file.
pub(super) fn read(
    mut source: Source,
    options: &ReadOptions,
    model: Option<&Preprocessing>,
) -> Result<Table, DataError> {
    let origin = source.origin.clone();
    let shape = of_npy(&mut source, &origin)?;
    let has_labels = options.labels.is_some();
    table(source, &origin, &shape, has_labels, options, model)
}

/// A table of an array whose head has been read.
pub(super) fn table(
    reader: impl Read,
    origin: &Origin,
    shape: &Shape,
    has_labels: bool,
    options: &ReadOptions,
    model: Option<&Preprocessing>,
) -> Result<Table, DataError> {
    let (rows, columns, image) = shape.rows(origin)?;
    let budget = Budget::new(options.max_bytes);
    let elements = Elements::new(reader, shape.element, shape.len(), origin.clone());
    let may_learn_a_column = model.is_some() || options.target.is_some();
    if image.is_some() && !has_labels && !may_learn_a_column {
        return Err(origin.fault(Fault::NoTarget));
    }
    let plan = plan(
        columns,
        shape.is_fortran,
        origin,
        has_labels,
        options,
        model,
    )?;
    let (inputs, targets) = match &plan {
        None => {
            let numbers = elements.all(columns, budget)?;
            (Inputs::Matrix { numbers, columns }, Vec::new())
        }
        Some(plan) if shape.is_fortran => by_columns(elements, rows, plan, budget, origin)?,
        Some(plan) => by_rows(elements, rows, plan, budget, origin)?,
    };
    let axes: Vec<_> = shape.axes.iter().map(usize::to_string).collect();
    Ok(Table {
        path: origin.place.path.clone(),
        form: format!("an array of {}", axes.join(" × ")),
        rows,
        inputs,
        targets,
        target_path: None,
        lines: Vec::new(),
        file_columns: columns,
        is_named: false,
        default_task: None,
        image: plan.is_none().then_some(image).flatten(),
        notes: Vec::new(),
    })
}

/// What becomes of the columns; `None` where all are inputs and numbers, stored row by row.
fn plan(
    columns: usize,
    is_fortran: bool,
    origin: &Origin,
    has_labels: bool,
    options: &ReadOptions,
    model: Option<&Preprocessing>,
) -> Result<Option<Plan>, DataError> {
    let is_whole = match model {
        None => {
            let is_plain = options.drop.is_empty() && options.categorical.is_empty();
            is_plain && (has_labels || !options.wants_target())
        }
        Some(model) => {
            let is_number = |column| matches!(column, &Rule::Number { .. });
            let rules = model.columns.iter().map(|column| &column.rule);
            columns == model.columns.len() && rules.into_iter().all(is_number)
        }
    };
    if is_whole && !is_fortran {
        return Ok(None);
    }
    let known = Columns {
        names: &unnamed_columns(columns),
        is_named: false,
        is_numeric: &vec![true; columns],
        counter: None,
        has_labels,
        place: origin.place.clone(),
    };
    match model {
        None => known.infer(options),
        Some(model) => known.like(model, options.wants_target()),
    }
    .map(Some)
}

fn by_rows<R: Read>(
    mut elements: Elements<R>,
    rows: usize,
    plan: &Plan,
    budget: Budget,
    origin: &Origin,
) -> Result<(Inputs, Vec<Column>), DataError> {
    let columns = plan.roles.len();
    let mut into = Rows::new(plan, budget);
    let mut values = Vec::new();
    for row in 0..rows {
        elements.next(columns, &mut values)?;
        check_finite(&values, (row * columns) as u64, columns, &origin.place)?;
        for (column, _) in into.columns() {
            push(&mut column.values, values[column.position - 1]);
        }
        into.end(&origin.place)?;
    }
    elements.end()?;
    Ok(into.finish())
}

/// An array that is stored column by column.
fn by_columns<R: Read>(
    mut elements: Elements<R>,
    rows: usize,
    plan: &Plan,
    budget: Budget,
    origin: &Origin,
) -> Result<(Inputs, Vec<Column>), DataError> {
    let mut into = Rows::new(plan, budget);
    let mut values = Vec::new();
    let mut wanted = into.columns();
    for role in &plan.roles {
        let mut column = match role {
            Role::Skip => None,
            _ => wanted.next(),
        };
        let mut row = 0;
        while row < rows {
            let count = (rows - row).min(1 << 15);
            elements.next(count, &mut values)?;
            if let Some((column, _)) = &mut column {
                let file = &origin.place;
                check_finite(&values, row as u64, 1, file)?;
                budget.ask(column.values.bytes(), file)?;
                values
                    .iter()
                    .for_each(|value| push(&mut column.values, *value));
            }
            row += count;
        }
    }
    drop(wanted);
    for _ in 0..rows {
        into.end(&origin.place)?;
    }
    elements.end()?;
    Ok(into.finish())
}

fn push(values: &mut Values, value: f64) {
    match values {
        Values::Numbers(numbers) => numbers.push(value),
        Values::Texts(texts) if value.is_nan() => texts.push(None),
        Values::Texts(texts) => texts.push(Some(&number_name(value))),
    }
}

/// Puts what a second file has to learn into a table.
pub(super) fn attach_labels(
    table: &mut Table,
    path: &Path,
    options: &ReadOptions,
) -> Result<(), DataError> {
    let mut source = Source::open(path)?;
    let origin = source.origin.clone();
    let shape = match source.format {
        Format::Npy => of_npy(&mut source, &origin)?,
        Format::Idx => of_idx(&mut source, &origin)?,
        Format::Npz | Format::Text | Format::Parquet => {
            return Err(origin.fault(Fault::LabelsFormat));
        }
    };
    if source.format == Format::Idx {
        table.default_task = Some(super::options::Task::Classes);
    }
    table.targets = labels(source, &origin, &shape, table, options)?;
    table.target_path = Some(path.to_owned());
    Ok(())
}

/// The columns of an array of labels, which should have as many rows as a table.
pub(super) fn labels(
    reader: impl Read,
    origin: &Origin,
    shape: &Shape,
    table: &Table,
    options: &ReadOptions,
) -> Result<Vec<Column>, DataError> {
    let (rows, columns) = match shape.axes[..] {
        [rows] => (rows, 1),
        [rows, columns] => (rows, columns),
        _ => return Err(origin.fault(Fault::LabelsRank(shape.axes.clone()))),
    };
    if rows != table.rows {
        return Err(origin.fault(Fault::Labels {
            labels: rows,
            examples: table.rows,
            data: table.path.display().to_string(),
        }));
    }
    let name = |i| match columns {
        1 => "label".to_owned(),
        _ => format!("label {i}"),
    };
    let plan = Plan {
        roles: vec![Role::TargetNumber; columns],
        names: (1..=columns).map(name).collect(),
        notes: Vec::new(),
    };
    let budget = Budget::new(options.max_bytes);
    let elements = Elements::new(reader, shape.element, shape.len(), origin.clone());
    let (_, mut targets) = if shape.is_fortran {
        by_columns(elements, rows, &plan, budget, origin)?
    } else {
        by_rows(elements, rows, &plan, budget, origin)?
    };
    for column in &mut targets {
        column.position = 0;
    }
    Ok(targets)
}
