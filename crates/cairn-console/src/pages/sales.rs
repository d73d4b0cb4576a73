//! The jobs that an epoch settled, a page at a time, in the order of the sales root's leaves.

use cairn_api::{EpochRef, SaleInfo};
use maud::{Markup, html};
use serde::Serialize;

use super::{Page, in_base_units, number};
use crate::address::{Address, Form};
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::link;
use crate::markup::table::{numbers, pager, table, words};
use crate::money::Money;
use crate::reader::Reader;
use crate::source::Source;

/// Sales on one page: their rows are long.
const ROWS_MAX: u64 = 50;

/// A page of sales.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sales {
    #[serde(skip)]
    source: Source,
    epoch: EpochRef,
    asset: Money,
    /// Jobs that the epoch settled.
    total: u64,
    /// The position of the first row here.
    after: u64,
    sales: Vec<SaleInfo>,
    /// The `after` of the next page; `null` on the last.
    next: Option<u64>,
}

/// The sum of amounts, base units.
pub(crate) fn sum<'a>(amounts: impl Iterator<Item = &'a String>) -> String {
    let amounts = amounts.map(|units| units.parse::<u128>().unwrap_or(0));
    amounts.fold(0u128, u128::saturating_add).to_string()
}

/// The parts of a sale that add up to what was locked: work, licences, returned, refunded.
pub(crate) fn parts(sale: &SaleInfo) -> [String; 4] {
    let refunded = sale.refund.as_ref().map_or_else(|| "0".to_owned(), |refund| refund.amount.clone());
    [
        sum(sale.work.iter().map(|sold| &sold.work)),
        sum(sale.licences.iter().map(|sold| &sold.amount)),
        sale.returned.clone(),
        refunded,
    ]
}

impl Sales {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`] for an epoch that has not closed.
    pub fn read(reader: &Reader<'_>, epoch: &str, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["after"])?;
        let epoch = number(epoch, "an epoch")?;
        let after = address.number("after")?.unwrap_or(0);
        let source = reader.source(Some(epoch))?;
        let limit = if address.form == Form::Html { ROWS_MAX } else { address.form.rows_max() };
        let list = reader.sales(epoch, after, limit)?;
        let asset = reader.money(Some(epoch))?;
        Ok(Self { source, epoch: list.epoch, asset, total: list.total, after, sales: list.sales, next: list.next })
    }
}

impl Page for Sales {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        format!("Jobs settled in epoch {}", self.epoch.number)
    }

    fn main(&self) -> Markup {
        let number = self.epoch.number;
        let columns = [
            words("Job"),
            numbers("Set aside"),
            numbers("For work"),
            numbers("For licences"),
            numbers("Back to credit"),
            numbers("Paid back"),
            numbers("Right workers"),
            words("Buyer"),
        ];
        let row = |sale: &SaleInfo| {
            let mut cells = vec![link::job_in(&sale.job, number), self.asset.of(&sale.locked)];
            cells.extend(parts(sale).iter().map(|units| self.asset.of(units)));
            cells.extend([html! { (sale.work.len()) }, link::account(&sale.buyer)]);
            cells
        };
        let rows: Vec<Vec<Markup>> = self.sales.iter().map(row).collect();
        let path = format!("/epochs/{number}/sales");
        let next = self.next.map(|next| format!("{path}?after={next}"));
        let caption = match rows.len() as u64 {
            0 => "Settled jobs".to_owned(),
            shown => format!("Settled jobs {} to {} of {}", self.after + 1, self.after + shown, self.total),
        };
        html! {
            p {
                a href={ "/epochs/" (number) } { "Epoch " (number) } " settled " (self.total)
                " jobs. What was set aside for each is the sum of the four amounts behind it."
            }
            (table(&caption, &columns, &rows, "There is none from here on."))
            (pager((self.after > 0).then_some(path.as_str()), next.as_deref(), "Next jobs"))
        }
    }

    fn table(&self) -> Table {
        let columns =
            &["job", "order", "buyer", "locked", "work", "licences", "returned", "refunded", "burned", "right_workers"];
        let row = |sale: &SaleInfo| {
            let mut fields = vec![sale.job.clone(), sale.order.to_string(), sale.buyer.clone(), sale.locked.clone()];
            fields.extend(parts(sale));
            fields.extend([sum(sale.work.iter().map(|sold| &sold.burned)), sale.work.len().to_string()]);
            fields
        };
        let table = Table::of(columns, self.sales.iter().map(row).collect())
            .noting(in_base_units(&self.asset))
            .noting(format!("rows from {} on, of {}; burned is a part of work", self.after, self.total));
        match self.next {
            Some(next) => table.noting(format!("next: /epochs/{}/sales.csv?after={next}", self.epoch.number)),
            None => table,
        }
    }
}
