//! Where a source goes on, by what became of its readings.
//!
//! A mark may be kept once every window is closed that holds what came up to it: kept earlier, it would lose what is in open windows
//! when the process dies. It takes as many steps as there are windows open, however a source jumps between them.

use std::collections::VecDeque;

use super::raw::Span;

/// The trail of one source.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// The windows that its readings went into, each once and by its first reading, and with each the last mark that waits for no
    /// window but that one and those before it.
    steps: VecDeque<(Span, Option<Vec<u8>>)>,
    /// The last mark that may be kept, and was not yet.
    pub ready: Option<Vec<u8>>,
}

impl Trail {
    /// Something came that went into a window.
    pub fn step(&mut self, span: Span, mark: Option<Vec<u8>>, is_open: impl Fn(&Span) -> bool) {
        self.advance(is_open);
        let is_there = self.steps.iter().any(|(own, _)| *own == span);
        match self.steps.back_mut() {
            // It waits for the windows of all steps, and that one is among them already.
            Some((_, last)) if is_there => merge(last, mark),
            _ => self.steps.push_back((span, mark)),
        }
    }

    /// Goes on over windows that are not open any more.
    pub fn advance(&mut self, is_open: impl Fn(&Span) -> bool) {
        let mut open: VecDeque<(Span, Option<Vec<u8>>)> = VecDeque::with_capacity(self.steps.len());
        for (span, mark) in self.steps.drain(..) {
            match open.back_mut() {
                _ if is_open(&span) => open.push_back((span, mark)),
                Some((_, before)) => merge(before, mark),
                None => merge(&mut self.ready, mark),
            }
        }
        self.steps = open;
    }
}

/// A later mark stands for an earlier one.
fn merge(before: &mut Option<Vec<u8>>, later: Option<Vec<u8>>) {
    if later.is_some() {
        *before = later;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// What the trail was before it was bounded: a step for each change of windows.
    #[derive(Default)]
    struct Unbounded {
        steps: VecDeque<(Span, Option<Vec<u8>>)>,
        ready: Option<Vec<u8>>,
    }

    impl Unbounded {
        fn step(&mut self, span: Span, mark: Option<Vec<u8>>) {
            match self.steps.back_mut() {
                Some((last, own)) if *last == span => merge(own, mark),
                _ => self.steps.push_back((span, mark)),
            }
        }

        fn advance(&mut self, is_open: impl Fn(&Span) -> bool) {
            while self.steps.front().is_some_and(|(span, _)| !is_open(span)) {
                merge(&mut self.ready, self.steps.pop_front().unwrap().1);
            }
        }
    }

    fn span(start_ms: u64) -> Span {
        Span { is_since_boot: false, start_ms, length_ms: 1 }
    }

    fn number(mark: &Option<Vec<u8>>) -> Option<u32> {
        mark.as_ref().map(|mark| u32::from_be_bytes(mark.as_slice().try_into().unwrap()))
    }

    proptest! {
        /// Windows open, take, close and open again in any order. A mark that is ready waits for none that still holds something
        /// that came up to it; it is never behind the one that the unbounded trail gives, and there are no more steps than windows.
        #[test]
        fn a_bounded_trail_gives_what_the_unbounded_one_would_and_never_too_early(
            happens in proptest::collection::vec((0u64..6, any::<bool>(), any::<bool>()), 1..200),
        ) {
            let (mut trail, mut unbounded) = (Trail::default(), Unbounded::default());
            let mut open: BTreeSet<Span> = BTreeSet::new();
            // What came and lies in a window that is open, by its number.
            let mut held: Vec<(u32, Span)> = Vec::new();
            for (came, (at, closes, has_mark)) in (1u32..).zip(happens) {
                let span = span(at);
                if closes {
                    open.remove(&span);
                    held.retain(|(_, own)| *own != span);
                    trail.advance(|span| open.contains(span));
                    unbounded.advance(|span| open.contains(span));
                } else {
                    open.insert(span);
                    held.push((came, span));
                    let mark = has_mark.then(|| came.to_be_bytes().to_vec());
                    trail.step(span, mark.clone(), |span| open.contains(span));
                    unbounded.step(span, mark);
                }
                let ready = number(&trail.ready);
                prop_assert!(ready >= number(&unbounded.ready), "{:?} is behind {:?}", ready, unbounded.ready);
                prop_assert!(held.iter().all(|(came, _)| Some(*came) > ready), "{:?} of {:?}", ready, held);
                prop_assert!(trail.steps.len() <= open.len());
            }
        }
    }
}
