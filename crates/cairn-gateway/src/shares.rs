//! Something there is only so much of, in all and for one address: connections, bytes in memory.
//!
//! What is over the limit is refused at once; nobody waits. The table by address holds only those who have a share, so it
//! is no larger than what is shared out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::address::Source;

/// Why there is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoShare {
    /// Everything is shared out.
    Full,
    /// This address has as much as one may have.
    Crowded,
}

#[derive(Default)]
struct Taken {
    all: u64,
    by_source: BTreeMap<Source, u64>,
}

/// Something there is only so much of.
pub(crate) struct Shares {
    all_max: u64,
    each_max: u64,
    taken: Mutex<Taken>,
}

/// A share, until it is dropped.
pub(crate) struct Share {
    shares: Arc<Shares>,
    source: Option<Source>,
    amount: u64,
}

impl Shares {
    pub fn of(all_max: u64, each_max: u64) -> Arc<Self> {
        Arc::new(Self { all_max: all_max.max(1), each_max: each_max.max(1), taken: Mutex::default() })
    }

    fn hold(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is shared out.
    pub fn taken(&self) -> u64 {
        self.hold().all
    }

    /// A share of nothing yet; `limited` is the address, unless it may have as much as there is.
    pub fn none(self: &Arc<Self>, limited: Option<IpAddr>) -> Share {
        Share { shares: self.clone(), source: limited.map(Source::of), amount: 0 }
    }

    /// A share that cannot be refused any more: others are, until it is given back.
    pub fn take_anyway(self: &Arc<Self>, limited: Option<IpAddr>, amount: u64) -> Share {
        let mut share = self.none(limited);
        share.add(&mut self.hold(), amount);
        share
    }

    /// A share.
    ///
    /// # Errors
    /// [`NoShare`].
    pub fn take(self: &Arc<Self>, limited: Option<IpAddr>, amount: u64) -> Result<Share, NoShare> {
        let mut share = self.none(limited);
        share.grow(amount)?;
        Ok(share)
    }
}

impl Share {
    /// Takes more. One large piece is given to an address that has nothing else, or it could never have it.
    ///
    /// # Errors
    /// [`NoShare`]; the share is then what it was.
    pub fn grow(&mut self, amount: u64) -> Result<(), NoShare> {
        let shares = self.shares.clone();
        let mut taken = shares.hold();
        if taken.all.saturating_add(amount) > shares.all_max {
            return Err(NoShare::Full);
        }
        let before = self.source.and_then(|source| taken.by_source.get(&source).copied()).unwrap_or(0);
        if before > 0 && before.saturating_add(amount) > shares.each_max {
            return Err(NoShare::Crowded);
        }
        self.add(&mut taken, amount);
        Ok(())
    }

    fn add(&mut self, taken: &mut Taken, amount: u64) {
        taken.all += amount;
        if let Some(source) = self.source {
            *taken.by_source.entry(source).or_default() += amount;
        }
        self.amount += amount;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.hold();
        taken.all -= self.amount;
        let Some(source) = self.source else { return };
        let rest = taken.by_source.get(&source).map_or(0, |count| count.saturating_sub(self.amount));
        if rest > 0 {
            taken.by_source.insert(source, rest);
        } else {
            taken.by_source.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn shares_are_counted_in_all_and_by_address_and_are_free_again() {
        let shares = Shares::of(3, 2);
        let first = shares.take(of("192.0.2.1"), 1).ok().unwrap();
        let second = shares.take(of("192.0.2.1"), 1).ok().unwrap();
        assert_eq!(shares.take(of("192.0.2.1"), 1).err(), Some(NoShare::Crowded));
        let third = shares.take(of("192.0.2.2"), 1).ok().unwrap();
        assert_eq!(shares.take(of("192.0.2.3"), 1).err(), Some(NoShare::Full));
        drop(first);
        let again = shares.take(of("192.0.2.1"), 1).ok().unwrap();
        drop((second, third, again));
        assert_eq!((shares.taken(), shares.hold().by_source.len()), (0, 0));
        let unlimited = shares.take(None, 3).ok().unwrap();
        assert_eq!(shares.take(None, 1).err(), Some(NoShare::Full), "the limit in all is everybody's");
        drop(unlimited);
    }

    #[test]
    fn a_share_grows_within_the_limits_and_one_large_piece_is_given_to_who_has_nothing() {
        let shares = Shares::of(100, 10);
        drop(shares.take_anyway(of("192.0.2.1"), 1_000));
        let mut share = shares.none(of("192.0.2.1"));
        assert_eq!((share.grow(6), share.grow(4), share.grow(1)), (Ok(()), Ok(()), Err(NoShare::Crowded)));
        let large = shares.take(of("192.0.2.2"), 60).ok().unwrap();
        assert_eq!(shares.take(of("192.0.2.2"), 1).err(), Some(NoShare::Crowded));
        assert_eq!(shares.take(of("192.0.2.3"), 60).err(), Some(NoShare::Full));
        drop((share, large));
        assert_eq!(shares.taken(), 0);
    }
}
