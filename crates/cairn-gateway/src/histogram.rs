//! Counts by size, as Prometheus wants them: each count covers everything up to its bound.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts by size.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    counts: Vec<AtomicU64>,
    sum: AtomicU64,
}

impl Histogram {
    /// Counts by these upper bounds, which rise, and one beyond them.
    #[must_use]
    pub fn up_to(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// Counts a value.
    pub fn count(&self, value: u64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Each bound with the values up to it, and the sum and number of all.
    pub(crate) fn read(&self) -> (Vec<(u64, u64)>, u64, u64) {
        let mut below = 0;
        let mut rows = Vec::with_capacity(self.bounds.len());
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            below += count.load(Ordering::Relaxed);
            rows.push((*bound, below));
        }
        let all = below + self.counts[self.bounds.len()].load(Ordering::Relaxed);
        (rows, self.sum.load(Ordering::Relaxed), all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_under_every_bound_that_it_does_not_exceed() {
        let histogram = Histogram::up_to(&[1, 10]);
        [0, 1, 2, 10, 11, 500].into_iter().for_each(|value| histogram.count(value));
        assert_eq!(histogram.read(), (vec![(1, 2), (10, 4)], 524, 6));
    }
}
