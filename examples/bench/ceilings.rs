//! What an adapter reaches at most: the ceilings of the crate, timed like the cases.

use wgpu_linear::check::{Ceiling, CeilingOf, Peaks, ceilings};

use crate::contenders::Step;
use crate::problem::Outcome;
use crate::report::Report;
use crate::timing::{Samples, Session, Work, measure};

/// Measures both ceilings; of multiply-adds the best of several ways to write them, and always the
/// fastest sample.
pub(crate) fn measure_peaks(
    session: &Session,
    min_time: f64,
    report: &mut Report,
) -> Outcome<Peaks> {
    let mut peaks = Peaks {
        flops: 0.0,
        bytes: 0.0,
    };
    for ceiling in ceilings(&session.gpu)? {
        let (of, variant, amount) = (ceiling.of, ceiling.variant.clone(), ceiling.amount);
        let samples = measure_peak(session, ceiling, min_time)?;
        let rate = amount / samples.fastest();
        if of == CeilingOf::Bytes {
            report.peak("peak_copy", &variant, &samples, [f64::NAN, amount])?;
            peaks.bytes = peaks.bytes.max(rate);
        } else {
            report.peak("peak_fma", &variant, &samples, [amount, f64::NAN])?;
            peaks.flops = peaks.flops.max(rate);
        }
    }
    Ok(peaks)
}

fn measure_peak(session: &Session, ceiling: Ceiling, min_time: f64) -> Outcome<Samples> {
    let work = Work::Device {
        session,
        steps: vec![Step::Ceiling(ceiling)],
    };
    // A ceiling is worth a moment, however short the cases are.
    let [_, end] = measure(&[&work], min_time.max(0.2))?;
    end.into_iter().next().ok_or_else(|| "no sample".into())
}
