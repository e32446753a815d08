//! Text with separators between its fields (RFC 4180 and its relatives), row by row.

mod field;
mod guard;
mod head;

use std::io::{Cursor, Read};

use csv::ByteRecord;

use self::field::{is_missing, number};
use self::guard::{End, Guarded, LONGEST_ROW, end};
use self::head::Head;
use super::error::{DataError, Fault, Place, flag, shown};
use super::memory::Budget;
use super::options::ReadOptions;
use super::order::number_name;
use super::plan::{Columns, Plan};
use super::preprocess::Preprocessing;
use super::role::Role;
use super::rows::Rows;
use super::source::{Origin, Source};
use super::table::{Column, Table, Values};

/// Reads a table; one like those that `model` was trained with, where there is one.
pub(super) fn read(
    mut source: Source,
    options: &ReadOptions,
    model: Option<&Preprocessing>,
) -> Result<Table, DataError> {
    if let Some(decimal) = options.decimal.filter(|mark| !matches!(mark, '.' | ',')) {
        return Err(source.origin.fault(Fault::Decimal(decimal)));
    }
    let known = model.map_or_else(Vec::new, Preprocessing::known_names);
    let head = Head::of(&mut source, options, &known)?;
    let columns = Columns {
        names: &head.names,
        is_named: head.has_header,
        is_numeric: &head.is_numeric,
        counter: head.counter,
        has_labels: options.labels.is_some(),
        place: source.origin.place.clone(),
    };
    let plan = match model {
        None => columns.infer(options)?,
        Some(model) => columns.like(model, options.wants_target())?,
    };
    let mut rows = Rows::new(&plan, Budget::new(options.max_bytes));
    let lines = fill(&mut rows, source.origin.clone(), source, &head)?;
    Ok(table(head, plan, rows, lines))
}

fn table(head: Head, plan: Plan, rows: Rows, lines: Vec<u64>) -> Table {
    let count = rows.count();
    let (inputs, targets) = rows.finish();
    Table {
        path: head.path,
        form: head.form,
        rows: count,
        inputs,
        targets,
        target_path: None,
        lines,
        is_named: head.has_header,
        file_columns: head.names.len(),
        default_task: None,
        image: None,
        notes: plan.notes,
    }
}

/// Reads all rows: the line of each.
fn fill(
    rows: &mut Rows,
    origin: Origin,
    source: Source,
    head: &Head,
) -> Result<Vec<u64>, DataError> {
    let bytes = Cursor::new(&head.bytes).chain(source);
    let end_of_line = match head.is_crlf {
        Some(false) => b'\n',
        _ => b'\r',
    };
    let (guarded, since_row) = Guarded::new(bytes, end_of_line);
    let mut reader = head::reader(guarded, head.separator, true);
    let mut record = ByteRecord::new();
    let (mut lines, mut count) = (Vec::new(), 0);
    while reader
        .read_byte_record(&mut record)
        .map_err(|error| failed(error, &origin))?
    {
        since_row.set(0);
        count += 1;
        let line = match head.is_crlf {
            Some(is_crlf) => first_line(reader.position().line(), &record, is_crlf),
            None => count,
        };
        let place = || origin.place.clone().line(line);
        match end(&record) {
            End::Later => {}
            End::Here => break,
            // No end of a line was seen.
            End::Quoted => {
                let line = line + u64::from(head.is_crlf == Some(false));
                return Err(origin.place.clone().line(line).fault(Fault::OpenQuote));
            }
        }
        let expected = head.names.len();
        if record.len() != expected {
            let found = record.len();
            return Err(place().fault(Fault::Ragged { expected, found }));
        }
        if count > 1 || !head.has_header {
            row(rows, &record, place, head.decimal)?;
            lines.push(line);
            rows.end(&origin.place)?;
        }
    }
    Ok(lines)
}

/// The first line of a record, from the line where the reader is behind it: the one after it, but
/// where lines end with two bytes, the reader has not seen the second yet.
fn first_line(end: u64, record: &ByteRecord, is_crlf: bool) -> u64 {
    let within = record
        .as_slice()
        .iter()
        .filter(|byte| **byte == b'\n')
        .count() as u64;
    end.saturating_sub(within + u64::from(!is_crlf))
}

fn failed(error: csv::Error, origin: &Origin) -> DataError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            origin.fault(Fault::LongRow(LONGEST_ROW as u64 >> 20))
        }
        csv::ErrorKind::Io(error) => origin.broken(error),
        other => origin.broken(std::io::Error::other(format!("{other:?}"))),
    }
}

fn row(
    rows: &mut Rows,
    record: &ByteRecord,
    place: impl Fn() -> Place,
    decimal: char,
) -> Result<(), DataError> {
    for (column, role) in rows.columns() {
        let bytes = record.get(column.position - 1).unwrap_or_default();
        let field = std::str::from_utf8(bytes)
            .map(str::trim)
            .map_err(|_| within(place(), column).fault(Fault::NotUtf8))?;
        if let Values::Numbers(numbers) = &mut column.values {
            match number(field, decimal) {
                Some(value) if value.is_finite() => numbers.push(value),
                None if is_missing(field) => numbers.push(f64::NAN),
                value => return Err(wrong(field, value.is_some(), role, place(), column)),
            }
        } else if let Values::Texts(texts) = &mut column.values {
            if bytes.contains(&0) {
                return Err(within(place(), column).fault(Fault::Binary));
            }
            let is_number = role == Role::TargetText;
            match number(field, decimal).filter(|value| is_number && value.is_finite()) {
                // 1 and 1.0 are one class.
                Some(value) => texts.push(Some(&number_name(value))),
                None => texts.push((!is_missing(field)).then_some(field)),
            }
        }
    }
    Ok(())
}

fn within(place: Place, column: &Column) -> Place {
    place.column(column.position, &column.name)
}

/// A field that is no number, or an infinite one.
fn wrong(field: &str, is_number: bool, role: Role, place: Place, column: &Column) -> DataError {
    let flag = flag(column.position, &column.name);
    let text = shown(field);
    within(place, column).fault(if field.contains('\0') {
        Fault::Binary
    } else if is_number {
        Fault::NotFinite { field: text, flag }
    } else if role == Role::TargetNumber {
        Fault::TextTarget(text)
    } else {
        Fault::NotNumber { field: text, flag }
    })
}
