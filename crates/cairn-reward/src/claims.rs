//! What every account has earned since the network began.
//!
//! A claim is cumulative: the leaf that a contract accepts says what an account has earned in all epochs together, and
//! the contract pays what it has not paid yet. So the state keeps one number per account, which only grows. The tree
//! over these numbers is built elsewhere.

use std::collections::BTreeMap;

use cairn_core::{Account, Amount};

use crate::RewardError;

/// Base units per account, in the order of accounts.
pub type Totals = BTreeMap<Account, Amount>;

/// Adds an epoch's totals to the cumulative ones: all of them, or none on an error.
///
/// # Errors
/// [`RewardError::Overflow`] when an account passes 2^128 - 1 base units.
pub fn add_totals(cumulative: &mut Totals, epoch: &Totals) -> Result<(), RewardError> {
    let grown = |(account, &amount): (&Account, &Amount)| {
        let before = cumulative.get(account).copied().unwrap_or_default();
        Some((account.clone(), before.checked_add(amount)?))
    };
    let grown: Option<Vec<_>> = epoch.iter().map(grown).collect();
    cumulative.extend(grown.ok_or(RewardError::Overflow { what: "an account's cumulative total" })?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(rows: &[(u8, u128)]) -> Totals {
        let account = |n: u8| Account::parse(&format!("eip155:1:0x{n:040x}")).unwrap();
        rows.iter().map(|&(n, units)| (account(n), Amount(units))).collect()
    }

    #[test]
    fn totals_only_grow_and_an_overflow_changes_nothing() {
        let mut cumulative = totals(&[(1, 5), (2, u128::MAX - 1)]);
        add_totals(&mut cumulative, &totals(&[(1, 2), (2, 1), (3, 9)])).unwrap();
        assert_eq!(cumulative, totals(&[(1, 7), (2, u128::MAX), (3, 9)]));
        let refused = add_totals(&mut cumulative, &totals(&[(1, 1), (2, 1)])).unwrap_err();
        assert_eq!(refused.code(), "RWD-OVERFLOW");
        assert_eq!(cumulative, totals(&[(1, 7), (2, u128::MAX), (3, 9)]));
    }
}
