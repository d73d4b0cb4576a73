//! From what waits to what is signed: the name, the time as honestly as it is known, the flag *backfilled*.

use cairn_core::report::{ClockSource, REPORT_BYTES_MAX, ReportBody, flag};

use crate::time::DRIFT_PPM;
use crate::{Item, Stamp, When};

/// More than header, signature and framing take.
const ENVELOPE_BYTES_MAX: usize = 160;

/// What is known of the time of an item now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dated {
    /// ms since 1970 UTC, where that comes from, and its error bound in ms.
    At(u64, ClockSource, u64),
    /// The report will claim no time.
    Unclaimed,
    /// The clock may yet become known, until this, ms since this start.
    Wait(u64),
}

/// How times are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dating {
    /// How long something waits for a clock.
    pub clock_wait_ms: u64,
    /// From what age on a report says that it is late.
    pub backfilled_after_ms: u64,
}

impl Dating {
    /// What `when` is, now.
    pub fn date(&self, when: When, now: Stamp) -> Dated {
        match (when, now.wall) {
            (When::At { time_ms, source, error_ms }, _) => Dated::At(time_ms, source, error_ms),
            (When::Since { boot_ms }, Some((wall_ms, source, error_ms))) if source != ClockSource::None => {
                let ago_ms = now.boot_ms.saturating_sub(boot_ms);
                let drift_ms = ago_ms.saturating_mul(DRIFT_PPM.into()).div_ceil(1_000_000);
                Dated::At(wall_ms.saturating_sub(ago_ms), source, error_ms.saturating_add(drift_ms))
            }
            (When::Since { boot_ms }, _) => {
                let until_ms = boot_ms.saturating_add(self.clock_wait_ms);
                if now.boot_ms < until_ms { Dated::Wait(until_ms) } else { Dated::Unclaimed }
            }
            (When::Unknown, _) => Dated::Unclaimed,
        }
    }

    fn is_late(&self, when: When, dated: Dated, now: Stamp) -> bool {
        match (dated, when, now.wall) {
            (Dated::At(time_ms, ..), _, Some((wall_ms, ..))) => {
                wall_ms.saturating_sub(time_ms) > self.backfilled_after_ms
            }
            (Dated::At(..), _, None) | (Dated::Wait(_), ..) => false,
            (Dated::Unclaimed, When::Since { boot_ms }, _) => {
                now.boot_ms.saturating_sub(boot_ms) > self.backfilled_after_ms
            }
            // It was taken in an earlier start, nobody knows how long ago.
            (Dated::Unclaimed, ..) => true,
        }
    }

    /// The payload of an item under a name; `None` where it makes no report, for its size. `dated` says to wait for nothing.
    pub fn seal(&self, item: &Item, dated: Dated, now: Stamp, (boot, seq): (u32, u32)) -> Option<Vec<u8>> {
        let (time_ms, source, error_ms) = match dated {
            Dated::At(time_ms, source, error_ms) => (time_ms, source, error_ms),
            Dated::Unclaimed | Dated::Wait(_) => (0, ClockSource::None, 0),
        };
        let late = if self.is_late(item.when, dated, now) { flag::BACKFILLED } else { 0 };
        let payload = ReportBody {
            clock: Some((source, error_ms)),
            flags: item.flags | late,
            place: item.place.clone(),
            subject: item.subject.map(|subject| subject.0),
            blobs: item.blobs.clone(),
            ..ReportBody::of(boot, seq, time_ms, &item.schema, item.body.clone())
        }
        .encode();
        (payload.len() + ENVELOPE_BYTES_MAX <= REPORT_BYTES_MAX).then_some(payload)
    }
}

#[cfg(test)]
mod tests {
    use cairn_core::cbor::Value;

    use super::*;

    const DATING: Dating = Dating { clock_wait_ms: 120_000, backfilled_after_ms: 600_000 };
    const NOON: u64 = 1_700_000_000_000;

    fn known(boot_ms: u64) -> Stamp {
        Stamp { boot_ms, wall: Some((NOON + boot_ms, ClockSource::Ntp, 50)) }
    }

    fn unknown(boot_ms: u64) -> Stamp {
        Stamp { boot_ms, wall: None }
    }

    #[test]
    fn a_time_is_claimed_only_where_it_is_known_with_its_error() {
        let at = When::At { time_ms: NOON, source: ClockSource::Gnss, error_ms: 1 };
        let since = When::Since { boot_ms: 1_000 };
        let cases = [
            (at, unknown(9), Dated::At(NOON, ClockSource::Gnss, 1)),
            (since, known(1_000), Dated::At(NOON + 1_000, ClockSource::Ntp, 50)),
            (since, known(3_601_000), Dated::At(NOON + 1_000, ClockSource::Ntp, 50 + 360)),
            (since, unknown(1_000), Dated::Wait(121_000)),
            (since, unknown(121_000), Dated::Unclaimed),
            (When::Unknown, known(5), Dated::Unclaimed),
        ];
        for (when, now, dated) in cases {
            assert_eq!(DATING.date(when, now), dated, "{when:?} {now:?}");
        }
    }

    #[test]
    fn what_is_sent_late_says_so() {
        let at = When::At { time_ms: NOON, source: ClockSource::Ntp, error_ms: 1 };
        let since = When::Since { boot_ms: 0 };
        let cases = [
            (at, known(600_000), false),
            (at, known(600_001), true),
            (at, unknown(900_000), false),
            (since, known(600_001), true),
            (since, unknown(130_000), false),
            (since, unknown(600_001), true),
            (When::Unknown, known(1), true),
        ];
        for (when, now, is_late) in cases {
            let item = Item { flags: flag::LOW_BATTERY, ..Item::of(when, "sensing/1", Value::map(vec![])) };
            let payload = DATING.seal(&item, DATING.date(when, now), now, (3, 4)).unwrap();
            let body = ReportBody::decode(&payload).unwrap();
            let flags = flag::LOW_BATTERY | if is_late { flag::BACKFILLED } else { 0 };
            assert_eq!((body.boot, body.seq, body.flags), (3, 4, flags), "{when:?} {now:?}");
        }
    }

    #[test]
    fn what_is_too_large_for_a_report_is_none() {
        let item = Item::of(When::Unknown, "x", Value::Bytes(vec![0; REPORT_BYTES_MAX - 100]));
        assert_eq!(DATING.seal(&item, Dated::Unclaimed, known(0), (1, 1)), None);
    }
}
