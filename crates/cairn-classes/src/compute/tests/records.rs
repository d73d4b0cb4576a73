//! The market is its records: one form of each, and nothing that could fail later is read.

use super::*;
use crate::compute::market::Table;

/// A market in which everything occurs.
pub(super) fn busy() -> Fair {
    let mut fair = Fair::with(6).proved(1..=6, 20);
    fair.profile.sample_min_ppm = 0;
    fair.license(&fair.a_licence(90, "input")).unwrap();
    let found = result(1_000_000_000, "right");
    let order = Order { refund: Some(account(77)), ..fair.an_order() };
    fair.done(&order, &[found; 2]);
    fair.close();
    let drawn = Order { sample: Ppm::FULL, ..fair.an_order() };
    let id = fair.done(&drawn, &[found, result(3, "wrong")]);
    let digest = fair.digest(&id, &found);
    fair.replay(&id, 1, digest).unwrap();
    let id = fair.done(&drawn, &[found; 2]);
    fair.replay(&id, 1, hash("lie")).unwrap();
    fair.replay(&id, 2, digest).unwrap();
    fair.replay(&id, 3, digest).unwrap();
    fair.done(&fair.an_order(), &[found; 2]);
    let id = fair.order(&fair.an_order()).unwrap();
    let workers = fair.assigned(&id);
    fair.commit(&id, workers[0], &found).unwrap();
    fair.order(&Order { replicas: 3, ..fair.an_order() }).unwrap();
    let id = fair.order(&fair.an_order()).unwrap();
    let first = fair.assigned(&id)[0];
    fair.decline(&id, first).unwrap();
    fair
}

pub(super) fn reread(market: &Market) -> Market {
    let mut again = Market::default();
    for (table, key, value) in market.records() {
        assert_eq!(Table::of_number(table.number()), Some(table));
        again.read_record(table, &key, &value).unwrap();
    }
    again
}

#[test]
fn a_market_is_read_back_from_its_records_with_everything_that_is_derived() {
    let fair = busy();
    assert_eq!(reread(&fair.market), fair.market);
    let records: Vec<_> = fair.market.records().collect();
    assert!(records.is_sorted());
    let stages = |stage: fn(&Stage) -> bool| fair.market.jobs().filter(|(_, job)| stage(&job.stage)).count();
    assert!(stages(|stage| *stage == Stage::Open) >= 3);
    assert!(stages(|stage| *stage == Stage::Done(None)) >= 1);
    assert!(stages(|stage| matches!(stage, Stage::Done(Some(_)))) >= 2);
    assert!(stages(|stage| matches!(stage, Stage::Settled(_))) >= 1);
}

#[test]
fn a_record_has_one_key_and_one_value_and_nothing_behind_either() {
    let fair = busy();
    for (table, key, value) in fair.market.records() {
        for cut in 0..value.len() {
            assert!(Market::default().read_record(table, &key, &value[..cut]).is_err(), "{table:?} cut at {cut}");
        }
        let longer = |bytes: &[u8]| [bytes, &[0]].concat();
        assert!(Market::default().read_record(table, &key, &longer(&value)).is_err(), "{table:?}");
        assert!(Market::default().read_record(table, &longer(&key), &value).is_err(), "{table:?}");
        assert!(Market::default().read_record(table, &key[1..], &value).is_err(), "{table:?}");
        let mut twice = Market::default();
        twice.read_record(table, &key, &value).unwrap();
        assert!(twice.read_record(table, &key, &value).is_err(), "{table:?}");
        let mut other = key.clone();
        other[0] ^= 1;
        // A job's name is not said by its record, except through what its workers have sealed.
        assert_eq!(Market::default().read_record(table, &other, &value).is_ok(), table == Table::Job, "{table:?}");
    }
    assert_eq!(Table::of_number(19), None);
    assert_eq!(Table::ALL.map(Table::number), [20, 21, 22]);
}

#[test]
fn whatever_bytes_are_accepted_are_the_only_form_and_never_fail_later() {
    let fair = busy();
    for (table, key, value) in fair.market.records() {
        for at in 0..value.len() {
            for flip in [1u8, 0x20, 0x80, 0xff] {
                let mut bytes = value.clone();
                bytes[at] ^= flip;
                let mut market = Market::default();
                if market.read_record(table, &key, &bytes).is_err() {
                    continue;
                }
                let records: Vec<_> = market.records().collect();
                assert_eq!(records, [(table, key.clone(), bytes)], "{table:?} at {at}");
                // Long after, everything is settled without a panic.
                let mut later = Fair { market, now_ms: i64::MAX.cast_unsigned(), ..fair.clone() };
                let (_, closing) = (later.market.open_jobs(), later.closing());
                let mut market = later.market.clone();
                market.ripen(closing);
                let judged = judge_jobs(&later.profile, &later.people.carry, &market.ripe(later.now_ms));
                for sale in market.settle(closing, &judged.verdicts, Ppm::of(FEE).unwrap()) {
                    assert!(sale.balances(), "{table:?} at {at}");
                }
                later.market.dissolve();
            }
        }
    }
}

#[test]
fn what_must_be_at_hand_is_what_jobs_were_made_of_and_what_they_gave() {
    let fair = busy();
    let blobs: std::collections::BTreeSet<(Hash, u64)> = fair.market.blobs().collect();
    let expected = [("module", 6), ("input", 5), ("right", 5), ("wrong", 5)];
    assert_eq!(blobs, expected.into_iter().map(|(text, len)| (hash(text), len)).collect());
    assert_eq!(fair.market.licences().map(|licence| licence.content).collect::<Vec<_>>(), [hash("input")]);
}
