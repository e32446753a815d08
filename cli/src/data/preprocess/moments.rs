//! Mean, deviation and range of the columns of a matrix, over some of its rows.

use crate::data::numbers::Numbers;

/// Of a column, without what is missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    pub(super) count: usize,
    pub(super) mean: f64,
    /// Of the population: √(Σ (x − mean)² / n).
    pub(super) deviation: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Moments {
    /// Whether there is one value at most.
    pub(super) fn is_constant(&self) -> bool {
        self.least >= self.most
    }

    /// Mean and scale: those of a column of one value are the value and 1. A deviation that is
    /// nothing but rounding counts as none.
    pub(super) fn mean_and_scale(&self) -> (f64, f64) {
        let noise = 10.0 * f64::EPSILON * self.least.abs().max(self.most.abs());
        if self.is_constant() {
            (self.least, 1.0)
        } else if self.deviation <= noise {
            (self.mean, 1.0)
        } else {
            (self.mean, self.deviation)
        }
    }
}

/// The moments of the columns, whatever the type of the numbers.
pub(super) fn moments_of(numbers: &Numbers, columns: usize, rows: &[usize]) -> Vec<Moments> {
    match numbers {
        Numbers::Bytes(values) => moments(values, columns, rows),
        Numbers::Singles(values) => moments(values, columns, rows),
        Numbers::Doubles(values) => moments(values, columns, rows),
    }
}

/// The moments of each column of a matrix that is stored row by row; two passes, in f64.
fn moments<T: Copy + Into<f64>>(values: &[T], columns: usize, rows: &[usize]) -> Vec<Moments> {
    let start = Moments {
        count: 0,
        mean: 0.0,
        deviation: 0.0,
        least: f64::INFINITY,
        most: f64::NEG_INFINITY,
    };
    let mut all = vec![start; columns];
    each(values, rows, &mut all, |moments, value| {
        moments.count += 1;
        moments.mean += value;
        moments.least = moments.least.min(value);
        moments.most = moments.most.max(value);
    });
    for moments in &mut all {
        moments.mean /= moments.count.max(1) as f64;
    }
    each(values, rows, &mut all, |moments, value| {
        moments.deviation += (value - moments.mean) * (value - moments.mean);
    });
    for moments in &mut all {
        moments.deviation = (moments.deviation / moments.count.max(1) as f64).sqrt();
    }
    all
}

fn each<T: Copy + Into<f64>>(
    values: &[T],
    rows: &[usize],
    all: &mut [Moments],
    mut add: impl FnMut(&mut Moments, f64),
) {
    for row in rows {
        let row = &values[row * all.len()..][..all.len()];
        for (moments, value) in all.iter_mut().zip(row) {
            let value: f64 = (*value).into();
            if !value.is_nan() {
                add(moments, value);
            }
        }
    }
}
