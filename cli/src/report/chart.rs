//! Axes, and what lies between them, as SVG.
//!
//! Drawings are 340 units wide and shown at about that many pixels, on a phone and on a desk, so
//! that their texts are as large as those of the page.

use maud::{Markup, html};

use super::number::{SPACE, coordinate, significant};

/// Width and height of a chart with two axes.
pub(super) const SIZE: [f64; 2] = [340.0, 230.0];
/// What is left free for labels: top, right, bottom. How much on the left depends on the numbers.
const MARGINS: [f64; 3] = [22.0, 12.0, 40.0];
/// The width of a digit.
const DIGIT: f64 = 7.0;
/// About so many ticks.
const TICKS: f64 = 5.0;

/// A stretch of numbers along a side of a chart.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    label: String,
    from: f64,
    to: f64,
    is_log: bool,
    is_share: bool,
    is_whole: bool,
}

impl Axis {
    /// From one number to another, a little further where they are equal.
    pub(super) fn linear(label: impl Into<String>, from: f64, to: f64) -> Self {
        let spread = to - from;
        let margin = match spread {
            s if s > (from.abs() + to.abs()) * 1e-9 => 0.0,
            _ if from == 0.0 => 0.5,
            // All values are equal: some room on either side.
            _ => from.abs() * 0.1,
        };
        Self {
            label: label.into(),
            from: from - margin,
            to: to + margin,
            is_log: false,
            is_share: false,
            is_whole: false,
        }
    }

    /// The same on a logarithmic scale; both must be positive.
    pub(super) fn logarithmic(label: impl Into<String>, from: f64, to: f64) -> Self {
        Self {
            is_log: true,
            ..Self::linear(label, from, to)
        }
    }

    /// The same with ticks in percent.
    pub(super) fn in_percent(self) -> Self {
        Self {
            is_share: true,
            ..self
        }
    }

    /// The same with ticks at whole numbers alone.
    pub(super) fn in_whole(self) -> Self {
        Self {
            is_whole: true,
            ..self
        }
    }

    /// The same, wider: to the ticks around both ends.
    pub(super) fn rounded(self) -> Self {
        if self.is_log {
            return self;
        }
        let step = self.step();
        Self {
            from: (self.from / step + 1e-9).floor() * step,
            to: (self.to / step - 1e-9).ceil() * step,
            ..self
        }
    }

    /// Whether equal distances are equal ratios.
    pub(super) fn is_logarithmic(&self) -> bool {
        self.is_log
    }

    /// 0 at its beginning, 1 at its end; what lies outside is moved to the nearer one.
    fn place(&self, number: f64) -> f64 {
        let scale = |number: f64| if self.is_log { number.ln() } else { number };
        let [from, to, at] = [self.from, self.to, number].map(scale);
        ((at - from) / (to - from)).clamp(0.0, 1.0)
    }

    fn step(&self) -> f64 {
        let rough = (self.to - self.from) / TICKS;
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0].map(|step| step * power);
        let fits = steps.iter().find(|step| **step >= rough * 0.999);
        let step = fits.copied().unwrap_or(10.0 * power);
        if self.is_whole { step.max(1.0) } else { step }
    }

    fn ticks(&self) -> Vec<f64> {
        if self.is_log {
            return self.log_ticks();
        }
        let step = self.step();
        let first = (self.from / step - 1e-6).ceil() as i64;
        let last = (self.to / step + 1e-6).floor() as i64;
        (first..=last).map(|tick| tick as f64 * step).collect()
    }

    /// Powers of ten; with 2 and 5 times them where there are few.
    fn log_ticks(&self) -> Vec<f64> {
        let first = self.from.log10().floor() as i32;
        let last = self.to.log10().ceil() as i32;
        let within = |tick: &f64| (self.from..=self.to).contains(tick);
        let multiples: &[f64] = match last - first {
            ..=3 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let every = ((last - first) / 6).max(1) as usize;
        let powers = (first..=last).step_by(every);
        let ticks = powers.flat_map(|power| multiples.iter().map(move |m| m * 10_f64.powi(power)));
        ticks.filter(within).collect()
    }

    fn tick(&self, number: f64) -> String {
        if self.is_share {
            return format!("{}{SPACE}%", significant(number * 100.0, 3));
        }
        significant(number, 3)
    }
}

/// Two axes.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) size: [f64; 2],
}

impl Frame {
    /// Where a point is drawn.
    pub(super) fn at(&self, x: f64, y: f64) -> [f64; 2] {
        let [left, top, right, bottom] = self.sides();
        [
            left + self.x.place(x) * (right - left),
            bottom - self.y.place(y) * (bottom - top),
        ]
    }

    /// Left, top, right and bottom side of what lies between the axes.
    pub(super) fn sides(&self) -> [f64; 4] {
        let [top, right, bottom] = MARGINS;
        let ticks = self.y.ticks();
        let digits = ticks.iter().map(|tick| self.y.tick(*tick).chars().count());
        let left = 12.0 + DIGIT * digits.max().unwrap_or(0) as f64;
        [left, top, self.size[0] - right, self.size[1] - bottom]
    }

    /// Lines, ticks and labels of both axes.
    pub(super) fn axes(&self) -> Markup {
        let [left, _, right, bottom] = self.sides();
        html! {
            g class="axes" aria-hidden="true" {
                @for tick in self.y.ticks() {
                    @let y = self.at(self.x.from, tick)[1];
                    path class="grid" d=(line([left, y], [right, y])) {}
                    text x=(coordinate(left - 6.0)) y=(coordinate(y + 4.0)) text-anchor="end" {
                        (self.y.tick(tick))
                    }
                }
                @for tick in self.x.ticks() {
                    @let x = self.at(tick, self.y.from)[0];
                    path class="tick" d=(line([x, bottom], [x, bottom + 4.0])) {}
                    text x=(coordinate(x)) y=(coordinate(bottom + 17.0)) text-anchor="middle" {
                        (self.x.tick(tick))
                    }
                }
                path class="axis" d=(line([left, bottom], [right, bottom])) {}
                text class="label" text-anchor="middle"
                    x=(coordinate(f64::midpoint(left, right))) y=(coordinate(self.size[1] - 5.0)) {
                    (self.x.label)
                }
                text class="label" x="0" y="11" { (self.y.label) }
            }
        }
    }

    /// A curve, with a gap where a value is no number, or none that has a place on the scale.
    pub(super) fn curve(&self, points: &[[f64; 2]]) -> String {
        let mut path = String::new();
        let mut is_drawing = false;
        for [x, y] in points {
            let has_place = y.is_finite() && !(self.y.is_log && *y <= 0.0);
            if has_place {
                let [x, y] = self.at(*x, *y).map(coordinate);
                path += &format!("{}{x} {y}", if is_drawing { "L" } else { "M" });
            }
            is_drawing = has_place;
        }
        path
    }
}

/// A text that fits under an axis.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 28;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST - 1).chain(['…']).collect()
}

/// A straight line.
pub(super) fn line(from: [f64; 2], to: [f64; 2]) -> String {
    let [a, b, c, d] = [from[0], from[1], to[0], to[1]].map(coordinate);
    format!("M{a} {b}L{c} {d}")
}

/// Dots, as short strokes with round ends: a tenth of what as many circles take.
pub(super) fn dots<'a>(places: impl IntoIterator<Item = &'a [f64; 2]>) -> String {
    let dot = |place: &[f64; 2]| {
        let [x, y] = place.map(coordinate);
        format!("M{x} {y}h.01")
    };
    places.into_iter().map(dot).collect()
}

/// A drawing with what it is called and what it shows, for who does not see it.
pub(super) fn drawing(
    id: &str,
    title: &str,
    description: &str,
    size: [f64; 2],
    content: &Markup,
) -> Markup {
    let [width, height] = size.map(coordinate);
    html! {
        svg role="img" viewBox=(format!("0 0 {width} {height}"))
            aria-labelledby=(format!("{id}-title {id}-description")) {
            title id=(format!("{id}-title")) { (title) }
            desc id=(format!("{id}-description")) { (description) }
            (content)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        let ticks = |axis: Axis| {
            axis.ticks()
                .iter()
                .map(|t| axis.tick(*t))
                .collect::<Vec<_>>()
        };
        let linear = Axis::linear("", 0.0, 23.0);
        assert_eq!(ticks(linear), ["0", "5", "10", "15", "20"]);
        let share = Axis::linear("", 0.83, 0.99).in_percent();
        assert_eq!(ticks(share), ["85\u{a0}%", "90\u{a0}%", "95\u{a0}%"]);
        let log = Axis::logarithmic("", 0.03, 2.0);
        assert_eq!(ticks(log), ["0.05", "0.1", "0.2", "0.5", "1", "2"]);
        let whole = Axis::linear("", 0.0, 2.0).in_whole();
        assert_eq!(ticks(whole), ["0", "1", "2"]);
        let wide = Axis::logarithmic("", 1e-6, 1.0);
        assert_eq!(ticks(wide).len(), 7);
    }

    #[test]
    fn axes_have_a_width_whatever_they_show() {
        for number in [0.0, 3.0, -2e9, 1e-12] {
            let axis = Axis::linear("", number, number);
            assert!(axis.from < number && number < axis.to);
            assert!(!axis.ticks().is_empty());
        }
        let rounded = Axis::linear("", 0.3, 9.2).rounded();
        assert_eq!((rounded.from, rounded.to), (0.0, 10.0));
    }

    #[test]
    fn curves_have_gaps_where_there_is_no_number() {
        let frame = Frame {
            x: Axis::linear("", 0.0, 3.0),
            y: Axis::linear("", 0.0, 1.0),
            size: SIZE,
        };
        let path = frame.curve(&[[0.0, 0.0], [1.0, f64::NAN], [2.0, 0.5], [3.0, 1.0]]);
        assert_eq!(path, "M33 190M229.7 106L328 22");
    }
}
