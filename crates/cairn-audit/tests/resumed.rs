//! An audit from a snapshot goes on as the audit from entry 0 does, byte for byte.

#![allow(clippy::unwrap_used)]

mod served;

use cairn_audit::{AuditError, AuditOptions, Start, audit};
use cairn_core::statement::{Body, PolicyDocument};
use cairn_testkit::network::{self, DAY_MS, MemoryNetwork, SeededDevice, Terms, daily_profile};
use served::{Served, pay_to, resume_everywhere, send, send_queue};

fn day(day: u64) -> u64 {
    Terms::default().zero_ms + day * DAY_MS
}

/// Four devices over three weeks; `happen` is asked at the end of every day.
fn weeks(late_epochs: u32, mut happen: impl FnMut(&mut MemoryNetwork, &[SeededDevice], u64)) -> MemoryNetwork {
    let clock = cairn_core::key::SecretKey::ed25519([252; 32]);
    let mut network = MemoryNetwork::under(Terms::default(), &policy(late_epochs), daily_profile(2), clock);
    let devices = network.enrol_grid(4);
    for today in 0..28 {
        network.pass_to(day(today + 1));
        for (n, device) in (0i64..).zip(&devices[..3]) {
            assert_eq!(send(&mut network, device, today, today, 150 + n), None);
        }
        happen(&mut network, &devices, today);
    }
    network.pass_to(day(37));
    network
}

fn policy(late_epochs: u32) -> String {
    let policy = network::policy(2);
    let lines: Vec<String> = policy
        .lines()
        .map(
            |line| {
                if line.starts_with("late_epochs = ") { format!("late_epochs = {late_epochs}") } else { line.into() }
            },
        )
        .collect();
    lines.join("\n")
}

#[test]
fn an_eventful_network_resumes_from_every_snapshot() {
    for revision in [1, 2] {
        let network = served::eventful_under(revision);
        assert_eq!(network.closed.iter().all(|closed| closed.carry().is_empty()), revision == 1);
        resume_everywhere(&network);
    }
}

#[test]
fn who_is_paid_for_a_reading_that_waited_in_the_grace_is_remembered() {
    resume_everywhere(&weeks(2, |network, devices, today| {
        if today == 6 {
            pay_to(network, &devices[3], 77);
            assert_eq!(send_queue(network, &devices[3], 4, 4), None);
            pay_to(network, &devices[3], 78);
        }
    }));
}

#[test]
fn who_is_paid_for_a_reading_ahead_of_its_epoch_is_remembered() {
    resume_everywhere(&weeks(2, |network, devices, today| {
        if today == 5 {
            pay_to(network, &devices[3], 77);
            // Two minutes before the week ends a device whose clock is ahead sends its readings up to the next midnight.
            network.now_ms = day(7) - 120_000;
            assert_eq!(send_queue(network, &devices[3], 4, 4), None);
            pay_to(network, &devices[3], 78);
        }
    }));
}

#[test]
fn a_policy_that_takes_later_reports_does_not_change_what_a_snapshot_holds() {
    resume_everywhere(&weeks(0, |network, devices, today| match today {
        // Device 3 reports in the first week, then nothing until the wider policy holds.
        2 => assert_eq!(send(network, &devices[3], 2, 2, 153), None),
        8 => {
            let document = policy(3).into_bytes();
            assert_eq!(network.operate(Body::Policy(PolicyDocument { first_epoch: 2, document })).1, None);
        }
        // The slot that was paid in week 0 once more, and two that were not.
        18 => {
            for (seq, slot) in [(100, 2), (101, 3), (102, 9)] {
                assert_eq!(send(network, &devices[3], seq, slot, 153), None);
            }
        }
        _ => {}
    }));
}

#[test]
fn a_snapshot_proves_itself_or_is_refused() {
    let network = served::small();
    let mut served = Served::of(&network);
    let snapshot = served.files["epochs/0/snapshot.cbor"].clone();
    let start = |bytes: Vec<u8>| AuditOptions { start: Start::Snapshot(bytes), ..AuditOptions::default() };
    assert!(served.audit(&start(snapshot.clone())).passed());
    for at in 0..snapshot.len() {
        let mut changed = snapshot.clone();
        changed[at] ^= 1;
        let report = served.audit(&start(changed));
        let code = report.difference().map(|difference| difference.code.as_str());
        let expected = [Some("NET-SNAPSHOT-DIFFERS"), Some("NET-SNAPSHOT"), Some("EPO-MISSING"), Some("EPO-DIFFERS")];
        assert!(expected.contains(&code), "byte {at}: {:?}", report.difference());
    }
    served.files.remove("epochs/0/snapshot.cbor");
    let options = AuditOptions { start: Start::After(0), ..AuditOptions::default() };
    let refused = audit(&served, &options, &mut |_| ()).unwrap_err();
    assert!(matches!(refused, AuditError::NoSnapshot { epoch: 0, .. }), "{refused}");
}

#[test]
fn a_snapshot_of_another_network_or_ahead_of_the_checkpoint_is_refused() {
    let network = served::small();
    let snapshot = Served::of(&network).files["epochs/0/snapshot.cbor"].clone();
    let options = AuditOptions { start: Start::Snapshot(snapshot), ..AuditOptions::default() };
    let terms = Terms { grace_ms: 1, ..Terms::default() };
    let mut other = MemoryNetwork::daily(terms);
    other.pass_to(day(9));
    let elsewhere = Served::of(&other).audit(&options);
    assert_eq!(elsewhere.difference().unwrap().detail, "it is of another network");
    let shorter = Served::log(&network.entries[..10]).audit(&options);
    assert_eq!(shorter.difference().unwrap().detail, "it is ahead of the checkpoint");
}

#[test]
fn a_snapshot_whose_statement_was_never_logged_is_refused() {
    let network = served::small();
    let closed = &network.closed[0];
    let to = usize::try_from(closed.statement.to).unwrap();
    let options = AuditOptions { start: Start::After(0), ..AuditOptions::default() };
    let mut served = Served::log(&network.entries[..=to]);
    served.put_epoch(closed);
    let report = served.audit(&options);
    assert_eq!(report.difference().unwrap().code, "EPO-MISSING", "{:?}", report.difference());
    // From entry 0 the statement may still come.
    assert!(served.audit(&AuditOptions::default()).passed());
}
