//! Arrays as NumPy saves them (`.npy`), and tables made of arrays.

use std::io::{Cursor, Read};
use std::path::Path;

use ndarray_npy::npy::header::{Header, Layout};

use super::element::{Element, Elements, check_finite};
use super::error::{DataError, Fault};
use super::idx;
use super::memory::Budget;
use super::options::ReadOptions;
use super::plan::{Columns, Plan, Role, unnamed_columns};
use super::preprocess::{Preprocessing, Rule};
use super::rows::{MOST_ROWS, Rows, number_name};
use super::source::{Format, Origin, Source, fill};
use super::table::{Column, Inputs, Table, Values};

/// What the head of an array file says.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) element: Element,
    pub(super) axes: Vec<usize>,
    /// Whether the first axis is the one that runs fastest.
    pub(super) is_fortran: bool,
}

impl Shape {
    /// Numbers in the array.
    pub(super) fn len(&self) -> u64 {
        let product = |a: u64, b: &usize| a.saturating_mul(*b as u64);
        self.axes.iter().fold(1, product)
    }

    /// Rows, columns, and height, width and channels where rows are images.
    fn rows(&self, origin: &Origin) -> Result<(usize, usize, Option<[usize; 3]>), DataError> {
        let image = match self.axes[..] {
            [_, _] => None,
            [_, height, width] => Some([height, width, 1]),
            [_, height, width, channels @ (1 | 3 | 4)] => Some([height, width, channels]),
            [_, _, _, _] => None,
            _ => return Err(origin.fault(Fault::Rank(self.axes.clone()))),
        };
        if self.axes.contains(&0) {
            return Err(origin.fault(Fault::NoExamples(self.axes.clone())));
        }
        let rows = self.axes[0];
        if rows as u64 > MOST_ROWS {
            return Err(origin.fault(Fault::Rows(rows as u64)));
        }
        let columns = self.len() / rows as u64;
        if self.is_fortran && self.axes.len() > 2 {
            return Err(origin.fault(Fault::Fortran));
        }
        Ok((rows, usize::try_from(columns).unwrap_or(usize::MAX), image))
    }
}

/// Reads the head of an array.
pub(super) fn head(reader: &mut impl Read, origin: &Origin) -> Result<Shape, DataError> {
    const LONGEST: usize = 1 << 16;
    let damaged = |what: &str| origin.fault(Fault::ArrayHead(what.to_owned()));
    let mut read = |len| {
        let mut bytes = vec![0; len];
        let count = fill(reader, &mut bytes).map_err(|error| origin.broken(error))?;
        if count < len {
            return Err(damaged("it is cut off"));
        }
        Ok(bytes)
    };
    let mut bytes = read(8)?;
    let len = match bytes[6] {
        1 => read(2)?,
        _ => read(4)?,
    };
    let text_len = len
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    // The parser calls itself for each parenthesis.
    if text_len > LONGEST {
        return Err(damaged("it is too long"));
    }
    let text = read(text_len)?;
    let opening = text
        .iter()
        .filter(|byte| matches!(byte, b'(' | b'[' | b'{'));
    if opening.count() > 16 {
        return Err(damaged("it is nested"));
    }
    bytes.extend(len);
    bytes.extend(text);
    let header = Header::from_reader(&mut Cursor::new(bytes));
    let header = header.map_err(|error| damaged(reason(&error.to_string())))?;
    let name = header.type_descriptor.to_string();
    let element = Element::of_numpy(name.trim_matches('\''));
    let element = element.ok_or_else(|| origin.fault(Fault::ElementType(name)))?;
    Ok(Shape {
        element,
        is_fortran: header.layout == Layout::Fortran && header.shape.len() > 1,
        axes: header.shape,
    })
}

/// The first words of a message of several lines.
fn reason(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    line.split(" -->")
        .next()
        .unwrap_or(line)
        .trim_end_matches([':', ' '])
}

/// Reads an `.npy` file.
pub(super) fn read(
    mut source: Source,
    options: &ReadOptions,
    model: Option<&Preprocessing>,
) -> Result<Table, DataError> {
    let origin = source.origin.clone();
    let shape = head(&mut source, &origin)?;
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
        Format::Npy => head(&mut source, &origin)?,
        Format::Idx => idx::head(&mut source, &origin)?,
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
