//! From what people paste to the page it names.

use cairn_core::geo::Cell;
use cairn_core::{Account, DeviceId, Hash, JobId};
use maud::{Markup, html};
use serde::Serialize;

use super::Page;
use crate::address::{Address, encode, number};
use crate::beside::{address as address_of, auditor};
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::link;
use crate::reader::Reader;
use crate::source::Source;

/// Characters that are looked for.
const QUERY_MAX: usize = 200;
/// Epochs whose statements are looked through for a hash.
const EPOCHS_MAX: u64 = 1_000;

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Search {
    #[serde(skip)]
    source: Source,
    /// What was looked for.
    query: String,
    found: Vec<Found>,
}

/// A page that the words name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Found {
    /// What it is.
    what: &'static str,
    /// Its name.
    name: String,
    /// Its address.
    path: String,
}

impl Search {
    /// Looks for what `q` names.
    ///
    /// # Errors
    /// [`ConsoleError`].
    pub fn read(reader: &Reader<'_>, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["q"])?;
        let query: String = address.text("q").unwrap_or_default().trim().chars().take(QUERY_MAX).collect();
        Ok(Self { source: reader.source(None)?, found: find(reader, &query)?, query })
    }

    /// Where to go, where only one page can be meant.
    pub fn only(&self) -> Option<&str> {
        match self.found.as_slice() {
            [only] => Some(&only.path),
            _ => None,
        }
    }
}

fn find(reader: &Reader<'_>, query: &str) -> Result<Vec<Found>, ConsoleError> {
    let mut found = Vec::new();
    if let Ok(device) = DeviceId::parse(query)
        && reader.has_device(&device)?
    {
        let name = device.to_string();
        found.push(Found { what: "device", path: format!("/devices/{name}"), name });
    }
    if let Some(auditor) = auditor(query)
        && reader.auditor_sets()?.iter().flat_map(|set| &set.auditors).any(|one| address_of(one) == auditor)
    {
        found.push(Found { what: "auditor", path: format!("/auditors/{auditor}"), name: auditor });
    }
    let mut accounts: Vec<Account> = Account::parse(query).into_iter().collect();
    for chain in reader.chains()? {
        accounts.extend(Account::parse(&format!("{chain}:{query}")));
    }
    for account in accounts {
        let name = account.to_string();
        found.push(Found { what: "account", path: format!("/accounts/{}", encode(&name)), name });
    }
    if let Ok(cell) = Cell::parse(query) {
        found.push(Found { what: "cell", path: format!("/cells/{cell}"), name: cell.to_string() });
    }
    if let Some(number) = number(query) {
        if reader.epoch(number).is_ok() {
            found.push(Found { what: "epoch", path: format!("/epochs/{number}"), name: number.to_string() });
        }
        if reader.log.published().is_some_and(|checkpoint| number < checkpoint.size()) {
            found.push(Found { what: "entry", path: format!("/entries/{number}"), name: number.to_string() });
        }
    }
    if let Some(hash) = Hash::from_hex(query) {
        found.extend(by_hash(reader, &hash.to_hex())?);
    }
    Ok(found)
}

/// The network, or an epoch's statement.
fn by_hash(reader: &Reader<'_>, hash: &str) -> Result<Vec<Found>, ConsoleError> {
    let mut found = Vec::new();
    if reader.network_id()?.0.to_hex() == hash {
        found.push(Found { what: "network", path: "/network".to_owned(), name: hash.to_owned() });
    }
    let job = JobId::parse(hash)?;
    if reader.has_job(&job)? {
        found.push(Found { what: "job", path: format!("/jobs/{job}"), name: job.to_string() });
    }
    if let Some(epoch) = reader.statements(EPOCHS_MAX)?.get(hash) {
        let path = format!("/epochs/{}", epoch.number);
        found.push(Found { what: "epoch statement", path, name: hash.to_owned() });
    }
    Ok(found)
}

impl Page for Search {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        if self.query.is_empty() { "Search".to_owned() } else { format!("Search for {}", self.query) }
    }

    fn main(&self) -> Markup {
        html! {
            @if self.found.is_empty() {
                @if !self.query.is_empty() { p { "Nothing here has that name." } }
                p.quiet {
                    "What can be looked for: a device (dev1…), an account (eip155:1:0x… or its address alone), a cell (15 digits of "
                    "H3), the number of an epoch or of an entry, a job, an auditor (0x…), the hash of an epoch's statement (of the last " (EPOCHS_MAX) " epochs), or the network's id."
                }
            } @else {
                ul { @for found in &self.found { li { (found.what) " " a href=(found.path) { (link::code(&found.name)) } } } }
            }
        }
    }

    fn table(&self) -> Table {
        let row = |found: &Found| vec![found.what.to_owned(), found.name.clone(), found.path.clone()];
        Table::of(&["what", "name", "path"], self.found.iter().map(row).collect())
    }
}
