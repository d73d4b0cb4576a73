//! Every payout row of an epoch, a page at a time, in the order of the payout root's leaves.

use std::sync::LazyLock;

use cairn_api::{EpochRef, PayoutInfo};
use maud::{Markup, html};
use serde::Serialize;

use super::{Page, in_base_units, number};
use crate::address::{Address, Form};
use crate::assets::{Asset, VERIFIABLE};
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::table::{numbers, pager, table, words};
use crate::markup::{link, verify};
use crate::money::Money;
use crate::reader::Reader;
use crate::rows::Rows;
use crate::source::Source;

/// A page of payout rows.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Payouts {
    #[serde(skip)]
    source: Source,
    epoch: EpochRef,
    asset: Money,
    /// Rows in the epoch.
    total: u64,
    /// The position of the first row here.
    after: u64,
    payouts: Vec<PayoutInfo>,
    /// The `after` of the next page; `null` on the last.
    next: Option<u64>,
    /// What follows in CSV, which is the whole table from `after` on.
    #[serde(skip)]
    more: Option<Rows>,
}

/// The fields of a row, in the order of its columns.
pub(crate) fn row(payout: &PayoutInfo) -> Vec<String> {
    vec![
        payout.account.clone(),
        payout.device.clone().unwrap_or_default(),
        payout.pool.clone(),
        payout.weight.to_string(),
        payout.amount.clone(),
    ]
}

impl Payouts {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`] for an epoch that has not closed.
    pub fn read(reader: &Reader<'_>, epoch: &str, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["after"])?;
        let epoch = number(epoch, "an epoch")?;
        let after = address.number("after")?.unwrap_or(0);
        let source = reader.source(Some(epoch))?;
        let asset = reader.money(Some(epoch))?;
        let list = reader.payouts(epoch, after, address.form.rows_max())?;
        let (total, payouts, next) = (list.total, list.payouts, list.next);
        let more = match next {
            Some(next) if address.form == Form::Csv => Some(reader.payout_rows(epoch, next, Form::Csv.rows_max())?),
            _ => None,
        };
        Ok(Self { source, epoch: list.epoch, asset, total, after, payouts, next, more })
    }
}

impl Page for Payouts {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        format!("Payouts of epoch {}", self.epoch.number)
    }

    fn main(&self) -> Markup {
        let number = self.epoch.number;
        let columns =
            [words("Account"), words("Device"), words("Pool"), numbers("Weight"), numbers("Amount"), words("Why")];
        let row = |payout: &PayoutInfo| {
            let (device, why) = match &payout.device {
                Some(device) => (link::device(device), link::why(device, number, "why")),
                None => (html! { span.quiet { "none" } }, html! {}),
            };
            let amount = self.asset.of(&payout.amount);
            vec![
                link::account(&payout.account),
                device,
                link::text(&payout.pool),
                html! { (payout.weight) },
                amount,
                why,
            ]
        };
        let rows: Vec<Vec<Markup>> = self.payouts.iter().map(row).collect();
        let path = format!("/epochs/{number}/payouts");
        let next = self.next.map(|next| format!("{path}?after={next}"));
        let caption = match rows.len() as u64 {
            0 => "Payout rows".to_owned(),
            shown => format!("Payout rows {} to {} of {}", self.after + 1, self.after + shown, self.total),
        };
        html! {
            p { a href={ "/epochs/" (number) } { "Epoch " (number) } " paid in " (self.total) " rows." }
            (table(&caption, &columns, &rows, "There is no row from here on."))
            (pager((self.after > 0).then_some(path.as_str()), next.as_deref(), "Next rows"))
            (verify::epoch(&self.source, &self.epoch, verify::Pay::default()))
        }
    }

    fn scripts(&self) -> &'static [&'static LazyLock<Asset>] {
        &VERIFIABLE
    }

    fn table(&self) -> Table {
        let columns = &["account", "device", "pool", "weight", "amount"];
        Table::of(columns, self.payouts.iter().map(row).collect())
            .noting(in_base_units(&self.asset))
            .noting(format!("rows from {} on, of {}", self.after, self.total))
    }

    fn more(&self) -> Option<Rows> {
        self.more.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_the_longest_rows_is_small() {
        let longest = PayoutInfo {
            account: format!("solana:{}:{}", "5".repeat(32), "z".repeat(44)),
            device: Some(format!("dev1{}", "w".repeat(26))),
            pool: "p".repeat(32),
            weight: u64::MAX,
            amount: u128::MAX.to_string(),
        };
        let epoch = EpochRef { number: u64::MAX, statement: "f".repeat(64) };
        let source = Source {
            network: "n".repeat(64),
            network_id: "0".repeat(64),
            as_of: Some(epoch.clone()),
            rehearsed: vec!["&".repeat(200); 16],
        };
        let rows = usize::try_from(Form::Html.rows_max()).unwrap();
        let page = Payouts {
            source,
            epoch,
            asset: Money { symbol: "S".repeat(11), decimals: 18 },
            total: u64::MAX,
            after: u64::MAX - 100,
            payouts: vec![longest; rows],
            next: Some(u64::MAX),
            more: None,
        };
        let address = Address::read("/epochs/18446744073709551615/payouts", "after=1").unwrap();
        let html = crate::markup::layout::whole(&page, &address);
        assert!(html.len() < 100_000, "{} bytes", html.len());
    }
}
