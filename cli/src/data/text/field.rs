//! What a field says: a number, a text, or nothing.

use std::borrow::Cow;

/// What stands for a value that is not there.
const MISSING: [&str; 8] = ["", "NA", "N/A", "NaN", "nan", "?", "null", "NULL"];

/// Whether a field, without blanks around it, says that there is no value.
pub(super) fn is_missing(field: &str) -> bool {
    // Most fields are numbers.
    !field.starts_with(|c: char| c.is_ascii_digit()) && MISSING.contains(&field)
}

/// A field without blanks around it as a number; perhaps an infinite one.
pub(super) fn number(field: &str, decimal: char) -> Option<f64> {
    if let Some(value) = small(field.as_bytes()) {
        return Some(value);
    }
    let text = match decimal {
        ',' if field.contains('.') => return None,
        ',' => Cow::from(field.replacen(',', ".", 1)),
        _ => Cow::from(field),
    };
    text.parse().ok().filter(|value: &f64| !value.is_nan())
}

/// Whole numbers below 1000: pixels, counts and classes, without a general parser.
fn small(field: &[u8]) -> Option<f64> {
    if field.is_empty() || field.len() > 3 {
        return None;
    }
    let mut value = 0;
    for byte in field {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = 10 * value + u16::from(digit);
    }
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_either_decimal_mark() {
        for (field, value) in [
            ("0", 0.0),
            ("007", 7.0),
            ("255", 255.0),
            ("1000", 1000.0),
            ("-3.25e2", -325.0),
            ("+.5", 0.5),
            ("0.1", 0.1),
        ] {
            assert_eq!(number(field, '.'), Some(value), "{field}");
        }
        assert_eq!(number("-3,25", ','), Some(-3.25));
        assert_eq!(number("1.234,5", ','), None);
        assert_eq!(number("1,234.5", '.'), None);
        assert_eq!(number("1,2,3", ','), None);
        for field in ["", "a", "1a", "-", "1 000", "nan", "0x10", "12:30"] {
            assert_eq!(number(field, '.'), None, "{field}");
        }
        assert_eq!(number("1e999", '.'), Some(f64::INFINITY));
    }

    #[test]
    fn missing_values_are_known() {
        for field in ["", "NA", "NaN", "?"] {
            assert!(is_missing(field), "{field}");
        }
        for field in ["0", "none", "a", "-"] {
            assert!(!is_missing(field), "{field}");
        }
    }
}
