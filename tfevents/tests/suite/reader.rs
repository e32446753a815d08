//! Reading event files back: whole, cut, damaged, growing. The records are framed here, without the
//! crate.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write as _};
use std::path::Path;

use tfevents::reader::{
    Content, DamageKind, Event, Malformed, ReadError, Reader, RecordError, RecordReader, Session,
    Tail, TensorData, Value, runs,
};

use crate::decoder;

/// A record around `data`.
pub(crate) fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let parts: [&[u8]; 4] = [
        &length,
        &decoder::masked_crc(&length),
        data,
        &decoder::masked_crc(data),
    ];
    parts.concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A length-delimited field.
pub(crate) fn delimited(number: u64, content: &[u8]) -> Vec<u8> {
    [
        varint(number << 3 | 2),
        varint(content.len() as u64),
        content.to_vec(),
    ]
    .concat()
}

pub(crate) fn event(wall_time: f64, step: i64, rest: &[u8]) -> Vec<u8> {
    let mut data = vec![0x09];
    data.extend_from_slice(&wall_time.to_le_bytes());
    data.push(0x10);
    data.extend(varint(step as u64));
    data.extend_from_slice(rest);
    data
}

/// An event with one value, given the fields of the value behind its tag.
pub(crate) fn summary(wall_time: f64, step: i64, tag: &str, value: &[u8]) -> Vec<u8> {
    let value = [delimited(1, tag.as_bytes()), value.to_vec()].concat();
    event(wall_time, step, &delimited(5, &delimited(1, &value)))
}

pub(crate) fn scalar(step: i64, value: f32) -> Vec<u8> {
    let field = [&[0x15], value.to_le_bytes().as_slice()].concat();
    frame(&summary(1.5 + step as f64, step, "loss", &field))
}

pub(crate) fn version() -> Vec<u8> {
    frame(&event(1.0, 0, &delimited(3, b"brain.Event:2")))
}

/// A version and the scalars of steps `from..to`, with the value 1/8 of the step, and where each
/// record ends.
fn file_of(steps: std::ops::Range<i64>) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = version();
    let mut ends = vec![bytes.len()];
    for step in steps {
        bytes.extend(scalar(step, step as f32 / 8.0));
        ends.push(bytes.len());
    }
    (bytes, ends)
}

/// Steps of all points and all damage, until nothing more comes.
fn steps_of<R: Read>(records: &mut RecordReader<R>) -> (Vec<i64>, Vec<(u64, DamageKind)>) {
    let (mut steps, mut damages) = (Vec::new(), Vec::new());
    loop {
        match records.next_event() {
            Ok(None) => return (steps, damages),
            Ok(Some(event)) => steps.extend(checked_step(&event)),
            Err(RecordError::Damaged(damage)) => damages.push((damage.offset, damage.kind)),
            Err(error) => panic!("{error}"),
        }
    }
}

/// The step of an event that [`file_of`] makes; everything else in it has to be as it was made.
fn checked_step(event: &Event) -> Option<i64> {
    match &event.content {
        Content::FileVersion(version) => {
            assert_eq!((version.as_str(), event.wall_time), ("brain.Event:2", 1.0));
            None
        }
        Content::Summary(values) => {
            assert_eq!(values.len(), 1);
            assert_eq!(values[0].tag, "loss");
            assert_eq!(values[0].value, Value::Scalar(event.step as f32 / 8.0));
            assert_eq!(event.wall_time, 1.5 + event.step as f64);
            Some(event.step)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn reader_yields_exactly_the_complete_records_of_a_file_cut_anywhere() {
    let (bytes, ends) = file_of(-1..4);
    for cut in 0..=bytes.len() {
        let mut records = RecordReader::new(&bytes[..cut]);
        let (steps, damages) = steps_of(&mut records);
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let expected: Vec<i64> = (-1..4).take(whole.saturating_sub(1)).collect();
        assert_eq!((steps, damages), (expected, vec![]), "cut at {cut}");
        let end = if whole == 0 { 0 } else { ends[whole - 1] };
        let tail = records.tail().map(
            |Tail {
                 offset, torn_bytes, ..
             }| (offset, torn_bytes),
        );
        let torn = (cut > end).then_some((end as u64, (cut - end) as u64));
        assert_eq!(tail, torn, "cut at {cut}");
        assert_eq!(records.offset(), end as u64);
    }
}

#[test]
fn reader_reports_each_flipped_bit_and_yields_no_wrong_point() {
    let (bytes, ends) = file_of(0..5);
    for bit in 0..8 * bytes.len() {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let (steps, damages) = steps_of(&mut RecordReader::new(damaged.as_slice()));
        let record = ends.iter().filter(|end| **end <= bit / 8).count();
        let begin = if record == 0 { 0 } else { ends[record - 1] };
        let length = (ends[record] - begin - 16) as u64;
        // Record 0 is the version, record i > 0 has the step i − 1.
        let (kind, expected): (_, Vec<i64>) = if bit / 8 < begin + 12 {
            (
                DamageKind::Length,
                (0..5).take(record.saturating_sub(1)).collect(),
            )
        } else {
            let left = (0..5).filter(|step| *step != record as i64 - 1);
            (DamageKind::Data { length }, left.collect())
        };
        assert_eq!(damages, [(begin as u64, kind)], "bit {bit}");
        assert_eq!(steps, expected, "bit {bit}");
    }
}

/// Hands out `bytes` in pieces, with an interruption and an end of file before each.
struct Pieces<'a> {
    bytes: &'a [u8],
    piece_bytes: usize,
    calls: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        match self.calls % 3 {
            0 => Err(io::ErrorKind::Interrupted.into()),
            1 => Ok(0),
            _ => {
                let count = self.piece_bytes.min(buffer.len()).min(self.bytes.len());
                let (piece, rest) = self.bytes.split_at(count);
                buffer[..count].copy_from_slice(piece);
                self.bytes = rest;
                Ok(count)
            }
        }
    }
}

#[test]
fn reader_follows_records_that_arrive_in_pieces() {
    let (bytes, _) = file_of(0..6);
    for piece_bytes in 1..=bytes.len() {
        let mut records = RecordReader::new(Pieces {
            bytes: &bytes,
            piece_bytes,
            calls: 0,
        });
        let mut all = Vec::new();
        for _ in 0..2 * bytes.len().div_ceil(piece_bytes) + 2 {
            let (steps, damages) = steps_of(&mut records);
            assert_eq!(damages, []);
            all.extend(steps);
        }
        assert_eq!(all, [0, 1, 2, 3, 4, 5], "pieces of {piece_bytes}");
        assert_eq!(records.tail(), None);
    }
}

#[test]
fn reader_tries_again_after_an_error_of_the_source() {
    struct Failing<'a>(Pieces<'a>, bool);
    impl Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::Error::other("a bad sector"));
            }
            self.0.calls = 1; // always a piece
            self.0.read(buffer)
        }
    }
    let (bytes, ends) = file_of(0..3);
    let pieces = Pieces {
        bytes: &bytes,
        piece_bytes: 7,
        calls: 0,
    };
    let mut records = RecordReader::new(Failing(pieces, false));
    let (mut steps, mut failures) = (Vec::new(), 0_u64);
    loop {
        match records.next_event() {
            Ok(Some(event)) => steps.extend(checked_step(&event)),
            Ok(None) => break,
            Err(RecordError::Io { offset, source }) => {
                assert_eq!(source.to_string(), "a bad sector");
                assert_eq!(offset, (7 * failures).min(bytes.len() as u64));
                failures += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(steps, [0, 1, 2]);
    assert_eq!(failures, (ends[3] as u64).div_ceil(7) + 1);
}

/// Does not let itself be offered more room than it has handed out.
struct Measured<'a> {
    bytes: &'a [u8],
    handed_out: usize,
}

impl Read for Measured<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // All that is allocated: what is pending, which is at most all, and the room behind it.
        assert!(
            buffer.len() <= (64 << 10).max(self.handed_out),
            "{} bytes",
            buffer.len()
        );
        let count = self.bytes.read(buffer)?;
        self.handed_out += count;
        Ok(count)
    }
}

#[test]
fn reader_allocates_no_more_than_is_there_for_huge_lengths_with_sound_checksums() {
    for length in [
        1 << 20,
        1 << 40,
        u64::from(u32::MAX),
        i64::MAX as u64,
        u64::MAX - 15,
        u64::MAX,
    ] {
        for there in [0, 1, 5000, 300_000] {
            let (mut bytes, ends) = file_of(0..2);
            bytes.extend(length.to_le_bytes());
            bytes.extend(decoder::masked_crc(&length.to_le_bytes()));
            bytes.resize(bytes.len() + there, 7);
            let source = Measured {
                bytes: &bytes,
                handed_out: 0,
            };
            let mut records = RecordReader::new(source);
            assert_eq!(
                steps_of(&mut records),
                (vec![0, 1], vec![]),
                "length {length}"
            );
            let tail = records.tail().unwrap();
            assert_eq!(tail.offset, ends[2] as u64);
            assert_eq!(tail.torn_bytes, 12 + there as u64);
        }
    }
}

#[test]
fn reader_keeps_small_and_long_records_apart() {
    let lengths = [
        0, 1, 65_523, 65_519, 65_520, 65_521, 200_000, 3, 1_000_000, 0,
    ];
    let data = |length: usize| {
        (0..length)
            .map(|i| (i * i + length) as u8)
            .collect::<Vec<_>>()
    };
    let bytes: Vec<u8> = lengths
        .iter()
        .flat_map(|length| frame(&data(*length)))
        .collect();
    let mut records = RecordReader::new(bytes.as_slice());
    let mut offset = 0;
    for length in lengths {
        let record = records.next_record().unwrap().unwrap();
        assert_eq!(record.offset, offset);
        assert!(record.data == data(length), "{length}");
        offset += 16 + length as u64;
    }
    assert_eq!(records.next_record().unwrap(), None);
}

#[test]
fn reader_keeps_special_values_steps_and_wall_times_bit_for_bit() {
    let values = [
        0.0,
        -0.0,
        f32::MAX,
        f32::from_bits(1),
        f32::INFINITY,
        f32::NEG_INFINITY,
    ];
    let nans = [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001)];
    for value in values.into_iter().chain(nans) {
        let field = [&[0x15], value.to_le_bytes().as_slice()].concat();
        let event = Event::decode(&summary(1.0, 1, "", &field)).unwrap();
        let Content::Summary(values) = event.content else {
            panic!()
        };
        let Value::Scalar(read) = values[0].value else {
            panic!()
        };
        assert_eq!(read.to_bits(), value.to_bits());
        assert_eq!(values[0].tag, "");
    }
    for step in [i64::MIN, i64::MAX, -1, 0, 127, 128] {
        assert_eq!(Event::decode(&event(0.0, step, &[])).unwrap().step, step);
    }
    for wall_time in [
        f64::NAN,
        f64::INFINITY,
        -0.0,
        f64::MIN_POSITIVE / 2.0,
        -1e300,
    ] {
        let read = Event::decode(&event(wall_time, 0, &[])).unwrap().wall_time;
        assert_eq!(read.to_bits(), wall_time.to_bits());
    }
}

#[test]
fn reader_takes_absent_fields_as_defaults_and_passes_over_unknown_ones() {
    let nothing = Event::decode(&[]).unwrap();
    assert_eq!(
        (nothing.wall_time, nothing.step, nothing.content),
        (0.0, 0, Content::Other)
    );

    let unknown = [
        &[0xf8, 0xff, 0xff, 0xff, 0x0f, 1][..], // the greatest number, a varint
        &[0x79, 1, 2, 3, 4, 5, 6, 7, 8],        // 15, eight bytes
        &[0x7d, 1, 2, 3, 4],                    // 15, four bytes
        &delimited(15, b"\xff\xff"),
        &[0x08, 1], // 1 and 3 with types that are not theirs
        &[0x1d, 1, 2, 3, 4],
    ]
    .concat();
    let message = event(2.0, 3, &unknown);
    let read = Event::decode(&message).unwrap();
    assert_eq!(
        (read.wall_time, read.step, read.content),
        (2.0, 3, Content::Other)
    );

    let empty = Event::decode(&delimited(5, &[])).unwrap();
    assert_eq!(empty.content, Content::Summary(vec![]));
    // A message that comes twice is put together, and the last of several other contents counts.
    let value = delimited(5, &delimited(1, &delimited(1, b"a")));
    let Content::Summary(values) = Event::decode(&value.repeat(2)).unwrap().content else {
        panic!()
    };
    assert_eq!(values.len(), 2);
    let last = Event::decode(&[value, delimited(4, b"graph")].concat()).unwrap();
    assert_eq!(last.content, Content::Graph(b"graph".to_vec()));
}

#[test]
fn reader_knows_the_session() {
    let kinds = [
        Session::Other(0),
        Session::Start,
        Session::Stop,
        Session::Checkpoint,
        Session::Other(4),
    ];
    for (status, session) in kinds.into_iter().enumerate() {
        let read = Event::decode(&delimited(7, &[0x08, status as u8])).unwrap();
        assert_eq!(read.content, Content::Session(session));
    }
}

#[test]
fn reader_reports_a_record_that_is_no_event_and_goes_on() {
    let inner = |message: &[u8]| delimited(5, &delimited(1, message));
    let cases = [
        (vec![0x09, 1, 2], Malformed::Truncated),
        (vec![0x2a, 5, 1], Malformed::Truncated),
        (vec![0x10], Malformed::Truncated),
        (delimited(5, &[0x0a, 0xff]), Malformed::Truncated),
        (
            [&[0x2a][..], &[0xff; 9], &[1]].concat(),
            Malformed::Truncated,
        ),
        ([&[0x10][..], &[0xff; 10]].concat(), Malformed::Varint),
        ([&[0x10][..], &[0xff; 9], &[2]].concat(), Malformed::Varint),
        (vec![0x0b], Malformed::WireType { wire_type: 3 }),
        (vec![0x0f], Malformed::WireType { wire_type: 7 }),
        (vec![0x01], Malformed::FieldNumber { number: 0 }),
        (
            vec![0x80, 0x80, 0x80, 0x80, 0x10, 0],
            Malformed::FieldNumber { number: 1 << 29 },
        ),
        (delimited(3, b"\xff"), Malformed::Utf8),
        (inner(&delimited(1, b"\xc3")), Malformed::Utf8),
        // In a histogram: a list of doubles that is not of eight bytes each.
        (
            inner(&delimited(5, &delimited(6, &[0; 9]))),
            Malformed::Truncated,
        ),
        // In a tensor: a shape cut short.
        (
            inner(&delimited(8, &[0x12, 2, 0x12, 5])),
            Malformed::Truncated,
        ),
    ];
    for (data, malformed) in cases {
        let good = |step| scalar(step, step as f32 / 8.0);
        let bytes = [good(0), frame(&data), good(1)].concat();
        let (steps, damages) = steps_of(&mut RecordReader::new(bytes.as_slice()));
        let offset = good(0).len() as u64;
        assert_eq!(
            damages,
            [(offset, DamageKind::Message(malformed))],
            "{data:x?}"
        );
        assert_eq!(steps, [0, 1]);
    }
}

pub(crate) fn value_of(fields: &[u8]) -> Value {
    let event = Event::decode(&summary(0.0, 0, "t", fields)).unwrap();
    let Content::Summary(mut values) = event.content else {
        panic!()
    };
    assert_eq!(values.len(), 1);
    values.remove(0).value
}

#[test]
fn reader_types_tensors_by_their_plugin() {
    let plugin = |name: &[u8]| {
        delimited(
            9,
            &delimited(1, &[delimited(1, name), delimited(2, b"content")].concat()),
        )
    };
    let tensor = |fields: &[&[u8]]| delimited(8, &fields.concat());
    let wide = delimited(4, &0.1_f64.to_le_bytes());
    let float = [&[0x2d][..], &0.1_f32.to_le_bytes()].concat(); // not packed
    let scalars =
        |data: &[u8], dtype| [tensor(&[&[0x08, dtype], data]), plugin(b"scalars")].concat();
    assert_eq!(value_of(&scalars(&wide, 2)), Value::Scalar64(0.1));
    assert_eq!(value_of(&scalars(&float, 1)), Value::Scalar(0.1));
    assert_eq!(
        value_of(&scalars(&float, 1)).scalar(),
        Some(f64::from(0.1_f32))
    );
    // The type decides, and two numbers are no scalar.
    for (data, dtype) in [(&float, 3), (&float, 2), (&float.repeat(2), 1)] {
        let value = value_of(&scalars(data, dtype));
        assert!(matches!(value, Value::Tensor(_)), "{value:?}");
        assert_eq!(value.scalar(), None);
    }
    let shape = |size: u8| delimited(2, &delimited(2, &[0x08, size]));
    let Value::Tensor(curve) = value_of(
        &[
            tensor(&[&[0x08, 1], &shape(2), &float.repeat(2)]),
            plugin(b"pr_curves"),
        ]
        .concat(),
    ) else {
        panic!()
    };
    assert_eq!(
        (curve.plugin.name.as_str(), &curve.plugin.content[..]),
        ("pr_curves", &b"content"[..])
    );
    assert_eq!(
        (curve.shape.as_slice(), &curve.data),
        (&[2][..], &TensorData::F32(vec![0.1; 2]))
    );
    for hparams in [
        plugin(b"hparams"),
        [plugin(b"hparams"), tensor(&[&[0x08, 1], &shape(0)])].concat(),
    ] {
        let Value::Plugin(data) = value_of(&hparams) else {
            panic!()
        };
        assert_eq!(
            (data.name.as_str(), &data.content[..]),
            ("hparams", &b"content"[..])
        );
    }
    let texts = tensor(&[
        &[0x08, 7],
        &delimited(8, "größe".as_bytes()),
        &delimited(8, b"\xffb"),
    ]);
    assert_eq!(
        value_of(&[texts, plugin(b"text")].concat()),
        Value::Text(vec!["größe".into(), "\u{fffd}b".into()])
    );
    assert_eq!(value_of(&delimited(6, b"audio")), Value::Other);
    assert_eq!(value_of(&[]), Value::Other);
}

#[test]
fn values_say_what_they_are() {
    let plugin = |name: &[u8]| delimited(9, &delimited(1, &delimited(1, name)));
    let wide = [
        delimited(
            8,
            &[&[0x08, 2], &delimited(4, &0.1_f64.to_le_bytes())[..]].concat(),
        ),
        plugin(b"scalars"),
    ];
    let wide = value_of(&wide.concat());
    let narrow = value_of(&[&[0x15], &0.1_f32.to_le_bytes()[..]].concat());
    assert_eq!(
        (wide.scalar(), wide.digits().as_deref()),
        (Some(0.1), Some("0.1"))
    );
    assert_eq!(narrow.scalar(), Some(0.1_f32.into()));
    assert_eq!(narrow.digits().as_deref(), Some("0.1"));
    // A float, and nothing.
    let float = [&[0x2d][..], &0.1_f32.to_le_bytes()].concat();
    let tensor = |data: &[u8]| delimited(8, &[&[0x08, 1], data].concat());
    let curve = [tensor(&float), plugin(b"pr_curves")].concat();
    for (fields, kind, is_empty) in [
        (tensor(&float), "tensor", Some(false)),
        (tensor(&[]), "tensor", Some(true)),
        (curve, "pr_curves", Some(false)),
        (plugin(b"hparams"), "hparams", None),
        // Audio, whatever its plugin.
        (
            [delimited(6, b"audio"), plugin(b"audio")].concat(),
            "other",
            None,
        ),
    ] {
        let value = value_of(&fields);
        assert_eq!((value.kind().as_str(), value.digits()), (kind, None));
        let tensor = match &value {
            Value::Tensor(tensor) => Some(tensor.data.is_empty()),
            _ => None,
        };
        assert_eq!(tensor, is_empty, "{value:?}");
    }
    assert_eq!([wide.kind(), narrow.kind()], ["scalar"; 2]);
}

/// All points of a file made by PyTorch.
fn golden(name: &str) -> Vec<(String, i64, Value)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    let mut reader = Reader::open(path).unwrap();
    let points = reader.points().map(|point| {
        let point = point.unwrap();
        assert_eq!(point.wall_time, 1_700_000_000.25);
        (point.tag, point.step, point.value)
    });
    let points = points.collect();
    assert_eq!(reader.tail(), None);
    points
}

#[test]
fn reader_reads_scalars_of_pytorch() {
    let points = golden("scalars.tfevents");
    let bits = |value: &Value| match value {
        Value::Scalar(value) => value.to_bits(),
        other => panic!("{other:?}"),
    };
    let read: Vec<_> = points
        .iter()
        .map(|(tag, step, value)| (tag.as_str(), *step, bits(value)))
        .collect();
    let expected = [
        ("train/loss", 1, 0.25_f32.to_bits()),
        ("train/loss", 2, 0.1_f32.to_bits()),
        ("größe", 0, (-0.0_f32).to_bits()),
        ("", -1, 0),
        ("steps", 1 << 40, f32::INFINITY.to_bits()),
        ("nan", 3, f32::NAN.to_bits()),
    ];
    assert_eq!(read, expected);
}

#[test]
fn reader_reads_tensors_of_pytorch() {
    let expected = [
        ("new style".into(), 1, Value::Scalar(0.1)),
        ("double".into(), -2, Value::Scalar64(0.1)),
        ("zero".into(), 0, Value::Scalar(-0.0)),
        (
            "text/text_summary".into(),
            3,
            Value::Text(vec!["größe".into()]),
        ),
    ];
    assert_eq!(golden("tensors.tfevents"), expected);
}

#[test]
fn reader_reads_other_kinds_of_pytorch() {
    let points = golden("histogram.tfevents");
    let Value::Histogram(spread) = &points[0].2 else {
        panic!()
    };
    assert_eq!((points[0].0.as_str(), points[0].1), ("spread", 1));
    assert_eq!((spread.min, spread.max, spread.num), (-0.375, 5.0, 44.0));
    // Σ k/8 and Σ k²/64 for k from −3 to 40.
    assert_eq!(
        (spread.sum, spread.sum_squares),
        ((820.0 - 6.0) / 8.0, (22_140.0 + 14.0) / 64.0)
    );
    assert_eq!(spread.limits.len(), spread.counts.len());
    assert_eq!(spread.counts.iter().sum::<f64>(), 44.0);
    assert!(spread.limits.is_sorted());

    let points = golden("image.tfevents");
    for (tag, _, value) in &points {
        let Value::Image(image) = value else {
            panic!("{tag}: {value:?}")
        };
        assert!(image.encoded.starts_with(b"\x89PNG"));
        let size = |at: usize| i32::from_be_bytes(image.encoded[at..at + 4].try_into().unwrap());
        assert_eq!((image.width, image.height), (size(16), size(20)), "{tag}");
    }
    assert!(!points.is_empty());
    let points = golden("text.tfevents");
    assert_eq!(
        points[0].2,
        Value::Text(vec!["| name | value |\n|---|---|\n| größe | 7 |".into()])
    );
    assert_eq!((points.len(), points[2].0.as_str()), (3, "/text_summary"));

    let Value::Plugin(experiment) = &golden("hparams.tfevents")[0].2 else {
        panic!()
    };
    assert_eq!(experiment.name, "hparams");
    assert!(!experiment.content.is_empty());
    let Value::Tensor(layout) = &golden("layout.tfevents")[0].2 else {
        panic!()
    };
    assert_eq!(layout.plugin.name, "custom_scalars");
    let Value::Tensor(curve) = &golden("pr_curve.tfevents")[0].2 else {
        panic!()
    };
    assert_eq!(
        (curve.plugin.name.as_str(), curve.shape[0]),
        ("pr_curves", 6)
    );
    let TensorData::F32(values) = &curve.data else {
        panic!()
    };
    assert_eq!(values.len() as i64, curve.shape.iter().product::<i64>());
}

fn append(path: &Path, bytes: &[u8]) {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.unwrap().write_all(bytes).unwrap();
}

/// Steps and damage that are there for now.
fn drain(reader: &mut Reader) -> (Vec<i64>, Vec<String>) {
    let (mut steps, mut damages) = (Vec::new(), Vec::new());
    for point in reader.points() {
        match point {
            Ok(point) => {
                assert_eq!(point.value, Value::Scalar(point.step as f32 / 8.0));
                steps.push(point.step);
            }
            Err(error @ ReadError::Damaged { .. }) => damages.push(error.to_string()),
            Err(error) => panic!("{error}"),
        }
    }
    (steps, damages)
}

#[test]
fn reader_takes_the_files_of_a_directory_by_name_and_new_ones_as_they_come() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let mut reader = Reader::open(directory.path()).unwrap();
    assert_eq!(drain(&mut reader), (vec![], vec![]));
    assert_eq!(reader.path(), None);

    // Made in an order that is not that of their names; what has no mark in its name, or is a
    // directory, is no event file.
    append(&at("b.tfevents.2"), &file_of(10..12).0);
    append(&at("a.tfevents.2"), &file_of(5..7).0);
    append(&at("a.other"), b"not events");
    append(&at("a.tfevents.1"), &file_of(0..2).0);
    fs::create_dir(at("c.tfevents")).unwrap();
    append(&at("c.tfevents/d.tfevents"), &file_of(90..91).0);
    assert_eq!(drain(&mut reader), (vec![0, 1, 5, 6, 10, 11], vec![]));
    assert_eq!(reader.path(), Some(at("b.tfevents.2").as_path()));

    append(&at("b.tfevents.2"), &scalar(12, 1.5));
    append(&at("b.tfevents.3"), &file_of(13..15).0);
    append(&at("b.tfevents.1"), &file_of(80..81).0); // too late
    assert_eq!(drain(&mut reader), (vec![12, 13, 14], vec![]));
    assert_eq!(drain(&mut reader), (vec![], vec![]));
}

#[test]
fn reader_follows_a_growing_file_of_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tfevents");
    let (bytes, ends) = file_of(0..3);
    let mut reader = Reader::open(directory.path()).unwrap();
    let mut all = Vec::new();
    for (index, byte) in bytes.iter().enumerate() {
        append(&path, &[*byte]);
        let (steps, damages) = drain(&mut reader);
        assert_eq!(damages, [""; 0]);
        all.extend(steps);
        let end = ends
            .iter()
            .rev()
            .find(|end| **end <= index + 1)
            .unwrap_or(&0);
        assert_eq!(
            all.len() + 1,
            ends.iter().filter(|end| **end <= index + 1).count().max(1)
        );
        let tail = reader
            .tail()
            .map(|(path, tail)| (path.to_owned(), tail.offset, tail.torn_bytes));
        let torn = index + 1 - end;
        assert_eq!(
            tail,
            (torn > 0).then(|| (path.clone(), *end as u64, torn as u64))
        );
    }
    assert_eq!(all, [0, 1, 2]);
}

#[test]
fn reader_reports_damage_of_each_file_and_a_torn_end_of_all_but_the_last() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (bytes, ends) = file_of(0..3);
    let torn = &bytes[..ends[3] - 1];
    append(&at("1.tfevents"), torn);
    let mut reader = Reader::open(directory.path()).unwrap();
    // It may still be written to.
    assert_eq!(drain(&mut reader), (vec![0, 1], vec![]));
    assert_eq!(reader.tail().unwrap().1.offset, ends[2] as u64);

    let mut data = bytes.clone();
    data[ends[0] + 15] ^= 1;
    append(&at("2.tfevents"), &data);
    let mut length = bytes.clone();
    length[ends[1]] ^= 1;
    append(&at("3.tfevents"), &length);
    append(&at("4.tfevents"), torn);
    let (steps, damages) = drain(&mut reader);
    assert_eq!(steps, [1, 2, 0, 0, 1]);
    let record = ends[3] - ends[2];
    let expected = [
        format!(
            "{}, byte {}: the file ends within a record, of which {} bytes are there",
            at("1.tfevents").display(),
            ends[2],
            record - 1
        ),
        format!(
            "{}, byte {}: the data of a record ({} bytes) are damaged",
            at("2.tfevents").display(),
            ends[0],
            ends[1] - ends[0] - 16
        ),
        format!(
            "{}, byte {}: the length of a record is damaged, so that nothing behind it can be read",
            at("3.tfevents").display(),
            ends[1]
        ),
    ];
    assert_eq!(damages, expected);
    let (path, tail) = reader.tail().unwrap();
    assert_eq!(
        (path, tail.offset),
        (at("4.tfevents").as_path(), ends[2] as u64)
    );
    assert_eq!(tail.torn_bytes, record as u64 - 1);

    // The last byte comes, and all is well; what comes behind damage of a length is not seen.
    append(&at("4.tfevents"), &bytes[ends[3] - 1..]);
    append(&at("3.tfevents"), &scalar(9, 9.0 / 8.0));
    assert_eq!(drain(&mut reader), (vec![2], vec![]));
    assert_eq!(reader.tail(), None);
}

/// The end of the old file and the beginning of the new one may both come while the reader goes
/// from one to the other.
#[test]
fn reader_misses_nothing_when_the_next_file_comes_at_once() {
    for round in 0..200 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_owned();
        append(&path.join("1.tfevents"), &scalar(0, 0.0));
        let mut reader = Reader::open(&path).unwrap();
        let (ready, go) = std::sync::mpsc::channel();
        let mut steps = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let old = OpenOptions::new()
                    .append(true)
                    .open(path.join("1.tfevents"));
                let (mut old, record) = (old.unwrap(), scalar(1, 0.125));
                ready.send(()).unwrap();
                old.write_all(&record).unwrap();
                append(&path.join("2.tfevents"), &scalar(2, 0.25));
            });
            go.recv().unwrap();
            while steps.last() != Some(&2) {
                let (more, damages) = drain(&mut reader);
                assert_eq!(damages, [""; 0]);
                steps.extend(more);
            }
        });
        assert_eq!(steps, [0, 1, 2], "round {round}");
    }
}

#[test]
fn reader_says_what_cannot_be_opened() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none");
    let error = Reader::open(&path).unwrap_err();
    assert!(
        matches!(&error, ReadError::Open { path: named, source } if *named == path && source.kind() == io::ErrorKind::NotFound)
    );

    fs::create_dir(&path).unwrap();
    let mut reader = Reader::open(&path).unwrap();
    fs::remove_dir(&path).unwrap();
    for _ in 0..2 {
        assert!(matches!(reader.next_event(), Err(ReadError::List { .. })));
    }
    // It ends instead of repeating the error for ever.
    assert_eq!(reader.points().count(), 1);
}

#[test]
fn reader_takes_every_value_of_an_event() {
    let field = |value: f32| [&[0x15][..], &value.to_le_bytes()].concat();
    let value = |tag: &str, x| delimited(1, &[delimited(1, tag.as_bytes()), field(x)].concat());
    let summary = delimited(
        5,
        &[value("a", 1.0), value("b", 2.0), value("a", 3.0)].concat(),
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    append(
        file.path(),
        &[version(), frame(&event(4.0, 5, &summary)), scalar(1, 0.125)].concat(),
    );
    let mut reader = Reader::open(file.path()).unwrap();
    let points: Vec<_> = reader
        .points()
        .map(Result::unwrap)
        .map(|p| (p.tag, p.step, p.wall_time, p.value.scalar()))
        .collect();
    let point = |tag: &str, value| (tag.to_owned(), 5, 4.0, Some(value));
    let last = ("loss".to_owned(), 1, 2.5, Some(0.125));
    assert_eq!(
        points,
        [point("a", 1.0), point("b", 2.0), point("a", 3.0), last]
    );
}

#[test]
fn runs_are_the_directories_with_event_files() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    for run in ["", "b/1", "a", "b/1/deep/er"] {
        fs::create_dir_all(at(run)).unwrap();
        append(&at(run).join("x.tfevents.y"), b"");
    }
    fs::create_dir_all(at("empty/tfevents")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(root.path(), at("b/loop")).unwrap();
    let found: Vec<_> = runs(root.path()).map(Result::unwrap).collect();
    let expected = [
        root.path().to_owned(),
        at("a"),
        at("b/1"),
        at("b/1/deep/er"),
    ];
    assert_eq!(found, expected);
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len());

    let missing: Vec<_> = runs(at("none")).collect();
    assert!(matches!(missing.as_slice(), [Err(ReadError::List { .. })]));
}
