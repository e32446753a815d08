//! What errors say, and what is behind them.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tfevents::reader::{DamageKind, Malformed, ReadError, RecordError, RecordReader};
use tfevents::{
    CreateError, FileFate, HistogramError, ImageError, Place, PrCurveError, WriteError,
};

fn full() -> io::Error {
    io::Error::other("full")
}

/// Each with what it says; those in the second list have `full` as their source.
fn check(alone: &[(&dyn Error, &str)], with_source: &[(&dyn Error, &str)]) {
    for (error, message) in alone {
        assert_eq!(error.to_string(), *message);
        assert!(error.source().is_none(), "{message}");
    }
    for (error, message) in with_source {
        assert_eq!(error.to_string(), *message);
        assert_eq!(error.source().unwrap().to_string(), "full", "{message}");
    }
}

#[test]
fn errors_of_creating_say_what_and_why() {
    let directory = || PathBuf::from("runs");
    let in_use = CreateError::InUse {
        directory: directory(),
    };
    let no_name = CreateError::NoNameAfter {
        directory: directory(),
        last: "z.tfevents".into(),
    };
    let taken = CreateError::NamesTaken {
        directory: directory(),
        attempts: 3,
    };
    let suffix = CreateError::Suffix {
        suffix: "\n".into(),
    };
    let file = CreateError::File {
        path: directory(),
        source: full(),
    };
    let thread = CreateError::Thread { source: full() };
    check(
        &[
            (&in_use, "runs: another writer is writing to this directory"),
            (
                &no_name,
                "runs: no name of an event file sorts after \"z.tfevents\", so TensorBoard might never read a new one; choose another directory",
            ),
            (&taken, "runs: 3 names for a new event file were taken"),
            (
                &suffix,
                "the suffix \"\\n\" has characters other than ASCII letters, digits, '.', '_' and '-'",
            ),
        ],
        &[
            (&file, "runs: full"),
            (&thread, "no thread for the event writer: full"),
        ],
    );
}

#[test]
fn errors_of_writing_say_where_and_why() {
    let place = Place::default;
    let source = || Arc::new(full());
    let sink = WriteError::Sink {
        place: place(),
        waiting_bytes: 7,
        source: source(),
    };
    let sync = WriteError::Sync {
        place: place(),
        source: source(),
    };
    let refused = WriteError::Refused {
        place: place(),
        events: 7,
        source: source(),
    };
    let wall_time = WriteError::WallTime {
        seconds: f64::INFINITY,
    };
    let closed = WriteError::Closed { place: place() };
    let panicked = WriteError::Panicked { place: place() };
    let in_callback = WriteError::InCallback { place: place() };
    // What it says, and what is behind it, is that of its source.
    let group = |source| WriteError::Group {
        source: Arc::new(source),
    };
    let in_use = group(CreateError::InUse {
        directory: "runs".into(),
    });
    let no_thread = group(CreateError::Thread { source: full() });
    let gone = |fate| WriteError::Gone {
        place: place(),
        fate,
    };
    let [removed, moved, replaced] =
        [FileFate::Removed, FileFate::Moved, FileFate::Replaced].map(gone);
    let source = Arc::new(CreateError::File {
        path: "runs".into(),
        source: full(),
    });
    let restore = WriteError::Restore { source };
    let kind = io::Error::from(in_use.clone()).kind();
    assert_eq!(kind, io::ErrorKind::ResourceBusy);
    check(
        &[
            (
                &wall_time,
                "the wall time of an event has to be finite, not inf",
            ),
            (&closed, "events: the writer is closed"),
            (&panicked, "events: the writer's thread has panicked"),
            (
                &in_callback,
                "events: the error callback cannot wait for its own thread",
            ),
            (&in_use, "runs: another writer is writing to this directory"),
            (&removed, "events: the event file was removed"),
            (
                &moved,
                "events: the event file, or its directory, was moved away",
            ),
            (
                &replaced,
                "events: another file stands in the place of the event file",
            ),
        ],
        &[
            (&restore, "runs: full"),
            (&sink, "events: 7 bytes wait for a sink that fails: full"),
            (&sync, "events: not on the device: full"),
            (
                &refused,
                "events: 7 events were refused while the sink failed: full",
            ),
            (&no_thread, "no thread for the event writer: full"),
        ],
    );
}

#[test]
fn errors_of_values_say_what_is_wrong() {
    let buckets = HistogramError::Buckets { counts: 3 };
    let (statistic, value) = ("min", f64::INFINITY);
    let not_finite = HistogramError::NotFinite { statistic, value };
    let order = HistogramError::Order { min: 2.0, max: 1.5 };
    let (width, height) = (0, 3);
    let size = ImageError::Size { width, height };
    let (expected, actual) = (6, 5);
    let pixels = ImageError::Pixels { expected, actual };
    let channels = ImageError::Channels { channels: 5 };
    let not_a_number = ImageError::NotANumber {
        row: 1,
        column: 2,
        channel: 3,
    };
    let (labels, predictions) = (1, 2);
    let lengths = PrCurveError::Lengths {
        labels,
        predictions,
    };
    let thresholds = PrCurveError::Thresholds { thresholds: 1 };
    let (index, value) = (4, 1.5);
    let prediction = PrCurveError::Prediction { index, value };
    let most = tfevents::PrCurve::MAX_THRESHOLDS;
    let allowed = format!("1 thresholds where 2 to {most} are allowed");
    let source = full().into();
    let decode = ImageError::Decode { source };
    let source = full().into();
    let encode = ImageError::Encode { source };
    check(
        &[
            (&buckets, "3 counts where a histogram has 1548 buckets"),
            (&not_finite, "`min` is inf"),
            (&order, "the minimum 2 is above the maximum 1.5"),
            (
                &size,
                "an image of 0 × 3 pixels; both have to be in 1..=2147483647",
            ),
            (
                &pixels,
                "5 bytes of pixels where the size of the image asks for 6",
            ),
            (&channels, "an array of 5 channels; images have 1 to 4"),
            (&not_a_number, "row 1, column 2, channel 3 is NaN"),
            (&lengths, "1 labels for 2 predictions"),
            (&thresholds, &allowed),
            (&prediction, "prediction 4 is 1.5, not in 0..=1"),
        ],
        &[
            (&decode, "not a PNG file: full"),
            (&encode, "the image cannot be encoded: full"),
        ],
    );
}

#[test]
fn errors_of_reading_say_where_and_why() {
    let path = || PathBuf::from("file");
    // Twelve bytes of zeros are a length whose checksum is another one.
    let error = RecordReader::new(&[0; 12][..]).next_event().unwrap_err();
    let RecordError::Damaged(damage) = error else {
        panic!("{error:?}");
    };
    let length = "the length of a record is damaged, so that nothing behind it can be read";
    let at = format!("byte 0: {length}");
    let in_file = format!("file, {at}");
    let damaged = RecordError::from(damage);
    let path_damaged = ReadError::Damaged {
        path: path(),
        damage,
    };
    let data = DamageKind::Data { length: 3 };
    let torn = DamageKind::Torn { bytes: 5 };
    let field_number = Malformed::FieldNumber { number: 0 };
    let wire_type = Malformed::WireType { wire_type: 6 };
    let (offset, source) = (9, full());
    let record = RecordError::Io { offset, source };
    let list = ReadError::List {
        directory: path(),
        source: full(),
    };
    let open = ReadError::Open {
        path: path(),
        source: full(),
    };
    let read = ReadError::Io {
        path: path(),
        offset: 9,
        source: full(),
    };
    check(
        &[
            (&damage, &at),
            (&damaged, &at),
            (&path_damaged, &in_file),
            (&DamageKind::Length, length),
            (&data, "the data of a record (3 bytes) are damaged"),
            (
                &torn,
                "the file ends within a record, of which 5 bytes are there",
            ),
            (&Malformed::Truncated, "it ends within a field"),
            (&Malformed::Varint, "an integer is too long"),
            (&field_number, "0 is no number of a field"),
            (&wire_type, "6 is no type of a field"),
            (&Malformed::Utf8, "a text is not UTF-8"),
        ],
        &[
            (&record, "cannot read on at byte 9"),
            (&list, "cannot list file"),
            (&open, "cannot open file"),
            (&read, "cannot read file on at byte 9"),
        ],
    );
    let message = DamageKind::from(Malformed::Utf8);
    let said = message.to_string();
    assert_eq!(said, "a record is no event: a text is not UTF-8");
    let behind = message.source().unwrap().to_string();
    assert_eq!(behind, "a text is not UTF-8");
}
