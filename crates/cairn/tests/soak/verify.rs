//! When all is over: the log, the views and the money, held against the books.

use std::collections::BTreeSet;
use std::path::Path;

use cairn_client::Client;
use cairn_core::cose::Sign1;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::observation::{Observation, SOURCE_CLOCK};
use cairn_core::statement::Statement;
use cairn_core::{DeviceId, Hash, NetworkId};
use cairn_log::{LogReader, StdDisk};
use cairn_merkle::tree::leaf_hash;
use serde::Serialize;

use crate::books::{Books, Fate};
use crate::device::identity;
use crate::server::cairn;

/// What the log holds.
#[derive(Debug, Default, Serialize)]
pub struct InLog {
    pub entries: u64,
    pub bytes: u64,
    pub reports: u64,
    pub statements: u64,
    pub epoch_statements: u64,
    pub clock_observations: u64,
    /// Reports whose first answer was lost, and that a later answer confirmed.
    pub reports_known_after_loss: u64,
    /// Reports in the log whose answer never came: their entries.
    pub reports_never_answered: Vec<u64>,
    pub promises: u64,
}

/// What became of the money.
#[derive(Debug, Default, Serialize)]
pub struct Money {
    pub epochs: u64,
    pub paying_epochs: u64,
    pub payout_rows: u64,
    pub paid: String,
    pub minted: String,
}

/// Runs a command and holds it to its exit code 0; its standard output.
pub fn holds(folder: &Path, books: &Books, arguments: &[&str]) -> String {
    let ran = cairn(folder, arguments);
    if ran.code != Some(0) {
        let said: String = format!("{}{}", ran.stdout, ran.stderr).chars().take(3_000).collect();
        books.wrong(format!("`cairn {}` ends with {:?}: {said}", arguments.join(" "), ran.code));
    }
    ran.stdout
}

/// Reads the whole log of a network that is stopped, and holds every entry against the books.
pub fn read_log(folder: &Path, books: &Books) -> InLog {
    let disk = StdDisk::create(folder.join("net/log")).unwrap();
    let log = LogReader::open(&disk).unwrap();
    let mut reading = Reading {
        books,
        found: InLog::default(),
        seen: BTreeSet::new(),
        reports: books.reports(),
        statements: books.statements(),
    };
    let promises = books.promises();
    reading.found.promises = promises.len() as u64;
    for chunk in log.entries(0..log.size()) {
        for (index, bytes) in chunk.unwrap().iter() {
            reading.found.entries += 1;
            reading.found.bytes += bytes.len() as u64;
            if promises.get(&index).is_some_and(|promised| *promised != leaf_hash(bytes)) {
                books.wrong(format!("entry {index} is not the one that was promised"));
            }
            reading.entry(index, &Entry::decode(bytes).unwrap());
        }
    }
    if let Some((last, _)) = promises.last_key_value().filter(|(last, _)| **last >= log.size()) {
        books.wrong(format!("entry {last} was promised; the log ends at {}", log.size()));
    }
    reading.finish()
}

struct Reading<'a> {
    books: &'a Books,
    found: InLog,
    seen: BTreeSet<Hash>,
    reports: std::collections::BTreeMap<Hash, Fate>,
    statements: std::collections::BTreeMap<Hash, Fate>,
}

impl Reading<'_> {
    fn entry(&mut self, index: u64, entry: &Entry<'_>) {
        match entry.kind {
            EntryKind::Report => {
                self.found.reports += 1;
                let sign = Sign1::parse(entry.body).ok();
                let identity = sign.map(|sign| identity(DeviceId(sign.key_id), sign.payload));
                let fate = identity.and_then(|identity| self.reports.get(&identity));
                match fate {
                    Some(Fate::Accepted(at)) if *at == index => {}
                    Some(Fate::KnownAfterLoss(Some(at))) if *at == index => self.found.reports_known_after_loss += 1,
                    Some(Fate::Unknown | Fate::RefusedAfterLoss(_)) => self.found.reports_never_answered.push(index),
                    fate => self.books.wrong(format!("the log has report {index}, of which the books say {fate:?}")),
                }
                if identity.is_none_or(|identity| !self.seen.insert(identity)) {
                    self.books.wrong(format!("report {index} is in the log twice"));
                }
            }
            EntryKind::Statement => {
                self.found.statements += 1;
                let statement = Statement::parse(entry.body).unwrap();
                let fate = self.statements.get(&statement.payload_hash());
                let is_founding = index < 4 && fate.is_none();
                let is_fine = match fate {
                    Some(Fate::Accepted(at)) => *at == index,
                    Some(Fate::KnownAfterLoss(_) | Fate::Unknown | Fate::RefusedAfterLoss(_)) => true,
                    _ => is_founding,
                };
                if !is_fine {
                    self.books.wrong(format!("the log has statement {index}, of which the books say {fate:?}"));
                }
                if !self.seen.insert(statement.payload_hash()) {
                    self.books.wrong(format!("statement {index} is in the log twice"));
                }
            }
            EntryKind::Observation => {
                self.found.clock_observations += 1;
                let source = Observation::parse(entry.body).map(|observation| observation.body.source);
                if source.as_deref() != Ok(SOURCE_CLOCK) {
                    self.books.wrong(format!("the log has observation {index} of {source:?}"));
                }
            }
            EntryKind::Epoch => self.found.epoch_statements += 1,
        }
    }

    /// Everything that was accepted must have been met.
    fn finish(self) -> InLog {
        for (identity, fate) in self.reports.iter().chain(&self.statements) {
            let is_due = matches!(fate, Fate::Accepted(_) | Fate::KnownAfterLoss(_));
            if is_due && !self.seen.contains(identity) {
                self.books.wrong(format!("what was {fate:?} is not in the log"));
            }
        }
        let accepted = self.reports.values().filter(|fate| matches!(fate, Fate::Accepted(_))).count() as u64;
        let InLog { reports, reports_known_after_loss: known, reports_never_answered: never, .. } = &self.found;
        if *reports != accepted + known + never.len() as u64 {
            let never = never.len();
            self.books.wrong(format!(
                "the log has {reports} reports; {accepted} were accepted, {known} known after a loss, {never} never answered"
            ));
        }
        self.found
    }
}

fn base_units(text: &str) -> u128 {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no amount"))
}

/// Adds up every epoch, and chains each to the one before.
pub fn add_up(client: &Client, books: &Books) -> Money {
    let mut money = Money::default();
    let (mut before, mut opening_after, mut paid, mut minted) = (None, None, 0, 0);
    loop {
        let page = client.epochs(before, Some(100)).unwrap();
        for epoch in &page.epochs {
            let balance = &epoch.balance;
            let sum = |parts: &[&String]| parts.iter().map(|part| base_units(part)).sum::<u128>();
            let closing = sum(&[&balance.escrow, &balance.vesting, &balance.unallocated]);
            let (came, went) = (
                sum(&[&balance.opening, &balance.minted, &balance.deposited]),
                sum(&[&balance.paid, &balance.refunded, &balance.burned]) + closing,
            );
            if came != went {
                books.wrong(format!("epoch {}: {came} came, {went} went or stayed", epoch.number));
            }
            // Newest first: what the one before opened with is what this one closed with.
            if opening_after.is_some_and(|opening| opening != closing) {
                books.wrong(format!("epoch {} closes with {closing}; the next opens otherwise", epoch.number));
            }
            opening_after = Some(base_units(&balance.opening));
            let (rows, of_devices, sum) = payouts(client, epoch.number);
            if sum != base_units(&balance.paid) {
                books.wrong(format!("epoch {}: payouts add up to {sum}, paid is {}", epoch.number, balance.paid));
            }
            money.epochs += 1;
            money.paying_epochs += u64::from(of_devices > 0);
            money.payout_rows += rows;
            paid += base_units(&balance.paid);
            minted += base_units(&balance.minted);
        }
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    (money.paid, money.minted) = (paid.to_string(), minted.to_string());
    money
}

/// Rows, those of devices, and their sum.
fn payouts(client: &Client, epoch: u64) -> (u64, u64, u128) {
    let (mut rows, mut of_devices, mut sum, mut after) = (0, 0, 0, None);
    loop {
        let page = client.payouts(epoch, after, Some(500), None).unwrap();
        rows += page.payouts.len() as u64;
        of_devices += page.payouts.iter().filter(|payout| payout.device.is_some()).count() as u64;
        sum += page.payouts.iter().map(|payout| base_units(&payout.amount)).sum::<u128>();
        match page.next {
            Some(next) => after = Some(next),
            None => return (rows, of_devices, sum),
        }
    }
}

/// Audits what is served, and an export, from the first entry on.
pub fn audit(folder: &Path, books: &Books, network: &NetworkId, source: &str) {
    let id = network.0.to_hex();
    let said = holds(folder, books, &["audit", source, "--network", &id, "--json"]);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
    if !said.contains("\"result\": \"pass\"") {
        books.wrong(format!("the audit of {source} does not pass: {report}"));
    }
}

/// Bytes of all files below a folder.
pub fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(about) if about.is_dir() => bytes_below(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}
