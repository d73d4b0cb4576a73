//! All that pages know of the network: the ledger, the log and how the gateway stands.
//!
//! Each question holds the ledger for itself and for a short while, since the writer waits for whoever reads; the tables of
//! closed epochs are read without holding it. Pages name the closed epoch that they are about, and closed epochs never change,
//! so what they put together fits together.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, RwLock, RwLockReadGuard};

use cairn_api::{
    AccountEpoch, AccountInfo, DeviceInfo, DistributionInfo, EpochInfo, EpochList, EpochRef, Health, NetworkInfo,
    PayoutList,
};
use cairn_core::ed25519::Signature;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::epoch::EpochStatement;
use cairn_core::key::PublicKey;
use cairn_core::statement::Statement;
use cairn_core::{Account, Amount, DeviceId, Domain, NetworkId};
use cairn_ledger::{ClosedEpochs, Compared, JudgedEpoch, Ledger, LedgerError, NetworkClock, PlacedDevice, Places};
use cairn_log::LogReader;

use crate::basemap::Basemap;
use crate::error::ConsoleError;
use crate::money::Money;
use crate::newcomer::{Newcomer, newcomer};
use crate::pages::changes::{self, Change};
use crate::pages::device::Grid;
use crate::pages::tax::Period;
use crate::rows::{PayoutRows, Rows, VerdictRows};
use crate::settled::Record;
use crate::source::Source;
use crate::why;
use crate::word::Word;

/// How the gateway stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It takes reports, and its checkpoint is up to date.
    Well(Health),
    /// It does not, or is not: the stable code, and what is the matter.
    Unwell {
        /// Such as `NET-STALE`.
        code: &'static str,
        /// What is the matter.
        detail: String,
    },
}

/// Whose key made the signature of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SignedBy {
    /// The key that the device has now.
    Key(String),
    /// A key that it had before.
    FormerKey(String),
    /// None of those that are remembered.
    Nobody,
    /// There is no such device.
    Unknown,
}

/// What pages are made from.
pub struct Reader<'a> {
    /// The ledger that follows the log.
    pub ledger: &'a RwLock<Ledger>,
    /// The log.
    pub log: &'a LogReader,
    /// The network's clock.
    pub clock: NetworkClock,
    /// How the gateway stands.
    pub standing: Standing,
    /// The folder of what chains said that they paid ([`crate::settled`]), if it is kept.
    pub settled: Option<&'a Path>,
    /// The operator's base map, if there is one.
    pub basemap: Option<&'a Basemap>,
    /// What only the gateway can say.
    pub word: &'a dyn Word,
}

/// Entries after an epoch's last one among which its statement is looked for.
const STATEMENT_WITHIN: u64 = 1_000;

/// Epochs whose payouts are added up for a page.
const EPOCHS_SUMMED: u64 = 1_000;

/// Devices that are taken down while the ledger is held once.
const PLACED_AT_ONCE: usize = 4_096;

/// Entries that the log reads together.
const BUNDLE: u64 = 256;

/// Entries ahead of an epoch among which the documents are looked for that rule from it on,
const SAID_WITHIN: u64 = 20_000;
/// and entries of the log's beginning, which epoch 0 has no others ahead of.
const GENESIS_ENTRIES: u64 = 1_000;

type Read<T> = Result<T, ConsoleError>;

/// Some epochs of a history, newest first, and the `before` of those that follow.
pub(crate) type History<T> = (Vec<T>, Option<u64>);

/// The entry that holds an epoch's statement; `None` while it is not logged.
///
/// # Errors
/// [`ConsoleError`] when the log cannot be read.
pub(crate) fn statement_entry(log: &LogReader, statement: &EpochStatement) -> Read<Option<u64>> {
    // It is logged right after the entry that closed the epoch, unless several closed at once.
    let bytes = statement.encode();
    for chunk in log.entries(statement.to..statement.to.saturating_add(STATEMENT_WITHIN)) {
        let chunk = chunk?;
        let mut entries = chunk.iter().filter_map(|(index, bytes)| Some((index, Entry::decode(bytes).ok()?)));
        let found = entries.find(|(_, entry)| entry.kind == EntryKind::Epoch && entry.body == bytes);
        if let Some((index, _)) = found {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

impl Reader<'_> {
    pub(crate) fn ledger(&self) -> Read<RwLockReadGuard<'_, Ledger>> {
        self.ledger.read().map_err(|_| ConsoleError::Stopped)
    }

    /// The closed epochs, which are read without holding the ledger.
    pub(crate) fn closed(&self) -> Read<ClosedEpochs> {
        Ok(self.ledger()?.closed_epochs())
    }

    /// What a page cites: the statement of `epoch`, or of the last closed one.
    ///
    /// # Errors
    /// [`ConsoleError`] for an epoch that has not closed.
    pub(crate) fn source(&self, epoch: Option<u64>) -> Read<Source> {
        let ledger = self.ledger()?;
        let network = ledger.state().network.as_ref();
        let network = network.ok_or_else(|| ConsoleError::not_there("NET-GENESIS", "there is no network yet"))?;
        let as_of = match epoch {
            Some(epoch) => Some(ledger.epoch_ref(epoch)?),
            None => ledger.last_closed(),
        };
        let rehearsed = match &as_of {
            Some(epoch) => ledger.epoch_info(epoch.number)?.rehearsed,
            None => network.genesis.rehearsed.clone(),
        };
        Ok(Source { network: network.genesis.name.clone(), network_id: network.id.0.to_hex(), as_of, rehearsed })
    }

    /// The last closed epoch.
    pub(crate) fn last_closed(&self) -> Read<Option<u64>> {
        Ok(self.ledger()?.last_closed().map(|epoch| epoch.number))
    }

    /// A closed epoch by its number and statement hash.
    ///
    /// # Errors
    /// [`ConsoleError`] for an epoch that has not closed.
    pub(crate) fn epoch_ref(&self, epoch: u64) -> Read<EpochRef> {
        Ok(self.closed()?.epoch_ref(epoch)?)
    }

    /// The asset as an epoch had it; before any epoch has closed, as the policy in force has it.
    pub(crate) fn money(&self, epoch: Option<u64>) -> Read<Money> {
        let ledger = self.ledger()?;
        let number = epoch.unwrap_or(ledger.state().epoch.number);
        let policy = ledger.state().policy_for(number);
        let symbol = policy.map_or_else(String::new, |policy| policy.read.asset.symbol.clone());
        Ok(Money { symbol, decimals: ledger.decimals(number) })
    }

    pub(crate) fn network(&self) -> Read<NetworkInfo> {
        let mut info = self
            .ledger()?
            .network_info(self.clock)?
            .ok_or_else(|| ConsoleError::not_there("NET-GENESIS", "there is no network yet"))?;
        // The state may be a moment ahead of the disk; what is told is durable.
        info.size = self.log.size();
        info.log_root = self.log.root_at(info.size)?.to_hex();
        Ok(info)
    }

    pub(crate) fn epochs(&self, before: Option<u64>, limit: u64) -> Read<EpochList> {
        Ok(self.ledger()?.epoch_list(before, limit)?)
    }

    pub(crate) fn epoch(&self, number: u64) -> Read<EpochInfo> {
        Ok(self.ledger()?.epoch_info(number)?)
    }

    pub(crate) fn distribution(&self, number: u64) -> Read<DistributionInfo> {
        Ok(self.closed()?.distribution(number)?)
    }

    /// The devices of a closed epoch by place. Summed up when it is first asked for.
    pub(crate) fn places(&self, number: u64) -> Read<Arc<Places>> {
        let closed = self.closed()?;
        if let Some(places) = closed.known_places(number)? {
            return Ok(places);
        }
        let mut devices = Vec::new();
        loop {
            let after = devices.last().map(PlacedDevice::id);
            let piece = self.ledger()?.placed_devices(after, PLACED_AT_ONCE);
            let is_last = piece.len() < PLACED_AT_ONCE;
            devices.extend(piece);
            if is_last {
                return Ok(closed.sum_places(number, &devices)?);
            }
        }
    }

    /// What one more device would have earned in a closed epoch.
    pub(crate) fn newcomer(&self, number: u64, places: &Places) -> Read<Vec<Newcomer>> {
        let statement = self.closed()?.statement(number)?;
        let ledger = self.ledger()?;
        let policy = ledger.state().policy_for(number).map(|policy| &policy.read);
        Ok(policy.map_or_else(Vec::new, |policy| newcomer(&statement.pools, policy, places.middles())))
    }

    pub(crate) fn payouts(&self, number: u64, after: u64, limit: u64) -> Read<PayoutList> {
        Ok(self.closed()?.payout_list(number, after, limit)?)
    }

    /// The payout rows of an epoch from a position on, to be taken in pieces.
    pub(crate) fn payout_rows(&self, number: u64, after: u64, rows_per_piece: u64) -> Read<Rows> {
        Ok(PayoutRows::of(self.closed()?, number, after, rows_per_piece).into())
    }

    pub(crate) fn verdict_list(&self, number: u64, after: u64, limit: u64) -> Read<cairn_api::VerdictList> {
        Ok(self.closed()?.verdict_list(number, None, after, limit)?)
    }

    /// The verdicts of an epoch from a position on, to be taken in pieces.
    pub(crate) fn verdict_rows(&self, number: u64, after: u64, rows_per_piece: u64) -> Read<Rows> {
        Ok(VerdictRows::of(self.closed()?, number, after, rows_per_piece).into())
    }

    /// A device and a page of its history.
    pub(crate) fn device(
        &self,
        id: &DeviceId,
        before: Option<u64>,
        limit: u64,
    ) -> Read<(DeviceInfo, History<JudgedEpoch>)> {
        let info = self.ledger()?.device_now(id)?;
        Ok((info, self.closed()?.judged_epochs(id, before, limit)?))
    }

    /// What a device did in an epoch; `None` where it was not judged in it.
    pub(crate) fn judged_epoch(&self, id: &DeviceId, epoch: u64) -> Read<Option<JudgedEpoch>> {
        let (judged, _) = self.closed()?.judged_epochs(id, Some(epoch.saturating_add(1)), 1)?;
        Ok(judged.into_iter().next())
    }

    /// What a device was held against in an epoch; nothing where the epoch did not judge by neighbours.
    pub(crate) fn compared(&self, id: &DeviceId, epoch: u64) -> Read<Compared> {
        let (around, closed) = {
            let ledger = self.ledger()?;
            (ledger.around(id, epoch), ledger.closed_epochs())
        };
        Ok(around.map(|around| closed.compared(&around, self.log)).transpose()?.unwrap_or_default())
    }

    /// What a device earned up to an epoch; `None` where that is too many epochs to add up.
    pub(crate) fn earned(&self, id: &DeviceId, epoch: Option<u64>) -> Read<Option<Amount>> {
        let end = epoch.map_or(0, |epoch| epoch.saturating_add(1));
        Ok(self.closed()?.earned(id, end)?)
    }

    /// Where the slots of epochs lie, of the class that is judged by slots; nothing of those in which it was not judged.
    pub(crate) fn slot_grids(&self, epochs: &[u64]) -> Read<BTreeMap<u64, Grid>> {
        let class = cairn_classes::sensing::SCHEMA;
        let (clock, documents) = {
            let ledger = self.ledger()?;
            let state = ledger.state();
            let document = |epoch: &u64| Some((*epoch, state.profile_for(class, *epoch)?.to_owned()));
            (state.clock(), epochs.iter().filter_map(document).collect::<Vec<_>>())
        };
        let Some(clock) = clock else { return Ok(BTreeMap::new()) };
        let mut grids = BTreeMap::new();
        // A document is read once for all the epochs that it rules.
        for same in documents.chunk_by(|(_, one), (_, other)| one == other) {
            let Ok(slot_ms) = cairn_classes::slot_ms(class, &same[0].1) else { continue };
            let grid = |epoch: u64| Grid { start_ms: clock.start_ms(epoch), end_ms: clock.end_ms(epoch), slot_ms };
            grids.extend(same.iter().map(|(epoch, _)| (*epoch, grid(*epoch))));
        }
        Ok(grids)
    }

    /// An account as of the last closed epoch, and a page of its history.
    pub(crate) fn account(
        &self,
        account: &Account,
        before: Option<u64>,
        limit: u64,
    ) -> Read<(AccountInfo, History<AccountEpoch>)> {
        let (info, closed) = {
            let ledger = self.ledger()?;
            (ledger.account_now(account)?, ledger.closed_epochs())
        };
        Ok((info, closed.account_history(account, before, limit)?))
    }

    /// The documents that rule from an epoch on and did not before, as the state has them: without their entries.
    pub(crate) fn documents_of(&self, epoch: u64) -> Read<Vec<Change>> {
        let ledger = self.ledger()?;
        let state = ledger.state();
        let change = |what, name: &str, hash: Option<cairn_core::Hash>| Change {
            what,
            name: name.to_owned(),
            hash: hash.map(|hash| hash.to_hex()),
            entry: None,
            signers: Vec::new(),
        };
        let policy = state.policies.get(&epoch).map(|policy| change("policy", "", Some(policy.read.hash())));
        let profiles = state.profiles.iter().filter(|((_, first), _)| *first == epoch);
        let profiles = profiles
            .map(|((class, _), document)| change("profile", class, Some(cairn_core::Hash::of(document.as_bytes()))));
        let auditors = state
            .auditors
            .get(&epoch)
            .map(|set| change("auditor-set", &format!("{} of {} must sign", set.quorum, set.auditors.len()), None));
        Ok(policy.into_iter().chain(profiles).chain(auditors).collect())
    }

    /// What the entries before an epoch's first one, as far back as is looked, make rule from that epoch on, in their order.
    pub(crate) fn said_before(&self, epoch: u64) -> Read<Vec<Change>> {
        // A document is received before the time that it rules, so ahead of the entries of its first epoch.
        let end = self.closed()?.statement(epoch)?.from.max(GENESIS_ENTRIES).min(self.log.size());
        let mut said = Vec::new();
        for chunk in self.log.entries(end.saturating_sub(SAID_WITHIN)..end) {
            for (index, bytes) in chunk?.iter() {
                let Ok(entry) = Entry::decode(bytes) else { continue };
                if entry.kind != EntryKind::Statement {
                    continue;
                }
                let Ok(statement) = Statement::parse(entry.body) else { continue };
                said.extend(changes::of_statement(&statement, epoch, index));
            }
        }
        Ok(said)
    }

    /// What a chain said that it paid, if anybody wrote it down for this network and the contract of an epoch's statement. A record
    /// that cannot be read, or is of something else, is none.
    pub(crate) fn record(&self, chain: &Domain, epoch: u64) -> Read<Option<Record>> {
        let Some(folder) = self.settled else { return Ok(None) };
        let network = self.network_id()?.0.to_hex();
        let statement = self.closed()?.statement(epoch)?;
        let Some(claims) = statement.domains.iter().find(|claims| claims.domain == *chain) else { return Ok(None) };
        let contract = format!("0x{}", data_encoding::HEXLOWER.encode(&claims.distributor[12..]));
        let record = Record::open(folder, chain).ok().flatten();
        Ok(record.filter(|record| record.asked.network_id == network && record.asked.contract == contract))
    }

    /// What an account was given up to an epoch; `None` where that is more epochs away than are added up for a page.
    ///
    /// # Errors
    /// [`ConsoleError`] for an epoch that has not closed.
    pub(crate) fn cumulative_at(&self, account: &Account, epoch: u64) -> Read<Option<Amount>> {
        let (closed, now) = {
            let ledger = self.ledger()?;
            (ledger.closed_epochs(), ledger.state().cumulative.get(account).copied().unwrap_or_default())
        };
        let given = |epochs: core::ops::Range<u64>| {
            let mut sum = Amount::ZERO;
            for epoch in epochs {
                let payouts = closed.payouts_to(epoch, account)?;
                let given = Amount::checked_sum(payouts.into_iter().map(|payout| payout.amount)).unwrap_or_default();
                sum = sum.checked_add(given).unwrap_or_default();
            }
            Ok::<_, LedgerError>(sum)
        };
        let end = epoch.saturating_add(1);
        // From whichever end is nearer.
        let (through, since) = (end, closed.open().saturating_sub(end));
        Ok(match (since, through) {
            (0, _) => Some(now),
            (since, through) if since <= through && since <= EPOCHS_SUMMED => {
                now.checked_sub(given(end..closed.open())?)
            }
            (_, through) if through <= EPOCHS_SUMMED => Some(given(0..end)?),
            _ => None,
        })
    }

    /// The last closed epoch, and all closed epochs as what was given to an account.
    pub(crate) fn period(&self, account: &Account) -> Read<(Option<u64>, Period)> {
        let ledger = self.ledger()?;
        let clock = ledger.state().clock();
        let clock = clock.ok_or_else(|| ConsoleError::not_there("NET-GENESIS", "there is no network yet"))?;
        let closed = ledger.closed_epochs();
        let policies = ledger.state().policies.iter();
        let decimals = policies.map(|(first, policy)| (*first, policy.read.asset.decimals)).collect();
        let (end, log) = (closed.open(), self.log.clone());
        let period = Period { closed, log, account: account.clone(), clock, decimals, first: 0, end };
        Ok((end.checked_sub(1), period))
    }

    /// Every verdict of an epoch over a device, as the ledger says it.
    pub(crate) fn verdicts(&self, id: &DeviceId, epoch: u64, limit: u64) -> Read<Vec<cairn_api::VerdictInfo>> {
        Ok(self.closed()?.verdict_list(epoch, Some(id), 0, limit)?.verdicts)
    }

    /// Why a device got what it got in an epoch: what the ledger says, and what of it stands under the statement.
    pub(crate) fn why(&self, device: &DeviceId, epoch: u64) -> Read<(cairn_api::Explanation, why::Case)> {
        let (closed, policy, genesis, id) = {
            let ledger = self.ledger()?;
            let state = ledger.state();
            if !state.devices.contains_key(device) {
                return Err(LedgerError::NoDevice { device: device.to_string() }.into());
            }
            let closed = ledger.closed_epochs();
            let (Some(network), Some(policy)) = (&state.network, state.policy_for(epoch)) else {
                return Err(LedgerError::NoEpoch { epoch, open: closed.open() }.into());
            };
            (closed, policy.read.clone(), network.genesis.clone(), network.id)
        };
        let start_ms = genesis.epoch_zero_ms.saturating_add(genesis.epoch_ms.saturating_mul(epoch));
        let mut explanation = closed.explain(device, epoch, Some(&policy), start_ms)?;
        if let Some(account) = closed.account_of(device, epoch)? {
            explanation.claim = self.claim(&account, epoch)?;
        }
        let statement = why::statement(&id, epoch, &closed.statement(epoch)?.encode(), &explanation)?;
        let asked = why::Asked {
            network_name: &genesis.name,
            device: *device,
            statement: &statement,
            policy: &policy,
            start_ms,
            epoch_ms: genesis.epoch_ms,
        };
        let case = why::Case::prove(&asked, &explanation)?;
        let chained = case.account().map(|account| self.chained(account)).transpose()?.flatten();
        Ok((explanation, case.with_chain(chained)))
    }

    /// What an account's chain said, if anybody wrote that down.
    fn chained(&self, account: &Account) -> Read<Option<why::Chained>> {
        let Some(last) = self.last_closed()? else { return Ok(None) };
        let Some(record) = self.record(account.domain(), last)? else { return Ok(None) };
        let cairn_core::Address::Evm(address) = account.address() else { return Ok(None) };
        let Ok(paid) = record.paid(address) else { return Ok(None) };
        let asked = record.asked;
        Ok(Some(why::Chained {
            chain: asked.chain,
            rehearsed: asked.rehearsed,
            block: asked.block,
            block_ms: asked.block_time_s.saturating_mul(1_000),
            posted: asked.posted,
            opened: asked.opened,
            paid,
        }))
    }

    /// An account's claim as of an epoch, while it is the last one that closed.
    fn claim(&self, account: &Account, epoch: u64) -> Read<Option<cairn_api::ClaimInfo>> {
        let ledger = self.ledger()?;
        let is_last = ledger.last_closed().is_some_and(|last| last.number == epoch);
        Ok(if is_last { ledger.claim_of(account)? } else { None })
    }

    /// The chains that accounts of this network may be on.
    pub(crate) fn chains(&self) -> Read<Vec<String>> {
        Ok(self.ledger()?.state().domains.keys().map(ToString::to_string).collect())
    }

    /// Whether a device is enrolled, or was.
    pub(crate) fn has_device(&self, id: &DeviceId) -> Read<bool> {
        Ok(self.ledger()?.state().devices.contains_key(id))
    }

    /// The hashes of the last `limit` closed epochs' statements, by hash.
    pub(crate) fn statements(&self, limit: u64) -> Read<BTreeMap<String, EpochRef>> {
        let closed = self.closed()?;
        let mut found = BTreeMap::new();
        for epoch in closed.open().saturating_sub(limit)..closed.open() {
            let cited = closed.epoch_ref(epoch)?;
            found.insert(cited.statement.clone(), cited);
        }
        Ok(found)
    }

    /// Entries by their indices, which ascend. Those that lie side by side are read together.
    pub(crate) fn entries(&self, indices: &[u64]) -> Read<Vec<(u64, Vec<u8>)>> {
        let mut found = Vec::with_capacity(indices.len());
        for near in indices.chunk_by(|one, other| other - one < BUNDLE) {
            let (Some(first), Some(last)) = (near.first(), near.last()) else { continue };
            let mut wanted = near.iter().peekable();
            for chunk in self.log.entries(*first..last.saturating_add(1)) {
                for (index, bytes) in chunk?.iter() {
                    if wanted.next_if(|next| **next == index).is_some() {
                        found.push((index, bytes.to_vec()));
                    }
                }
            }
        }
        Ok(found)
    }

    pub(crate) fn network_id(&self) -> Read<NetworkId> {
        self.ledger()?.network_id().ok_or_else(|| ConsoleError::not_there("NET-GENESIS", "there is no network yet"))
    }

    /// Which of a device's keys made a signature over a message.
    pub(crate) fn signed_by(&self, id: &DeviceId, message: &[u8], signature: &Signature) -> Read<SignedBy> {
        let ledger = self.ledger()?;
        let Some(device) = ledger.state().devices.get(id) else { return Ok(SignedBy::Unknown) };
        if device.key.verify(message, signature) {
            return Ok(SignedBy::Key(device.key.did()));
        }
        let former = device.former_keys().find(|key| key.verify(message, signature));
        Ok(former.map_or(SignedBy::Nobody, |key| SignedBy::FormerKey(key.did())))
    }

    /// The key of an observer that the policy names which was in force when the entry at `index` was logged. The policy is
    /// that of the epoch whose range holds the entry.
    pub(crate) fn observer(&self, key_id: &[u8; 16], index: u64) -> Read<Option<PublicKey>> {
        let epoch = self.closed()?.epoch_of(index)?;
        let ledger = self.ledger()?;
        let named = ledger.state().policy_for(epoch).into_iter().flat_map(|policy| &policy.read.observers);
        Ok(named.map(|observer| observer.key).find(|key| key.key_id() == *key_id))
    }
}
