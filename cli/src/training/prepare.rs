//! From the settings to the data sets of a run.

use std::path::Path;
use std::time::{Duration, Instant};

use wgpu_linear::train::{Dataset, taken_at_random, taken_by_class};

use crate::CliError;
use crate::config::{DataSettings, Header, Settings, SplitSettings, Task};
use crate::data::{self, Preprocessing, ReadOptions, Summary, Table};

/// The rows of a table, by what they are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// To learn from.
    pub train: Vec<usize>,
    /// To judge epochs by.
    pub validation: Vec<usize>,
    /// To judge the network by; of the second table, where there is one.
    pub test: Vec<usize>,
}

/// What a run learns from.
#[derive(Debug)]
pub struct Prepared {
    /// What was done to the tables, fitted on the training rows alone.
    pub preprocessing: Preprocessing,
    /// To learn from.
    pub train: Dataset,
    /// To judge epochs by.
    pub validation: Option<Dataset>,
    /// To judge the network by.
    pub test: Dataset,
    /// Which rows these are.
    pub rows: Rows,
    /// What these data are told from others by.
    pub fingerprint: String,
    /// How the table was understood.
    pub summary: Summary,
    /// How long it took to read and prepare.
    pub time: Duration,
}

/// How to read the tables, as the settings have it.
///
/// # Errors
/// [`CliError::Input`] where the separator is not one character.
pub fn read_options(settings: &DataSettings) -> Result<ReadOptions, CliError> {
    Ok(ReadOptions {
        header: match settings.header {
            None | Some(Header::Auto) => None,
            Some(header) => Some(header == Header::Yes),
        },
        separator: one("separator", settings.separator.as_deref())?,
        decimal: one("decimal", settings.decimal.as_deref())?,
        target: settings.target.clone(),
        task: match settings.task {
            None | Some(Task::Auto) => None,
            Some(Task::Classes) => Some(data::Task::Classes),
            Some(Task::Values) => Some(data::Task::Values),
        },
        categorical: settings.categorical.clone().unwrap_or_default(),
        numeric: settings.numeric.clone().unwrap_or_default(),
        drop: settings.drop.clone().unwrap_or_default(),
        impute: settings.impute.unwrap_or(false),
        scaling: settings.scaling,
        unknown: settings.unknown.unwrap_or_default(),
        labels: settings.labels.clone(),
        arrays: arrays(settings.arrays.as_deref())?,
        max_bytes: settings.max_bytes,
    })
}

fn one(option: &str, text: Option<&str>) -> Result<Option<char>, CliError> {
    let Some(text) = text else { return Ok(None) };
    let mut characters = text.chars();
    match (text, characters.next(), characters.next()) {
        ("\\t" | "tab", _, _) => Ok(Some('\t')),
        (_, Some(one), None) => Ok(Some(one)),
        _ => Err(CliError::input(format!(
            "--{option} {text:?} is not one character; write it as , or ; or tab"
        ))),
    }
}

fn arrays(names: Option<&[String]>) -> Result<Option<(String, String)>, CliError> {
    match names {
        None => Ok(None),
        Some([x, y]) => Ok(Some((x.clone(), y.clone()))),
        Some(_) => Err(CliError::input(
            "--arrays takes two names, those of inputs and targets: --arrays x,y",
        )),
    }
}

/// Reads, splits and prepares the data of a run.
///
/// # Errors
/// [`CliError::Input`] where there are no data, they cannot be read or do not suit the settings.
pub fn prepare(settings: &Settings) -> Result<Prepared, CliError> {
    let begin = Instant::now();
    let path = settings.data.path.as_deref().ok_or_else(|| {
        CliError::input(
            "which data? Give a table, such as wgpu-linear train data/digits.csv.gz, or --config FILE",
        )
    })?;
    let options = read_options(&settings.data)?;
    let table = data::read(path, &options).map_err(input)?;
    let labels = table.class_labels(options.task).map_err(input)?;
    let has_test = settings.data.test_file.is_some();
    let rows = choose(table.rows(), labels.as_deref(), &settings.split, has_test)?;
    let preprocessing = Preprocessing::fit(&table, &rows.train, &options).map_err(input)?;
    let summary = table.describe();
    let all = dataset(&preprocessing, table)?;
    let (train, validation, mut test) = cut(all, &rows);
    let mut rows = rows;
    if let Some(path) = &settings.data.test_file {
        test = read_test(path, &preprocessing, &options)?;
        rows.test = (0..test.len()).collect();
    }
    check_parts(&train, &test)?;
    let parts = [Some(&train), validation.as_ref(), Some(&test)];
    Ok(Prepared {
        fingerprint: fingerprint(parts.into_iter().flatten()),
        preprocessing,
        train,
        validation,
        test,
        rows,
        summary,
        time: begin.elapsed(),
    })
}

/// A checksum of all inputs and targets, so that a run goes on with the data it began with.
fn fingerprint<'a>(parts: impl Iterator<Item = &'a Dataset>) -> String {
    let mut sum = 0;
    for part in parts {
        let values = part.values().map(|y| y.rows());
        for row in part
            .x()
            .rows()
            .into_iter()
            .chain(values.into_iter().flatten())
        {
            let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
            sum = crc32c::crc32c_append(sum, &bytes);
        }
        for label in part.labels() {
            sum = crc32c::crc32c_append(sum, &label.to_le_bytes());
        }
    }
    format!("{sum:08x}")
}

/// An error of the data, as one of the command.
pub fn input(error: data::DataError) -> CliError {
    CliError::input(crate::error::with_causes(&error))
}

fn read_test(
    path: &Path,
    preprocessing: &Preprocessing,
    options: &ReadOptions,
) -> Result<Dataset, CliError> {
    let options = ReadOptions {
        labels: None,
        ..options.clone()
    };
    let table = data::read_like(path, preprocessing, &options).map_err(input)?;
    dataset(preprocessing, table)
}

/// A table with targets, made ready.
///
/// # Errors
/// [`CliError::Input`] where a value does not suit, or there are no targets.
pub fn dataset(preprocessing: &Preprocessing, table: Table) -> Result<Dataset, CliError> {
    let path = table.describe().path;
    let examples = preprocessing.apply(table).map_err(input)?;
    examples.into_dataset().ok_or_else(|| {
        CliError::input(format!(
            "{path} has no column of what is to be learned; name it with --target"
        ))
    })
}

fn check_parts(train: &Dataset, test: &Dataset) -> Result<(), CliError> {
    if train.is_empty() || test.is_empty() {
        return Err(CliError::input(format!(
            "{} rows to train on and {} for the test: there must be some of both; see --test-fraction, --test-every and --test-file",
            train.len(),
            test.len()
        )));
    }
    Ok(())
}

/// Which rows are for what: classes keep their shares.
fn choose(
    count: usize,
    labels: Option<&[u32]>,
    settings: &SplitSettings,
    has_test: bool,
) -> Result<Rows, CliError> {
    let seed = settings.split_seed.unwrap_or(0);
    let all: Vec<usize> = (0..count).collect();
    let (rest, test) = match (has_test, settings.test_every) {
        (true, _) => (all, Vec::new()),
        (false, Some(0)) => return Err(CliError::input("--test-every must be at least 1")),
        (false, Some(every)) => all.iter().partition(|row| !row.is_multiple_of(every)),
        (false, None) => {
            let share = share("test-fraction", settings.test_fraction.unwrap_or(0.2))?;
            draw(&all, labels, share, seed)
        }
    };
    let share = share(
        "validation-fraction",
        settings.validation_fraction.unwrap_or(0.0),
    )?;
    // Another seed, so that the two draws have nothing to do with each other.
    let (train, validation) = draw(&rest, labels, share, seed.wrapping_add(1));
    Ok(Rows {
        train,
        validation,
        test,
    })
}

fn share(name: &str, share: f64) -> Result<f64, CliError> {
    if (0.0..1.0).contains(&share) {
        Ok(share)
    } else {
        Err(CliError::input(format!(
            "--{name} {share} is no share from 0 to below 1"
        )))
    }
}

/// (the others, a share of the rows).
fn draw(rows: &[usize], labels: Option<&[u32]>, share: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let is_taken = match labels {
        Some(labels) => {
            let labels: Vec<u32> = rows.iter().map(|row| labels[*row]).collect();
            taken_by_class(&labels, share, seed)
        }
        None => taken_at_random(rows.len(), share, seed),
    };
    let pick = |wanted: bool| {
        let pairs = rows.iter().zip(&is_taken);
        let picked = pairs.filter(|(_, is_taken)| **is_taken == wanted);
        picked.map(|(row, _)| *row).collect()
    };
    (pick(false), pick(true))
}

/// (training, validation, test), without ever holding the data twice.
fn cut(all: Dataset, rows: &Rows) -> (Dataset, Option<Dataset>, Dataset) {
    let len = all.len();
    let is_in = |rows: &[usize], len: usize| {
        let mut is_in = vec![false; len];
        for row in rows {
            is_in[*row] = true;
        }
        is_in
    };
    let in_test = is_in(&rows.test, len);
    let in_validation = is_in(&rows.validation, len);
    let in_validation: Vec<bool> = (0..len)
        .filter(|row| !in_test[*row])
        .map(|row| in_validation[row])
        .collect();
    let (rest, test) = all.into_split(|row| in_test[row]);
    if rows.validation.is_empty() {
        return (rest, None, test);
    }
    let (train, validation) = rest.into_split(|row| in_validation[row]);
    (train, Some(validation), test)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_for_one_thing() {
        let labels: Vec<u32> = (0..100).map(|row| row % 4).collect();
        let settings = SplitSettings {
            validation_fraction: Some(0.25),
            ..SplitSettings::default()
        };
        let rows = choose(100, Some(&labels), &settings, false).unwrap();
        assert_eq!(
            [rows.train.len(), rows.validation.len(), rows.test.len()],
            [60, 20, 20]
        );
        let mut all = [&rows.train[..], &rows.validation, &rows.test].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        for class in 0..4 {
            let of_class = |rows: &[usize]| rows.iter().filter(|r| labels[**r] == class).count();
            assert_eq!(
                [&rows.train, &rows.validation, &rows.test].map(|rows| of_class(rows)),
                [15, 5, 5]
            );
        }
    }

    #[test]
    fn every_fifth_row_is_the_test() {
        let settings = SplitSettings {
            test_every: Some(5),
            ..SplitSettings::default()
        };
        let rows = choose(11, None, &settings, false).unwrap();
        assert_eq!(rows.test, [0, 5, 10]);
        assert_eq!(rows.train.len(), 8);
    }

    #[test]
    fn a_second_table_leaves_all_rows_of_the_first() {
        let rows = choose(10, None, &SplitSettings::default(), true).unwrap();
        assert_eq!((rows.train.len(), rows.test.len()), (10, 0));
    }

    #[test]
    fn shares_are_checked() {
        for wrong in [-0.1, 1.0, f64::NAN] {
            let settings = SplitSettings {
                test_fraction: Some(wrong),
                ..SplitSettings::default()
            };
            assert!(choose(10, None, &settings, false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn parts_are_what_was_chosen() {
        let x = ndarray::Array2::from_shape_fn((10, 1), |(row, _)| row as f32);
        let all = Dataset::new(x, (0..10).collect()).unwrap();
        let rows = Rows {
            train: vec![0, 2, 3, 5, 7, 9],
            validation: vec![1, 8],
            test: vec![4, 6],
        };
        let (train, validation, test) = cut(all, &rows);
        assert_eq!(train.labels(), [0, 2, 3, 5, 7, 9]);
        assert_eq!(validation.unwrap().labels(), [1, 8]);
        assert_eq!(test.labels(), [4, 6]);
        assert_eq!(test.x()[[1, 0]], 6.0);
    }
}
