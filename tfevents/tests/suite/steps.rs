//! Steps that go backwards, as `close` tells of them.

use tfevents::{BackwardSteps, SessionStatus, StepPolicy, Summary, Writer};

use crate::support::{event_files, logged};

fn writer(policy: StepPolicy) -> Writer {
    let builder = Writer::builder().backwards_steps(policy);
    builder.write_to(std::io::sink()).unwrap()
}

fn told(it: &BackwardSteps) -> (&str, u64, i64, i64) {
    (&it.tag, it.times, it.from, it.to)
}

#[test]
fn close_tells_the_tags_that_went_backwards() {
    for (policy, times) in [(StepPolicy::Warn, 2), (StepPolicy::Drop, 3)] {
        let events = writer(policy);
        for (i, step) in [5, 3, 4, 2].into_iter().enumerate() {
            events.scalar("loss", step, 0.5);
            events.scalar("steady", i, 0.5);
            events.scalars(100, &[("also", 1.0)]);
        }
        events.summary(99, &Summary::new().scalar("also", 0.5).scalar("new", 0.5));
        let seen = events.backwards();
        let closed = events.close().unwrap();
        assert_eq!(closed.backwards, seen);
        let backwards: Vec<_> = closed.backwards.iter().map(told).collect();
        let expected = [("loss", times, 5, 3), ("also", 1, 100, 99)];
        assert_eq!(backwards, expected, "{policy:?}");
        assert!(closed.all_watched);
        let also = closed.backwards[1].to_string();
        let expected = "events: \"also\" went back once, from step 100 to 99";
        assert_eq!(also, expected);
    }
}

#[test]
fn close_counts_the_events_that_were_written() {
    let events = writer(StepPolicy::Drop);
    events.scalar("a", 1, 0.5);
    events.scalars(1, &[("b", 0.5), ("c", 0.5)]);
    events.scalars(1, &[("b", 0.5); 0]);
    events.scalar("a", 0, 0.5); // left out
    events.summary(0, &Summary::new().scalar("a", 0.5)); // left out
    events.text("t", 2, "text");
    events.hparams_end(SessionStatus::Success);
    let closed = events.close().unwrap();
    assert_eq!(closed.events, 4);
}

#[test]
fn nothing_is_told_where_nobody_looks_or_nothing_went_back() {
    let events = writer(StepPolicy::Allow);
    events.scalar("a", 1, 0.5);
    events.scalar("a", 0, 0.5);
    let closed = events.close().unwrap();
    assert_eq!((closed.backwards.len(), closed.all_watched), (0, false));

    let lines = logged::during(|| {
        let events = writer(StepPolicy::Warn);
        events.scalar("a", 0, 0.5);
        events.scalar("a", 0, 0.5);
        let closed = events.close().unwrap();
        assert_eq!((closed.backwards.len(), closed.all_watched), (0, true));
    });
    assert_eq!(lines, [""; 0]);
}

#[test]
fn warnings_come_with_the_first_step_back_and_in_the_end() {
    let lines = logged::during(|| {
        let events = writer(StepPolicy::Warn);
        for step in [7, 6, 5] {
            events.scalar("loss", step, 0.5);
        }
        drop(events);
        let events = writer(StepPolicy::Drop);
        events.scalar("loss", 1, 0.5);
        events.scalar("loss", 0, 0.5);
        drop(events);
        let events = writer(StepPolicy::Allow);
        events.scalar("loss", 1, 0.5);
        events.scalar("loss", 0, 0.5);
        drop(events);
    });
    let expected = [
        "events: \"loss\" went back from step 7 to 6; written all the same, like others to come",
        "events: \"loss\" went back 2 times, first from step 7 to 6",
        "events: \"loss\" went back from step 1 to 0; left out, like others to come",
        "events: \"loss\" went back once, from step 1 to 0",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn curves_of_groups_are_told_with_their_files() {
    let directory = tempfile::tempdir().unwrap();
    let events = Writer::create(directory.path()).unwrap();
    for step in [1, 0] {
        events.scalar_group("loss", step, &[("train", 0.5)]);
    }
    assert_eq!(events.backwards().len(), 1);
    let closed = events.close().unwrap();
    let file = event_files(&directory.path().join("loss_train")).remove(0);
    let curve = &closed.backwards[0];
    assert_eq!(curve.place.path(), Some(&*file));
    assert_eq!(told(curve), ("loss", 1, 1, 0));
    assert_eq!(closed.events, 2);
}

/// A curve of a group is watched by itself, and says nothing of the others.
#[test]
fn tag_that_is_not_watched_shows_beside_curves_that_are() {
    let directory = tempfile::tempdir().unwrap();
    let events = Writer::create(directory.path()).unwrap();
    let beyond_the_bound = "x".repeat(20 << 20);
    events.scalar(&beyond_the_bound, 1, 0.5);
    events.scalar_group("loss", 1, &[("train", 0.5)]);
    let closed = events.close().unwrap();
    assert_eq!((closed.events, closed.all_watched), (2, false));
}

#[test]
fn memory_for_tags_is_bounded() {
    let events = writer(StepPolicy::Drop);
    // Eight of them fill it.
    let long = "x".repeat(2 << 20);
    for i in 0..20 {
        events.summary(1, &Summary::new().scalar(&format!("{long}{i}"), 0.5));
    }
    // The first tags are still watched, the last ones are written without looking.
    for i in [0, 19] {
        events.scalar(&format!("{long}{i}"), 0, 0.5);
    }
    let closed = events.close().unwrap();
    assert_eq!((closed.events, closed.all_watched), (21, false));
    let lengths: Vec<_> = closed.backwards.iter().map(|it| it.tag.len()).collect();
    assert_eq!(lengths, [long.len() + 1]);
}
