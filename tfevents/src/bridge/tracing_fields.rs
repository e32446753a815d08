//! Numbers among the fields of events and spans.

use std::fmt;

use tracing_core::Field;
use tracing_core::field::Visit;

/// What `tracing-log` adds to the events that it makes of records of the crate `log`, such as the
/// number of a line.
const OF_LOG: &str = "log.";

/// Their names with their values.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    integers: Vec<(&'static str, i64)>,
    others: Vec<(&'static str, f64)>,
}

impl Numbers {
    /// The integer of this name.
    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        let mut integers = self.integers.iter();
        integers.find(|(known, _)| *known == name).map(|(_, n)| *n)
    }

    /// All of them but those of this name.
    pub(super) fn except(&self, name: &str) -> impl Iterator<Item = (&'static str, f32)> {
        let integers = self.integers.iter().map(|(name, n)| (*name, *n as f32));
        let others = self.others.iter().map(|(name, x)| (*name, *x as f32));
        integers
            .chain(others)
            .filter(move |(known, _)| *known != name)
    }
}

/// Sets the value of a field. A span may set the same one again and again.
fn set<T>(values: &mut Vec<(&'static str, T)>, field: &Field, value: T) {
    let name = field.name();
    if name.starts_with(OF_LOG) {
        return;
    }
    match values.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => *known = value,
        None => values.push((name, value)),
    }
}

impl Visit for Numbers {
    fn record_i64(&mut self, field: &Field, value: i64) {
        set(&mut self.integers, field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => set(&mut self.integers, field, value),
            Err(_) => self.record_f64(field, value as f64),
        }
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.record_f64(field, value as f64);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.record_f64(field, value as f64);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        set(&mut self.others, field, value);
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {
        // No number.
    }

    fn record_bool(&mut self, _: &Field, _: bool) {}

    fn record_str(&mut self, _: &Field, _: &str) {}
}
