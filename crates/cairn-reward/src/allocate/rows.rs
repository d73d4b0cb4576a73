//! Weights per device and account, and their parts of a pool.

use cairn_core::{Account, Amount, DeviceId, Payout};

use super::{Allocation, PoolResult};
use crate::RewardError;
use crate::policy::Pool;

/// The weights of one class in one epoch, by device and, within a device, by account.
pub struct Tally<'a> {
    rows: Vec<Row<'a>>,
}

/// What one device delivered for one account.
struct Row<'a> {
    device: DeviceId,
    account: &'a Account,
    /// After the late factor.
    weight: u128,
    amount: u128,
}

impl<'a> Tally<'a> {
    /// Sums up the verdicts of `class`.
    pub fn of_class(class: &str, allocation: &Allocation<'a>) -> Self {
        let late = allocation.policy.epochs.late;
        let mut rows: Vec<Row<'a>> = Vec::new();
        for verdict in allocation.verdicts.iter().filter(|verdict| verdict.class == class) {
            let full = verdict.weight();
            let is_late = verdict.slot_ms < allocation.epoch_start_ms;
            let weight = if is_late { late.of_value(full) } else { full };
            let row = Row {
                device: verdict.device,
                account: &verdict.account,
                weight: weight.into(),
                amount: verdict.amount.into(),
            };
            join(&mut rows, row);
        }
        // Sorted verdicts are joined by now, and sorting them again costs one pass.
        rows.sort_by(|a, b| (a.device, a.account).cmp(&(b.device, b.account)));
        let mut joined = Vec::with_capacity(rows.len());
        for row in rows {
            join(&mut joined, row);
        }
        Self { rows: joined }
    }

    /// Shares `size` out among the devices that the pool admits, writing their payouts.
    pub fn share_out(&self, pool: &Pool, size: Amount, payouts: &mut Vec<Payout>) -> Result<PoolResult, RewardError> {
        let (mut sharing, mut weight_total) = (Vec::new(), 0u128);
        for rows in self.rows.chunk_by(|a, b| a.device == b.device) {
            let weight = rows.iter().map(|row| row.weight).sum();
            if pool.admits(weight, rows.iter().map(|row| row.amount).sum()) {
                refuse_unwritable(pool, rows[0].device, weight)?;
                weight_total += weight;
                sharing.push((weight, rows));
            }
        }
        let (devices, before, mut paid) = (sharing.len() as u64, payouts.len(), Amount::ZERO);
        for (weight, rows) in sharing {
            let part = pool.part(size, weight, weight_total, devices);
            for row in rows {
                let amount = if row.weight == weight { Some(part) } else { part.share(row.weight, weight) };
                let amount = amount.expect("a row's weight is at most its device's");
                if amount > Amount::ZERO {
                    paid = paid.checked_add(amount).expect("parts sum up to at most the pool");
                    payouts.push(payout(pool, row, amount));
                }
            }
        }
        Ok(PoolResult {
            name: pool.name.clone(),
            class: Some(pool.class.clone()),
            rule: pool.rule.name(),
            size,
            weight_total,
            devices,
            paid,
            dust: size.checked_sub(paid).expect("parts sum up to at most the pool"),
            recipients: (payouts.len() - before) as u64,
        })
    }
}

/// Adds `row` to the last one when both speak of the same device and account.
fn join<'a>(rows: &mut Vec<Row<'a>>, row: Row<'a>) {
    match rows.last_mut() {
        // Sums of 64-bit numbers, fewer than 2^64 of them: they stay within 128 bits.
        Some(last) if last.device == row.device && last.account == row.account => {
            last.weight += row.weight;
            last.amount += row.amount;
        }
        _ => rows.push(row),
    }
}

/// Integers of canonical bytes stay within 63 bits.
fn refuse_unwritable(pool: &Pool, device: DeviceId, weight: u128) -> Result<(), RewardError> {
    if weight > i64::MAX.cast_unsigned().into() {
        return Err(RewardError::Weight { pool: pool.name.clone(), device, weight });
    }
    Ok(())
}

fn payout(pool: &Pool, row: &Row<'_>, amount: Amount) -> Payout {
    Payout {
        account: row.account.clone(),
        device: Some(row.device),
        pool: pool.name.clone(),
        weight: u64::try_from(row.weight).expect("a device's weight was checked"),
        amount,
    }
}

/// Sorts payouts as their canonical bytes sort, without writing them.
///
/// Bytewise, a CBOR text sorts by length before content, and no device (the empty byte string) before any. One payout
/// exists per account, device and pool, so that weight and amount never decide.
pub fn sort_canonically(payouts: &mut Vec<Payout>) {
    let place = |row: &Payout| (row.device, row.pool.len());
    payouts.sort_unstable_by(|a, b| {
        a.account.cmp(&b.account).then_with(|| place(a).cmp(&place(b))).then_with(|| a.pool.cmp(&b.pool))
    });
    // An account's text is written once, not once per comparison.
    let (mut accounts, mut start) = (Vec::new(), 0);
    for rows in payouts.chunk_by(|a, b| a.account == b.account) {
        let text = rows[0].account.to_string();
        accounts.push((text.len(), text, start..start + rows.len()));
        start += rows.len();
    }
    accounts.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let mut rows: Vec<Option<Payout>> = core::mem::take(payouts).into_iter().map(Some).collect();
    payouts.reserve_exact(rows.len());
    for (_, _, range) in accounts {
        payouts.extend(rows[range].iter_mut().filter_map(Option::take));
    }
}
