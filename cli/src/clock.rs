//! The date, in UTC.

use jiff::Timestamp;

/// *2026-11-27 14:03 UTC*.
#[must_use]
pub fn readable(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// *20261127-140359*, for names of folders.
#[must_use]
pub fn compact(time: Timestamp) -> String {
    time.strftime("%Y%m%d-%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let time = Timestamp::from_second(951_782_399).unwrap();
        assert_eq!(readable(time), "2000-02-28 23:59 UTC");
        assert_eq!(compact(time), "20000228-235959");
    }
}
