//! The curves of a run, from its event files: so that a run that was resumed shows all of them.

use std::collections::BTreeMap;
use std::path::Path;

use wgpu_linear::events::Reader;

use crate::report::{Chart, Curves};

/// Tags of a chart: what is drawn, and the curves by name.
const CHARTS: [(&str, &[(&str, &str)]); 4] = [
    (
        "loss",
        &[
            ("training", "loss/train"),
            ("validation", "loss/validation"),
            ("test", "loss/test"),
        ],
    ),
    (
        "accuracy",
        &[
            ("validation", "accuracy/validation"),
            ("test", "accuracy/test"),
        ],
    ),
    (
        "r2",
        &[("validation", "r2/validation"), ("test", "r2/test")],
    ),
    ("learning_rate", &[("", "learning_rate")]),
];

/// What the event files of a run say; what is damaged in them is passed over.
#[must_use]
pub fn curves(run: &Path, steps_per_epoch: u64, best_epoch: Option<u32>) -> Option<Curves> {
    let points = points(run)?;
    let epochs = |step: i64| step as f64 / steps_per_epoch.max(1) as f64;
    let mut charts = Vec::new();
    for (quantity, series) in CHARTS {
        let mut chart = Chart::new(quantity);
        for (name, tag) in series {
            // A single point, of the end of a run, is no curve.
            let points = points.get(*tag).filter(|points| points.len() > 1);
            let points = points.into_iter().flatten();
            chart = chart.with(*name, points.map(|(step, value)| (epochs(*step), *value)));
        }
        // A learning rate that never changes stands in the configuration.
        if quantity == "learning_rate" && is_constant(&chart) {
            continue;
        }
        if !chart.series.is_empty() {
            charts.push(chart);
        }
    }
    Some(Curves {
        best_epoch: best_epoch.map(f64::from),
        charts,
    })
}

fn is_constant(chart: &Chart) -> bool {
    let mut values = chart.series.iter().flat_map(|series| &series.points);
    let first = values.next().map(|[_, value]| *value);
    values.all(|[_, value]| Some(*value) == first)
}

/// Of each tag, the last value at each step: a run that was killed and resumed may have some twice.
fn points(run: &Path) -> Option<BTreeMap<String, BTreeMap<i64, f64>>> {
    let mut all: BTreeMap<String, BTreeMap<i64, f64>> = BTreeMap::new();
    let mut reader = Reader::open(run).ok()?;
    for point in reader.points() {
        let Ok(point) = point else { continue };
        if let Some(value) = point.value.scalar() {
            all.entry(point.tag).or_default().insert(point.step, value);
        }
    }
    Some(all)
}
