//! From a finished run to its report.

use wgpu_linear::model::{Model, Targets};
use wgpu_linear::train::{Dataset, Metric};

use super::pictures::Pictures;
use super::{Finished, Outcome, Prepared};
use crate::CliError;
use crate::config::Settings;
use crate::data::{ColumnSummary, Restored, Rule};
use crate::explain::{
    Confusion, Effort, Importance, Judged, blocks_of_picture, calibration, mean_baseline,
    most_frequent, permutation_importance, worst_errors,
};
use crate::report::{
    ClassShare, Column, Curves, DataSummary, Part, Predictions, Run, RunReport, Score, Setting,
    Task, Timing, WorstErrors, WorstExample,
};

/// As many of the worst errors are shown.
const WORST: usize = 16;
/// Blocks that a picture is cut into to see where it counts.
const MOST_BLOCKS: usize = 64;

/// What a report is made from.
#[derive(Debug)]
pub struct Story<'a> {
    /// How the run was told to go.
    pub settings: &'a Settings,
    /// What it learned from.
    pub data: &'a Prepared,
    /// How the training went.
    pub finished: &'a Finished,
    /// How the network does on the test rows.
    pub test: &'a Outcome,
    /// And on those for validation.
    pub validation: Option<&'a Outcome>,
    /// The curves.
    pub curves: Option<Curves>,
    /// How long the evaluation took.
    pub evaluation: std::time::Duration,
    /// When the run ended.
    pub date: String,
    /// The command that repeats it.
    pub command: String,
}

impl Story<'_> {
    /// The report. The network is asked once more, many times over, what each input contributes.
    ///
    /// # Errors
    /// [`CliError::Failure`] where the device reports an error.
    pub fn report(self, model: &mut dyn Model) -> Result<RunReport, CliError> {
        let begin = std::time::Instant::now();
        let pictures = Pictures::of(&self.data.preprocessing, &self.data.test);
        let importance = self.importance(model, pictures)?;
        let explanation = begin.elapsed();
        let (data, test) = (self.data, self.test);
        let confusion = test.details.confusion.as_ref();
        let confusion = confusion.map(|confusion| Confusion::of_counts(confusion.counts().view()));
        let labels = (!data.test.labels().is_empty()).then(|| data.test.labels());
        Ok(RunReport {
            name: file_name(&data.summary.path),
            task: self.task(),
            ending: Some(self.ending()),
            notes: Vec::new(),
            scores: self.scores(),
            confusion,
            calibration: labels.and_then(|labels| calibration(test.details.outputs.view(), labels)),
            predictions: self.predictions(),
            worst: Some(self.worst(pictures)),
            importance: Some(importance),
            data: Some(self.data_summary()),
            configuration: configuration(self.settings),
            run: Run {
                command: Some(self.command.clone()),
                device: Some(model.device()),
                timings: vec![
                    Timing::new("reading the data", data.time),
                    Timing::new("training", self.finished.time),
                    Timing::new("evaluation", self.evaluation),
                    Timing::new("explanation", explanation),
                ],
                examples_per_second: Some(
                    self.finished.examples as f64 / self.finished.time.as_secs_f64(),
                ),
                version: Some(format!("wgpu-linear {}", env!("CARGO_PKG_VERSION"))),
                date: Some(self.date.clone()),
            },
            curves: self.curves,
        })
    }

    fn task(&self) -> Task {
        let preprocessing = &self.data.preprocessing;
        let mut targets = preprocessing.targets.iter().map(|t| t.name.clone());
        if preprocessing.class_names().is_empty() {
            return Task::Regression {
                targets: targets.collect(),
            };
        }
        Task::Classification {
            target: targets.next().unwrap_or_default(),
            classes: preprocessing.class_names().to_vec(),
        }
    }

    fn ending(&self) -> String {
        let epochs = self.settings.training.epochs.unwrap_or(0);
        match self.finished.summary.best_epoch {
            Some(best) => format!("Early stopping chose the weights of epoch {best}."),
            None => format!("All {epochs} epochs were trained."),
        }
    }

    fn scores(&self) -> Vec<Score> {
        let baseline = self.baseline();
        let score = |(name, value): &(String, f64)| Score {
            validation: self.validation.and_then(|outcome| outcome.score(name)),
            baseline: baseline
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, v)| *v),
            ..Score::new(name.as_str()).test(*value)
        };
        self.test.scores.iter().map(score).collect()
    }

    /// What takes no network.
    fn baseline(&self) -> Vec<(&'static str, f64)> {
        let (train, test) = (&self.data.train, &self.data.test);
        if let (Some(train), Some(test)) = (train.values(), test.values()) {
            let units = |values: &ndarray::Array2<f32>| {
                let values = self.data.preprocessing.unstandardise(values.view());
                values.mapv(|value| value as f32)
            };
            let baseline = mean_baseline(units(train).view(), units(test).view());
            return baseline.map_or(Vec::new(), |baseline| {
                vec![
                    ("mean_absolute_error", baseline.mean_absolute_error),
                    ("root_mean_squared_error", baseline.root_mean_squared_error),
                ]
            });
        }
        let baseline = most_frequent(train.labels(), test.labels());
        baseline.map_or(Vec::new(), |baseline| vec![("accuracy", baseline.accuracy)])
    }

    fn predictions(&self) -> Vec<Predictions> {
        let Some([wanted, given]) = &self.test.values else {
            return Vec::new();
        };
        let names = self.data.preprocessing.targets.iter();
        let columns = wanted.columns().into_iter().zip(given.columns());
        names
            .zip(columns)
            .map(|(target, (y, t))| {
                Predictions::of(&*target.name, y.iter().copied().zip(t.iter().copied()))
            })
            .collect()
    }

    fn worst(&self, pictures: Option<Pictures>) -> WorstErrors {
        let (preprocessing, test) = (&self.data.preprocessing, &self.data.test);
        let outputs = &self.test.details.outputs;
        let worst = worst_errors(outputs.view(), test.targets(), WORST);
        let example = |error: crate::explain::WorstError| {
            let (actual, predicted, confidence) = self.judged(error.example, &error.judged);
            let row = preprocessing.restore(test.x().row(error.example));
            WorstExample {
                row: Some(self.data.rows.test[error.example] as u64 + 1),
                actual,
                predicted,
                confidence,
                loss: error.loss,
                pixels: pictures.map_or(Vec::new(), |pictures| pictures.gray(&row)),
                values: pictures.map_or_else(|| texts(&row), |_| Vec::new()),
            }
        };
        let columns = preprocessing
            .columns
            .iter()
            .map(|column| column.name.clone());
        WorstErrors {
            picture: pictures.map(|pictures| [pictures.width, pictures.height]),
            columns: columns.filter(|_| pictures.is_none()).collect(),
            examples: worst.into_iter().map(example).collect(),
        }
    }

    /// What was right, what was answered, and how sure the network was.
    fn judged(&self, example: usize, judged: &Judged) -> (String, String, Option<f64>) {
        match judged {
            Judged::Class {
                actual,
                predicted,
                confidence,
            } => {
                let names = self.data.preprocessing.class_names();
                let name = |class: usize| names.get(class).cloned().unwrap_or_default();
                (name(*actual), name(*predicted), Some(*confidence))
            }
            Judged::Values { .. } => {
                let row = |values: &ndarray::Array2<f64>| {
                    let values = values.row(example);
                    let values: Vec<_> = values.iter().map(|value| short(*value)).collect();
                    values.join(", ")
                };
                match &self.test.values {
                    Some([wanted, given]) => (row(wanted), row(given), None),
                    None => Default::default(),
                }
            }
        }
    }

    fn importance(
        &self,
        model: &mut dyn Model,
        pictures: Option<Pictures>,
    ) -> Result<Importance, CliError> {
        let preprocessing = &self.data.preprocessing;
        let blocks = pictures.map(|p| blocks_of_picture(p.width, p.height, MOST_BLOCKS));
        let groups: Vec<(String, Vec<usize>)> = match &blocks {
            Some((groups, _)) => groups.clone(),
            None => {
                let groups = preprocessing.groups().into_iter();
                groups
                    .map(|(name, inputs)| (name, inputs.collect()))
                    .collect()
            }
        };
        let score = match self.data.test.targets() {
            Targets::Classes(_) => Metric::accuracy(),
            _ => Metric::r2(),
        };
        let data: &Dataset = &self.data.test;
        let importance = permutation_importance(model, data, &groups, &score, Effort::default(), 0)
            .map_err(|error| CliError::failure(&error))?;
        Ok(match blocks {
            Some((_, blocks)) => importance.with_blocks(&blocks),
            None => importance,
        })
    }

    fn data_summary(&self) -> DataSummary {
        let (data, split) = (self.data, &self.settings.split);
        let is_by_class = !data.preprocessing.class_names().is_empty();
        let drawn = |seed: u64| {
            let by_class = if is_by_class {
                ", each class by its share"
            } else {
                ""
            };
            format!("at random{by_class}, seed {seed}")
        };
        let seed = split.split_seed.unwrap_or(0);
        let test = match (&self.settings.data.test_file, split.test_every) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(every)) => format!("every {every}th row"),
            (None, None) => drawn(seed),
        };
        let part = |name: &str, rows: usize, chosen: String| Part {
            name: name.into(),
            rows: rows as u64,
            chosen,
        };
        let mut parts = vec![part("training", data.train.len(), "the others".into())];
        if let Some(validation) = &data.validation {
            parts.push(part(
                "validation",
                validation.len(),
                drawn(seed.wrapping_add(1)),
            ));
        }
        parts.push(part("test", data.test.len(), test));
        DataSummary {
            source: data.summary.path.clone(),
            rows: data.summary.rows as u64,
            inputs: Some(data.preprocessing.inputs() as u64),
            columns: self.columns(),
            parts,
            classes: self.classes(),
        }
    }

    fn columns(&self) -> Vec<Column> {
        let summary = &self.data.summary;
        let preprocessing = &self.data.preprocessing;
        let input = |column: &ColumnSummary| {
            let rule = preprocessing.columns.iter().find(|c| c.name == column.name);
            let fill = rule.and_then(|rule| match &rule.rule {
                Rule::Number { fill, .. } => fill.map(|fill| format!("median {fill}")),
                Rule::Category { fill, .. } => fill.clone(),
            });
            Column {
                name: column.name.clone(),
                kind: match &column.categories {
                    None => "number".into(),
                    Some(categories) => format!("category with {} values", categories.len()),
                },
                role: "input".into(),
                missing: column.missing as u64,
                imputed: fill.filter(|_| column.missing > 0),
                is_constant: rule.is_some_and(|rule| rule.is_constant),
            }
        };
        let targets = summary.targets.iter().map(|target| Column {
            name: target.name.clone(),
            kind: if target.is_text { "text" } else { "number" }.into(),
            role: "target".into(),
            ..Column::default()
        });
        summary.columns.iter().map(input).chain(targets).collect()
    }

    fn classes(&self) -> Vec<ClassShare> {
        let data = self.data;
        let sets = [
            Some(&data.train),
            data.validation.as_ref(),
            Some(&data.test),
        ];
        let counts = |class: u32| {
            let count = |set: &Dataset| set.labels().iter().filter(|l| **l == class).count() as u64;
            sets.iter().flatten().map(|set| count(set)).collect()
        };
        let names = data.preprocessing.class_names().iter().zip(0..);
        names
            .map(|(name, class)| ClassShare {
                name: name.clone(),
                rows: counts(class),
            })
            .collect()
    }
}

/// The fields of a row, as they stood in the table but for the last digits.
fn texts(row: &[(&str, Restored<'_>)]) -> Vec<String> {
    let text = |(_, field): &(&str, Restored<'_>)| match field {
        Restored::Number(value) => short(*value),
        Restored::Category(category) => category.unwrap_or_default().to_owned(),
    };
    row.iter().map(text).collect()
}

/// The last part of a path, as far as there is one.
fn file_name(path: &str) -> String {
    let name = std::path::Path::new(path).file_name();
    name.map_or_else(
        || path.to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Six digits: x went through f32.
fn short(value: f64) -> String {
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    rounded.to_string()
}

/// All settings, a line each.
fn configuration(settings: &Settings) -> Vec<Setting> {
    let text = settings.to_toml();
    let lines = text.lines().filter_map(|line| line.split_once(" = "));
    lines
        .map(|(name, value)| Setting::new(name.trim(), value.trim_matches('"')))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_a_line() {
        let mut settings = Settings::default();
        settings.data.target = Some(vec!["y1".into(), "y2".into()]);
        settings.training.schedule = Some("cosine".into());
        let lines = configuration(&settings);
        let lines: Vec<_> = lines
            .iter()
            .map(|line| (line.name.as_str(), line.value.as_str()))
            .collect();
        assert_eq!(
            lines,
            [("target", "[\"y1\", \"y2\"]"), ("schedule", "cosine")]
        );
    }
}
