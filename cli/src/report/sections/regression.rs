//! Answers beside the truth, and how the errors are spread.

use maud::{Markup, html};

use super::super::chart::{Axis, Frame, SIZE, dots, drawing, line, short};
use super::super::content::RunReport;
use super::super::number::{coordinate, count, figure};
use super::super::predictions::Predictions;

/// Dots are dealt out to so many paths: where dots of several lie over one another it is darker.
const LAYERS: usize = 6;
/// Width and height of the scatter plot.
const SQUARE: [f64; 2] = [340.0, 340.0];

pub(in super::super) fn section(report: &RunReport) -> Option<Markup> {
    let shown = report
        .predictions
        .iter()
        .filter(|p| !p.points.is_empty() || p.not_finite > 0);
    let shown: Vec<_> = (1..).zip(shown).collect();
    let has_headings = shown.len() > 1;
    (!shown.is_empty()).then(|| {
        html! {
            @for (number, predictions) in &shown {
                @if has_headings { h3 { (predictions.name) } }
                (summary(predictions))
                @if !predictions.points.is_empty() {
                    div class="charts" {
                        (scatter(*number, predictions)) (histogram(*number, predictions))
                    }
                }
            }
        }
    })
}

fn summary(predictions: &Predictions) -> Markup {
    html! {
        p {
            @if let Some((half, most)) = predictions.median_error.zip(predictions.ninetieth_error) {
                "Half of the answers are off by less than " strong { (figure(half)) }
                ", nine of ten by less than " strong { (figure(most)) } "."
            }
            @if predictions.not_finite > 0 {
                " " (count(predictions.not_finite)) " answers are no numbers; they are left out "
                "here."
            }
        }
    }
}

fn scatter(number: usize, predictions: &Predictions) -> Markup {
    let all = predictions.points.iter().flatten().copied();
    let low = all.clone().fold(f64::INFINITY, f64::min);
    let high = all.fold(f64::NEG_INFINITY, f64::max);
    let frame = Frame {
        x: Axis::linear(format!("True {}", short(&predictions.name)), low, high).rounded(),
        y: Axis::linear(format!("Predicted {}", short(&predictions.name)), low, high).rounded(),
        size: SQUARE,
    };
    let places: Vec<_> = predictions
        .points
        .iter()
        .map(|[y, t]| frame.at(*y, *t))
        .collect();
    let layer = |layer: usize| dots(places.iter().skip(layer).step_by(LAYERS));
    let [left, top, right, bottom] = frame.sides();
    let content = html! {
        (frame.axes())
        path class="ideal" d=(line([left, bottom], [right, top])) {}
        @for index in 0..LAYERS.min(places.len()) { path class="dots" d=(layer(index)) {} }
    };
    let shown = predictions.points.len() as u64;
    let drawn = predictions.examples - predictions.not_finite;
    let description = format!(
        "{} test examples as dots; on the dashed diagonal, the prediction is right. Values from \
         {} to {}.",
        count(shown),
        figure(low),
        figure(high),
    );
    let id = format!("scatter-{number}");
    html! {
        figure {
            figcaption {
                strong { "Predicted against true" }
                " – on the dashed line, the answer is right"
                @if shown < drawn { "; " (count(shown)) " of " (count(drawn)) " examples" }
            }
            (drawing(&id, "Predicted against true", &description, SQUARE, &content))
        }
    }
}

fn histogram(number: usize, predictions: &Predictions) -> Markup {
    let errors = &predictions.errors;
    let most = errors.counts.iter().copied().max().unwrap_or(0);
    let end = errors.from + errors.width * errors.counts.len() as f64;
    let frame = Frame {
        x: Axis::linear("Error: predicted − true", errors.from, end),
        y: Axis::linear("Examples", 0.0, most as f64)
            .in_whole()
            .rounded(),
        size: SIZE,
    };
    let bars = errors
        .counts
        .iter()
        .enumerate()
        .filter(|(_, examples)| **examples > 0);
    let content = html! {
        (frame.axes())
        @for (index, examples) in bars {
            @let from = errors.from + errors.width * index as f64;
            @let [x, y] = frame.at(from, *examples as f64);
            @let [right, bottom] = frame.at(from + errors.width, 0.0);
            rect class="bar" x=(coordinate(x + 0.5)) y=(coordinate(y))
                width=(coordinate((right - x - 1.0).max(1.0))) height=(coordinate(bottom - y)) {}
        }
        @if errors.from < 0.0 && end > 0.0 {
            @let [x, top] = frame.at(0.0, most as f64);
            path class="ideal" d=(line([x, top], [x, frame.sides()[3]])) {}
        }
    };
    let description = format!(
        "How many test examples have which error. Errors from {} to {}; the fullest bar holds {} \
         examples.",
        figure(errors.from),
        figure(end),
        count(most),
    );
    let id = format!("errors-{number}");
    html! {
        figure {
            figcaption { strong { "Errors" } " – the narrower around 0, the better" }
            (drawing(&id, "How errors are spread", &description, SIZE, &content))
        }
    }
}
