//! Whether the network is as often right as it is sure.

use maud::{Markup, html};

use super::super::chart::{Axis, Frame, drawing, line};
use super::super::content::RunReport;
use super::super::number::{coordinate, count, decimal, percent};
use crate::explain::{Calibration, ConfidenceBin};

const SQUARE: [f64; 2] = [340.0, 310.0];

pub(in super::super) fn section(report: &RunReport) -> Option<Markup> {
    let calibration = report
        .calibration
        .as_ref()
        .filter(|known| !known.bins.is_empty())?;
    Some(html! {
        p {
            "Of the answers that it is 80 % sure of, 80 % should be right. On average its "
            "confidence is off by "
            strong { (decimal(calibration.expected_error * 100.0, 1)) " percentage points" } "."
        }
        div class="charts" { (diagram(calibration)) (table(&calibration.bins)) }
    })
}

fn diagram(calibration: &Calibration) -> Markup {
    let frame = Frame {
        x: Axis::linear("Confidence", 0.0, 1.0).in_percent(),
        y: Axis::linear("Right answers", 0.0, 1.0).in_percent(),
        size: SQUARE,
    };
    let [left, top, right, bottom] = frame.sides();
    let points: Vec<_> = calibration
        .bins
        .iter()
        .map(|bin| [bin.confidence, bin.accuracy])
        .collect();
    let most = calibration
        .bins
        .iter()
        .map(|bin| bin.count)
        .max()
        .unwrap_or(1)
        .max(1);
    let radius = |count: u64| 3.0 + 6.0 * (count as f64 / most as f64).sqrt();
    let content = html! {
        (frame.axes())
        path class="ideal" d=(line([left, bottom], [right, top])) {}
        path class="curve s1" d=(frame.curve(&points)) {}
        @for bin in &calibration.bins {
            @let [x, y] = frame.at(bin.confidence, bin.accuracy).map(coordinate);
            circle class="point s1" cx=(x) cy=(y) r=(coordinate(radius(bin.count))) {}
        }
    };
    let description = "Confidence across, the share of right answers upwards. Below the dashed \
        diagonal the network is surer than it should be. The table beside has the numbers.";
    html! {
        figure {
            figcaption {
                strong { "Confidence and truth" }
                " – below the dashed line it is too sure; large dots are many answers"
            }
            (drawing("reliability", "Confidence and right answers", description, SQUARE, &content))
        }
    }
}

fn table(bins: &[ConfidenceBin]) -> Markup {
    html! {
        table class="numbers" {
            caption { span { "Answers by confidence" } }
            thead { tr {
                th scope="col" class="number" { "Confidence" }
                th scope="col" class="number" { "Right" }
                th scope="col" class="number" { "Answers" }
            } }
            tbody { @for bin in bins { tr {
                th scope="row" class="number" { (percent(bin.confidence)) }
                td class="number" { (percent(bin.accuracy)) }
                td class="number" { (count(bin.count)) }
            } } }
        }
    }
}
