//! Numbers as people read them.

/// Between a number and its unit, where no line may break.
pub(super) const SPACE: char = '\u{a0}';
const SUPERSCRIPTS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];

/// Four significant digits: `0.9667`, `12,350`, `1.2 × 10⁻⁵`.
pub(super) fn figure(number: f64) -> String {
    significant(number, 4)
}

/// So many significant digits, without zeros at the end.
pub(super) fn significant(number: f64, digits: i32) -> String {
    if number.is_nan() {
        return "not a number".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    // Rounding may carry: 0.99999 is 1.000.
    let rounded = format!("{number:.*e}", (digits - 1).max(0) as usize);
    let Some((mantissa, exponent)) = rounded.split_once('e') else {
        return rounded;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..7).contains(&exponent) {
        let power = superscript(exponent);
        return minus(&format!(
            "{}{SPACE}×{SPACE}10{power}",
            without_zeros(mantissa)
        ));
    }
    let decimals = (digits - 1 - exponent).max(0) as usize;
    minus(&grouped(&without_zeros(&format!("{number:.decimals$}"))))
}

/// `96.7 %`; nearer to 0 or 1 with the digits that tell it from them.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if !percent.is_finite() {
        return figure(share);
    }
    let from_end = percent.abs().min((100.0 - percent).abs());
    let decimals = match from_end {
        0.0 => 0,
        small if small < 0.005 => 3,
        small if small < 0.05 => 2,
        _ => 1,
    };
    minus(&format!("{percent:.decimals$}{SPACE}%"))
}

/// A share in whole percent, for narrow cells: `97 %`, `<1 %`, `>99 %`.
pub(super) fn short_percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent.round() {
        r if r == 0.0 && percent > 0.0 => format!("<1{SPACE}%"),
        r if r == 100.0 && percent < 100.0 => format!(">99{SPACE}%"),
        rounded => format!("{rounded}{SPACE}%"),
    }
}

/// So many decimals; nothing that rounds to 0 has a sign.
pub(super) fn decimal(number: f64, decimals: usize) -> String {
    if !number.is_finite() {
        return figure(number);
    }
    let text = grouped(&format!("{number:.decimals$}"));
    let is_zero = !text.contains(|digit: char| ('1'..='9').contains(&digit));
    minus(text.strip_prefix('-').filter(|_| is_zero).unwrap_or(&text))
}

/// `4,128`.
pub(super) fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// A count that is not exact, with three digits: `1,780,000`.
pub(super) fn about(number: f64) -> String {
    let number = number.max(0.0);
    let unit = 10_f64.powf((number.max(1.0).log10().floor() - 2.0).max(0.0));
    count(((number / unit).round() * unit) as u64)
}

/// `85 ms`, `3.2 s`, `2 min 5 s`, `1 h 3 min`.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() || s < 0.0 => "unknown".to_owned(),
        s if s < 1.0 => format!("{}{SPACE}ms", significant(s * 1e3, 2)),
        s if s < 59.95 => format!("{}{SPACE}s", significant(s, 3)),
        s if s < 3599.5 => {
            let whole = s.round() as u64;
            format!("{}{SPACE}min {}{SPACE}s", whole / 60, whole % 60)
        }
        s => {
            let minutes = (s / 60.0).round() as u64;
            format!("{}{SPACE}h {}{SPACE}min", count(minutes / 60), minutes % 60)
        }
    }
}

/// A coordinate in a drawing.
pub(super) fn coordinate(number: f64) -> String {
    without_zeros(&format!("{number:.1}"))
}

fn without_zeros(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

/// Commas between thousands.
fn grouped(text: &str) -> String {
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let (sign, digits) = whole.split_at(usize::from(whole.starts_with('-')));
    let mut grouped = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// A real minus sign.
fn minus(text: &str) -> String {
    text.replacen('-', "−", 1)
}

fn superscript(exponent: i32) -> String {
    let sign = if exponent < 0 { "⁻" } else { "" };
    let digits = exponent.unsigned_abs().to_string();
    let digit = |digit: char| SUPERSCRIPTS[digit.to_digit(10).unwrap_or(0) as usize];
    sign.chars().chain(digits.chars().map(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.replace(SPACE, " ")
    }

    #[test]
    fn figures_have_four_digits() {
        let cases = [
            (0.0, "0"),
            (0.5, "0.5"),
            (0.966_666, "0.9667"),
            (0.999_99, "1"),
            (-3.25, "−3.25"),
            (12_345.6, "12,346"),
            (1_234_567.0, "1,234,567"),
            (12_345_678.0, "1.235 × 10⁷"),
            (0.000_123_4, "0.0001234"),
            (0.000_012, "1.2 × 10⁻⁵"),
            (f64::NAN, "not a number"),
            (f64::NEG_INFINITY, "−∞"),
        ];
        for (number, text) in cases {
            assert_eq!(plain(&figure(number)), text);
        }
    }

    #[test]
    fn percents_never_round_to_all_or_nothing() {
        let cases = [
            (1.0, "100 %"),
            (0.0, "0 %"),
            (0.9667, "96.7 %"),
            (0.9998, "99.98 %"),
            (0.0001, "0.01 %"),
            (-0.02, "−2.0 %"),
        ];
        for (share, text) in cases {
            assert_eq!(plain(&percent(share)), text);
        }
        assert_eq!(plain(&short_percent(0.001)), "<1 %");
        assert_eq!(plain(&short_percent(0.999)), ">99 %");
        assert_eq!(plain(&short_percent(0.5)), "50 %");
    }

    #[test]
    fn durations_take_the_unit_that_fits() {
        let cases = [
            (0.085, "85 ms"),
            (3.21, "3.21 s"),
            (59.97, "1 min 0 s"),
            (125.0, "2 min 5 s"),
            (3780.0, "1 h 3 min"),
            (f64::NAN, "unknown"),
        ];
        for (seconds, text) in cases {
            assert_eq!(plain(&duration(seconds)), text);
        }
    }

    #[test]
    fn decimals_keep_their_number() {
        let cases = [
            (1.0, 2, "1.00"),
            (-0.004, 2, "0.00"),
            (-0.006, 2, "−0.01"),
            (12_345.6, 0, "12,346"),
            (f64::NAN, 1, "not a number"),
        ];
        for (number, decimals, text) in cases {
            assert_eq!(decimal(number, decimals), text);
        }
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(count(999), "999");
        assert_eq!(count(4128), "4,128");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(about(1_778_607.0), "1,780,000");
        assert_eq!(about(12.3), "12");
        assert_eq!(
            (about(f64::NAN), about(-1.0)),
            ("0".to_owned(), "0".to_owned())
        );
    }
}
