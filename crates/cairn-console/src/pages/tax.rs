//! What an account was given, as a tax declaration wants it: a row for each epoch and kind, with the period in UTC, the exact
//! amount, the statement that says it and the entry that holds the statement.
//!
//! An epoch belongs to the year in which it ended. Nothing is rounded, and nothing is converted to any other currency.

use std::collections::{BTreeMap, BTreeSet};

use cairn_core::epoch::{EpochClock, EpochStatement};
use cairn_core::{Account, Amount, Payout};
use cairn_ledger::ClosedEpochs;
use cairn_log::LogReader;
use cairn_reward::allocate::{LICENCE, REFUND, WORK};
use maud::{Markup, html};
use serde::Serialize;

use super::{Page, in_base_units};
use crate::address::{Address, Form, encode};
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::link;
use crate::markup::table::{numbers, pager, table, words};
use crate::money::Money;
use crate::reader::{Reader, statement_entry};
use crate::rows::{Rows, TaxRows};
use crate::source::Source;
use crate::words::{rfc3339, year_of, year_start_ms};

/// Epochs that a page shows, or that a piece of a file holds.
const EPOCHS: u64 = 48;

/// What kind of income a payout row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Jobs of buyers that were run.
    Work,
    /// What devices delivered, from a pool.
    Presence,
    /// Others' use of a module.
    Licence,
    /// What a buyer got back.
    Refund,
    /// What no pool paid, where the policy names an account for it.
    Residual,
}

impl Kind {
    /// Every kind.
    const ALL: [Self; 5] = [Self::Work, Self::Presence, Self::Licence, Self::Refund, Self::Residual];

    fn of(payout: &Payout) -> Self {
        match payout.pool.as_str() {
            WORK => Self::Work,
            LICENCE => Self::Licence,
            REFUND => Self::Refund,
            _ if payout.device.is_some() => Self::Presence,
            _ => Self::Residual,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Presence => "presence",
            Self::Licence => "licence",
            Self::Refund => "refund",
            Self::Residual => "residual",
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Work => "jobs that buyers ordered and its devices ran",
            Self::Presence => "what its devices delivered, paid from a pool",
            Self::Licence => "others' use of its modules",
            Self::Refund => "money of its own that came back from an order",
            Self::Residual => "what no pool paid, given to the account that the policy names",
        }
    }
}

/// What an epoch gave the account of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Given {
    epoch: u64,
    statement: String,
    /// The entry of the log that holds the statement; `null` while it is not logged.
    entry: Option<u64>,
    /// The epoch's measured time, ms since 1970 UTC.
    start_ms: u64,
    end_ms: u64,
    kind: Kind,
    /// Devices that it was given for; 0 for what is not given for any.
    devices: u64,
    /// Base units.
    units: String,
    asset: Money,
}

/// The columns of a row.
const COLUMNS: &[&str] =
    &["epoch", "period_start", "period_end", "kind", "devices", "base_units", "tokens", "symbol", "statement", "entry"];

impl Given {
    /// The fields of a row, in the order of its columns.
    pub fn row(&self) -> Vec<String> {
        vec![
            self.epoch.to_string(),
            rfc3339(self.start_ms),
            rfc3339(self.end_ms),
            self.kind.as_str().to_owned(),
            self.devices.to_string(),
            self.units.clone(),
            self.asset.tokens(&self.units),
            self.asset.symbol.clone(),
            self.statement.clone(),
            self.entry.map_or_else(String::new, |index| index.to_string()),
        ]
    }
}

/// The epochs of a year, as far as they have closed, and what is needed to read them.
#[derive(Clone)]
pub(crate) struct Period {
    pub closed: ClosedEpochs,
    pub log: LogReader,
    pub account: Account,
    pub clock: EpochClock,
    /// By first epoch.
    pub decimals: BTreeMap<u64, u8>,
    /// The first epoch,
    pub first: u64,
    /// and the one after the last.
    pub end: u64,
}

impl core::fmt::Debug for Period {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Period").field("account", &self.account).finish_non_exhaustive()
    }
}

impl Period {
    /// The same, of the epochs that ended in a year.
    fn in_year(mut self, year: u64) -> Self {
        // The epoch whose last millisecond is the first of the year or later.
        let first = |year: u64| self.clock.epoch_at(year_start_ms(year)).unwrap_or(0);
        (self.first, self.end) = (first(year).min(self.end), first(year.saturating_add(1)).min(self.end));
        self
    }

    /// What an epoch gave, by kind.
    ///
    /// # Errors
    /// [`ConsoleError`] when it cannot be read.
    pub fn given(&self, epoch: u64) -> Result<Vec<Given>, ConsoleError> {
        let payouts = self.closed.payouts_to(epoch, &self.account)?;
        if payouts.is_empty() {
            return Ok(Vec::new());
        }
        let statement = self.closed.statement(epoch)?;
        let entry = statement_entry(&self.log, &statement)?;
        let decimals = self.decimals.range(..=epoch).next_back().map_or(0, |(_, decimals)| *decimals);
        let asset = Money { symbol: statement.asset.0.clone(), decimals };
        let row = |kind: Kind| {
            let of_kind = || payouts.iter().filter(move |payout| Kind::of(payout) == kind);
            of_kind().next()?;
            let units = Amount::checked_sum(of_kind().map(|payout| payout.amount)).unwrap_or_default();
            let devices: BTreeSet<_> = of_kind().filter_map(|payout| payout.device).collect();
            Some(self.row(&statement, entry, kind, devices.len() as u64, units, asset.clone()))
        };
        Ok(Kind::ALL.into_iter().filter_map(row).collect())
    }

    fn row(
        &self,
        statement: &EpochStatement,
        entry: Option<u64>,
        kind: Kind,
        devices: u64,
        units: Amount,
        asset: Money,
    ) -> Given {
        Given {
            epoch: statement.number,
            statement: statement.hash().to_hex(),
            entry,
            start_ms: self.clock.start_ms(statement.number),
            end_ms: self.clock.end_ms(statement.number),
            kind,
            devices,
            units: units.to_string(),
            asset,
        }
    }
}

/// The page.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Tax {
    #[serde(skip)]
    source: Source,
    account: String,
    year: u64,
    /// The years in which epochs ended.
    years: Vec<u64>,
    asset: Money,
    rows: Vec<Given>,
    /// The `after` of the next page; `null` on the last.
    next: Option<u64>,
    #[serde(skip)]
    is_first: bool,
    #[serde(skip)]
    more: Option<Rows>,
}

impl Tax {
    /// Reads the page; without a year, of the year in which the last closed epoch ended.
    ///
    /// # Errors
    /// [`ConsoleError`] for what is no account, and a year that cannot be read.
    pub fn read(reader: &Reader<'_>, id: &str, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["year", "after"])?;
        let account = Account::parse(id)?;
        let (year, after) = (address.number("year")?, address.number("after")?);
        let (last, whole) = reader.period(&account)?;
        let ended = |epoch| year_of(whole.clock.end_ms(epoch).saturating_sub(1));
        let years: Vec<u64> = last.map_or_else(Vec::new, |last| (ended(0)..=ended(last)).collect());
        let year = year.or_else(|| years.last().copied()).unwrap_or(1_970);
        let period = whole.in_year(year);
        let from = after.map_or(period.first, |after| after.saturating_add(1).max(period.first)).min(period.end);
        let to = from.saturating_add(EPOCHS).min(period.end);
        let mut rows = Vec::new();
        for epoch in from..to {
            rows.extend(period.given(epoch)?);
        }
        let goes_on = to < period.end;
        let is_file = address.form == Form::Csv;
        Ok(Self {
            source: reader.source(last)?,
            account: account.to_string(),
            year,
            years,
            asset: reader.money(last)?,
            rows,
            next: (goes_on && to > 0 && !is_file).then(|| to - 1),
            is_first: after.is_none(),
            more: (goes_on && is_file).then(|| TaxRows::of(period, to, EPOCHS).into()),
        })
    }
}

impl Page for Tax {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        format!("Given to {} in {}", self.account, self.year)
    }

    fn main(&self) -> Markup {
        let row = |given: &Given| {
            vec![
                link::epoch(given.epoch),
                link::time(given.start_ms),
                link::time(given.end_ms),
                html! { (given.kind.as_str()) },
                link::count(given.devices),
                given.asset.of(&given.units),
                html! { @if let Some(index) = given.entry { (link::entry(index)) } },
            ]
        };
        let rows: Vec<Vec<Markup>> = self.rows.iter().map(row).collect();
        let columns = [
            numbers("Epoch"),
            words("From"),
            words("To"),
            words("Kind"),
            numbers("Devices"),
            numbers("Given"),
            numbers("Statement's entry"),
        ];
        let path = format!("/accounts/{}/tax", encode(&self.account));
        let (year, this) = (self.year, format!("{path}?year={}", self.year));
        let next = self.next.map(|next| format!("{this}&after={next}"));
        html! {
            p { "Account " (link::account(&self.account)) }
            p {
                a href={ (path) ".csv?year=" (year) } { "The whole of " (year) " as CSV" }
                ": one row for each epoch and kind, exact to the last base unit, each with its statement."
            }
            p.quiet {
                "An epoch belongs to the year in which it ended (UTC). What was given is what the log says; when a chain paid it out "
                "is another matter, and so is what it was worth."
            }
            @if self.years.len() > 1 {
                nav aria-label="Years" {
                    ul.plain {
                        @for other in &self.years {
                            li {
                                @if *other == year { a href=(this) aria-current="page" { (other) } }
                                @else { a href={ (path) "?year=" (other) } { (other) } }
                            }
                        }
                    }
                }
            }
            (table(&format!("What epochs of {year} gave it"), &columns, &rows, "The epochs shown here gave it nothing."))
            (pager((!self.is_first).then_some(this.as_str()), next.as_deref(), "Later epochs"))
            h2 { "The kinds" }
            dl { @for kind in Kind::ALL { div { dt { (kind.as_str()) } dd { (kind.meaning()) } } } }
        }
    }

    fn table(&self) -> Table {
        let table = Table::of(COLUMNS, self.rows.iter().map(Given::row).collect())
            .noting(format!("given to account {} in {}, by the epochs that ended in it (UTC)", self.account, self.year))
            .noting(in_base_units(&self.asset));
        Kind::ALL.iter().fold(table, |table, kind| table.noting(format!("{}: {}", kind.as_str(), kind.meaning())))
    }

    fn more(&self) -> Option<Rows> {
        self.more.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_one_kind() {
        let account = Account::parse("eip155:1:0x0000000000000000000000000000000000000001").unwrap();
        let device = Some(cairn_core::DeviceId([1; 16]));
        for (device, pool, kind) in [
            (device, "presence", Kind::Presence),
            (device, WORK, Kind::Work),
            (None, LICENCE, Kind::Licence),
            (None, REFUND, Kind::Refund),
            (None, "treasury", Kind::Residual),
        ] {
            let payout = Payout { account: account.clone(), device, pool: pool.into(), weight: 0, amount: Amount(1) };
            assert_eq!(Kind::of(&payout), kind, "{pool}");
        }
    }
}
