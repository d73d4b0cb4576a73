//! Closed epochs, read without holding the ledger: they never change, so whoever reads them need not keep the writer waiting.
//!
//! Tables are read a page at a time, and whatever is handed out stands under the statement's roots.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use cairn_api::{
    AccountEpoch, DeviceEpoch, DistributionInfo, EpochRef, PayoutInfo, PayoutList, VerdictInfo, VerdictList,
};
use cairn_core::cbor::Encoder;
use cairn_core::epoch::EpochStatement;
use cairn_core::{Account, DeviceId, Hash, Payout, Verdict};

use crate::compared::Bands;
use crate::distribution::spread;
use crate::drawings::Drawings;
use crate::places::Summed;
use crate::store::EpochStore;
use crate::tables::{Rows, Table};
use crate::totals::Totals;
use crate::views::{broken_view, mean_score, payout_info, sum, verdict_info};
use crate::{Ledger, LedgerError};

/// Epochs whose spread of pay is remembered.
const SPREADS_MAX: usize = 256;

/// How pay was spread, by epoch and the hash of its statement.
pub(crate) type Spreads = Arc<Mutex<BTreeMap<(u64, Hash), DistributionInfo>>>;

/// The epochs that were closed when this was asked for.
#[derive(Debug, Clone)]
pub struct ClosedEpochs {
    pub(crate) store: EpochStore,
    spreads: Spreads,
    pub(crate) summed: Arc<Summed>,
    pub(crate) drawings: Arc<Drawings>,
    pub(crate) totals: Arc<Totals>,
    pub(crate) bands: Bands,
    open: u64,
}

/// An epoch in which a device was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedEpoch {
    /// What it came to.
    pub told: DeviceEpoch,
    /// Verdict by verdict, ascending by class and slot.
    pub verdicts: Vec<Verdict>,
}

impl Ledger {
    /// The epochs that are closed now, to be read without holding the ledger.
    #[must_use]
    pub fn closed_epochs(&self) -> ClosedEpochs {
        ClosedEpochs {
            store: self.store.clone(),
            spreads: self.spreads.clone(),
            summed: self.summed.clone(),
            drawings: self.drawings.clone(),
            totals: self.totals.clone(),
            bands: self.bands.clone(),
            open: self.state().epoch.number,
        }
    }
}

impl ClosedEpochs {
    /// The epoch that was open: the first one that is not here.
    #[must_use]
    pub const fn open(&self) -> u64 {
        self.open
    }

    /// The statement of a closed epoch.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn statement(&self, epoch: u64) -> Result<EpochStatement, LedgerError> {
        if epoch >= self.open {
            return Err(LedgerError::NoEpoch { epoch, open: self.open });
        }
        self.store.statement(epoch)
    }

    /// An epoch by its number and statement hash.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn epoch_ref(&self, epoch: u64) -> Result<EpochRef, LedgerError> {
        Ok(EpochRef { number: epoch, statement: self.statement(epoch)?.hash().to_hex() })
    }

    /// The verdicts of the epoch of a statement on one device, with their positions in the sorted table.
    pub(crate) fn verdicts_in(
        &self,
        statement: &EpochStatement,
        device: &DeviceId,
    ) -> Result<Vec<(u64, Verdict)>, LedgerError> {
        let table = self.store.verdict_table(statement)?;
        let mut found = Vec::new();
        for class in &statement.classes {
            found.extend(verdict_rows(&table, &class.class, device)?);
        }
        decoded(statement.number, found)
    }

    /// The verdicts of one class on devices in the epoch of a statement: those of the first device first.
    pub(crate) fn verdicts_of<'a>(
        &self,
        statement: &EpochStatement,
        class: &str,
        devices: impl Iterator<Item = &'a DeviceId>,
    ) -> Result<Vec<Verdict>, LedgerError> {
        let table = self.store.verdict_table(statement)?;
        let mut found = Vec::new();
        for device in devices {
            found.extend(verdict_rows(&table, class, device)?);
        }
        Ok(decoded(statement.number, found)?.into_iter().map(|(_, verdict)| verdict).collect())
    }

    pub(crate) fn verdict_table(&self, statement: &EpochStatement) -> Result<Table, LedgerError> {
        self.store.verdict_table(statement)
    }

    pub(crate) fn payout_table(&self, statement: &EpochStatement) -> Result<Table, LedgerError> {
        self.store.payout_table(statement)
    }

    /// The payout rows of an epoch for one device with their positions and bytes, in the order of the table, given its
    /// verdicts in that epoch: they name the accounts.
    pub(crate) fn payout_rows_for(
        &self,
        statement: &EpochStatement,
        device: &DeviceId,
        verdicts: &[(u64, Verdict)],
    ) -> Result<Vec<(u64, Vec<u8>, Payout)>, LedgerError> {
        let table = self.store.payout_table(statement)?;
        let accounts: BTreeSet<&Account> = verdicts.iter().map(|(_, verdict)| &verdict.account).collect();
        let mut found = Vec::new();
        // Rows are sorted by account and device first.
        for account in accounts {
            let mut prefix = Encoder::empty();
            prefix.array(5);
            account.encode(&mut prefix);
            prefix.bytes(&device.0);
            found.extend(table.with_prefix(&prefix.into_bytes())?);
        }
        found.sort_unstable();
        let read = |(at, row): (u64, Vec<u8>)| Payout::decode(&row).map(|payout| (at, row, payout));
        let rows: Result<_, _> = found.into_iter().map(read).collect();
        rows.map_err(|error| broken_view(statement.number, "payouts", &error))
    }

    /// The payout rows of an epoch to one account, in the order of the table.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn payouts_to(&self, epoch: u64, account: &Account) -> Result<Vec<Payout>, LedgerError> {
        let table = self.store.payout_table(&self.statement(epoch)?)?;
        let mut prefix = Encoder::empty();
        prefix.array(5);
        account.encode(&mut prefix);
        payouts_in(epoch, table.with_prefix(&prefix.into_bytes())?)
    }

    /// How the pay of a closed epoch is spread. Worked out once from all payout rows.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn distribution(&self, epoch: u64) -> Result<DistributionInfo, LedgerError> {
        let statement = self.statement(epoch)?;
        let key = (epoch, statement.hash());
        let known = || self.spreads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spread) = known().get(&key) {
            return Ok(spread.clone());
        }
        // Rows of one account stand together.
        let mut paid: Vec<u128> = Vec::new();
        let mut last = None;
        self.store.payout_table(&statement)?.for_each(|row| {
            let payout = Payout::decode(row)?;
            if payout.device.is_some() {
                if last.as_ref() != Some(&payout.account) {
                    paid.push(0);
                }
                let sum = paid.last_mut().expect("a row of this account came before");
                *sum = sum.saturating_add(payout.amount.0);
                last = Some(payout.account);
            }
            Ok(())
        })?;
        let spread = spread(paid).expect("an epoch's payouts are within its balance");
        let mut spreads = known();
        spreads.insert(key, spread.clone());
        if spreads.len() > SPREADS_MAX {
            spreads.pop_first();
        }
        Ok(spread)
    }

    /// `GET /v1/epochs/{n}/verdicts`: at most `limit` verdicts from position `after` on, of one device or of all.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn verdict_list(
        &self,
        epoch: u64,
        device: Option<&DeviceId>,
        after: u64,
        limit: u64,
    ) -> Result<VerdictList, LedgerError> {
        let statement = self.statement(epoch)?;
        let table = self.store.verdict_table(&statement)?;
        let verdicts = match device {
            Some(device) => self.verdicts_in(&statement, device)?,
            // One more than is shown tells whether there is more.
            None => decoded(epoch, table.page(after, limit.saturating_add(1))?)?,
        };
        let mut page = verdicts.into_iter().filter(|(at, _)| *at >= after);
        let shown: Vec<VerdictInfo> =
            page.by_ref().take(usize::try_from(limit).unwrap_or(usize::MAX)).map(|(_, v)| verdict_info(&v)).collect();
        let next = page.next().map(|(at, _)| at);
        let cited = EpochRef { number: epoch, statement: statement.hash().to_hex() };
        Ok(VerdictList { epoch: cited, total: table.rows(), verdicts: shown, next })
    }

    /// `GET /v1/epochs/{n}/payouts`: at most `limit` rows from position `after` on.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn payout_list(&self, epoch: u64, after: u64, limit: u64) -> Result<PayoutList, LedgerError> {
        let table = self.store.payout_table(&self.statement(epoch)?)?;
        let total = table.rows();
        let shown: Vec<PayoutInfo> = payouts_in(epoch, table.page(after, limit)?)?.iter().map(payout_info).collect();
        let end = after.saturating_add(limit);
        Ok(PayoutList { epoch: self.epoch_ref(epoch)?, total, payouts: shown, next: (end < total).then_some(end) })
    }

    /// At most `limit` closed epochs below `before`, newest first, and where the page after them begins.
    fn history(&self, before: Option<u64>, limit: u64) -> (impl Iterator<Item = u64> + use<>, Option<u64>) {
        let end = before.unwrap_or(self.open).min(self.open);
        let start = end.saturating_sub(limit);
        ((start..end).rev(), (start > 0).then_some(start))
    }

    /// What a device was judged and paid in the `limit` closed epochs below `before`, newest first, without those in which it
    /// was not judged; and the `before` of the page after it, if there is one.
    ///
    /// # Errors
    /// [`LedgerError`] when a view cannot be read.
    pub fn device_history(
        &self,
        id: &DeviceId,
        before: Option<u64>,
        limit: u64,
    ) -> Result<(Vec<DeviceEpoch>, Option<u64>), LedgerError> {
        let (epochs, next) = self.judged_epochs(id, before, limit)?;
        Ok((epochs.into_iter().map(|judged| judged.told).collect(), next))
    }

    /// The same with the verdicts of each epoch.
    ///
    /// # Errors
    /// [`LedgerError`] when a view cannot be read.
    pub fn judged_epochs(
        &self,
        id: &DeviceId,
        before: Option<u64>,
        limit: u64,
    ) -> Result<(Vec<JudgedEpoch>, Option<u64>), LedgerError> {
        let (history, next) = self.history(before, limit);
        let mut epochs = Vec::new();
        for epoch in history {
            let statement = self.statement(epoch)?;
            let verdicts = self.verdicts_in(&statement, id)?;
            if verdicts.is_empty() {
                continue;
            }
            let paid = self.payout_rows_for(&statement, id, &verdicts)?;
            let told = DeviceEpoch {
                epoch: EpochRef { number: epoch, statement: statement.hash().to_hex() },
                verdicts: verdicts.len() as u64,
                score_ppm: mean_score(verdicts.iter().map(|(_, verdict)| verdict)),
                paid: sum(paid.iter().map(|(_, _, payout)| payout.amount)).to_string(),
            };
            epochs.push(JudgedEpoch { told, verdicts: verdicts.into_iter().map(|(_, verdict)| verdict).collect() });
        }
        Ok((epochs, next))
    }

    /// What an account was given in the `limit` closed epochs below `before`, newest first, without those that gave it nothing;
    /// and the `before` of the page after it, if there is one.
    ///
    /// # Errors
    /// [`LedgerError`] when a view cannot be read.
    pub fn account_history(
        &self,
        account: &Account,
        before: Option<u64>,
        limit: u64,
    ) -> Result<(Vec<AccountEpoch>, Option<u64>), LedgerError> {
        let (history, next) = self.history(before, limit);
        let mut epochs = Vec::new();
        for epoch in history {
            let paid = self.payouts_to(epoch, account)?;
            if !paid.is_empty() {
                let paid = sum(paid.into_iter().map(|payout| payout.amount)).to_string();
                epochs.push(AccountEpoch { epoch: self.epoch_ref(epoch)?, paid });
            }
        }
        Ok((epochs, next))
    }
}

/// The rows of a class on a device: by these two the table is sorted first.
fn verdict_rows(table: &Table, class: &str, device: &DeviceId) -> Result<Rows, LedgerError> {
    let mut prefix = Encoder::empty();
    prefix.array(9).text(class).bytes(&device.0);
    table.with_prefix(&prefix.into_bytes())
}

fn decoded(epoch: u64, rows: Rows) -> Result<Vec<(u64, Verdict)>, LedgerError> {
    let read = |(at, row): (u64, Vec<u8>)| Verdict::decode(&row).map(|verdict| (at, verdict));
    rows.into_iter().map(read).collect::<Result<_, _>>().map_err(|error| broken_view(epoch, "verdicts", &error))
}

fn payouts_in(epoch: u64, rows: Rows) -> Result<Vec<Payout>, LedgerError> {
    let read = rows.iter().map(|(_, row)| Payout::decode(row)).collect::<Result<_, _>>();
    read.map_err(|error| broken_view(epoch, "payouts", &error))
}
