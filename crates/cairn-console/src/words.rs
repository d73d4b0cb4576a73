//! Times, durations, amounts and counts as people read them.

use cairn_core::Amount;

/// A time as `2026-02-13 11:12:56Z`, with milliseconds only when there are some.
#[must_use]
pub fn utc(time_ms: u64) -> String {
    let (days, in_day_ms) = (time_ms / 86_400_000, time_ms % 86_400_000);
    let (year, month, day) = civil(days);
    let (second, ms) = (in_day_ms / 1_000, in_day_ms % 1_000);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let part = if ms == 0 { String::new() } else { format!(".{ms:03}") };
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{part}Z")
}

/// A time as RFC 3339 has it: `2026-02-13T11:12:56Z`.
#[must_use]
pub fn rfc3339(time_ms: u64) -> String {
    utc(time_ms).replace(' ', "T")
}

/// The year that a time lies in, by UTC.
#[must_use]
pub const fn year_of(time_ms: u64) -> u64 {
    civil(time_ms / 86_400_000).0
}

/// When a year begins, ms since 1970 UTC; years before 1970 begin at 0, and those after 9999 never.
#[must_use]
pub fn year_start_ms(year: u64) -> u64 {
    if year > 9_999 {
        return u64::MAX;
    }
    // Years since, with a day more for each leap year that is over.
    let over = |year: u64| {
        let before = year.saturating_sub(1);
        before * 365 + before / 4 - before / 100 + before / 400
    };
    over(year.max(1_970)).saturating_sub(over(1_970)) * 86_400_000
}

/// Digits in threes, parted by narrow spaces that do not break, where there are more than four before the point.
#[must_use]
pub fn grouped(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let digits = whole.trim_start_matches('-');
    if digits.len() < 5 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return number.to_owned();
    }
    let mut shown = whole[..whole.len() - digits.len()].to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown + rest
}

/// Year, month and day of a number of days since 1970-01-01 (H. Hinnant, "chrono-compatible low-level date algorithms").
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// A duration in its two largest units, such as `2 h 5 min`.
#[must_use]
pub fn duration(ms: u64) -> String {
    const UNITS: [(u64, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")];
    let Some(first) = UNITS.iter().position(|(unit_ms, _)| ms >= *unit_ms) else { return "0 s".to_owned() };
    let (unit_ms, unit) = UNITS[first];
    let whole = format!("{} {unit}", ms / unit_ms);
    match UNITS.get(first + 1).map(|(next_ms, next)| (ms % unit_ms / next_ms, next)) {
        Some((rest, next)) if rest > 0 => format!("{whole} {rest} {next}"),
        _ => whole,
    }
}

/// How long ago something was, in whole minutes: so that a page is the same page from one second to the next.
#[must_use]
pub fn ago(ms: u64) -> String {
    match ms / 60_000 {
        0 => "less than a minute ago".to_owned(),
        minutes => format!("{} ago", duration(minutes * 60_000)),
    }
}

/// Base units as tokens with their symbol, exactly: `123.45 CAIRN`. What is no amount is shown as it stands.
#[must_use]
pub fn tokens(units: &str, decimals: u8, symbol: &str) -> String {
    match Amount::parse(units) {
        Ok(amount) => format!("{} {symbol}", amount.display(decimals)),
        Err(_) => format!("{units} {symbol}"),
    }
}

/// A count with its noun: `1 entry`, `2 entries`.
#[must_use]
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Lines that repeat what is rehearsed, so that no number stands without it.
#[must_use]
pub fn rehearsed_lines(prefix: &str, rehearsed: &[String]) -> String {
    rehearsed.iter().map(|what| format!("{prefix}rehearsed: {what}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_the_calendar_has_them() {
        let cases = [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_400_000, "2000-02-29 00:00:00Z"),
            (1_709_209_800_250, "2024-02-29 12:30:00.250Z"),
            (1_767_225_599_000, "2025-12-31 23:59:59Z"),
            (4_107_542_400_000, "2100-03-01 00:00:00Z"),
        ];
        for (time_ms, text) in cases {
            assert_eq!(utc(time_ms), text);
        }
    }

    #[test]
    fn years_begin_where_the_calendar_has_them_and_hold_their_times() {
        for (year, start) in [
            (0, "1970-01-01T00:00:00Z"),
            (1970, "1970-01-01T00:00:00Z"),
            (1971, "1971-01-01T00:00:00Z"),
            (2000, "2000-01-01T00:00:00Z"),
            (2001, "2001-01-01T00:00:00Z"),
            (2026, "2026-01-01T00:00:00Z"),
            (2101, "2101-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(year_start_ms(year)), start);
        }
        for year in 1971..9_999 {
            let start_ms = year_start_ms(year);
            assert_eq!((year_of(start_ms - 1), year_of(start_ms)), (year - 1, year));
        }
        assert_eq!(year_start_ms(10_000), u64::MAX);
    }

    #[test]
    fn digits_stand_in_threes_and_are_the_same_digits() {
        for (number, shown) in [
            ("0", "0"),
            ("1234", "1234"),
            ("12345", "12 345"),
            ("-1234567.0001234", "-1 234 567.0001234"),
            ("100000", "100 000"),
            ("0.000000000000000001", "0.000000000000000001"),
            ("?", "?"),
            ("abcdef", "abcdef"),
        ] {
            assert_eq!(grouped(number), shown.replace(' ', "\u{202f}"));
        }
    }

    #[test]
    fn durations_show_their_two_largest_units() {
        let cases = [
            (0, "0 s"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (61_500, "1 min 1 s"),
            (7_500_000, "2 h 5 min"),
            (90_000_000, "1 d 1 h"),
            (86_400_999, "1 d"),
        ];
        for (ms, text) in cases {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn what_was_lately_was_the_same_minute_ago_all_along() {
        for (ms, told) in [
            (0, "less than a minute ago"),
            (59_999, "less than a minute ago"),
            (61_000, "1 min ago"),
            (7_559_000, "2 h 5 min ago"),
        ] {
            assert_eq!(ago(ms), told);
        }
    }

    #[test]
    fn tokens_are_exact() {
        assert_eq!(tokens("1234500", 4, "CAIRN"), "123.45 CAIRN");
        assert_eq!(tokens("?", 4, "CAIRN"), "? CAIRN");
    }
}
