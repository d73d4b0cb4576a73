//! What sales pay, give back and burn, and what that takes out of escrow.

use std::collections::BTreeMap;

use cairn_core::sale::Sale;
use cairn_core::{Account, Amount, DeviceId, Payout};

use super::{Allocation, Balance};
use crate::RewardError;

/// The pool of the rows that pay workers: the class whose work was sold.
pub const WORK: &str = "compute/1";
/// The pool of the rows that pay owners of licensed contents.
pub const LICENCE: &str = "compute/1:licence";
/// The pool of the rows that pay out what buyers did not want back as credit.
pub const REFUND: &str = "compute/1:refund";

/// The most that a row's weight can say: integers of canonical bytes stay within 63 bits.
const WEIGHT_MAX: u64 = i64::MAX.cast_unsigned();

/// All sales of an epoch, summed up.
#[derive(Default)]
pub struct Sold<'a> {
    /// Weight and amount by account, device and pool.
    rows: BTreeMap<(&'a Account, Option<DeviceId>, &'static str), (u64, Amount)>,
    /// Work after fees, and licences.
    paid: Amount,
    refunded: Amount,
    burned: Amount,
}

impl<'a> Sold<'a> {
    /// Sums up the sales.
    ///
    /// # Errors
    /// [`RewardError::Sale`] for one that does not balance, [`RewardError::Overflow`].
    pub fn of(allocation: &Allocation<'a>) -> Result<Self, RewardError> {
        let mut sold = Self::default();
        for sale in allocation.sales {
            if !sale.balances() {
                return Err(RewardError::Sale { job: sale.job });
            }
            sold.take(sale)?;
        }
        Ok(sold)
    }

    fn take(&mut self, sale: &'a Sale) -> Result<(), RewardError> {
        for work in &sale.work {
            let net = work.paid();
            add(&mut self.burned, work.burned)?;
            add(&mut self.paid, net)?;
            self.row((&work.account, Some(work.device), WORK), work.gas, net)?;
        }
        for licence in &sale.licences {
            add(&mut self.paid, licence.amount)?;
            self.row((&licence.account, None, LICENCE), 0, licence.amount)?;
        }
        if let Some((account, amount)) = &sale.refund {
            add(&mut self.refunded, *amount)?;
            self.row((account, None, REFUND), 0, *amount)?;
        }
        Ok(())
    }

    fn row(
        &mut self,
        of: (&'a Account, Option<DeviceId>, &'static str),
        gas: u64,
        amount: Amount,
    ) -> Result<(), RewardError> {
        let (weight, sum) = self.rows.entry(of).or_default();
        // Never an error: whoever sells work at the price of nothing shall not keep an epoch from closing.
        *weight = weight.saturating_add(gas).min(WEIGHT_MAX);
        add(sum, amount)
    }

    /// The rows; none of nothing.
    pub fn payouts(&self) -> impl Iterator<Item = Payout> + '_ {
        let some = self.rows.iter().filter(|(_, (_, amount))| *amount > Amount::ZERO);
        some.map(|(&(account, device, pool), &(weight, amount))| Payout {
            account: account.clone(),
            device,
            pool: pool.to_owned(),
            weight,
            amount,
        })
    }

    /// Writes what was sold into the books: all of it was in escrow.
    ///
    /// # Errors
    /// [`RewardError::Escrow`] when less than that was there, [`RewardError::Overflow`].
    pub fn book(&self, epoch: u64, balance: &mut Balance) -> Result<(), RewardError> {
        let spent = Amount::checked_sum([self.paid, self.refunded, self.burned]);
        let spent = spent.ok_or(RewardError::Overflow { what: "what was sold" })?;
        let escrow = balance.closing.escrow;
        balance.closing.escrow =
            escrow.checked_sub(spent).ok_or(RewardError::Escrow { epoch, spent: spent.0, escrow: escrow.0 })?;
        add(&mut balance.paid, self.paid)?;
        add(&mut balance.refunded, self.refunded)?;
        add(&mut balance.burned, self.burned)
    }
}

fn add(sum: &mut Amount, part: Amount) -> Result<(), RewardError> {
    *sum = sum.checked_add(part).ok_or(RewardError::Overflow { what: "what was sold" })?;
    Ok(())
}

#[cfg(test)]
mod tests;
