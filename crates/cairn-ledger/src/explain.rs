//! Why a device got what it got in an epoch: from check to leaf to payment. One function, for every page and command.

use cairn_api::{Explanation, PoolShare, SaleExplanation, SlotExplanation};
use cairn_core::epoch::{EpochStatement, PoolSummary};
use cairn_core::sale::WorkSold;
use cairn_core::{DeviceId, Payout, Sale, Verdict};
use cairn_reward::Policy;
use cairn_reward::allocate::WORK;
use cairn_reward::policy::Rule;

use crate::row_tree::RowTree;
use crate::sales::sale_info;
use crate::store::split_rows;
use crate::views::{broken_view, payout_info, sum, verdict_info};
use crate::{Ledger, LedgerError};

impl Ledger {
    /// `GET /v1/devices/{id}/epochs/{n}`.
    ///
    /// # Errors
    /// [`LedgerError::NoDevice`], [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn explain(&self, device: &DeviceId, epoch: u64) -> Result<Explanation, LedgerError> {
        if !self.state().devices.contains_key(device) {
            return Err(LedgerError::NoDevice { device: device.to_string() });
        }
        let bytes = self.statement_bytes(epoch)?;
        let statement = EpochStatement::decode(&bytes).map_err(|error| broken_view(epoch, "statement", &error))?;
        let policy = self.state().policy_for(epoch).map(|policy| &policy.read);
        let slots = self.explain_slots(device, &statement, policy)?;
        let sales = self.sales(&statement)?;
        let mut pools = self.explain_pools(device, &statement, policy)?;
        pools.extend(self.explain_work(device, &statement, &sales)?);
        let mine = self.payouts_for(epoch, device, &self.verdicts_of(epoch, device)?)?;
        let claim = match mine.first() {
            Some(payout) if self.state().epoch.number == epoch + 1 => self.claim_of(&payout.account)?,
            _ => None,
        };
        Ok(Explanation {
            device: device.to_string(),
            epoch: self.epoch_ref(epoch)?,
            rehearsed: statement.rehearsed.clone(),
            symbol: statement.asset.0.clone(),
            decimals: self.decimals(epoch),
            paid: sum(mine.iter().map(|payout| payout.amount)).to_string(),
            slots,
            pools,
            sales: explain_sales(device, &statement, &sales),
            claim,
        })
    }

    fn explain_slots(
        &self,
        device: &DeviceId,
        statement: &EpochStatement,
        policy: Option<&Policy>,
    ) -> Result<Vec<SlotExplanation>, LedgerError> {
        let epoch = statement.number;
        let bytes = self.verdict_bytes(epoch)?;
        let rows = split_rows(&bytes).map_err(|error| broken_view(epoch, "verdicts", &error))?;
        let start_ms = self.state().clock().map_or(0, |clock| clock.start_ms(epoch));
        let mut slots = Vec::new();
        for class in &statement.classes {
            // Rows are sorted by class first, so a class's rows stand together, as they do under its root.
            let of_class: Vec<(&[u8], Verdict)> = rows
                .iter()
                .map(|row| Verdict::decode(row).map(|verdict| (*row, verdict)))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| broken_view(epoch, "verdicts", &error))?
                .into_iter()
                .filter(|(_, verdict)| verdict.class == class.class)
                .collect();
            let leaves: Vec<&[u8]> = of_class.iter().map(|(row, _)| *row).collect();
            let tree = RowTree::of(&leaves);
            for (at, (_, verdict)) in of_class.iter().enumerate().filter(|(_, (_, v))| v.device == *device) {
                let late = verdict.slot_ms < start_ms;
                let weight = match policy {
                    Some(policy) if late => policy.epochs.late.of_value(verdict.weight()),
                    _ => verdict.weight(),
                };
                slots.push(SlotExplanation {
                    verdict: verdict_info(verdict),
                    late,
                    weight,
                    proof: tree.proof(at, class.verdict_root),
                });
            }
        }
        Ok(slots)
    }

    /// What buyers paid for the device's work: a row for each account.
    fn explain_work(
        &self,
        device: &DeviceId,
        statement: &EpochStatement,
        sales: &[(Vec<u8>, Sale)],
    ) -> Result<Vec<PoolShare>, LedgerError> {
        let epoch = statement.number;
        if sales.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = self.payout_bytes(epoch)?;
        let rows = split_rows(&bytes).map_err(|error| broken_view(epoch, "payouts", &error))?;
        let tree = RowTree::of(&rows);
        let work = || sales.iter().flat_map(|(_, sale)| &sale.work);
        let mut shares = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let payout = Payout::decode(row).map_err(|error| broken_view(epoch, "payouts", &error))?;
            if payout.device != Some(*device) || payout.pool != WORK {
                continue;
            }
            let mine = work().filter(|sold| sold.device == *device && sold.account == payout.account);
            let terms: Vec<String> = mine.map(|sold| format!("({} - {})", sold.work, sold.burned)).collect();
            shares.push(PoolShare {
                rule: "sales".to_owned(),
                pool_size: sum(work().map(WorkSold::paid)).to_string(),
                pool_weight: work().map(|sold| u128::from(sold.gas)).sum::<u128>().to_string(),
                calculation: format!("{} = {}", terms.join(" + "), payout.amount),
                proof: tree.proof(at, statement.payout_root),
                payout: payout_info(&payout),
            });
        }
        Ok(shares)
    }

    fn explain_pools(
        &self,
        device: &DeviceId,
        statement: &EpochStatement,
        policy: Option<&Policy>,
    ) -> Result<Vec<PoolShare>, LedgerError> {
        let epoch = statement.number;
        let bytes = self.payout_bytes(epoch)?;
        let rows = split_rows(&bytes).map_err(|error| broken_view(epoch, "payouts", &error))?;
        let tree = RowTree::of(&rows);
        let mut shares = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let payout = Payout::decode(row).map_err(|error| broken_view(epoch, "payouts", &error))?;
            if payout.device != Some(*device) {
                continue;
            }
            let summary = statement.pools.iter().find(|pool| pool.name == payout.pool);
            let (Some(pool), Some(policy)) = (summary, policy) else { continue };
            let rule = policy.pools.iter().find(|named| named.name == payout.pool).map(|named| named.rule);
            shares.push(PoolShare {
                rule: rule.map_or("residual", Rule::name).to_owned(),
                pool_size: pool.size.to_string(),
                pool_weight: pool.weight.to_string(),
                calculation: calculation(rule, pool, &payout),
                proof: tree.proof(at, statement.payout_root),
                payout: payout_info(&payout),
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
