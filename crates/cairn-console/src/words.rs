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
    fn tokens_are_exact() {
        assert_eq!(tokens("1234500", 4, "CAIRN"), "123.45 CAIRN");
        assert_eq!(tokens("?", 4, "CAIRN"), "? CAIRN");
    }
}
