//! What the classes read: bodies and profiles, what their judges remember, and the records of the market of work.

use cairn_classes::compute::market::Table;
use cairn_classes::compute::{self, Market};
use cairn_classes::sensing::{self, Body};
use cairn_core::cbor::Decoder;

use crate::text;

pub fn sensing_body(bytes: &[u8]) {
    let mut input = Decoder::over(bytes);
    let Ok(value) = input.value() else { return };
    let admitted = cairn_classes::check_body(sensing::SCHEMA, &value);
    match Body::parse(&value) {
        Ok(body) => {
            assert_eq!(body.encode(), value);
            assert_eq!(admitted.ok(), body.readings().last().map(|reading| reading.after_ms));
        }
        Err(error) => assert_eq!(admitted.map_err(|refused| refused.code()), Err(error.code())),
    }
}

pub fn profile(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let revision = cairn_classes::read_by(sensing::SCHEMA, text);
    let slot_ms = cairn_classes::slot_ms(sensing::SCHEMA, text);
    match cairn_classes::check_profile(sensing::SCHEMA, text) {
        Ok(()) => {
            assert!(revision.is_ok_and(|revision| sensing::REVISIONS.contains(&revision)));
            assert!(slot_ms.is_ok_and(|slot_ms| slot_ms > 0));
        }
        Err(error) => {
            assert!(!error.code().is_empty() && !error.to_string().is_empty());
            assert!(revision.is_err() && slot_ms.is_err());
        }
    }
}

pub fn memory(bytes: &[u8]) {
    if let Ok(again) = sensing::reread_memory(bytes) {
        assert_eq!(again, bytes);
    }
}

pub fn compute_body(bytes: &[u8]) {
    let mut input = Decoder::over(bytes);
    let Ok(value) = input.value() else { return };
    let admitted = cairn_classes::check_body(compute::SCHEMA, &value);
    match compute::Body::parse(&value) {
        Ok(body) => {
            assert_eq!(body.encode(), value);
            assert_eq!(admitted, Ok(0));
        }
        Err(error) => assert_eq!(admitted, Err(error)),
    }
}

pub fn compute_profile(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    match compute::Profile::parse(text) {
        Ok(profile) => assert!(profile.commit_ms_min <= profile.commit_ms_max && profile.score_max > 0),
        Err(error) => assert!(!error.code().is_empty() && !error.to_string().is_empty()),
    }
}

/// The table's place among the three, the key, and the value behind it.
pub fn market_record(bytes: &[u8]) {
    let Some((at, rest)) = bytes.split_first() else { return };
    let Some(table) = Table::ALL.get(usize::from(*at)) else { return };
    let key_bytes = if *table == Table::Offer { 16 } else { 32 };
    let Some((key, value)) = rest.split_at_checked(key_bytes) else { return };
    let mut market = Market::default();
    if market.read_record(*table, key, value).is_ok() {
        let records: Vec<_> = market.records().collect();
        assert_eq!(records, [(*table, key.to_vec(), value.to_vec())]);
        assert!(market.dissolve().iter().all(cairn_core::Sale::balances));
    }
}
