//! What a job costs at the till: what is locked for it, and the till's own part.

use cairn_core::amount::mul_div_floor;
use cairn_core::{Amount, PPM};

/// The till's own part: for the gas of a chain, and for its credit being away meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Price {
    /// A share of what is locked, millionths.
    pub margin_ppm: u32,
    /// And base units for each job.
    pub flat: u128,
}

impl Price {
    /// What is asked for where so much is locked; `None` past 128 bits.
    #[must_use]
    pub fn of(&self, locked: Amount) -> Option<u128> {
        let (share, whole) = (u128::from(self.margin_ppm), u128::from(PPM));
        let rounded = u128::from(!((locked.0 % whole) * (share % whole)).is_multiple_of(whole));
        let margin = mul_div_floor(locked.0, share, whole)?.checked_add(rounded)?;
        locked.0.checked_add(margin)?.checked_add(self.flat)
    }

    /// The most that may be locked where so much was paid; `None` where not even nothing may be.
    #[must_use]
    pub fn covers(&self, paid: u128) -> Option<Amount> {
        let rest = paid.checked_sub(self.flat)?;
        let whole = u128::from(PPM) + u128::from(self.margin_ppm);
        let most = mul_div_floor(rest, PPM.into(), whole)?;
        Some(Amount(most))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_price_is_the_lock_the_margin_rounded_up_and_the_flat_part() {
        for (margin_ppm, flat, locked, price) in
            [(0, 0, 5, 5), (50_000, 3, 100, 108), (1, 0, 1, 2), (1_000_000, 0, 7, 14), (50_000, 3, 0, 3)]
        {
            assert_eq!(Price { margin_ppm, flat }.of(Amount(locked)), Some(price), "{margin_ppm} {flat} {locked}");
        }
        assert_eq!(Price { margin_ppm: 1, flat: 0 }.of(Amount(u128::MAX)), None);
        assert_eq!(Price { margin_ppm: 0, flat: 3 }.covers(2), None);
    }

    proptest! {
        #[test]
        fn what_a_payment_covers_is_the_most_that_it_pays_for(margin_ppm in 0u32..=2_000_000, flat in 0u128..1 << 90, paid in 0u128..1 << 100) {
            let price = Price { margin_ppm, flat };
            if let Some(most) = price.covers(paid) {
                prop_assert!(price.of(most).unwrap() <= paid);
                prop_assert!(price.of(Amount(most.0 + 1)).unwrap() > paid);
            } else {
                prop_assert!(paid < flat);
            }
        }
    }
}
