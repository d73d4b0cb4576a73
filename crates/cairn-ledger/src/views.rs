//! The documents of the HTTP API, made from the state and from closed epochs.

use std::collections::{BTreeMap, BTreeSet};

use cairn_api::{
    AccountInfo, AssetInfo, BalanceInfo, ClassInfo, ClassRules, DeviceInfo, DomainInfo, EpochInfo, EpochList, EpochRef,
    NetworkInfo, PayoutInfo, PoolInfo, ReasonInfo, RulesFrom, SalesInfo, VerdictInfo,
};
use cairn_core::epoch::EpochStatement;
use cairn_core::statement::Mobility;
use cairn_core::{Account, Amount, DeviceId, Hash, PPM, Payout, Subject, Verdict};
use cairn_fold::State;
use cairn_merkle::NoteVerifier;
use cairn_merkle::note::KeyKind;
use data_encoding::HEXLOWER;

use crate::{Ledger, LedgerError, NetworkClock};

/// Epochs shown in a device's or an account's history.
const HISTORY: u64 = 12;

impl Ledger {
    /// `GET /v1/network`; `None` before genesis.
    ///
    /// # Errors
    /// [`LedgerError`] when a view cannot be read.
    pub fn network_info(&self, clock: NetworkClock) -> Result<Option<NetworkInfo>, LedgerError> {
        let state = self.state();
        let Some(network) = &state.network else { return Ok(None) };
        let genesis = &network.genesis;
        let policy = state.policy();
        let class = |(class, revision): (&String, &u32)| ClassRules {
            class: class.clone(),
            revision: *revision,
            profile_hash: state
                .profile_for(class, state.epoch.number)
                .map(|document| Hash::of(document.as_bytes()).to_hex()),
        };
        Ok(Some(NetworkInfo {
            name: genesis.name.clone(),
            network_id: network.id.0.to_hex(),
            origin: genesis.origin.clone(),
            operator: genesis.operator.did(),
            log_vkey: vkey(&genesis.origin, genesis.log_key)?,
            promise_vkey: vkey(&cairn_log::promise::promise_key_name(&genesis.origin), genesis.promise_key)?,
            size: self.fold().size(),
            log_root: self.fold().log_root().to_hex(),
            epoch: state.epoch.number,
            last_closed: self.last_closed(),
            epoch_zero_ms: genesis.epoch_zero_ms,
            epoch_ms: genesis.epoch_ms,
            grace_ms: genesis.grace_ms,
            time_ms: clock.now_ms(state.received_ms),
            rehearsed: genesis.rehearsed.clone(),
            asset: policy.map(|policy| AssetInfo {
                symbol: policy.read.asset.symbol.clone(),
                decimals: policy.read.asset.decimals,
            }),
            policy_hash: policy.map(|policy| policy.read.hash().to_hex()),
            h3_resolution: policy.map_or(0, |policy| policy.read.h3_resolution),
            domains: state.domains.keys().map(ToString::to_string).collect(),
            deposits: deposits(state),
            classes: policy.map_or_else(Vec::new, |policy| policy.read.classes.iter().map(class).collect()),
            rules: rules(state),
            devices: self.follow.roster.in_service(),
        }))
    }

    /// The last closed epoch.
    #[must_use]
    pub fn last_closed(&self) -> Option<EpochRef> {
        let epoch = &self.state().epoch;
        let number = epoch.number.checked_sub(1)?;
        Some(EpochRef { number, statement: epoch.previous.to_hex() })
    }

    pub(crate) fn closed(&self, epoch: u64) -> Result<EpochStatement, LedgerError> {
        let open = self.state().epoch.number;
        if epoch >= open {
            return Err(LedgerError::NoEpoch { epoch, open });
        }
        self.store.statement(epoch)
    }

    /// The canonical bytes of a closed epoch's statement.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn statement_bytes(&self, epoch: u64) -> Result<Vec<u8>, LedgerError> {
        self.closed(epoch)?;
        self.store.statement_bytes(epoch)
    }

    /// The canonical verdict rows of a closed epoch as a CBOR sequence.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn verdict_bytes(&self, epoch: u64) -> Result<Vec<u8>, LedgerError> {
        self.store.verdict_bytes(&self.closed(epoch)?)
    }

    /// The records of what judges remember after a closed epoch as a CBOR sequence; empty when that is nothing.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn carry_bytes(&self, epoch: u64) -> Result<Vec<u8>, LedgerError> {
        self.closed(epoch)?;
        self.store.carry_bytes(epoch)
    }

    /// The canonical payout rows of a closed epoch as a CBOR sequence.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn payout_bytes(&self, epoch: u64) -> Result<Vec<u8>, LedgerError> {
        self.store.payout_bytes(&self.closed(epoch)?)
    }

    /// The snapshot after a closed epoch.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], [`LedgerError::NoSnapshot`], or that a view cannot be read.
    pub fn snapshot_bytes(&self, epoch: u64) -> Result<Vec<u8>, LedgerError> {
        self.closed(epoch)?;
        self.store.snapshot_bytes(epoch)
    }

    /// `GET /v1/epochs/{n}`.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn epoch_info(&self, epoch: u64) -> Result<EpochInfo, LedgerError> {
        let statement = self.closed(epoch)?;
        let clock = self.state().clock().expect("an epoch has closed, so the network exists");
        Ok(EpochInfo {
            number: epoch,
            statement: statement.hash().to_hex(),
            start_ms: clock.start_ms(epoch),
            end_ms: clock.end_ms(epoch),
            from: statement.from,
            to: statement.to,
            log_root: statement.log_root.to_hex(),
            previous: statement.previous.to_hex(),
            policy_hash: statement.policy_hash.to_hex(),
            engine_revision: statement.engine_revision,
            classes: statement.classes.iter().map(class_info).collect(),
            pools: statement.pools.iter().map(pool_info).collect(),
            payout_root: statement.payout_root.to_hex(),
            sales: statement.sales.map(|summary| SalesInfo { count: summary.count, root: summary.root.to_hex() }),
            balance: balance_info(&statement, self.decimals(epoch)),
            domains: statement.domains.iter().map(domain_info).collect(),
            state_root: statement.state_root.to_hex(),
            rehearsed: statement.rehearsed,
        })
    }

    /// Decimals of the asset in an epoch.
    #[must_use]
    pub fn decimals(&self, epoch: u64) -> u8 {
        self.state().policy_for(epoch).map_or(0, |policy| policy.read.asset.decimals)
    }

    /// `GET /v1/epochs`: at most `limit` epochs below `before`, newest first.
    ///
    /// # Errors
    /// [`LedgerError`] when a view cannot be read.
    pub fn epoch_list(&self, before: Option<u64>, limit: u64) -> Result<EpochList, LedgerError> {
        let open = self.state().epoch.number;
        let end = before.unwrap_or(open).min(open);
        let start = end.saturating_sub(limit);
        let epochs = (start..end).rev().map(|epoch| self.epoch_info(epoch)).collect::<Result<_, _>>()?;
        Ok(EpochList { open, epochs, next: (start > 0).then_some(start) })
    }

    /// An epoch by its number and statement hash.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn epoch_ref(&self, epoch: u64) -> Result<EpochRef, LedgerError> {
        Ok(EpochRef { number: epoch, statement: Hash::of(&self.statement_bytes(epoch)?).to_hex() })
    }

    /// `GET /v1/devices/{id}`.
    ///
    /// # Errors
    /// [`LedgerError::NoDevice`], or that a view cannot be read.
    pub fn device_info(&self, id: &DeviceId) -> Result<DeviceInfo, LedgerError> {
        let (epochs, _) = self.closed_epochs().device_history(id, None, HISTORY)?;
        Ok(DeviceInfo { epochs, ..self.device_now(id)? })
    }

    /// The same without its latest epochs.
    ///
    /// # Errors
    /// [`LedgerError::NoDevice`].
    pub fn device_now(&self, id: &DeviceId) -> Result<DeviceInfo, LedgerError> {
        let state = self.state();
        let device = state.devices.get(id).ok_or_else(|| LedgerError::NoDevice { device: id.to_string() })?;
        Ok(DeviceInfo {
            id: id.to_string(),
            key: device.key.did(),
            owner: device.owner.to_string(),
            payee: state.payee_of(&device.owner).to_string(),
            role: device.kind.role.word().to_owned(),
            classes: device.kind.classes.clone(),
            model: device.kind.model.clone(),
            mobile: device.kind.mobility == Mobility::Mobile,
            cell: format!("{:x}", device.cell),
            exact: device.exact,
            altitude_cm: device.altitude_cm,
            enrolled_index: device.enrolled_index,
            retired_index: device.retired_index(),
            denied_index: state.denial_at(id, state.received_ms).map(|denial| denial.index),
            last_name: device.names.highest(),
            open_reports: self.follow.roster.waiting(id),
            epochs: Vec::new(),
        })
    }

    /// `GET /v1/accounts/{id}`; an account that nobody named has earned nothing.
    ///
    /// # Errors
    /// [`LedgerError`] when a view cannot be read.
    pub fn account_info(&self, account: &Account) -> Result<AccountInfo, LedgerError> {
        let (epochs, _) = self.closed_epochs().account_history(account, None, HISTORY)?;
        Ok(AccountInfo { epochs, ..self.account_now(account)? })
    }

    /// The same without its latest epochs.
    ///
    /// # Errors
    /// [`LedgerError`] when a view cannot be read.
    pub fn account_now(&self, account: &Account) -> Result<AccountInfo, LedgerError> {
        let state = self.state();
        let owned = self.follow.roster.devices_of(state, account);
        Ok(AccountInfo {
            account: account.to_string(),
            cumulative: state.cumulative.get(account).copied().unwrap_or_default().to_string(),
            payee: state.payee_of(account).to_string(),
            devices: owned.map(ToString::to_string).collect(),
            epochs: Vec::new(),
            claim: self.claim_of(account)?,
        })
    }
}

/// How many deposits of each chain were counted, where some were.
fn deposits(state: &State) -> BTreeMap<String, u64> {
    let counted = state.domains.keys().map(|chain| (chain.to_string(), state.credits.counted(chain)));
    counted.filter(|(_, count)| *count > 0).collect()
}

/// The rules of every class from the open epoch on: a row for each class and epoch from which policy or profile change.
fn rules(state: &State) -> Vec<RulesFrom> {
    let open = state.epoch.number;
    let starts = state.policies.keys().chain(state.profiles.keys().map(|(_, epoch)| epoch));
    let epochs: BTreeSet<u64> = starts.copied().map(|epoch| epoch.max(open)).chain([open]).collect();
    let mut rows: Vec<RulesFrom> = Vec::new();
    for epoch in epochs {
        let classes = state.policy_for(epoch).map(|policy| &policy.read.classes);
        for (class, &revision) in classes.into_iter().flatten() {
            let profile = state.profile_for(class, epoch);
            let row = RulesFrom {
                class: class.clone(),
                epoch,
                revision,
                profile_hash: profile.map(|document| Hash::of(document.as_bytes()).to_hex()),
                read_by: profile.and_then(|document| cairn_classes::read_by(class, document).ok()),
            };
            let before = rows.iter().rev().find(|before| before.class == row.class);
            let same = |before: &RulesFrom| RulesFrom { epoch, ..before.clone() } == row;
            if !before.is_some_and(same) {
                rows.push(row);
            }
        }
    }
    rows
}

fn vkey(name: &str, key: [u8; 32]) -> Result<String, LedgerError> {
    let key = cairn_core::ed25519::VerifyingKey::from_bytes(key).ok_or(LedgerError::Keys { key: "log or promise" })?;
    let verifier = NoteVerifier::new(name, KeyKind::Ed25519, key).map_err(cairn_log::LogError::from)?;
    Ok(verifier.to_string())
}

pub(crate) fn broken_view(epoch: u64, what: &str, error: &cairn_core::cbor::CborError) -> LedgerError {
    LedgerError::View { path: format!("epochs/{epoch:010}/{what}").into(), detail: error.to_string() }
}

pub(crate) fn sum(amounts: impl IntoIterator<Item = Amount>) -> Amount {
    Amount::checked_sum(amounts).expect("an epoch's payouts are within its balance")
}

/// Score over everything delivered.
pub(crate) fn mean_score<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> Option<u32> {
    let (mut weight, mut amount) = (0u128, 0u128);
    for verdict in verdicts {
        weight += u128::from(verdict.weight());
        amount += u128::from(verdict.amount);
    }
    score_of(weight, amount)
}

/// `floor(10^6 * sum of weights / sum of amounts)`; `None` where verdicts are over nothing, which is no score of 0.
pub(crate) fn score_of(weight: u128, amount: u128) -> Option<u32> {
    let ppm = (weight * u128::from(PPM)).checked_div(amount)?;
    Some(u32::try_from(ppm).unwrap_or(PPM))
}

pub(crate) fn verdict_info(verdict: &Verdict) -> VerdictInfo {
    VerdictInfo {
        class: verdict.class.clone(),
        device: verdict.device.to_string(),
        slot_ms: verdict.slot_ms,
        report: match verdict.subject {
            Subject::Slot => None,
            Subject::Report(index) | Subject::Job(index) => Some(index),
        },
        account: verdict.account.to_string(),
        amount: verdict.amount,
        score_ppm: verdict.score.get(),
        weight: verdict.weight(),
        reasons: verdict.reasons.iter().map(|reason| reason_info(&verdict.class, reason)).collect(),
        entries: verdict.entries.clone(),
    }
}

fn reason_info(class: &str, reason: &cairn_core::Reason) -> ReasonInfo {
    ReasonInfo {
        code: reason.code.clone(),
        check: reason.check.clone(),
        observed: reason.observed,
        threshold: reason.threshold,
        lost_ppm: reason.lost_ppm,
        evidence: reason.evidence.clone(),
        sentence: cairn_classes::sentence(class, reason),
    }
}

pub(crate) fn payout_info(payout: &Payout) -> PayoutInfo {
    PayoutInfo {
        account: payout.account.to_string(),
        device: payout.device.map(|device| device.to_string()),
        pool: payout.pool.clone(),
        weight: payout.weight,
        amount: payout.amount.to_string(),
    }
}

fn class_info(class: &cairn_core::epoch::ClassSummary) -> ClassInfo {
    ClassInfo {
        class: class.class.clone(),
        revision: class.revision,
        profile_hash: class.profile_hash.to_hex(),
        subjects: class.subjects,
        passed: class.passed,
        verdict_root: class.verdict_root.to_hex(),
        revenue: class.revenue.to_string(),
    }
}

fn pool_info(pool: &cairn_core::epoch::PoolSummary) -> PoolInfo {
    PoolInfo {
        name: pool.name.clone(),
        size: pool.size.to_string(),
        weight: pool.weight.to_string(),
        devices: pool.devices,
        paid: pool.paid.to_string(),
        recipients: pool.recipients,
    }
}

fn balance_info(statement: &EpochStatement, decimals: u8) -> BalanceInfo {
    let (symbol, balance) = &statement.asset;
    BalanceInfo {
        symbol: symbol.clone(),
        decimals,
        opening: balance.opening.to_string(),
        minted: balance.minted.to_string(),
        deposited: balance.deposited.to_string(),
        paid: balance.paid.to_string(),
        refunded: balance.refunded.to_string(),
        burned: balance.burned.to_string(),
        escrow: balance.escrow.to_string(),
        vesting: balance.vesting.to_string(),
        unallocated: balance.unallocated.to_string(),
    }
}

fn domain_info(claims: &cairn_core::epoch::DomainClaims) -> DomainInfo {
    DomainInfo {
        domain: claims.domain.to_string(),
        distributor: HEXLOWER.encode(&claims.distributor),
        claim_root: HEXLOWER.encode(&claims.claim_root),
        leaves: claims.leaves,
        cumulative: claims.cumulative.to_string(),
    }
}
