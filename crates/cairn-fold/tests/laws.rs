//! Laws of the fold: the same bytes however it is run, resumed or signed for, and scores that arrival cannot change.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use cairn_core::cbor::{Decoder, Encoder};
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::statement::{Body, Conflict, Deny};
use cairn_core::{Amount, Payout, Verdict};
use cairn_fold::{Fold, State};
use cairn_merkle::tree::{Frontier, leaf_hash};
use cairn_testkit::network::{DAY_MS, MemoryNetwork, SeededDevice, Terms};

/// The revisions of the judge of sensing: what is a law holds for each.
const REVISIONS: [u32; 2] = [1, 2];

/// Two devices' worth of trouble in a network of eight over four weeks: late, denied, conflicting, wild and void reports.
fn eventful(revision: u32, order: impl Fn(u64, usize) -> usize) -> MemoryNetwork {
    let terms = Terms::default();
    let mut network = MemoryNetwork::judged_by(revision, terms);
    let devices = network.enrol_grid(8);
    for day in 0..28 {
        let time_ms = terms.zero_ms + day * DAY_MS;
        network.pass_to(time_ms + DAY_MS);
        let day32 = u32::try_from(day).unwrap();
        for place in 0..devices.len() {
            let at = order(day, place);
            let value = 200 + i64::try_from(day * 7 % 40).unwrap() + i64::try_from(at).unwrap();
            match (at, day) {
                // Device 1 is silent for a week and sends everything late.
                (1, 7..=13) => {}
                // Device 2 is wild every fifth day.
                (2, _) if day % 5 == 0 => {
                    network.send(&devices[2], day32, time_ms, value * 20);
                }
                _ => {
                    network.send(&devices[at], day32, time_ms, value);
                }
            }
        }
        if day == 14 {
            for late in 7..=13 {
                network.send(&devices[1], late, terms.zero_ms + u64::from(late) * DAY_MS, 210);
            }
        }
        if day == 10 {
            trouble(&mut network, &devices, time_ms);
        }
    }
    network.pass_to(terms.zero_ms + 36 * DAY_MS);
    network
}

fn trouble(network: &mut MemoryNetwork, devices: &[SeededDevice], time_ms: u64) {
    let until_ms = time_ms + 6 * DAY_MS;
    let deny = Deny { device: devices[3].id, reason: "TEST".into(), evidence: vec![], until_ms };
    assert_eq!(network.operate(Body::Deny(deny)).1, None);
    let mut reports = [network.report(&devices[4], 10, time_ms, 205), network.report(&devices[4], 10, time_ms, 999)];
    reports.sort_by_key(|bytes| cairn_core::report::Report::parse(bytes).unwrap().identity());
    let [first, second] = reports;
    assert_eq!(network.operate(Body::Conflict(Conflict { first, second })).1, None);
    assert_eq!(code(network.send(&devices[4], 10, time_ms, 999)), "RPT-DUPLICATE");
    assert_eq!(code(network.send(&SeededDevice::of(99), 0, time_ms, 1)), "RPT-UNKNOWN-DEVICE");
}

fn code(logged: (u64, Option<cairn_fold::Refusal>)) -> &'static str {
    logged.1.map_or("valid", |refusal| refusal.code)
}

fn in_order(_: u64, place: usize) -> usize {
    place
}

#[test]
fn an_eventful_month_closes_balances_and_explains_itself() {
    REVISIONS.into_iter().for_each(|revision| closes_balances_and_explains(&eventful(revision, in_order)));
}

fn closes_balances_and_explains(network: &MemoryNetwork) {
    assert_eq!(network.closed.len(), 5);
    let mut codes = BTreeMap::new();
    for closed in &network.closed {
        let balance = closed.statement.asset.1;
        assert!(balance.balances(), "epoch {}: {balance:?}", closed.statement.number);
        let paid = closed.payouts.iter().map(|row| Payout::decode(row).unwrap().amount);
        assert_eq!(Amount::checked_sum(paid), Some(balance.paid));
        for row in &closed.verdicts {
            for reason in Verdict::decode(row).unwrap().reasons {
                *codes.entry(reason.code).or_insert(0) += 1;
            }
        }
        assert_eq!(cairn_fold::root_of(&closed.records), closed.statement.state_root);
        let claims = &closed.statement.domains[0];
        assert!(claims.leaves <= 9 && claims.cumulative >= balance.paid);
    }
    for expected in ["SEN-DENIED", "SEN-CONFLICT", "SEN-NEIGHBOUR-FAIL"] {
        assert!(codes.contains_key(expected), "{expected} in {codes:?}");
    }
    let statements: Vec<_> = network.closed.iter().map(|closed| &closed.statement).collect();
    for pair in statements.windows(2) {
        assert_eq!((pair[1].previous, pair[1].from), (pair[0].hash(), pair[0].to));
    }
}

#[test]
fn late_reports_are_paid_less_than_the_same_reports_on_time() {
    let network = eventful(1, in_order);
    let late = SeededDevice::of(2).id;
    let weight_of = |epoch: usize| -> u64 {
        let payouts = network.closed[epoch].payouts.iter().map(|row| Payout::decode(row).unwrap());
        payouts.filter(|payout| payout.device == Some(late) && payout.pool == "readings").map(|p| p.weight).sum()
    };
    // In epoch 2 the device delivers its own seven days and the seven late ones, at half their weight.
    assert_eq!(weight_of(1), 0);
    assert_eq!(weight_of(2), 7 * DAY_MS + 7 * DAY_MS / 2);
}

#[test]
fn the_order_of_arrival_changes_indices_and_nothing_else() {
    for revision in REVISIONS {
        let straight = eventful(revision, in_order);
        let shuffled = eventful(revision, |day, place| (place * 3 + usize::try_from(day).unwrap()) % 8);
        assert_ne!(straight.entries, shuffled.entries);
        same_but_for_indices(&straight, &shuffled);
    }
}

fn same_but_for_indices(straight: &MemoryNetwork, shuffled: &MemoryNetwork) {
    for (a, b) in straight.closed.iter().zip(&shuffled.closed) {
        assert_eq!(a.payouts, b.payouts, "epoch {}", a.statement.number);
        assert_eq!(a.carry(), b.carry(), "what is remembered after epoch {}", a.statement.number);
        let scores = |closed: &cairn_fold::Closed| -> Vec<_> {
            let verdicts = closed.verdicts.iter().map(|row| Verdict::decode(row).unwrap());
            verdicts.map(|v| (v.device, v.slot_ms, v.account, v.amount, v.score)).collect()
        };
        let (mut a, mut b) = (scores(a), scores(b));
        a.sort();
        b.sort();
        assert_eq!(a, b);
    }
}

#[test]
fn one_two_and_eight_threads_and_batched_signatures_give_the_same_bytes() {
    REVISIONS.into_iter().for_each(|revision| folds_alike(&eventful(revision, in_order)));
}

fn folds_alike(network: &MemoryNetwork) {
    for threads in [1, 2, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| network.folded()), network.closed, "{threads} threads");
    }
}

#[test]
fn a_fold_resumed_from_any_snapshot_goes_on_as_the_one_that_never_stopped() {
    REVISIONS.into_iter().for_each(|revision| resumes_everywhere(&eventful(revision, in_order)));
}

fn resumes_everywhere(network: &MemoryNetwork) {
    for closed in &network.closed {
        let epoch = usize::try_from(closed.statement.number).unwrap();
        let mut fold = network.resumed(closed);
        let later = network.fold_on(&mut fold);
        assert_eq!(later, network.closed[epoch + 1..], "resumed after epoch {epoch}");
        assert_eq!(fold.state(), network.fold.state(), "resumed after epoch {epoch}");
    }
}

#[test]
fn a_changed_snapshot_is_not_resumed() {
    let network = eventful(2, in_order);
    let closed = &network.closed[2];
    let (frontier, read) = (network.frontier(closed), |index: u64| network.read(index));
    for record in 0..closed.records.len() {
        let mut records = closed.records.clone();
        *records[record].last_mut().unwrap() ^= 1;
        let resumed = Fold::resume(&closed.statement, &records, frontier.clone(), read);
        assert_eq!(resumed.unwrap_err().code(), "NET-SNAPSHOT-DIFFERS", "record {record}");
    }
    let mut fewer = closed.records.clone();
    fewer.pop();
    assert!(Fold::resume(&closed.statement, &fewer, frontier, read).is_err());
    assert!(Fold::resume(&closed.statement, &closed.records, Frontier::new(), read).is_err());
}

#[test]
fn the_state_is_its_records() {
    for revision in REVISIONS {
        let network = eventful(revision, in_order);
        assert_eq!(network.fold.state().carry.is_empty(), revision == 1);
        reads_back(&network);
    }
}

fn reads_back(network: &MemoryNetwork) {
    let records = network.fold.state().records();
    assert!(records.is_sorted_by(|a, b| a < b), "no two records are the same");
    assert_eq!(&State::from_records(&records).unwrap(), network.fold.state());
    let mut swapped = records.clone();
    swapped.swap(0, 1);
    assert!(State::from_records(&swapped).is_err());
    assert!(State::from_records(&[b"not a record"]).is_err());
}

#[test]
fn a_record_has_one_key_and_one_value_and_nothing_behind_either() {
    let network = eventful(2, in_order);
    let record =
        |table: u64, key: &[u8], value: &[u8]| Encoder::empty().array(3).uint(table).bytes(key).bytes(value).take();
    let mut tables = BTreeSet::new();
    for whole in network.fold.state().records() {
        let mut input = Decoder::over(&whole);
        input.array_exact(3).unwrap();
        let (table, key, value) = (input.uint().unwrap(), input.bytes().unwrap(), input.bytes().unwrap());
        State::from_records(&[record(table, key, value)]).unwrap();
        let longer = record(table, key, &[value, &[0]].concat());
        assert!(State::from_records(&[longer]).is_err(), "table {table}: a value that goes on");
        // The key of a nonce is whatever the signer is called.
        let elsewhere = record(table, &[key, &[0]].concat(), value);
        assert!(table == 3 || State::from_records(&[elsewhere]).is_err(), "table {table}: a key that goes on");
        tables.insert(table);
    }
    assert!(tables.len() > 10, "{tables:?}");
    let device = network.fold.state().records().into_iter().find(|record| record[1] == 2).unwrap();
    let mut renamed = device;
    renamed[3] ^= 1;
    assert!(State::from_records(&[renamed]).is_err(), "a device under the id of another");
}

#[test]
fn time_that_goes_back_is_the_logs_own_fault() {
    let mut network = MemoryNetwork::daily(Terms::default());
    let entry = Entry { kind: EntryKind::Report, received_ms: network.now_ms - 1, body: b"" };
    let error = network.fold.push(leaf_hash(&entry.encode()), &entry, None).unwrap_err();
    assert_eq!(error.code(), "LOG-TIME");
}

#[test]
fn epochs_without_reports_close_and_keep_their_books() {
    let terms = Terms::default();
    let mut network = MemoryNetwork::daily(terms);
    network.pass_to(terms.zero_ms + 100 * DAY_MS);
    assert_eq!(network.closed.len(), 14);
    for closed in &network.closed {
        assert!(closed.statement.asset.1.balances());
        assert!(closed.verdicts.is_empty());
    }
    assert_eq!(network.closed[1].statement.from, network.closed[0].statement.to);
}

#[test]
fn a_slot_that_was_denied_is_not_paid_when_it_is_sent_again() {
    let terms = Terms::default();
    let mut network = MemoryNetwork::daily(terms);
    let devices = network.enrol_grid(5);
    let until_ms = terms.zero_ms + 8 * DAY_MS;
    let deny = Deny { device: devices[0].id, reason: "TEST".into(), evidence: vec![], until_ms };
    assert_eq!(network.operate(Body::Deny(deny)).1, None);
    for day in 0..7 {
        network.pass_to(terms.zero_ms + (day + 1) * DAY_MS);
        for device in &devices {
            let time_ms = terms.zero_ms + day * DAY_MS;
            assert_eq!(network.send(device, u32::try_from(day).unwrap(), time_ms, 200).1, None);
        }
    }
    network.pass_to(terms.zero_ms + 9 * DAY_MS);
    for day in 0..7 {
        let again = u32::try_from(100 + day).unwrap();
        assert_eq!(network.send(&devices[0], again, terms.zero_ms + day * DAY_MS, 200).1, None);
    }
    network.pass_to(terms.zero_ms + 16 * DAY_MS);
    assert_eq!(network.closed.len(), 2);
    for closed in &network.closed {
        let paid = closed.payouts.iter().filter(|row| Payout::decode(row).unwrap().device == Some(devices[0].id));
        assert_eq!(paid.count(), 0, "epoch {}", closed.statement.number);
    }
}
