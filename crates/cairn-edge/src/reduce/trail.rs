//! Where a source goes on, by what became of its readings.
//!
//! A source goes on at a mark up to which everything is kept: kept earlier, a mark would lose what is in open windows when the process
//! dies. Windows close in the order of their times, which need not be the order in which readings came. So what is kept beyond the
//! mark is told with it, as stretches of what came one after the other; when it comes again, it is passed over.
//!
//! It is bounded: where it would take more than [`TRAIL_BYTES_MAX`], the windows that hold the mark up are closed before their time.

use std::collections::VecDeque;

use super::raw::Span;
use crate::{Mark, Stretch};

/// The most bytes that marks of one source take.
pub(super) const TRAIL_BYTES_MAX: usize = 16 << 10;
/// More than a step takes beside its marks.
const STEP_BYTES: usize = 16;

/// What came one after the other and shares its window.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    /// The window, while that is open; `None` once it is closed.
    window: Option<Span>,
    /// The first and the last mark; `None` where nothing in it had one.
    ends: Option<Stretch>,
}

/// The trail of one source.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// The mark up to which everything is kept.
    at: Option<Vec<u8>>,
    /// What came behind that, in this order. The first of them waits, and no two neighbours are alike.
    steps: VecDeque<Step>,
    /// What was kept beyond the mark before a restart, and has not come again yet.
    ahead: Vec<Stretch>,
    /// Whether it has become another one since it was last told.
    is_news: bool,
}

impl Trail {
    /// Goes on from what was told before a restart.
    pub fn going_on(mark: Mark) -> Self {
        Self { at: Some(mark.at), ahead: mark.beyond, ..Self::default() }
    }

    /// Something came that went into a window, which is open.
    pub fn step(&mut self, window: Span, mark: Option<Vec<u8>>) {
        let window = Some(window);
        let Some(mark) = mark else {
            // The steps of its window hold the mark up as long as it would itself, unless something with a mark came in between.
            let unmarked = self.steps.iter().rev().take_while(|step| step.ends.is_none());
            let nearest = self.steps.iter().rev().find(|step| step.ends.is_some());
            if !unmarked.chain(nearest).any(|step| step.window == window) {
                self.steps.push_back(Step { window, ends: None });
            }
            return;
        };
        let ends = Some(Stretch { first: mark.clone(), last: mark });
        match self.steps.back_mut() {
            Some(last) if last.window == window => last.join(ends),
            _ => self.steps.push_back(Step { window, ends }),
        }
    }

    /// What came up to a mark was kept before a restart, or is of no concern.
    pub fn pass(&mut self, mark: Vec<u8>) {
        let first = match self.ahead.iter().position(|own| own.last == mark) {
            Some(at) => self.ahead.drain(..=at).next_back().map(|own| own.first),
            // The source goes on from elsewhere: what was beyond its mark comes no more.
            None => {
                self.ahead.clear();
                None
            }
        };
        let ends = Stretch { first: first.unwrap_or_else(|| mark.clone()), last: mark };
        self.steps.push_back(Step { window: None, ends: Some(ends) });
        self.is_news = true;
        self.advance(|_| true);
    }

    /// Goes on over windows that are not open any more.
    pub fn advance(&mut self, is_open: impl Fn(&Span) -> bool) {
        let mut steps: VecDeque<Step> = VecDeque::with_capacity(self.steps.len());
        for mut step in self.steps.drain(..) {
            if step.window.as_ref().is_some_and(|window| !is_open(window)) {
                step.window = None;
                self.is_news |= step.ends.is_some();
            }
            match (steps.back_mut(), step) {
                (_, Step { window: None, ends: None }) => {}
                (None, Step { window: None, ends: Some(ends) }) => self.at = Some(ends.last),
                (Some(last), Step { window, ends }) if last.window == window => last.join(ends),
                (_, step) => steps.push_back(step),
            }
        }
        self.steps = steps;
    }

    /// What may be told now, if it is not what was told last.
    pub fn news(&mut self) -> Option<Mark> {
        let at = self.at.as_ref().filter(|_| self.is_news)?.clone();
        self.is_news = false;
        let kept = self.steps.iter().filter(|step| step.window.is_none()).filter_map(|step| step.ends.clone());
        Some(Mark { at, beyond: kept.chain(self.ahead.iter().cloned()).collect() })
    }

    /// Whether it takes more than it may.
    pub fn is_too_long(&self) -> bool {
        self.bytes() > TRAIL_BYTES_MAX
    }

    /// The window that holds the mark up, as long as the trail is longer than half of what it may be.
    pub fn holds_up(&self) -> Option<Span> {
        if self.bytes() > TRAIL_BYTES_MAX / 2 { self.steps.iter().find_map(|step| step.window) } else { None }
    }

    /// Forgets what has not come again, where that alone takes too much: it never comes, or the process was killed again and again.
    pub fn shorten(&mut self) {
        if self.bytes() > TRAIL_BYTES_MAX / 2 {
            self.ahead.clear();
        }
    }

    fn bytes(&self) -> usize {
        let bytes = |ends: &Stretch| ends.first.len() + if ends.first == ends.last { 0 } else { ends.last.len() };
        let steps = self.steps.iter().map(|step| STEP_BYTES + step.ends.as_ref().map_or(0, bytes));
        steps.sum::<usize>() + self.ahead.iter().map(|ends| STEP_BYTES + bytes(ends)).sum::<usize>()
    }
}

impl Step {
    /// What comes behind it belongs to it.
    fn join(&mut self, later: Option<Stretch>) {
        self.ends = match (self.ends.take(), later) {
            (Some(own), Some(later)) => Some(Stretch { first: own.first, last: later.last }),
            (own, later) => own.or(later),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn span(start_ms: u64) -> Span {
        Span { is_since_boot: false, start_ms, length_ms: 1 }
    }

    fn mark(number: u32) -> Vec<u8> {
        number.to_be_bytes().to_vec()
    }

    fn number(mark: &[u8]) -> u32 {
        u32::from_be_bytes(mark.try_into().unwrap())
    }

    /// Whether a mark tells that something is kept.
    fn tells(told: &Mark, came: u32) -> bool {
        let is_within = |own: &Stretch| (number(&own.first)..=number(&own.last)).contains(&came);
        came <= number(&told.at) || told.beyond.iter().any(is_within)
    }

    #[test]
    fn a_trail_tells_what_is_kept_beyond_its_mark_until_the_mark_is_there() {
        let mut trail = Trail::going_on(Mark { at: mark(0), beyond: Vec::new() });
        let beyond = |pairs: &[(u32, u32)]| -> Vec<Stretch> {
            pairs.iter().map(|(first, last)| Stretch { first: mark(*first), last: mark(*last) }).collect()
        };
        for (came, window) in [(1, 1), (2, 2), (3, 2), (4, 1), (5, 3), (6, 2), (7, 2)] {
            trail.step(span(window), Some(mark(came)));
        }
        assert_eq!(trail.news(), None);
        trail.advance(|window| *window != span(2));
        assert_eq!(trail.news(), Some(Mark { at: mark(0), beyond: beyond(&[(2, 3), (6, 7)]) }));
        assert_eq!(trail.news(), None);
        let mut again = Trail::going_on(Mark { at: mark(0), beyond: beyond(&[(2, 3), (6, 7)]) });
        again.step(span(1), Some(mark(1)));
        again.pass(mark(3));
        again.step(span(1), Some(mark(4)));
        again.advance(|window| *window != span(1));
        assert_eq!(again.news(), Some(Mark { at: mark(4), beyond: beyond(&[(6, 7)]) }));
        // It begins anew, and what it was told of is nowhere.
        again.pass(mark(9));
        assert_eq!(again.news(), Some(Mark { at: mark(9), beyond: Vec::new() }));
    }

    proptest! {
        /// Windows open, take, close and open again in any order, and now and then the process is killed. A closed window is kept
        /// with what the trail tells by then. Everything that came is kept once, whatever is still to come.
        #[test]
        fn everything_is_kept_once_whenever_the_process_is_killed(
            happens in proptest::collection::vec((0u64..6, 0u8..9), 1..300),
        ) {
            let (mut trail, mut told) = (Trail::default(), Mark { at: mark(0), beyond: Vec::new() });
            trail.pass(mark(0));
            let (mut open, mut came) = (BTreeMap::<Span, Vec<u32>>::new(), 0);
            // How often each was kept; and the windows into which it goes, whenever it comes.
            let (mut kept, mut goes) = (BTreeMap::<u32, u32>::new(), BTreeMap::<u32, Span>::new());
            for (at, what) in happens {
                match what {
                    0 => {
                        open.clear();
                        trail = Trail::going_on(told.clone());
                        came = number(&told.at);
                    }
                    1 | 2 => {
                        let Some(closed) = open.remove(&span(at)) else { continue };
                        trail.advance(|window| open.contains_key(window));
                        closed.into_iter().for_each(|came| *kept.entry(came).or_default() += 1);
                        told = trail.news().unwrap_or(told);
                        prop_assert!(open.values().flatten().all(|held| !tells(&told, *held)), "{:?} of {:?}", told, open);
                        prop_assert!(kept.keys().all(|kept| tells(&told, *kept)), "{:?} of {:?}", told, kept);
                    }
                    _ => {
                        came += 1;
                        if let Some(known) = trail.ahead.iter().find(|own| number(&own.first) == came).cloned() {
                            came = number(&known.last);
                            trail.pass(known.last);
                            continue;
                        }
                        let window = *goes.entry(came).or_insert(span(at));
                        open.entry(window).or_default().push(came);
                        trail.step(window, Some(mark(came)));
                    }
                }
                prop_assert!(kept.values().all(|times| *times == 1), "{:?}", kept);
            }
        }

        /// What has no mark holds up the marks behind it, and takes no more steps than windows are open.
        #[test]
        fn nothing_without_a_mark_is_ever_passed_over(
            happens in proptest::collection::vec((0u64..6, any::<bool>(), any::<bool>()), 1..200),
            has_marks in any::<bool>(),
        ) {
            let mut trail = Trail::default();
            let mut open: BTreeSet<Span> = BTreeSet::new();
            let (mut held, mut told): (Vec<(u32, Span)>, Option<Mark>) = (Vec::new(), None);
            for (came, (at, closes, has_mark)) in (1u32..).zip(happens) {
                let span = span(at);
                if closes {
                    open.remove(&span);
                    held.retain(|(_, own)| *own != span);
                    trail.advance(|span| open.contains(span));
                    told = trail.news().or(told);
                } else {
                    open.insert(span);
                    held.push((came, span));
                    trail.step(span, (has_marks && has_mark).then(|| mark(came)));
                }
                prop_assert!(has_marks || trail.steps.len() <= open.len());
                prop_assert!(has_marks || told.is_none());
                let is_passed = |told: &Mark| held.iter().any(|(came, _)| tells(told, *came));
                prop_assert!(!told.as_ref().is_some_and(is_passed), "{:?} of {:?}", told, held);
            }
        }
    }
}
