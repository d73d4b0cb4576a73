//! When a gateway is asked again, and how much it is given at once.
//!
//! After a failure the wait is drawn evenly from nothing to a bound that doubles (full jitter): devices that lost a gateway
//! together do not come back to it together. What a gateway says of waiting goes before, with a little jitter on top. After an
//! outage the first request is small, and each one that is taken doubles the next.

use super::gateway::Trouble;

/// The first bound of a wait, and the last.
const BACKOFF_MS: u64 = 1_000;
const BACKOFF_MS_MAX: u64 = 5 * 60_000;
/// The longest wait that a gateway may ask for.
const WAIT_MS_MAX: u64 = 10 * 60_000;
/// Failures that lie further apart say nothing of the time in between: longer than every wait.
const LATELY_MS: u64 = 30 * 60_000;
/// Reports of a first request after a failure. What is named during an outage is dated but not flagged as late: so it is one.
const PROBE: usize = 1;

/// Numbers for jitter, from a seed (SplitMix64: Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub(super) struct Jitter(pub u64);

impl Jitter {
    /// A number below `bound`, or 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).checked_rem(bound).unwrap_or(0)
    }
}

/// What is remembered of one gateway.
#[derive(Debug, Clone, Default)]
pub(super) struct Health {
    /// Failures since it last took something.
    pub failures: u32,
    /// It is not asked before, ms since this start.
    pub not_before_ms: u64,
    /// Why it failed last, and when, ms since this start.
    pub last: Option<(u64, Trouble)>,
    /// When it last answered, ms since this start.
    pub taken_ms: Option<u64>,
    /// Since when it is of no use whenever it is asked, ms since this start.
    pub away_since_ms: Option<u64>,
    /// Reports that it refused for good, one after the other, and promised none in between.
    pub refused_in_a_row: u32,
    /// It refused what another one took: reports that it has to take one by one before it is given more at once.
    pub wary: u32,
}

impl Health {
    /// It failed; asks when it may be tried again.
    pub fn fail(&mut self, now_ms: u64, trouble: Trouble, jitter: &mut Jitter) {
        let is_lately = self.last.as_ref().is_some_and(|(last_ms, _)| now_ms.saturating_sub(*last_ms) <= LATELY_MS);
        self.away_since_ms = self.away_since_ms.filter(|_| is_lately).or(Some(now_ms));
        let bound_ms = BACKOFF_MS.saturating_mul(1 << self.failures.min(16)).min(BACKOFF_MS_MAX);
        self.failures = self.failures.saturating_add(1);
        let wait_ms = match trouble.wait_ms {
            Some(told_ms) => {
                let told_ms = told_ms.min(WAIT_MS_MAX);
                told_ms + jitter.below(told_ms / 8 + 1)
            }
            None => 1 + jitter.below(bound_ms),
        };
        self.not_before_ms = now_ms.saturating_add(wait_ms);
        self.last = Some((now_ms, trouble));
    }

    /// It answered, and asks for a wait or not.
    pub fn take(&mut self, now_ms: u64, wait_ms: Option<u64>, jitter: &mut Jitter) {
        (self.failures, self.taken_ms, self.away_since_ms) = (0, Some(now_ms), None);
        let wait_ms =
            wait_ms.map_or(0, |told_ms| told_ms.min(WAIT_MS_MAX) + jitter.below(told_ms.min(WAIT_MS_MAX) / 8 + 1));
        self.not_before_ms = now_ms.saturating_add(wait_ms);
    }
}

/// Which gateway is asked now: the one that was, as long as it works, else the one that failed least, in the order they were
/// given. `Err` is when the first of them may be asked again, ms since this start.
pub(super) fn choose(all: &[Health], current: usize, now_ms: u64) -> Result<usize, u64> {
    if all.get(current).is_some_and(|health| health.failures == 0 && health.not_before_ms <= now_ms) {
        return Ok(current);
    }
    // Whoever asked for a wait after taking something is waited for: others would take the same reports too fast.
    if let Some(health) = all.get(current).filter(|health| health.failures == 0) {
        return Err(health.not_before_ms);
    }
    choose_among(all, 0..all.len(), now_ms)
}

/// Which of some gateways is asked now: the one that failed least, in the order they were given. `Err` as for [`choose`].
pub(super) fn choose_among(
    all: &[Health],
    some: impl Iterator<Item = usize> + Clone,
    now_ms: u64,
) -> Result<usize, u64> {
    let best = some.clone().filter(|at| all[*at].not_before_ms <= now_ms).min_by_key(|at| (all[*at].failures, *at));
    best.ok_or_else(|| some.map(|at| all[at].not_before_ms).min().unwrap_or(now_ms + BACKOFF_MS_MAX))
}

/// How many reports go into one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch {
    most: usize,
    now: usize,
}

impl Batch {
    pub fn of(most: usize) -> Self {
        Self { most: most.max(1), now: most.clamp(1, PROBE) }
    }

    pub const fn size(&self) -> usize {
        self.now
    }

    /// All of it was taken.
    pub fn grow(&mut self) {
        self.now = (self.now * 2).min(self.most);
    }

    /// The gateway was not to be had.
    pub fn probe(&mut self) {
        self.now = self.now.min(PROBE);
    }

    /// So many go at once, whatever was.
    pub fn reach(&mut self, some: usize) {
        self.now = some.clamp(1, self.most);
    }

    /// It was too much at once.
    pub fn halve(&mut self) {
        self.now = (self.now / 2).max(1);
    }

    /// So many of it were taken before the others came too fast.
    pub fn shrink_to(&mut self, taken: usize) {
        self.now = taken.clamp(1, self.now.max(1));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trouble(wait_ms: Option<u64>) -> Trouble {
        Trouble { wait_ms, ..Trouble::of("NET-CONNECTION", "no") }
    }

    #[test]
    fn a_gateway_is_kept_while_it_works_and_left_when_it_fails() {
        let mut jitter = Jitter(1);
        let mut all = vec![Health::default(), Health::default(), Health::default()];
        assert_eq!(choose(&all, 0, 10), Ok(0));
        all[0].fail(10, trouble(None), &mut jitter);
        assert_eq!(choose(&all, 0, 10), Ok(1));
        all[1].take(10, None, &mut jitter);
        assert_eq!(choose(&all, 1, 1_000_000), Ok(1), "it works: the first one is not tried again");
        all[1].fail(20, trouble(None), &mut jitter);
        all[2].fail(20, trouble(Some(500)), &mut jitter);
        let first = all.iter().map(|health| health.not_before_ms).min().unwrap();
        assert!(first > 20 && choose(&all, 1, 20) == Ok(0) || choose(&all, 1, 20) == Err(first), "{first}");
        assert!(all[2].not_before_ms >= 520);
        assert!(choose(&[], 0, 5).is_err());
    }

    #[test]
    fn whoever_says_too_fast_is_waited_for_and_not_gone_around() {
        let mut jitter = Jitter(1);
        let mut all = vec![Health::default(), Health::default()];
        all[0].take(100, Some(2_000), &mut jitter);
        assert!(choose(&all, 0, 2_000).unwrap_err() >= 2_100);
        assert_eq!(choose(&all, 0, 3_000), Ok(0));
    }

    #[test]
    fn batches_begin_small_and_grow_while_they_are_taken() {
        let mut batch = Batch::of(100);
        let sizes: Vec<usize> = (0..9).map(|_| (batch.size(), batch.grow()).0).collect();
        assert_eq!(sizes, [1, 2, 4, 8, 16, 32, 64, 100, 100]);
        batch.shrink_to(60);
        assert_eq!(batch.size(), 60);
        (0..9).for_each(|_| batch.halve());
        assert_eq!((batch.size(), Batch::of(0).size()), (1, 1));
        batch.grow();
        batch.probe();
        assert_eq!(batch.size(), 1);
    }

    proptest! {
        #[test]
        fn waits_are_within_their_bounds_and_end(seed in any::<u64>(), failures in 0u32..80, told in proptest::option::of(any::<u64>())) {
            let (mut jitter, mut health) = (Jitter(seed), Health { failures, ..Health::default() });
            health.fail(1_000, trouble(told), &mut jitter);
            let wait_ms = health.not_before_ms - 1_000;
            match told {
                Some(told_ms) => {
                    prop_assert!(wait_ms >= told_ms.min(WAIT_MS_MAX) && wait_ms <= WAIT_MS_MAX / 8 * 9 + 1);
                }
                None => prop_assert!((1..=BACKOFF_MS_MAX).contains(&wait_ms)),
            }
        }
    }
}
