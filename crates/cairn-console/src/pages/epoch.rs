//! A closed epoch: its statement, pools, and how its pay is spread.

use std::sync::LazyLock;

use cairn_api::{DistributionInfo, EpochInfo, PayBucket};
use maud::{Markup, html};
use serde::Serialize;

use super::auditors::{Signed, signed_epoch};
use super::changes::{self, Change};
use super::{Page, in_base_units, number};
use crate::address::Address;
use crate::assets::{Asset, VERIFIABLE};
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::chart::{Axes, Bar, bars};
use crate::markup::table::{facts, numbers, table, words};
use crate::markup::{link, verify};
use crate::money::Money;
use crate::reader::Reader;
use crate::source::Source;
use crate::words::{count, grouped};

/// The page of an epoch.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Epoch {
    #[serde(skip)]
    source: Source,
    /// As the statement says it.
    epoch: EpochInfo,
    /// How what devices earned is spread over accounts.
    distribution: DistributionInfo,
    /// The rules that this epoch is the first of.
    changes: Vec<Change>,
    /// Who signed its statement: the set as the log says, signatures as the gateway does.
    signed: Option<Signed>,
}

impl Epoch {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`] for an epoch that has not closed.
    pub fn read(reader: &Reader<'_>, epoch: &str, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&[])?;
        let epoch = number(epoch, "an epoch")?;
        let source = reader.source(Some(epoch))?;
        Ok(Self {
            source,
            epoch: reader.epoch(epoch)?,
            distribution: reader.distribution(epoch)?,
            changes: changes::read(reader, epoch)?,
            signed: signed_epoch(reader, epoch)?,
        })
    }

    fn money(&self) -> Money {
        Money { symbol: self.epoch.balance.symbol.clone(), decimals: self.epoch.balance.decimals }
    }
}

/// The balance, line by line: both sides add up to the same.
pub(crate) fn balance(epoch: &EpochInfo, money: &Money) -> Markup {
    let held = &epoch.balance;
    let row = |words: &str, units: &str| vec![html! { (words) }, money.of(units)];
    let rows = [
        row("Held at the start", &held.opening),
        row("+ minted", &held.minted),
        row("+ paid in by buyers", &held.deposited),
        row("= paid out", &held.paid),
        row("+ refunded to buyers", &held.refunded),
        row("+ burned", &held.burned),
        row("+ held for buyers at the end", &held.escrow),
        row("+ vesting at the end", &held.vesting),
        row("+ assigned to nobody at the end", &held.unallocated),
    ];
    html! {
        h2 { "The balance" }
        (table("What there was, and what became of it", &[words("Part"), numbers("Amount")], &rows, ""))
    }
}

/// What the pools paid.
pub(crate) fn pools(epoch: &EpochInfo, money: &Money) -> Markup {
    let rows: Vec<Vec<Markup>> = epoch
        .pools
        .iter()
        .map(|pool| {
            vec![
                link::text(&pool.name),
                money.of(&pool.size),
                money.of(&pool.paid),
                html! { (pool.devices) },
                html! { (pool.recipients) },
                html! { (pool.weight) },
            ]
        })
        .collect();
    let columns = [
        words("Pool"),
        numbers("To share"),
        numbers("Paid"),
        numbers("Devices"),
        numbers("Payout rows"),
        numbers("Weight"),
    ];
    html! {
        h2 { "Pools" }
        (table("What each pool shared and paid", &columns, &rows, "No pool shared anything."))
        p { a href={ "/epochs/" (epoch.number) "/payouts" } { "Every payout of epoch " (epoch.number) } }
        @if let Some(sales) = &epoch.sales {
            p { a href={ "/epochs/" (epoch.number) "/sales" } { (count(sales.count, "job", "jobs")) " settled in epoch " (epoch.number) } }
        }
    }
}

/// What was judged.
pub(crate) fn classes(epoch: &EpochInfo, money: &Money) -> Markup {
    html! {
        h2 { "Classes" }
        (super::network::class_rows(epoch, money))
    }
}

impl Page for Epoch {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        format!("Epoch {}", self.epoch.number)
    }

    fn main(&self) -> Markup {
        let (epoch, money) = (&self.epoch, self.money());
        html! {
            p { (link::time(epoch.start_ms)) " to " (link::time(epoch.end_ms)) }
            (balance(epoch, &money))
            (pools(epoch, &money))
            (spread(&self.distribution, &money))
            (classes(epoch, &money))
            (changes::markup(&self.changes))
            (claims(epoch, &money))
            (statement(epoch))
            @if let Some(signed) = &self.signed { (signed.markup()) }
            (downloads(epoch.number))
            (self.source.as_of.as_ref().map(|cited| verify::epoch(&self.source, cited, verify::Pay::default())).unwrap_or_default())
            (neighbours(epoch.number))
        }
    }

    fn scripts(&self) -> &'static [&'static LazyLock<Asset>] {
        &VERIFIABLE
    }

    fn table(&self) -> Table {
        let row = |pool: &cairn_api::PoolInfo| {
            vec![
                pool.name.clone(),
                pool.size.clone(),
                pool.weight.clone(),
                pool.devices.to_string(),
                pool.paid.clone(),
                pool.recipients.to_string(),
            ]
        };
        let columns = &["pool", "size", "weight", "devices", "paid", "recipients"];
        let held = &self.epoch.balance;
        Table::of(columns, self.epoch.pools.iter().map(row).collect())
            .noting(in_base_units(&self.money()))
            .noting(format!("opening {} + minted {} + deposited {}", held.opening, held.minted, held.deposited))
            .noting(format!(
                "= paid {} + refunded {} + burned {} + escrow {} + vesting {} + unallocated {}",
                held.paid, held.refunded, held.burned, held.escrow, held.vesting, held.unallocated
            ))
            .noting(format!("every payout: /epochs/{}/payouts.csv", self.epoch.number))
    }
}

/// How what devices earned is spread over accounts.
fn spread(spread: &DistributionInfo, money: &Money) -> Markup {
    let best = count(spread.top_accounts, "account", "accounts");
    html! {
        h2 { "How pay is spread" }
        p.quiet { "Over accounts that earned for devices; rows without one (the residual pool, licences, refunds) are left out." }
        @if spread.accounts == 0 {
            p.empty { "No account earned anything." }
        } @else {
            (facts(&[
                ("Accounts", html! { (spread.accounts) }),
                ("Earned together", money.of(&spread.total)),
                ("Least", money.of(&spread.smallest)),
                ("Median", money.of(&spread.median)),
                ("Most", money.of(&spread.largest)),
                ("Gini coefficient", html! { (link::ppm(spread.gini_ppm)) " (0 %: all earn the same; near 100 %: one earns all)" }),
                ("The best-paid hundredth", html! { (best) " with " (link::ppm(spread.top_ppm)) }),
            ]))
            (histogram(&spread.buckets, money))
        }
    }
}

fn histogram(buckets: &[PayBucket], money: &Money) -> Markup {
    let bar = |bucket: &PayBucket| Bar {
        height: bucket.accounts,
        title: format!(
            "{} earned {} to {} {}",
            count(bucket.accounts, "account", "accounts"),
            money.tokens(&bucket.from),
            money.tokens(&bucket.to),
            money.symbol
        ),
    };
    let row = |bucket: &PayBucket| {
        vec![money.of(&bucket.from), money.of(&bucket.to), html! { (bucket.accounts) }, money.of(&bucket.paid)]
    };
    let columns = [numbers("From"), numbers("Below"), numbers("Accounts"), numbers("Earned together")];
    let most = buckets.iter().map(|bucket| bucket.accounts).max().unwrap_or(0);
    let earned = |units: Option<&String>| {
        units.map_or_else(String::new, |units| format!("{} {}", grouped(&money.tokens(units)), money.symbol))
    };
    let axes = Axes {
        x: (earned(buckets.first().map(|bucket| &bucket.from)), earned(buckets.last().map(|bucket| &bucket.to))),
        y: ((0, "0".to_owned()), (most.into(), count(most, "account", "accounts"))),
    };
    html! {
        (bars("Accounts by what they earned; the table below has the numbers", &buckets.iter().map(bar).collect::<Vec<_>>(), &axes))
        (table("Accounts by what they earned", &columns, &buckets.iter().map(row).collect::<Vec<_>>(), ""))
    }
}

/// What settlement chains may be claimed on.
fn claims(epoch: &EpochInfo, money: &Money) -> Markup {
    let rows: Vec<Vec<Markup>> = epoch
        .domains
        .iter()
        .map(|claims| {
            vec![
                link::code(&claims.domain),
                html! { (claims.leaves) },
                money.of(&claims.cumulative),
                link::code(&claims.distributor),
                link::code(&claims.claim_root),
            ]
        })
        .collect();
    let columns =
        [words("Chain"), numbers("Accounts"), numbers("Cumulative"), words("Distributor"), words("Claim root")];
    html! {
        h2 { "Claims" }
        (table("What contracts accept, in all epochs so far", &columns, &rows, "No settlement chain was attached."))
    }
}

/// The statement's hashes and ranges.
fn statement(epoch: &EpochInfo) -> Markup {
    let previous = html! {
        @match epoch.number.checked_sub(1) {
            Some(before) => { a href={ "/epochs/" (before) } { code { (epoch.previous) } } }
            None => { "none: this is the first" }
        }
    };
    let entries = html! {
        @if epoch.to > epoch.from {
            (link::entry(epoch.from)) " to " (link::entry(epoch.to - 1))
        } @else { "none" }
    };
    let mut rows = vec![
        ("Statement", link::code(&epoch.statement)),
        ("Statement before", previous),
        ("Entries", entries),
        ("The log's root", link::code(&epoch.log_root)),
        (
            "Policy",
            html! { a href={ "/v1/policies/" (epoch.policy_hash) } { code { (epoch.policy_hash) } } ", " a href="/policies" { "what policies changed" } },
        ),
        ("Engine's revision", html! { (epoch.engine_revision) }),
        ("Payout root", link::code(&epoch.payout_root)),
        ("State root", link::code(&epoch.state_root)),
    ];
    for class in &epoch.classes {
        rows.push(("Class", link::text(&class.class)));
        rows.push((
            "Its profile",
            html! { a href={ "/v1/profiles/" (class.profile_hash) } { code { (class.profile_hash) } } },
        ));
        rows.push(("Its verdict root", link::code(&class.verdict_root)));
    }
    html! {
        h2 { "The statement" }
        p.quiet { "Its hash is what auditors sign and what every number above comes under." }
        (facts(&rows))
    }
}

/// Where the tables behind the numbers are.
fn downloads(number: u64) -> Markup {
    html! {
        h2 { "Downloads" }
        ul {
            li { a href={ "/epochs/" (number) "/payouts.csv" } { "Every payout as CSV" } }
            li {
                a href={ "/epochs/" (number) "/verdicts.csv" } { "Every verdict as CSV" } " (or "
                a href={ "/epochs/" (number) "/verdicts" } { "page by page" } ")"
            }
            li { a href={ "/v1/epochs/" (number) } { "The statement as JSON" } }
            li { a href={ "/v1/epochs/" (number) "/verdicts" } { "The verdicts as JSON, in pages" } }
            li { a href={ "/v1/snapshots/" (number) } { "The snapshot: the state after this epoch" } ", of the last epochs only" }
            li { a href={ "/v1/epochs/" (number) "/signatures" } { "What auditors sign, and their signatures" } }
        }
        p.quiet {
            "The same addresses give the canonical bytes, which the hashes are over, to those who ask for "
            code { "application/cbor" } " (the statement) or " code { "application/cbor-seq" } " (the tables)."
        }
    }
}

fn neighbours(number: u64) -> Markup {
    html! {
        nav.pager aria-label="Other epochs" {
            @if let Some(before) = number.checked_sub(1) { a href={ "/epochs/" (before) } rel="prev" { "Epoch " (before) } }
            a href="/epochs" { "All epochs" }
        }
    }
}
