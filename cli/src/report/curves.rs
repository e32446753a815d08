//! How a training went, as curves that are thinned out to what can be seen.

use serde::Serialize;

/// The most points of a curve that is drawn.
const MOST_POINTS: usize = 1000;

/// How a training went, over the epochs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Curves {
    /// The epoch whose weights the network has, from 1, where it is not the last.
    pub best_epoch: Option<f64>,
    /// The charts in the order in which they are shown: the loss, the metrics, the learning rate.
    pub charts: Vec<Chart>,
}

/// A few curves with one axis.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Chart {
    /// What is drawn: `loss`, a metric by the name that the library has for it, or `learning_rate`.
    /// A loss that varies much is drawn on a logarithmic scale.
    pub quantity: String,
    /// Its curves, up to four of which can be told apart.
    pub series: Vec<Series>,
}

/// A curve.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    /// *training*, *validation*, *test*; empty where there is but one.
    pub name: String,
    /// Points (x, y): how many epochs had passed, whole or in part, and the value there.
    pub points: Vec<[f64; 2]>,
}

impl Chart {
    /// A chart without curves.
    #[must_use]
    pub fn new(quantity: impl Into<String>) -> Self {
        Self {
            quantity: quantity.into(),
            series: Vec::new(),
        }
    }

    /// The same with one more curve, of points (epochs passed, value) in the order of time; without
    /// points, no curve. Thinned out by [`thinned`].
    #[must_use]
    pub fn with(
        mut self,
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        let points: Vec<_> = points.into_iter().map(|(x, y)| [x, y]).collect();
        if !points.is_empty() {
            self.series.push(Series {
                name: name.into(),
                points: thinned(&points),
            });
        }
        self
    }
}

/// At most 1,000 of the points: the first, the last, and in each of 499 stretches of equal length
/// between them the lowest and the highest, so that no spike gets lost. Of a stretch that has a
/// value that is no number, that one stays instead.
#[must_use]
pub fn thinned(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let [first, between @ .., last] = points else {
        return points.to_vec();
    };
    if points.len() <= MOST_POINTS {
        return points.to_vec();
    }
    let stretches = MOST_POINTS / 2 - 1;
    let begin = |stretch: usize| stretch * between.len() / stretches;
    let mut kept = vec![*first];
    for stretch in 0..stretches {
        let stretch = &between[begin(stretch)..begin(stretch + 1)];
        let [a, b] = extremes(stretch);
        kept.push(stretch[a]);
        if a != b {
            kept.push(stretch[b]);
        }
    }
    kept.push(*last);
    kept
}

/// Where the lowest and the highest are, the earlier of them first; of no number both. Wants a
/// point
/// at least.
fn extremes(points: &[[f64; 2]]) -> [usize; 2] {
    let mut pair = [0, 0];
    for (index, [_, y]) in points.iter().enumerate() {
        if !y.is_finite() {
            return [index, index];
        }
        if *y < points[pair[0]][1] {
            pair[0] = index;
        }
        if *y > points[pair[1]][1] {
            pair[1] = index;
        }
    }
    pair.sort_unstable();
    pair
}
