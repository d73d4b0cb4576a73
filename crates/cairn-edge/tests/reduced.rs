//! Reduced reports in a network: what names its raw input is accepted, judged and paid as what does not, and whoever has the raw
//! input can tell whether the report is what it gives.

#![allow(clippy::unwrap_used)]

use cairn_classes::sensing::{Body, Quantity};
use cairn_core::Hash;
use cairn_core::entry::EntryKind;
use cairn_core::report::{Report, ReportBody, sign_report};
use cairn_edge::map::nearest_even;
use cairn_edge::reduce::{Align, Recipe, Windows, recompute};
use cairn_edge::{ClockSource, Raw, Reading, Stamp, When};
use cairn_testkit::network::{MemoryNetwork, Terms};

const DAY_MS: u64 = 86_400_000;

/// One device's day of PM10, two readings a window: (raw input, report's body) of each.
fn windows(zero_ms: u64, bias: i64) -> Vec<(Vec<u8>, ReportBody)> {
    let mut windows = Windows::of(Recipe::default(), Align::Utc, DAY_MS);
    let mut closed = Vec::new();
    for (boot_ms, value) in
        [(1_000, 100 + bias), (2_000, 103 + bias), (DAY_MS + 1_000, 120 + bias), (DAY_MS + 2_000, 121 + bias)]
    {
        let now = Stamp { boot_ms, wall: Some((zero_ms + boot_ms, ClockSource::Ntp, 20)) };
        let readings = vec![Reading { quantity: Quantity::Pm10, value }];
        let raw = Raw { bytes: format!("pm10={value}").into_bytes(), said_ms: None, readings, mark: None };
        closed.extend(windows.take("stdin", raw, now).unwrap());
    }
    closed.extend(windows.finish());
    let report = |(seq, closed): (u32, cairn_edge::reduce::Closed)| {
        let item = closed.item.unwrap();
        let When::At { time_ms, source, error_ms } = item.when else { panic!("the time is known") };
        let mut body = ReportBody::of(0, seq, time_ms, &item.schema, item.body);
        body.clock = Some((source, error_ms));
        body.blobs = item.blobs;
        (closed.raw, body)
    };
    (0..).zip(closed).map(report).collect()
}

/// Verdicts, payouts and refusals of a network whose devices send that, with or without their raw inputs named.
fn run(names_raw: bool) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let terms = Terms::default();
    let mut network = MemoryNetwork::daily(terms);
    let devices = network.enrol_grid(4);
    network.now_ms = terms.zero_ms + 2 * DAY_MS;
    for (device, bias) in devices.iter().zip([0, 1, -1, 2]) {
        for (_, mut body) in windows(terms.zero_ms, bias) {
            if !names_raw {
                body.blobs.clear();
            }
            let report = sign_report(&device.key, device.id, &network.id, &body);
            assert_eq!(network.log(EntryKind::Report, &report).1, None);
        }
    }
    network.pass_to(terms.zero_ms + terms.epoch_ms + terms.grace_ms + 1);
    let closed = &network.closed[0];
    (closed.verdicts.clone(), closed.payouts.clone())
}

#[test]
fn a_report_that_names_its_raw_input_is_judged_and_paid_as_one_that_does_not() {
    let (verdicts, payouts) = run(true);
    assert!(verdicts.len() >= 4 && !payouts.is_empty());
    assert_eq!((verdicts, payouts), run(false));
}

#[test]
fn whoever_has_the_raw_input_can_tell_whether_a_report_is_what_it_gives() {
    let network = MemoryNetwork::daily(Terms::default());
    let device = cairn_testkit::network::SeededDevice::of(1);
    for (raw, body) in windows(Terms::default().zero_ms, 0) {
        let signed = sign_report(&device.key, device.id, &network.id, &body);
        let report = Report::parse(&signed).unwrap();
        let recomputed = recompute(&raw).unwrap();
        assert_eq!(report.body.blobs, [recomputed.blob]);
        assert_eq!(Body::parse(&report.body.body).unwrap(), recomputed.body);
        assert_eq!(report.body.time_ms, recomputed.raw.span.start_ms);
        // One who says another value for the same raw input is caught, and another raw input is not the one that was signed.
        let mut doctored = recomputed.raw.clone();
        *doctored.samples[0].values.get_mut(&Quantity::Pm10).unwrap() += 10;
        let doctored = doctored.encode();
        assert_ne!(recompute(&doctored).unwrap().body, recomputed.body);
        assert_ne!(Hash::of(&doctored), report.body.blobs[0].0);
    }
    assert_eq!(nearest_even(203, 2), 102);
}
