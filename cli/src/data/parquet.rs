//! Parquet files without nested columns: column by column, some thousand values at a time.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::basic::{LogicalType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::error::{DataError, Fault, Place, flag, shown};
use super::memory::Budget;
use super::options::ReadOptions;
use super::order::number_name;
use super::plan::{Columns, Plan};
use super::preprocess::Preprocessing;
use super::role::Role;
use super::rows::{MOST_ROWS, Rows};
use super::table::{Column, Table, Values};

/// Values that are read at once.
const BATCH: usize = 4096;
/// How pandas calls the row numbers that it adds.
const COUNTER: &str = "__index_level_0__";

/// Reads a table; one like those that `model` was trained with, where there is one.
pub(super) fn read(
    path: &Path,
    options: &ReadOptions,
    model: Option<&Preprocessing>,
) -> Result<Table, DataError> {
    // The reader indexes by what a file says; where that is wrong, it may panic.
    let read = AssertUnwindSafe(|| read_trusting(path, options, model));
    catch_unwind(read)
        .unwrap_or_else(|_| Err(Place::file(path).fault(Fault::Parquet("it is damaged".into()))))
}

fn read_trusting(
    path: &Path,
    options: &ReadOptions,
    model: Option<&Preprocessing>,
) -> Result<Table, DataError> {
    let place = Place::file(path);
    let file = File::open(path).map_err(|error| place.clone().fault(Fault::Open(error)))?;
    let reader = SerializedFileReader::new(file).map_err(|error| fault(&place, &error))?;
    let meta = reader.metadata().file_metadata();
    let rows = u64::try_from(meta.num_rows()).unwrap_or(u64::MAX);
    if rows > MOST_ROWS {
        return Err(place.fault(Fault::Rows(rows)));
    }
    let plan = plan(meta.schema_descr(), &place, options, model)?;
    if rows == 0 {
        return Err(place.fault(Fault::NoRows));
    }
    let budget = Budget::new(options.max_bytes);
    let mut into = Rows::new(&plan, budget);
    for group in 0..reader.num_row_groups() {
        group_into(&reader, group, &mut into, budget, &place)?;
    }
    for _ in 0..rows {
        into.end(&place)?;
    }
    let (inputs, targets) = into.finish();
    Ok(Table {
        path: path.to_owned(),
        form: format!("Parquet of {} columns", plan.names.len()),
        rows: rows as usize,
        inputs,
        targets,
        target_path: None,
        lines: Vec::new(),
        file_columns: plan.names.len(),
        is_named: true,
        default_task: None,
        image: None,
        notes: plan.notes,
    })
}

fn fault(place: &Place, error: &ParquetError) -> DataError {
    let message = error.to_string();
    let message = message.strip_prefix("Parquet error: ").unwrap_or(&message);
    let line = message.lines().next().unwrap_or_default();
    place.clone().fault(Fault::Parquet(line.to_owned()))
}

fn plan(
    schema: &SchemaDescriptor,
    place: &Place,
    options: &ReadOptions,
    model: Option<&Preprocessing>,
) -> Result<Plan, DataError> {
    let columns = schema.columns();
    let names: Vec<_> = columns
        .iter()
        .map(|column| column.path().string())
        .collect();
    let is_numeric: Vec<_> = columns
        .iter()
        .map(|column| column.physical_type() != Type::BYTE_ARRAY)
        .collect();
    let known = Columns {
        counter: names.iter().position(|name| name == COUNTER),
        names: &names,
        is_named: true,
        is_numeric: &is_numeric,
        has_labels: options.labels.is_some(),
        place: place.clone(),
    };
    let plan = match model {
        None => known.infer(options)?,
        Some(model) => known.like(model, options.wants_target())?,
    };
    for (i, column) in columns.iter().enumerate() {
        if let (false, Some(kind)) = (plan.roles[i] == Role::Skip, unreadable(column)) {
            return Err(place
                .clone()
                .column(i + 1, &names[i])
                .fault(Fault::ColumnType {
                    kind,
                    flag: flag(i + 1, &names[i]),
                }));
        }
    }
    Ok(plan)
}

/// What a column is, if it is not read.
fn unreadable(column: &ColumnDescriptor) -> Option<String> {
    if column.max_rep_level() > 0 || column.path().parts().len() > 1 {
        return Some("a list or a structure".to_owned());
    }
    let physical = column.physical_type();
    match (physical, column.logical_type_ref()) {
        (_, Some(LogicalType::Decimal { .. })) => Some("a decimal".to_owned()),
        (Type::INT96 | Type::FIXED_LEN_BYTE_ARRAY, _) => Some(physical.to_string()),
        _ => None,
    }
}

fn group_into(
    reader: &SerializedFileReader<File>,
    group: usize,
    into: &mut Rows,
    budget: Budget,
    place: &Place,
) -> Result<(), DataError> {
    let failed = |error: ParquetError| fault(place, &error);
    let group = reader.get_row_group(group).map_err(failed)?;
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(usize::MAX);
    for (column, _) in into.columns() {
        let index = column.position - 1;
        let unpacked = group.metadata().column(index).uncompressed_size();
        let held = column.values.bytes();
        budget.ask(held.saturating_add(unpacked.unsigned_abs()), place)?;
        let mut sink = Sink { column, place };
        let read = match group.get_column_reader(index).map_err(failed)? {
            ColumnReader::BoolColumnReader(reader) => drain(reader, rows, |value| {
                sink.number(value.map(|v| f64::from(u8::from(*v))))
            }),
            ColumnReader::Int32ColumnReader(reader) => drain(reader, rows, |value| {
                sink.number(value.map(|v| f64::from(*v)))
            }),
            ColumnReader::Int64ColumnReader(reader) => {
                drain(reader, rows, |value| sink.number(value.map(|v| *v as f64)))
            }
            ColumnReader::FloatColumnReader(reader) => drain(reader, rows, |value| {
                sink.number(value.map(|v| f64::from(*v)))
            }),
            ColumnReader::DoubleColumnReader(reader) => {
                drain(reader, rows, |value| sink.number(value.copied()))
            }
            ColumnReader::ByteArrayColumnReader(reader) => drain(reader, rows, |value| {
                sink.text(value.map(|bytes| bytes.data()))
            }),
            _ => Ok(Ok(0)),
        };
        let read = read.map_err(failed)??;
        if read != rows {
            let what = format!("{read} of {rows} rows");
            return Err(place.clone().fault(Fault::Parquet(what)));
        }
    }
    Ok(())
}

/// Hands every value of a column on, and `None` where there is none: the number of rows.
fn drain<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
    mut push: impl FnMut(Option<&T::T>) -> Result<(), DataError>,
) -> Result<Result<usize, DataError>, ParquetError> {
    let mut done = 0;
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    while done < rows {
        levels.clear();
        values.clear();
        let batch = BATCH.min(rows - done);
        let (records, _, _) = reader.read_records(batch, Some(&mut levels), None, &mut values)?;
        if records == 0 {
            break;
        }
        let mut values = values.iter();
        for row in 0..records {
            // A column that must have values has no levels.
            let is_there = levels.get(row).is_none_or(|level| *level > 0);
            let value = if is_there { values.next() } else { None };
            if let Err(error) = push(value) {
                return Ok(Err(error));
            }
        }
        done += records;
    }
    Ok(Ok(done))
}

/// A column that takes values.
struct Sink<'a> {
    column: &'a mut Column,
    place: &'a Place,
}

impl Sink<'_> {
    fn number(&mut self, value: Option<f64>) -> Result<(), DataError> {
        // NaN is a missing value too.
        let value = value.filter(|value| !value.is_nan());
        if value.is_some_and(f64::is_infinite) {
            let field = value.unwrap_or_default().to_string();
            return Err(self.wrong(|flag| Fault::NotFinite { field, flag }));
        }
        match &mut self.column.values {
            Values::Numbers(numbers) => numbers.push(value.unwrap_or(f64::NAN)),
            Values::Texts(texts) => texts.push(value.map(number_name).as_deref()),
        }
        Ok(())
    }

    fn text(&mut self, value: Option<&[u8]>) -> Result<(), DataError> {
        let Ok(text) = value.map(std::str::from_utf8).transpose() else {
            return Err(self.wrong(|_| Fault::NotUtf8));
        };
        let text = text.map(str::trim).filter(|text| !text.is_empty());
        match &mut self.column.values {
            Values::Texts(texts) => texts.push(text),
            Values::Numbers(numbers) => match text.map(str::parse::<f64>) {
                None => numbers.push(f64::NAN),
                Some(Ok(value)) if value.is_finite() => numbers.push(value),
                Some(_) => {
                    let field = shown(text.unwrap_or_default());
                    return Err(self.wrong(|flag| Fault::NotNumber { field, flag }));
                }
            },
        }
        Ok(())
    }

    /// An error in the row that would be next.
    fn wrong(&self, fault: impl FnOnce(String) -> Fault) -> DataError {
        let Column {
            name,
            position,
            values,
        } = &*self.column;
        let place = self.place.clone().row(values.len() as u64 + 1);
        let place = place.column(*position, name);
        place.fault(fault(flag(*position, name)))
    }
}
