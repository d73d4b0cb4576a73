//! The network as of its last closed epoch: what it paid and why that balances; and what came since.

use cairn_api::{EpochInfo, NetworkInfo};
use maud::{Markup, html};
use serde::Serialize;

use super::{Page, in_base_units};
use crate::address::Address;
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::chart::{Axes, Point, line};
use crate::markup::link;
use crate::markup::table::{facts, numbers, table, words};
use crate::money::Money;
use crate::reader::Reader;
use crate::source::Source;

/// Epochs in the chart.
const EPOCHS_DRAWN: u64 = 48;

/// The page of the network.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Network {
    #[serde(skip)]
    source: Source,
    /// The last closed epoch, as its statement says it; `null` before one has closed.
    epoch: Option<EpochInfo>,
    asset: Money,
    /// What the last epochs paid, ascending.
    paid: Vec<PaidEpoch>,
    /// What is no part of a statement yet.
    since: Since,
}

/// What an epoch paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct PaidEpoch {
    epoch: u64,
    statement: String,
    /// Base units.
    paid: String,
}

/// The log and the state as they are now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Since {
    /// Entries in the log.
    entries: u64,
    /// The log's root over them.
    log_root: String,
    /// The epoch that is open.
    open_epoch: u64,
    /// When its measured time ends, ms since 1970 UTC.
    ends_ms: u64,
    /// Devices enrolled and not retired.
    devices: u64,
    /// Settlement chains.
    chains: Vec<String>,
    /// Operator, origin and keys, as genesis named them.
    operator: String,
    origin: String,
    log_vkey: String,
}

impl Network {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`].
    pub fn read(reader: &Reader<'_>, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&[])?;
        let info = reader.network()?;
        let last = info.last_closed.as_ref().map(|epoch| epoch.number);
        let source = reader.source(last)?;
        let epoch = last.map(|number| reader.epoch(number)).transpose()?;
        let list = reader.epochs(last.map(|number| number.saturating_add(1)), EPOCHS_DRAWN)?;
        let asset = match &epoch {
            Some(epoch) => Money { symbol: epoch.balance.symbol.clone(), decimals: epoch.balance.decimals },
            None => reader.money(None)?,
        };
        let paid = list.epochs.into_iter().rev().map(|epoch| PaidEpoch {
            epoch: epoch.number,
            statement: epoch.statement,
            paid: epoch.balance.paid,
        });
        Ok(Self { source, epoch, asset, paid: paid.collect(), since: since(info) })
    }
}

fn since(info: NetworkInfo) -> Since {
    Since {
        entries: info.size,
        log_root: info.log_root,
        open_epoch: info.epoch,
        ends_ms: info.epoch_zero_ms.saturating_add(info.epoch_ms.saturating_mul(info.epoch.saturating_add(1))),
        devices: info.devices,
        chains: info.domains,
        operator: info.operator,
        origin: info.origin,
        log_vkey: info.log_vkey,
    }
}

impl Page for Network {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        self.source.network.clone()
    }

    fn main(&self) -> Markup {
        html! {
            @if let Some(epoch) = &self.epoch {
                (super::epoch::balance(epoch, &self.asset))
                (super::epoch::pools(epoch, &self.asset))
                (super::epoch::classes(epoch, &self.asset))
                p { a href={ "/epochs/" (epoch.number) } { "The whole statement of epoch " (epoch.number) } }
            }
            @if self.paid.len() > 1 { (self.chart()) }
            (self.since())
        }
    }

    fn table(&self) -> Table {
        let row = |paid: &PaidEpoch| vec![paid.epoch.to_string(), paid.statement.clone(), paid.paid.clone()];
        Table::of(&["epoch", "statement", "paid"], self.paid.iter().map(row).collect())
            .noting(in_base_units(&self.asset))
    }
}

impl Network {
    /// What the last epochs paid.
    fn chart(&self) -> Markup {
        // Amounts past 127 bits are drawn at the top, and told exactly beside it.
        let amount = |paid: &PaidEpoch| paid.paid.parse::<i128>().unwrap_or(i128::MAX);
        let points: Vec<Point> =
            self.paid.iter().map(|paid| Point { x: paid.epoch.into(), y: amount(paid), is_flagged: false }).collect();
        let most = self.paid.iter().max_by_key(|paid| amount(paid));
        let ends = |paid: Option<&PaidEpoch>| paid.map_or_else(String::new, |paid| format!("epoch {}", paid.epoch));
        let axes = Axes {
            x: (ends(self.paid.first()), ends(self.paid.last())),
            y: (
                (0, "0".to_owned()),
                (most.map_or(0, amount), most.map_or_else(String::new, |paid| self.asset.tokens(&paid.paid))),
            ),
        };
        html! {
            h2 { "Paid per epoch" }
            (line("Paid per epoch; the list of epochs has the numbers", &points, &axes))
            p { a href="/epochs" { "All epochs" } }
        }
    }

    fn since(&self) -> Markup {
        let since = &self.since;
        html! {
            h2 { "Since then" }
            p.quiet { "As the log stands now. No statement says these yet." }
            (facts(&[
                ("Entries in the log", html! { (since.entries) }),
                ("Root over them", link::code(&since.log_root)),
                ("Open epoch", html! { (since.open_epoch) ", measured until " (link::time(since.ends_ms)) }),
                ("Devices enrolled", html! { (since.devices) }),
                ("Settlement chains", chains(&since.chains)),
                ("Operator", link::code(&since.operator)),
                ("The log's origin", link::text(&since.origin)),
                ("The log's key", link::code(&since.log_vkey)),
            ]))
        }
    }
}

fn chains(chains: &[String]) -> Markup {
    if chains.is_empty() {
        return html! { "none" };
    }
    html! { @for chain in chains { (link::code(chain)) " " } }
}

/// The row of a class that was judged.
pub(crate) fn class_rows(epoch: &EpochInfo, money: &Money) -> Markup {
    let rows: Vec<Vec<Markup>> = epoch
        .classes
        .iter()
        .map(|class| {
            vec![
                link::text(&class.class),
                html! { (class.subjects) },
                html! { (class.passed) },
                html! { (class.revision) },
                money.of(&class.revenue),
            ]
        })
        .collect();
    let columns = [
        words("Class"),
        numbers("Verdicts"),
        numbers("With the whole score"),
        numbers("Judge's revision"),
        numbers("Revenue"),
    ];
    table("What was judged", &columns, &rows, "No class was judged.")
}
