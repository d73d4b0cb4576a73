//! Snapshots, and the records that a state is.

use cairn_core::cbor::Decoder;
use cairn_fold::{Snapshot, State, carry_records};

pub fn snapshot(bytes: &[u8]) {
    let Ok(snapshot) = Snapshot::decode(bytes) else { return };
    assert_eq!(Snapshot::encode(&snapshot.statement.encode(), &snapshot.records), bytes);
    holds(&snapshot.records);
}

/// A CBOR sequence of records.
pub fn records(bytes: &[u8]) {
    let mut input = Decoder::over(bytes);
    let mut records = Vec::new();
    while !input.is_at_end() {
        let Ok(record) = input.raw_value() else { return };
        records.push(record.to_vec());
    }
    holds(&records);
}

fn holds(records: &[Vec<u8>]) {
    let _ = carry_records(records);
    let Ok(state) = State::from_records(records) else { return };
    // What every state says, such as its time, may be left out: then it is zero.
    let whole = state.records();
    for record in records {
        assert!(whole.binary_search(record).is_ok(), "{record:02x?} is no record of the state read from it");
    }
    assert_eq!(State::from_records(&whole).as_ref(), Ok(&state));
}
