//! Parquet files: what is read, and what is refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use wgpu_linear_cli::data::{Goal, Preprocessing, ReadOptions, Scaling, read, read_like};

use crate::data_files::{Folder, all, names, numbers, ready};

const SCHEMA: &str = "message table {
    optional double x;
    required int32 size;
    required boolean flag;
    optional binary kind (utf8);
    required int64 label;
}";

/// Two groups of rows: x, kind and label of each, and sizes that count.
type Group<'a> = &'a [(Option<f64>, Option<&'a str>, i64)];

fn write(path: &Path, schema: &str, groups: &[Group<'_>], packed: Compression) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder().set_compression(packed).build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    for rows in groups {
        let mut group = writer.next_row_group().unwrap();
        while let Some(mut column) = group.next_column().unwrap() {
            match column.untyped() {
                ColumnWriter::DoubleColumnWriter(column) => {
                    let values: Vec<_> = rows.iter().filter_map(|row| row.0).collect();
                    let levels: Vec<_> = rows.iter().map(|row| row.0.is_some().into()).collect();
                    column.write_batch(&values, Some(&levels), None).unwrap();
                }
                ColumnWriter::Int32ColumnWriter(column) => {
                    let values: Vec<_> = (0..rows.len() as i32).collect();
                    column.write_batch(&values, None, None).unwrap();
                }
                ColumnWriter::BoolColumnWriter(column) => {
                    let values: Vec<_> = (0..rows.len()).map(|row| row % 3 == 1).collect();
                    column.write_batch(&values, None, None).unwrap();
                }
                ColumnWriter::ByteArrayColumnWriter(column) => {
                    let values = rows.iter().filter_map(|row| row.1).map(ByteArray::from);
                    let values: Vec<_> = values.collect();
                    let levels: Vec<_> = rows.iter().map(|row| row.1.is_some().into()).collect();
                    column.write_batch(&values, Some(&levels), None).unwrap();
                }
                ColumnWriter::Int64ColumnWriter(column) => {
                    let values: Vec<_> = rows.iter().map(|row| row.2).collect();
                    column.write_batch(&values, None, None).unwrap();
                }
                _ => panic!("no such column"),
            }
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

const ROWS: [Group<'static>; 2] = [
    &[
        (Some(0.1), Some("red"), 7),
        (None, Some("blue"), 3),
        (Some(-2.0), None, 7),
    ],
    &[(Some(8.0), Some("red"), 3)],
];

fn table(folder: &Folder, packed: Compression) -> PathBuf {
    let path = folder.path().join("table.parquet");
    write(&path, SCHEMA, &ROWS, packed);
    path
}

#[test]
fn columns_of_all_groups_are_read() {
    let folder = Folder::new();
    let impute = ReadOptions {
        impute: true,
        scaling: Some(Scaling::None),
        ..ReadOptions::default()
    };
    for packed in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
        let path = table(&folder, packed);
        let table = read(&path, &impute).unwrap();
        assert_eq!(names(&table), ["x", "size", "flag", "kind"]);
        let x = numbers(&table, 0);
        assert_eq!([x[0], x[2], x[3]], [0.1, -2.0, 8.0]);
        assert!(x[1].is_nan());
        assert_eq!(numbers(&table, 1), [0.0, 1.0, 2.0, 0.0]);
        assert_eq!(numbers(&table, 2), [0.0, 1.0, 0.0, 0.0]);
        let (preprocessing, examples) = ready(table, &impute);
        assert_eq!(preprocessing.class_names(), ["3", "7"]);
        assert_eq!(examples.goal, Some(Goal::Classes(vec![1, 0, 1, 0])));
        assert_eq!(examples.x.column(0).to_vec(), [0.1, 0.1, -2.0, 8.0]);
        // blue, red: what is missing is red, which is the most frequent.
        assert_eq!(examples.x.column(4).to_vec(), [1.0, 0.0, 1.0, 1.0]);
        let again = read_like(&path, &preprocessing, &ReadOptions::default()).unwrap();
        assert_eq!(preprocessing.apply(again).unwrap(), examples);
    }
}

#[test]
fn more_values_than_a_batch_are_read_in_order() {
    let folder = Folder::new();
    let value = |i: i64| (i % 7 != 0).then_some(i as f64 / 4.0);
    let rows: Vec<_> = (0..10_000).map(|i| (value(i), Some("k"), i % 2)).collect();
    let path = folder.path().join("long.parquet");
    write(&path, SCHEMA, &[&rows, &rows[..5]], Compression::SNAPPY);
    let x = numbers(&read(&path, &ReadOptions::default()).unwrap(), 0);
    assert_eq!(x.len(), 10_005);
    for (i, x) in x.iter().enumerate() {
        let expected = value(i as i64 % 10_000).unwrap_or(f64::NAN);
        assert_eq!(x.to_bits(), expected.to_bits(), "row {i}");
    }
}

#[test]
fn malformed_parquet_is_refused_with_place_and_remedy() {
    let folder = Folder::new();
    let path = table(&folder, Compression::SNAPPY);
    let whole = std::fs::read(&path).unwrap();
    let refusal = |path: &Path, options: &ReadOptions| {
        let table = read(path, options);
        table
            .and_then(|table| Preprocessing::fit(&table, &all(&table), options))
            .unwrap_err()
    };
    let plain = ReadOptions::default();
    let says = |message: String, parts: &[&str]| {
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
    };
    says(
        refusal(&path, &plain).to_string(),
        &[
            "table.parquet, row 2, column 1 (x): ",
            "missing",
            "--impute",
            "--drop x",
        ],
    );
    let cut = folder.write("cut.parquet", &whole[..whole.len() / 2]);
    says(
        refusal(&cut, &plain).to_string(),
        &["cannot be read as Parquet", "save it as CSV"],
    );
    let small = ReadOptions {
        max_bytes: Some(20),
        ..ReadOptions::default()
    };
    says(
        refusal(&path, &small).to_string(),
        &["more memory", "--max-bytes"],
    );
    let empty = folder.path().join("empty.parquet");
    write(&empty, SCHEMA, &[], Compression::SNAPPY);
    says(
        refusal(&empty, &plain).to_string(),
        &["has no rows: add some"],
    );
    let list = "message table { required int32 a; repeated int32 b; required int32 c; }";
    let path = folder.path().join("list.parquet");
    write(&path, list, &[], Compression::SNAPPY);
    says(
        refusal(&path, &plain).to_string(),
        &["column 2 (b): ", "a list or a structure", "--drop b"],
    );
}

/// Whatever a file is changed to, it is read or refused, and nothing else.
#[test]
fn damaged_parquet_never_ends_the_program() {
    let folder = Folder::new();
    let whole = std::fs::read(table(&folder, Compression::SNAPPY)).unwrap();
    let mut rng = fastrand::Rng::with_seed(7);
    let options = ReadOptions {
        impute: true,
        max_bytes: Some(1 << 24),
        ..ReadOptions::default()
    };
    let mut refused = 0;
    for _ in 0..1000 {
        let mut bytes = whole.clone();
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(4..bytes.len());
            bytes[at] = rng.u8(..);
        }
        let path = folder.write("damaged.parquet", &bytes);
        refused += usize::from(read(&path, &options).is_err());
    }
    assert!(refused > 200, "{refused}");
}
