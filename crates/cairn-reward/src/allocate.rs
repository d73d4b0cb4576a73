//! From verdicts to payouts: the rules of money, revision 1.
//!
//! Written so that it can be written again in another language. All numbers are non-negative integers, every division is
//! a floor, products are exact (256 bits where it takes them), and sums that pass 128 bits are errors.
//!
//! **The pot.** `pot = unallocated + minted`: what the last epoch left unallocated, and what this one mints
//! ([`crate::emission`]).
//!
//! **Weights.** A verdict of class `c` for device `d` and account `a` has the weight `w = amount * score_ppm / 10^6`. It
//! is *late* when its slot begins before the epoch does, and then `w = w * late_ppm / 10^6`. `w(d,a)` is the sum over
//! the verdicts of class `c`; `w(d) = sum of w(d,a)`, over accounts; `amount(d)` is the sum of the verdicts' amounts. A
//! device changes accounts when it is transferred: it then has several `w(d,a)`, but remains one device.
//!
//! **Pools.** Pool `k` has the size `S = pot * share_ppm / 10^6`, and entitles each device to `e(d)`:
//!
//! ```text
//! pro-rata   devices with w(d) > 0;                                         W = sum of w(d)
//!            e(d) = S * w(d) / W
//! flat       devices with w(d) > 0 and
//!            w(d) * 10^6 >= min_score_ppm * amount(d);                      n = their number
//!            e(d) = S / n
//! both       e(d) = min(e(d), cap_per_device), when the pool has a cap
//! payout     (a, d, k) gets e(d) * w(d,a) / w(d)                            a row is written when that is not 0
//! ```
//!
//! So a transfer between two accounts, even of one owner, neither doubles a flat part nor lifts a cap. A late report
//! counts less for the score that `flat` asks for, as it does for everything.
//!
//! **The residual** pool gets `pot - sum of payouts`: what the shares leave, pools without devices, what caps cut off,
//! and every remainder of a division. It is paid to its account (a row without device, of weight 0, when not 0), or
//! burned, or left unallocated, which makes it part of the next epoch's pot. Nothing else is ever left unallocated.
//!
//! **Sales** are of work that buyers ordered: each says what was locked for a job and where every unit of it went
//! ([`cairn_core::sale`]). They take nothing from the pot and change no pool. Each must balance: `locked = sum of work +
//! sum of licences + returned + refund`, and of no work is more burned than it is worth. Their rows, each the sum over all
//! sales, written when its amount is not 0:
//!
//! ```text
//! for each account and device that worked   pool "compute/1", the device, weight = min(sum of gas, 2^63 - 1),
//!                                           amount = sum of (work - burned)
//! for each account that licensed            pool "compute/1:licence", no device, weight 0, amount = sum of licences
//! for each account of a refund              pool "compute/1:refund", no device, weight 0, amount = sum of refunds
//! ```
//!
//! **The balance.** `opening + minted + deposited = paid + refunded + burned + closing`, checked before an outcome is
//! returned. `opening` is what the last epoch left unallocated and in escrow. What buyers paid in, in this epoch and before,
//! and did not spend is `escrow`, their credit and what is locked for their jobs alike: it is nobody's pot. Sales spend it:
//!
//! ```text
//! paid      = pools + residual, when an account gets it + sum of (work - burned) + sum of licences
//! refunded  = sum of refunds
//! burned    = residual, when it is burned + sum of what sales burn
//! escrow    = escrow before + deposited - (sum of work + sum of licences + sum of refunds)
//! ```
//!
//! So the payouts sum up to `paid + refunded`. What is returned to credit does not leave escrow. Vesting has its line and is
//! zero in this revision.
//!
//! **Order.** Verdicts and sales may come in any order. Payouts are sorted by their canonical bytes ([`Payout::encode`]), pools
//! stand in the policy's order with the residual last.
//!
//! What this does not do: judge, decide which reports belong to the epoch, or notice that a verdict was handed over
//! twice. It is given each verdict and each sale of the epoch once; that a sale follows from verdicts and policy is for
//! whoever made it.

mod rows;
mod sold;

use cairn_core::sale::Sale;
use cairn_core::{Amount, Payout, Verdict};

use crate::claims::Totals;
use crate::policy::{Destination, Policy, Pool, Rule};
use crate::{RewardError, add_totals};
use rows::Tally;
use sold::Sold;
pub use sold::{LICENCE, REFUND, WORK};

/// All that an epoch's money depends on.
#[derive(Debug, Clone, Copy)]
pub struct Allocation<'a> {
    /// The epoch's number.
    pub epoch: u64,
    /// The policy that governs it.
    pub policy: &'a Policy,
    /// When its measured time begins, in milliseconds since 1970 UTC.
    pub epoch_start_ms: u64,
    /// `closing.unallocated` of the epoch before.
    pub opening_unallocated: Amount,
    /// `closing.escrow` of the epoch before: what buyers had as credit, and what was locked for their jobs.
    pub opening_escrow: Amount,
    /// What buyers paid in during the epoch, in the network's own asset.
    pub deposited: Amount,
    /// What all epochs before minted together.
    pub minted_before: Amount,
    /// The verdicts of all classes, each once, in any order (fastest when they are sorted).
    pub verdicts: &'a [Verdict],
    /// What became of the jobs that were settled, each once, in any order.
    pub sales: &'a [Sale],
}

/// What an epoch pays, and why its books are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The payouts, sorted by their canonical bytes.
    pub payouts: Vec<Payout>,
    /// The pools in the policy's order, the residual last.
    pub pools: Vec<PoolResult>,
    /// The epoch's balance of the asset.
    pub balance: Balance,
    /// What each account gets, over all its payouts.
    pub totals: Totals,
}

/// What became of one pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolResult {
    /// The pool's name.
    pub name: String,
    /// The class it pays; `None` for the residual.
    pub class: Option<String>,
    /// `pro-rata`, `flat` or `residual`.
    pub rule: &'static str,
    /// What was to be shared out, in base units; for the residual, what it received.
    pub size: Amount,
    /// The sum of the weights of the devices that it is shared among.
    pub weight_total: u128,
    /// The number of devices that it is shared among: `n` of a flat pool.
    pub devices: u64,
    /// What its payouts sum up to.
    pub paid: Amount,
    /// `size - paid`, which goes to the residual: caps, remainders, or all of it when there is no device. Zero for the
    /// residual itself.
    pub dust: Amount,
    /// The number of payouts.
    pub recipients: u64,
}

/// The balance of an asset over an epoch, in base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// The closing of the epoch before.
    pub opening: Amount,
    /// Created by emission.
    pub minted: Amount,
    /// Brought in by buyers.
    pub deposited: Amount,
    /// Paid to accounts: by pools, for work and for licences.
    pub paid: Amount,
    /// Given back to buyers, out of the network: paid to the accounts that their orders name.
    pub refunded: Amount,
    /// Destroyed.
    pub burned: Amount,
    /// What remains.
    pub closing: Closing,
}

/// What remains at the end of an epoch, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Closing {
    /// Paid in by buyers and not spent: their credit, and what is locked for their jobs.
    pub escrow: Amount,
    /// Earned, but not yet payable.
    pub vesting: Amount,
    /// In the next epoch's pot.
    pub unallocated: Amount,
}

impl Balance {
    /// Checks `opening + minted + deposited = paid + refunded + burned + closing`.
    ///
    /// # Errors
    /// [`RewardError::Unbalanced`], or [`RewardError::Overflow`] when a side passes 2^128 - 1.
    pub fn check(&self, epoch: u64) -> Result<(), RewardError> {
        let Closing { escrow, vesting, unallocated } = self.closing;
        let overflow = RewardError::Overflow { what: "a side of the balance" };
        let in_sum = Amount::checked_sum([self.opening, self.minted, self.deposited]).ok_or(overflow.clone())?;
        let out_sum = Amount::checked_sum([self.paid, self.refunded, self.burned, escrow, vesting, unallocated])
            .ok_or(overflow)?;
        if in_sum == out_sum {
            Ok(())
        } else {
            Err(RewardError::Unbalanced { epoch, in_units: in_sum.0, out_units: out_sum.0 })
        }
    }
}

impl Pool {
    /// The pool's size in an epoch with this pot: `pot * share_ppm / 10^6`.
    #[must_use]
    pub fn size(&self, pot: Amount) -> Amount {
        pot.share(self.share.get().into(), cairn_core::PPM.into()).expect("a share is at most the whole")
    }

    /// Whether a device that delivered `amount` with `weight` shares in the pool.
    #[must_use]
    pub const fn admits(&self, weight: u128, amount: u128) -> bool {
        weight > 0
            && match self.rule {
                Rule::ProRata => true,
                // Both are sums of 64-bit numbers, far from 2^108, where these products would saturate.
                Rule::Flat { min_score } => {
                    weight.saturating_mul(cairn_core::PPM as u128) >= amount.saturating_mul(min_score.get() as u128)
                }
            }
    }

    /// What a device of `weight` is entitled to in a pool of `size` that `devices` devices of `weight_total` share.
    ///
    /// # Panics
    /// When the device is not among them: its weight over `weight_total`, or no device at all.
    #[must_use]
    pub fn part(&self, size: Amount, weight: u128, weight_total: u128, devices: u64) -> Amount {
        let part = match self.rule {
            Rule::ProRata => size.share(weight, weight_total),
            Rule::Flat { .. } => size.share(1, devices.into()),
        };
        let part = part.expect("the device is among those that share the pool");
        self.cap_per_device.map_or(part, |cap| part.min(cap))
    }
}

/// Allocates an epoch.
///
/// # Errors
/// [`RewardError::Overflow`] when the pot passes 2^128 - 1 base units, [`RewardError::Weight`] when a device's weight in
/// a pool passes 2^63 - 1, [`RewardError::Sale`] and [`RewardError::Escrow`] when a sale does not balance or was not paid
/// in. None depends on the order of the verdicts; of several sales that do not balance, the first one is named.
pub fn allocate(allocation: &Allocation<'_>) -> Result<Outcome, RewardError> {
    let Allocation { epoch, policy, minted_before, .. } = *allocation;
    let minted = policy.emission.minted(epoch, minted_before);
    let pot = allocation.opening_unallocated.checked_add(minted);
    let pot = pot.ok_or(RewardError::Overflow { what: "the epoch's pot" })?;

    let tallies: Vec<(&str, Tally<'_>)> = policy
        .classes
        .keys()
        .filter(|class| policy.pools.iter().any(|pool| pool.class == **class))
        .map(|class| (class.as_str(), Tally::of_class(class, allocation)))
        .collect();

    let sold = Sold::of(allocation)?;
    let (mut payouts, mut pools, mut left) = (sold.payouts().collect::<Vec<_>>(), Vec::new(), pot);
    for pool in &policy.pools {
        let (_, tally) =
            tallies.iter().find(|(class, _)| *class == pool.class).expect("a policy's pools pay classes that it lists");
        let result = tally.share_out(pool, pool.size(pot), &mut payouts)?;
        left = left.checked_sub(result.paid).expect("pools pay at most their sizes, and their shares fit the pot");
        pools.push(result);
    }

    let mut balance = Balance { minted, paid: Amount(pot.0 - left.0), ..balance_before(allocation)? };
    pools.push(residual(policy, left, &mut balance, &mut payouts));
    sold.book(epoch, &mut balance)?;
    balance.check(epoch)?;

    rows::sort_canonically(&mut payouts);
    let totals = totals(&payouts)?;
    Ok(Outcome { payouts, pools, balance, totals })
}

/// Gives what the pools left to whom the policy says.
fn residual(policy: &Policy, left: Amount, balance: &mut Balance, payouts: &mut Vec<Payout>) -> PoolResult {
    let name = policy.residual.name.clone();
    let mut residual = PoolResult {
        name: name.clone(),
        class: None,
        rule: "residual",
        size: left,
        weight_total: 0,
        devices: 0,
        paid: Amount::ZERO,
        dust: Amount::ZERO,
        recipients: 0,
    };
    match &policy.residual.to {
        Destination::Account(account) => {
            balance.paid = balance.paid.checked_add(left).expect("together they are the pot");
            residual.paid = left;
            if left > Amount::ZERO {
                residual.recipients = 1;
                payouts.push(Payout { account: account.clone(), device: None, pool: name, weight: 0, amount: left });
            }
        }
        Destination::Burn => balance.burned = left,
        Destination::NextEpoch => balance.closing.unallocated = left,
    }
    residual
}

/// The books with nothing shared out yet: what was there, and what buyers paid in.
fn balance_before(allocation: &Allocation<'_>) -> Result<Balance, RewardError> {
    let Allocation { opening_unallocated, opening_escrow, deposited, .. } = *allocation;
    let sum = |a: Amount, b, what| a.checked_add(b).ok_or(RewardError::Overflow { what });
    let opening = sum(opening_unallocated, opening_escrow, "the epoch's opening")?;
    let escrow = sum(opening_escrow, deposited, "what buyers paid in")?;
    Ok(Balance { opening, deposited, closing: Closing { escrow, ..Closing::default() }, ..Balance::default() })
}

/// The sum of each account's payouts, which stand together in canonical order.
fn totals(payouts: &[Payout]) -> Result<Totals, RewardError> {
    let mut totals = Totals::new();
    for rows in payouts.chunk_by(|a, b| a.account == b.account) {
        let sum = Amount::checked_sum(rows.iter().map(|row| row.amount));
        let sum = sum.ok_or(RewardError::Overflow { what: "an account's total" })?;
        add_totals(&mut totals, &Totals::from([(rows[0].account.clone(), sum)]))?;
    }
    Ok(totals)
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
