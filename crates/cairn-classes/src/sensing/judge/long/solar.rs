//! Which part of the day a slot lies in, by the sun of its place.
//!
//! Mean solar time: longitude turned into time, 24 hours a turn, rounded toward zero to a millisecond. The sun itself is
//! up to 16 minutes ahead or behind (equation of time), which eight hours around noon and midnight forgive.

use cairn_core::geo::Position;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A part of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hours {
    /// 9 to 17 hours of local mean solar time.
    Day,
    /// 21 to 5 hours.
    Night,
    /// Neither, or not as a whole: a slot longer than eight hours is always neither.
    Other,
}

impl Hours {
    /// The part of the day that a whole slot lies in.
    pub fn of(slot: u64, slot_ms: u64, place: Position) -> Self {
        // A turn of 3.6 * 10^9 units takes 86.4 * 10^6 ms: 3 ms per 125 units.
        let ahead_ms = i64::from(place.lon_e7) * 3 / 125;
        let start_ms = (slot.wrapping_mul(slot_ms) % DAY_MS).cast_signed() + ahead_ms;
        let since = |hour: u64| start_ms.cast_unsigned().wrapping_add(2 * DAY_MS - hour * HOUR_MS) % DAY_MS;
        let within = |hour| since(hour).saturating_add(slot_ms) <= 8 * HOUR_MS;
        if within(9) {
            Self::Day
        } else if within(21) {
            Self::Night
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_of_the_day_follows_the_sun_of_the_place() {
        let cases = [
            // (hour of UTC, hours a slot, longitude in degrees, part of the day)
            (9, 1, 0, Hours::Day),
            (16, 1, 0, Hours::Day),
            (17, 1, 0, Hours::Other),
            (8, 1, 0, Hours::Other),
            (21, 1, 0, Hours::Night),
            (4, 1, 0, Hours::Night),
            (5, 1, 0, Hours::Other),
            (0, 1, 0, Hours::Night),
            (0, 1, 180, Hours::Day),
            (0, 1, -180, Hours::Day),
            (4, 1, 75, Hours::Day),
            (3, 1, 75, Hours::Other),
            (9, 1, -75, Hours::Night),
            (10, 1, -75, Hours::Other),
            (9, 8, 0, Hours::Day),
            (8, 8, 0, Hours::Other),
            (0, 24, 0, Hours::Other),
        ];
        for (hour, hours, degrees, part) in cases {
            let place = Position { lat_e7: 0, lon_e7: degrees * 10_000_000 };
            let slot = 18_000 * 24 / hours + hour / hours;
            let slot_ms = hours * HOUR_MS;
            let aligned = hour % hours == 0;
            let seen = Hours::of(slot, slot_ms, place);
            assert!(!aligned || seen == part, "{hour} h UTC at {degrees}: {seen:?} instead of {part:?}");
        }
    }
}
