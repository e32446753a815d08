//! Steps that go backwards.

use std::collections::HashMap;

/// What to do about an event whose step is smaller than the one before it under the same tag.
///
/// TensorBoard draws such a curve as a line that runs back. It is mostly a mistake: a counter that
/// started again, or a run resumed without [`resume_at`](super::WriterBuilder::resume_at).
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

/// The last step under each tag.
#[derive(Debug)]
pub(super) struct Steps {
    policy: StepPolicy,
    tags: Vec<Tag>,
    places: HashMap<Box<str>, usize>,
    /// The tag that follows the last one. Training loops repeat themselves, so it is mostly the
    /// right one, and nothing needs to be hashed.
    expected: usize,
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
    name: Box<str>,
    last: i64,
    warned: bool,
}

/// A step that went backwards, to be told outside of any lock.
#[derive(Debug)]
pub(super) struct Backwards {
    tag: Box<str>,
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
            _ => self.find(tag, step),
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
        if !known.warned {
            known.warned = true;
            warnings.push(Backwards {
                tag: known.name.clone(),
                step,
                last: known.last,
            });
        }
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

    fn find(&mut self, tag: &str, step: i64) -> usize {
        if let Some(place) = self.places.get(tag) {
            return *place;
        }
        let place = self.tags.len();
        self.tags.push(Tag {
            name: tag.into(),
            last: step,
            warned: false,
        });
        self.places.insert(tag.into(), place);
        place
    }
}
