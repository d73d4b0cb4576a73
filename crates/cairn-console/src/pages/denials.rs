//! Devices that the operator denied, why, and what their owners answered: nobody is banned in silence.

use maud::{Markup, html};
use serde::Serialize;

use super::Page;
use crate::address::{Address, Form};
use crate::beside::Denied;
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::link;
use crate::markup::table::{pager, table, words};
use crate::reader::Reader;
use crate::source::Source;
use crate::words::count;

/// Denials on a page, and in a file.
const ROWS: usize = 20;
const ROWS_IN_FILE: usize = 500;
/// Entries of evidence that are linked for each; the JSON twin has all.
const EVIDENCE_SHOWN: usize = 20;
/// Characters of an answer that are shown; the twins have all.
const TEXT_SHOWN: usize = 200;

/// A page of denials, as the log stands now.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Denials {
    #[serde(skip)]
    source: Source,
    /// Devices that were ever denied.
    total: u64,
    /// The last denial of each, newest first.
    denials: Vec<Denied>,
    /// The `before` of the page of earlier ones; `null` on the last.
    next: Option<u64>,
    #[serde(skip)]
    is_first: bool,
}

impl Denials {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`].
    pub fn read(reader: &Reader<'_>, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["before"])?;
        let before = address.number("before")?;
        let limit = if address.form == Form::Html { ROWS } else { ROWS_IN_FILE };
        let (denials, has_more, total) = reader.denials(before.unwrap_or(u64::MAX), limit)?;
        let next = denials.last().filter(|_| has_more).map(|denied| denied.index);
        Ok(Self { source: reader.source(None)?, total, denials, next, is_first: before.is_none() })
    }
}

/// The beginning of a long text.
fn cut(text: &str) -> String {
    if text.chars().count() <= TEXT_SHOWN {
        return text.to_owned();
    }
    format!("{} … the JSON twin has all of it", text.chars().take(TEXT_SHOWN).collect::<String>())
}

fn entries(indices: &[u64]) -> Markup {
    html! {
        @for index in indices.iter().take(EVIDENCE_SHOWN) { (link::entry(*index)) " " }
        @if indices.len() > EVIDENCE_SHOWN { "and " (indices.len() - EVIDENCE_SHOWN) " more" }
        @if indices.is_empty() { span.quiet { "none named" } }
    }
}

impl Page for Denials {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        "Denials and appeals".to_owned()
    }

    fn main(&self) -> Markup {
        let row = |denied: &Denied| {
            let until = html! {
                @if denied.holds { "holds until " } @else { "ended " }
                (link::time(denied.until_ms))
            };
            let appeal = html! {
                @match &denied.appeal {
                    None => span.quiet { "none" },
                    Some(appeal) => {
                        div { "entry " (link::entry(appeal.index)) ": " (link::text(&cut(&appeal.text))) }
                        @if !appeal.evidence.is_empty() { div { "evidence " (entries(&appeal.evidence)) } }
                    },
                }
            };
            vec![
                link::device(&denied.device),
                html! { (link::text(&denied.reason)) ", entry " (link::entry(denied.index)) },
                until,
                entries(&denied.evidence),
                appeal,
            ]
        };
        let rows: Vec<Vec<Markup>> = self.denials.iter().map(row).collect();
        let columns =
            [words("Device"), words("Reason"), words("Until"), words("Evidence, entries"), words("The owner's answer")];
        let next = self.next.map(|next| format!("/denials?before={next}"));
        html! {
            p {
                "The operator can deny a device its pay, but not in silence: the log holds the reason, the evidence and the end, and the "
                "owner may answer there. What was earned before stays. " (count(self.total, "device was", "devices were")) " ever denied."
            }
            p.quiet { "As the log stands now, the last denial of each device." }
            (table("Denials, newest first", &columns, &rows, "Nobody was denied."))
            (pager((!self.is_first).then_some("/denials"), next.as_deref(), "Earlier ones"))
            nav.pager aria-label="Beside this" { a href="/auditors" rel="up" { "Auditors" } }
        }
    }

    fn table(&self) -> Table {
        let columns = &[
            "device",
            "index",
            "reason",
            "until_ms",
            "holds",
            "evidence",
            "appeal_index",
            "appeal",
            "appeal_evidence",
        ];
        let list = |indices: &[u64]| indices.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let row = |denied: &Denied| {
            let appeal = denied.appeal.as_ref();
            vec![
                denied.device.clone(),
                denied.index.to_string(),
                denied.reason.clone(),
                denied.until_ms.to_string(),
                denied.holds.to_string(),
                list(&denied.evidence),
                appeal.map_or_else(String::new, |appeal| appeal.index.to_string()),
                appeal.map_or_else(String::new, |appeal| appeal.text.clone()),
                appeal.map_or_else(String::new, |appeal| list(&appeal.evidence)),
            ]
        };
        let table = Table::of(columns, self.denials.iter().map(row).collect()).noting("as the log stands now");
        match self.next {
            Some(next) => table.noting(format!("earlier ones: /denials.csv?before={next}")),
            None => table,
        }
    }
}
