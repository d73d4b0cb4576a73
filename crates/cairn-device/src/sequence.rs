//! The name of the next report: a boot counter that may jump forward and never goes back, and a number within the boot.
//!
//! Two payloads under one name are a conflict, which anyone may show and which nobody is paid for. So a name is used once,
//! whatever the power does. The rule that makes this cheap: **the boot counter is stored before the first report of a
//! boot, and the sequence number is never stored.** A device writes to its flash once a start.

use crate::Error;

/// `(boot, seq)`: what names a report of one device, once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Name {
    /// The boot counter.
    pub boot: u32,
    /// The sequence number within the boot.
    pub seq: u32,
}

/// A start of the device whose boot counter is chosen and not stored yet. Nothing can be signed with it before
/// [`Restart::stored`].
#[derive(Debug)]
#[must_use = "store `boot()`, then call `stored`"]
pub struct Restart {
    boot: u32,
}

impl Restart {
    /// The first start of a key's life: boot 0. Never for a key that may have signed before.
    pub const fn first() -> Self {
        Self { boot: 0 }
    }

    /// The start after the one whose counter was stored.
    ///
    /// # Errors
    /// [`Error::BootsSpent`] when there is none.
    pub const fn after(stored: u32) -> Result<Self, Error> {
        match stored.checked_add(1) {
            Some(boot) => Ok(Self { boot }),
            None => Err(Error::BootsSpent),
        }
    }

    /// Jumps forward to `floor`, never back: for a device whose store may be older than its last report, such as one that
    /// was restored from a copy, and that knows a counter it cannot have used.
    pub const fn at_least(self, floor: u32) -> Self {
        if floor > self.boot { Self { boot: floor } } else { self }
    }

    /// The boot counter, to be stored now.
    #[must_use]
    pub const fn boot(&self) -> u32 {
        self.boot
    }

    /// The names of this boot. The caller says hereby that [`Restart::boot`] is stored and would be read after a loss of
    /// power.
    #[must_use]
    pub const fn stored(self) -> Sequence {
        Sequence { boot: self.boot, next: Some(0) }
    }
}

/// The names of one boot, each given once.
#[derive(Debug)]
pub struct Sequence {
    boot: u32,
    next: Option<u32>,
}

impl Sequence {
    /// The next name.
    ///
    /// # Errors
    /// [`Error::SequenceSpent`] after 2^32 of them: go on with [`Sequence::restart`].
    pub const fn take(&mut self) -> Result<Name, Error> {
        match self.next {
            Some(seq) => {
                self.next = seq.checked_add(1);
                Ok(Name { boot: self.boot, seq })
            }
            None => Err(Error::SequenceSpent),
        }
    }

    /// Goes on under the next boot counter without a loss of power.
    ///
    /// # Errors
    /// [`Error::BootsSpent`].
    pub const fn restart(self) -> Result<Restart, Error> {
        Restart::after(self.boot)
    }
}

/// A boot counter as it is kept in flash: eight bytes that a torn write, an erased page and zeroed memory do not look like.
///
/// Keep at least two slots in pages that are erased apart, write them in turn, and read with [`BootRecord::latest`]: a write
/// that is cut off leaves the record before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BootRecord(pub [u8; 8]);

impl BootRecord {
    /// The record of a counter: the counter, big-endian, and its complement.
    #[must_use]
    pub const fn of(boot: u32) -> Self {
        let [a, b, c, d] = boot.to_be_bytes();
        Self([a, b, c, d, !a, !b, !c, !d])
    }

    /// The counter, or `None` when this is no record.
    #[must_use]
    pub const fn boot(&self) -> Option<u32> {
        let [a, b, c, d, e, f, g, h] = self.0;
        let (boot, check) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        if check == !boot { Some(boot) } else { None }
    }

    /// The highest counter in any slot. `None` when no slot holds a record: a first start, or a store that was lost. Those
    /// two are not the same, and the caller has to know which it is: [`Restart::first`] on a key that has signed makes
    /// conflicts.
    #[must_use]
    pub fn latest(slots: &[Self]) -> Option<u32> {
        slots.iter().filter_map(Self::boot).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_given_twice_whenever_the_power_fails() {
        // The power fails before, while and after each store; a torn write leaves any mix of old and new bytes.
        let mut slots = [BootRecord([0xff; 8]); 2];
        let mut last = None;
        for start in 0..400_usize {
            let restart = match BootRecord::latest(&slots) {
                Some(boot) => Restart::after(boot).unwrap(),
                None => Restart::first(),
            };
            let record = BootRecord::of(restart.boot());
            // The slot that does not hold the latest record.
            let slot = usize::from(slots[0].boot() == BootRecord::latest(&slots) && slots[0].boot().is_some());
            let cut = start % 17;
            if cut < 8 {
                slots[slot].0[..cut].copy_from_slice(&record.0[..cut]);
                if slots[slot].boot() != Some(restart.boot()) {
                    continue;
                }
            }
            slots[slot] = record;
            let mut sequence = restart.stored();
            for _ in 0..start % 5 {
                let name = sequence.take().unwrap();
                assert!(last < Some(name), "{name:?} after {last:?}");
                last = Some(name);
            }
        }
        assert!(last.is_some());
    }

    #[test]
    fn a_boot_jumps_forward_and_never_back() {
        assert_eq!(Restart::after(5).unwrap().at_least(9).boot(), 9);
        assert_eq!(Restart::after(5).unwrap().at_least(2).boot(), 6);
        assert_eq!(Restart::after(5).unwrap().stored().restart().unwrap().boot(), 7);
        assert_eq!(Restart::after(u32::MAX).unwrap_err(), Error::BootsSpent);
    }

    #[test]
    fn the_last_number_of_a_boot_is_given_and_then_none() {
        let mut sequence = Sequence { boot: 3, next: Some(u32::MAX) };
        assert_eq!(sequence.take(), Ok(Name { boot: 3, seq: u32::MAX }));
        assert_eq!(sequence.take(), Err(Error::SequenceSpent));
        assert_eq!(sequence.take(), Err(Error::SequenceSpent));
    }

    #[test]
    fn only_a_record_is_read_as_one() {
        for boot in [0, 1, 0x0102_0304, u32::MAX] {
            assert_eq!(BootRecord::of(boot).boot(), Some(boot));
            for byte in 0..8 {
                let mut turned = BootRecord::of(boot);
                turned.0[byte] ^= 0x10;
                assert_eq!(turned.boot(), None);
            }
        }
        for empty in [0x00, 0xff] {
            assert_eq!(BootRecord([empty; 8]).boot(), None);
        }
        assert_eq!(BootRecord::latest(&[BootRecord::of(4), BootRecord([0; 8]), BootRecord::of(7)]), Some(7));
        assert_eq!(BootRecord::latest(&[]), None);
    }
}
