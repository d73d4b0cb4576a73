//! What sources share: payloads become readings, troubles are said once until they are over, and waits grow.

use std::time::Duration;

use crate::map::{MapError, Mapped, Mapping};
use crate::{Raw, SourceTrouble, Stop};

/// The code of a source that cannot be opened or read.
pub(super) const UNREAD: &str = "EDGE-SOURCE";
/// The code of readings that nobody takes.
pub(super) const FULL: &str = "EDGE-FULL";

/// How long a source waits before it offers again what was not taken.
const AGAIN: Duration = Duration::from_secs(1);

/// Whoever takes what a source reads.
pub(super) struct Feed<'a> {
    out: &'a dyn Fn(Raw) -> bool,
    trouble: &'a dyn Fn(SourceTrouble),
    stop: &'a Stop,
    /// Troubles that are not over, by what they are about.
    open: Vec<(About, &'static str)>,
}

/// What a trouble is about: each ends on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// The way to the readings.
    Way,
    /// What came over it.
    Payload,
    /// Whoever takes it.
    Taking,
}

impl<'a> Feed<'a> {
    pub(super) fn new(out: &'a dyn Fn(Raw) -> bool, trouble: &'a dyn Fn(SourceTrouble), stop: &'a Stop) -> Self {
        Self { out, trouble, stop, open: Vec::new() }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_set()
    }

    /// Says a trouble, unless the same one was said and is not over.
    pub(super) fn fails(&mut self, about: About, code: &'static str, detail: impl Into<String>) {
        let known = self.open.iter_mut().find(|(own, _)| *own == about);
        match known {
            Some((_, own)) if *own == code => return,
            Some((_, own)) => *own = code,
            None => self.open.push((about, code)),
        }
        (self.trouble)(SourceTrouble { code, detail: detail.into(), is_over: false });
    }

    /// Says that a trouble is over, if there was one.
    pub(super) fn works(&mut self, about: About) {
        if let Some(at) = self.open.iter().position(|(own, _)| *own == about) {
            let (_, code) = self.open.swap_remove(at);
            (self.trouble)(SourceTrouble { code, detail: String::new(), is_over: true });
        }
    }

    /// Reads a payload and hands its readings on. Answers `false` when it was asked to stop before they were taken; what is no
    /// payload is said, and passed over.
    pub(super) fn take(&mut self, mapping: &Mapping, bytes: &[u8], mark: Option<Vec<u8>>) -> bool {
        match mapping.read(bytes) {
            Ok(mapped) => self.hand_on(mapped, bytes, mark),
            Err(error) => {
                self.refuse(&error);
                true
            }
        }
    }

    fn hand_on(&mut self, mapped: Mapped, bytes: &[u8], mark: Option<Vec<u8>>) -> bool {
        let Mapped { readings, said_ms, refused } = mapped;
        match refused.first() {
            Some((quantity, error)) => {
                self.fails(About::Payload, error.code(), format!("{quantity}: {error}; {}", error.hint()));
            }
            None if readings.is_empty() => return true,
            None => self.works(About::Payload),
        }
        self.give(Raw { bytes: bytes.to_vec(), said_ms, readings, mark })
    }

    /// Says that the source goes on behind a mark, and nothing came.
    pub(super) fn pass(&mut self, mark: Vec<u8>) -> bool {
        self.give(Raw::passed(mark))
    }

    /// Hands something on, and waits for as long as it is not taken.
    pub(super) fn give(&mut self, raw: Raw) -> bool {
        while !(self.out)(raw.clone()) {
            self.fails(About::Taking, FULL, "readings are not taken; they wait where they come from");
            if self.stop.wait(AGAIN) {
                return false;
            }
        }
        self.works(About::Taking);
        true
    }

    fn refuse(&mut self, error: &MapError) {
        self.fails(About::Payload, error.code(), format!("{error}; {}", error.hint()));
    }
}

/// Waits between attempts: each twice as long as the one before, within bounds, and spread at random over its second half.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(super) const FIRST: Duration = Duration::from_secs(1);

    pub(super) const fn up_to(longest: Duration) -> Self {
        Self { next: Self::FIRST, longest }
    }

    pub(super) fn next(&mut self) -> Duration {
        let wait = self.next.min(self.longest);
        self.next = wait.saturating_mul(2);
        let mut random = [0; 2];
        // Without randomness waits are not spread, which is no reason not to wait.
        let _ = getrandom::fill(&mut random);
        wait / 2 + wait / 2 * u32::from(u16::from_le_bytes(random)) / 65_536
    }

    pub(super) const fn reset(&mut self) {
        self.next = Self::FIRST;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::map::MappingConfig;

    #[test]
    fn a_trouble_is_said_once_until_it_is_over() {
        let config: MappingConfig = toml::from_str("format = \"number\"\nfield = [{ quantity = \"co2\" }]").unwrap();
        let mapping = Mapping::of(&config).unwrap();
        let said = RefCell::new(Vec::new());
        let taken = Cell::new(0);
        let (out, stop) = (
            |_| {
                taken.set(taken.get() + 1);
                true
            },
            Stop::default(),
        );
        let trouble = |trouble: SourceTrouble| said.borrow_mut().push((trouble.code, trouble.is_over));
        let mut feed = Feed::new(&out, &trouble, &stop);
        for payload in ["x", "y", "", "# comment", "415", "416", "nan"] {
            assert!(feed.take(&mapping, payload.as_bytes(), None));
        }
        assert_eq!(taken.get(), 2);
        assert_eq!(*said.borrow(), [("EDGE-NUMBER", false), ("EDGE-NUMBER", true), ("EDGE-NUMBER", false)]);
    }

    #[test]
    fn what_is_not_taken_is_offered_again_until_somebody_asks_to_stop() {
        let stop = Stop::default();
        let asked = Cell::new(0);
        let out = |_| {
            asked.set(asked.get() + 1);
            if asked.get() == 2 {
                stop.set()
            }
            false
        };
        let trouble = |_| ();
        let raw = Raw { bytes: vec![], said_ms: None, readings: vec![], mark: None };
        assert!(!Feed::new(&out, &trouble, &stop).give(raw));
        assert_eq!(asked.get(), 2);
    }

    #[test]
    fn waits_double_within_their_bounds() {
        let mut backoff = Backoff::up_to(Duration::from_secs(5));
        for seconds in [1, 2, 4, 5, 5] {
            let (wait, whole) = (backoff.next(), Duration::from_secs(seconds));
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_secs(1));
    }
}
