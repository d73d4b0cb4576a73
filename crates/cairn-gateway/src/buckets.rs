//! Token buckets for many at once, in bounded memory.
//!
//! A bucket is one number: the moment at which it is full again. It fills by `per_s` tokens a second up to `burst`, in
//! exact integers: time is counted in thousandths of a token. A bucket that is full says nothing, so it is forgotten.
//! When the table is full of buckets that are not, a stranger takes the place of the fullest of them, and with the place
//! what had been taken out of it. So nobody ever gets more than his rate and burst, however many others he brings along
//! to have himself forgotten; and what a stranger starts with is the best that the table has.
//!
//! Time is handed in; nothing here reads a clock.

use std::collections::{BTreeMap, BTreeSet};

/// Thousandths in one token: with them, milliseconds times tokens per second are whole.
const PARTS: u64 = 1_000;
/// Full buckets forgotten at each charge: two, so that the table shrinks by itself.
const FORGOTTEN_AT_ONCE: usize = 2;

/// How fast a bucket fills, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens a second; 0 means that nothing is limited.
    pub per_s: u32,
    /// Tokens that a full bucket holds; at least 1.
    pub burst: u32,
}

/// Told to come back in so many milliseconds, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    pub ms: u64,
}

/// The buckets of many.
pub(crate) struct Buckets<K> {
    rate: Rate,
    places: usize,
    /// When each bucket is full again, in parts of a token since the start.
    full_at: BTreeMap<K, u64>,
    /// The same by time, the first to be forgotten first.
    by_time: BTreeSet<(u64, K)>,
}

impl<K: Copy + Ord> Buckets<K> {
    pub fn of(rate: Rate, places: usize) -> Self {
        let rate = Rate { per_s: rate.per_s, burst: rate.burst.max(1) };
        Self { rate, places: places.max(1), full_at: BTreeMap::new(), by_time: BTreeSet::new() }
    }

    /// Takes `tokens` out of a bucket, all or none of them.
    ///
    /// # Errors
    /// [`Wait`] until that many are there; more than the burst never are.
    pub fn take(&mut self, key: K, tokens: u64, now_ms: u64) -> Result<(), Wait> {
        if self.rate.per_s == 0 {
            return Ok(());
        }
        let full_at = self.after(key, tokens, now_ms)?;
        self.set(key, full_at, self.parts(now_ms));
        Ok(())
    }

    /// Whether that many tokens are there now; takes none.
    ///
    /// # Errors
    /// [`Wait`] as [`Buckets::take`].
    pub fn look(&self, key: K, tokens: u64, now_ms: u64) -> Result<(), Wait> {
        if self.rate.per_s == 0 {
            return Ok(());
        }
        self.after(key, tokens, now_ms).map(|_| ())
    }

    /// Puts back a token that was taken for nothing.
    pub fn put_back(&mut self, key: K, now_ms: u64) {
        if let Some(full_at) = self.full_at.get(&key).copied() {
            self.set(key, full_at.saturating_sub(PARTS), self.parts(now_ms));
        }
    }

    fn parts(&self, now_ms: u64) -> u64 {
        now_ms.saturating_mul(u64::from(self.rate.per_s))
    }

    fn after(&self, key: K, tokens: u64, now_ms: u64) -> Result<u64, Wait> {
        let now = self.parts(now_ms);
        let full_at = self.full_at.get(&key).copied().or_else(|| self.given_up()).unwrap_or(now).max(now);
        let after = full_at.saturating_add(tokens.saturating_mul(PARTS));
        let limit = now.saturating_add(u64::from(self.rate.burst) * PARTS);
        if after > limit {
            return Err(Wait { ms: (after - limit).div_ceil(u64::from(self.rate.per_s)) });
        }
        Ok(after)
    }

    /// What a stranger takes over: the fullest bucket, if there is no other place.
    fn given_up(&self) -> Option<u64> {
        (self.full_at.len() >= self.places).then(|| self.by_time.first().map(|(full_at, _)| *full_at))?
    }

    fn set(&mut self, key: K, full_at: u64, now: u64) {
        if let Some(before) = self.full_at.get(&key).copied() {
            self.by_time.remove(&(before, key));
        } else if self.full_at.len() >= self.places {
            self.forget_first(u64::MAX);
        }
        self.full_at.insert(key, full_at);
        self.by_time.insert((full_at, key));
        for _ in 0..FORGOTTEN_AT_ONCE {
            self.forget_first(now);
        }
    }

    /// Forgets the fullest bucket, if it is full by then.
    fn forget_first(&mut self, by: u64) {
        let Some((full_at, key)) = self.by_time.first().copied().filter(|(full_at, _)| *full_at <= by) else { return };
        self.by_time.remove(&(full_at, key));
        self.full_at.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate { per_s: 3, burst: 5 };

    #[test]
    fn a_bucket_holds_its_burst_and_fills_by_its_rate() {
        let mut buckets = Buckets::of(RATE, 8);
        assert_eq!(buckets.take(1, 6, 0), Err(Wait { ms: 334 }), "more than the burst");
        assert_eq!(buckets.take(1, 5, 0), Ok(()));
        assert_eq!(buckets.look(1, 1, 0), Err(Wait { ms: 334 }));
        assert_eq!(buckets.take(1, 1, 333), Err(Wait { ms: 1 }));
        assert_eq!(buckets.take(1, 1, 334), Ok(()));
        assert_eq!(buckets.take(2, 5, 334), Ok(()), "another's bucket is another's");
        buckets.put_back(1, 334);
        assert_eq!(buckets.take(1, 1, 334), Ok(()), "what was put back is there");
        assert_eq!(buckets.take(1, 5, 60_000), Ok(()));
        assert_eq!(buckets.take(1, 1, 60_000), Err(Wait { ms: 334 }), "no more than the burst is saved up");
    }

    #[test]
    fn a_rate_of_nothing_limits_nothing_and_remembers_nobody() {
        let mut buckets = Buckets::of(Rate { per_s: 0, burst: 1 }, 8);
        for key in 0..100 {
            assert_eq!(buckets.take(key, u64::MAX, 0), Ok(()));
        }
        assert!(buckets.full_at.is_empty());
    }

    #[test]
    fn whoever_emptied_his_bucket_is_not_forgotten_for_a_crowd_of_strangers() {
        let mut buckets = Buckets::of(RATE, 8);
        buckets.take(0, 5, 0).unwrap();
        for stranger in 1..10_000_u32 {
            let _ = buckets.take(stranger, 1, 0);
        }
        assert!(buckets.take(0, 1, 0).is_err(), "a crowd does not wash a debt away");
        assert_eq!(buckets.full_at.len(), 8);
        assert_eq!(buckets.take(20_000, 1, 334), Ok(()), "and a stranger finds a place when the crowd is gone");
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let mut buckets = Buckets::of(RATE, 1_000);
        for key in 0..1_000_u32 {
            buckets.take(key, 1, 0).unwrap();
        }
        for at in 0..1_000 {
            buckets.take(0, 1, 10_000 + at * 1_000).unwrap();
        }
        assert_eq!(buckets.full_at.len(), 1);
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_the_burst_and_the_rate_allow(
            per_s in 1_u32..50, burst in 1_u32..50,
            asks in prop::collection::vec((0_u64..500, 1_u64..10), 1..200),
        ) {
            let mut buckets = Buckets::of(Rate { per_s, burst }, 2);
            let (mut now_ms, mut granted) = (0, 0);
            for (step_ms, tokens) in asks {
                now_ms += step_ms;
                match buckets.take(0, tokens, now_ms) {
                    Ok(()) => granted += tokens,
                    Err(wait) if tokens <= u64::from(burst) => {
                        prop_assert!(buckets.look(0, tokens, now_ms + wait.ms).is_ok(), "the wait is long enough");
                        prop_assert!(buckets.look(0, tokens, now_ms + wait.ms - 1).is_err(), "and no longer");
                    }
                    Err(_) => {}
                }
                prop_assert!(granted * PARTS <= u64::from(burst) * PARTS + now_ms * u64::from(per_s));
            }
        }

        #[test]
        fn in_a_table_too_small_for_all_nobody_gets_more_either(
            asks in prop::collection::vec((0_u64..60, 0_usize..12, 1_u64..5), 1..400),
        ) {
            let mut buckets = Buckets::of(RATE, 4);
            let (mut now_ms, mut granted) = (0, [0_u64; 12]);
            for (step_ms, key, tokens) in asks {
                now_ms += step_ms;
                if buckets.take(key, tokens, now_ms).is_ok() {
                    granted[key] += tokens;
                    prop_assert!(granted[key] * PARTS <= 5 * PARTS + now_ms * 3, "{key} at {now_ms} ms");
                }
                prop_assert!(buckets.full_at.len() <= 4);
                prop_assert_eq!(buckets.full_at.len(), buckets.by_time.len());
            }
        }
    }
}
