//! What each input contributes: bars, and a map where the inputs are a picture.

use maud::{Markup, html};

use super::super::chart::{drawing, line};
use super::super::content::RunReport;
use super::super::names::name;
use super::super::number::{coordinate, count, decimal, figure, percent};
use crate::explain::{Importance, InputImportance};

/// Inputs that are there at once.
const OPEN_ROWS: usize = 20;
/// Blocks that are named beside the map.
const OPEN_BLOCKS: usize = 8;
/// Width and height of a bar.
const BAR: [f64; 2] = [200.0, 18.0];
/// Width of the map.
const MAP: f64 = 340.0;

pub(in super::super) fn section(report: &RunReport) -> Option<Markup> {
    let importance = report
        .importance
        .as_ref()
        .filter(|known| !known.inputs.is_empty())?;
    let mut inputs: Vec<&InputImportance> = importance.inputs.iter().collect();
    inputs.sort_by(|a, b| b.drop.total_cmp(&a.drop));
    let is_map = inputs.iter().all(|input| input.block.is_some());
    let most = if is_map { OPEN_BLOCKS } else { OPEN_ROWS };
    let (open, folded) = inputs.split_at(inputs.len().min(most));
    let scale = Scale::of(importance, &inputs);
    let (caption, others) = if is_map {
        ("The blocks that contribute most", "other blocks")
    } else {
        (
            "What the inputs contribute, the most important first",
            "other inputs",
        )
    };
    Some(html! {
        (method(importance, &scale))
        div class=(if is_map { "charts" } else { "" }) {
            @if is_map { (map(&inputs, &scale)) }
            (table(open, &scale, caption))
        }
        @if !folded.is_empty() {
            details {
                summary { (count(folded.len() as u64)) " " (others) ", which contribute less" }
                (table(folded, &scale, others))
            }
        }
    })
}

fn method(importance: &Importance, scale: &Scale) -> Markup {
    let score = name(&importance.score).title;
    let unshuffled = match scale.is_share {
        true => percent(importance.unshuffled),
        false => figure(importance.unshuffled),
    };
    let times = match importance.repeats {
        1 => "once".to_owned(),
        repeats => format!("{repeats} times"),
    };
    html! {
        p {
            "How much of the score (" (score) ", here " (unshuffled) ") is lost when an input is "
            "shuffled among the examples, so that it says nothing any more. About 0: the network "
            "makes no use of it. "
            "Inputs that say the same as one another share what they contribute."
        }
        p class="hint" {
            "Measured on " (count(importance.rows as u64))
            @if importance.rows < importance.rows_of { " of " (count(importance.rows_of as u64)) }
            " test rows, each input shuffled " (times)
            @if importance.repeats > 1 { "; ± is the standard deviation over the repeats" }
            "."
            @if importance.left_out > 0 {
                " The last " (count(importance.left_out as u64)) " inputs were left out, to save "
                "time."
            }
        }
    }
}

/// From the lowest to the highest end of all bars, and how numbers are written beside them.
struct Scale {
    from: f64,
    to: f64,
    /// In percent of all examples.
    is_share: bool,
    decimals: usize,
    has_spread: bool,
}

impl Scale {
    fn of(importance: &Importance, inputs: &[&InputImportance]) -> Self {
        let end = |sign: f64| inputs.iter().map(move |i| i.drop + sign * i.deviation);
        let ends = end(-1.0).chain(end(1.0)).filter(|end| end.is_finite());
        let [from, to] = ends.fold([0.0, 0.0], |[a, b]: [f64; 2], end| [a.min(end), b.max(end)]);
        let is_share = name(&importance.score).is_share;
        let largest = inputs
            .iter()
            .map(|input| input.drop)
            .filter(|drop| drop.is_finite());
        let largest = largest.fold(1e-4, f64::max);
        Self {
            from,
            to: if to > from { to } else { from + 1.0 },
            is_share,
            // The largest has three digits.
            decimals: if is_share {
                1
            } else {
                (2.0 - largest.log10().floor()).clamp(0.0, 6.0) as usize
            },
            has_spread: importance.repeats > 1,
        }
    }

    /// All with equally many decimals.
    fn shown(&self, number: f64) -> String {
        let number = if self.is_share {
            number * 100.0
        } else {
            number
        };
        decimal(number, self.decimals)
    }

    fn place(&self, number: f64) -> f64 {
        ((number - self.from) / (self.to - self.from)).clamp(0.0, 1.0) * (BAR[0] - 4.0) + 2.0
    }
}

fn table(inputs: &[&InputImportance], scale: &Scale, caption: &str) -> Markup {
    html! {
        table class="bars" {
            caption { span { (caption) } }
            thead { tr {
                th scope="col" { "Input" }
                th scope="col" class="picture" { span class="unseen" { "Bar" } }
                th scope="col" class="number" {
                    "Lost score" @if scale.is_share { span class="meaning" { "percentage points" } }
                }
            } }
            tbody { @for input in inputs { tr {
                th scope="row" { (input.name) }
                td class="picture" { (bar(input, scale)) }
                td class="number" {
                    (scale.shown(input.drop))
                    @if scale.has_spread {
                        span class="spread" { "± " (scale.shown(input.deviation)) }
                    }
                }
            } } }
        }
    }
}

/// The same as the number beside it, so that who does not see it misses nothing.
fn bar(input: &InputImportance, scale: &Scale) -> Markup {
    let [zero, end] = [0.0, input.drop].map(|number| scale.place(number));
    let [low, high] = [-1.0, 1.0].map(|sign| scale.place(input.drop + sign * input.deviation));
    let [left, right] = [zero.min(end), zero.max(end)];
    let middle = BAR[1] / 2.0;
    html! {
        svg viewBox=(format!("0 0 {} {}", BAR[0], BAR[1])) aria-hidden="true" {
            rect class=(if input.drop < 0.0 { "bar negative" } else { "bar" })
                x=(coordinate(left)) y="3"
                width=(coordinate(right - left)) height=(coordinate(BAR[1] - 6.0)) {

                }
            path class="axis" d=(line([zero, 0.0], [zero, BAR[1]])) {}
            @if high - low > 1.0 {
                path class="whisker" d=(line([low, middle], [high, middle])) {}
                path class="whisker" d=(line([low, middle - 3.0], [low, middle + 3.0])) {}
                path class="whisker" d=(line([high, middle - 3.0], [high, middle + 3.0])) {}
            }
        }
    }
}

/// The blocks where they lie in the picture, the darker the more they contribute.
fn map(inputs: &[&InputImportance], scale: &Scale) -> Markup {
    let blocks: Vec<_> = inputs
        .iter()
        .filter_map(|input| Some((input.block?, *input)))
        .collect();
    let side = |end: fn(&[usize; 4]) -> usize| {
        blocks
            .iter()
            .map(|(block, _)| end(block))
            .max()
            .unwrap_or(1)
    };
    let (width, height) = (
        side(|[x, _, across, _]| x + across),
        side(|[_, y, _, down]| y + down),
    );
    let unit = MAP / width as f64;
    let most = inputs
        .iter()
        .map(|input| input.drop)
        .fold(f64::MIN_POSITIVE, f64::max);
    let content = html! {
        @for ([x, y, across, down], input) in &blocks {
            @let [x, y, across, down] = [*x, *y, *across, *down].map(|pixels| pixels as f64 * unit);
            rect class="block" x=(coordinate(x)) y=(coordinate(y))
                width=(coordinate(across)) height=(coordinate(down))
                style=(format!("--share:{:.2}", (input.drop / most).clamp(0.0, 1.0))) {}
            @if across >= 9.0 * (scale.decimals + 2) as f64 {
                text text-anchor="middle"
                    x=(coordinate(x + across / 2.0)) y=(coordinate(y + down / 2.0 + 4.0)) {
                    (scale.shown(input.drop))
                }
            }
        }
    };
    let description = format!(
        "The picture in {} blocks, the stronger in colour the more they contribute. Most of \
         all: {}.",
        count(blocks.len() as u64),
        inputs.first().map_or("", |input| input.name.as_str()),
    );
    let size = [MAP, unit * height as f64];
    html! {
        figure class="map" {
            figcaption {
                strong { "Where it looks" }
                " – lost score for each block of the picture"
                @if scale.is_share { ", in percentage points" }
                "; the stronger the colour, the more"
            }
            (drawing("map", "What the blocks contribute", &description, size, &content))
        }
    }
}
