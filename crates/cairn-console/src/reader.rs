//! All that pages know of the network: the ledger, the log and how the gateway stands.
//!
//! Each question holds the ledger for itself and for a short while, since the writer waits for whoever reads. Pages name the
//! closed epoch that they are about, and closed epochs never change, so what they put together fits together.

use std::collections::BTreeMap;
use std::sync::{RwLock, RwLockReadGuard};

use cairn_api::{
    AccountEpoch, AccountInfo, DeviceEpoch, DeviceInfo, DistributionInfo, EpochInfo, EpochList, EpochRef, Health,
    NetworkInfo, PayoutList,
};
use cairn_core::ed25519::Signature;
use cairn_core::key::PublicKey;
use cairn_core::{Account, DeviceId, NetworkId};
use cairn_ledger::{Ledger, NetworkClock};
use cairn_log::LogReader;

use crate::error::ConsoleError;
use crate::money::Money;
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
        Ok(self.ledger()?.distribution(number)?)
    }

    pub(crate) fn payouts(&self, number: u64, after: u64, limit: u64) -> Read<PayoutList> {
        Ok(self.ledger()?.payout_list(number, after, limit)?)
    }

    /// A device and a page of its history.
    pub(crate) fn device(
        &self,
        id: &DeviceId,
        before: Option<u64>,
        limit: u64,
    ) -> Read<(DeviceInfo, History<DeviceEpoch>)> {
        let ledger = self.ledger()?;
        Ok((ledger.device_info(id)?, ledger.device_history(id, before, limit)?))
    }

    /// The last closed epoch, an account as of it, and a page of its history.
    pub(crate) fn account(
        &self,
        account: &Account,
        before: Option<u64>,
        limit: u64,
    ) -> Read<(Option<u64>, AccountInfo, History<AccountEpoch>)> {
        let ledger = self.ledger()?;
        let last = ledger.last_closed().map(|epoch| epoch.number);
        Ok((last, ledger.account_info(account)?, ledger.account_history(account, before, limit)?))
    }

    /// Every verdict of an epoch over a device, as the ledger says it.
    pub(crate) fn verdicts(&self, id: &DeviceId, epoch: u64, limit: u64) -> Read<Vec<cairn_api::VerdictInfo>> {
        Ok(self.ledger()?.verdict_list(epoch, Some(id), 0, limit)?.verdicts)
    }

    /// Why a device got what it got in an epoch: what the ledger says, and what of it stands under the statement.
    pub(crate) fn why(&self, device: &DeviceId, epoch: u64) -> Read<(cairn_api::Explanation, why::Case)> {
        let ledger = self.ledger()?;
        let explanation = ledger.explain(device, epoch)?;
        let bytes = ledger.statement_bytes(epoch)?;
        let state = ledger.state();
        let network = state.network.as_ref().expect("an epoch has closed, so the network exists");
        let statement = why::statement(&network.id, epoch, &bytes, &explanation)?;
        let policy = state.policy_for(epoch).expect("an epoch closes under a policy");
        let asked = why::Asked {
            network_name: &network.genesis.name,
            device: *device,
            statement: &statement,
            policy: &policy.read,
            start_ms: network.genesis.epoch_zero_ms.saturating_add(network.genesis.epoch_ms.saturating_mul(epoch)),
            epoch_ms: network.genesis.epoch_ms,
        };
        let case = why::Case::prove(&asked, &explanation)?;
        Ok((explanation, case))
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
        let ledger = self.ledger()?;
        let open = ledger.state().epoch.number;
        let mut found = BTreeMap::new();
        for epoch in open.saturating_sub(limit)..open {
            let cited = ledger.epoch_ref(epoch)?;
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
