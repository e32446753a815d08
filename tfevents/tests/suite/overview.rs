//! What is said of a run as a whole.

use std::collections::BTreeMap;
use std::fs;

use tfevents::reader::{Content, Event, Overview, ReadError, Scalars, Value, printable};

use crate::reader::{delimited, event, frame, scalar, summary, value_of, version};

#[test]
fn overview_counts_and_shows_what_a_run_holds() {
    let run = tempfile::tempdir().unwrap();
    let graph = frame(&event(2.0, 0, &delimited(4, b"")));
    let start = frame(&event(2.0, 0, &delimited(7, &[0x08, 1])));
    let text = [
        delimited(8, &[0x08, 7]),
        delimited(9, &delimited(1, &delimited(1, b"text"))),
    ];
    let note = frame(&summary(10.0, 1, "note", &text.concat()));
    let later = frame(&summary(8.5, 9, "loss", &[0x15, 0, 0, 0, 0]));
    let first = [version(), graph.repeat(3), start.repeat(2), note].concat();
    let second = [version(), scalar(1, 0.5), later].concat();
    fs::write(run.path().join("a.tfevents.1"), &first).unwrap();
    fs::write(run.path().join("b.tfevents.2"), &second).unwrap();
    fs::write(run.path().join("note.txt"), "another file").unwrap();

    let overview = Overview::read(run.path()).unwrap();
    assert_eq!((overview.graphs, overview.starts), (3, 2));
    let expected = [
        format!("  file a.tfevents.1, {} bytes", first.len()),
        format!("  file b.tfevents.2, {} bytes", second.len()),
        "  loss  scalar         2 points, steps 1 to 9, 6.0 s".to_owned(),
        "  note  text           1 point,  steps 1 to 1, 0.0 s".to_owned(),
        "  graphs: 3".to_owned(),
        "  starts of a session: 2".to_owned(),
    ];
    let shown = overview.to_string();
    assert_eq!(shown.lines().collect::<Vec<_>>(), expected);

    // A file is a run, too.
    let file = run.path().join("b.tfevents.2");
    let overview = Overview::read(file).unwrap();
    let name = "b.tfevents.2".to_owned();
    assert_eq!(overview.files, [(name, second.len() as u64)]);
    assert!(!overview.to_string().contains("graphs"));
    assert!(!overview.to_string().contains("starts"));
}

#[test]
fn points_that_are_no_scalars_are_counted_by_kind_and_damage_is_kept() {
    let run = tempfile::tempdir().unwrap();
    let image = frame(&summary(1.0, 1, "picture", &delimited(4, b"")));
    let audio = frame(&summary(1.0, 1, "sound", &delimited(6, b"")));
    let mut damaged = scalar(2, 0.25);
    damaged[20] ^= 1;
    let file = [version(), image.repeat(3), damaged, scalar(1, 0.5), audio].concat();
    fs::write(run.path().join("a.tfevents.1"), file).unwrap();
    let mut scalars = Scalars::open(run.path()).unwrap();
    assert!(scalars.next_scalar().unwrap().is_some());
    assert!(scalars.next_scalar().unwrap().is_none());
    let expected = [("image", 3), ("other", 1)].map(|(kind, times)| (kind.to_owned(), times));
    assert_eq!(*scalars.left_out(), BTreeMap::from(expected));
    let damages = scalars.damages();
    assert!(
        matches!(damages, [ReadError::Damaged { .. }]),
        "{damages:?}"
    );
}

#[test]
fn a_name_without_letters_is_seen() {
    assert_eq!(["", " ", "a"].map(printable), [r#""""#, r#"" ""#, "a"]);
}

#[test]
fn fields_of_messages_are_read_by_number_and_type() {
    let image = [&[0x08, 5, 0x10, 7, 0x18, 3][..], &delimited(4, b"PNG")].concat();
    let Value::Image(image) = value_of(&delimited(4, &image)) else {
        panic!("no image");
    };
    let sizes = (image.height, image.width, image.colorspace);
    assert_eq!((sizes, &image.encoded[..]), ((5, 7, 3), &b"PNG"[..]));
    // Edges one by one, counts packed.
    let one_by_one = [0.5_f64, 1.5].map(|edge| [&[0x31][..], &edge.to_le_bytes()].concat());
    let packed = [2.0_f64, 3.0].map(f64::to_le_bytes).concat();
    let histogram = [one_by_one.concat(), delimited(7, &packed)].concat();
    let Value::Histogram(histogram) = value_of(&delimited(5, &histogram)) else {
        panic!("no histogram");
    };
    assert_eq!(histogram.limits, [0.5, 1.5]);
    assert_eq!(histogram.counts, [2.0, 3.0]);
    // Of an event that is several things, the last counts.
    for number in [6, 8, 9] {
        let last = [delimited(4, b"graph"), delimited(number, b"")].concat();
        assert_eq!(Event::decode(&last).unwrap().content, Content::Other);
    }
}
