//! The beginning of a text file: its separator, its decimal mark, whether it has a header, and
//! which of its columns are numbers.
//!
//! All of this is judged by the first rows, [`SAMPLE`] at most.

use std::io::Read;
use std::path::PathBuf;

use csv::ByteRecord;

use super::field::{is_missing, number};
use super::guard::LONGEST_ROW;
use crate::data::error::{DataError, Fault, unnamed};
use crate::data::options::ReadOptions;
use crate::data::source::{BUFFER, Source};

/// Rows that are looked at.
const SAMPLE: usize = 1000;
/// Rows that are looked at for the separator and the header.
const FIRST: usize = 100;
/// Bytes that are looked at; more where there are not three rows in them.
const BYTES: usize = 1 << 20;

const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// What the beginning of a file says.
pub(super) struct Head {
    pub(super) path: PathBuf,
    /// What was found out, in words.
    pub(super) form: String,
    /// Whether lines end with two bytes; `None` where they end with a carriage return alone.
    pub(super) is_crlf: Option<bool>,
    /// The beginning itself, to be read again.
    pub(super) bytes: Vec<u8>,
    pub(super) separator: u8,
    pub(super) decimal: char,
    pub(super) has_header: bool,
    /// Of each column: from the header, or made up.
    pub(super) names: Vec<String>,
    /// Of each column: whether at least half of what stands in it are numbers.
    pub(super) is_numeric: Vec<bool>,
    /// A column without a name that counts the rows.
    pub(super) counter: Option<usize>,
}

impl Head {
    /// Reads and judges the beginning; `known` are names that a header would have.
    pub(super) fn of(
        source: &mut Source,
        options: &ReadOptions,
        known: &[&str],
    ) -> Result<Self, DataError> {
        let (bytes, is_whole) = beginning(source)?;
        let separator = match options.separator {
            Some(separator) => separator_byte(separator, source)?,
            None => separator(&bytes, is_whole),
        };
        let records = sample(&bytes, separator, is_whole, SAMPLE + 1);
        let Some(first) = records.first() else {
            return Err(source.origin.fault(Fault::Empty));
        };
        let rows: Vec<Vec<String>> = records.iter().map(fields).collect();
        let decimal = options.decimal.unwrap_or_else(|| decimal(&rows, separator));
        let has_header = options
            .header
            .unwrap_or_else(|| has_header(&rows[..rows.len().min(FIRST)], decimal, known));
        if has_header && std::str::from_utf8(first.as_slice()).is_err() {
            return Err(source.origin.place.clone().line(1).fault(Fault::NotUtf8));
        }
        if has_header && records.len() == 1 {
            return Err(source.origin.fault(Fault::HeaderOnly));
        }
        let (names, body) = split(&rows, has_header);
        let columns = 0..names.len();
        let is_numeric = columns.map(|column| is_numeric(body, column, decimal));
        Ok(Self {
            path: source.path(),
            form: form(separator, decimal, has_header),
            is_crlf: is_crlf(&bytes),
            is_numeric: is_numeric.collect(),
            counter: has_header.then(|| counter(&rows)).flatten(),
            separator,
            decimal,
            has_header,
            names,
            bytes,
        })
    }
}

/// What was found out, in words.
fn form(separator: u8, decimal: char, has_header: bool) -> String {
    let separator = match separator {
        b',' => "commas",
        b';' => "semicolons",
        b'\t' => "tabs",
        b' ' => "blanks",
        b'|' => "bars",
        _ => "a separator of its own",
    };
    let header = if has_header { "a header" } else { "no header" };
    let decimal = if decimal == ',' {
        ", decimal commas"
    } else {
        ""
    };
    format!("text with {separator}{decimal} and {header}")
}

/// Whether the first line ends with two bytes.
fn is_crlf(bytes: &[u8]) -> Option<bool> {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => Some(end > 0 && bytes[end - 1] == b'\r'),
        None => (!bytes.contains(&b'\r')).then_some(false),
    }
}

/// The first bytes, and whether they are all.
fn beginning(source: &mut Source) -> Result<(Vec<u8>, bool), DataError> {
    let mut bytes = Vec::new();
    let mut wanted = BYTES;
    loop {
        let part = wanted - bytes.len();
        let read = source.by_ref().take(part as u64).read_to_end(&mut bytes);
        let is_whole = read.map_err(|error| source.origin.broken(error))? < part;
        if bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        if bytes.contains(&0) {
            return Err(source.origin.fault(Fault::Binary));
        }
        let rows = sample(&bytes, b',', is_whole, 3).len();
        if is_whole || rows == 3 {
            return Ok((bytes, is_whole));
        }
        if bytes.len() >= LONGEST_ROW {
            let fault = Fault::LongRow(LONGEST_ROW as u64 >> 20);
            return Err(source.origin.fault(fault));
        }
        wanted *= 4;
    }
}

fn separator_byte(separator: char, source: &Source) -> Result<u8, DataError> {
    u8::try_from(separator)
        .ok()
        .filter(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r'))
        .ok_or_else(|| source.origin.fault(Fault::Separator(separator)))
}

/// A reader of rows in the way of this program.
pub(super) fn reader<R: Read>(reader: R, separator: u8, is_flexible: bool) -> csv::Reader<R> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(is_flexible)
        .delimiter(separator)
        .buffer_capacity(BUFFER)
        .from_reader(reader)
}

/// The first rows that are complete.
fn sample(bytes: &[u8], separator: u8, is_whole: bool, most: usize) -> Vec<ByteRecord> {
    let mut reader = reader(bytes, separator, true);
    let mut records: Vec<_> = reader
        .byte_records()
        .map_while(Result::ok)
        .take(most)
        .collect();
    // What follows the last row may belong to it.
    if !is_whole && records.len() < most {
        records.pop();
    }
    records
}

fn fields(record: &ByteRecord) -> Vec<String> {
    let text = |field| String::from_utf8_lossy(field).trim().to_owned();
    record.iter().map(text).collect()
}

/// The separator that gives most rows the same number of fields, more than one; among equals, the
/// one whose fields hold least of the others.
fn separator(bytes: &[u8], is_whole: bool) -> u8 {
    let score = |separator: u8| {
        let rows: Vec<_> = sample(bytes, separator, is_whole, FIRST)
            .iter()
            .map(fields)
            .collect();
        let width = most_frequent(rows.iter().map(Vec::len));
        let regular = rows.iter().filter(|row| row.len() == width).count();
        let is_clean = |field: &&String| {
            let holds_other = field
                .bytes()
                .any(|byte| byte != separator && SEPARATORS.contains(&byte));
            !holds_other || number(field, ',').is_some()
        };
        let all = rows.iter().flatten().count().max(1);
        let clean = rows.iter().flatten().filter(is_clean).count();
        let regular = if width > 1 { regular } else { 0 };
        (regular, 1000 * clean / all, width)
    };
    let mut best = (SEPARATORS[0], score(SEPARATORS[0]));
    for separator in &SEPARATORS[1..] {
        let score = score(*separator);
        if score > best.1 {
            best = (*separator, score);
        }
    }
    best.0
}

fn most_frequent(numbers: impl Iterator<Item = usize>) -> usize {
    let mut counts = std::collections::BTreeMap::new();
    for number in numbers {
        *counts.entry(number).or_insert(0) += 1;
    }
    let best = counts.into_iter().max_by_key(|(_, count)| *count);
    best.map_or(0, |(number, _)| number)
}

/// A comma where numbers have one and none has a point. Quoted numbers such as `1,234` in a file
/// with commas may as well be thousands, so these do not count.
fn decimal(rows: &[Vec<String>], separator: u8) -> char {
    let mut commas = false;
    for field in rows.iter().flatten() {
        if field.contains('.') && number(field, '.').is_some() {
            return '.';
        }
        let Some((_, digits)) = field.split_once(',') else {
            continue;
        };
        let is_thousands = separator == b',' && digits.len() == 3;
        commas |= !is_thousands && number(field, ',').is_some();
    }
    if commas { ',' } else { '.' }
}

/// Whether the first row is a header: it holds a known name; or text in a column that otherwise
/// holds numbers alone; or nothing but different texts that do not occur again in their columns,
/// where its own position from 0 stands for a text as well.
fn has_header(rows: &[Vec<String>], decimal: char, known: &[&str]) -> bool {
    let Some((first, others)) = rows.split_first() else {
        return false;
    };
    if first.iter().any(|field| known.contains(&field.as_str())) {
        return true;
    }
    let is_text = |field: &str| !is_missing(field) && number(field, decimal).is_none();
    let column = |i: usize| others.iter().filter_map(move |row| row.get(i));
    let above_numbers = |(i, field): (usize, &String)| {
        let mut below = column(i).filter(|field| !is_missing(field)).peekable();
        is_text(field) && below.peek().is_some() && below.all(|field| !is_text(field))
    };
    if first.iter().enumerate().any(above_numbers) {
        return true;
    }
    let names_alone = first.iter().enumerate().all(|(i, field)| {
        let is_name = is_text(field) || *field == i.to_string() || (i == 0 && field.is_empty());
        is_name && column(i).all(|other| other != field)
    });
    let different: std::collections::BTreeSet<_> = first.iter().collect();
    names_alone && different.len() == first.len() && first.iter().any(|field| is_text(field))
}

/// The names of the columns, and the rows below them.
fn split(rows: &[Vec<String>], has_header: bool) -> (Vec<String>, &[Vec<String>]) {
    let first = rows.first().map_or(&[][..], Vec::as_slice);
    let names = first.iter().enumerate().map(|(i, name)| {
        if has_header && !name.is_empty() {
            name.clone()
        } else {
            unnamed(i + 1)
        }
    });
    (names.collect(), &rows[usize::from(has_header)..])
}

fn is_numeric(rows: &[Vec<String>], column: usize, decimal: char) -> bool {
    let (mut numbers, mut texts) = (0, 0);
    for field in rows.iter().filter_map(|row| row.get(column)) {
        if number(field, decimal).is_some() {
            numbers += 1;
        } else if !is_missing(field) {
            texts += 1;
        }
    }
    numbers >= texts
}

/// The first column, if it has no name and counts its rows: what a data frame adds when it is
/// written.
fn counter(rows: &[Vec<String>]) -> Option<usize> {
    let (header, rows) = rows.split_first()?;
    let number = |row: &Vec<String>| row.first()?.parse::<u64>().ok();
    let from = number(rows.first()?)?;
    let counts = |(i, row)| number(row) == Some(from + i as u64);
    let is_counter = header.first()?.is_empty() && header.len() > 1 && from < 2;
    (is_counter && rows.iter().enumerate().all(counts)).then_some(0)
}
