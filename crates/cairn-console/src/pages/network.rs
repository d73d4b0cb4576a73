//! The network as of its last closed epoch: what it paid and why that balances; and what came since.

use std::sync::LazyLock;

use cairn_api::{EpochInfo, NetworkInfo};
use maud::{Markup, html};
use serde::Serialize;

use super::as_of::AsOf;
use super::auditors::{Signed, signed};
use super::{Page, in_base_units};
use crate::address::Address;
use crate::assets::{Asset, LIVE, MAP};
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::map::Layer;
use crate::markup::chart::{Axes, Point, line};
use crate::markup::map::{Base, Shown, map};
use crate::markup::table::{facts, numbers, table, words};
use crate::markup::{link, live};
use crate::money::Money;
use crate::reader::{Reader, Standing};
use crate::source::Source;
use crate::words::{ago, count, grouped};

/// What draws its map, and what tells it of changes.
static SCRIPTS: [&LazyLock<Asset>; 2] = [&MAP, &LIVE];

/// Epochs in the chart.
const EPOCHS_DRAWN: u64 = 48;
/// Epochs whose signatures are shown.
const EPOCHS_SIGNED: u64 = 5;

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
    /// Who signed the last epochs, newest first: sets as the log says, signatures as the gateway does.
    signed: Vec<Signed>,
    /// What is no part of a statement yet.
    since: Since,
    #[serde(skip)]
    base: Option<Base>,
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
    /// Reports that wait to be judged.
    reports: u64,
    /// Jobs that are not settled; `null` where there is no market of work.
    jobs: Option<u64>,
    /// Entries under the published checkpoint, its root, and the time since it was brought up to date, ms.
    checkpoint_entries: u64,
    checkpoint_root: Option<String>,
    checkpoint_age_ms: Option<u64>,
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
        let paid = paid.collect();
        let (signed, _) = signed(reader, last.map(|number| number.saturating_add(1)), EPOCHS_SIGNED)?;
        Ok(Self { source, epoch, asset, paid, signed, since: since(reader, info)?, base: reader.basemap.map(Base::of) })
    }
}

fn since(reader: &Reader<'_>, info: NetworkInfo) -> Result<Since, ConsoleError> {
    let published = reader.log.published();
    let checkpoint_age_ms = match &reader.standing {
        Standing::Well(health) => Some(health.checkpoint_age_ms),
        Standing::Unwell { .. } => None,
    };
    Ok(Since {
        reports: reader.open_reports()?,
        jobs: reader.open_jobs()?,
        checkpoint_entries: published.as_ref().map_or(0, cairn_merkle::Checkpoint::size),
        checkpoint_root: published.map(|checkpoint| checkpoint.root().to_hex()),
        checkpoint_age_ms,
        entries: info.size,
        log_root: info.log_root,
        open_epoch: info.epoch,
        ends_ms: info.epoch_zero_ms.saturating_add(info.epoch_ms.saturating_mul(info.epoch.saturating_add(1))),
        devices: info.devices,
        chains: info.domains,
        operator: info.operator,
        origin: info.origin,
        log_vkey: info.log_vkey,
    })
}

impl Page for Network {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        self.source.network.clone()
    }

    fn main(&self) -> Markup {
        let as_of = AsOf { epoch: self.epoch.as_ref().map(|epoch| epoch.number), is_fixed: false };
        html! {
            (live::line(self.since.open_epoch))
            @if let Some(epoch) = &self.epoch {
                (map(&Shown { as_of, layer: Layer::Score, area: None, base: self.base.as_ref() }))
                p { a href="/map" { "The map on a page of its own, with its table of cells" } }
                (super::epoch::balance(epoch, &self.asset))
                (balance_told(epoch, &self.asset))
                (super::epoch::pools(epoch, &self.asset))
                (super::epoch::classes(epoch, &self.asset))
                p { a href={ "/epochs/" (epoch.number) } { "The whole statement of epoch " (epoch.number) } }
            }
            @if self.paid.len() > 1 { (self.chart()) }
            (self.auditors())
            (self.since())
        }
    }

    fn scripts(&self) -> &'static [&'static LazyLock<Asset>] {
        &SCRIPTS
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
                (
                    most.map_or(0, amount),
                    most.map_or_else(String::new, |paid| {
                        format!("{} {}", grouped(&self.asset.tokens(&paid.paid)), self.asset.symbol)
                    }),
                ),
            ),
        };
        html! {
            h2 { "Paid per epoch" }
            (line("Paid per epoch; the list of epochs has the numbers", &points, &axes))
            p { a href="/epochs" { "All epochs" } }
        }
    }

    fn auditors(&self) -> Markup {
        let row = |epoch: &Signed| vec![link::epoch(epoch.epoch), html! { (epoch.verdicts) }, epoch.told()];
        let rows: Vec<Vec<Markup>> = self.signed.iter().map(row).collect();
        let columns = [numbers("Epoch"), numbers("Verdicts"), words("Auditors that signed")];
        html! {
            h2 { "Auditors" }
            p.quiet { "Verdicts are as the statements say; that somebody signed is the word of this gateway, which keeps the signatures." }
            (table("Who signed the last epochs", &columns, &rows, "No epoch has closed yet."))
            p { a href="/auditors" { "All auditors and what they signed" } }
        }
    }

    fn since(&self) -> Markup {
        let since = &self.since;
        let checkpoint = html! {
            (live::field("checkpoint", since.checkpoint_entries)) " entries"
            @if let Some(ms) = since.checkpoint_age_ms { ", brought up to date " (ago(ms)) }
        };
        html! {
            h2 { "Since then" }
            p.quiet { "As the log stands now. No statement says these yet." }
            (facts(&[
                ("Entries in the log", live::field("entries", since.entries)),
                ("Root over them when this page was made", link::code(&since.log_root)),
                ("Published checkpoint", checkpoint),
                ("Its root", html! { code { (live::field("checkpoint-root", since.checkpoint_root.as_deref().unwrap_or("none"))) } }),
                ("Open epoch", html! { (since.open_epoch) ", measured until " (link::time(since.ends_ms)) }),
                ("Devices enrolled", html! { (since.devices) }),
                ("Reports that wait to be judged", html! { (since.reports) }),
                ("Jobs that are not settled", html! {
                    @match since.jobs { Some(open) => a href="/jobs" { (count(open, "job", "jobs")) }, None => "the policy opens no market of work" }
                }),
                ("Settlement chains", chains(&since.chains)),
                ("Operator", link::code(&since.operator)),
                ("The log's origin", link::text(&since.origin)),
                ("The log's key", link::code(&since.log_vkey)),
            ]))
        }
    }
}

/// The balance in words, and whether both sides are the same.
fn balance_told(epoch: &EpochInfo, money: &Money) -> Markup {
    let held = &epoch.balance;
    let sum =
        |parts: &[&String]| parts.iter().map(|units| units.parse().unwrap_or(0u128)).fold(0u128, u128::saturating_add);
    let had = sum(&[&held.opening, &held.minted, &held.deposited]);
    let went = sum(&[&held.paid, &held.refunded, &held.burned, &held.escrow, &held.vesting, &held.unallocated]);
    let tokens = |units: &str| format!("{} {}", grouped(&money.tokens(units)), money.symbol);
    let kept = sum(&[&held.escrow, &held.vesting, &held.unallocated]).to_string();
    html! {
        p {
            "In words: the network held " (tokens(&held.opening)) ", minted " (tokens(&held.minted)) " and took in " (tokens(&held.deposited))
            " from buyers. It paid out " (tokens(&held.paid)) ", gave back " (tokens(&held.refunded)) " and burned " (tokens(&held.burned))
            "; it still holds " (tokens(&kept)) ". "
            @if had == went { "Both sides are the same, to the last base unit." } @else { span.bad { "The two sides are not the same." } }
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
