//! Learning curves.

use maud::{Markup, html};

use super::super::chart::{Axis, Frame, SIZE, drawing, line};
use super::super::content::RunReport;
use super::super::curves::{Chart, Curves, Series, thinned};
use super::super::names::{Name, name};
use super::super::number::{coordinate, figure};

/// A loss that varies by more than that is drawn on a logarithmic scale.
const LARGE_RANGE: f64 = 20.0;
/// R² has no lower end: what lies further down is drawn at the lower side.
const LEAST_R2: f64 = -0.2;
/// Curves of so few points show them.
const FEW_POINTS: usize = 25;
/// As many as can be told apart.
const MOST_SERIES: usize = 4;

pub(in super::super) fn section(report: &RunReport) -> Option<Markup> {
    let curves = report.curves.as_ref()?;
    let drawn = curves
        .charts
        .iter()
        .filter(|chart| !finite(chart).is_empty());
    let figures: Vec<_> = (1..)
        .zip(drawn)
        .map(|(number, chart)| figure_of(number, chart, curves))
        .collect();
    (!figures.is_empty()).then(|| {
        html! { div class="charts curves" { @for figure in figures { (figure) } } }
    })
}

/// All points that are numbers.
fn finite(chart: &Chart) -> Vec<[f64; 2]> {
    let points = chart
        .series
        .iter()
        .take(MOST_SERIES)
        .flat_map(|series| &series.points);
    points
        .filter(|[x, y]| x.is_finite() && y.is_finite())
        .copied()
        .collect()
}

fn figure_of(number: usize, chart: &Chart, curves: &Curves) -> Markup {
    let name = name(&chart.quantity);
    let frame = frame(chart, &name);
    let series: Vec<&Series> = chart.series.iter().take(MOST_SERIES).collect();
    let content = html! {
        (frame.axes())
        @if let Some(best) = curves.best_epoch { (best_line(&frame, best)) }
        @for (index, series) in (1..).zip(&series) { (curve(&frame, index, series)) }
    };
    let id = format!("curve-{number}");
    html! {
        figure {
            figcaption {
                strong { (name.title) }
                @if frame.y.is_logarithmic() { " (logarithmic scale)" }
                @if series.len() > 1 || !series[0].name.is_empty() { (legend(&series)) }
            }
            (drawing(&id, &name.title, &description(&series, &name, curves), SIZE, &content))
        }
    }
}

fn frame(chart: &Chart, name: &Name) -> Frame {
    let points = finite(chart);
    let [left, low] = points
        .iter()
        .fold([f64::INFINITY; 2], |[a, b], [x, y]| [a.min(*x), b.min(*y)]);
    let [right, high] = points
        .iter()
        .fold([f64::NEG_INFINITY; 2], |[a, b], [x, y]| {
            [a.max(*x), b.max(*y)]
        });
    let low = if chart.quantity == "r2" {
        low.max(LEAST_R2)
    } else {
        low
    };
    let is_log = chart.quantity == "loss" && low > 0.0 && high / low > LARGE_RANGE;
    let y = match (is_log, name.is_share) {
        (true, _) => Axis::logarithmic("", low, high),
        (false, true) => Axis::linear("", low, high).in_percent().rounded(),
        (false, false) => Axis::linear("", low.min(high), high).rounded(),
    };
    Frame {
        x: Axis::linear("Epoch", left, right),
        y,
        size: SIZE,
    }
}

fn curve(frame: &Frame, index: usize, series: &Series) -> Markup {
    let points = thinned(&series.points);
    let has_place = |[x, y]: &&[f64; 2]| !frame.curve(&[[*x, *y]]).is_empty();
    html! {
        path class=(format!("curve s{index}")) d=(frame.curve(&points)) {}
        @if points.len() <= FEW_POINTS {
            @for [x, y] in points.iter().filter(has_place) {
                @let [x, y] = frame.at(*x, *y).map(coordinate);
                circle class=(format!("point s{index}")) cx=(x) cy=(y) r="2.5" {}
            }
        }
    }
}

fn best_line(frame: &Frame, best: f64) -> Markup {
    let [_, top, right, bottom] = frame.sides();
    let x = frame.at(best, 1.0)[0];
    let (anchor, text) = if x > right - 90.0 {
        ("end", right)
    } else {
        ("start", x - 4.0)
    };
    html! {
        path class="best" d=(line([x, top - 4.0], [x, bottom])) {}
        text class="best" text-anchor=(anchor) x=(coordinate(text)) y=(coordinate(top - 7.0)) {
            "best: epoch " (figure(best))
        }
    }
}

fn legend(series: &[&Series]) -> Markup {
    html! {
        span class="legend" {
            @for (index, series) in (1..).zip(series) {
                span {
                    svg viewBox="0 0 26 8" aria-hidden="true" {
                        path class=(format!("curve s{index}")) d="M1 4L25 4" {}
                    }
                    (series.name)
                }
            }
        }
    }
}

fn description(series: &[&Series], name: &Name, curves: &Curves) -> String {
    let shown = |value: f64| name.shown(value);
    let mut text = String::new();
    for series in series {
        let [Some(first), Some(last)] = [series.points.first(), series.points.last()] else {
            continue;
        };
        let who = if series.name.is_empty() {
            &name.title
        } else {
            &series.name
        };
        text += &format!(
            "{who}: {} at epoch {}, {} at epoch {}. ",
            shown(first[1]),
            figure(first[0]),
            shown(last[1]),
            figure(last[0]),
        );
    }
    if let Some(best) = curves.best_epoch {
        text += &format!("The best epoch is {}.", figure(best));
    }
    text.trim_end().to_owned()
}
