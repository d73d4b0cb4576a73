//! An account: what it was given, epoch by epoch, and its devices.

mod chain;

use std::sync::LazyLock;

use cairn_api::{AccountEpoch, AccountInfo, ClaimInfo, EpochRef};
use cairn_core::Amount;
use maud::{Markup, html};
use serde::Serialize;

use self::chain::OnChain;
use super::as_of::{AS_OF, AsOf};
use super::{Page, in_base_units};
use crate::address::{Address, encode};
use crate::assets::{Asset, VERIFIABLE};
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::table::{facts, numbers, pager, table, words};
use crate::markup::{link, verify};
use crate::money::Money;
use crate::reader::Reader;
use crate::source::Source;

/// Devices that are listed.
const DEVICES_MAX: usize = 200;
/// Closed epochs that a page looks back over.
const EPOCHS: u64 = 48;
/// The same for a file.
const EPOCHS_IN_FILE: u64 = 1_000;

/// The page of an account.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Account {
    #[serde(skip)]
    source: Source,
    account: String,
    /// The account that is paid for its devices.
    payee: String,
    asset: Money,
    /// Everything it was given up to the epoch that this page cites, base units; `null` for an epoch that is too far away from
    /// the first and from the last for adding up.
    cumulative: Option<String>,
    /// Devices it owns.
    devices_total: u64,
    /// The first of them.
    devices: Vec<String>,
    /// The closed epochs that gave it something, newest first.
    epochs: Vec<AccountEpoch>,
    /// The `before` of the page of earlier epochs; `null` where there are none.
    next: Option<u64>,
    /// What a contract accepts.
    claim: Option<ClaimInfo>,
    /// How it stands on its chain; `null` where that is none of the network's, and on pages as of an epoch, since what a chain
    /// paid belongs to none.
    on_chain: Option<OnChain>,
    #[serde(skip)]
    as_of: AsOf,
    #[serde(skip)]
    is_first: bool,
}

impl Account {
    /// Reads the page; an account that nobody named has earned nothing.
    ///
    /// # Errors
    /// [`ConsoleError`] for what is no account.
    pub fn read(reader: &Reader<'_>, id: &str, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["before", AS_OF])?;
        let (account, before) = (cairn_core::Account::parse(id)?, address.number("before")?);
        let as_of = AsOf::read(reader, address)?;
        let limit = if address.form == crate::Form::Html { EPOCHS } else { EPOCHS_IN_FILE };
        let (info, (epochs, next)) = reader.account(&account, as_of.before(before), limit)?;
        let cumulative = match as_of.epoch {
            Some(epoch) => reader.cumulative_at(&account, epoch)?,
            None => Some(Amount::ZERO),
        };
        let on_chain = match as_of.epoch.filter(|_| !as_of.is_fixed) {
            Some(epoch) => OnChain::read(reader, &account, epoch)?,
            None => None,
        };
        let AccountInfo { account, cumulative: _, payee, mut devices, claim, epochs: _ } = info;
        let devices_total = devices.len() as u64;
        devices.truncate(DEVICES_MAX);
        Ok(Self {
            source: reader.source(as_of.epoch)?,
            asset: reader.money(as_of.epoch)?,
            account,
            payee,
            cumulative: cumulative.map(|amount| amount.to_string()),
            devices_total,
            devices,
            epochs,
            next,
            // A claim is always of the last closed epoch.
            claim: claim.filter(|claim| Some(claim.epoch.number) == as_of.epoch),
            on_chain,
            as_of,
            is_first: before.is_none(),
        })
    }
}

impl Page for Account {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        format!("Account {}", self.account)
    }

    fn main(&self) -> Markup {
        html! {
            (self.as_of.markup(&self.path()))
            (facts(&[
                ("Given in all", self.given()),
                ("Paid to, as the log stands now", link::account(&self.payee)),
                ("Devices, as the log stands now", link::count(self.devices_total)),
            ]))
            @if let Some(on_chain) = &self.on_chain { (on_chain.markup(&self.asset)) }
            (self.history())
            h2 { "Devices" }
            @if self.devices.is_empty() { p.empty { "It owns none." } } @else {
                ul { @for device in &self.devices { li { (link::device(device)) } } }
            }
            @if (self.devices.len() as u64) < self.devices_total {
                p.quiet { "The first " (self.devices.len()) " of " (self.devices_total) "." }
            }
            @if let Some(claim) = &self.claim { (self.claim(claim)) }
            @if let Some(cited) = &self.source.as_of { (self.check(cited)) }
        }
    }

    fn scripts(&self) -> &'static [&'static LazyLock<Asset>] {
        &VERIFIABLE
    }

    fn table(&self) -> Table {
        let row = |epoch: &AccountEpoch| {
            vec![epoch.epoch.number.to_string(), epoch.epoch.statement.clone(), epoch.paid.clone()]
        };
        let table = Table::of(&["epoch", "statement", "paid"], self.epochs.iter().map(row).collect())
            .noting(format!("account {}", self.account))
            .noting(in_base_units(&self.asset))
            .noting(format!("cumulative {}", self.cumulative.as_deref().unwrap_or("is not added up here")));
        match self.next {
            Some(next) => {
                let path = self.as_of.path(&format!("{}.csv", self.path()), Some(("before", next)));
                table.noting(format!("earlier epochs: {path}"))
            }
            None => table,
        }
    }
}

impl Account {
    fn path(&self) -> String {
        format!("/accounts/{}", encode(&self.account))
    }

    fn given(&self) -> Markup {
        match &self.cumulative {
            Some(units) => self.asset.of(units),
            None => html! { span.quiet { "not added up here: too many epochs; the CSV has every one" } },
        }
    }

    fn history(&self) -> Markup {
        let row = |epoch: &AccountEpoch| {
            vec![link::epoch(epoch.epoch.number), self.asset.of(&epoch.paid), link::statement(&epoch.epoch)]
        };
        let rows: Vec<Vec<Markup>> = self.epochs.iter().map(row).collect();
        let first = self.as_of.path(&self.path(), None);
        let next = self.next.map(|next| self.as_of.path(&self.path(), Some(("before", next))));
        let columns = [numbers("Epoch"), numbers("Given"), words("Statement")];
        html! {
            h2 { "Earnings" }
            p { a href={ (self.path()) "/tax" } { "For taxes: every epoch of a year, with its period, kind and proof" } }
            (table("Epochs that gave it something, newest first", &columns, &rows, "These epochs gave it nothing."))
            (pager((!self.is_first).then_some(first.as_str()), next.as_deref(), "Earlier epochs"))
        }
    }

    /// The check of what it was given in the epoch that the page cites, and of its claim.
    fn check(&self, cited: &EpochRef) -> Markup {
        let given = self.epochs.iter().find(|epoch| epoch.epoch == *cited).map_or("0", |epoch| epoch.paid.as_str());
        verify::epoch(
            &self.source,
            cited,
            verify::Pay {
                account: Some(&self.account),
                // Pages of earlier epochs do not show the last one's.
                paid: self.is_first.then_some(given),
                claim: self.claim.as_ref().filter(|claim| claim.epoch == *cited),
                ..verify::Pay::default()
            },
        )
    }

    fn claim(&self, claim: &ClaimInfo) -> Markup {
        html! {
            h2 { "Claim" }
            p { "What a contract accepts: one claim covers every epoch up to this one." }
            (facts(&[
                ("Chain", link::code(&claim.domain)),
                ("Cumulative", self.asset.of(&claim.cumulative)),
                ("Claim root", link::code(&claim.root)),
                ("Leaf", link::code(&claim.leaf)),
                ("Proof", html! { @for hash in &claim.proof { div { (link::code(hash)) } } }),
            ]))
        }
    }
}
