//! Data files: the one that is shipped, and broken ones.

use std::io::Write;
use std::path::Path;

use wgpu_linear::train::data::{DataError, parse_csv, read_csv};

pub(crate) fn digits_path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/digits.csv.gz")
}

#[test]
fn digits_have_the_documented_shape() {
    let digits = read_csv(digits_path()).unwrap();
    assert_eq!(digits.x().dim(), (1797, 64));
    assert!(
        digits
            .x()
            .iter()
            .all(|pixel| (0.0..=16.0).contains(pixel) && pixel.fract() == 0.0)
    );
    let mut counts = [0; 10];
    digits
        .labels()
        .iter()
        .for_each(|label| counts[*label as usize] += 1);
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]); // as in the UCI documentation
    let (train, test) = digits.split_every(5);
    assert_eq!((train.len(), test.len()), (1437, 360));
    assert_eq!(test.labels()[1], digits.labels()[5]);
    assert_eq!(train.labels()[4], digits.labels()[6]);
}

#[test]
fn read_csv_reports_a_missing_file_by_name() {
    let error = read_csv("no/such/file.csv").unwrap_err();
    assert!(matches!(&error, DataError::Open { .. }), "{error:?}");
    assert!(error.to_string().contains("no/such/file.csv"));
}

#[test]
fn read_csv_reports_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    assert!(read_csv(folder.path()).is_err());
}

#[test]
fn read_csv_reports_a_truncated_gzip_file() {
    let whole = std::fs::read(digits_path()).unwrap();
    for length in [0, 5, whole.len() / 2, whole.len() - 4] {
        let mut file = tempfile::Builder::new().suffix(".gz").tempfile().unwrap();
        file.write_all(&whole[..length]).unwrap();
        let error = read_csv(file.path()).unwrap_err();
        assert!(
            matches!(error, DataError::Csv(_) | DataError::Empty),
            "{length}: {error:?}"
        );
    }
}

#[test]
fn parse_csv_reports_line_and_column_of_a_bad_field() {
    for (text, place, what) in [
        ("1,2,0\n1,x,0\n", (2, 2), "x"),
        ("1,2,0\n1,2,-1\n", (2, 3), "-1"),
        ("1,2,0.5\n", (1, 3), "0.5"),
        ("NaN,2,0\n", (1, 1), "NaN"),
        ("1,inf,0\n", (1, 2), "inf"),
        ("1,,0\n", (1, 2), ""),
    ] {
        let error = parse_csv(text.as_bytes()).unwrap_err();
        let DataError::Field {
            line,
            column,
            field,
            ..
        } = error
        else {
            panic!("{text}: {error:?}")
        };
        assert_eq!(((line, column), field.as_str()), (place, what));
    }
}

#[test]
fn parse_csv_reports_rows_of_different_lengths() {
    assert!(matches!(
        parse_csv("1,2,0\n1,0\n".as_bytes()),
        Err(DataError::Csv(_))
    ));
}

#[test]
fn parse_csv_reports_files_without_examples() {
    for text in ["", "\n\n", "3\n4\n"] {
        assert!(
            matches!(parse_csv(text.as_bytes()), Err(DataError::Empty)),
            "{text:?}"
        );
    }
}
