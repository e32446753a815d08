//! From the encoding of protocol buffers to what an event says.
//!
//! As every proto3 reader does: a field that is absent has its default value, the last of several
//! counts, and a field with an unknown number, or with another type than its own, is passed over.
//! The numbers are those of TensorFlow's
//! [`event.proto`](https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/event.proto)
//! and
//! [`summary.proto`](https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/summary.proto).

use super::damage::Malformed;
use super::event::{
    Content, Event, HistogramValue, ImageValue, PluginData, Session, SummaryValue, Value,
};
use super::fields::{Field, extend_f64, fields, last_varint, text};
use super::tensor;

impl Event {
    /// What the data of a record say.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if they are no message. Which part of it was sound is not told.
    pub fn decode(data: &[u8]) -> Result<Self, Malformed> {
        let mut event = Self {
            wall_time: 0.0,
            step: 0,
            content: Content::Other,
        };
        for field in fields(data) {
            match field? {
                (1, Field::Fixed64(bytes)) => event.wall_time = f64::from_le_bytes(bytes),
                (2, Field::Varint(step)) => event.step = step.cast_signed(),
                (3, Field::Bytes(version)) => event.content = Content::FileVersion(text(version)?),
                (4, Field::Bytes(graph)) => event.content = Content::Graph(graph.to_vec()),
                (5, Field::Bytes(message)) => add_summary(&mut event.content, message)?,
                (7, Field::Bytes(log)) => event.content = Content::Session(session(log)?),
                (6 | 8 | 9, Field::Bytes(_)) => event.content = Content::Other,
                _ => {}
            }
        }
        Ok(event)
    }
}

/// A message that comes in two pieces is the two put together.
fn add_summary(content: &mut Content, message: &[u8]) -> Result<(), Malformed> {
    let mut values = match std::mem::replace(content, Content::Other) {
        Content::Summary(values) => values,
        _ => Vec::new(),
    };
    for field in fields(message) {
        if let (1, Field::Bytes(message)) = field? {
            values.push(summary_value(message)?);
        }
    }
    *content = Content::Summary(values);
    Ok(())
}

fn session(message: &[u8]) -> Result<Session, Malformed> {
    Ok(match last_varint(message, 1)? {
        1 => Session::Start,
        2 => Session::Stop,
        3 => Session::Checkpoint,
        other => Session::Other(other),
    })
}

/// The value as it stands: how a tensor is to be taken is known once its plugin is, which comes
/// after it.
enum Raw<'a> {
    Done(Value),
    Tensor(&'a [u8]),
    None,
}

fn summary_value(message: &[u8]) -> Result<SummaryValue, Malformed> {
    let mut tag: &[u8] = &[];
    let mut plugin = PluginData::default();
    let mut raw = Raw::None;
    for field in fields(message) {
        match field? {
            (1, Field::Bytes(bytes)) => tag = bytes,
            (2, Field::Fixed32(bytes)) => raw = Raw::Done(Value::Scalar(f32::from_le_bytes(bytes))),
            (3 | 6, Field::Bytes(_)) => raw = Raw::Done(Value::Other),
            (4, Field::Bytes(image)) => raw = Raw::Done(Value::Image(self::image(image)?)),
            (5, Field::Bytes(message)) => {
                raw = Raw::Done(Value::Histogram(Box::new(histogram(message)?)));
            }
            (8, Field::Bytes(tensor)) => raw = Raw::Tensor(tensor),
            (9, Field::Bytes(message)) => read_metadata(&mut plugin, message)?,
            _ => {}
        }
    }
    let value = match raw {
        Raw::Done(value) => value,
        Raw::Tensor(message) => tensor::value(message, plugin)?,
        Raw::None if plugin.name.is_empty() => Value::Other,
        Raw::None => Value::Plugin(Box::new(plugin)),
    };
    let tag = text(tag)?;
    Ok(SummaryValue { tag, value })
}

fn read_metadata(plugin: &mut PluginData, message: &[u8]) -> Result<(), Malformed> {
    for field in fields(message) {
        if let (1, Field::Bytes(message)) = field? {
            for field in fields(message) {
                match field? {
                    (1, Field::Bytes(name)) => plugin.name = text(name)?,
                    (2, Field::Bytes(content)) => plugin.content = content.to_vec(),
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

fn image(message: &[u8]) -> Result<ImageValue, Malformed> {
    let mut image = ImageValue::default();
    for field in fields(message) {
        match field? {
            (1, Field::Varint(height)) => image.height = height as i32,
            (2, Field::Varint(width)) => image.width = width as i32,
            (3, Field::Varint(colorspace)) => image.colorspace = colorspace as i32,
            (4, Field::Bytes(encoded)) => image.encoded = encoded.to_vec(),
            _ => {}
        }
    }
    Ok(image)
}

fn histogram(message: &[u8]) -> Result<HistogramValue, Malformed> {
    let mut histogram = HistogramValue::default();
    for field in fields(message) {
        match field? {
            (1, Field::Fixed64(bytes)) => histogram.min = f64::from_le_bytes(bytes),
            (2, Field::Fixed64(bytes)) => histogram.max = f64::from_le_bytes(bytes),
            (3, Field::Fixed64(bytes)) => histogram.num = f64::from_le_bytes(bytes),
            (4, Field::Fixed64(bytes)) => histogram.sum = f64::from_le_bytes(bytes),
            (5, Field::Fixed64(bytes)) => histogram.sum_squares = f64::from_le_bytes(bytes),
            (6, field) => extend_f64(&mut histogram.limits, field)?,
            (7, field) => extend_f64(&mut histogram.counts, field)?,
            _ => {}
        }
    }
    Ok(histogram)
}
