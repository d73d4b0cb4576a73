//! The names `(boot, seq)` that a device has used up, as a bounded set of ranges.
//!
//! Late and backfilled reports come in out of order, so gaps must stay open; a device that leaves a gap in every second
//! name must not cost the network memory for ever, so the number of ranges is bounded. When it is passed, the lowest gap
//! is closed: names in it are refused from then on.

use cairn_core::cbor::{self, CborError, Decoder, Encoder};

/// The most ranges kept for one device.
pub const RANGES_MAX: usize = 64;

/// The names taken, as ascending, disjoint, non-adjacent inclusive ranges of `boot * 2^32 + seq`.
///
/// A device that counts on without a gap has one range, and that takes no memory beside this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameRanges {
    ranges: Ranges,
}

/// Ranges in their order; one of them is always [`Ranges::One`], so that the same ranges are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ranges {
    One([(u64, u64); 1]),
    /// None, or two and more.
    Many(Vec<(u64, u64)>),
}

impl From<Vec<(u64, u64)>> for Ranges {
    fn from(ranges: Vec<(u64, u64)>) -> Self {
        match ranges[..] {
            [one] => Self::One([one]),
            _ => Self::Many(ranges),
        }
    }
}

impl Ranges {
    fn as_slice(&self) -> &[(u64, u64)] {
        match self {
            Self::One(one) => one,
            Self::Many(many) => many,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [(u64, u64)] {
        match self {
            Self::One(one) => one,
            Self::Many(many) => many,
        }
    }

    /// Another range, at `at`. Room grows by one: ranges are few, and a device that has many rarely opens another.
    fn insert(&mut self, at: usize, range: (u64, u64)) {
        let mut ranges = match core::mem::replace(self, Self::Many(Vec::new())) {
            Self::One(one) => one.to_vec(),
            Self::Many(many) => many,
        };
        ranges.reserve_exact(1);
        ranges.insert(at, range);
        *self = ranges.into();
    }

    /// Makes one range of those at `at` and behind it.
    fn join(&mut self, at: usize) {
        let Self::Many(mut ranges) = core::mem::replace(self, Self::Many(Vec::new())) else {
            unreachable!("two ranges are joined, so there are two");
        };
        ranges[at].1 = ranges[at + 1].1;
        ranges.remove(at + 1);
        *self = ranges.into();
    }
}

impl Default for NameRanges {
    fn default() -> Self {
        Self { ranges: Ranges::Many(Vec::new()) }
    }
}

/// The position of a name on the line of names.
const fn place(boot: u32, seq: u32) -> u64 {
    ((boot as u64) << 32) | seq as u64
}

impl NameRanges {
    /// Whether the name is taken, or lies in a gap that was closed.
    #[must_use]
    pub fn contains(&self, boot: u32, seq: u32) -> bool {
        let name = place(boot, seq);
        let ranges = self.ranges.as_slice();
        let after = ranges.partition_point(|&(start, _)| start <= name);
        after > 0 && ranges[after - 1].1 >= name
    }

    /// Takes a name; `false` when it was taken before.
    pub fn insert(&mut self, boot: u32, seq: u32) -> bool {
        if self.contains(boot, seq) {
            return false;
        }
        let name = place(boot, seq);
        let ranges = self.ranges.as_mut_slice();
        let after = ranges.partition_point(|&(start, _)| start <= name);
        let joins_left = after > 0 && ranges[after - 1].1.checked_add(1) == Some(name);
        let joins_right = ranges.get(after).is_some_and(|&(start, _)| name.checked_add(1) == Some(start));
        match (joins_left, joins_right) {
            (true, true) => self.ranges.join(after - 1),
            (true, false) => ranges[after - 1].1 = name,
            (false, true) => ranges[after].0 = name,
            (false, false) => self.ranges.insert(after, (name, name)),
        }
        if self.len() > RANGES_MAX {
            self.ranges.join(0);
        }
        true
    }

    /// The number of ranges.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.as_slice().len()
    }

    /// Whether no name is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.as_slice().is_empty()
    }

    /// The highest name taken: `(boot, seq)`.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a place is two 32-bit halves")]
    pub fn highest(&self) -> Option<(u32, u32)> {
        self.ranges.as_slice().last().map(|&(_, end)| ((end >> 32) as u32, end as u32))
    }

    /// Writes `[start, length - 1, ...]` as deltas: each start counted from the end before it. Names pass 63 bits only
    /// for boots of 2^31 and more, so ends are written as two halves.
    pub(crate) fn encode(&self, out: &mut Encoder) {
        out.array(self.len() * 4);
        for &(start, end) in self.ranges.as_slice() {
            for place in [start, end] {
                out.uint(place >> 32).uint(place & 0xffff_ffff);
            }
        }
    }

    pub(crate) fn decode(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        let at = input.position();
        let len = input.array()?;
        if len % 4 != 0 || len / 4 > RANGES_MAX {
            return Err(CborError::Range { at, what: "name ranges come in fours, at most 64 of them" });
        }
        let mut ranges = Vec::with_capacity(len / 4);
        for _ in 0..len / 4 {
            let start = place(input.uint32()?, input.uint32()?);
            let end = place(input.uint32()?, input.uint32()?);
            let apart = ranges.last().is_none_or(|&(_, before): &(u64, u64)| before.saturating_add(1) < start);
            if end < start || !apart {
                return Err(CborError::Range { at, what: "name ranges ascend and do not touch" });
            }
            ranges.push((start, end));
        }
        input.leave();
        Ok(Self { ranges: ranges.into() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_hold_exactly_the_names_taken_while_they_fit(names in proptest::collection::vec((0u32..3, 0u32..40), 0..60)) {
            let mut ranges = NameRanges::default();
            let mut set = BTreeSet::new();
            for (boot, seq) in names {
                prop_assert_eq!(ranges.insert(boot, seq), set.insert((boot, seq)));
            }
            for boot in 0..3 {
                for seq in 0..40 {
                    prop_assert_eq!(ranges.contains(boot, seq), set.contains(&(boot, seq)));
                }
            }
            let mut out = Encoder::empty();
            ranges.encode(&mut out);
            let bytes = out.into_bytes();
            prop_assert_eq!(NameRanges::decode(&mut Decoder::over(&bytes)).unwrap(), ranges);
        }
    }

    #[test]
    fn a_device_that_leaves_gaps_closes_its_lowest_ones() {
        let mut ranges = NameRanges::default();
        for seq in 0..1_000 {
            assert!(ranges.insert(0, seq * 2));
        }
        assert_eq!(ranges.len(), RANGES_MAX);
        assert!(ranges.contains(0, 1), "a low gap is closed");
        assert!(!ranges.contains(0, 1_997), "the highest gap is open");
        assert!(ranges.insert(u32::MAX, u32::MAX), "the last name of all");
        assert_eq!(ranges.highest(), Some((u32::MAX, u32::MAX)));
    }
}
