//! One auditor: since when, which epochs it signed, and which jobs it ran again.

use maud::{Markup, html};
use serde::Serialize;

use super::Page;
use super::auditors::{Signed, signed};
use crate::address::Address;
use crate::beside::{address as address_of, auditor};
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::link;
use crate::markup::table::{numbers, pager, table, words};
use crate::reader::Reader;
use crate::source::Source;
use crate::work::Replay;

/// Closed epochs on a page.
const EPOCHS: u64 = 24;
/// Jobs that are listed.
const REPLAYS_MAX: usize = 50;

/// The page of an auditor.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Auditor {
    #[serde(skip)]
    source: Source,
    auditor: String,
    /// The first epochs of the sets that it is in, ascending, and whether it is in the set in force.
    sets: Vec<u64>,
    in_force: bool,
    /// The closed epochs for which it was an auditor, newest first.
    epochs: Vec<Row>,
    /// The `before` of the page of earlier epochs; `null` where there are none.
    next: Option<u64>,
    /// Jobs that it ran again, of those that the market has.
    replays: Vec<Replay>,
    #[serde(skip)]
    is_first: bool,
}

/// An epoch, and whether it signed it.
#[derive(Debug, Clone, Serialize)]
struct Row {
    #[serde(flatten)]
    epoch: Signed,
    /// `null` where this gateway keeps no signatures.
    by_it: Option<bool>,
}

impl Auditor {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`] for what is no address, or was never named as an auditor.
    pub fn read(reader: &Reader<'_>, key: &str, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["before"])?;
        let before = address.number("before")?;
        let detail = || format!("an auditor is named by its address, 0x and 40 hexadecimal digits, not `{key}`");
        let auditor = auditor(key).ok_or_else(|| ConsoleError::bad("NET-NAME", detail()))?;
        let all = reader.auditor_sets()?;
        let has = |set: &cairn_core::statement::AuditorSet| set.auditors.iter().any(|one| address_of(one) == auditor);
        let sets: Vec<u64> = all.iter().filter(|set| has(set)).map(|set| set.first_epoch).collect();
        if sets.is_empty() {
            let detail = format!("{auditor} is in no set of auditors that the log names");
            return Err(ConsoleError::not_there("NET-NO-AUDITOR", detail));
        }
        let of = |epoch: u64| all.iter().rev().find(|set| set.first_epoch <= epoch);
        let (epochs, next) = signed(reader, before, EPOCHS)?;
        let epochs = epochs.into_iter().filter(|row| of(row.epoch).is_some_and(has));
        let epochs =
            epochs.map(|epoch| Row { by_it: epoch.signed.as_ref().map(|signed| signed.contains(&auditor)), epoch });
        Ok(Self {
            source: reader.source(None)?,
            in_force: of(reader.open_epoch()?).is_some_and(has),
            sets,
            epochs: epochs.collect(),
            next,
            replays: reader.replays_of(&auditor, REPLAYS_MAX)?,
            auditor,
            is_first: before.is_none(),
        })
    }
}

fn yes(is: Option<bool>, unknown: &str) -> Markup {
    html! {
        @match is {
            Some(true) => span.good { "yes" },
            Some(false) => span.bad { "no" },
            None => span.quiet { (unknown) },
        }
    }
}

impl Page for Auditor {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        format!("Auditor {}", self.auditor)
    }

    fn main(&self) -> Markup {
        let row = |row: &Row| {
            vec![
                link::epoch(row.epoch.epoch),
                yes(row.by_it, "not kept here"),
                row.epoch.told(),
                html! { a href={ "/epochs/" (row.epoch.epoch) } { code { (row.epoch.statement) } } },
            ]
        };
        let rows: Vec<Vec<Markup>> = self.epochs.iter().map(row).collect();
        let replay = |replay: &Replay| {
            vec![
                link::job(&replay.job),
                link::entry(replay.index),
                link::code(&replay.digest),
                yes(replay.is_the_truth, "no quorum yet"),
            ]
        };
        let replays: Vec<Vec<Markup>> = self.replays.iter().map(replay).collect();
        let path = format!("/auditors/{}", self.auditor);
        let next = self.next.map(|next| format!("{path}?before={next}"));
        html! {
            p {
                @if self.in_force { "An auditor of the open epoch" } @else { "No auditor of the open epoch" }
                "; the log names it in the sets from "
                @for (at, epoch) in self.sets.iter().take(50).enumerate() { @if at > 0 { ", " } "epoch " (epoch) }
                " on."
            }
            h2 { "What it signed" }
            p.quiet { "That it signed is the word of this gateway, which keeps the signatures." }
            (table("Closed epochs for which it is an auditor, newest first",
                &[numbers("Epoch"), words("It signed"), words("All together"), words("Statement")], &rows, "There is none here."))
            (pager((!self.is_first).then_some(path.as_str()), next.as_deref(), "Earlier epochs"))
            h2 { "Jobs that it ran again" }
            p.quiet { "As the log stands now: of jobs that can still be disputed." }
            (table("What it found, newest first",
                &[words("Job"), numbers("Entry"), words("Digest it found"), words("Is the quorum's")], &replays, "There is none."))
            nav.pager aria-label="Other auditors" { a href="/auditors" rel="up" { "All auditors" } }
        }
    }

    fn table(&self) -> Table {
        let row = |row: &Row| {
            let by_it = row.by_it.map_or("", |by_it| if by_it { "yes" } else { "no" });
            vec![
                row.epoch.epoch.to_string(),
                row.epoch.statement.clone(),
                by_it.to_owned(),
                row.epoch.quorum.to_string(),
            ]
        };
        Table::of(&["epoch", "statement", "signed", "quorum"], self.epochs.iter().map(row).collect())
            .noting(format!("auditor {}", self.auditor))
            .noting("signed is the word of this gateway, which keeps the signatures")
    }
}
