//! How much an epoch mints: a table, looked up, and a ceiling.
//!
//! The table has rows `(from_epoch, amount)`, strictly ascending by epoch. Epoch `E` emits the amount of the last row
//! with `from_epoch <= E`; before the first row it emits nothing; the last row holds for ever. A halving, a ramp or an
//! end is rows, never a formula, so that everybody can read what will be minted and when.
//!
//! ```text
//! minted(E) = min(table(E), max_supply - minted_before)        ; nothing below zero
//! ```
//!
//! `minted_before` comes from the state, not from the table: a later policy may have another table, and what was minted
//! under the earlier one stays minted. Burning does not make room below the ceiling: `max_supply` bounds what is ever
//! minted.

use cairn_core::Amount;

use crate::RewardError;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmissionRow {
    /// The first epoch that emits this.
    pub from_epoch: u64,
    /// Base units per epoch.
    pub amount: Amount,
}

/// The emission table of a policy, with its ceiling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emission {
    rows: Vec<EmissionRow>,
    max_supply: Option<Amount>,
}

impl Emission {
    /// A table of at least one row, strictly ascending by epoch.
    ///
    /// # Errors
    /// [`RewardError::EmissionEmpty`], [`RewardError::EmissionOrder`].
    pub fn of_rows(rows: Vec<EmissionRow>, max_supply: Option<Amount>) -> Result<Self, RewardError> {
        if rows.is_empty() {
            return Err(RewardError::EmissionEmpty);
        }
        for (index, pair) in rows.windows(2).enumerate() {
            let (after, from_epoch) = (pair[0].from_epoch, pair[1].from_epoch);
            if from_epoch <= after {
                return Err(RewardError::EmissionOrder { row: index + 1, after, from_epoch });
            }
        }
        Ok(Self { rows, max_supply })
    }

    /// The rows, ascending.
    #[must_use]
    pub fn rows(&self) -> &[EmissionRow] {
        &self.rows
    }

    /// The most base units that may ever be minted, if there is a ceiling.
    #[must_use]
    pub const fn max_supply(&self) -> Option<Amount> {
        self.max_supply
    }

    /// What the table says of `epoch`, in base units, before the ceiling.
    #[must_use]
    pub fn at(&self, epoch: u64) -> Amount {
        let after = self.rows.partition_point(|row| row.from_epoch <= epoch);
        after.checked_sub(1).map_or(Amount::ZERO, |row| self.rows[row].amount)
    }

    /// What `epoch` mints when `minted_before` base units were minted in all epochs before it.
    #[must_use]
    pub fn minted(&self, epoch: u64, minted_before: Amount) -> Amount {
        let room = |max: Amount| max.checked_sub(minted_before).unwrap_or_default();
        self.max_supply.map_or(Amount(u128::MAX), room).min(self.at(epoch))
    }

    /// What the epochs from 0 to `epoch` mint together under this table alone, in base units.
    ///
    /// # Errors
    /// [`RewardError::Overflow`] when there is no ceiling and the sum passes 2^128 - 1.
    pub fn total_through(&self, epoch: u64) -> Result<Amount, RewardError> {
        let total = self.uncapped_through(epoch);
        match (total, self.max_supply) {
            (Some(total), max) => Ok(max.map_or(total, |max| total.min(max))),
            (None, Some(max)) => Ok(max),
            (None, None) => Err(RewardError::Overflow { what: "the emission of all epochs together" }),
        }
    }

    /// What is ever minted under this table, or `None` when it has neither an end nor a ceiling.
    ///
    /// # Errors
    /// [`RewardError::Overflow`] as [`Emission::total_through`].
    pub fn supply(&self) -> Result<Option<Amount>, RewardError> {
        let last = self.rows.last().expect("a table has a row");
        if last.amount > Amount::ZERO {
            return Ok(self.max_supply);
        }
        self.total_through(last.from_epoch).map(Some)
    }

    /// The first epoch that mints less than its row says because the ceiling is reached, if it ever is.
    #[must_use]
    pub fn capped_from(&self) -> Option<u64> {
        let max = self.max_supply?;
        let within = |epoch| self.uncapped_through(epoch).is_some_and(|total| total <= max);
        let (mut low, mut high) = (0, u64::MAX);
        if within(high) {
            return None;
        }
        // `within` holds for a prefix of the epochs, since totals only grow.
        while low < high {
            let middle = low + (high - low) / 2;
            if within(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Some(low)
    }

    /// The sum of the rows over the epochs from 0 to `epoch`, or `None` past 128 bits.
    fn uncapped_through(&self, epoch: u64) -> Option<Amount> {
        let ends = self.rows.iter().skip(1).map(|row| u128::from(row.from_epoch)).chain([u128::MAX]);
        let mut total = 0u128;
        for (row, next) in self.rows.iter().zip(ends) {
            let end = next.min(u128::from(epoch) + 1);
            let epochs = end.saturating_sub(row.from_epoch.into());
            total = total.checked_add(row.amount.0.checked_mul(epochs)?)?;
        }
        Some(Amount(total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(u64, u128)], max_supply: Option<u128>) -> Result<Emission, RewardError> {
        let rows = rows.iter().map(|&(from_epoch, units)| EmissionRow { from_epoch, amount: Amount(units) }).collect();
        Emission::of_rows(rows, max_supply.map(Amount))
    }

    #[test]
    fn an_epoch_emits_the_last_row_that_has_begun() {
        let emission = table(&[(2, 100), (5, 50), (9, 0)], None).unwrap();
        let expected = [0, 0, 100, 100, 100, 50, 50, 50, 50, 0, 0];
        for (epoch, units) in (0..).zip(expected) {
            assert_eq!(emission.at(epoch), Amount(units), "epoch {epoch}");
        }
        assert_eq!(emission.at(u64::MAX), Amount(0));
        assert_eq!(emission.supply(), Ok(Some(Amount(500))));
        assert_eq!(emission.capped_from(), None);
    }

    #[test]
    fn the_ceiling_cuts_the_epoch_that_reaches_it_and_ends_the_rest() {
        let emission = table(&[(0, 100), (3, 40)], Some(330)).unwrap();
        let minted = [(0, 0, 100), (2, 200, 100), (3, 300, 30), (4, 330, 0), (4, 331, 0), (0, u128::MAX, 0)];
        for (epoch, before, units) in minted {
            assert_eq!(emission.minted(epoch, Amount(before)), Amount(units), "epoch {epoch} after {before}");
        }
        assert_eq!(emission.capped_from(), Some(3));
        assert_eq!(emission.supply(), Ok(Some(Amount(330))));
        assert_eq!(table(&[(0, 100)], None).unwrap().supply(), Ok(None));
        assert_eq!(table(&[(0, 0)], Some(1)).unwrap().capped_from(), None);
    }

    #[test]
    fn rows_ascend_strictly_and_there_is_one() {
        assert_eq!(table(&[], None).unwrap_err().code(), "RWD-EMISSION");
        for rows in [[(1, 5), (1, 6)], [(7, 5), (3, 5)]] {
            let refused = table(&rows, None).unwrap_err();
            let RewardError::EmissionOrder { row: 1, after, from_epoch } = refused else { panic!("{refused}") };
            assert_eq!([(after, 5), (from_epoch, rows[1].1)], rows);
        }
    }

    #[test]
    fn a_trillion_tokens_of_eighteen_decimals_fit_and_more_is_refused_not_wrapped() {
        let trillion = 10u128.pow(12 + 18);
        let emission = table(&[(0, trillion)], None).unwrap();
        assert_eq!(emission.total_through(99_999_999), Ok(Amount(trillion * 100_000_000)));
        assert_eq!(emission.total_through(u64::MAX).unwrap_err().code(), "RWD-OVERFLOW");
        let capped = table(&[(0, u128::MAX)], Some(u128::MAX)).unwrap();
        assert_eq!(capped.total_through(u64::MAX), Ok(Amount(u128::MAX)));
        assert_eq!(capped.capped_from(), Some(1));
    }

    mod laws {
        use proptest::collection::btree_map;
        use proptest::prelude::*;

        use super::*;

        fn tables() -> impl Strategy<Value = Emission> {
            let rows = btree_map(0u64..60, 0u128..1000, 1..6);
            (rows, proptest::option::of(0u128..30_000)).prop_map(|(rows, max_supply)| {
                let rows: Vec<_> = rows.into_iter().collect();
                table(&rows, max_supply).unwrap()
            })
        }

        proptest! {
            #[test]
            fn minting_epoch_by_epoch_gives_the_total(emission in tables(), last in 0u64..80) {
                let mut minted = Amount::ZERO;
                for epoch in 0..=last {
                    let now = emission.minted(epoch, minted);
                    let is_capped = emission.capped_from().is_some_and(|from| from <= epoch);
                    prop_assert!(now == emission.at(epoch) || is_capped);
                    minted = minted.checked_add(now).unwrap();
                    prop_assert_eq!(emission.total_through(epoch), Ok(minted));
                    prop_assert!(emission.max_supply().is_none_or(|max| minted <= max));
                }
                if let Ok(Some(supply)) = emission.supply() {
                    prop_assert!(minted <= supply);
                }
            }

            #[test]
            fn the_total_never_falls(emission in tables(), epoch in 0u64..u64::MAX) {
                prop_assert!(emission.total_through(epoch)? <= emission.total_through(epoch + 1)?);
            }
        }
    }
}
