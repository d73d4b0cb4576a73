//! What the demo says at the end: read over HTTP from the epoch statements and the tables under their roots.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cairn_client::Client;
use cairn_core::epoch::EpochStatement;
use cairn_core::{Amount, DeviceId, PPM, Payout, Reason, Verdict};
use cairn_ledger::split_rows;
use serde::Serialize;

use super::cast::Cast;
use super::replay::{Sender, Tallies, Tally};
use crate::failure::Failure;

/// Rows of the tables of earners and scores.
const SHOWN: usize = 5;

/// What one reason took.
#[derive(Debug, Clone, Default)]
struct Losses {
    times: u64,
    lost_ppm: u64,
    /// One that shows it, with its epoch.
    example: Option<(u64, Reason)>,
}

/// What a device got, over all epochs.
#[derive(Debug, Clone, Default)]
struct Account {
    delivered: u128,
    weight: u128,
    paid: Amount,
    passed: u64,
    /// What each reason took, by code.
    reasons: BTreeMap<String, Losses>,
}

/// Everything paid and judged, over all epochs.
#[derive(Debug, Default)]
pub struct Books {
    devices: BTreeMap<DeviceId, Account>,
    balance: Balance,
    epochs: u64,
    symbol: String,
}

/// The token over all epochs, in base units.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Balance {
    #[serde(serialize_with = "as_text")]
    minted: Amount,
    /// What buyers paid in.
    #[serde(serialize_with = "as_text")]
    deposited: Amount,
    #[serde(serialize_with = "as_text")]
    paid: Amount,
    #[serde(serialize_with = "as_text")]
    burned: Amount,
    #[serde(serialize_with = "as_text")]
    unallocated: Amount,
    /// What buyers paid in and have not spent.
    #[serde(serialize_with = "as_text")]
    credit: Amount,
    balances: bool,
}

impl Books {
    /// Reads every closed epoch.
    ///
    /// # Errors
    /// When the gateway does not serve one, or serves what is not an epoch's table.
    pub fn read(client: &Client, epochs: u64) -> Result<Self, Failure> {
        let mut books = Self { epochs, balance: Balance { balances: true, ..Balance::default() }, ..Self::default() };
        for epoch in 0..epochs {
            let statement = EpochStatement::decode(&client.epoch_bytes(epoch)?).map_err(bad_table)?;
            books.add_statement(&statement);
            for row in split_rows(&client.verdict_rows(epoch)?).map_err(bad_table)? {
                books.add_verdict(epoch, Verdict::decode(row).map_err(bad_table)?);
            }
            for row in split_rows(&client.payout_rows(epoch)?).map_err(bad_table)? {
                books.add_payout(&Payout::decode(row).map_err(bad_table)?);
            }
        }
        Ok(books)
    }

    fn add_statement(&mut self, statement: &EpochStatement) {
        let (symbol, asset) = &statement.asset;
        let balance = &mut self.balance;
        balance.minted = sum(balance.minted, asset.minted);
        balance.deposited = sum(balance.deposited, asset.deposited);
        balance.paid = sum(balance.paid, asset.paid);
        balance.burned = sum(balance.burned, asset.burned);
        balance.unallocated = asset.unallocated;
        balance.credit = asset.escrow;
        balance.balances &= asset.balances();
        self.symbol.clone_from(symbol);
    }

    fn add_verdict(&mut self, epoch: u64, verdict: Verdict) {
        let account = self.devices.entry(verdict.device).or_default();
        account.delivered += u128::from(verdict.amount);
        account.weight += u128::from(verdict.weight());
        account.passed += u64::from(verdict.amount > 0 && verdict.weight() == verdict.amount);
        for reason in verdict.reasons {
            let losses = account.reasons.entry(reason.code.clone()).or_default();
            losses.times += 1;
            losses.lost_ppm += u64::from(reason.lost_ppm);
            if losses.example.as_ref().is_none_or(|(_, worst)| worst.lost_ppm < reason.lost_ppm) {
                losses.example = Some((epoch, reason));
            }
        }
    }

    fn add_payout(&mut self, payout: &Payout) {
        if let Some(device) = payout.device {
            let account = self.devices.entry(device).or_default();
            account.paid = sum(account.paid, payout.amount);
        }
    }
}

/// JSON numbers end at 53 bits; amounts do not.
fn as_text<S: serde::Serializer>(amount: &Amount, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}

fn sum(a: Amount, b: Amount) -> Amount {
    a.checked_add(b).expect("a network's whole supply is below 2^128 base units")
}

fn bad_table(error: cairn_core::cbor::CborError) -> Failure {
    Failure::wrong("NET-TABLE", format!("the gateway served what is not an epoch's table: {error}"))
}

impl Account {
    fn score_ppm(&self) -> Option<u32> {
        let ppm = (self.weight * u128::from(PPM)).checked_div(self.delivered)?;
        u32::try_from(ppm).ok()
    }

    /// The reason that took most, with the epoch of an example.
    fn worst_reason(&self) -> Option<(&str, u64, u64, &Reason)> {
        let lost = self.reasons.iter().filter(|(_, losses)| losses.lost_ppm > 0);
        let (code, losses) = lost.max_by_key(|(_, losses)| losses.lost_ppm)?;
        let (epoch, reason) = losses.example.as_ref()?;
        Some((code, losses.times, *epoch, reason))
    }
}

/// One line of a table: a device and what it got.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// The station's or attacker's name.
    pub name: String,
    /// The device.
    pub device: String,
    /// Score over everything delivered; absent when nothing was judged.
    pub score_ppm: Option<u32>,
    /// Base units paid.
    #[serde(serialize_with = "as_text")]
    pub paid: Amount,
    /// Slots with the whole score.
    pub passed: u64,
    /// Slots that had too few neighbours to compare with.
    pub untested: u64,
    /// Why it lost most of what it lost.
    pub why: Option<String>,
    /// The epoch of the example in `why`.
    pub epoch: Option<u64>,
}

/// What became of one attacker.
#[derive(Debug, Clone, Serialize)]
pub struct AttackerLine {
    /// What it does.
    pub attack: &'static str,
    /// Reports sent, logged, known before.
    pub sent: u64,
    /// Reports in the log.
    pub accepted: u64,
    /// Reports that were there before.
    pub duplicate: u64,
    /// Reports refused, by code.
    pub rejected: BTreeMap<String, u64>,
    /// What its device got, if it has one.
    pub device: Option<Line>,
    /// The outcome in words.
    pub outcome: String,
}

impl Books {
    fn line(&self, name: &str, device: DeviceId) -> Line {
        let account = self.devices.get(&device).cloned().unwrap_or_default();
        let worst = account.worst_reason();
        let sentence = |reason: &Reason| cairn_classes::sentence(super::cast::CLASS, reason);
        Line {
            name: name.to_owned(),
            device: device.to_string(),
            score_ppm: account.score_ppm(),
            paid: account.paid,
            passed: account.passed,
            untested: account.reasons.get("SEN-UNTESTED").map_or(0, |losses| losses.times),
            why: worst.map(|(code, times, _, reason)| format!("{code} x{times}: {}", sentence(reason))),
            epoch: worst.map(|(_, _, epoch, _)| epoch),
        }
    }

    fn station_lines(&self, cast: &Cast) -> Vec<Line> {
        let judged = cast.stations.iter().filter(|station| self.devices.contains_key(&station.id));
        judged.map(|station| self.line(&station.name, station.id)).collect()
    }

    /// The stations that earned most.
    #[must_use]
    pub fn top_earners(&self, cast: &Cast) -> Vec<Line> {
        let mut lines = self.station_lines(cast);
        lines.sort_by(|a, b| (b.paid, &a.name).cmp(&(a.paid, &b.name)));
        lines.truncate(SHOWN);
        lines
    }

    /// The stations with the worst scores.
    #[must_use]
    pub fn worst_scores(&self, cast: &Cast) -> Vec<Line> {
        let mut lines = self.station_lines(cast);
        lines.retain(|line| line.score_ppm.is_some_and(|score| score < PPM));
        lines.sort_by(|a, b| (a.score_ppm, &a.name).cmp(&(b.score_ppm, &b.name)));
        lines.truncate(SHOWN);
        lines
    }

    /// What became of each attacker.
    #[must_use]
    pub fn attackers(&self, cast: &Cast, tallies: &Tallies) -> Vec<AttackerLine> {
        let cast_as = [
            (Sender::Replayer, "replayer: sends a station's reports again", None),
            (Sender::Forger, "forger: signs in a station's name with a key of its own", None),
            (Sender::Copier, "copier: signs a neighbour's values as its own", cast.copier.as_ref()),
            (Sender::Inflator, "inflator: signs three times a neighbour's values", cast.inflator.as_ref()),
        ];
        let played = cast_as.into_iter().filter_map(|(sender, attack, attacker)| {
            let tally = tallies.get(&sender)?;
            let device = attacker.map(|attacker| self.line(&attacker.device.name, attacker.device.id));
            Some(attacker_line(attack, tally, device))
        });
        played.collect()
    }

    /// The token over all epochs.
    #[must_use]
    pub const fn balance(&self) -> &Balance {
        &self.balance
    }

    /// The token's symbol.
    #[must_use]
    pub fn symbol(&self) -> &str {
        &self.symbol
    }

    /// Epochs read.
    #[must_use]
    pub const fn epochs(&self) -> u64 {
        self.epochs
    }
}

fn attacker_line(attack: &'static str, tally: &Tally, device: Option<Line>) -> AttackerLine {
    let outcome = match &device {
        None if tally.accepted == 0 => {
            let refused: Vec<String> =
                tally.rejected.iter().map(|(code, n)| format!("{n} refused as {code}")).collect();
            let known =
                (tally.duplicate > 0).then(|| format!("{} answered with the first one's index", tally.duplicate));
            format!("nothing counted: {}", known.into_iter().chain(refused).collect::<Vec<_>>().join(", "))
        }
        None => format!("{} reports counted", tally.accepted),
        Some(line) => {
            let score = line.score_ppm.map_or("never scored".to_owned(), |ppm| format!("score {}", percent(ppm)));
            let why = line.why.as_deref().unwrap_or("nothing was found against it");
            // What is not seen is paid: better said than hidden.
            let unseen = match (line.passed, line.untested) {
                (0, _) => String::new(),
                (passed, 0) => format!("; paid for {passed} slots in which nothing was found"),
                (passed, alone) => {
                    format!("; paid for {passed} slots in which nothing was found, {alone} of them without neighbours")
                }
            };
            format!("{score}; {why}{unseen}")
        }
    };
    AttackerLine {
        attack,
        sent: tally.sent,
        accepted: tally.accepted,
        duplicate: tally.duplicate,
        rejected: tally.rejected.clone(),
        device,
        outcome,
    }
}

/// `ppm` as a percentage with one decimal, rounded down.
#[must_use]
pub fn percent(ppm: u32) -> String {
    let tenths = ppm / 1_000;
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// A table of lines in aligned columns.
#[must_use]
pub fn table(lines: &[Line], symbol: &str, decimals: u8) -> String {
    let mut text = String::new();
    for line in lines {
        let score = line.score_ppm.map_or("-".to_owned(), percent);
        let paid = tokens(line.paid, decimals);
        let _ = write!(text, "  {:<9} {:>8}  {paid:>12} {symbol}", line.name, score);
        if let Some(why) = &line.why {
            let _ = write!(text, "  {why}");
        }
        text.push('\n');
    }
    text
}

/// Whole tokens with two decimals, rounded down, and thousands set apart.
#[must_use]
pub fn tokens(amount: Amount, decimals: u8) -> String {
    let hundredths = match decimals.checked_sub(2) {
        Some(cut) => amount.0 / 10u128.pow(cut.into()),
        None => amount.0 * 10u128.pow((2 - decimals).into()),
    };
    format!("{}.{:02}", grouped(hundredths / 100), hundredths % 100)
}

/// A number with thousands set apart.
#[must_use]
pub fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_shares_read_as_people_write_them() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
        assert_eq!(tokens(Amount(1_234_567_899), 6), "1,234.56");
        assert_eq!(tokens(Amount(5), 0), "5.00");
        assert_eq!(percent(999_999), "99.9 %");
        assert_eq!(percent(1_000_000), "100.0 %");
    }
}
