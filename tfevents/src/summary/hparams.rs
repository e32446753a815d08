//! Hyperparameters of a run, and the metrics by which runs are compared.

use super::{Summary, tensor, wire};

/// What was chosen for a run, and the tags of the curves that say how good the choice was.
///
/// TensorBoard's page *HParams* compares the runs of a log directory by them: a row for each, the
/// last point of every metric in it. The metrics themselves are written as scalars.
///
/// ```
/// use tfevents::{HParams, SessionStatus, Summary};
///
/// let hparams = HParams::new()
///     .param("learning_rate", 1e-3_f32)
///     .param("optimizer", "adam")
///     .param("nesterov", false)
///     .metric("accuracy/test");
/// let begin = [Summary::new().hparams_experiment(&hparams), Summary::new().hparams_start(&hparams)];
/// let end = Summary::new().scalar("accuracy/test", 0.98).hparams_end(SessionStatus::Success);
/// ```
///
/// Sources: `api.proto` and `plugin_data.proto` in `tensorboard/plugins/hparams`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HParams {
    params: Vec<(String, HParamValue)>,
    metrics: Vec<String>,
    start_time_seconds: f64,
}

impl HParams {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a hyperparameter. One that is there already gets the new value.
    #[must_use]
    pub fn param(mut self, name: &str, value: impl Into<HParamValue>) -> Self {
        let value = value.into();
        match self.params.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.params.push((name.to_owned(), value)),
        }
        self
    }

    /// Adds the tag of a scalar by which runs are compared.
    #[must_use]
    pub fn metric(mut self, tag: &str) -> Self {
        if !self.metrics.iter().any(|known| known == tag) {
            self.metrics.push(tag.to_owned());
        }
        self
    }

    /// Sets when the run began, in seconds since 1970-01-01 00:00 UTC. Without it, and where it is
    /// not finite, none is written.
    #[must_use]
    pub fn start_time(mut self, seconds: f64) -> Self {
        self.start_time_seconds = finite_or_none(seconds);
        self
    }
}

/// The value of a hyperparameter.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum HParamValue {
    /// A number; integers above 2⁵³ are rounded.
    Number(f64),
    /// A text, such as the name of an optimizer.
    Text(String),
    /// A choice. `PyTorch` writes it as the number 0 or 1.
    Bool(bool),
}

impl HParamValue {
    fn data_type(&self) -> i64 {
        match self {
            Self::Text(_) => DATA_TYPE_STRING,
            Self::Bool(_) => DATA_TYPE_BOOL,
            Self::Number(_) => DATA_TYPE_FLOAT64,
        }
    }
}

impl From<f64> for HParamValue {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<f32> for HParamValue {
    /// The shortest decimal that means this `f32`: 0.1 shall be shown as 0.1, not as
    /// 0.10000000149011612.
    fn from(value: f32) -> Self {
        Self::Number(value.to_string().parse().unwrap_or(value.into()))
    }
}

impl From<i32> for HParamValue {
    fn from(value: i32) -> Self {
        Self::Number(value.into())
    }
}

impl From<u32> for HParamValue {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<i64> for HParamValue {
    fn from(value: i64) -> Self {
        Self::Number(value as f64)
    }
}

impl From<u64> for HParamValue {
    fn from(value: u64) -> Self {
        Self::Number(value as f64)
    }
}

impl From<usize> for HParamValue {
    fn from(value: usize) -> Self {
        Self::Number(value as f64)
    }
}

impl From<bool> for HParamValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for HParamValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for HParamValue {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// How a run ended.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStatus {
    /// Nothing is known.
    Unknown,
    /// It reached its end.
    Success,
    /// It was given up.
    Failure,
    /// It goes on.
    Running,
}

impl SessionStatus {
    fn number(self) -> i64 {
        match self {
            Self::Unknown => 0,
            Self::Success => 1,
            Self::Failure => 2,
            Self::Running => 3,
        }
    }
}

impl Summary {
    /// Adds the names and types of all hyperparameters, and the tags of the metrics.
    #[must_use]
    pub fn hparams_experiment(self, hparams: &HParams) -> Self {
        self.hparams_value("_hparams_/experiment", |data| {
            wire::put_message(data, EXPERIMENT, |data| {
                for (name, value) in &hparams.params {
                    wire::put_message(data, HPARAM_INFOS, |data| {
                        wire::put_text(data, INFO_NAME, name);
                        wire::put_integer(data, INFO_TYPE, value.data_type());
                    });
                }
                for tag in &hparams.metrics {
                    wire::put_message(data, METRIC_INFOS, |data| {
                        wire::put_message(data, METRIC_NAME, |data| {
                            wire::put_text(data, METRIC_TAG, tag);
                        });
                    });
                }
            });
        })
    }

    /// Adds the values of the hyperparameters: this is when the run's row appears in TensorBoard.
    ///
    /// They are written in the order of their names, for the format keeps them in a map, which has
    /// no order of its own.
    #[must_use]
    pub fn hparams_start(self, hparams: &HParams) -> Self {
        let mut sorted: Vec<_> = hparams.params.iter().collect();
        sorted.sort_by(|(left, _), (right, _)| left.cmp(right));
        self.hparams_value("_hparams_/session_start_info", |data| {
            wire::put_message(data, SESSION_START_INFO, |data| {
                for (name, value) in sorted {
                    wire::put_message(data, HPARAMS, |data| put_entry(data, name, value));
                }
                wire::put_f64_unless_zero(data, START_TIME_SECS, hparams.start_time_seconds);
            });
        })
    }

    /// Adds how the run ended.
    #[must_use]
    pub fn hparams_end(self, status: SessionStatus) -> Self {
        self.hparams_end_at(status, 0.0)
    }

    /// Adds how and when the run ended, in seconds since 1970-01-01 00:00 UTC; a time that is not
    /// finite is left out.
    #[must_use]
    pub fn hparams_end_at(self, status: SessionStatus, seconds: f64) -> Self {
        self.hparams_value("_hparams_/session_end_info", |data| {
            wire::put_message(data, SESSION_END_INFO, |data| {
                wire::put_integer_unless_zero(data, STATUS, status.number());
                wire::put_f64_unless_zero(data, END_TIME_SECS, finite_or_none(seconds));
            });
        })
    }

    /// Values of this plugin are all in its metadata; `encode` appends fields of
    /// `HParamsPluginData`.
    fn hparams_value(self, tag: &str, encode: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut content = Vec::new();
        encode(&mut content);
        self.value(tag, |data| tensor::put_plugin(data, "hparams", &content))
    }
}

/// An entry of the map from names to `google.protobuf.Value`. Both fields are written whatever
/// their values.
fn put_entry(data: &mut Vec<u8>, name: &str, value: &HParamValue) {
    wire::put_bytes(data, MAP_KEY, name.as_bytes());
    wire::put_message(data, MAP_VALUE, |data| match value {
        HParamValue::Number(number) => wire::put_f64(data, NUMBER_VALUE, *number),
        HParamValue::Text(text) => wire::put_bytes(data, STRING_VALUE, text.as_bytes()),
        HParamValue::Bool(choice) => wire::put_integer(data, BOOL_VALUE, i64::from(*choice)),
    });
}

/// 0, the time of which no one says that a run began or ended, is how the format spells *unknown*.
fn finite_or_none(seconds: f64) -> f64 {
    if seconds.is_finite() { seconds } else { 0.0 }
}

/// Fields of `HParamsPluginData`.
const EXPERIMENT: u8 = 2;
const SESSION_START_INFO: u8 = 3;
const SESSION_END_INFO: u8 = 4;
/// Fields of `Experiment`.
const HPARAM_INFOS: u8 = 4;
const METRIC_INFOS: u8 = 5;
/// Fields of `HParamInfo`.
const INFO_NAME: u8 = 1;
const INFO_TYPE: u8 = 4;
/// Fields of `MetricInfo` and `MetricName`.
const METRIC_NAME: u8 = 1;
const METRIC_TAG: u8 = 2;
/// Fields of `SessionStartInfo` and `SessionEndInfo`.
const HPARAMS: u8 = 1;
const START_TIME_SECS: u8 = 5;
const STATUS: u8 = 1;
const END_TIME_SECS: u8 = 2;
/// Fields of every map's entries.
const MAP_KEY: u8 = 1;
const MAP_VALUE: u8 = 2;
/// Fields of `google.protobuf.Value`.
const NUMBER_VALUE: u8 = 2;
const STRING_VALUE: u8 = 3;
const BOOL_VALUE: u8 = 4;
/// Values of `DataType`.
const DATA_TYPE_STRING: i64 = 1;
const DATA_TYPE_BOOL: i64 = 2;
const DATA_TYPE_FLOAT64: i64 = 3;
