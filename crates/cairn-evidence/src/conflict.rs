//! A device that signed two payloads under one name.
//!
//! The device's id is the hash of its first key, so what the first key signed needs no other witness. After a `rotate`
//! another key signs for the device, and that is what statements say: its enrolment names the owner, under the first key's
//! own signature; transfers name the next owner, under the signatures of both; a rotation names the next key, under the
//! signatures of the owner and of that key. The chain holds exactly those statements, in that order.
//!
//! What it cannot show: that no transfer is left out. Whoever owned the device once could name a key for it after he had
//! handed it on; the log voids that, but nobody sees it offline. So a finding that needs a chain names the owners on
//! whose word it rests, and their signatures are in it.

use cairn_core::key::PublicKey;
use cairn_core::report::Report;
use cairn_core::statement::{Body, Signer, Statement};
use cairn_core::{Account, DeviceId};

use crate::network::Founded;
use crate::{Accusation, CHAIN_MAX, Culprit, Evidence, EvidenceError, Finding, Kind};

/// Two signed reports with one name and different payloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The device's first key, multicodec: its hash is the device's id.
    pub key: Vec<u8>,
    /// Enrolment, transfers and rotations up to the key that signed; empty when the first key signed both.
    pub chain: Vec<Vec<u8>>,
    /// The report whose payload has the lower SHA-256.
    pub first: Vec<u8>,
    /// The other.
    pub second: Vec<u8>,
}

/// The keys that a chain leads to, from the first on.
#[derive(Clone)]
struct Keys {
    keys: Vec<PublicKey>,
    /// For each key, how many statements of the chain lead to it: the last of them names it.
    named_by: Vec<usize>,
    /// For each rotation, the owner on whose word it rests.
    owners: Vec<Account>,
}

impl Evidence {
    /// Evidence that a device signed both reports. Of the chain as much is kept as is needed.
    ///
    /// # Errors
    /// [`EvidenceError`] when it would prove nothing.
    pub fn conflict(
        genesis: &[u8],
        key: &PublicKey,
        chain: &[Vec<u8>],
        one: &[u8],
        other: &[u8],
    ) -> Result<Self, EvidenceError> {
        let identity = |which, bytes| Ok::<_, EvidenceError>(parse(which, bytes)?.identity());
        let ascending = identity("first", one)? <= identity("second", other)?;
        let (first, second) = if ascending { (one, other) } else { (other, one) };
        let mut conflict =
            Conflict { key: key.multicodec(), chain: Vec::new(), first: first.to_vec(), second: second.to_vec() };
        // The shortest chain that holds is the one that is carried.
        for kept in 0..=chain.len() {
            conflict.chain = chain[..kept].to_vec();
            let evidence = Self::proven(genesis, Accusation::Conflict(conflict.clone()));
            match evidence {
                Err(EvidenceError::Chain { .. }) if kept < chain.len() => {}
                settled => return settled,
            }
        }
        unreachable!("the whole chain is the last that is tried, and settles it")
    }
}

/// The first key of a device, and those of some statements (all that a log holds, in its order) that name its owners and
/// keys with the right signatures. What others said of the device is left out, as the log voids it.
///
/// # Errors
/// [`EvidenceError::Genesis`], or [`EvidenceError::Chain`] when the device's enrolment is not among them.
pub fn chain_of<S: AsRef<[u8]>>(
    genesis: &[u8],
    device: DeviceId,
    statements: &[S],
) -> Result<(PublicKey, Vec<Vec<u8>>), EvidenceError> {
    let network = Founded::by(genesis)?;
    let mut found: Option<(Keys, Account)> = None;
    let mut chain = Vec::new();
    for bytes in statements {
        let Ok(statement) = Statement::parse(bytes.as_ref()) else { continue };
        let mut keys = match (&found, &statement.body) {
            (Some((keys, _)), _) => keys.clone(),
            (None, Body::Enrol(enrol)) if DeviceId::of_key(&enrol.key.multicodec()) == device => Keys::first(enrol.key),
            _ => continue,
        };
        let owner = found.as_ref().map(|(_, owner)| owner.clone());
        if !statement.signatures_hold(Some(&network.id)) {
            continue;
        }
        if let Ok(owner) = keys.step(&statement, chain.len() + 1, owner, device) {
            chain.push(bytes.as_ref().to_vec());
            found = Some((keys, owner));
        }
    }
    let none = || EvidenceError::Chain { reason: format!("{device} is enrolled by none of the statements") };
    found.map(|(keys, _)| (keys.keys[0], chain)).ok_or_else(none)
}

impl Conflict {
    pub(crate) fn check(&self, network: &Founded) -> Result<Finding, EvidenceError> {
        let first = parse("first", &self.first)?;
        let second = parse("second", &self.second)?;
        let (name, device) = (first.name(), first.device());
        if second.name() != name {
            let reason = "has another device, boot or seq than the first".to_owned();
            return Err(EvidenceError::Report { which: "second", reason });
        }
        if first.identity() == second.identity() {
            let reason = "both reports have the same payload, whatever their headers and signatures".to_owned();
            return Err(EvidenceError::Consistent { reason });
        }
        if first.identity() > second.identity() {
            return Err(EvidenceError::Order { rule: "the payload with the lower SHA-256 comes first" });
        }
        let keys = self.keys(network, device)?;
        let signers = [keys.signer(network, "first", &first)?, keys.signer(network, "second", &second)?];
        let last = signers[0].max(signers[1]);
        if keys.named_by[last] != self.chain.len() {
            return Err(EvidenceError::Chain { reason: "it goes on behind the keys that signed".to_owned() });
        }
        let mut used = vec![keys.keys[signers[0]]];
        if signers[0] != signers[1] {
            used.push(keys.keys[signers[1]]);
        }
        let sentence = format!(
            "device {device} signed two different payloads, {} and {}, as its report {} of boot {}",
            first.identity(),
            second.identity(),
            name.seq,
            name.boot
        );
        let mut on_word_of = keys.owners[..last].to_vec();
        on_word_of.dedup();
        let guilty = vec![Culprit::Device { id: device, keys: used }];
        Ok(Finding { network: network.id, kind: Kind::Conflict, guilty, sentence, on_word_of })
    }

    /// Walks the chain.
    fn keys(&self, network: &Founded, device: DeviceId) -> Result<Keys, EvidenceError> {
        let refuse = |reason: &str| EvidenceError::Chain { reason: reason.to_owned() };
        let key = PublicKey::from_multicodec(&self.key).ok_or_else(|| refuse("the first key is no key"))?;
        if DeviceId::of_key(&self.key) != device {
            return Err(refuse("the first key is not the one that the device's id is the hash of"));
        }
        if !key.enrolable() {
            return Err(refuse("the first key is one that no network lets in"));
        }
        if self.chain.len() > CHAIN_MAX {
            return Err(refuse("it has more than 32 statements"));
        }
        let mut keys = Keys::first(key);
        let mut owner = None;
        for (bytes, number) in self.chain.iter().zip(1..) {
            let statement = Statement::parse(bytes).map_err(|error| refuse(&error.to_string()))?;
            if !statement.signatures_hold(Some(&network.id)) {
                return Err(refuse("a signature under a statement does not hold in this network"));
            }
            owner = Some(keys.step(&statement, number, owner.take(), device)?);
        }
        Ok(keys)
    }
}

impl Keys {
    fn first(key: PublicKey) -> Self {
        Self { keys: vec![key], named_by: vec![0], owners: Vec::new() }
    }

    /// Takes the statement of that number; the owner after it.
    fn step(
        &mut self,
        statement: &Statement,
        number: usize,
        owner: Option<Account>,
        device: DeviceId,
    ) -> Result<Account, EvidenceError> {
        let refuse = |reason: &str| EvidenceError::Chain { reason: reason.to_owned() };
        let signed_by = |account: &Account| statement.is_signed_by(&Signer::of_address(account.address()));
        match (&statement.body, owner) {
            (Body::Enrol(enrol), None) => {
                let first = self.keys[0];
                if enrol.key != first {
                    return Err(refuse("the enrolment is another device's"));
                }
                if !statement.is_signed_by(&Signer::Key(first)) || !signed_by(&enrol.owner) {
                    return Err(refuse("the enrolment is not signed by the first key and the owner"));
                }
                Ok(enrol.owner.clone())
            }
            (Body::Transfer(transfer), Some(owner)) if transfer.device == device => {
                if !signed_by(&owner) || !signed_by(&transfer.owner) {
                    return Err(refuse("a transfer is not signed by both owners"));
                }
                Ok(transfer.owner.clone())
            }
            (Body::Rotate(rotate), Some(owner)) if rotate.device == device => {
                if !rotate.key.enrolable() {
                    return Err(refuse("a rotation names a key that no network lets in"));
                }
                if !signed_by(&owner) || !statement.is_signed_by(&Signer::Key(rotate.key)) {
                    return Err(refuse("a rotation is not signed by the owner and the next key"));
                }
                self.keys.push(rotate.key);
                self.owners.push(owner.clone());
                self.named_by.push(number);
                Ok(owner)
            }
            (_, None) => Err(refuse("it begins with the device's enrolment")),
            _ => Err(refuse("after the enrolment come transfers and rotations of this device")),
        }
    }

    /// The first of the keys that signed a report.
    fn signer(&self, network: &Founded, which: &'static str, report: &Report<'_>) -> Result<usize, EvidenceError> {
        let message = report.to_be_signed(&network.id);
        let signed = |key: &PublicKey| {
            key.algorithm() == report.sign1.algorithm && key.verify(&message, &report.sign1.signature)
        };
        let reason = || format!("none of the device's keys in it signed the {which} report for this network");
        self.keys.iter().position(signed).ok_or_else(|| EvidenceError::Chain { reason: reason() })
    }
}

fn parse<'a>(which: &'static str, bytes: &'a [u8]) -> Result<Report<'a>, EvidenceError> {
    Report::parse(bytes).map_err(|error| EvidenceError::Report { which, reason: format!("is none: {error}") })
}
