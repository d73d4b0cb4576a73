//! What buyers have paid in and not spent: per asset and buyer, and how many deposits of each chain have counted.
//!
//! Memory grows with buyers, by a record each for every asset they paid in. Nobody fills it for nothing: a record begins
//! with a deposit that its buyer paid for on a chain, and the fees of that chain. Orders of work spend it (`market.rs`).

use std::collections::BTreeMap;

use cairn_core::deposit::CreditAsset;
use cairn_core::{Amount, Domain};

/// The most that all buyers together hold of one asset, the network's own on all chains being one: half of what an amount can be, so that emission has the other half and
/// no deposit keeps an epoch from closing.
pub const CREDIT_MAX: Amount = Amount(u128::MAX / 2);

/// A buyer, as in claims: an EVM address is padded with zeros on the left.
pub type Buyer = [u8; 32];

/// A deposit that counts, and what it is a credit of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credited {
    /// Where it was paid in.
    pub chain: Domain,
    /// What it is a credit of.
    pub asset: CreditAsset,
    /// Who is credited.
    pub buyer: Buyer,
    /// Base units of the asset.
    pub amount: Amount,
}

/// All credit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credits {
    assets: BTreeMap<CreditAsset, Held>,
    /// Deposits that have counted, by chain.
    counted: BTreeMap<Domain, u64>,
}

/// What buyers hold of one asset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Held {
    /// The sum over the buyers.
    total: Amount,
    buyers: BTreeMap<Buyer, Amount>,
}

impl Credits {
    /// How many deposits of a chain have counted: the next one's round is one more.
    #[must_use]
    pub fn counted(&self, chain: &Domain) -> u64 {
        self.counted.get(chain).copied().unwrap_or(0)
    }

    /// What all buyers together hold of an asset.
    #[must_use]
    pub fn total(&self, asset: &CreditAsset) -> Amount {
        self.assets.get(asset).map_or(Amount::ZERO, |held| held.total)
    }

    /// What all buyers together hold of the network's own asset, on whichever chain it was paid in.
    #[must_use]
    pub fn native(&self) -> Amount {
        let held = self.assets.iter().filter(|(asset, _)| asset.is_native()).map(|(_, held)| held.total);
        Amount::checked_sum(held).expect("all of it together is at most CREDIT_MAX")
    }

    /// What a buyer holds, by asset: only what is not zero.
    pub fn of<'a>(&'a self, buyer: &'a Buyer) -> impl Iterator<Item = (&'a CreditAsset, Amount)> {
        self.assets.iter().filter_map(move |(asset, held)| Some((asset, *held.buyers.get(buyer)?)))
    }

    /// What a buyer holds of an asset.
    #[must_use]
    pub fn held(&self, asset: &CreditAsset, buyer: &Buyer) -> Amount {
        self.assets.get(asset).and_then(|held| held.buyers.get(buyer)).copied().unwrap_or(Amount::ZERO)
    }

    /// Every credit.
    pub fn all(&self) -> impl Iterator<Item = (&CreditAsset, &Buyer, Amount)> {
        self.assets.iter().flat_map(|(asset, held)| held.buyers.iter().map(move |(buyer, held)| (asset, buyer, *held)))
    }

    /// The chains with deposits that have counted, and how many.
    pub fn chains(&self) -> impl Iterator<Item = (&Domain, u64)> {
        self.counted.iter().map(|(chain, counted)| (chain, *counted))
    }

    /// Whether there may be so much more of an asset: its chains count together, where it is the network's own.
    pub(crate) fn has_room(&self, asset: &CreditAsset, amount: Amount) -> bool {
        let held = if asset.is_native() { self.native() } else { self.total(asset) };
        held.checked_add(amount).is_some_and(|total| total <= CREDIT_MAX)
    }

    /// Takes from what a buyer holds; what is nothing then has no record.
    ///
    /// # Panics
    /// When it is less than that.
    pub(crate) fn take(&mut self, asset: &CreditAsset, buyer: &Buyer, amount: Amount) {
        if amount == Amount::ZERO {
            return;
        }
        let held = self.assets.get_mut(asset).expect("the buyer has so much");
        let own = held.buyers.get_mut(buyer).expect("the buyer has so much");
        for sum in [&mut held.total, own] {
            *sum = sum.checked_sub(amount).expect("the buyer has so much");
        }
        held.buyers.retain(|_, amount| *amount > Amount::ZERO);
        if held.buyers.is_empty() {
            self.assets.remove(asset);
        }
    }

    /// Adds to what a buyer holds; `false`, and nothing is added, past [`CREDIT_MAX`].
    pub(crate) fn add(&mut self, asset: &CreditAsset, buyer: &Buyer, amount: Amount) -> bool {
        if amount == Amount::ZERO {
            return true;
        }
        if !self.has_room(asset, amount) {
            return false;
        }
        let held = self.assets.entry(asset.clone()).or_default();
        let own = held.buyers.entry(*buyer).or_default();
        for sum in [&mut held.total, own] {
            *sum = sum.checked_add(amount).expect("there is room");
        }
        true
    }

    /// Notes how many deposits of a chain have counted.
    pub(crate) fn count(&mut self, chain: Domain, counted: u64) {
        self.counted.insert(chain, counted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_sums_and_end_where_no_epoch_could_close() {
        let chain = Domain::parse("eip155:1").unwrap();
        let elsewhere = CreditAsset::Native(Domain::parse("eip155:2").unwrap());
        let (native, token) = (CreditAsset::Native(chain.clone()), CreditAsset::Token(chain.clone(), [1; 20]));
        let mut credits = Credits::default();
        assert!(credits.add(&native, &[1; 32], Amount(5)) && credits.add(&native, &[2; 32], Amount(7)));
        assert!(credits.add(&token, &[1; 32], CREDIT_MAX) && credits.add(&native, &[1; 32], Amount(1)));
        assert_eq!(credits.of(&[1; 32]).collect::<Vec<_>>(), [(&native, Amount(6)), (&token, CREDIT_MAX)]);
        assert_eq!((credits.total(&native), credits.total(&token)), (Amount(13), CREDIT_MAX));
        assert!(credits.add(&elsewhere, &[1; 32], Amount(CREDIT_MAX.0 - 13)));
        assert_eq!((credits.native(), credits.total(&native)), (CREDIT_MAX, Amount(13)));
        let before = credits.clone();
        assert!(!credits.add(&native, &[3; 32], Amount(1)), "chains count together");
        assert!(!credits.add(&token, &[3; 32], Amount(1)), "one more than there may be");
        assert!(!credits.add(&native, &[3; 32], Amount(u128::MAX)), "more than an amount holds");
        assert_eq!(credits, before);
        credits.take(&elsewhere, &[1; 32], Amount(CREDIT_MAX.0 - 13));
        assert!(
            credits.all().all(|(asset, _, amount)| *asset != elsewhere && amount > Amount::ZERO),
            "nothing has no record"
        );
        credits.take(&native, &[1; 32], Amount(2));
        credits.take(&native, &[3; 32], Amount::ZERO);
        assert_eq!((credits.held(&native, &[1; 32]), credits.native()), (Amount(4), Amount(11)));
        assert!(credits.add(&elsewhere, &[9; 32], Amount::ZERO) && credits.held(&elsewhere, &[9; 32]) == Amount::ZERO);
        assert_eq!(credits.all().count(), 3);
        credits.count(chain.clone(), 3);
        assert_eq!((credits.counted(&chain), credits.counted(&Domain::parse("eip155:2").unwrap())), (3, 0));
    }
}
