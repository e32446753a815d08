//! Steps and values of all types, and literals without a suffix.

use tfevents::{Histogram, StreamWriter, Summary, Writer};

use crate::support::scalars;

#[test]
fn literals_need_no_suffix() {
    let directory = tempfile::tempdir().unwrap();
    let events = Writer::create(directory.path()).unwrap();
    events.scalar("a", 0, 0.5);
    events.scalar("a", 1, 2);
    events.scalars(1, &[("b", 0.93), ("c", 1e-3)]);
    events.scalars(1, &[("d", 3)]);
    events.scalar_group("e", 1, &[("f", 0.1), ("g", 0.2)]);
    events.summary(1, &Summary::new().scalar("h", 0.1).scalar("i", 7));
    events.histogram("j", 1, &Histogram::of([0.5]));
    events.text("k", 1, "text");
    events.close().unwrap();
    let expected = [
        ("a", 0, 0.5),
        ("a", 1, 2.0),
        ("b", 1, 0.93),
        ("c", 1, 1e-3),
        ("d", 1, 3.0),
        ("h", 1, 0.1),
        ("i", 1, 7.0),
    ];
    let expected = expected.map(|(tag, step, value)| (tag.to_owned(), step, value));
    assert_eq!(scalars(directory.path()), expected);

    let mut events = StreamWriter::new(std::io::sink());
    events.scalar("a", 0, 0.5).unwrap();
    events.scalar_at(0.5, "a", 1, 2).unwrap();
    events.scalars(1, &[("b", 0.93)]).unwrap();
    events.summary(1, &Summary::new()).unwrap();
}

/// What a writer makes of a step.
macro_rules! stored_steps {
    ($($step:expr),*) => {{
        let directory = tempfile::tempdir().unwrap();
        let events = Writer::builder().backwards_steps(tfevents::StepPolicy::Allow);
        let events = events.create(directory.path()).unwrap();
        $(events.scalar("a", $step, 0.5);)*
        events.close().unwrap();
        scalars(directory.path()).into_iter().map(|(_, step, _)| step).collect::<Vec<_>>()
    }};
}

#[test]
fn steps_are_exact_up_to_the_greatest_there_is() {
    let steps = stored_steps!(
        i8::MIN,
        i16::MIN,
        i32::MIN,
        i64::MIN,
        isize::MIN,
        u8::MAX,
        u16::MAX,
        u32::MAX,
        i64::MAX
    );
    let (byte, short) = (i8::MIN.into(), i16::MIN.into());
    let word = i32::MIN.into();
    let long = i64::MAX;
    let unsigned = [255, 65_535, 4_294_967_295, long];
    assert_eq!(steps[..5], [byte, short, word, i64::MIN, i64::MIN]);
    assert_eq!(steps[5..], unsigned);
    let last = 1_u64 << 63;
    let steps = stored_steps!(5_u64, 5_usize, last - 1, last, u64::MAX, usize::MAX);
    assert_eq!(steps, [5, 5, long, long, long, long]);
}

/// What a writer makes of a value.
macro_rules! stored_values {
    ($($value:expr),*) => {{
        let directory = tempfile::tempdir().unwrap();
        let events = Writer::create(directory.path()).unwrap();
        $(events.scalar("a", 0, $value);)*
        events.close().unwrap();
        scalars(directory.path()).into_iter().map(|(_, _, value)| value).collect::<Vec<_>>()
    }};
}

#[test]
fn values_are_rounded_to_the_nearest_f32() {
    // Halfway between two of them: to the even one.
    let (down, up) = ((1 << 24) + 1, (1 << 24) + 3);
    let values = stored_values!(
        f64::from(down),
        down as i64,
        down as u32,
        up as u64,
        up as usize
    );
    let [even, next] = [16_777_216.0, 16_777_220.0];
    assert_eq!(values, [even, even, even, next, next]);
    let values = stored_values!(1.0_f64 / 3.0, 1e300, -1e300, 1e-300, u64::MAX, -7_i8, 9_u16);
    let (inf, third) = (f32::INFINITY, 1.0 / 3.0);
    let most = 18_446_744_073_709_551_615.0;
    assert_eq!(values, [third, inf, -inf, 0.0, most, -7.0, 9.0]);
    assert!(stored_values!(f64::NAN)[0].is_nan());
}

#[test]
fn resumed_step_may_be_a_usize() {
    let directory = tempfile::tempdir().unwrap();
    let builder = Writer::builder().resume_at(usize::MAX);
    builder.create(directory.path()).unwrap().close().unwrap();
    let file = &crate::support::event_files(directory.path())[0];
    let events = crate::decoder::decode(&std::fs::read(file).unwrap());
    assert_eq!(
        (events[1].session_status, events[1].step),
        (Some(1), i64::MAX)
    );
}
