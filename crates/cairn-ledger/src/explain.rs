//! Why a device got what it got in an epoch: from check to leaf to payment. One function, for every page and command.

use cairn_api::{Explanation, PoolShare, ProofInfo, SaleExplanation, SlotExplanation};
use cairn_core::epoch::{EpochStatement, PoolSummary};
use cairn_core::sale::WorkSold;
use cairn_core::{DeviceId, Hash, Payout, Sale, Verdict};
use cairn_reward::Policy;
use cairn_reward::allocate::WORK;
use cairn_reward::policy::Rule;
use data_encoding::HEXLOWER;

use crate::row_tree::RowTree;
use crate::sales::sale_info;
use crate::tables::Prover;
use crate::views::{payout_info, sum, verdict_info};
use crate::{ClosedEpochs, Ledger, LedgerError};

impl Ledger {
    /// `GET /v1/devices/{id}/epochs/{n}`.
    ///
    /// # Errors
    /// [`LedgerError::NoDevice`], [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn explain(&self, device: &DeviceId, epoch: u64) -> Result<Explanation, LedgerError> {
        if !self.state().devices.contains_key(device) {
            return Err(LedgerError::NoDevice { device: device.to_string() });
        }
        let closed = self.closed_epochs();
        let policy = self.state().policy_for(epoch).map(|policy| &policy.read);
        let explanation =
            closed.explain(device, epoch, policy, self.state().clock().map_or(0, |c| c.start_ms(epoch)))?;
        let account = closed.account_of(device, epoch)?;
        let claim = match account {
            Some(account) if self.state().epoch.number == epoch + 1 => self.claim_of(&account)?,
            _ => None,
        };
        Ok(Explanation { claim, ..explanation })
    }
}

impl ClosedEpochs {
    /// The account that the first of a device's payout rows is to.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn account_of(&self, device: &DeviceId, epoch: u64) -> Result<Option<cairn_core::Account>, LedgerError> {
        let statement = self.statement(epoch)?;
        let rows = self.payout_rows_for(&statement, device, &self.verdicts_in(&statement, device)?)?;
        Ok(rows.into_iter().next().map(|(_, _, payout)| payout.account))
    }

    /// The same as [`Ledger::explain`] without a claim, which is of the state and not of an epoch. `policy` is the one that
    /// ruled the epoch, and `start_ms` when it began.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn explain(
        &self,
        device: &DeviceId,
        epoch: u64,
        policy: Option<&Policy>,
        start_ms: u64,
    ) -> Result<Explanation, LedgerError> {
        let statement = self.statement(epoch)?;
        let verdicts = self.verdicts_in(&statement, device)?;
        let rows = self.payout_rows_for(&statement, device, &verdicts)?;
        let paid = sum(rows.iter().map(|(_, _, payout)| payout.amount)).to_string();
        let slots = self.explain_slots(&statement, verdicts, policy, start_ms)?;
        let sales = self.sales(&statement)?;
        let pools = self.explain_pools(&statement, &rows, policy)?;
        let work = self.explain_work(device, &statement, &rows, &sales)?;
        Ok(Explanation {
            device: device.to_string(),
            epoch: self.epoch_ref(epoch)?,
            symbol: statement.asset.0.clone(),
            decimals: policy.map_or(0, |policy| policy.asset.decimals),
            rehearsed: statement.rehearsed.clone(),
            paid,
            slots,
            pools: [pools, work].concat(),
            sales: explain_sales(device, &statement, &sales),
            claim: None,
        })
    }

    fn explain_slots(
        &self,
        statement: &EpochStatement,
        verdicts: Vec<(u64, Verdict)>,
        policy: Option<&Policy>,
        start_ms: u64,
    ) -> Result<Vec<SlotExplanation>, LedgerError> {
        let table = self.verdict_table(statement)?;
        let mut slots = Vec::new();
        for class in &statement.classes {
            let mut of_class = verdicts.iter().filter(|(_, verdict)| verdict.class == class.class).peekable();
            let Some((first, _)) = of_class.peek() else { continue };
            // The rows of a class stand together, as they do under its root.
            let prover = table.prover(*first);
            for (at, verdict) in of_class {
                let late = verdict.slot_ms < start_ms;
                let weight = match policy {
                    Some(policy) if late => policy.epochs.late.of_value(verdict.weight()),
                    _ => verdict.weight(),
                };
                slots.push(SlotExplanation {
                    verdict: verdict_info(verdict),
                    late,
                    weight,
                    proof: proof_info(&prover, *at, &verdict.encode(), class.verdict_root)?,
                });
            }
        }
        Ok(slots)
    }

    fn explain_pools(
        &self,
        statement: &EpochStatement,
        rows: &[(u64, Vec<u8>, Payout)],
        policy: Option<&Policy>,
    ) -> Result<Vec<PoolShare>, LedgerError> {
        let (Some((first, ..)), Some(policy)) = (rows.first(), policy) else { return Ok(Vec::new()) };
        let table = self.payout_table(statement)?;
        let prover = table.prover(*first);
        let mut shares = Vec::new();
        for (at, row, payout) in rows {
            let Some(pool) = statement.pools.iter().find(|pool| pool.name == payout.pool) else { continue };
            let rule = policy.pools.iter().find(|named| named.name == payout.pool).map(|named| named.rule);
            shares.push(PoolShare {
                rule: rule.map_or("residual", Rule::name).to_owned(),
                pool_size: pool.size.to_string(),
                pool_weight: pool.weight.to_string(),
                calculation: calculation(rule, pool, payout),
                proof: proof_info(&prover, *at, row, statement.payout_root)?,
                payout: payout_info(payout),
            });
        }
        Ok(shares)
    }

    /// What buyers paid for the device's work: a row for each account.
    fn explain_work(
        &self,
        device: &DeviceId,
        statement: &EpochStatement,
        rows: &[(u64, Vec<u8>, Payout)],
        sales: &[(Vec<u8>, Sale)],
    ) -> Result<Vec<PoolShare>, LedgerError> {
        let Some((first, ..)) = rows.first().filter(|_| !sales.is_empty()) else { return Ok(Vec::new()) };
        let table = self.payout_table(statement)?;
        let prover = table.prover(*first);
        let work = || sales.iter().flat_map(|(_, sale)| &sale.work);
        let mut shares = Vec::new();
        for (at, row, payout) in rows.iter().filter(|(_, _, payout)| payout.pool == WORK) {
            let mine = work().filter(|sold| sold.device == *device && sold.account == payout.account);
            let terms: Vec<String> = mine.map(|sold| format!("({} - {})", sold.work, sold.burned)).collect();
            shares.push(PoolShare {
                rule: "sales".to_owned(),
                pool_size: sum(work().map(WorkSold::paid)).to_string(),
                pool_weight: work().map(|sold| u128::from(sold.gas)).sum::<u128>().to_string(),
                calculation: format!("{} = {}", terms.join(" + "), payout.amount),
                proof: proof_info(&prover, *at, row, statement.payout_root)?,
                payout: payout_info(payout),
            });
        }
        Ok(shares)
    }
}

/// The sales of the device's work, each with its proof.
fn explain_sales(device: &DeviceId, statement: &EpochStatement, sales: &[(Vec<u8>, Sale)]) -> Vec<SaleExplanation> {
    let Some(summary) = &statement.sales else { return Vec::new() };
    let rows: Vec<&[u8]> = sales.iter().map(|(row, _)| row.as_slice()).collect();
    let tree = RowTree::of(&rows);
    let of_device = |sale: &Sale| sale.work.iter().any(|sold| sold.device == *device);
    let mine = sales.iter().enumerate().filter(|(_, (_, sale))| of_device(sale));
    mine.map(|(at, (_, sale))| SaleExplanation { sale: sale_info(sale), proof: tree.proof(at, summary.root) }).collect()
}

fn calculation(rule: Option<Rule>, pool: &PoolSummary, payout: &Payout) -> String {
    match rule {
        Some(Rule::ProRata) => {
            let part = pool.size.share(payout.weight.into(), pool.weight).unwrap_or_default();
            let text = format!("floor({} * {} / {}) = {part}", pool.size, payout.weight, pool.weight);
            if part == payout.amount { text } else { format!("{text}, capped at {}", payout.amount) }
        }
        Some(Rule::Flat { .. }) => {
            format!("floor({} / {} devices that qualify) = {}", pool.size, pool.devices, payout.amount)
        }
        None => format!("what no pool paid = {}", payout.amount),
    }
}

fn proof_info(prover: &Prover<'_>, at: u64, row: &[u8], root: Hash) -> Result<ProofInfo, LedgerError> {
    let (index, size, proof) = prover.prove(at)?;
    Ok(ProofInfo {
        leaf: HEXLOWER.encode(row),
        index,
        size,
        proof: proof.iter().map(Hash::to_hex).collect(),
        root: root.to_hex(),
    })
}
