//! Scalars from events of `tracing`.

use std::cell::Cell;

use tempfile::TempDir;
use tfevents::{StepPolicy, TracingLayer, Writer};
use tracing::{Level, debug, error, event, info, info_span, subscriber};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;

use crate::support::{logged, scalars};

/// What is written while the call logs.
fn written(
    layer: impl FnOnce(Writer) -> TracingLayer,
    call: impl FnOnce(),
) -> Vec<(String, i64, f32)> {
    let directory = TempDir::new().unwrap();
    let events = Writer::create(directory.path()).unwrap();
    let subscriber = registry().with(layer(events.clone()));
    subscriber::with_default(subscriber, call);
    events.close().unwrap();
    scalars(directory.path())
}

/// The same at default settings.
fn of(call: impl FnOnce()) -> Vec<(String, i64, f32)> {
    written(TracingLayer::new, call)
}

fn point(tag: &str, step: i64, value: f32) -> (String, i64, f32) {
    (tag.to_owned(), step, value)
}

#[test]
fn numbers_of_all_types_are_scalars_and_nothing_else_is() {
    let points = of(|| {
        let (step, loss, none) = (3_usize, 0.5_f32, None::<f64>);
        error!(target: "tensorboard", step, loss, a = 0.25, b = -1, c = u64::MAX, "a message");
        debug!(target: "tensorboard", step, d = 1_u128, e = -2_i128, f = Some(4), g = none);
        let (text, vector) = ("7", [1.0]);
        info!(target: "tensorboard", step, yes = true, text, ?vector, h = %7);
        info!(target: "tensorboard", step);
    });
    let mut points = points.into_iter();
    let mut next = |count| {
        let mut some: Vec<_> = points.by_ref().take(count).collect();
        some.sort_by(|a, b| a.0.cmp(&b.0));
        some
    };
    let first = [
        ("a", 0.25),
        ("b", -1.0),
        ("c", u64::MAX as f32),
        ("loss", 0.5),
    ];
    assert_eq!(next(4), first.map(|(tag, value)| point(tag, 3, value)));
    let second = [("d", 1.0), ("e", -2.0), ("f", 4.0)];
    assert_eq!(next(3), second.map(|(tag, value)| point(tag, 3, value)));
    assert_eq!(points.next(), None);
}

#[test]
fn targets_choose_the_events() {
    let log = || {
        info!(target: "tensorboard", step = 1, a = 1);
        info!(target: "tensorboard::", step = 1, b = 1);
        info!(target: "tensorboard::net::deep", step = 1, c = 1);
        info!(target: "tensorboards", step = 1, d = 1);
        info!(target: "train", step = 1, e = 1);
        info!(target: "train::net", step = 1, f = 1);
        info!(step = 1, g = 1);
    };
    let expected = ["a", "b", "net/deep/c"].map(|tag| point(tag, 1, 1.0));
    assert_eq!(of(log), expected);
    let trained = |events| TracingLayer::new(events).targets(&["eval", "train"]);
    let expected = ["e", "net/f"].map(|tag| point(tag, 1, 1.0));
    assert_eq!(written(trained, log), expected);
}

#[test]
fn spans_name_the_tags_and_have_the_step() {
    let points = of(|| {
        let _program = info_span!("program", step = 100).entered();
        let train = info_span!(target: "tensorboard", "train", step = 7, other = 5);
        let _train = train.enter();
        event!(target: "tensorboard", Level::INFO, loss.mean = 0.5);
        let _inner = info_span!("not.taken", step = 9).entered();
        let _batch = info_span!(target: "tensorboard::x", "batch").entered();
        info!(target: "tensorboard::net", lr = 0.25, "a.b" = 1);
        train.record("step", 8);
        info!(target: "tensorboard", loss = 0.5);
        info!(target: "tensorboard", step = 1, loss = 0.75);
    });
    let expected = [
        point("train/loss/mean", 7, 0.5),
        point("net/train/batch/a/b", 7, 1.0),
        point("net/train/batch/lr", 7, 0.25),
        point("train/batch/loss", 8, 0.5),
        point("train/batch/loss", 1, 0.75),
    ];
    assert_eq!(points, expected);
}

#[test]
fn innermost_step_counts() {
    let points = of(|| {
        let _outer = info_span!(target: "tensorboard", "epoch", step = 1).entered();
        let _inner = info_span!(target: "tensorboard", "batch", step = 2).entered();
        info!(target: "tensorboard", loss = 0.5);
    });
    assert_eq!(points, [point("epoch/batch/loss", 2, 0.5)]);
}

#[test]
fn without_a_step_nothing_is_written_and_it_is_told_once() {
    let mut points = Vec::new();
    let lines = logged::during(|| {
        points = of(|| {
            info!(target: "tensorboard", loss = 0.5);
            info!(target: "tensorboard", step = 0.5, loss = 0.5);
            info!(target: "tensorboard", step = u64::MAX, loss = 0.5);
            info!(target: "tensorboard", "no number");
            info!(target: "tensorboard", step = 1, loss = 0.25);
        });
    });
    assert_eq!(points, [point("loss", 1, 0.25)]);
    let expected = "events: \"loss\" has no field `step`, nor has a span around it; left out, like others to come";
    assert_eq!(lines, [expected]);
}

#[test]
fn step_may_have_another_name() {
    let layer = |events| TracingLayer::new(events).step_field("epoch");
    let points = written(layer, || {
        info!(target: "tensorboard", epoch = 4, step = 9);
    });
    assert_eq!(points, [point("step", 4, 9.0)]);
}

#[test]
fn values_of_one_event_stay_together() {
    let directory = TempDir::new().unwrap();
    let events = Writer::create(directory.path()).unwrap();
    let subscriber = registry().with(TracingLayer::new(events.clone()));
    subscriber::with_default(subscriber, || {
        info!(target: "tensorboard", step = 1, a = 1, b = 2, c = 0.5);
    });
    assert_eq!(events.close().unwrap().events, 1);
}

#[test]
fn two_layers_share_a_subscriber() {
    let directories = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let [first, second] = directories
        .each_ref()
        .map(|directory| Writer::create(directory.path()).unwrap());
    let subscriber = registry()
        .with(TracingLayer::new(first.clone()))
        .with(TracingLayer::new(second.clone()).step_field("epoch"));
    subscriber::with_default(subscriber, || {
        let _span = info_span!(target: "tensorboard", "s", step = 1, epoch = 2).entered();
        info!(target: "tensorboard", loss = 0.5);
    });
    first.close().unwrap();
    second.close().unwrap();
    assert_eq!(scalars(directories[0].path()), [point("s/loss", 1, 0.5)]);
    assert_eq!(scalars(directories[1].path()), [point("s/loss", 2, 0.5)]);
}

/// `tracing` by itself keeps back what is logged within a layer, but not where the subscriber is that
/// of the whole program. No other test sets that one, and none logs without one of its own.
#[test]
fn what_the_writer_logs_does_not_come_back() {
    thread_local! {
        static DEPTH: Cell<u32> = const { Cell::new(0) };
    }
    let directory = TempDir::new().unwrap();
    // The clock is asked while an event is written, and logs one of its own.
    let clock = || {
        if DEPTH.replace(DEPTH.get() + 1) == 0 {
            info!(target: "tensorboard", step = 1, echo = 1.0);
        }
        DEPTH.set(DEPTH.get() - 1);
        1.5
    };
    let builder = Writer::builder().backwards_steps(StepPolicy::Allow);
    let events = builder.clock(clock).create(directory.path()).unwrap();
    let subscriber = registry().with(TracingLayer::new(events.clone()));
    subscriber::set_global_default(subscriber).unwrap();
    info!(target: "tensorboard", step = 1, loss = 0.5);
    info!(target: "tensorboard", step = 2, loss = 0.5);
    events.close().unwrap();
    let expected = [point("loss", 1, 0.5), point("loss", 2, 0.5)];
    assert_eq!(scalars(directory.path()), expected);
}

#[test]
fn fields_of_log_records_are_no_values() {
    let points = of(|| {
        let fields = "as tracing-log names them";
        info!(target: "tensorboard", step = 1, log.line = 7, log.file = fields, loss = 0.5);
    });
    assert_eq!(points, [point("loss", 1, 0.5)]);
}
