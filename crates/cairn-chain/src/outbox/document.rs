//! What an outbox writes down: the transaction under way with every variant of it, and the last one that ended.

use cairn_core::keccak256;
use cairn_settle::told::hex_text;
use cairn_settle::{EvmAddress, Word};
use data_encoding::HEXLOWER_PERMISSIVE;
use serde::{Deserialize, Serialize};

use crate::{Call, ChainError, SignedTransaction};

/// The name of the document of the transaction under way.
pub(super) const PENDING: &str = "pending.json";
/// The name of the document of the last one that ended.
pub(super) const ENDED: &str = "ended.json";
/// The name of the document of the last one whose nonce somebody else used.
pub(super) const DISPLACED: &str = "displaced.json";

/// The transaction under way: every variant that was signed, each of which may be mined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) purpose: String,
    /// Never empty; the first is the call, and so are all others but those that cancel it.
    variants: Vec<SignedTransaction>,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PendingJson {
    purpose: String,
    transactions: Vec<String>,
}

/// The last transaction that ended, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ended {
    pub(super) chain_id: u64,
    pub(super) account: String,
    pub(super) nonce: u64,
    pub(super) purpose: String,
    /// Hash of the call.
    pub(super) call: String,
    /// The variant that is in a block.
    pub(super) transaction: String,
    /// Whether it did what it was to do.
    pub(super) succeeded: bool,
}

/// A hash as these documents have it.
pub(super) fn word(text: &str) -> Option<Word> {
    HEXLOWER_PERMISSIVE.decode(text.strip_prefix("0x")?.as_bytes()).ok()?.try_into().ok()
}

/// The name of a call: to whom, with how much coin, and what.
pub(super) fn call_hash(call: &Call) -> Word {
    let to = call.to.map_or_else(Vec::new, |to| to.to_vec());
    keccak256(&[&[u8::from(call.to.is_some())][..], &to, &call.value.to_be_bytes(), &call.data].concat())
}

/// The call that does nothing: what takes the place of one that is cancelled.
pub(super) fn nothing(account: EvmAddress) -> Call {
    Call::to(account, Vec::new())
}

fn broken(file: &str, what: impl ToString) -> ChainError {
    ChainError::Broken { file: file.to_owned(), what: what.to_string() }
}

impl Pending {
    pub(super) fn of(purpose: &str, first: SignedTransaction) -> Self {
        Self { purpose: purpose.to_owned(), variants: vec![first] }
    }

    /// Reads the document of an account on a chain.
    ///
    /// Every variant is decoded, so that a document that was changed is found out: who signed says the signature.
    pub(super) fn read(document: &[u8], chain_id: u64, account: EvmAddress) -> Result<Self, ChainError> {
        let json: PendingJson = serde_json::from_slice(document).map_err(|error| broken(PENDING, error))?;
        let mut variants = Vec::with_capacity(json.transactions.len());
        for text in &json.transactions {
            let raw = text.strip_prefix("0x").and_then(|text| HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok());
            let raw = raw.ok_or_else(|| broken(PENDING, "a transaction is not hexadecimal"))?;
            variants.push(SignedTransaction::decode(&raw).map_err(|error| broken(PENDING, error))?);
        }
        let Some(first) = variants.first().cloned() else { return Err(broken(PENDING, "it holds no transaction")) };
        let belongs = |one: &SignedTransaction| {
            let of_the_call = one.transaction().call == first.transaction().call;
            one.sender() == account
                && one.transaction().chain_id == chain_id
                && one.transaction().nonce == first.transaction().nonce
                && (of_the_call || one.transaction().call == nothing(account))
        };
        if !variants.iter().all(belongs) {
            let shown = hex_text(&account);
            return Err(broken(PENDING, format!("it is not all of one nonce of {shown} on chain {chain_id}")));
        }
        Ok(Self { purpose: json.purpose, variants })
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let transactions = self.variants.iter().map(|one| hex_text(one.raw())).collect();
        let json = PendingJson { purpose: self.purpose.clone(), transactions };
        serde_json::to_vec_pretty(&json).expect("texts are always written")
    }

    pub(super) fn add(&mut self, variant: SignedTransaction) {
        self.variants.push(variant);
    }

    /// The variants, the newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &SignedTransaction> {
        self.variants.iter().rev()
    }

    /// The last variant: it pays most.
    pub(super) fn newest(&self) -> &SignedTransaction {
        self.variants.last().expect("never empty")
    }

    pub(super) const fn count(&self) -> usize {
        self.variants.len()
    }

    /// What it is to do.
    pub(super) fn call(&self) -> &Call {
        &self.variants.first().expect("never empty").transaction().call
    }

    pub(super) fn nonce(&self) -> u64 {
        self.newest().transaction().nonce
    }

    /// The most gas.
    pub(super) fn gas_limit(&self) -> u64 {
        self.variants.first().expect("never empty").transaction().gas_limit
    }

    /// Whether the variant of this hash is the call, and not what cancels it.
    pub(super) fn is_the_call(&self, hash: &Word) -> bool {
        self.variants.iter().any(|one| one.hash() == *hash && one.transaction().call == *self.call())
    }
}

impl Ended {
    /// Reads the document of an account on a chain.
    pub(super) fn read(document: &[u8], chain_id: u64, account: EvmAddress) -> Result<Self, ChainError> {
        let ended: Self = serde_json::from_slice(document).map_err(|error| broken(ENDED, error))?;
        if ended.chain_id != chain_id || ended.account != hex_text(&account) {
            let what = format!("it is of {} on chain {}, not of {}", ended.account, ended.chain_id, hex_text(&account));
            return Err(broken(ENDED, what));
        }
        Ok(ended)
    }

    pub(super) fn write(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("texts and numbers are always written")
    }
}

#[cfg(test)]
mod tests {
    use cairn_core::Address;
    use cairn_core::wallet::WalletKey;

    use super::*;
    use crate::{Fees, Transaction};

    fn signed(key: u8, chain_id: u64, nonce: u64, call: Call) -> SignedTransaction {
        let fees = Fees::Legacy { price: 7 + u128::from(key) };
        Transaction { chain_id, nonce, fees, gas_limit: 21_000, call }.sign(&WalletKey::from_bytes([key; 32]).unwrap())
    }

    fn account(key: u8) -> EvmAddress {
        let Address::Evm(address) = WalletKey::from_bytes([key; 32]).unwrap().address() else { unreachable!() };
        address
    }

    #[test]
    fn a_document_is_read_as_it_was_written_and_only_for_its_account_and_chain() {
        let call = Call::to([7; 20], vec![1, 2, 3]);
        let mut pending = Pending::of("a \"purpose\"\n", signed(1, 5, 9, call.clone()));
        pending.add(signed(1, 5, 9, nothing(account(1))));
        let document = pending.write();
        assert_eq!(Pending::read(&document, 5, account(1)), Ok(pending.clone()));
        assert!(pending.is_the_call(&signed(1, 5, 9, call.clone()).hash()));
        assert!(!pending.is_the_call(&pending.newest().hash()));
        for (chain_id, key) in [(6, 1), (5, 2)] {
            assert_eq!(Pending::read(&document, chain_id, account(key)).unwrap_err().code(), "STL-BROKEN");
        }
        for other in
            [signed(1, 5, 8, call.clone()), signed(2, 5, 9, call.clone()), signed(1, 5, 9, Call::deploy(vec![1]))]
        {
            let mut mixed = pending.clone();
            mixed.add(other);
            assert_eq!(Pending::read(&mixed.write(), 5, account(1)).unwrap_err().code(), "STL-BROKEN");
        }
    }

    #[test]
    fn a_document_that_was_cut_or_changed_is_refused_or_says_what_was_signed() {
        let call = Call::to([7; 20], vec![1, 2, 3]);
        let pending = Pending::of("a purpose", signed(1, 5, 9, call));
        let document = pending.write();
        for end in 0..document.len() {
            assert!(Pending::read(&document[..end], 5, account(1)).is_err(), "cut at {end}");
        }
        for place in 0..document.len() {
            for bit in 0..8 {
                let mut turned = document.clone();
                turned[place] ^= 1 << bit;
                if let Ok(read) = Pending::read(&turned, 5, account(1)) {
                    assert_eq!(read.variants, pending.variants, "bit {bit} of {place}");
                }
            }
        }
        for text in
            ["{}", "{\"purpose\":\"x\",\"transactions\":[]}", "{\"purpose\":\"x\",\"transactions\":[\"0x\"]}", "[]"]
        {
            assert_eq!(Pending::read(text.as_bytes(), 5, account(1)).unwrap_err().code(), "STL-BROKEN", "{text}");
        }
    }

    #[test]
    fn different_calls_have_different_names() {
        let calls = [
            Call::deploy(vec![0; 20]),
            Call::to([0; 20], vec![]),
            Call { value: 1, ..Call::to([0; 20], vec![]) },
            Call::to([0; 20], vec![0]),
            Call::deploy([&[0; 20][..], &[0; 16]].concat()),
        ];
        let names: std::collections::BTreeSet<Word> = calls.iter().map(call_hash).collect();
        assert_eq!(names.len(), calls.len());
    }
}
