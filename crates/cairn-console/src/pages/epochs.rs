//! The closed epochs, newest first.

use cairn_api::EpochInfo;
use maud::{Markup, html};
use serde::Serialize;

use super::Page;
use crate::address::Address;
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::link;
use crate::markup::table::{numbers, pager, table, words};
use crate::money::Money;
use crate::reader::Reader;
use crate::source::Source;

/// The list of epochs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Epochs {
    #[serde(skip)]
    source: Source,
    /// The epoch that is open.
    open: u64,
    epochs: Vec<Row>,
    /// The `before` of the next page; `null` on the last.
    next: Option<u64>,
    #[serde(skip)]
    is_first: bool,
}

/// A closed epoch.
#[derive(Debug, Clone, Serialize)]
struct Row {
    epoch: u64,
    statement: String,
    /// Measured time, ms since 1970 UTC.
    start_ms: u64,
    end_ms: u64,
    asset: Money,
    /// Base units.
    minted: String,
    paid: String,
    unallocated: String,
    /// Verdicts of all classes.
    verdicts: u64,
    /// Entries `[from, to)`.
    from: u64,
    to: u64,
}

impl Row {
    fn of(epoch: EpochInfo) -> Self {
        Self {
            epoch: epoch.number,
            statement: epoch.statement,
            start_ms: epoch.start_ms,
            end_ms: epoch.end_ms,
            asset: Money { symbol: epoch.balance.symbol, decimals: epoch.balance.decimals },
            minted: epoch.balance.minted,
            paid: epoch.balance.paid,
            unallocated: epoch.balance.unallocated,
            verdicts: epoch.classes.iter().map(|class| class.subjects).sum(),
            from: epoch.from,
            to: epoch.to,
        }
    }
}

impl Epochs {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`].
    pub fn read(reader: &Reader<'_>, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["before"])?;
        let before = address.number("before")?;
        // The list names each epoch's own statement; the newest of them is what the page cites.
        let list = reader.epochs(before, address.form.rows_max())?;
        let source = reader.source(list.epochs.first().map(|epoch| epoch.number))?;
        let epochs = list.epochs.into_iter().map(Row::of).collect();
        Ok(Self { source, open: list.open, epochs, next: list.next, is_first: before.is_none() })
    }
}

impl Page for Epochs {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        "Epochs".to_owned()
    }

    fn main(&self) -> Markup {
        let columns = [
            numbers("Epoch"),
            words("Begins"),
            numbers("Minted"),
            numbers("Paid"),
            numbers("Unallocated"),
            numbers("Verdicts"),
            words("Statement"),
        ];
        let row = |row: &Row| {
            vec![
                link::epoch(row.epoch),
                link::time(row.start_ms),
                row.asset.of(&row.minted),
                row.asset.of(&row.paid),
                row.asset.of(&row.unallocated),
                html! { (row.verdicts) },
                html! { a href={ "/epochs/" (row.epoch) } { code title=(row.statement) { (row.statement[..16]) "…" } } },
            ]
        };
        let rows: Vec<Vec<Markup>> = self.epochs.iter().map(row).collect();
        let next = self.next.map(|next| format!("/epochs?before={next}"));
        html! {
            p { "Epoch " (self.open) " is open." }
            (table("Closed epochs, newest first", &columns, &rows, "None here."))
            (pager((!self.is_first).then_some("/epochs"), next.as_deref(), "Older epochs"))
        }
    }

    fn table(&self) -> Table {
        let columns = &[
            "epoch",
            "statement",
            "start_ms",
            "end_ms",
            "symbol",
            "decimals",
            "minted",
            "paid",
            "unallocated",
            "verdicts",
            "from",
            "to",
        ];
        let row = |row: &Row| {
            vec![
                row.epoch.to_string(),
                row.statement.clone(),
                row.start_ms.to_string(),
                row.end_ms.to_string(),
                row.asset.symbol.clone(),
                row.asset.decimals.to_string(),
                row.minted.clone(),
                row.paid.clone(),
                row.unallocated.clone(),
                row.verdicts.to_string(),
                row.from.to_string(),
                row.to.to_string(),
            ]
        };
        let table = Table::of(columns, self.epochs.iter().map(row).collect());
        let table = table.noting("amounts are base units of the symbol, which has so many decimals");
        match self.next {
            Some(next) => table.noting(format!("older epochs: /epochs.csv?before={next}")),
            None => table,
        }
    }
}
