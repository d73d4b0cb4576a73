//! What is paid for gas at first, and for each variant that is to take an earlier one's place.

use crate::Fees;

/// The least that nodes ask of a variant beyond the one before it: parity's and nethermind's eighth; geth takes a tenth.
const BUMP_PPM_MIN: u32 = 125_000;

/// Fees within what is allowed, if they suffice for a block with this base fee; else what gas costs.
pub(super) fn within(fees: Fees, base_fee: Option<u128>, allowed: u128) -> Result<Fees, u128> {
    match fees {
        Fees::Legacy { price } if price <= allowed => Ok(fees),
        Fees::Legacy { price } => Err(price),
        Fees::Dynamic { max, priority } => {
            let needed = base_fee.unwrap_or(0).saturating_add(priority).min(max);
            if needed > allowed { Err(needed) } else { Ok(Fees::Dynamic { max: max.min(allowed), priority }) }
        }
    }
}

/// A price by so much higher, rounded up.
fn raised(price: u128, bump_ppm: u32) -> u128 {
    let ppm = u128::from(bump_ppm.max(BUMP_PPM_MIN));
    let whole = (price / 1_000_000).saturating_mul(ppm);
    let rest = (price % 1_000_000 * ppm).div_ceil(1_000_000);
    price.saturating_add(whole).saturating_add(rest).max(price.saturating_add(1))
}

/// The fees of a variant after one with `old`: both by so much higher, or what the chain asks `now` if that is more.
/// `None` where that is more than allowed.
pub(super) fn bumped(old: Fees, now: Option<Fees>, bump_ppm: u32, allowed: u128) -> Option<Fees> {
    let (now_max, now_priority) = match now {
        Some(Fees::Dynamic { max, priority }) => (max, priority),
        Some(Fees::Legacy { price }) => (price, price),
        None => (0, 0),
    };
    match old {
        Fees::Legacy { price } => {
            let least = raised(price, bump_ppm);
            (least <= allowed).then(|| Fees::Legacy { price: least.max(now_max.min(allowed)) })
        }
        Fees::Dynamic { max, priority } => {
            let (least, least_priority) = (raised(max, bump_ppm), raised(priority, bump_ppm));
            let max = least.max(now_max.min(allowed)).max(least_priority);
            (max <= allowed).then(|| Fees::Dynamic { max, priority: least_priority.max(now_priority.min(max)) })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_too_dear_is_not_paid_and_what_suffices_is_bounded() {
        let dynamic = |max, priority| Fees::Dynamic { max, priority };
        for (fees, base, allowed, expected) in [
            (dynamic(210, 10), Some(100), 300, Ok(dynamic(210, 10))),
            (dynamic(210, 10), Some(100), 150, Ok(dynamic(150, 10))),
            (dynamic(210, 10), Some(100), 109, Err(110)),
            (dynamic(210, 10), None, 9, Err(10)),
            (Fees::Legacy { price: 5 }, None, 5, Ok(Fees::Legacy { price: 5 })),
            (Fees::Legacy { price: 5 }, None, 4, Err(5)),
        ] {
            assert_eq!(within(fees, base, allowed), expected, "{fees:?} within {allowed}");
        }
    }

    fn prices(fees: Fees) -> (u128, u128) {
        match fees {
            Fees::Dynamic { max, priority } => (max, priority),
            Fees::Legacy { price } => (price, price),
        }
    }

    proptest! {
        #[test]
        fn every_variant_pays_an_eighth_more_and_no_more_than_allowed(
            legacy: bool, a in any::<u128>(), b in any::<u128>(), shift in 0u32..128, now: Option<(u128, u128)>,
            bump_ppm in 0u32..2_000_000, allowed: u128,
        ) {
            let (max, priority) = ((a >> shift).max(b >> shift), (a >> shift).min(b >> shift));
            let fees = |max, priority| if legacy { Fees::Legacy { price: max } } else { Fees::Dynamic { max, priority } };
            let old = fees(max, priority);
            if let Some(new) = bumped(old, now.map(|(max, priority)| fees(max, priority)), bump_ppm, allowed) {
                let ((old_max, old_priority), (new_max, new_priority)) = (prices(old), prices(new));
                prop_assert!(new_max <= allowed && new_priority <= new_max);
                for (old, new) in [(old_max, new_max), (old_priority, new_priority)] {
                    prop_assert!(new > old && new - old >= old / 8);
                }
            }
        }
    }
}
