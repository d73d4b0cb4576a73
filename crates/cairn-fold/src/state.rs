//! The state: everything that the entries so far amount to, and nothing that they do not.
//!
//! It is a set of records `[table, key, value]`. Sorted bytewise they are a snapshot; their RFC 6962 root is the state
//! root that every epoch statement carries. Memory grows with devices, signers and accounts, never with reports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cairn_classes::compute::{Market, Profile};
use cairn_core::deposit::CreditAsset;
use cairn_core::epoch::EpochClock;
use cairn_core::key::PublicKey;
use cairn_core::report::ReportName;
use cairn_core::statement::{AuditorSet, DomainTerms, Genesis, Successor};
use cairn_core::{Account, Amount, DeviceId, Domain, Hash, NetworkId};
use cairn_reward::Policy;

use crate::carry::Carried;
use crate::credit::Credits;
use crate::device::{Device, Kind};
use crate::nonces::SignerName;

/// A policy in force from an epoch on: its document, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyInForce {
    /// The document's bytes.
    pub document: Vec<u8>,
    /// What it says.
    pub read: Policy,
}

/// The most settlement chains of a network: each has its line in every epoch statement.
pub const DOMAINS_MAX: usize = 16;

/// A denial in force or past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The entry that denied.
    pub index: u64,
    /// Until when, ms since 1970 UTC.
    pub until_ms: u64,
    /// Why, as a stable code.
    pub reason: String,
}

/// What is known of an accepted report until its epoch is judged: who is paid, and whether it was denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The owner's payee at the report's index; of millions of reports that wait, shared among those of one payee.
    pub account: Arc<Account>,
    /// The denial in force at the report's index.
    pub denied: Option<u64>,
}

/// The epoch that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenEpoch {
    /// Its number.
    pub number: u64,
    /// The first entry of its range.
    pub from: u64,
    /// Hash of the statement of the epoch before; zeros for epoch 0.
    pub previous: Hash,
}

/// The network, as genesis made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its id.
    pub id: NetworkId,
    /// What genesis said.
    pub genesis: Genesis,
    /// The genesis payload, which the id is the hash of.
    pub payload: Vec<u8>,
}

/// Everything that the entries so far amount to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The network; `None` before entry 0.
    pub network: Option<Network>,
    /// When the last entry was received, ms since 1970 UTC.
    pub received_ms: u64,
    /// The epoch that is open.
    pub epoch: OpenEpoch,
    /// Devices by id; boxed, because a third of a map's places are empty.
    pub devices: BTreeMap<DeviceId, Box<Device>>,
    /// Devices that each owner enrolled or was given, retired ones included.
    pub owned: BTreeMap<Arc<Account>, u32>,
    /// The kinds that devices are of, each once: no device ever leaves the state, so no kind does.
    pub(crate) kinds: BTreeSet<Arc<Kind>>,
    /// The last nonce of each signer.
    pub nonces: BTreeMap<SignerName, u64>,
    /// Policies by first epoch.
    pub policies: BTreeMap<u64, PolicyInForce>,
    /// Profile documents by class and first epoch.
    pub profiles: BTreeMap<(String, u64), String>,
    /// The account that each owner chose to be paid at.
    pub payees: BTreeMap<Account, Arc<Account>>,
    /// What each account was given in all, base units.
    pub cumulative: BTreeMap<Account, Amount>,
    /// Denials by device.
    pub denials: BTreeMap<DeviceId, Denial>,
    /// Appeals: the entry of the appeal, by the entry of the denial it answers.
    pub appeals: BTreeMap<u64, u64>,
    /// Names with two payloads, and the conflict statement that showed it.
    pub conflicts: BTreeMap<ReportName, u64>,
    /// The last round of each source and observer.
    pub rounds: BTreeMap<(String, [u8; 16]), u64>,
    /// By epoch and index: reports that the epoch is still to judge, and, of the epochs of the lookback, those denied.
    pub pending: BTreeMap<(u64, u64), Pending>,
    /// Reports judged in the epochs of the lookback, as runs `(first index, count)`.
    pub judged: BTreeMap<u64, Vec<(u64, u64)>>,
    /// What judges remember, by class: of the revisions that judged the last closed epoch, and no others.
    pub carry: BTreeMap<String, Carried>,
    /// Settlement chains.
    pub domains: BTreeMap<Domain, DomainTerms>,
    /// Auditor sets by first epoch.
    pub auditors: BTreeMap<u64, AuditorSet>,
    /// Where the log continues.
    pub successor: Option<Successor>,
    /// Closed epochs whose statement has not been logged yet, with its hash.
    pub unlogged: BTreeMap<u64, Hash>,
    /// Base units minted so far.
    pub minted: Amount,
    /// Base units that belong to nobody yet.
    pub unallocated: Amount,
    /// What buyers paid in and have not spent.
    pub credits: Credits,
    /// Offers, licences and jobs of the class whose work is ordered.
    pub market: Market,
    /// Its profiles by first epoch, read: derived from the documents.
    pub(crate) work_profiles: BTreeMap<u64, Arc<Profile>>,
    /// Base units of the network's own asset that were paid in while this epoch has been open; part of the credits
    /// and of what is locked.
    pub deposited: Amount,
}

impl State {
    /// Where epochs lie in time; `None` before genesis.
    #[must_use]
    pub fn clock(&self) -> Option<EpochClock> {
        self.network.as_ref().map(|network| EpochClock::of(&network.genesis))
    }

    /// The policy that rules an epoch.
    #[must_use]
    pub fn policy_for(&self, epoch: u64) -> Option<&PolicyInForce> {
        self.policies.range(..=epoch).next_back().map(|(_, policy)| policy)
    }

    /// The auditors whose signatures count for an epoch. Once the epoch has begun nothing changes them any more.
    #[must_use]
    pub fn auditors_for(&self, epoch: u64) -> Option<&AuditorSet> {
        self.auditors.range(..=epoch).next_back().map(|(_, set)| set)
    }

    /// The policy that rules the open epoch.
    #[must_use]
    pub fn policy(&self) -> Option<&PolicyInForce> {
        self.policy_for(self.epoch.number)
    }

    /// The profile document of a class that rules an epoch.
    #[must_use]
    pub fn profile_for(&self, class: &str, epoch: u64) -> Option<&str> {
        let through = (class.to_owned(), 0)..=(class.to_owned(), epoch);
        self.profiles.range(through).next_back().map(|(_, document)| document.as_str())
    }

    /// The account that is paid for an owner's devices.
    #[must_use]
    pub fn payee_of<'a>(&'a self, owner: &'a Account) -> &'a Account {
        self.payees.get(owner).map_or(owner, AsRef::as_ref)
    }

    /// The same, shared.
    pub(crate) fn shared_payee_of(&self, owner: &Arc<Account>) -> Arc<Account> {
        self.payees.get::<Account>(owner).unwrap_or(owner).clone()
    }

    /// The denial that holds for a device at a time.
    #[must_use]
    pub fn denial_at(&self, device: &DeviceId, time_ms: u64) -> Option<&Denial> {
        self.denials.get(device).filter(|denial| time_ms < denial.until_ms)
    }

    /// What is in escrow: credit in the network's own asset, and what is locked for jobs.
    #[must_use]
    pub fn escrow(&self) -> Amount {
        let locked = self.locked().expect("what is locked was credit");
        self.credits.native().checked_add(locked).expect("all of it together is at most CREDIT_MAX")
    }

    /// What was in escrow when the epoch opened: what was paid in before and not spent.
    #[must_use]
    pub fn opening_escrow(&self) -> Amount {
        self.escrow().checked_sub(self.deposited).expect("what was paid in is part of what is held")
    }

    /// Whether there may be so much more credit in an asset: what is locked of the network's own counts with it.
    pub(crate) fn has_room(&self, asset: &CreditAsset, amount: Amount) -> bool {
        let locked = if asset.is_native() { self.locked() } else { Some(Amount::ZERO) };
        let more = locked.and_then(|locked| locked.checked_add(amount));
        more.is_some_and(|more| self.credits.has_room(asset, more))
    }

    /// The key that a device signs with, unless it is unknown.
    #[must_use]
    pub fn key_of(&self, device: &DeviceId) -> Option<&PublicKey> {
        self.devices.get(device).map(|device| &device.key)
    }
}
