//! One module for each page: how its view model is read, and how it is shown.

pub(crate) mod account;
pub(crate) mod as_of;
pub(crate) mod auditor;
pub(crate) mod auditors;
pub(crate) mod cell;
pub(crate) mod changes;
mod decoded;
pub(crate) mod denials;
pub(crate) mod device;
pub(crate) mod entry;
pub(crate) mod epoch;
pub(crate) mod epochs;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod map;
pub(crate) mod network;
pub(crate) mod payouts;
pub(crate) mod policies;
pub(crate) mod readings;
pub(crate) mod sales;
pub(crate) mod search;
pub(crate) mod status;
pub(crate) mod tax;
pub(crate) mod verdicts;
pub(crate) mod why;

use std::sync::LazyLock;

use maud::Markup;
use serde::Serialize;

use crate::ConsoleError;
use crate::assets::Asset;
use crate::csv::Table;
use crate::rows::Rows;
use crate::source::Source;

/// A page: a view model that is serialised as its JSON twin, with the markup and the table that show the same.
pub(crate) trait Page: Serialize {
    /// Where its numbers come from.
    fn source(&self) -> &Source;
    /// Its heading.
    fn title(&self) -> String;
    /// What stands below the heading.
    fn main(&self) -> Markup;
    /// Its main table.
    fn table(&self) -> Table;
    /// The scripts that make it more comfortable, in their order. Whatever the page says, it says without them.
    fn scripts(&self) -> &'static [&'static LazyLock<Asset>] {
        &[]
    }
    /// The style sheets beside the one of all pages.
    fn styles(&self) -> &'static [&'static LazyLock<Asset>] {
        &[]
    }
    /// The rows that follow it in CSV.
    fn more(&self) -> Option<Rows> {
        None
    }
}

/// A number in a path.
pub(crate) fn number(text: &str, what: &str) -> Result<u64, ConsoleError> {
    let detail = || format!("{what} is a whole number below 2^64, not `{text}`");
    crate::address::number(text).ok_or_else(|| ConsoleError::bad("NET-NUMBER", detail()))
}

/// The note of tables with amounts.
pub(crate) fn in_base_units(money: &crate::money::Money) -> String {
    format!("amounts are base units of {}, which has {} decimals", money.symbol, money.decimals)
}
