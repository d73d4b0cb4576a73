//! When a device was there: slots with reports, of those that an epoch has.
//!
//! A slot is the span that is judged and paid as one. A slot that began before the epoch came late: it was sent after the
//! epoch that it belongs to had closed.

use cairn_core::{PPM, Subject, Verdict};
use maud::{Markup, html};
use serde::Serialize;

use crate::markup::chart::{Span, strip};
use crate::words::utc;

/// Slots that are told apart; longer epochs are told in as many spans.
const SPANS_MAX: u64 = 400;

/// Where the slots of an epoch lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    /// When the epoch began and ended, ms since 1970 UTC.
    pub start_ms: u64,
    pub end_ms: u64,
    /// Length of a slot.
    pub slot_ms: u64,
}

/// How many slots of an epoch were reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Slots {
    /// Slots of this epoch with a report that was judged.
    pub reported: u64,
    /// Slots that the epoch has.
    pub possible: u64,
    /// Slots of earlier epochs, which came late.
    pub late: u64,
}

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Became {
    /// Nothing was reported.
    Nothing,
    /// It was reported, and not scored: maintenance, or judged before.
    Unscored,
    /// It lost part of its score, or all.
    Lost,
    /// It has the whole score.
    Whole,
}

/// Slots side by side of which the same became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Run {
    from_ms: u64,
    to_ms: u64,
    became: Became,
}

/// The slots of one epoch, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Strip {
    slot_ms: u64,
    runs: Vec<Run>,
}

impl Grid {
    fn possible(self) -> u64 {
        (self.end_ms - self.start_ms).div_ceil(self.slot_ms.max(1))
    }

    /// The slots that verdicts are over.
    pub(super) fn slots(self, verdicts: &[Verdict]) -> Slots {
        let of_slots = || verdicts.iter().filter(|verdict| verdict.subject == Subject::Slot);
        let reported = of_slots().filter(|verdict| (self.start_ms..self.end_ms).contains(&verdict.slot_ms)).count();
        let late = of_slots().filter(|verdict| verdict.slot_ms < self.start_ms).count();
        Slots { reported: reported as u64, possible: self.possible(), late: late as u64 }
    }

    /// What became of every slot; of many slots together the worst of those that were reported.
    pub(super) fn strip(self, verdicts: &[Verdict]) -> Strip {
        let slots_each = self.possible().div_ceil(SPANS_MAX).max(1);
        let span_ms = self.slot_ms.max(1).saturating_mul(slots_each);
        let spans = (self.end_ms - self.start_ms).div_ceil(span_ms);
        let mut became = vec![Became::Nothing; usize::try_from(spans).unwrap_or(0)];
        for verdict in verdicts.iter().filter(|verdict| verdict.subject == Subject::Slot) {
            let Some(since_ms) = verdict.slot_ms.checked_sub(self.start_ms) else { continue };
            let Some(span) = usize::try_from(since_ms / span_ms).ok().and_then(|at| became.get_mut(at)) else {
                continue;
            };
            let of_it = match (verdict.amount, verdict.score.get()) {
                (0, _) => Became::Unscored,
                (_, PPM) => Became::Whole,
                _ => Became::Lost,
            };
            *span = if *span == Became::Nothing { of_it } else { of_it.min(*span) };
        }
        let mut runs: Vec<Run> = Vec::new();
        for (at, became) in (0..).zip(became) {
            let from_ms = self.start_ms + span_ms * at;
            let to_ms = from_ms.saturating_add(span_ms).min(self.end_ms);
            match runs.last_mut() {
                Some(last) if last.became == became => last.to_ms = to_ms,
                _ => runs.push(Run { from_ms, to_ms, became }),
            }
        }
        Strip { slot_ms: self.slot_ms, runs }
    }
}

impl Became {
    const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing reported",
            Self::Unscored => "reported, not scored",
            Self::Lost => "reported, lost score",
            Self::Whole => "reported, whole score",
        }
    }
}

impl Strip {
    /// The strip as a picture: what stands higher was better, so that it is not told by colour alone.
    pub fn markup(&self, slots: Slots) -> Markup {
        let span = |run: &Run| Span {
            from: run.from_ms.into(),
            to: run.to_ms.into(),
            fourths: match run.became {
                Became::Nothing => 0,
                Became::Unscored => 1,
                Became::Lost => 2,
                Became::Whole => 4,
            },
            is_flagged: run.became == Became::Lost,
            title: format!("{} to {}: {}", utc(run.from_ms), utc(run.to_ms), run.became.words()),
        };
        let spans: Vec<Span> = self.runs.iter().map(span).collect();
        let ends = (self.runs.first(), self.runs.last());
        let words = (
            ends.0.map_or_else(String::new, |run| utc(run.from_ms)),
            ends.1.map_or_else(String::new, |run| utc(run.to_ms)),
        );
        let label = format!("{} of {} slots were reported; {} came late", slots.reported, slots.possible, slots.late);
        html! {
            (strip(&label, &spans, &words))
            p.quiet {
                (label) ". A slot is " (crate::words::duration(self.slot_ms)) ". A full bar has the whole score, half a bar lost some, "
                "a low one was not scored, none was not reported."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cairn_core::{Account, DeviceId, Ppm};

    use super::*;

    fn verdict(slot_ms: u64, amount: u64, score_ppm: u32) -> Verdict {
        Verdict {
            class: "sensing/1".into(),
            device: DeviceId([0; 16]),
            slot_ms,
            subject: Subject::Slot,
            account: Account::parse("eip155:1:0x0000000000000000000000000000000000000001").unwrap(),
            amount,
            score: Ppm::of(score_ppm).unwrap(),
            reasons: Vec::new(),
            entries: Vec::new(),
        }
    }

    #[test]
    fn slots_are_counted_once_and_late_ones_apart() {
        let grid = Grid { start_ms: 100, end_ms: 150, slot_ms: 10 };
        let verdicts = [verdict(80, 1, 5), verdict(100, 1, PPM), verdict(110, 1, 5), verdict(130, 0, 0)];
        assert_eq!(grid.slots(&verdicts), Slots { reported: 3, possible: 5, late: 1 });
        let runs: Vec<_> = grid.strip(&verdicts).runs.iter().map(|run| (run.from_ms, run.to_ms, run.became)).collect();
        let expected = [
            (100, 110, Became::Whole),
            (110, 120, Became::Lost),
            (120, 130, Became::Nothing),
            (130, 140, Became::Unscored),
            (140, 150, Became::Nothing),
        ];
        assert_eq!(runs, expected);
    }

    #[test]
    fn however_many_slots_an_epoch_has_the_strip_is_bounded() {
        let grid = Grid { start_ms: 0, end_ms: 604_800_000, slot_ms: 1_000 };
        let verdicts: Vec<Verdict> = (0..604_800)
            .step_by(1_512)
            .map(|slot| verdict(slot * 1_000, 1, if slot % 2 == 0 { PPM } else { 1 }))
            .collect();
        let strip = grid.strip(&verdicts);
        assert!(strip.runs.len() as u64 <= SPANS_MAX && strip.runs.last().unwrap().to_ms == grid.end_ms);
        assert_eq!(grid.slots(&verdicts).possible, 604_800);
    }
}
