//! The canonical CBOR of the vocabulary: everything that is read is written again as the bytes it was read from.

use cairn_core::cbor::{Decoder, Encoder};
use cairn_core::deposit::{CreditAsset, Deposit};
use cairn_core::entry::Entry;
use cairn_core::epoch::EpochStatement;
use cairn_core::observation::Observation;
use cairn_core::report::Report;
use cairn_core::sale::WorkSold;
use cairn_core::statement::{Statement, genesis_of_payload};
use cairn_core::{Amount, Hash, NetworkId, Payout, Sale, Verdict};

pub fn str_of(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn network() -> NetworkId {
    NetworkId(Hash::of(b"a network of parsers"))
}

pub fn cbor(bytes: &[u8]) {
    let mut input = Decoder::over(bytes);
    if let Ok(value) = input.value()
        && input.end().is_ok()
    {
        assert_eq!(value.encode(), bytes);
    }
}

pub fn report(bytes: &[u8]) {
    let Ok(report) = Report::parse(bytes) else { return };
    assert_eq!(report.body.encode(), report.sign1.payload);
    // The protected header has two texts for each algorithm; the structure around it has one.
    let mut again = Encoder::empty();
    again.tag(18).array(4).bytes(report.sign1.protected).map(0).bytes(report.sign1.payload);
    again.bytes(&report.sign1.signature);
    assert_eq!(again.into_bytes(), bytes);
    let signed = report.to_be_signed(&network());
    assert!(signed.len() <= bytes.len() + 128, "what is signed is bounded by what was sent");
    assert_eq!(report.name().device, report.device());
}

pub fn statement(bytes: &[u8]) {
    // Payloads travel alone, too: a network's id is the hash of one.
    let _ = genesis_of_payload(bytes);
    let Ok(statement) = Statement::parse(bytes) else { return };
    assert_eq!(statement.encode(), bytes);
    let mut payload = Encoder::empty();
    payload.map(4).int(1).text(statement.body.schema().as_str()).int(2).encoded(&statement.body.encode());
    payload.int(3).uint(statement.nonce).int(4).uint(statement.expiry_ms);
    assert_eq!(payload.into_bytes(), statement.payload);
    let _ = statement.signatures_hold(Some(&network()));
    let _ = statement.signatures_hold(None);
}

pub fn observation(bytes: &[u8]) {
    let Ok(observation) = Observation::parse(bytes) else { return };
    assert_eq!(observation.body.encode(), observation.sign1.payload);
    assert!(observation.to_be_signed(&network()).len() <= bytes.len() + 128);
}

pub fn deposit(bytes: &[u8]) {
    if let Ok(deposit) = Deposit::decode(bytes) {
        assert_eq!(deposit.encode(), bytes);
        assert!(deposit.amount.0 > 0);
    }
    if let Some(asset) = str_of(bytes).and_then(CreditAsset::parse) {
        assert_eq!(asset.to_string().as_bytes(), bytes);
    }
}

pub fn entry(bytes: &[u8]) {
    if let Ok(entry) = Entry::decode(bytes) {
        assert_eq!(entry.encode(), bytes);
    }
}

pub fn epoch_statement(bytes: &[u8]) {
    if let Ok(statement) = EpochStatement::decode(bytes) {
        assert_eq!(statement.encode(), bytes);
        let _ = statement.asset.1.balances();
    }
}

pub fn verdict(bytes: &[u8]) {
    if let Ok(verdict) = Verdict::decode(bytes) {
        assert_eq!(verdict.encode(), bytes);
        assert!(verdict.weight() <= verdict.amount);
        for reason in &verdict.reasons {
            let _ = cairn_classes::sentence(&verdict.class, reason);
        }
    }
}

pub fn payout(bytes: &[u8]) {
    if let Ok(payout) = Payout::decode(bytes) {
        assert_eq!(payout.encode(), bytes);
    }
}

pub fn sale(bytes: &[u8]) {
    if let Ok(sale) = Sale::decode(bytes) {
        assert_eq!(sale.encode(), bytes);
        assert!(sale.balances());
        let paid = Amount::checked_sum(sale.work.iter().map(WorkSold::paid));
        assert!(paid.is_some_and(|paid| paid <= sale.locked));
    }
}
