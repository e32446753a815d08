//! Steps that go backwards.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::error::Place;

/// What to do about an event whose step is smaller than the one before it under the same tag.
///
/// TensorBoard's data server takes such a step for a run that began again: it forgets the points of
/// this tag that it has at the new step and behind it. Without the data server the curve runs back.
/// It is mostly a mistake: a counter that started again, or a run resumed without
/// [`resume_at`](super::WriterBuilder::resume_at).
///
/// A writer watches as many tags as 16 MiB have room for, some 100,000. Those that come later are
/// written without looking, whatever the policy; [`Closed::all_watched`](super::Closed::all_watched)
/// tells.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StepPolicy {
    /// Write it, and log a warning the first time that a tag does so.
    #[default]
    Warn,
    /// Leave it out, and log a warning the first time that a tag does so.
    Drop,
    /// Write it without remark, and without looking.
    Allow,
}

/// A tag whose steps went backwards.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct BackwardSteps {
    /// The file, which for curves of a [group](super::Writer::scalar_group) is that of the curve.
    pub place: Place,
    /// The tag.
    pub tag: String,
    /// How often a step was smaller than the one before it. Under [`StepPolicy::Drop`], how many
    /// values were left out.
    pub times: u64,
    /// The step before the first of them.
    pub from: i64,
    /// The first of them.
    pub to: i64,
}

impl fmt::Display for BackwardSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            tag,
            times,
            from,
            to,
        } = self;
        write!(f, "{place}: {tag:?} went back ")?;
        match times {
            1 => f.write_str("once,")?,
            times => write!(f, "{times} times, first")?,
        }
        write!(f, " from step {from} to {to}")
    }
}

/// What the names of watched tags, and what is kept of them, may take.
const WATCHED_BYTES: usize = 16 << 20;
/// Of a tag beside its name: its entry, its place by name, and the rooms that the growth of both
/// leaves.
const TAG_BYTES: usize = 128;

/// The last step under each tag.
#[derive(Debug)]
pub(super) struct Steps {
    policy: StepPolicy,
    tags: Vec<Tag>,
    places: HashMap<Arc<str>, usize>,
    /// The tag that follows the last one. Training loops repeat themselves, so it is mostly the
    /// right one, and nothing needs to be hashed.
    expected: usize,
    /// How much more may be kept.
    room_bytes: usize,
    all_watched: bool,
}

/// What [`Steps::left_out`] leaves.
pub(super) fn admitted<T>(
    values: impl Iterator<Item = T> + Clone,
    left_out: &[usize],
) -> impl Iterator<Item = T> + Clone {
    let places = values.enumerate();
    let admitted = places.filter(|(i, _)| !left_out.contains(i));
    admitted.map(|(_, value)| value)
}

#[derive(Debug)]
struct Tag {
    name: Arc<str>,
    last: i64,
    /// How often it went backwards, and the first time from where to where.
    times: u64,
    from: i64,
    to: i64,
}

/// A step that went backwards, to be told outside of any lock.
#[derive(Debug)]
pub(super) struct Backwards {
    tag: Arc<str>,
    step: i64,
    last: i64,
}

impl Backwards {
    pub(super) fn warn(&self, policy: StepPolicy) {
        let Self { tag, step, last } = self;
        let fate = match policy {
            StepPolicy::Drop => "left out",
            _ => "written all the same",
        };
        log::warn!(
            "events: {tag:?} went back from step {last} to {step}; {fate}, like others to come"
        );
    }
}

impl Steps {
    pub(super) fn new(policy: StepPolicy) -> Self {
        Self {
            policy,
            tags: Vec::new(),
            places: HashMap::new(),
            expected: 0,
            room_bytes: WATCHED_BYTES,
            all_watched: true,
        }
    }

    /// Whether to write the event; pushes to `warnings` what is to be told.
    #[inline]
    pub(super) fn admit(&mut self, tag: &str, step: i64, warnings: &mut Vec<Backwards>) -> bool {
        if self.policy == StepPolicy::Allow {
            return true;
        }
        let place = match self.tags.get(self.expected) {
            Some(expected) if *expected.name == *tag => self.expected,
            _ => match self.find(tag, step) {
                Some(place) => place,
                None => return true,
            },
        };
        self.expected = if place + 1 < self.tags.len() {
            place + 1
        } else {
            0
        };
        let known = &mut self.tags[place];
        if step >= known.last {
            known.last = step;
            return true;
        }
        known.go_back(step, warnings);
        if self.policy == StepPolicy::Warn {
            known.last = step;
        }
        self.policy == StepPolicy::Warn
    }

    /// The places of those `tags` that are not admitted.
    pub(super) fn left_out<'a>(
        &mut self,
        tags: impl Iterator<Item = &'a str>,
        step: i64,
        warnings: &mut Vec<Backwards>,
    ) -> Vec<usize> {
        let mut left_out = Vec::new();
        for (i, tag) in tags.enumerate() {
            if !self.admit(tag, step, warnings) {
                left_out.push(i);
            }
        }
        left_out
    }

    /// The tags that went backwards, in the order in which they first came.
    pub(super) fn backwards(&self, place: &Place) -> Vec<BackwardSteps> {
        let backwards = self.tags.iter().filter(|tag| tag.times > 0);
        let told = |tag: &Tag| BackwardSteps {
            place: place.clone(),
            tag: tag.name.as_ref().to_owned(),
            times: tag.times,
            from: tag.from,
            to: tag.to,
        };
        backwards.map(told).collect()
    }

    /// Whether no tag was left unwatched.
    pub(super) fn all_watched(&self) -> bool {
        self.all_watched && self.policy != StepPolicy::Allow
    }

    /// The place of a tag, which is new where it is not known; `None` where no more are watched.
    fn find(&mut self, tag: &str, step: i64) -> Option<usize> {
        if let Some(place) = self.places.get(tag) {
            return Some(*place);
        }
        let Some(room_bytes) = self.room_bytes.checked_sub(tag.len() + TAG_BYTES) else {
            self.all_watched = false;
            return None;
        };
        self.room_bytes = room_bytes;
        let place = self.tags.len();
        let name: Arc<str> = tag.into();
        self.tags.push(Tag {
            name: Arc::clone(&name),
            last: step,
            times: 0,
            from: 0,
            to: 0,
        });
        self.places.insert(name, place);
        Some(place)
    }
}

impl Tag {
    #[cold]
    fn go_back(&mut self, step: i64, warnings: &mut Vec<Backwards>) {
        if self.times == 0 {
            (self.from, self.to) = (self.last, step);
            warnings.push(Backwards {
                tag: Arc::clone(&self.name),
                step,
                last: self.last,
            });
        }
        self.times += 1;
    }
}
