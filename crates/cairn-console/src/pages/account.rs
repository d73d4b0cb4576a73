//! An account: what it was given, epoch by epoch, and its devices.

use cairn_api::{AccountEpoch, AccountInfo, ClaimInfo};
use maud::{Markup, html};
use serde::Serialize;

use super::{Page, in_base_units};
use crate::address::{Address, encode};
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::link;
use crate::markup::table::{facts, numbers, pager, table, words};
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
    /// Everything it was given up to the epoch that this page cites, base units.
    cumulative: String,
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
    #[serde(skip)]
    is_first: bool,
}

impl Account {
    /// Reads the page; an account that nobody named has earned nothing.
    ///
    /// # Errors
    /// [`ConsoleError`] for what is no account.
    pub fn read(reader: &Reader<'_>, id: &str, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["before"])?;
        let (account, before) = (cairn_core::Account::parse(id)?, address.number("before")?);
        let limit = if address.form == crate::Form::Html { EPOCHS } else { EPOCHS_IN_FILE };
        let (last, info, (epochs, next)) = reader.account(&account, before, limit)?;
        let AccountInfo { account, cumulative, payee, mut devices, claim, epochs: _ } = info;
        let devices_total = devices.len() as u64;
        devices.truncate(DEVICES_MAX);
        Ok(Self {
            source: reader.source(last)?,
            asset: reader.money(last)?,
            account,
            payee,
            cumulative,
            devices_total,
            devices,
            epochs,
            next,
            claim,
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
            (facts(&[
                ("Given in all", self.asset.of(&self.cumulative)),
                ("Paid to", link::account(&self.payee)),
                ("Devices, as the log stands now", html! { (self.devices_total) }),
            ]))
            (self.history())
            h2 { "Devices" }
            @if self.devices.is_empty() { p.empty { "It owns none." } } @else {
                ul { @for device in &self.devices { li { (link::device(device)) } } }
            }
            @if (self.devices.len() as u64) < self.devices_total {
                p.quiet { "The first " (self.devices.len()) " of " (self.devices_total) "." }
            }
            @if let Some(claim) = &self.claim { (self.claim(claim)) }
        }
    }

    fn table(&self) -> Table {
        let row = |epoch: &AccountEpoch| {
            vec![epoch.epoch.number.to_string(), epoch.epoch.statement.clone(), epoch.paid.clone()]
        };
        let table = Table::of(&["epoch", "statement", "paid"], self.epochs.iter().map(row).collect())
            .noting(format!("account {}", self.account))
            .noting(in_base_units(&self.asset))
            .noting(format!("cumulative {}", self.cumulative));
        match self.next {
            Some(next) => {
                table.noting(format!("earlier epochs: /accounts/{}.csv?before={next}", encode(&self.account)))
            }
            None => table,
        }
    }
}

impl Account {
    fn history(&self) -> Markup {
        let row = |epoch: &AccountEpoch| {
            vec![link::epoch(epoch.epoch.number), self.asset.of(&epoch.paid), link::statement(&epoch.epoch)]
        };
        let rows: Vec<Vec<Markup>> = self.epochs.iter().map(row).collect();
        let path = format!("/accounts/{}", encode(&self.account));
        let next = self.next.map(|next| format!("{path}?before={next}"));
        let columns = [numbers("Epoch"), numbers("Given"), words("Statement")];
        html! {
            h2 { "Earnings" }
            (table("Epochs that gave it something, newest first", &columns, &rows, "These epochs gave it nothing."))
            (pager((!self.is_first).then_some(path.as_str()), next.as_deref(), "Earlier epochs"))
        }
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
