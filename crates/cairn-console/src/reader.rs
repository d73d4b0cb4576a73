//! All that pages know of the network: the ledger, the log and how the gateway stands.
//!
//! Each question holds the ledger for itself and for a short while, since the writer waits for whoever reads; the tables of
//! closed epochs are read without holding it. Pages name the closed epoch that they are about, and closed epochs never change,
//! so what they put together fits together.

use std::collections::BTreeMap;
use std::sync::{RwLock, RwLockReadGuard};

use cairn_api::{
    AccountEpoch, AccountInfo, DeviceEpoch, DeviceInfo, DistributionInfo, EpochInfo, EpochList, EpochRef, Health,
    NetworkInfo, PayoutList,
};
use cairn_core::ed25519::Signature;
use cairn_core::key::PublicKey;
use cairn_core::{Account, DeviceId, NetworkId};
use cairn_ledger::{ClosedEpochs, Ledger, LedgerError, NetworkClock};
use cairn_log::LogReader;

use crate::error::ConsoleError;
use crate::money::Money;
use crate::rows::PayoutRows;
use crate::source::Source;
use crate::why;

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
}

type Read<T> = Result<T, ConsoleError>;

/// Some epochs of a history, newest first, and the `before` of those that follow.
pub(crate) type History<T> = (Vec<T>, Option<u64>);

impl Reader<'_> {
    pub(crate) fn ledger(&self) -> Read<RwLockReadGuard<'_, Ledger>> {
        self.ledger.read().map_err(|_| ConsoleError::Stopped)
    }

    /// The closed epochs, which are read without holding the ledger.
    fn closed(&self) -> Read<ClosedEpochs> {
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

    pub(crate) fn payouts(&self, number: u64, after: u64, limit: u64) -> Read<PayoutList> {
        Ok(self.closed()?.payout_list(number, after, limit)?)
    }

    /// The payout rows of an epoch from a position on, to be taken in pieces.
    pub(crate) fn payout_rows(&self, number: u64, after: u64, rows_per_piece: u64) -> Read<PayoutRows> {
        Ok(PayoutRows::of(self.closed()?, number, after, rows_per_piece))
    }

    /// A device and a page of its history.
    pub(crate) fn device(
        &self,
        id: &DeviceId,
        before: Option<u64>,
        limit: u64,
    ) -> Read<(DeviceInfo, History<DeviceEpoch>)> {
        let info = self.ledger()?.device_now(id)?;
        Ok((info, self.closed()?.device_history(id, before, limit)?))
    }

    /// The last closed epoch, an account as of it, and a page of its history.
    pub(crate) fn account(
        &self,
        account: &Account,
        before: Option<u64>,
        limit: u64,
    ) -> Read<(Option<u64>, AccountInfo, History<AccountEpoch>)> {
        let (last, info, closed) = {
            let ledger = self.ledger()?;
            let last = ledger.last_closed().map(|epoch| epoch.number);
            (last, ledger.account_now(account)?, ledger.closed_epochs())
        };
        Ok((last, info, closed.account_history(account, before, limit)?))
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
        Ok((explanation, case))
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

    /// The key of an observer that some policy of this network names.
    pub(crate) fn observer(&self, key_id: &[u8; 16]) -> Read<Option<PublicKey>> {
        let ledger = self.ledger()?;
        let named = ledger.state().policies.values().flat_map(|policy| &policy.read.observers);
        Ok(named.map(|observer| observer.key).find(|key| key.key_id() == *key_id))
    }
}
