//! A device by itself: clocks, order, and how much was reported.

use super::own::{HOUR_MS, MINUTE_MS, PROFILE, at, said};
use super::{DAY_MS, Sent, Town};
use crate::sensing::{Body, Quantity, sentence};
use crate::{Clock, Flags};

const RULES: &str = "
[time]
error_ms = 60_000
ahead_ms = 120_000
behind_ms = 3_600_000
lost_ppm = 300_000
order_lost_ppm = 500_000

[availability]
every_ms = 600_000
least_ppm = 600_000
lost_ppm = 800_000
";

/// A town of one device under the rules of time.
fn timed(sent: Vec<Sent>) -> Town {
    let mut town = Town::under(&format!("{PROFILE}{RULES}"), 1);
    town.fresh = sent;
    town
}

/// Six readings in the hour, received at once.
fn prompt() -> Vec<Sent> {
    let one = |n: u64| {
        let sent = at(n * 10, &[(Quantity::Pm10, 100)]);
        Sent { received_ms: sent.time_ms, ..sent }
    };
    (0..6).map(one).collect()
}

fn with(change: impl Fn(usize, &mut Sent)) -> Vec<Sent> {
    let mut sent = prompt();
    sent.iter_mut().enumerate().for_each(|(n, sent)| change(n, sent));
    sent
}

/// Received so many minutes after it was measured.
fn delayed(sent: &mut Sent, minutes: i64) {
    sent.received_ms = sent.time_ms.strict_add_signed(minutes * MINUTE_MS.cast_signed());
}

#[test]
fn clocks_are_doubted_where_they_say_so_or_the_receipt_does() {
    let clock = |source, error_ms| move |sent: &mut Sent| sent.clock = Some(Clock { source, error_ms });
    let cases: &[(&str, Vec<Sent>, &[&str])] = &[
        ("nothing said of the clock", prompt(), &[]),
        ("sure enough", with(|_, sent| clock(3, 60_000)(sent)), &[]),
        (
            "unsure once",
            with(|n, sent| clock(3, if n == 2 { 60_001 } else { 1 })(sent)),
            &["0h pm10 clock: 1 of 6 -50000"],
        ),
        ("no clock", with(|_, sent| clock(0, 0)(sent)), &["0h pm10 clock: 6 of 6 -300000"]),
        ("as far ahead as allowed", with(|_, sent| delayed(sent, -2)), &[]),
        ("ahead once", with(|n, sent| delayed(sent, if n == 1 { -3 } else { 0 })), &["0h pm10 drift: 1 of 6 -50000"]),
        ("one prompt report clears the hour", with(|n, sent| delayed(sent, if n == 5 { 60 } else { 300 })), &[]),
        ("none is prompt", with(|_, sent| delayed(sent, 61)), &["0h pm10 drift: 6 of 6 -300000"]),
        (
            "backfilled reports owe no promptness, and clear nobody",
            with(|n, sent| {
                delayed(sent, if n < 3 { 10 } else { 61 });
                sent.flags = if n < 3 { Flags::BACKFILLED } else { 0 };
            }),
            &["0h pm10 drift: 3 of 6 -150000"],
        ),
        ("an hour of backfilled reports", with(|_, sent| (delayed(sent, 900), sent.flags = Flags::BACKFILLED).1), &[]),
    ];
    for (name, sent, expected) in cases {
        assert_eq!(said(&timed(sent.clone())), *expected, "{name}");
    }
}

#[test]
fn a_report_of_many_readings_is_as_late_as_its_last() {
    let mut batch = prompt().swap_remove(0);
    let readings = (0..6).map(|n| (n * 10 * MINUTE_MS, [(Quantity::Pm10, 100)]));
    batch.body = Body::many(readings).unwrap().encode();
    batch.received_ms = batch.time_ms + 50 * MINUTE_MS + HOUR_MS;
    assert_eq!(said(&timed(vec![batch.clone()])), Vec::<String>::new());
    batch.received_ms += 1;
    assert_eq!(said(&timed(vec![batch.clone()])), ["0h pm10 drift: 6 of 6 -300000"]);
    // The same over the end of an epoch: each half is as late as the whole.
    let mut town = timed(vec![batch]);
    town.epoch.end = town.epoch.start + HOUR_MS;
    town.fresh[0].time_ms += 30 * MINUTE_MS;
    town.fresh[0].received_ms += 30 * MINUTE_MS;
    assert_eq!(said(&town), ["0h pieces of the slot reported -200000", "0h pm10 drift: 3 of 3 -100000"]);
}

#[test]
fn a_report_is_not_measured_before_one_that_is_numbered_lower() {
    let cases: &[(&str, Vec<Sent>, &[&str])] = &[
        ("numbers need not be dense", with(|n, sent| sent.seq = 7 * u32::try_from(n).unwrap()), &[]),
        (
            "an early one with a high number",
            with(|n, sent| {
                if n == 1 {
                    sent.seq += 3_000
                }
            }),
            &["0h pm10 order: 1 of 6 -83334"],
        ),
        (
            "unless it was backfilled",
            with(|n, sent| {
                if n == 1 {
                    (sent.seq, sent.flags) = (sent.seq + 3_000, Flags::BACKFILLED)
                }
            }),
            &[],
        ),
        (
            "another boot counts anew",
            with(|n, sent| {
                if n == 5 {
                    (sent.boot, sent.seq) = (2, 0)
                }
            }),
            &[],
        ),
        (
            "a bridge numbers what it signs by itself",
            with(|n, sent| {
                if n == 5 {
                    (sent.bridge, sent.seq) = (Some(90), 0)
                }
            }),
            &[],
        ),
        (
            "so does each bridge",
            with(|n, sent| {
                (sent.bridge, sent.seq) = (Some(90 + n as u64 % 2), if n % 2 == 0 { 9 } else { 1 } + sent.seq)
            }),
            &[],
        ),
        (
            "and is held to its own order",
            with(|n, sent| {
                sent.bridge = Some(90);
                if n == 1 {
                    sent.seq += 3_000
                }
            }),
            &["0h pm10 order: 1 of 6 -83334"],
        ),
        (
            "a low number measured late accuses those that are numbered higher",
            with(|n, sent| {
                if n == 5 {
                    sent.seq = 0
                }
            }),
            &["0h pm10 order: 5 of 6 -416667"],
        ),
    ];
    for (name, sent, expected) in cases {
        // The first has number zero already: all others are above it.
        let sent = sent.iter().cloned().map(|sent| Sent { seq: sent.seq + 1, ..sent }).collect::<Vec<_>>();
        let sent = sent.into_iter().map(|sent| if sent.seq == 1 { Sent { seq: 0, ..sent } } else { sent }).collect();
        assert_eq!(said(&timed(sent)), *expected, "{name}");
    }
}

#[test]
fn what_is_missing_of_a_slot_is_lost_in_part() {
    // Six pieces, four of them needed.
    let kept =
        |keep: &[usize]| prompt().into_iter().enumerate().filter(|(n, _)| keep.contains(n)).map(|(_, s)| s).collect();
    let mut maintained: Vec<Sent> = kept(&[0, 1, 2, 3]);
    maintained[3].flags = Flags::MAINTENANCE;
    let missing = |lost: u32| format!("0h pieces of the slot reported -{lost}");
    let cases: Vec<(&str, Vec<Sent>, Vec<String>)> = vec![
        ("four", kept(&[0, 2, 3, 5]), vec![]),
        ("three", kept(&[0, 2, 3]), vec![missing(200_000)]),
        ("one", kept(&[4]), vec![missing(600_000)]),
        ("two in one piece", [kept(&[0, 1, 2]), vec![at(21, &[(Quantity::Pm10, 9)])]].concat(), vec![missing(200_000)]),
        ("maintenance is no report", maintained, vec!["0h maintenance -0".to_owned(), missing(200_000)]),
    ];
    for (name, sent, expected) in cases {
        assert_eq!(said(&timed(sent.clone())), expected, "{name}");
    }
    let verdict = timed(kept(&[0, 2, 3])).judge().swap_remove(0);
    assert_eq!((verdict.reasons[0].observed, verdict.reasons[0].threshold), (3, 4));
    assert_eq!(verdict.reasons[0].evidence, [100, 101, 102]);
}

#[test]
fn an_epoch_sees_no_time_of_another() {
    // A report of the epoch before, numbered lower and timed later by a wrong clock, is not there to be held against.
    let mut town = timed(prompt());
    town.context = vec![Sent { seq: 0, ..at(0, &[(Quantity::Pm10, 100)]) }];
    town.context[0].time_ms = 6 * DAY_MS;
    assert_eq!(said(&town), Vec::<String>::new());
}

#[test]
fn a_doubted_clock_is_told_in_words() {
    let mut town = timed(with(|_, sent| sent.clock = Some(Clock { source: 0, error_ms: 0 })));
    let first = |town: &Town| sentence(&town.judge()[0].reasons[0]);
    assert_eq!(first(&town), "PM10: the device has no clock to tell when it measured, 6 of 6 readings");
    town.fresh = with(|_, sent| delayed(sent, -3));
    assert_eq!(
        first(&town),
        "PM10: received 180000 ms before the time the device gives (limit 120000 ms), 6 of 6 readings"
    );
}
