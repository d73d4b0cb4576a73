//! What a device lost score for in an epoch: code, words, and the entries that show it.

use cairn_api::VerdictInfo;
use maud::{Markup, html};
use serde::Serialize;

use crate::markup::link;
use crate::markup::table::{numbers, table, words};

/// Reasons that are listed.
const ROWS_MAX: usize = 40;
/// Entries that a row links.
const ENTRIES_MAX: usize = 4;

/// A reason for which a slot lost score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Lost {
    slot_ms: u64,
    class: String,
    code: String,
    /// What it took.
    lost_ppm: u32,
    /// In words.
    sentence: String,
    /// The entries that show it.
    evidence: Vec<u64>,
}

/// Every reason for which verdicts lost score.
pub(super) fn lost(verdicts: &[VerdictInfo]) -> Vec<Lost> {
    let of_verdict = |verdict: &VerdictInfo| {
        let losing = verdict.reasons.iter().filter(|reason| reason.lost_ppm > 0);
        let lost = losing.map(|reason| Lost {
            slot_ms: verdict.slot_ms,
            class: verdict.class.clone(),
            code: reason.code.clone(),
            lost_ppm: reason.lost_ppm,
            sentence: reason.sentence.clone(),
            evidence: if reason.evidence.is_empty() { verdict.entries.clone() } else { reason.evidence.clone() },
        });
        lost.collect::<Vec<_>>()
    };
    verdicts.iter().flat_map(of_verdict).collect()
}

pub(super) fn markup(lost: &[Lost], path: &str) -> Markup {
    let row = |lost: &Lost| {
        let entries = lost.evidence.iter().take(ENTRIES_MAX);
        vec![
            link::time(lost.slot_ms),
            html! { span.code { (lost.code) } },
            link::ppm(lost.lost_ppm),
            html! { span.found { (link::text(&lost.sentence)) } },
            html! {
                @for index in entries { (link::entry(*index)) " " }
                @if lost.evidence.len() > ENTRIES_MAX { "and " (lost.evidence.len() - ENTRIES_MAX) " more" }
            },
        ]
    };
    let columns =
        [words("Slot begins"), words("Code"), numbers("Lost"), words("What was found"), words("Shown by entries")];
    let rows: Vec<Vec<Markup>> = lost.iter().take(ROWS_MAX).map(row).collect();
    html! {
        h3 { "What it lost score for" }
        (table("Every reason that took score, with the entries that show it", &columns, &rows, "Nothing: every slot that was scored has its whole score."))
        @if lost.len() > ROWS_MAX {
            p.quiet { "The first " (ROWS_MAX) " of " (lost.len()) "; " a href={ (path) ".json" } { "the JSON has all" } "." }
        }
    }
}
