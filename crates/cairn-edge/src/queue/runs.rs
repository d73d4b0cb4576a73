//! A set of numbers that mostly follow each other, kept as runs.

use std::collections::BTreeMap;

/// A set of numbers; its size in memory is that of its gaps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Runs {
    /// First to last number of each run; no two touch.
    runs: BTreeMap<u64, u64>,
}

impl Runs {
    pub fn contains(&self, number: u64) -> bool {
        self.runs.range(..=number).next_back().is_some_and(|(_, last)| *last >= number)
    }

    /// Adds a number; answers whether it was not there.
    pub fn insert(&mut self, number: u64) -> bool {
        if self.contains(number) {
            return false;
        }
        let before = number.checked_sub(1).and_then(|end| {
            self.runs.range(..=end).next_back().filter(|(_, last)| **last == end).map(|(first, _)| *first)
        });
        let after = number.checked_add(1).and_then(|start| self.runs.remove(&start));
        self.runs.insert(before.unwrap_or(number), after.unwrap_or(number));
        true
    }

    /// Forgets every number below `floor`.
    pub fn forget_below(&mut self, floor: u64) {
        let kept = self.runs.split_off(&floor);
        let last = self.runs.last_key_value().map(|(_, last)| *last);
        self.runs = kept;
        if let Some(last) = last.filter(|last| *last >= floor) {
            self.runs.insert(floor, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_set_that_a_set_is(numbers in proptest::collection::vec(0..64u64, 0..80), floor in 0..70u64) {
            let (mut runs, mut set) = (Runs::default(), BTreeSet::new());
            for number in numbers {
                prop_assert_eq!(runs.insert(number), set.insert(number));
            }
            runs.forget_below(floor);
            set.retain(|number| *number >= floor);
            for number in 0..70 {
                prop_assert_eq!(runs.contains(number), set.contains(&number), "{}", number);
            }
            let gaps = set.iter().filter(|number| **number == 0 || !set.contains(&(**number - 1))).count();
            prop_assert_eq!(runs.runs.len(), gaps);
        }
    }
}
