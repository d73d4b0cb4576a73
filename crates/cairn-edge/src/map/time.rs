//! Times as devices write them: RFC 3339, or a number of seconds or milliseconds since 1970.

use serde::Deserialize;

use super::decimal::shown;
use super::{Decimal, Linear, MapError};

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeForm {
    /// A number is one of [`TimeForm::Epoch`], anything else [`TimeForm::Rfc3339`].
    #[default]
    Auto,
    /// Milliseconds since 1970 UTC.
    Ms,
    /// Seconds since 1970 UTC, maybe with decimals.
    S,
    /// Seconds or milliseconds since 1970: below 10^11 it is seconds, which lasts to the year 5138.
    Epoch,
    /// `2026-11-21T12:00:00.5Z` or with an offset from UTC; one without an offset is refused.
    Rfc3339,
    /// As RFC 3339, where a time without an offset is UTC.
    Utc,
}

/// From this number on an epoch is in milliseconds.
const EPOCH_MS_FROM: u64 = 100_000_000_000;

/// The end of the year 9999, beyond which nothing is a time.
const TIME_MS_MAX: u64 = 253_402_300_799_999;

/// ms since 1970 UTC, up to the year 9999.
///
/// # Errors
/// `EDGE-TIME`, also for times before 1970.
pub fn parse_time(text: &str, form: TimeForm) -> Result<u64, MapError> {
    let text = text.trim();
    let number = Decimal::parse(text).ok();
    let (read, expected) = match form {
        TimeForm::Auto if number.is_some() => (number.and_then(epoch), "seconds or milliseconds since 1970"),
        TimeForm::Epoch => (number.and_then(epoch), "seconds or milliseconds since 1970"),
        TimeForm::Ms => (number.and_then(|number| scaled(number, 1)), "milliseconds since 1970"),
        TimeForm::S => (number.and_then(|number| scaled(number, 1_000)), "seconds since 1970"),
        TimeForm::Auto | TimeForm::Rfc3339 => {
            (rfc3339(text, false), "RFC 3339 with an offset, such as 2026-11-21T12:00:00Z")
        }
        TimeForm::Utc => (rfc3339(text, true), "RFC 3339, such as 2026-11-21T12:00:00"),
    };
    let read = read.filter(|time_ms| *time_ms <= TIME_MS_MAX);
    read.ok_or_else(|| MapError::Time { text: shown(text), expected })
}

fn scaled(number: Decimal, ms: i128) -> Option<u64> {
    u64::try_from(Linear::of(ms, 0, 1)?.nearest(number).ok()?).ok()
}

fn epoch(number: Decimal) -> Option<u64> {
    let whole = scaled(number, 1)?;
    if whole < EPOCH_MS_FROM { scaled(number, 1_000) } else { Some(whole) }
}

/// `YYYY-MM-DD`, `T` or a space, `hh:mm:ss`, decimals if any, and `Z` or an offset; decimals beyond ms are cut.
fn rfc3339(text: &str, is_utc: bool) -> Option<u64> {
    let bytes = text.as_bytes();
    let (clock, rest) = bytes.split_at_checked(19)?;
    let digits = |from: usize, to: usize| {
        let part = &clock[from..to];
        part.iter().try_fold(0i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    };
    let signs = [(4, b"-"), (7, b"-"), (13, b":"), (16, b":")];
    let separated = signs.iter().all(|(at, sign)| clock[*at] == sign[0]) && matches!(clock[10], b'T' | b't' | b' ');
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    if !separated || day < 1 || day > days_of(year, month)? || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let part = rest.strip_prefix(b".").map_or(0, |part| part.iter().take_while(|byte| byte.is_ascii_digit()).count());
    let ms = match part {
        0 => 0,
        1..=9 => (0..3).fold(0, |sum, at| sum * 10 + if at < part { i64::from(rest[1 + at] - b'0') } else { 0 }),
        _ => return None,
    };
    let offset = offset(&rest[if part > 0 { part + 1 } else { 0 }..], is_utc)?;
    // A leap second is the first second of the next minute.
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    u64::try_from(seconds * 1_000 + ms).ok()
}

/// The offset from UTC in seconds.
fn offset(text: &[u8], is_utc: bool) -> Option<i64> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    match text {
        b"Z" | b"z" => Some(0),
        b"" if is_utc => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] | [sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
            let (hours, minutes) = (digit(*h1)? * 10 + digit(*h2)?, digit(*m1)? * 10 + digit(*m2)?);
            let seconds = (hours <= 23 && minutes <= 59).then_some(hours * 3_600 + minutes * 60)?;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> Option<i64> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if is_leap(year) { 29 } else { 28 }),
        _ => None,
    }
}

/// Days of the proleptic Gregorian calendar, counted in years that begin in March.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

/// A time as RFC 3339 in UTC with milliseconds, such as `2023-11-14T22:13:20.000Z`; those beyond the year 9999 are shown as its
/// end.
#[must_use]
pub fn format_time(time_ms: u64) -> String {
    let time_ms = time_ms.min(TIME_MS_MAX);
    let (seconds, ms) = (time_ms / 1_000, time_ms % 1_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // The reverse of `days_since_1970`, counted from 1 March of the year 0.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        use TimeForm as F;
        let cases = [
            ("1700000000000", F::Ms, 1_700_000_000_000),
            ("1700000000", F::S, 1_700_000_000_000),
            ("1700000000.25", F::S, 1_700_000_000_250),
            ("1.7e9", F::Auto, 1_700_000_000_000),
            ("1700000000123", F::Auto, 1_700_000_000_123),
            ("99999999999", F::Epoch, 99_999_999_999_000),
            ("100000000000", F::Epoch, 100_000_000_000),
            ("2023-11-14T22:13:20Z", F::Auto, 1_700_000_000_000),
            ("2023-11-14t22:13:20.5z", F::Rfc3339, 1_700_000_000_500),
            ("2023-11-14 23:13:20.123456789+01:00", F::Rfc3339, 1_700_000_000_123),
            ("2023-11-14T17:13:20.1-0500", F::Rfc3339, 1_700_000_000_100),
            ("2023-11-14T22:13:20", F::Utc, 1_700_000_000_000),
            ("1970-01-01T00:00:00Z", F::Auto, 0),
            ("2024-02-29T00:00:00Z", F::Auto, 1_709_164_800_000),
            ("2000-03-01T00:00:00Z", F::Auto, 951_868_800_000),
            ("2016-12-31T23:59:60Z", F::Auto, 1_483_228_800_000),
            ("9999-12-31T23:59:59.999Z", F::Auto, TIME_MS_MAX),
        ];
        for (text, form, expected) in cases {
            assert_eq!(parse_time(text, form), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "-1",
            "nan",
            "1e30",
            "2023-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-00-01T00:00:00Z",
            "2023-01-00T00:00:00Z",
            "2023-01-01T24:00:00Z",
            "2023-01-01T00:60:00Z",
            "2023-01-01T00:00:61Z",
            "2023-01-01T00:00:00",
            "2023-01-01T00:00:00.Z",
            "2023-01-01T00:00:00+24:00",
            "2023-01-01T00:00:00+0:00",
            "1969-12-31T23:59:59Z",
            "2023-01-01",
            "2023/01/01T00:00:00Z",
            "2023-01-01T00:00:00.1234567890Z",
            "٢023-01-01T00:00:00Z",
            "2023-01-01T00:00:00+01:00x",
        ] {
            assert_eq!(parse_time(text, TimeForm::Auto).unwrap_err().code(), "EDGE-TIME", "{text}");
        }
        assert!(parse_time("yesterday", TimeForm::Utc).is_err());
    }

    proptest! {
        #[test]
        fn a_time_that_is_shown_reads_the_same(time_ms in 0..=TIME_MS_MAX) {
            prop_assert_eq!(parse_time(&format_time(time_ms), TimeForm::Rfc3339), Ok(time_ms));
        }
    }

    #[test]
    fn every_day_follows_the_one_before_it() {
        let mut days = 0;
        for year in 1970..2400 {
            for month in 1..=12 {
                for day in 1..=days_of(year, month).unwrap() {
                    assert_eq!(days_since_1970(year, month, day), days, "{year}-{month}-{day}");
                    days += 1;
                }
            }
        }
    }
}
