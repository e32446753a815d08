//! What is measured by the macros of the crate `metrics`.

use std::sync::Barrier;

use metrics::{counter, describe_gauge, gauge, histogram};
use tempfile::TempDir;
use tfevents::{Histogram, MetricsRecorder, Reader, Value, Writer};

use crate::support::scalars;

/// What is written when the call measures and publishes.
fn written(call: impl FnOnce(&MetricsRecorder)) -> TempDir {
    let directory = TempDir::new().unwrap();
    let events = Writer::create(directory.path()).unwrap();
    let recorder = MetricsRecorder::new(events.clone());
    metrics::with_local_recorder(&recorder, || call(&recorder));
    events.close().unwrap();
    directory
}

fn point(tag: &str, step: i64, value: f32) -> (String, i64, f32) {
    (tag.to_owned(), step, value)
}

#[test]
fn counters_and_gauges_are_written_as_they_stand() {
    let directory = written(|recorder| {
        recorder.publish(0); // nothing yet
        counter!("examples").increment(32);
        gauge!("loss").set(0.5);
        recorder.publish(1);
        counter!("examples").increment(32);
        counter!("absolute").absolute(9);
        counter!("absolute").absolute(8);
        let loss = gauge!("loss");
        loss.increment(1.0);
        loss.decrement(0.25);
        recorder.publish(2_usize);
        recorder.publish(3);
    });
    let expected = [
        point("examples", 1, 32.0),
        point("loss", 1, 0.5),
        point("absolute", 2, 9.0),
        point("examples", 2, 64.0),
        point("loss", 2, 1.25),
        point("absolute", 3, 9.0),
        point("examples", 3, 64.0),
        point("loss", 3, 1.25),
    ];
    assert_eq!(scalars(directory.path()), expected);
}

#[test]
fn histograms_have_the_values_since_the_last_time() {
    let directory = written(|recorder| {
        for value in [0.5, -2.0, 0.5, f64::NAN] {
            histogram!("seconds").record(value);
        }
        recorder.publish(1);
        recorder.publish(2);
        histogram!("seconds").record(4.0);
        recorder.publish(3);
        histogram!("seconds").record(f64::INFINITY);
        recorder.publish(4);
    });
    // As the crate's own histogram of the same values is written.
    let expected = TempDir::new().unwrap();
    let events = Writer::create(expected.path()).unwrap();
    let all: [(i64, &[f64]); 3] = [(1, &[0.5, -2.0, 0.5, f64::NAN]), (3, &[4.0]), (4, &[])];
    for (step, values) in all {
        events.histogram("seconds", step, &Histogram::of(values.iter().copied()));
    }
    events.close().unwrap();
    assert_eq!(histograms(&directory), histograms(&expected));
    assert_eq!(histograms(&directory).len(), 3);
}

fn histograms(directory: &TempDir) -> Vec<(String, i64, Value)> {
    let mut reader = Reader::open(directory.path()).unwrap();
    let mut all = Vec::new();
    while let Some(point) = reader.next_point().unwrap() {
        assert!(matches!(point.value, Value::Histogram(_)));
        all.push((point.tag, point.step, point.value));
    }
    all
}

#[test]
fn tags_are_names_and_sorted_labels() {
    let directory = written(|recorder| {
        describe_gauge!("train.loss", "not written");
        gauge!("train.loss").set(1.0);
        gauge!("net::loss").set(2.0);
        gauge!("loss", "set" => "test").set(3.0);
        counter!("got", "method" => "GET", "code" => "200", "tls" => "yes").increment(1);
        // The same, whatever the order of its labels.
        counter!("got", "tls" => "yes", "code" => "200", "method" => "GET").increment(1);
        counter!("a.b").increment(3);
        counter!("a::b").increment(4);
        recorder.publish(0);
    });
    let expected = [
        point("a/b", 0, 7.0),
        point("got/code=200,method=GET,tls=yes", 0, 2.0),
        point("loss/set=test", 0, 3.0),
        point("net/loss", 0, 2.0),
        point("train/loss", 0, 1.0),
    ];
    assert_eq!(scalars(directory.path()), expected);
}

#[test]
fn threads_lose_nothing() {
    // So many that they meet; their sum is still a number of f32.
    const EACH: u64 = 2_000_000;
    let start = Barrier::new(4);
    let directory = written(|recorder| {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    metrics::with_local_recorder(recorder, || {
                        let (count, level) = (counter!("count"), gauge!("level"));
                        let values = histogram!("values");
                        start.wait();
                        (0..EACH).for_each(|_| level.increment(1.0));
                        (0..EACH).for_each(|_| count.increment(1));
                        (0..EACH / 10).for_each(|_| values.record(1.0));
                    });
                });
            }
            // Meanwhile.
            for step in 0..20 {
                recorder.publish(step);
            }
        });
        recorder.publish(20);
    });
    let mut reader = Reader::open(directory.path()).unwrap();
    let (mut counted, mut levels) = (0.0, Vec::new());
    while let Some(point) = reader.next_point().unwrap() {
        match point.value {
            Value::Histogram(values) => counted += values.num,
            value => levels.extend(value.scalar().filter(|_| point.step == 20)),
        }
    }
    let total = (4 * EACH) as f64;
    assert_eq!((counted, levels), (total / 10.0, vec![total, total]));
}

#[test]
fn one_publication_is_one_event() {
    let events = Writer::builder().write_to(std::io::sink()).unwrap();
    let recorder = MetricsRecorder::new(events.clone());
    metrics::with_local_recorder(&recorder, || {
        counter!("a").increment(1);
        gauge!("b").set(1);
        histogram!("c").record(1);
    });
    recorder.clone().publish(1);
    recorder.publish(2);
    assert_eq!(events.close().unwrap().events, 2);
}
