//! A recorder for the crate `metrics`.

use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::instruments::{Count, Distribution, Instruments, Level};
use crate::mutex::lock;
use crate::{Step, Summary, Writer};

/// Collects what a program measures by the macros of the crate `metrics`, and writes it when it is
/// told to: a recorder. Clones share what they have collected.
///
/// ```
/// use metrics::{counter, gauge, histogram};
/// use tfevents::{MetricsRecorder, Reader, Writer};
///
/// # let temporary = tempfile::tempdir()?;
/// # let directory = temporary.path().join("run-1");
/// let events = Writer::create(&directory)?; // runs/run-1, say
/// let recorder = MetricsRecorder::new(events.clone());
/// // A program calls `metrics::set_global_recorder(recorder.clone())` instead, once.
/// metrics::with_local_recorder(&recorder, || {
///     for step in 0..10 {
///         counter!("examples").increment(32);
///         gauge!("loss", "set" => "test").set(1.0 / f64::from(1 + step));
///         histogram!("batch.seconds").record(0.25);
///         recorder.publish(step);
///     }
/// });
/// events.close()?;
///
/// let mut tags = Vec::new();
/// let mut reader = Reader::open(&directory)?;
/// while let Some(point) = reader.next_point()?.filter(|point| point.step == 0) {
///     tags.push(point.tag);
/// }
/// assert_eq!(tags, ["examples", "loss/set=test", "batch/seconds"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is written
///
/// Nothing until [`publish`](Self::publish) is called, from any thread: once a step in a training
/// loop, or once a second in a service that counts the seconds. Each call writes one event:
///
/// | instrument | as | what |
/// |---|---|---|
/// | counter | scalar | the total so far |
/// | gauge | scalar | the value at this moment |
/// | histogram | [`Histogram`](crate::Histogram) | the values since the last call; left out where there are none |
///
/// Scalars are rounded to `f32`, as [`Scalar`](crate::Scalar) says; totals beyond 2²⁴ lose digits.
///
/// A tag is the name, with `/` for `.` and `::`, and behind it the labels in the order of their
/// names: `requests{method="GET",code="200"}` becomes `requests/code=200,method=GET`. A gauge and a
/// counter of one name have one tag, which draws both into one curve.
///
/// Units and descriptions are not written. An instrument takes some bytes, a histogram that has
/// values 12 KiB until it is published. Every combination of labels is an instrument that is kept
/// for good, as in every recorder.
#[derive(Clone, Debug)]
pub struct MetricsRecorder {
    events: Writer,
    collected: Arc<Collected>,
}

#[derive(Debug, Default)]
struct Collected {
    counters: Mutex<Instruments<Count>>,
    gauges: Mutex<Instruments<Level>>,
    histograms: Mutex<Instruments<Distribution>>,
}

impl MetricsRecorder {
    /// A recorder that publishes to `events`.
    #[must_use]
    pub fn new(events: Writer) -> Self {
        let collected = Arc::default();
        Self { events, collected }
    }

    /// Writes the present values of all instruments as one event.
    ///
    /// What other threads measure meanwhile is in this event or in the next one, and nothing in
    /// both. As other calls that log, this does not wait for the disk.
    pub fn publish(&self, step: impl Step) {
        let mut summary = Summary::new();
        for (tag, count) in lock(&self.collected.counters).iter() {
            summary = summary.scalar(tag, count.get());
        }
        for (tag, level) in lock(&self.collected.gauges).iter() {
            summary = summary.scalar(tag, level.get());
        }
        for (tag, distribution) in lock(&self.collected.histograms).iter() {
            if let Some(histogram) = distribution.take() {
                summary = summary.histogram(tag, &histogram);
            }
        }
        self.events.summary(step, &summary);
    }
}

impl Recorder for MetricsRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(lock(&self.collected.counters).get(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(lock(&self.collected.gauges).get(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(lock(&self.collected.histograms).get(key))
    }
}
