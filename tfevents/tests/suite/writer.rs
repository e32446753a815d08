//! The writer with a thread: many callers, and sinks that are slow, fail or panic.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

use tfevents::{StepPolicy, Summary, WriteError, Writer, WriterBuilder};

use crate::decoder::{Event, decode, records};
use crate::support::event_files;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// So long that only what is asked for is written.
const NEVER: Duration = Duration::MAX;

// ---- A sink
// ---------------------------------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Mode {
    #[default]
    Healthy,
    /// Takes one to seven bytes at a time, and every other call is interrupted.
    Short,
    /// Takes a byte, then fails.
    Fails,
    /// Takes nothing until told otherwise, as a disk that hangs.
    Hangs,
    Panics,
}

#[derive(Default)]
struct Inside {
    taken: Vec<u8>,
    mode: Mode,
    writes: usize,
    largest: usize,
}

#[derive(Clone, Default)]
struct Sink(Arc<(Mutex<Inside>, Condvar)>);

impl Sink {
    fn set(&self, mode: Mode) {
        self.0.0.lock().unwrap().mode = mode;
        self.0.1.notify_all();
    }

    fn inside<T>(&self, look: impl FnOnce(&Inside) -> T) -> T {
        look(&self.0.0.lock().unwrap())
    }

    /// The scalars taken so far.
    fn scalars(&self) -> Vec<Event> {
        let mut events = self.inside(|inside| decode(&inside.taken));
        if !events.is_empty() {
            assert!(events.remove(0).file_version.is_some());
        }
        events
    }

    fn steps(&self) -> Vec<i64> {
        self.scalars().iter().map(|event| event.step).collect()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inside = self.0.0.lock().unwrap();
        inside.writes += 1;
        while inside.mode == Mode::Hangs {
            let (woken, timeout) = self.0.1.wait_timeout(inside, PATIENCE).unwrap();
            assert!(!timeout.timed_out(), "nobody mended the sink");
            inside = woken;
        }
        let count = match inside.mode {
            Mode::Healthy | Mode::Hangs => bytes.len(),
            Mode::Short if inside.writes.is_multiple_of(2) => {
                return Err(ErrorKind::Interrupted.into());
            }
            Mode::Short => bytes.len().min(1 + inside.writes % 7),
            Mode::Fails if inside.writes.is_multiple_of(2) => 1,
            Mode::Fails => return Err(io::Error::new(ErrorKind::StorageFull, "the test's disk")),
            Mode::Panics => {
                drop(inside);
                panic!("the test's sink panics");
            }
        };
        inside.largest = inside.largest.max(bytes.len());
        inside.taken.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that writes only when asked to, and the errors it reports.
fn writer(sink: &Sink) -> (Writer, Arc<Mutex<Vec<WriteError>>>) {
    with(Writer::builder().flush_every(NEVER), sink)
}

fn with(builder: WriterBuilder, sink: &Sink) -> (Writer, Arc<Mutex<Vec<WriteError>>>) {
    let errors = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&errors);
    let writer = builder
        .on_error(move |error| told.lock().unwrap().push(error.clone()))
        .write_to(sink.clone())
        .unwrap();
    (writer, errors)
}

/// Waits for something that another thread does.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

// ---- What goes well
// -------------------------------------------------------------------------------------------------

#[test]
fn flush_hands_over_what_came_before_it() {
    let sink = Sink::default();
    let (events, errors) = writer(&sink);
    for step in 0..3 {
        events.scalar("loss", step, step as f32);
        events.flush().unwrap();
        assert_eq!(sink.steps(), Vec::from_iter(0..=step));
    }
    events.close().unwrap();
    assert_eq!(sink.steps(), [0, 1, 2]);
    assert!(errors.lock().unwrap().is_empty());
}

#[test]
fn events_are_written_after_the_period_and_not_before() {
    let sink = Sink::default();
    let period = Duration::from_millis(300);
    let begin = Instant::now();
    let (events, _) = with(Writer::builder().flush_every(period), &sink);
    events.scalar("loss", 1, 0.5);
    until("the period has passed", || sink.steps() == [1]);
    assert!(begin.elapsed() >= period);
    // And again, after a rest.
    events.scalar("loss", 2, 0.5);
    until("the next period has passed", || sink.steps() == [1, 2]);
}

#[test]
fn rest_of_a_burst_is_written_after_the_period() {
    const BURST: i64 = 2000; // more than 64 KiB
    let sink = Sink::default();
    let (events, _) = with(
        Writer::builder().flush_every(Duration::from_millis(50)),
        &sink,
    );
    for round in 1..=3 {
        (0..BURST).for_each(|_| events.scalar("loss", round, 0.5));
        until("all of it is written", || {
            sink.steps().len() as i64 == round * BURST
        });
    }
}

#[test]
fn writes_are_few_and_bounded() {
    const SCALARS: usize = 500_000;
    let sink = Sink::default();
    let (events, _) = with(Writer::builder(), &sink);
    for i in 0..SCALARS {
        events.scalar("loss/of_15_bytes", i as i64, 0.5);
    }
    events.close().unwrap();
    assert_eq!(sink.steps().len(), SCALARS);
    let (writes, largest) = sink.inside(|inside| (inside.writes, inside.largest));
    assert!(writes as f64 <= 0.002 * SCALARS as f64, "{writes}");
    assert!(largest <= (1 << 20) + 64, "{largest}");
}

#[test]
fn bytes_stay_in_order_on_short_and_interrupted_writes() {
    let sink = Sink::default();
    sink.set(Mode::Short);
    let (events, errors) = with(Writer::builder().flush_every(Duration::ZERO), &sink);
    for step in 0..20_000 {
        events.scalar("loss", step, 0.5);
    }
    events.close().unwrap();
    assert_eq!(sink.steps(), Vec::from_iter(0..20_000));
    assert!(errors.lock().unwrap().is_empty());
}

#[test]
fn threads_lose_nothing_and_keep_their_order_while_the_disk_is_slow() {
    const THREADS: usize = 8;
    const EACH: i64 = 100_000;
    /// Hands on to a sink, slowly.
    struct Slow(Sink);
    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            std::thread::sleep(Duration::from_millis(20));
            self.0.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let sink = Sink::default();
    let events = Writer::builder().write_to(Slow(sink.clone())).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let events = events.clone();
            let tag = format!("thread{thread}");
            scope.spawn(move || (0..EACH).for_each(|step| events.scalar(&tag, step, 0.5)));
        }
    });
    events.close().unwrap();

    // No call was offered more than the buffer holds, so no more than that was ever waiting.
    let largest = sink.inside(|inside| inside.largest);
    assert!(largest < (1 << 20) + 64, "{largest}");
    let mut next = [0; THREADS];
    for event in sink.scalars() {
        let thread: usize = event.tag.strip_prefix("thread").unwrap().parse().unwrap();
        assert_eq!(event.step, next[thread], "{}", event.tag);
        next[thread] += 1;
    }
    assert_eq!(next, [EACH; THREADS]);
}

#[test]
fn callers_wait_for_a_disk_that_hangs_and_go_on_when_it_is_back() {
    let sink = Sink::default();
    sink.set(Mode::Hangs);
    let (events, errors) = writer(&sink);
    let handed_in = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for step in 0..100_000 {
                events.scalar("loss", step, 0.5);
                handed_in.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut before = 0;
        until("the caller stands still", || {
            std::thread::sleep(Duration::from_millis(100));
            let now = handed_in.load(Ordering::Relaxed);
            std::mem::replace(&mut before, now) == now && now > 10_000
        });
        // Two buffers of 1 MiB hold this many records of 40 bytes or more.
        assert!(before < 2 * (1 << 20) / 40, "{before}");
        sink.set(Mode::Healthy);
    });
    events.close().unwrap();
    assert_eq!(sink.steps(), Vec::from_iter(0..100_000));
    assert!(errors.lock().unwrap().is_empty());
}

// ---- What goes wrong
// ------------------------------------------------------------------------------------------------

#[test]
fn failing_sink_is_reported_once_and_loses_nothing_when_it_recovers() {
    let sink = Sink::default();
    let (events, errors) = writer(&sink);
    sink.set(Mode::Fails);
    for step in 0..1000 {
        events.scalar("loss", step, 0.5);
        if step % 100 == 99 {
            let error = events.flush().unwrap_err();
            assert!(
                matches!(&error, WriteError::Sink { source, .. } if source.kind() == ErrorKind::StorageFull),
                "{error}"
            );
        }
    }
    assert!(sink.inside(|inside| inside.taken.len() > 5), "nothing torn");
    sink.set(Mode::Healthy);
    events.flush().unwrap();
    assert_eq!(sink.steps(), Vec::from_iter(0..1000));

    // Another episode is another report.
    sink.set(Mode::Fails);
    events.scalar("loss", 1000, 0.5);
    events.flush().unwrap_err();
    sink.set(Mode::Healthy);
    events.close().unwrap();
    assert_eq!(sink.steps(), Vec::from_iter(0..=1000));
    let errors = errors.lock().unwrap();
    assert_eq!(errors.len(), 2, "{errors:?}");
}

/// What is left of an earlier attempt, and what has come since.
#[test]
fn all_bytes_that_wait_for_a_failing_sink_are_counted() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let events = Writer::builder().write_to(Full).unwrap();
    let waiting = || match events.flush() {
        Err(WriteError::Sink { waiting_bytes, .. }) => waiting_bytes,
        other => panic!("{other:?}"),
    };
    // The version record; then records of 42 bytes.
    assert_eq!(waiting(), 40);
    for records in 1..4 {
        events.scalar("loss", 1, 0.5);
        assert_eq!(waiting(), 40 + 42 * records);
    }
}

#[test]
fn failing_sink_is_tried_again_by_itself() {
    let sink = Sink::default();
    sink.set(Mode::Fails);
    let period = Duration::from_millis(1);
    let begin = Instant::now();
    let (events, errors) = with(Writer::builder().flush_every(period), &sink);
    events.scalar("loss", 0, 0.5);
    until("an error", || !errors.lock().unwrap().is_empty());
    // More than 64 KiB, which otherwise would be written at once.
    (1..=2000).for_each(|step| events.scalar("loss", step, 0.5));
    // Not as often as it can, which would heat the machine, but ten times a second; an attempt is
    // two writes.
    std::thread::sleep(Duration::from_millis(500));
    let writes = sink.inside(|inside| inside.writes);
    let attempts = begin.elapsed().as_millis() as usize / 100 + 2;
    assert!((2..=2 * attempts).contains(&writes), "{writes}");
    sink.set(Mode::Healthy);
    until("written without being asked to", || {
        sink.inside(|inside| records_in(&inside.taken) == Some(2002))
    });
    drop(events);
    assert_eq!(errors.lock().unwrap().len(), 1);
}

/// `None` for a torn tail.
fn records_in(bytes: &[u8]) -> Option<usize> {
    std::panic::catch_unwind(|| records(bytes).len()).ok()
}

#[test]
fn full_backlog_of_a_failing_sink_refuses_events_and_says_how_many() {
    let sink = Sink::default();
    sink.set(Mode::Fails);
    let (events, errors) = writer(&sink);
    events.flush().unwrap_err();
    // Nobody waits: this ends although nothing is ever written.
    for step in 0..200_000 {
        events.scalar("loss", step, 0.5);
    }
    let refused = match events.flush().unwrap_err() {
        WriteError::Refused { events, source, .. } => {
            assert_eq!(source.kind(), ErrorKind::StorageFull);
            events
        }
        other => panic!("{other}"),
    };
    assert!(refused > 100_000, "{refused}");
    // Said once; what waits still waits.
    assert!(matches!(events.flush(), Err(WriteError::Sink { .. })));
    // What comes on top is told by itself.
    events.scalar("loss", 200_000, 0.5);
    events.scalar("loss", 200_001, 0.5);
    assert!(matches!(
        events.flush(),
        Err(WriteError::Refused { events: 2, .. })
    ));

    sink.set(Mode::Healthy);
    events.flush().unwrap();
    events.scalar("loss", 200_002, 0.5);
    match events.close().unwrap_err() {
        WriteError::Refused { events, .. } => assert_eq!(events, refused + 2),
        other => panic!("{other}"),
    }
    // The first ones were kept, and what came when there was room again.
    let kept = 200_000 - refused as i64;
    let expected: Vec<i64> = (0..kept).chain([200_002]).collect();
    assert_eq!(sink.steps(), expected);
    let errors = errors.lock().unwrap();
    assert!(
        matches!(&errors[..], [WriteError::Sink { .. }, WriteError::Refused { events, .. }] if *events == refused + 2),
        "{errors:?}"
    );
}

#[test]
fn panicking_sink_hangs_nobody() {
    let sink = Sink::default();
    sink.set(Mode::Panics);
    let (events, errors) = writer(&sink);
    events.scalar("loss", 0, 0.5);
    assert!(matches!(events.flush(), Err(WriteError::Panicked { .. })));
    for step in 0..100_000 {
        events.scalar("loss", step, 0.5);
    }
    assert!(matches!(events.flush(), Err(WriteError::Panicked { .. })));
    assert!(matches!(events.close(), Err(WriteError::Panicked { .. })));
    let errors = errors.lock().unwrap();
    assert!(
        matches!(&errors[..], [WriteError::Panicked { .. }]),
        "{errors:?}"
    );
}

#[test]
fn sink_that_panics_at_the_end_is_reported_by_close() {
    let sink = Sink::default();
    let (events, _) = writer(&sink);
    events.flush().unwrap();
    sink.set(Mode::Panics);
    events.scalar("loss", 0, 0.5);
    assert!(matches!(events.close(), Err(WriteError::Panicked { .. })));
}

#[test]
fn error_callback_may_log_but_not_wait() {
    let sink = Sink::default();
    let (send, receive) = mpsc::channel();
    let writer: Arc<Mutex<Option<Writer>>> = Arc::default();
    let inside = Arc::clone(&writer);
    let events = Writer::builder()
        .flush_every(NEVER)
        .on_error(move |_| {
            let Some(events) = inside.lock().unwrap().clone() else {
                return;
            };
            for step in 0..100_000 {
                events.scalar("errors", step, 1.0);
            }
            let answers = [events.flush(), events.sync(), events.close().map(drop)];
            send.send(answers).unwrap();
        })
        .write_to(sink.clone())
        .unwrap();
    *writer.lock().unwrap() = Some(events.clone());
    // The callback is called while the sink fails, and again, for what was refused, when it works.
    // Nobody would make room.
    for mode in [Mode::Fails, Mode::Healthy] {
        sink.set(mode);
        events.flush().unwrap_err();
        for answer in receive.recv_timeout(PATIENCE).unwrap() {
            assert!(
                matches!(answer, Err(WriteError::InCallback { .. })),
                "{answer:?}"
            );
        }
    }
    // It is gone, or the writer would keep itself alive.
    let inner = writer.lock().unwrap().take();
    drop(inner);
    assert!(matches!(events.close(), Err(WriteError::Refused { .. })));
    assert!(sink.steps().len() > 10_000);
}

#[test]
fn closed_writer_keeps_nothing_and_says_so_once() {
    let sink = Sink::default();
    let (events, errors) = writer(&sink);
    let clone = events.clone();
    events.scalar("loss", 0, 0.5);
    events.close().unwrap();
    for step in 1..10 {
        clone.scalar("loss", step, 0.5);
    }
    assert!(matches!(clone.flush(), Err(WriteError::Closed { .. })));
    assert!(matches!(clone.sync(), Err(WriteError::Closed { .. })));
    assert!(matches!(clone.close(), Err(WriteError::Closed { .. })));
    assert_eq!(sink.steps(), [0]);
    let errors = errors.lock().unwrap();
    assert!(
        matches!(&errors[..], [WriteError::Closed { .. }]),
        "{errors:?}"
    );
}

#[test]
fn last_clone_closes_on_drop() {
    let sink = Sink::default();
    let (events, _) = writer(&sink);
    let clone = events.clone();
    events.scalar("loss", 0, 0.5);
    drop(events);
    assert!(sink.inside(|inside| inside.taken.is_empty()));
    clone.scalar("loss", 1, 0.5);
    drop(clone);
    assert_eq!(sink.steps(), [0, 1]);
}

#[cfg(target_os = "linux")]
#[test]
fn full_device_is_reported_by_flush_and_close() -> io::Result<()> {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full")?;
    let events = Writer::builder().write_to(full)?;
    events.scalar("loss", 0, 0.5);
    for result in [events.flush(), events.sync(), events.close().map(drop)] {
        let error = io::Error::from(result.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }
    Ok(())
}

// ---- Settings
// -------------------------------------------------------------------------------------------------------

#[test]
fn steps_that_go_backwards_are_written_or_left_out_as_asked() {
    let cases = [
        (StepPolicy::Warn, vec![5, 3, 4, 5, 5]),
        (StepPolicy::Allow, vec![5, 3, 4, 5, 5]),
        (StepPolicy::Drop, vec![5, 5, 5]),
    ];
    for (policy, expected) in cases {
        let sink = Sink::default();
        let (events, _) = with(Writer::builder().backwards_steps(policy), &sink);
        for step in [5, 3, 4, 5, 5] {
            events.scalar("loss", step, 0.5);
            // Each tag counts for itself.
            events.scalar("other", -step, 0.5);
        }
        events.close().unwrap();
        let mut scalars = sink.scalars();
        scalars.retain(|event| event.tag == "loss");
        let steps: Vec<i64> = scalars.iter().map(|event| event.step).collect();
        assert_eq!(steps, expected, "{policy:?}");
    }
}

#[test]
fn dropping_leaves_the_other_values_of_an_event() {
    let sink = Sink::default();
    let (events, _) = with(Writer::builder().backwards_steps(StepPolicy::Drop), &sink);
    events.scalar("a", 5, 0.5);
    events.scalars(4, &[("a", 1.0), ("b", 2.0)]);
    events.summary(4, &Summary::new().scalar("c", 3.0).scalar("a", 1.0));
    events.scalars(3, &[("a", 1.0), ("b", 2.0)]);
    events.summary(3, &Summary::new().scalar("a", 1.0));
    events.scalars(3, &[("", 0.0); 0]);
    events.summary(3, &Summary::new());
    events.close().unwrap();
    let scalars = sink.scalars();
    let kept: Vec<_> = scalars
        .iter()
        .map(|event| (&event.tag[..], event.step, event.value_bits))
        .collect();
    let bits = |value: f32| Some(value.to_bits());
    assert_eq!(
        kept,
        [
            ("a", 5, bits(0.5)),
            ("b", 4, bits(2.0)),
            ("c", 4, bits(3.0))
        ]
    );
}

#[test]
fn wall_times_come_from_the_clock_and_are_finite() {
    let times = Mutex::new([1.5, f64::NAN, f64::INFINITY, -2.5].into_iter());
    let clock = move || times.lock().unwrap().next().unwrap_or(9.0);
    let sink = Sink::default();
    let (events, _) = with(Writer::builder().clock(clock), &sink);
    for step in 0..4 {
        events.scalar("loss", step, 0.5);
    }
    let point = Summary::new().scalar("loss", 0.5);
    events.summary_at(0.25, 4, &point).unwrap();
    for seconds in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = events.summary_at(seconds, 5, &point).unwrap_err();
        assert!(matches!(error, WriteError::WallTime { .. }), "{error}");
    }
    events.close().unwrap();
    let times: Vec<f64> = sink.scalars().iter().map(|event| event.wall_time).collect();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap().as_secs_f64();
    // The first time is that of the file's version.
    let [a, b, c, d, e] = times[..] else {
        panic!("{times:?}");
    };
    assert!(
        (now - 60.0..=now).contains(&a) && (now - 60.0..=now).contains(&b),
        "{times:?}"
    );
    assert_eq!([c, d, e], [-2.5, 9.0, 0.25]);
}

#[test]
fn values_are_kept_whatever_they_are() {
    let values = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        -0.0,
        f32::from_bits(1),
    ];
    let sink = Sink::default();
    let (events, _) = writer(&sink);
    let named: Vec<(&str, f32)> = ["a", "b", "c", "d", "e"].into_iter().zip(values).collect();
    for (tag, value) in &named {
        events.scalar(tag, i64::MIN, *value);
    }
    events.scalars(i64::MAX, &named);
    events.close().unwrap();
    let mut bytes = sink.inside(|inside| records(&inside.taken).len());
    assert_eq!(bytes, 1 + values.len() + 1);
    bytes = sink.inside(|inside| {
        let last = records(&inside.taken).pop().unwrap();
        let has = |value: &f32| last.windows(4).any(|it| it == value.to_le_bytes());
        values.iter().filter(|value| has(value)).count()
    });
    assert_eq!(bytes, values.len());
}

#[test]
fn group_writes_a_run_for_each_curve() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let run = directory.path().join("run");
    let events = Writer::create(&run)?;
    for step in 0..3 {
        let values = [("train", step as f32), ("../test", -(step as f32))];
        events.scalar_group("loss/all", step, &values);
    }
    events.scalar("own", 0, 1.0);
    events.flush()?;
    for (name, sign) in [("loss_all_train", 1.0), ("loss_all_.._test", -1.0)] {
        let files = event_files(&run.join(name));
        assert_eq!(files.len(), 1);
        let points: Vec<_> = decode(&std::fs::read(&files[0])?)
            .into_iter()
            .skip(1)
            .map(|event| (event.tag, event.step, event.value_bits))
            .collect();
        let expected: Vec<_> = (0..3_i64)
            .map(|step| {
                (
                    String::from("loss/all"),
                    step,
                    Some((sign * step as f32).to_bits()),
                )
            })
            .collect();
        assert_eq!(points, expected);
    }
    assert_eq!(decode(&std::fs::read(&event_files(&run)[0])?).len(), 2);
    events.close()?;
    // The curves are closed too: their directories are free.
    Writer::create(run.join("loss_all_train"))?;

    let sink = Sink::default();
    let (events, _) = writer(&sink);
    events.scalar_group("loss", 7, &[("train", 1.0)]);
    events.close()?;
    assert_eq!(sink.scalars()[0].tag, "loss/train");
    Ok(())
}

#[test]
fn group_that_cannot_be_opened_is_reported_once() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let errors = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&errors);
    let events = Writer::builder()
        .on_error(move |error| told.lock().unwrap().push(error.to_string()))
        .create(directory.path())?;
    std::fs::write(directory.path().join("loss_train"), "in the way")?;
    for step in 0..3 {
        events.scalar_group("loss", step, &[("train", 1.0), ("test", 2.0)]);
    }
    events.close()?;
    let errors = errors.lock().unwrap();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("loss_train"), "{errors:?}");
    assert_eq!(event_files(&directory.path().join("loss_test")).len(), 1);
    Ok(())
}
