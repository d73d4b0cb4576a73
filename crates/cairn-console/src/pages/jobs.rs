//! The jobs of the market: open ones, and settled ones until nobody can dispute them any more.

use cairn_api::{AssignedInfo, JobInfo, WordInfo};
use cairn_core::id::BadName;
use cairn_core::{Account, DeviceId, JobId};
use cairn_ledger::{JobFilter, JobState};
use maud::{Markup, html};
use serde::Serialize;

use super::{Page, in_base_units};
use crate::address::{Address, encode};
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::link;
use crate::markup::table::{numbers, pager, table, words};
use crate::money::Money;
use crate::reader::Reader;
use crate::source::Source;
use crate::words::count;

/// The states that jobs are looked for by, with their names.
const STATES: [(&str, &str); 4] =
    [("open", "Under way"), ("done", "Done, not settled"), ("drawn", "To be run again"), ("settled", "Settled")];
/// Jobs on one page: their rows are long.
const ROWS_MAX: u64 = 50;

/// A page of jobs, as the log stands now.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Jobs {
    #[serde(skip)]
    source: Source,
    asset: Money,
    /// The network's time at this answer, ms since 1970 UTC.
    time_ms: u64,
    /// Jobs that are not settled; `null` where the policy opens no market.
    open_jobs: Option<u64>,
    /// What they were filtered by.
    state: Option<String>,
    worker: Option<String>,
    buyer: Option<String>,
    jobs: Vec<Row>,
    /// The `after` of the next page; `null` on the last.
    next: Option<String>,
    #[serde(skip)]
    is_first: bool,
}

/// A job in few words.
#[derive(Debug, Clone, Serialize)]
struct Row {
    job: String,
    /// The order's entry, and when it came.
    order: u64,
    received_ms: u64,
    buyer: String,
    /// Where it stands, and whether it is to be run again.
    phase: String,
    drawn: Option<String>,
    /// The workers, and how many of them have revealed or declined.
    workers: Vec<String>,
    heard: u64,
    /// Base units.
    locked: String,
    /// The epoch that settled it.
    settled: Option<u64>,
}

impl Row {
    fn of(info: JobInfo) -> Self {
        let is_heard =
            |worker: &&AssignedInfo| matches!(worker.word, WordInfo::Revealed { .. } | WordInfo::Declined { .. });
        let heard = info.assigned.iter().filter(is_heard).count() as u64;
        Self {
            job: info.job,
            order: info.index,
            received_ms: info.received_ms,
            buyer: info.order.buyer,
            phase: info.phase,
            drawn: info.draw.map(|draw| draw.cause),
            workers: info.assigned.into_iter().map(|worker| worker.device).collect(),
            heard,
            locked: info.locked,
            settled: info.settled.map(|settled| settled.epoch.number),
        }
    }
}

fn named<T: core::fmt::Display>(
    address: &Address,
    name: &str,
    parse: impl Fn(&str) -> Result<T, BadName>,
) -> Result<Option<T>, ConsoleError> {
    Ok(address.text(name).filter(|text| !text.is_empty()).map(|text| parse(text.trim())).transpose()?)
}

impl Jobs {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`] for a filter that is none.
    pub fn read(reader: &Reader<'_>, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["state", "worker", "buyer", "after"])?;
        let state = address.text("state").filter(|word| !word.is_empty());
        let unknown = |word: &str| {
            ConsoleError::bad("NET-QUERY", format!("`state` is open, done, drawn or settled, not `{word}`"))
        };
        let filter = JobFilter {
            worker: named(address, "worker", DeviceId::parse)?,
            buyer: named(address, "buyer", Account::parse)?,
            state: state.map(|word| JobState::of(word).ok_or_else(|| unknown(word))).transpose()?,
            after: named(address, "after", JobId::parse)?,
        };
        let list = reader.jobs(
            &filter,
            address.form.rows_max().min(if address.form == crate::Form::Html { ROWS_MAX } else { u64::MAX }),
        )?;
        Ok(Self {
            source: reader.source(None)?,
            asset: reader.money(None)?,
            time_ms: list.time_ms,
            open_jobs: reader.open_jobs()?,
            state: state.map(str::to_owned),
            worker: filter.worker.map(|worker| worker.to_string()),
            buyer: filter.buyer.map(|buyer| buyer.to_string()),
            jobs: list.jobs.into_iter().map(Row::of).collect(),
            next: list.next,
            is_first: filter.after.is_none(),
        })
    }

    /// The address of these jobs in another state, or from another one on.
    fn path(&self, state: Option<&str>, after: Option<&str>) -> String {
        let given =
            [("state", state), ("worker", self.worker.as_deref()), ("buyer", self.buyer.as_deref()), ("after", after)];
        let pairs = given.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", encode(value?))));
        let query = pairs.collect::<Vec<_>>().join("&");
        if query.is_empty() { "/jobs".to_owned() } else { format!("/jobs?{query}") }
    }

    fn filters(&self) -> Markup {
        let choice = |state: Option<&str>, words: &str| {
            let (path, is_this) = (self.path(state, None), self.state.as_deref() == state);
            html! { li { @if is_this { a href=(path) aria-current="page" { (words) } } @else { a href=(path) { (words) } } } }
        };
        html! {
            nav.choices aria-label="Which jobs" {
                ul {
                    (choice(None, "All"))
                    @for (state, words) in STATES { (choice(Some(state), words)) }
                }
            }
            @if let Some(worker) = &self.worker { p { "Of the worker " (link::device(worker)) "." } }
            @if let Some(buyer) = &self.buyer { p { "Of the buyer " (link::account(buyer)) "." } }
        }
    }

    fn row(&self, row: &Row) -> Vec<Markup> {
        let stands = html! {
            (stands(&row.phase, row.drawn.as_deref()))
            @if let Some(epoch) = row.settled { " in epoch " (link::epoch(epoch)) }
        };
        let workers = html! {
            (row.heard) " of " (row.workers.len()) " heard"
            @for worker in &row.workers { div { (link::device(worker)) } }
        };
        vec![
            link::job(&row.job),
            html! { (link::entry(row.order)) ", " (link::time(row.received_ms)) },
            stands,
            workers,
            self.asset.of(&row.locked),
            link::account(&row.buyer),
        ]
    }
}

/// Where a job stands, in words.
pub(crate) fn stands(phase: &str, drawn: Option<&str>) -> Markup {
    let words = match phase {
        "committing" => "workers seal their results",
        "revealing" => "workers show their results",
        "done" => "done, not settled",
        "settled" => "settled",
        other => other,
    };
    html! {
        (words)
        @if drawn.is_some() && phase != "settled" { ", to be run again" }
    }
}

impl Page for Jobs {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        "Jobs".to_owned()
    }

    fn main(&self) -> Markup {
        let columns =
            [words("Job"), words("Order"), words("Stands"), words("Workers"), numbers("Set aside"), words("Buyer")];
        let rows: Vec<Vec<Markup>> = self.jobs.iter().map(|row| self.row(row)).collect();
        let first = self.path(self.state.as_deref(), None);
        let next = self.next.as_deref().map(|next| self.path(self.state.as_deref(), Some(next)));
        html! {
            p {
                "A job is a computation that somebody bought: the buyer's money is set aside, workers do it and are checked, "
                "and when the epoch closes each gets what the log says. "
                @match self.open_jobs {
                    Some(open) => { (count(open, "job is", "jobs are")) " not settled." },
                    None => { "This network's policy opens no market of work." },
                }
            }
            p.quiet {
                "As the log stands now. No statement says these yet; what an epoch settled is on "
                "its own page. Settled jobs are listed while they can still be disputed."
            }
            (self.filters())
            (table("Jobs, by their names", &columns, &rows, "There is no such job."))
            (pager((!self.is_first).then_some(first.as_str()), next.as_deref(), "Next jobs"))
        }
    }

    fn table(&self) -> Table {
        let columns =
            &["job", "order", "received_ms", "phase", "drawn", "workers", "heard", "locked", "buyer", "settled_epoch"];
        let row = |row: &Row| {
            vec![
                row.job.clone(),
                row.order.to_string(),
                row.received_ms.to_string(),
                row.phase.clone(),
                row.drawn.clone().unwrap_or_default(),
                row.workers.join(" "),
                row.heard.to_string(),
                row.locked.clone(),
                row.buyer.clone(),
                row.settled.map_or_else(String::new, |epoch| epoch.to_string()),
            ]
        };
        let table = Table::of(columns, self.jobs.iter().map(row).collect())
            .noting(in_base_units(&self.asset))
            .noting("as the log stands now; no statement says these yet");
        match &self.next {
            Some(next) => table.noting(format!(
                "next: {}",
                self.path(self.state.as_deref(), Some(next)).replacen("/jobs", "/jobs.csv", 1)
            )),
            None => table,
        }
    }
}
