//! The instruments of `metrics`: counters, gauges and histograms, each under a tag.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{CounterFn, GaugeFn, HistogramFn, Key};

use crate::Histogram;
use crate::mutex::lock;

/// Instruments of one kind.
#[derive(Debug)]
pub(super) struct Instruments<I> {
    /// Every call of a macro asks by its key, and a key knows its hash.
    by_key: HashMap<Key, Arc<I>>,
    /// Names that differ in `.` and `::` alone have the same tag, and so have, to some versions of
    /// `metrics`, unequal keys with the same labels in another order.
    by_tag: BTreeMap<String, Arc<I>>,
}

impl<I> Default for Instruments<I> {
    fn default() -> Self {
        Self {
            by_key: HashMap::new(),
            by_tag: BTreeMap::new(),
        }
    }
}

impl<I: Default> Instruments<I> {
    pub(super) fn get(&mut self, key: &Key) -> Arc<I> {
        if let Some(known) = self.by_key.get(key) {
            return Arc::clone(known);
        }
        let instrument = Arc::clone(self.by_tag.entry(tag(key)).or_default());
        self.by_key.insert(key.clone(), Arc::clone(&instrument));
        instrument
    }

    /// In the order of their tags.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &I)> {
        self.by_tag.iter().map(|(tag, it)| (tag.as_str(), &**it))
    }
}

/// The name with `/` for `.` and `::`, and the labels in the order of their names.
fn tag(key: &Key) -> String {
    let mut tag = key.name().replace("::", "/").replace('.', "/");
    let mut labels: Vec<_> = key.labels().map(|it| (it.key(), it.value())).collect();
    labels.sort_unstable();
    for (i, (name, value)) in labels.into_iter().enumerate() {
        let before = if i == 0 { '/' } else { ',' };
        tag.extend([&*before.to_string(), name, "=", value]);
    }
    tag
}

/// A count.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl CounterFn for Count {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, value: u64) {
        self.0.fetch_max(value, Ordering::Relaxed);
    }
}

/// The bits of an `f64`; those of 0 are 0.
#[derive(Debug, Default)]
pub(super) struct Level(AtomicU64);

impl Level {
    pub(super) fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    fn add(&self, value: f64) {
        let sum = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // It is never refused.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
    }
}

impl GaugeFn for Level {
    fn increment(&self, value: f64) {
        self.add(value);
    }

    fn decrement(&self, value: f64) {
        self.add(-value);
    }

    fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }
}

/// Values since the last time that they were taken; nothing is kept of none.
#[derive(Default)]
pub(super) struct Distribution(Mutex<Option<Histogram>>);

impl Distribution {
    /// What was recorded since the last call.
    pub(super) fn take(&self) -> Option<Histogram> {
        mem::take(&mut *lock(&self.0)).map(Histogram::normalized)
    }
}

impl HistogramFn for Distribution {
    fn record(&self, value: f64) {
        let mut values = lock(&self.0);
        values.get_or_insert_with(Histogram::empty).count(value);
    }
}

impl fmt::Debug for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Distribution")
    }
}
