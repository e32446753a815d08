//! Scalars from the events of `tracing`.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::tracing_fields::Numbers;
use crate::Writer;

/// Writes the numeric fields of events of `tracing` as scalars: a layer for `tracing_subscriber`.
///
/// ```
/// use tfevents::{Reader, TracingLayer, Writer};
/// use tracing_subscriber::layer::SubscriberExt;
///
/// # let temporary = tempfile::tempdir()?;
/// # let directory = temporary.path().join("run-1");
/// let events = Writer::create(&directory)?; // runs/run-1, say
/// let subscriber = tracing_subscriber::registry().with(TracingLayer::new(events.clone()));
/// // A program calls `init` instead, once.
/// tracing::subscriber::with_default(subscriber, || {
///     for step in 0..100 {
///         let loss = 1.0 / f64::from(1 + step);
///         tracing::info!(target: "tensorboard", step, loss, "learning.rate" = 0.1);
///         tracing::info!(step, "no metric: it has another target");
///     }
/// });
/// events.close()?;
///
/// let point = Reader::open(&directory)?.next_point()?.unwrap();
/// assert_eq!((point.tag.as_str(), point.step), ("loss", 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is written
///
/// - **Targets.** Events whose target is `tensorboard`, or begins with `tensorboard::`, at whatever
///   level; [`targets`](Self::targets) names others. All other events, and the texts of those, are
///   left to other layers.
/// - **Step.** The integer field `step` ([`step_field`](Self::step_field)) of the event. Where it
///   has none, that of the innermost span around it that has one, and one of the same targets.
///   Where there is none either, nothing is written, and a warning is logged the first time.
/// - **Values.** Each other field that is a number becomes a scalar, rounded to `f32`; those of one
///   event become one event of the file. Booleans, texts and what is recorded by `?` or `%` are
///   left out.
/// - **Tags.** Three parts, those that are not empty, with `/` between them: what follows
///   `tensorboard::` in the target; the names of the spans around it that have one of the targets,
///   from the outermost; the name of the field. `::` and `.` become `/`, by which TensorBoard
///   groups. In `info_span!(target: "tensorboard", "train")` an event of the target
///   `tensorboard::net` with the field `loss.mean` is a point of `net/train/loss/mean`.
///
/// # What it does not do
///
/// It neither filters nor hides anything from other layers, and closes nothing: a subscriber that
/// is installed for good is never dropped, so keep a clone of the [`Writer`] to
/// [close](Writer::close). What is logged while it writes, such as the writer's own warnings where
/// `tracing-log` makes events of them, does not come back to it.
#[derive(Clone, Debug)]
pub struct TracingLayer {
    events: Writer,
    targets: Vec<String>,
    step_field: String,
    told: Arc<AtomicBool>,
}

impl TracingLayer {
    /// Events of the target `tensorboard` are written to `events`.
    #[must_use]
    pub fn new(events: Writer) -> Self {
        Self {
            events,
            targets: vec![String::from("tensorboard")],
            step_field: String::from("step"),
            told: Arc::default(),
        }
    }

    /// Takes the events of these targets instead, and of those below them: `train` stands for
    /// `train` and `train::…`.
    #[must_use]
    pub fn targets(mut self, targets: &[&str]) -> Self {
        self.targets = targets.iter().map(|it| (*it).to_owned()).collect();
        self
    }

    /// The name of the field that has the step. Default: `step`.
    #[must_use]
    pub fn step_field(mut self, name: &str) -> Self {
        name.clone_into(&mut self.step_field);
        self
    }

    /// What follows one of the targets; `None` for a target of others.
    fn section<'t>(&self, target: &'t str) -> Option<&'t str> {
        self.targets.iter().find_map(|taken| {
            let rest = target.strip_prefix(taken.as_str())?;
            if rest.is_empty() {
                return Some(rest);
            }
            rest.strip_prefix("::")
        })
    }

    /// The step of the spans around an event, and the first parts of its tags.
    fn surroundings<S>(
        &self,
        section: &str,
        event: &Event<'_>,
        context: &Context<'_, S>,
    ) -> (Option<i64>, String)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let (mut step, mut prefix) = (None, String::new());
        push_part(&mut prefix, section);
        let spans = context.event_scope(event).into_iter();
        for span in spans.flat_map(|scope| scope.from_root()) {
            if self.section(span.metadata().target()).is_none() {
                continue;
            }
            push_part(&mut prefix, span.name());
            let extensions = span.extensions();
            let numbers = extensions.get::<Numbers>();
            step = numbers
                .and_then(|numbers| numbers.integer(&self.step_field))
                .or(step);
        }
        (step, prefix)
    }

    fn write(&self, step: Option<i64>, prefix: &str, numbers: &Numbers) {
        let tagged = |(name, value)| {
            let mut tag = prefix.to_owned();
            push_part(&mut tag, name);
            (tag, value)
        };
        let values: Vec<_> = numbers.except(&self.step_field).map(tagged).collect();
        let Some((tag, _)) = values.first() else {
            return;
        };
        let Some(step) = step else {
            if !self.told.swap(true, Ordering::Relaxed) {
                let field = &self.step_field;
                log::warn!(
                    "events: {tag:?} has no field `{field}`, nor has a span around it; left out, like others to come"
                );
            }
            return;
        };
        let values: Vec<_> = values.iter().map(|(tag, value)| (&**tag, *value)).collect();
        self.events.scalars(step, &values);
    }
}

/// Appends a part of a tag.
fn push_part(tag: &mut String, part: &str) {
    if !tag.is_empty() && !part.is_empty() {
        tag.push('/');
    }
    tag.push_str(&part.replace("::", "/").replace('.', "/"));
}

impl<S> Layer<S> for TracingLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if self.section(span.metadata().target()).is_some() {
            let mut numbers = Numbers::default();
            attributes.record(&mut numbers);
            // Another layer of this type may have left the same.
            span.extensions_mut().replace(numbers);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(numbers) = span.extensions_mut().get_mut::<Numbers>() {
            values.record(numbers);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(section) = self.section(event.metadata().target()) else {
            return;
        };
        let Some(_inside) = Inside::enter() else {
            return;
        };
        let mut numbers = Numbers::default();
        event.record(&mut numbers);
        let (outer_step, prefix) = self.surroundings(section, event, &context);
        let step = numbers.integer(&self.step_field).or(outer_step);
        self.write(step, &prefix, &numbers);
    }
}

/// A thread is in the midst of writing an event: what it logs meanwhile is not taken.
struct Inside;

thread_local! {
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
}

impl Inside {
    fn enter() -> Option<Self> {
        let was_inside = IS_INSIDE.replace(true);
        (!was_inside).then_some(Self)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        IS_INSIDE.set(false);
    }
}
