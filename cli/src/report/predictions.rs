//! The answers of a regression beside the truth, summed up.

use serde::Serialize;

/// The most points of a scatter plot.
const MOST_POINTS: usize = 2000;
/// The most bars of a histogram.
const MOST_BARS: usize = 40;

/// The answers for one output beside the truth.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Predictions {
    /// The name of the column.
    pub name: String,
    /// How many answers there are.
    pub examples: u64,
    /// Pairs (true, predicted): all, or 2,000 of them, evenly spread over the rows.
    pub points: Vec<[f64; 2]>,
    /// How the errors, predicted − true, are spread.
    pub errors: ErrorHistogram,
    /// Half of all errors are smaller than this, whatever their sign.
    pub median_error: Option<f64>,
    /// Nine of ten errors are smaller than this, whatever their sign.
    pub ninetieth_error: Option<f64>,
    /// Answers that are not finite; they are in none of the figures above.
    pub not_finite: u64,
}

/// How errors are spread: bars of equal width.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ErrorHistogram {
    /// Where the first bar begins.
    pub from: f64,
    /// The width of a bar.
    pub width: f64,
    /// How many errors each bar holds.
    pub counts: Vec<u64>,
}

impl Predictions {
    /// Sums up pairs (true, predicted).
    ///
    /// ```
    /// use wgpu_linear_cli::report::Predictions;
    ///
    /// let summary = Predictions::of("price", [(1.0, 1.5), (2.0, 1.9), (3.0, 3.2)]);
    /// assert!((summary.median_error.unwrap_or_default() - 0.2).abs() < 1e-9);
    /// ```
    #[must_use]
    pub fn of(name: impl Into<String>, pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let pairs: Vec<[f64; 2]> = pairs.into_iter().map(|(y, t)| [y, t]).collect();
        let finite = |pair: &&[f64; 2]| pair.iter().all(|value| value.is_finite());
        let finite: Vec<[f64; 2]> = pairs.iter().filter(finite).copied().collect();
        let mut errors: Vec<f64> = finite.iter().map(|[y, t]| t - y).collect();
        let histogram = histogram(&errors);
        for error in &mut errors {
            *error = error.abs();
        }
        errors.sort_by(f64::total_cmp);
        Self {
            name: name.into(),
            examples: pairs.len() as u64,
            points: spread(&finite),
            errors: histogram,
            median_error: quantile(&errors, 0.5),
            ninetieth_error: quantile(&errors, 0.9),
            not_finite: (pairs.len() - finite.len()) as u64,
        }
    }
}

fn spread(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let kept = points.len().min(MOST_POINTS);
    let place = |index: usize| index * points.len() / kept;
    (0..kept).map(|index| points[place(index)]).collect()
}

/// The smallest value that so large a share of the sorted values does not exceed.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// Bars of a round width (1, 2 or 5 times a power of ten), one of which begins at 0.
fn histogram(errors: &[f64]) -> ErrorHistogram {
    let least = errors.iter().copied().fold(f64::INFINITY, f64::min);
    let most = errors.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if errors.is_empty() {
        return ErrorHistogram::default();
    }
    let bars = (errors.len() as f64).sqrt().clamp(8.0, MOST_BARS as f64);
    let range = (most - least).max(least.abs().max(most.abs()) * 1e-9);
    let width = round_up(if range > 0.0 { range / bars } else { 1.0 });
    let from = (least / width).floor() * width;
    // Where all are equal, or numbers are too large for their differences.
    let place = |error: f64| ((error - from) / width) as usize;
    let mut counts = vec![0; place(most).min(2 * MOST_BARS) + 1];
    let last = counts.len() - 1;
    for error in errors {
        counts[place(*error).min(last)] += 1;
    }
    ErrorHistogram {
        from,
        width,
        counts,
    }
}

/// The next number of the form 1, 2 or 5 times a power of ten.
fn round_up(number: f64) -> f64 {
    let power = 10_f64.powf(number.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let fits = |step: &&f64| **step >= number * (1.0 - 1e-9);
    steps.iter().find(fits).copied().unwrap_or(number)
}
