//! What chains and wallets hand over: transactions, RLP, key files, the record of a deployment.

use cairn_chain::keystore::{Cost, RANDOM_BYTES};
use cairn_chain::rlp::{Items, RlpError, write_bytes, write_list};
use cairn_chain::{Deployment, Keystore, SignedTransaction, TransactionError};
use cairn_core::keccak256;
use cairn_settle::Contract;
use serde_json::Value;

use crate::text;

/// How deep lists are followed.
const DEPTH_MAX: u8 = 32;
/// What the key files of the corpus are sealed with.
const PASSWORD: &str = "corpus";

pub fn transaction(bytes: &[u8]) {
    match SignedTransaction::decode(bytes) {
        Ok(signed) => {
            assert_eq!(signed.raw(), bytes);
            assert_eq!(signed.hash(), keccak256(bytes));
            assert_ne!(signed.transaction().chain_id, 0, "it could be sent on any chain");
        }
        Err(TransactionError::Form(error)) => assert!(!error.to_string().is_empty()),
        Err(error) => assert!(error.code().starts_with("STL-TX-") && !error.hint().is_empty()),
    }
}

/// Items one after the other, and the items of lists among them.
pub fn rlp(bytes: &[u8]) {
    if let Ok(written) = rewrite(Items::new(bytes), 0) {
        assert_eq!(written, bytes);
    }
    if let Ok(items) = Items::of_list(bytes)
        && let Ok(written) = rewrite(items, 0)
    {
        let mut list = Vec::new();
        write_list(&mut list, &written);
        assert_eq!(list, bytes);
    }
    let mut number = Items::new(bytes);
    if let Ok(value) = number.uint()
        && number.end().is_ok()
    {
        let mut written = Vec::new();
        cairn_chain::rlp::write_uint(&mut written, value);
        assert_eq!(written, bytes);
    }
}

fn rewrite(mut items: Items<'_>, depth: u8) -> Result<Vec<u8>, RlpError> {
    let mut out = Vec::new();
    while items.end().is_err() {
        match items.bytes() {
            Ok(string) => write_bytes(&mut out, string),
            Err(RlpError::Kind) if depth < DEPTH_MAX => write_list(&mut out, &rewrite(items.list()?, depth + 1)?),
            Err(error) => return Err(error),
        }
    }
    Ok(out)
}

/// A key file is opened only where opening it is to be refused, or is cheap: what stretching a password costs is no
/// parser's.
pub fn keystore(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    match Keystore::address(text) {
        Ok(None) => {}
        Ok(Some(address)) => {
            let file: Value = serde_json::from_str(text).expect("it was read");
            let said = file["address"].as_str().expect("it names one").to_lowercase();
            assert_eq!(said.strip_prefix("0x").unwrap_or(&said), data_encoding::HEXLOWER.encode(&address));
        }
        Err(error) => assert!(error.code() == "STL-KEYSTORE" && !error.hint().is_empty()),
    }
    if !is_cheap_or_absurd(text) {
        return;
    }
    match Keystore::open(text, PASSWORD) {
        Ok(key) => {
            let again = Keystore::seal(&key, PASSWORD, Cost { log_n: 1 }, &[7; RANDOM_BYTES]).expect("a cheap seal");
            let opened = Keystore::open(&again, PASSWORD).expect("what was sealed opens");
            assert_eq!(opened.secret_bytes(), key.secret_bytes());
        }
        Err(error) => assert!(!error.code().is_empty() && !error.to_string().is_empty()),
    }
}

fn is_cheap_or_absurd(json: &str) -> bool {
    let Ok(file) = serde_json::from_str::<Value>(json) else { return true };
    let cost = |name: &str| file["crypto"]["kdfparams"][name].as_u64().unwrap_or(0);
    let (n, r, p, rounds) = (cost("n"), cost("r"), cost("p"), cost("c"));
    let is_either = |cost: u64| cost <= 1 << 10 || cost > 1 << 40;
    let memory = n.saturating_mul(r);
    (memory > 1 << 40 || memory.saturating_mul(p) <= 1 << 10) && is_either(rounds)
}

pub fn deployment(bytes: &[u8]) {
    let Ok(record) = serde_json::from_slice::<Deployment>(bytes) else { return };
    let written = serde_json::to_vec(&record).expect("texts and numbers");
    let again: Deployment = serde_json::from_slice(&written).expect("what was written is read");
    assert!(again == record && again.is_of(&record));
    for contract in Contract::ALL {
        match record.address(contract) {
            Ok(address) => {
                let text = cairn_settle::told::address_text(&address);
                assert_eq!(text, record.contracts[contract.name()].to_lowercase());
            }
            Err(error) => assert_eq!(error.code(), "STL-BROKEN"),
        }
    }
}
