//! What stations would be paid for and why: a line for each, or an account in words.
//!
//! A slot's outcome here is what it is worth: all, a part, nothing, or that it was not scored. What stands in the rows is
//! about single readings; what stands here is what a network would have said in its verdicts.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cairn_classes::sensing::{Code, Document, Quantity, SCHEMA, judge};
use cairn_classes::{ClassError, sentence};
use cairn_core::{DeviceId, PPM, Reason, Verdict};
use serde::Serialize;

use super::recording;
use crate::dataset::Dataset;
use crate::failure::Failure;
use crate::output::Output;
use crate::words::{count, utc};

/// The accounts of a recording's stations.
#[derive(Debug, Serialize)]
pub struct Accounts {
    profile: String,
    revision: u32,
    slot_ms: u64,
    stations: Vec<Account>,
}

/// The account of one station. Shares are in parts per million.
#[derive(Debug, Default, Serialize)]
struct Account {
    station: String,
    slots: u64,
    /// Slots worth all, though some of them untested.
    in_full: u64,
    /// Those worth all of which some quantity was not compared.
    untested: u64,
    in_part: u64,
    nothing: u64,
    unscored: u64,
    /// Mean over the scored slots; none when there are none.
    score_ppm: Option<u64>,
    first_ms: u64,
    last_ms: u64,
    /// The most expensive first.
    reasons: Vec<Lost>,
    #[serde(skip)]
    score_sum: u64,
    #[serde(skip)]
    by_reason: BTreeMap<(String, Option<Quantity>), Lost>,
}

/// What was lost for one reason.
#[derive(Debug, Clone, Serialize)]
struct Lost {
    code: String,
    /// The quantity's key, if the reason is about one.
    quantity: Option<&'static str>,
    slots: u64,
    /// Sum over the slots; a million is one slot. A slot's reasons may lose more together than it had.
    lost_ppm: u64,
    first_ms: u64,
    last_ms: u64,
    /// The worst of them, in words.
    worst: String,
    #[serde(skip)]
    worst_by: (u32, u64),
    #[serde(skip)]
    reason: Reason,
}

impl Accounts {
    /// Judges a recording; `only` names the stations to tell of, all when it is empty.
    ///
    /// # Errors
    /// When a station is not in the recording, or the judge refuses.
    pub fn of(
        dataset: &Dataset,
        document: &Document,
        profile: &str,
        only: &[String],
        mut done: impl FnMut(usize),
    ) -> Result<Self, Failure> {
        if let Some(name) = only.iter().find(|name| dataset.stations.iter().all(|station| station.name != **name)) {
            return Err(Failure::wrong("NET-STATION", format!("the recording has no station `{name}`")));
        }
        let devices = recording::devices(dataset);
        let numbers: BTreeMap<DeviceId, usize> = devices.iter().enumerate().map(|(n, &device)| (device, n)).collect();
        let mut accounts: Vec<Account> = dataset
            .stations
            .iter()
            .map(|station| Account { station: station.name.clone(), ..Account::default() })
            .collect();
        recording::replay(dataset, document, |docket| {
            let judged = judge(document.revision(), document, docket)?;
            for verdict in &judged.verdicts {
                accounts[numbers[&verdict.device]].take(verdict);
            }
            done(docket.fresh.len());
            Ok::<_, ClassError>(judged)
        })?;
        accounts.retain(|account| only.is_empty() || only.contains(&account.station));
        let named: Vec<(String, &str)> =
            devices.iter().zip(&dataset.stations).map(|(device, at)| (device.to_string(), at.name.as_str())).collect();
        for account in &mut accounts {
            account.settle(&named);
        }
        let (profile, slot_ms) = (profile.to_owned(), document.slot_ms());
        Ok(Self { profile, revision: document.revision(), slot_ms, stations: accounts })
    }

    /// Prints a line for each station.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn show_summary(&self, output: Output) -> Result<(), Failure> {
        output.show(self, |accounts| {
            let width =
                accounts.stations.iter().map(|account| account.station.chars().count()).max().unwrap_or(0).max(7);
            let mut text = format!(
                "{:<width$} {:>7} {:>7} {:>8} {:>7} {:>8} {:>8} {:>7}  worst reason\n",
                "station", "slots", "full", "untested", "part", "nothing", "unscored", "score"
            );
            for account in &accounts.stations {
                let share = |part| percent(part, account.slots);
                let score = account.score_ppm.map_or_else(|| "-".to_owned(), |ppm| percent(ppm, PPM.into()));
                let _ = writeln!(
                    text,
                    "{:<width$} {:>7} {:>7} {:>8} {:>7} {:>8} {:>8} {score:>7}  {}",
                    account.station,
                    account.slots,
                    share(account.in_full),
                    share(account.untested),
                    share(account.in_part),
                    share(account.nothing),
                    share(account.unscored),
                    account.reasons.iter().find(|lost| lost.lost_ppm > 0).map_or_else(|| "-".to_owned(), Lost::name),
                );
            }
            text
        })?;
        output.say(self.judged_by());
        Ok(())
    }

    /// Prints the accounts.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn show(&self, output: Output) -> Result<(), Failure> {
        output.show(self, |accounts| {
            let told: Vec<String> = accounts.stations.iter().map(Account::text).collect();
            told.join("\n")
        })?;
        output.say(self.judged_by());
        Ok(())
    }

    fn judged_by(&self) -> String {
        let slot = crate::words::duration(self.slot_ms);
        format!("under {}, revision {} of the judge, slots of {slot}", self.profile, self.revision)
    }
}

impl Account {
    fn take(&mut self, verdict: &Verdict) {
        if self.slots == 0 {
            self.first_ms = verdict.slot_ms;
        }
        self.slots += 1;
        self.last_ms = verdict.slot_ms;
        let score = verdict.score.get();
        if verdict.amount == 0 {
            self.unscored += 1;
        } else {
            self.score_sum += u64::from(score);
            *match score {
                PPM => &mut self.in_full,
                0 => &mut self.nothing,
                _ => &mut self.in_part,
            } += 1;
            let untested = verdict.reasons.iter().any(|reason| reason.code == Code::Untested.as_str());
            self.untested += u64::from(score == PPM && untested);
        }
        let mut seen = Vec::new();
        for reason in &verdict.reasons {
            let key = (reason.code.clone(), quantity_of(reason));
            let first_of_slot = !seen.contains(&key);
            let lost = self.by_reason.entry(key.clone()).or_insert_with(|| Lost::none(reason, verdict.slot_ms));
            lost.take(reason, verdict.slot_ms, first_of_slot);
            seen.push(key);
        }
    }

    /// Puts what was added up into the order and the words that are shown; device ids become stations' names.
    fn settle(&mut self, named: &[(String, &str)]) {
        self.score_ppm = self.score_sum.checked_div(self.slots - self.unscored);
        self.reasons = std::mem::take(&mut self.by_reason).into_values().collect();
        self.reasons.sort_by_key(|lost| core::cmp::Reverse((lost.lost_ppm, lost.slots)));
        for lost in &mut self.reasons {
            lost.worst = sentence(SCHEMA, &lost.reason);
            if lost.worst.contains("dev1") {
                for (device, name) in named {
                    lost.worst = lost.worst.replace(device, name);
                }
            }
        }
    }

    fn text(&self) -> String {
        if self.slots == 0 {
            return format!("{}: no slot is judged\n", self.station);
        }
        let slots = count(self.slots, "slot", "slots");
        let mut text = format!("{}: {slots} from {} to {}", self.station, utc(self.first_ms), utc(self.last_ms));
        if let Some(score) = self.score_ppm {
            let _ = write!(text, ", mean score {}", percent(score, PPM.into()));
        }
        text.push('\n');
        let shares = [
            (self.in_full, "worth all"),
            (self.in_part, "worth a part"),
            (self.nothing, "worth nothing"),
            (self.unscored, "not scored"),
        ];
        for (slots, what) in shares.into_iter().filter(|(slots, _)| *slots > 0) {
            let _ = write!(text, "  {:>7} {what}, {slots} of {}", percent(slots, self.slots), self.slots);
            if what == "worth all" && self.untested > 0 {
                let _ = write!(text, "; {} of them not compared in every quantity", self.untested);
            }
            text.push('\n');
        }
        for lost in &self.reasons {
            let _ = writeln!(text, "  {}", lost.text());
            let _ = writeln!(text, "    worst: {}", lost.worst);
        }
        text
    }
}

impl Lost {
    fn none(reason: &Reason, slot_ms: u64) -> Self {
        Self {
            code: reason.code.clone(),
            quantity: quantity_of(reason).map(Quantity::key),
            slots: 0,
            lost_ppm: 0,
            first_ms: slot_ms,
            last_ms: slot_ms,
            worst: String::new(),
            worst_by: (0, 0),
            reason: reason.clone(),
        }
    }

    fn take(&mut self, reason: &Reason, slot_ms: u64, first_of_slot: bool) {
        self.slots += u64::from(first_of_slot);
        self.lost_ppm += u64::from(reason.lost_ppm);
        self.last_ms = slot_ms;
        let by = (reason.lost_ppm, reason.observed.abs_diff(reason.threshold));
        // The first of equals stays.
        if by > self.worst_by {
            self.worst_by = by;
            self.reason = reason.clone();
        }
    }

    fn name(&self) -> String {
        self.quantity.map_or_else(|| self.code.clone(), |key| format!("{} {key}", self.code))
    }

    fn text(&self) -> String {
        let slots = count(self.slots, "slot", "slots");
        let lost = match self.lost_ppm {
            0 => "nothing lost".to_owned(),
            lost => format!("{} of a slot lost on average", percent(lost, self.slots * u64::from(PPM))),
        };
        let when = match (utc(self.first_ms), utc(self.last_ms)) {
            (first, last) if first == last => first,
            (first, last) => format!("{first} to {last}"),
        };
        format!("{}: {slots}, {lost}, {when}", self.name())
    }
}

/// The quantity that a reason is about: its check begins with the key.
pub fn quantity_of(reason: &Reason) -> Option<Quantity> {
    Quantity::of_key(reason.check.split_whitespace().next()?)
}

/// A share in percent with one decimal, rounded down: nothing short of the whole is called so.
fn percent(part: u64, whole: u64) -> String {
    let ppt = (u128::from(part) * 1_000).checked_div(u128::from(whole)).unwrap_or(0);
    format!("{}.{} %", ppt / 10, ppt % 10)
}
