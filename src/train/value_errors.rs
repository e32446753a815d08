//! How far outputs are from the values wanted.

use ndarray::{ArrayView1, ArrayView2};

/// How far one output is from the values wanted of it, over a data set. Each is NaN without
/// examples, and where an output is NaN.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValueErrors {
    /// √(Σ_i (t_i − y_i)² / examples).
    pub root_mean_squared_error: f64,
    /// Σ_i |t_i − y_i| / examples.
    pub mean_absolute_error: f64,
    /// The largest |t_i − y_i|.
    pub max_error: f64,
    /// 1 − Σ_i (t_i − y_i)² / Σ_i (y_i − ȳ)², the coefficient of determination; NaN where y does not
    /// vary.
    pub r2: f64,
    squares: f64,
    variation: f64,
}

impl ValueErrors {
    /// Of each column of the outputs `t` against the same of `y`, both examples × outputs.
    pub(super) fn of_columns(t: ArrayView2<'_, f32>, y: ArrayView2<'_, f32>) -> Vec<Self> {
        let pairs = t.columns().into_iter().zip(y.columns());
        pairs.map(|(t, y)| Self::of(t, y)).collect()
    }

    fn of(t: ArrayView1<'_, f32>, y: ArrayView1<'_, f32>) -> Self {
        let examples = y.len() as f64;
        let errors = || {
            let pairs = t.iter().zip(y);
            pairs.map(|(t, y)| (f64::from(*t) - f64::from(*y)).abs())
        };
        let squares: f64 = errors().map(|error| error * error).sum();
        let variation = variation(y);
        Self {
            root_mean_squared_error: (squares / examples).sqrt(),
            mean_absolute_error: errors().sum::<f64>() / examples,
            max_error: largest(errors()),
            r2: r2(squares, variation),
            squares,
            variation,
        }
    }
}

/// The mean of a number over the outputs; NaN without any.
pub(super) fn mean(outputs: &[ValueErrors], of: fn(&ValueErrors) -> f64) -> f64 {
    outputs.iter().map(of).sum::<f64>() / outputs.len() as f64
}

pub(super) fn max_error(outputs: &[ValueErrors]) -> f64 {
    largest(outputs.iter().map(|output| output.max_error))
}

/// R² of all outputs together: their errors and variations are added up.
pub(super) fn total_r2(outputs: &[ValueErrors]) -> f64 {
    let sum = |of: fn(&ValueErrors) -> f64| outputs.iter().map(of).sum();
    r2(sum(|output| output.squares), sum(|output| output.variation))
}

/// The mean of R² over the outputs whose y varies.
pub(super) fn mean_r2(outputs: &[ValueErrors]) -> f64 {
    let varying = outputs.iter().filter(|output| output.variation > 0.0);
    let varying: Vec<_> = varying.copied().collect();
    mean(&varying, |output| output.r2)
}

fn r2(squares: f64, variation: f64) -> f64 {
    // 0 / 0 would be NaN by itself; errors where nothing varies would be an infinity.
    if variation == 0.0 {
        return f64::NAN;
    }
    1.0 - squares / variation
}

/// NaN where one is, and without any.
fn largest(values: impl Iterator<Item = f64>) -> f64 {
    let larger = |a: f64, b: f64| if b > a || b.is_nan() { b } else { a };
    values.reduce(larger).unwrap_or(f64::NAN)
}

/// Σ_i (y_i − ȳ)²
fn variation(y: ArrayView1<'_, f32>) -> f64 {
    let values = y.iter().map(|y| f64::from(*y));
    let mean = values.clone().sum::<f64>() / y.len() as f64;
    values.map(|y| (y - mean).powi(2)).sum()
}
