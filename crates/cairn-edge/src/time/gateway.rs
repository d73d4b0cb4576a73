//! The time in a gateway's answer: its `Date` header (RFC 9110, 6.6.1), which every answer has, whichever gateway it is of.
//!
//! It is in whole seconds, cut or rounded. An answer that a cache kept (`Age`) tells when it was kept.

use super::{FLOOR_MS, Offset};
use crate::map::{TimeForm, parse_time};

/// How far a gateway's own clock may be off that calls itself synchronised. It does not say; who is further off is outvoted
/// where there are several, and refused where NTP says otherwise.
const OWN_ERROR_US: i64 = 1_000_000;

/// UTC less the boot clock, given when the request was sent and the answer's head came by that clock.
///
/// # Errors
/// Why not, in words.
pub fn offset(date: &str, age: Option<&str>, asked_boot_us: i64, came_boot_us: i64) -> Result<Offset, String> {
    if age.is_some_and(|age| age.trim() != "0") {
        return Err("the answer comes from a cache".to_owned());
    }
    let time_ms = parse(date).ok_or_else(|| "its `Date` is none".to_owned())?;
    if time_ms < FLOOR_MS {
        return Err("its time is long past".to_owned());
    }
    let time_us = time_ms * 1_000;
    // Cut to a second it is up to a second later, rounded up to half of one earlier.
    let lo_us = time_us - 500_000 - OWN_ERROR_US - came_boot_us;
    let hi_us = time_us + 1_000_000 + OWN_ERROR_US - asked_boot_us;
    Offset::between(lo_us, hi_us).ok_or_else(|| "it came before it was asked for".to_owned())
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the only form that may be sent, in ms since 1970.
fn parse(date: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = date.trim().split_once(", ")?;
    let mut parts = rest.split(' ');
    let (day, month, year, time) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if parts.next() != Some("GMT") || parts.next().is_some() {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    i64::try_from(parse_time(&format!("{year}-{month:02}-{day}T{time}Z"), TimeForm::Rfc3339).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_the_one_form_in_which_they_are_sent() {
        for (date, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777_000)),
            ("Sat, 21 Nov 2026 06:50:00 GMT", Some(1_795_243_800_000)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun Nov  6 08:49:37 1994", None),
            ("Sun, 06 Nov 1994 08:49:37 +0100", None),
            ("Sun, 31 Feb 2027 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT, x", None),
            ("", None),
        ] {
            assert_eq!(parse(date), expected, "{date}");
        }
    }

    #[test]
    fn a_date_bounds_the_truth_by_its_resolution_and_the_round_trip() {
        let offset_of =
            |date, age, asked, came| offset(date, age, asked, came).map(|found| (found.lo_us(), found.hi_us()));
        let (date, time_us) = ("Sat, 21 Nov 2026 06:50:00 GMT", 1_795_243_800_000_000i64);
        let expected = (time_us - 1_500_000 - 2_300_000, time_us + 2_000_000 - 2_000_000);
        assert_eq!(offset_of(date, None, 2_000_000, 2_300_000), Ok(expected));
        assert_eq!(offset_of(date, Some("0"), 2_000_000, 2_300_000), Ok(expected));
        for (date, age, part) in [
            (date, Some("12"), "cache"),
            ("Sun, 01 Jan 2012 00:00:00 GMT", None, "long past"),
            ("today", None, "is none"),
        ] {
            assert!(offset_of(date, age, 0, 0).unwrap_err().contains(part));
        }
    }
}
