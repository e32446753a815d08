//! What a writer says when it is closed.

use crate::steps::BackwardSteps;

/// What came of a writer, when everything has been written: from
/// [`Writer::close`](super::Writer::close).
///
/// ```
/// use tfevents::Writer;
///
/// let events = Writer::builder().write_to(std::io::sink())?;
/// for step in [10, 11, 3] {
///     events.scalar("loss", step, 0.5);
/// }
/// let closed = events.close()?;
/// assert_eq!(closed.events, 3);
/// let loss = &closed.backwards[0];
/// assert_eq!((loss.tag.as_str(), loss.times, loss.from, loss.to), ("loss", 1, 11, 3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// How many events were written, those of the curves of groups included. Several values of one
    /// call are one event.
    pub events: u64,
    /// The tags whose steps went backwards, in the order in which they first came: TensorBoard may
    /// hide points of them, as [`StepPolicy`](crate::StepPolicy) says.
    pub backwards: Vec<BackwardSteps>,
    /// Whether the steps of every tag were looked at. Not so under
    /// [`StepPolicy::Allow`](crate::StepPolicy::Allow), and for tags beyond the bound of
    /// [`StepPolicy`](crate::StepPolicy).
    pub all_watched: bool,
}

impl Closed {
    /// Adds what came of a curve of a group.
    pub(super) fn add(&mut self, curve: Self) {
        self.events += curve.events;
        self.backwards.extend(curve.backwards);
        self.all_watched &= curve.all_watched;
    }

    /// Tells those who do not look.
    pub(super) fn warn(&self) {
        match &self.backwards[..] {
            [] => {}
            [first] => log::warn!("{first}"),
            [first, others @ ..] => {
                log::warn!("{first}; so did {} other tags", others.len());
            }
        }
    }
}
