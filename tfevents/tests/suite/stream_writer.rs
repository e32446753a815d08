//! The synchronous writer, byte by byte, on sinks that behave and on sinks that do not.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use tfevents::reader::{Content, RecordReader};
use tfevents::{StreamWriter, Summary, WriteError};

use crate::decoder::{self, Event, decode};
use crate::support::logged;

// ---- Sinks
// ----------------------------------------------------------------------------------------------------------

#[derive(Clone, Copy, Default, PartialEq)]
enum Mode {
    #[default]
    Healthy,
    /// Takes one to seven bytes at a time.
    Short,
    /// As `Short`, but every other call is interrupted.
    Interrupted,
    /// As `Short`, but every third call fails.
    Flaky,
    Fails,
    FailsToFlush,
    TakesNothing,
    Panics,
}

/// What the sink has taken, and how it is to behave; shared between the test and the writer.
#[derive(Clone, Default)]
struct Sink {
    taken: Rc<RefCell<Vec<u8>>>,
    mode: Rc<Cell<Mode>>,
    calls: Rc<Cell<usize>>,
    flushes: Rc<Cell<usize>>,
}

impl Sink {
    fn new(mode: Mode) -> Self {
        let sink = Self::default();
        sink.mode.set(mode);
        sink
    }

    /// The scalars taken so far, without the version record in front of them.
    fn scalars(&self) -> Vec<Event> {
        let mut events = decode(&self.taken.borrow());
        let version = events.remove(0);
        assert_eq!(version.file_version.as_deref(), Some("brain.Event:2"));
        events
    }

    fn taken_bytes(&self) -> usize {
        self.taken.borrow().len()
    }
}

fn sink_failure() -> io::Error {
    io::Error::new(ErrorKind::StorageFull, "the test's sink is full")
}

fn kind_of(error: WriteError) -> ErrorKind {
    io::Error::from(error).kind()
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let call = self.calls.get();
        self.calls.set(call + 1);
        let count = match self.mode.get() {
            Mode::Healthy | Mode::FailsToFlush => bytes.len(),
            Mode::Interrupted if call.is_multiple_of(2) => {
                return Err(ErrorKind::Interrupted.into());
            }
            Mode::Flaky if call % 3 == 2 => return Err(sink_failure()),
            Mode::Short | Mode::Interrupted | Mode::Flaky => bytes.len().min(1 + call % 7),
            Mode::Fails => return Err(sink_failure()),
            Mode::TakesNothing => 0,
            Mode::Panics => panic!("the test's sink panics"),
        };
        self.taken.borrow_mut().extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushes.set(self.flushes.get() + 1);
        match self.mode.get() {
            Mode::FailsToFlush => Err(sink_failure()),
            _ => Ok(()),
        }
    }
}

fn numbered(step: i64) -> Event {
    Event {
        wall_time: 1.5 + step as f64,
        step,
        tag: String::from("train/loss"),
        value_bits: Some((step as f32).to_bits()),
        ..Event::default()
    }
}

fn write_numbered<W: Write>(events: &mut StreamWriter<W>, step: i64) -> Result<(), WriteError> {
    events.scalar_at(1.5 + step as f64, "train/loss", step, step as f32)
}

/// Compares with the first failing step named, since a whole list would fill the screen.
fn assert_numbered(actual: &[Event], steps: impl IntoIterator<Item = i64>) {
    let steps: Vec<i64> = steps.into_iter().collect();
    for (event, step) in actual.iter().zip(&steps) {
        assert_eq!(*event, numbered(*step));
    }
    assert_eq!(actual.len(), steps.len());
}

// ---- The format
// -----------------------------------------------------------------------------------------------------

/// The bytes of TensorBoard 2.21.0 for the calls in `scalar_bytes_equal_those_of_tensorboard`, in
/// the same order, behind a version record of wall time 1700000000.25. Made by its `Event` and
/// `Summary` messages (`tensorboard.compat.proto`), serialised by protobuf 7.36.2, and its
/// `RecordWriter` (`tensorboard.summary.writer.record_writer`).
const GOLDEN_VERSION: [u8; 40] = [
    0x18, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xa3, 0x7f, 0x4b, 0x22, 0x09, 0x00, 0x00, 0x10,
    0x40, 0xfc, 0x54, 0xd9, 0x41, 0x1a, 0x0d, 0x62, 0x72, 0x61, 0x69, 0x6e, 0x2e, 0x45, 0x76, 0x65,
    0x6e, 0x74, 0x3a, 0x32, 0x33, 0x8d, 0x2f, 0xe9,
];
const GOLDEN_LOSS: [u8; 48] = [
    0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x29, 0xed, 0xa9, 0x50, 0x09, 0x00, 0x00, 0x10,
    0x40, 0xfc, 0x54, 0xd9, 0x41, 0x10, 0x01, 0x2a, 0x13, 0x0a, 0x11, 0x0a, 0x0a, 0x74, 0x72, 0x61,
    0x69, 0x6e, 0x2f, 0x6c, 0x6f, 0x73, 0x73, 0x15, 0x00, 0x00, 0x80, 0x3e, 0x8a, 0x1c, 0x79, 0xe8,
];
const GOLDEN_NEGATIVE: [u8; 49] = [
    0x21, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x7b, 0xec, 0xf6, 0x09, 0x00, 0x00, 0x60,
    0x40, 0xfc, 0x54, 0xd9, 0x41, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
    0x2a, 0x0b, 0x0a, 0x09, 0x0a, 0x02, 0x6c, 0x72, 0x15, 0x00, 0x00, 0x00, 0x80, 0x4a, 0xb8, 0x48,
    0x41,
];
const GOLDEN_DEFAULTS: [u8; 25] = [
    0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x37, 0xf9, 0x71, 0x39, 0x2a, 0x07, 0x0a, 0x05,
    0x15, 0x00, 0x00, 0x00, 0x00, 0x7a, 0xc0, 0x9d, 0xf7,
];
/// Of a tag of 100 times "é", whose lengths take two bytes: before the tag, and after it.
const GOLDEN_LONG_HEAD: [u8; 40] = [
    0xe8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xfd, 0xc4, 0xc2, 0xbf, 0x09, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0xf0, 0x3f, 0x10, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 0x2a, 0xd3,
    0x01, 0x0a, 0xd0, 0x01, 0x0a, 0xc8, 0x01, 0xc3,
];
const GOLDEN_LONG_TAIL: [u8; 9] = [0x15, 0x00, 0x00, 0x80, 0x7f, 0x6a, 0x3f, 0xd4, 0x22];

#[test]
fn scalar_bytes_equal_those_of_tensorboard() -> Result<(), WriteError> {
    let sink = Sink::default();
    let mut events = StreamWriter::new(sink.clone());
    let long_tag = "é".repeat(100);
    events.scalar_at(1_700_000_000.25, "train/loss", 1, 0.25)?;
    events.scalar_at(1_700_000_001.5, "lr", -1, -0.0)?;
    events.scalar_at(0.0, "", 0, 0.0)?;
    events.scalar_at(1.0, &long_tag, (1_i64 << 53) + 1, f32::INFINITY)?;
    events.close()?;

    let golden = [
        GOLDEN_LOSS.as_slice(),
        &GOLDEN_NEGATIVE,
        &GOLDEN_DEFAULTS,
        &GOLDEN_LONG_HEAD[..39],
        long_tag.as_bytes(),
        &GOLDEN_LONG_TAIL,
    ];
    assert_eq!(sink.taken.borrow()[GOLDEN_VERSION.len()..], golden.concat());
    Ok(())
}

#[test]
fn version_record_bytes_equal_those_of_tensorboard() -> Result<(), WriteError> {
    let sink = Sink::default();
    StreamWriter::new(sink.clone()).close()?;

    // All but the wall time, which is the present one.
    let bytes = sink.taken.borrow();
    let data = decoder::records(&bytes)[0];
    let golden = decoder::records(&GOLDEN_VERSION)[0];
    assert_eq!(bytes.len(), GOLDEN_VERSION.len());
    assert_eq!((data[0], &data[9..]), (golden[0], &golden[9..]));
    assert!(decode(&bytes)[0].wall_time > 1.7e9);
    Ok(())
}

#[test]
fn scalar_decodes_to_what_was_written_for_special_values() -> Result<(), WriteError> {
    let sink = Sink::default();
    let mut events = StreamWriter::new(sink.clone());
    let steps = [i64::MIN, -1, 0, 1, 127, 128, 16_383, 16_384, i64::MAX];
    let wall_times = [-0.0, 0.0, -1.5, f64::MAX, f64::MIN_POSITIVE, 1.7e9];
    let values = [0, 1 << 31, 1, 0x7f7f_ffff, 0x7f80_0000, 0xff80_0000]; // ±0, subnormal, MAX, ±inf
    let nans = [0x7fc0_0000, 0xffc0_0000, 0x7fc1_2345];
    // Around the tags at which an inner or outer length takes one byte more.
    let tag_lengths = (0..2).chain(100..140).chain(16_350..16_400);
    let mut expected = Vec::new();
    for (i, length) in tag_lengths.enumerate() {
        let event = Event {
            wall_time: wall_times[i % wall_times.len()],
            step: steps[i % steps.len()],
            tag: "t".repeat(length),
            value_bits: values.iter().chain(&nans).cycle().nth(i).copied(),
            ..Event::default()
        };
        let value = f32::from_bits(event.value_bits.unwrap());
        events.scalar_at(event.wall_time, &event.tag, event.step, value)?;
        expected.push(event);
    }
    events.close()?;
    let actual = sink.scalars();
    assert_eq!(actual, expected);
    // `==` takes −0 for 0.
    let bits =
        |events: &[Event]| -> Vec<u64> { events.iter().map(|e| e.wall_time.to_bits()).collect() };
    assert_eq!(bits(&actual), bits(&expected));
    Ok(())
}

#[test]
fn scalars_are_points_of_one_event() -> Result<(), WriteError> {
    let sink = Sink::default();
    let mut events = StreamWriter::new(sink.clone());
    events.scalars(7, &[("a", 0.5), ("b", -1.5)])?;
    events.scalars(8, &[("a", 0.5); 0])?;
    events.summary(9, &Summary::new())?;
    events.close()?;
    let bytes = sink.taken.borrow();
    let mut records = RecordReader::new(&bytes[..]);
    let mut found = Vec::new();
    while let Some(event) = records.next_event().unwrap() {
        if let Content::Summary(values) = event.content {
            let points = values.into_iter().map(|v| (v.tag, v.value.scalar()));
            found.push((event.step, points.collect::<Vec<_>>()));
        }
    }
    let points = vec![("a".to_owned(), Some(0.5)), ("b".to_owned(), Some(-1.5))];
    assert_eq!(found, [(7, points)]);
    Ok(())
}

#[test]
fn scalar_has_present_wall_time() -> Result<(), WriteError> {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let sink = Sink::default();
    let mut events = StreamWriter::new(sink.clone());
    let before = now().as_secs_f64();
    events.scalar("lr", 1, 0.1)?;
    let after = now().as_secs_f64();
    events.close()?;
    let wall_time = sink.scalars()[0].wall_time;
    assert!(before <= wall_time && wall_time <= after, "{wall_time}");
    Ok(())
}

#[test]
fn scalar_is_refused_at_non_finite_wall_time() -> Result<(), WriteError> {
    let sink = Sink::default();
    let mut events = StreamWriter::new(sink.clone());
    for wall_time in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = events.scalar_at(wall_time, "lr", 1, 0.1).unwrap_err();
        assert_eq!(kind_of(error), ErrorKind::InvalidInput);
    }
    events.close()?;
    assert_eq!(sink.scalars(), []);
    Ok(())
}

// ---- The buffer
// -----------------------------------------------------------------------------------------------------

#[test]
fn buffer_is_written_out_once_it_holds_64_kib() -> Result<(), WriteError> {
    let sink = Sink::default();
    let mut events = StreamWriter::new(sink.clone());
    let mut step = 0;
    while sink.taken_bytes() == 0 {
        write_numbered(&mut events, step)?;
        step += 1;
        assert!(step < 10_000, "nothing is written");
    }
    let written = sink.taken_bytes();
    assert!((65_536..65_536 + 64).contains(&written), "{written}");
    assert_eq!((sink.calls.get(), sink.flushes.get()), (1, 0));
    assert_numbered(&sink.scalars(), 0..step);
    Ok(())
}

#[test]
fn flush_hands_over_everything_and_flushes_the_sink() -> Result<(), WriteError> {
    let sink = Sink::default();
    let mut events = StreamWriter::new(sink.clone());
    for step in 0..3 {
        write_numbered(&mut events, step)?;
        events.flush()?;
        assert_numbered(&sink.scalars(), 0..=step);
    }
    assert_eq!(sink.flushes.get(), 3);
    Ok(())
}

#[test]
fn bytes_stay_in_order_on_short_and_interrupted_writes() -> Result<(), WriteError> {
    for mode in [Mode::Short, Mode::Interrupted] {
        let sink = Sink::new(mode);
        let mut events = StreamWriter::new(sink.clone());
        for step in 0..3000 {
            write_numbered(&mut events, step)?;
        }
        events.close()?;
        assert!(sink.calls.get() > 3000);
        assert_numbered(&sink.scalars(), 0..3000);
    }
    Ok(())
}

#[test]
fn failing_sink_that_recovers_loses_nothing_and_doubles_nothing() -> Result<(), WriteError> {
    let sink = Sink::default();
    let mut events = StreamWriter::new(sink.clone());
    let mut errors = 0;
    for step in 0..4000 {
        // From the record that crosses 64 KiB on, every call meets the failure; a third of them get
        // a few bytes through.
        let failing = if step % 3 == 0 {
            Mode::Flaky
        } else {
            Mode::Fails
        };
        sink.mode.set(failing);
        if let Err(error) = write_numbered(&mut events, step) {
            assert_eq!(kind_of(error), ErrorKind::StorageFull);
            errors += 1;
        }
        if step % 100 == 99 {
            assert!(events.flush().is_err());
        }
    }
    assert!(errors > 2000, "{errors}");
    assert!(sink.taken_bytes() > 0, "no write was torn");

    sink.mode.set(Mode::Healthy);
    events.flush()?;
    assert_numbered(&sink.scalars(), 0..4000);
    Ok(())
}

#[test]
fn flush_fails_when_sink_takes_nothing_or_fails_to_flush() -> Result<(), WriteError> {
    let cases = [
        (Mode::TakesNothing, ErrorKind::WriteZero),
        (Mode::FailsToFlush, ErrorKind::StorageFull),
    ];
    for (mode, kind) in cases {
        let sink = Sink::new(mode);
        let mut events = StreamWriter::new(sink.clone());
        write_numbered(&mut events, 0)?;
        assert_eq!(kind_of(events.flush().unwrap_err()), kind);
        sink.mode.set(Mode::Healthy);
        events.flush()?;
        assert_numbered(&sink.scalars(), 0..1);
    }
    Ok(())
}

#[test]
fn backlog_is_bounded_while_sink_fails() -> Result<(), WriteError> {
    const MIB: usize = 1024 * 1024;
    let sink = Sink::new(Mode::Fails);
    let mut events = StreamWriter::new(sink.clone());
    let mut kept = Vec::new();
    let mut refused = 0;
    for step in 0..30_000 {
        match write_numbered(&mut events, step) {
            Err(WriteError::Refused { events, source, .. }) => {
                assert_eq!(source.kind(), ErrorKind::StorageFull);
                assert!(source.to_string().contains("the test's sink is full"));
                refused += events;
            }
            _ => kept.push(step),
        }
    }
    assert!(refused > 1000, "{refused}");

    sink.mode.set(Mode::Healthy);
    write_numbered(&mut events, 30_000)?; // makes room first, and is accepted
    let backlog = sink.taken_bytes();
    assert!((MIB..MIB + 64).contains(&backlog), "{backlog}");
    events.close()?;
    kept.push(30_000);
    assert_numbered(&sink.scalars(), kept);
    Ok(())
}

// ---- The end
// --------------------------------------------------------------------------------------------------------

#[test]
fn drop_flushes() -> Result<(), WriteError> {
    let sink = Sink::default();
    let mut events = StreamWriter::new(sink.clone());
    write_numbered(&mut events, 0)?;
    drop(events);
    assert_numbered(&sink.scalars(), 0..1);
    assert_eq!(sink.flushes.get(), 1);
    Ok(())
}

#[test]
fn drop_logs_an_error_when_sink_fails() -> Result<(), WriteError> {
    let sink = Sink::new(Mode::Fails);
    let lines = logged::during(|| drop(StreamWriter::new(sink)));
    let ours = |line: &&String| line.contains("40 bytes") && line.contains("test's sink is full");
    assert_eq!(lines.iter().filter(ours).count(), 1, "{lines:?}");
    Ok(())
}

#[test]
fn drop_leaves_a_panicked_sink_alone() -> Result<(), WriteError> {
    let sink = Sink::new(Mode::Panics);
    let mut events = StreamWriter::new(sink.clone());
    // A second panic while unwinding would abort the whole test binary.
    let flush = std::panic::AssertUnwindSafe(move || events.flush());
    assert!(std::panic::catch_unwind(flush).is_err());
    assert_eq!(sink.calls.get(), 1);
    Ok(())
}

#[test]
fn close_returns_the_error_and_tries_once() -> Result<(), WriteError> {
    let sink = Sink::new(Mode::Fails);
    let error = StreamWriter::new(sink.clone()).close().unwrap_err();
    assert_eq!(kind_of(error), ErrorKind::StorageFull);
    assert_eq!(sink.calls.get(), 1);
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn full_device_is_reported_by_flush_and_close() -> io::Result<()> {
    let full = fs::OpenOptions::new().write(true).open("/dev/full")?;
    let mut events = StreamWriter::new(full);
    write_numbered(&mut events, 0)?;
    assert_eq!(kind_of(events.flush().unwrap_err()), ErrorKind::StorageFull);
    assert_eq!(kind_of(events.close().unwrap_err()), ErrorKind::StorageFull);
    Ok(())
}
