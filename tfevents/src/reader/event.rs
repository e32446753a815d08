//! What an event file says, typed.

/// One record of an event file.
///
/// ```
/// use tfevents::reader::{Content, Event, Value};
///
/// // step 3; summary { value { tag: "a", simple_value: 0.5 } }
/// let event = Event::decode(b"\x10\x03\x2a\x0a\x0a\x08\x0a\x01a\x15\x00\x00\x00\x3f")?;
/// assert_eq!(event.step, 3);
/// let Content::Summary(values) = event.content else { panic!() };
/// assert_eq!((values[0].tag.as_str(), values[0].value.scalar()), ("a", Some(0.5)));
/// # Ok::<(), tfevents::reader::Malformed>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Seconds since 1970-01-01 00:00 UTC, as the file says; nothing keeps it from being NaN.
    pub wall_time: f64,
    /// What the writer counts: batches, epochs. Zero where there is none.
    pub step: i64,
    /// What happened.
    pub content: Content,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Content {
    /// The version of the format, `brain.Event:2`; the first record of a file.
    FileVersion(String),
    /// A `GraphDef`, in the encoding of protocol buffers.
    Graph(Vec<u8>),
    /// Values, each under its tag.
    Summary(Vec<SummaryValue>),
    /// The program started or stopped.
    Session(Session),
    /// Anything else: messages of the logger, metadata of a run, nothing.
    Other,
}

/// What became of the program that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Session {
    /// It starts at the event's step. TensorBoard forgets the points of this step and later ones
    /// that it read before.
    Start,
    /// It stops.
    Stop,
    /// It has saved its state.
    Checkpoint,
    /// Another status, by its number.
    Other(u64),
}

/// A value of a summary.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SummaryValue {
    /// Its name.
    pub tag: String,
    /// What it is.
    pub value: Value,
}

/// A value of a run, with where it belongs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Point {
    /// Seconds since 1970-01-01 00:00 UTC, as the file says; nothing keeps it from being NaN.
    pub wall_time: f64,
    /// What the writer counts: batches, epochs.
    pub step: i64,
    /// The name of the curve.
    pub tag: String,
    /// The value there.
    pub value: Value,
}

/// What stands under a tag. The writers of TensorBoard's many versions say the same in several
/// ways; here it is one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A number: `simple_value`, or a tensor of one `float` with the plugin `scalars`. Bit for bit,
    /// NaN too.
    Scalar(f32),
    /// The same written with double precision: a tensor of one `double` with the plugin `scalars`.
    Scalar64(f64),
    /// A distribution: `histo`.
    Histogram(Box<HistogramValue>),
    /// A picture: `image`.
    Image(ImageValue),
    /// Texts: a tensor of strings with the plugin `text`, row by row. What is not UTF-8 in them is
    /// replaced by U+FFFD.
    Text(Vec<String>),
    /// Data of a plugin without a value, or with one that has no elements: hyperparameters.
    Plugin(Box<PluginData>),
    /// Any other tensor: precision-recall curves, layouts of charts.
    Tensor(Box<TensorValue>),
    /// Anything else: audio, formats that no one writes any more, nothing.
    Other,
}

impl Value {
    /// The number, where this is a [`Scalar`](Self::Scalar) or [`Scalar64`](Self::Scalar64): every
    /// `f32` is an `f64`.
    #[must_use]
    pub fn scalar(&self) -> Option<f64> {
        match *self {
            Self::Scalar(value) => Some(value.into()),
            Self::Scalar64(value) => Some(value),
            _ => None,
        }
    }

    /// The number of a [`Scalar`](Self::Scalar) or [`Scalar64`](Self::Scalar64), in the fewest
    /// digits that lead back to it in its precision.
    ///
    /// ```
    /// use tfevents::reader::Value;
    /// assert_eq!(Value::Scalar(0.1).digits().as_deref(), Some("0.1"));
    /// assert_eq!(Value::Scalar64(0.1_f32.into()).digits().as_deref(), Some("0.10000000149011612"));
    /// ```
    #[must_use]
    pub fn digits(&self) -> Option<String> {
        match self {
            Self::Scalar(value) => Some(format!("{value:?}")),
            Self::Scalar64(value) => Some(format!("{value:?}")),
            _ => None,
        }
    }

    /// What it is, in a word or two: `scalar`, `histogram`, `image`, `text`, `tensor`, or the name
    /// of its plugin.
    #[must_use]
    pub fn kind(&self) -> String {
        let plugin = match self {
            Self::Scalar(_) | Self::Scalar64(_) => return "scalar".into(),
            Self::Histogram(_) => return "histogram".into(),
            Self::Image(_) => return "image".into(),
            Self::Text(_) => return "text".into(),
            Self::Plugin(plugin) => plugin,
            Self::Tensor(tensor) if tensor.plugin.name.is_empty() => return "tensor".into(),
            Self::Tensor(tensor) => &tensor.plugin,
            Self::Other => return "other".into(),
        };
        plugin.name.clone()
    }
}

/// A distribution: `counts[i]` values in `[limits[i − 1], limits[i])`, with −∞ before the first
/// limit.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct HistogramValue {
    /// The smallest value.
    pub min: f64,
    /// The greatest value.
    pub max: f64,
    /// How many values there are.
    pub num: f64,
    /// Σ x.
    pub sum: f64,
    /// Σ x².
    pub sum_squares: f64,
    /// The upper edges of the buckets, as the file has them: nothing makes them ascend, nor as many
    /// as the counts.
    pub limits: Vec<f64>,
    /// How many values each bucket holds.
    pub counts: Vec<f64>,
}

/// A picture, encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageValue {
    /// Columns of pixels, as the file says.
    pub width: i32,
    /// Rows of pixels, as the file says.
    pub height: i32,
    /// 1 is grey, 2 grey with alpha, 3 RGB, 4 RGBA.
    pub colorspace: i32,
    /// PNG, JPEG or GIF.
    pub encoded: Vec<u8>,
}

/// What a value says to the plugin that shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginData {
    /// The plugin: `hparams`, `pr_curves`; empty where none is named.
    pub name: String,
    /// The plugin's own message, encoded.
    pub content: Vec<u8>,
}

/// An array, in row-major order.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TensorValue {
    /// The plugin that it is for.
    pub plugin: PluginData,
    /// Its sizes, the outermost first, as the file says: nothing makes their product the number of
    /// elements.
    pub shape: Vec<i64>,
    /// Its elements. One element may stand for all of them.
    pub data: TensorData,
}

/// The elements of a tensor.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TensorData {
    /// `DT_FLOAT`.
    F32(Vec<f32>),
    /// `DT_DOUBLE`.
    F64(Vec<f64>),
    /// `DT_STRING`: any bytes.
    Strings(Vec<Vec<u8>>),
    /// Another type, by its number in `types.proto`; its elements are not read.
    Other(u64),
}

impl Default for TensorData {
    /// `DT_INVALID`, which a tensor is that does not name its type.
    fn default() -> Self {
        Self::Other(0)
    }
}

impl TensorData {
    /// Whether no element was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::F32(values) => values.is_empty(),
            Self::F64(values) => values.is_empty(),
            Self::Strings(values) => values.is_empty(),
            Self::Other(_) => true,
        }
    }
}
