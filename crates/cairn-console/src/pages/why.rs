//! Why a device got what it got in an epoch, each evidence a link: the same words that `cairn explain` prints.

use std::sync::LazyLock;

use cairn_api::Explanation;
use cairn_core::DeviceId;
use maud::{Markup, html};
use serde::Serialize;

use super::{Page, number};
use crate::address::Address;
use crate::assets::{Asset, VERIFIABLE};
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::{link, verify};
use crate::reader::Reader;
use crate::source::Source;
use crate::why::{Line, Part, Told};

/// Lines that are shown; an epoch of thousands of slots has more.
const LINES_MAX: usize = 120;
/// Entries that one line links.
const ENTRIES_MAX: usize = 6;

/// The page.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Why {
    #[serde(skip)]
    source: Source,
    #[serde(flatten)]
    explanation: Explanation,
    /// What was verified while this page was made.
    verified: Verified,
    #[serde(skip)]
    told: Told,
}

/// What stands under the statement's roots, and was recomputed.
#[derive(Debug, Clone, Copy, Serialize)]
struct Verified {
    statement: bool,
    verdicts: usize,
    sales: usize,
    payouts: usize,
    claims: usize,
}

impl Why {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`] when there is no such device or epoch, or something does not stand under the statement.
    pub fn read(reader: &Reader<'_>, device: &str, epoch: &str, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&[])?;
        let (device, epoch) = (DeviceId::parse(device)?, number(epoch, "an epoch")?);
        let (explanation, case) = reader.why(&device, epoch)?;
        let verified = Verified {
            statement: true,
            verdicts: case.verdicts(),
            sales: case.sales(),
            payouts: case.payouts(),
            claims: case.claims(),
        };
        Ok(Self { source: reader.source(Some(epoch))?, explanation, verified, told: case.told(false) })
    }
}

impl Page for Why {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        format!("Why {} got what it got in epoch {}", self.explanation.device, self.explanation.epoch.number)
    }

    fn main(&self) -> Markup {
        // The epoch, its statement and what is rehearsed stand on the page already.
        let ahead = self.told.lines.iter().take_while(|line| !line.is_heading).count();
        let lines = &self.told.lines[ahead..];
        html! {
            p { (link::device(&self.explanation.device)) ", " (link::epoch(self.explanation.epoch.number)) }
            @for line in lines.iter().take(LINES_MAX) { (shown(line)) }
            @if lines.len() > LINES_MAX {
                p.quiet { (lines.len() - LINES_MAX) " further lines are left out here; the JSON twin has everything." }
            }
            (self.check())
        }
    }

    fn scripts(&self) -> &'static [&'static LazyLock<Asset>] {
        &VERIFIABLE
    }

    fn table(&self) -> Table {
        let columns = &[
            "class",
            "slot_ms",
            "late",
            "amount",
            "score_ppm",
            "weight",
            "code",
            "check",
            "observed",
            "threshold",
            "lost_ppm",
            "evidence",
        ];
        let mut rows = Vec::new();
        for slot in &self.explanation.slots {
            let verdict = &slot.verdict;
            let ahead = vec![
                verdict.class.clone(),
                verdict.slot_ms.to_string(),
                slot.late.to_string(),
                verdict.amount.to_string(),
                verdict.score_ppm.to_string(),
                slot.weight.to_string(),
            ];
            for reason in &verdict.reasons {
                let evidence: Vec<String> = reason.evidence.iter().map(ToString::to_string).collect();
                let reason = vec![
                    reason.code.clone(),
                    reason.check.clone(),
                    reason.observed.to_string(),
                    reason.threshold.to_string(),
                    reason.lost_ppm.to_string(),
                    evidence.join(" "),
                ];
                rows.push([ahead.clone(), reason].concat());
            }
            if verdict.reasons.is_empty() {
                rows.push([ahead, vec![String::new(); 6]].concat());
            }
        }
        let pools = self.explanation.pools.iter().map(|share| format!("{}: {}", share.payout.pool, share.calculation));
        let table = Table::of(columns, rows)
            .noting(format!("device {}", self.explanation.device))
            .noting(format!("paid {} base units of {}", self.explanation.paid, self.explanation.symbol));
        pools.fold(table, Table::noting)
    }
}

impl Why {
    /// The check of what the device was paid.
    fn check(&self) -> Markup {
        let (device, paid) = (Some(self.explanation.device.as_str()), Some(self.explanation.paid.as_str()));
        verify::epoch(&self.source, &self.explanation.epoch, verify::Pay { device, paid, ..verify::Pay::default() })
    }
}

/// A line of the story with its parts linked.
fn shown(line: &Line) -> Markup {
    let many = line.parts.iter().filter(|part| matches!(part, Part::Entry(_))).count() > ENTRIES_MAX;
    let parts = html! {
        @if many {
            // Words, then entries with commas between them.
            @for part in line.parts.iter().take(2 * ENTRIES_MAX + 1) { (linked(part)) }
            "… (the JSON twin has all)"
        } @else {
            @for part in &line.parts { (linked(part)) }
        }
    };
    match line.indent {
        0 if line.is_heading => html! { h2 { (parts) } },
        2 => html! { p.told.in-2 { (parts) } },
        6 => html! { p.told.in-6 { (parts) } },
        8 => html! { p.told.in-8 { (parts) } },
        _ => html! { p.told { (parts) } },
    }
}

fn linked(part: &Part) -> Markup {
    match part {
        Part::Words(words) => link::text(words),
        Part::Device(device) => link::device(&device.to_string()),
        Part::Account(account) => link::account(&account.to_string()),
        Part::Entry(index) => link::entry(*index),
        Part::Statement(number, hash) => html! { a href={ "/epochs/" (number) } { code { (hash) } } },
        Part::Money(units, tokens) => html! { data.money value=(units) { (tokens) } },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_of_any_length_is_a_small_page() {
        let line = Line::words(8, "check `pm10 neighbours: 12 say 201`: -4020 against 240; ".repeat(2));
        let lines = vec![line.entries(&[u64::MAX; 200]); 5_000];
        let html: String = lines.iter().take(LINES_MAX).map(|line| shown(line).into_string()).collect();
        assert!(html.len() < 90_000, "{} bytes", html.len());
    }

    #[test]
    fn many_entries_are_cut_and_few_are_not() {
        for (entries, links) in [(1, 1), (ENTRIES_MAX, ENTRIES_MAX), (ENTRIES_MAX + 1, ENTRIES_MAX)] {
            let line = Line::words(8, "x; ").entries(&vec![7; entries]);
            assert_eq!(shown(&line).into_string().matches("<a ").count(), links, "{entries}");
        }
    }
}
