//! What the network refused for good, with its reasons: counted by code, and the last of them kept.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use cairn_api::{ResultRow, ResultStatus};
use cairn_core::report::{ClockSource, ReportBody};
use cairn_log::{Disk, read_whole, replace_whole};
use serde::{Deserialize, Serialize};

use crate::EdgeError;

/// So many are kept with their words.
pub const REFUSALS_MAX: usize = 100;
const FILE: &str = "refusals";
const FILE_BYTES_MAX: u64 = 1 << 20;
/// More codes than there are are not counted apart.
const CODES_MAX: usize = 64;
const WORDS_MAX: usize = 400;

/// A report that was refused for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Its boot counter; with `seq` its name. `None` where it never had one.
    pub name: Option<(u32, u32)>,
    /// When it was measured, ms since 1970 UTC, as far as that is known.
    pub measured_ms: Option<u64>,
    /// When it was refused, ms since 1970 UTC, if that is known.
    pub at_ms: Option<u64>,
    /// Why, as a stable code.
    pub code: String,
    /// Why, in words.
    pub detail: String,
    /// The way out, where there is one.
    pub hint: Option<String>,
    /// The gateways that said so; none where nobody had to.
    #[serde(default)]
    pub gateways: Vec<String>,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Refusals {
    /// How many, by code.
    pub by_code: BTreeMap<String, u64>,
    /// The last [`REFUSALS_MAX`], oldest first.
    pub last: VecDeque<Refusal>,
}

impl Refusals {
    /// Those of a folder. A damaged file is none: what it said is gone, and nothing depends on it.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn read(disk: &dyn Disk) -> Result<Self, EdgeError> {
        let bytes = read_whole(disk, FILE, FILE_BYTES_MAX)?.unwrap_or_default();
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Adds some, durably.
    pub(super) fn add(&mut self, disk: &Arc<dyn Disk>, refused: &[Refusal]) -> Result<(), EdgeError> {
        if refused.is_empty() {
            return Ok(());
        }
        let mut all = self.clone();
        for refusal in refused {
            let is_known = all.by_code.contains_key(&refusal.code) || all.by_code.len() < CODES_MAX;
            *all.by_code.entry(if is_known { refusal.code.clone() } else { "others".to_owned() }).or_default() += 1;
            all.last.push_back(refusal.clone());
        }
        all.last.drain(..all.last.len().saturating_sub(REFUSALS_MAX));
        let bytes = serde_json::to_vec(&all).map_err(std::io::Error::other)?;
        replace_whole(&**disk, FILE, &bytes)?;
        *self = all;
        Ok(())
    }
}

/// Words of a gateway, without what would disturb a terminal or a log, and not too many.
pub(super) fn words(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect()
}

/// What becomes of a report after an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stands at this index, if the promise says so.
    Logged(u64),
    /// It is sent again: it came too fast.
    TooFast,
    /// It is sent again, and refused for good when it was answered so for too long.
    Later(String),
    /// It will never be taken, as this gateway says, and signs nothing.
    Refused(String),
}

/// Codes of what is about the device's standing, or about time, and not about the report for ever.
const LATER: [&str; 5] = ["RPT-FUTURE", "RPT-POLICY", "RPT-UNKNOWN-DEVICE", "RPT-SIGNATURE", "RPT-ALGORITHM"];

/// Codes of what is about when a report was measured: a device that was away for long has many such reports, one after the other,
/// and then none any more.
const PAST: [&str; 3] = ["RPT-TOO-LATE", "RPT-BEFORE-START", "RPT-BEFORE-ENROLMENT"];

/// Whether a refusal is of a report as old as it says.
pub(super) fn is_of_the_past(code: &str) -> bool {
    PAST.contains(&code)
}

/// The time that a report claims.
pub(super) fn claimed_ms(body: &ReportBody) -> Option<u64> {
    (!matches!(body.clock, Some((ClockSource::None, _)))).then_some(body.time_ms)
}

/// What becomes of a report that was answered so.
pub(super) fn fate(row: &ResultRow) -> Fate {
    match (row.status, row.index) {
        (ResultStatus::Accepted | ResultStatus::Duplicate, Some(index)) => return Fate::Logged(index),
        (ResultStatus::Accepted | ResultStatus::Duplicate, None) => return Fate::Later("NET-ANSWER".to_owned()),
        (ResultStatus::Rejected, _) => {}
    }
    let code = words(row.code.as_deref().unwrap_or("RPT-REFUSED"));
    if code == "RPT-RATE" {
        return Fate::TooFast;
    }
    // What is not about reports is about the gateway.
    let is_of_report = code.starts_with("RPT-") || code.starts_with("CLS-") || code.starts_with("CMP-");
    if LATER.contains(&code.as_str()) || !is_of_report { Fate::Later(code) } else { Fate::Refused(code) }
}

#[cfg(test)]
mod tests {
    use cairn_testkit::disk::{Faults, FaultyDisk};

    use super::*;

    fn refusal(code: &str) -> Refusal {
        Refusal {
            name: Some((1, 2)),
            measured_ms: None,
            at_ms: Some(5),
            code: code.to_owned(),
            detail: words("no\u{1b}[2J\nway"),
            hint: None,
            gateways: Vec::new(),
        }
    }

    #[test]
    fn refusals_are_counted_by_code_and_the_last_hundred_outlive_a_power_cut() {
        let disk = FaultyDisk::new(1, Faults::default());
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let mut all = Refusals::read(&disk).unwrap();
        for number in 0..150 {
            all.add(&shared, &[refusal(&format!("RPT-{}", number % 70))]).unwrap();
        }
        disk.cut_power(Faults::default());
        let read = Refusals::read(&disk).unwrap();
        assert_eq!(read, all);
        assert_eq!((read.last.len(), read.by_code.values().sum::<u64>(), read.by_code.len()), (100, 150, 65));
        assert_eq!(read.last[0].detail, "no[2Jway");
    }

    #[test]
    fn every_answer_has_its_fate() {
        let row = |status, index, code: Option<&str>| ResultRow {
            status,
            index,
            code: code.map(str::to_owned),
            detail: None,
            hint: None,
        };
        use ResultStatus::{Accepted, Duplicate, Rejected};
        let (later, refused) = (|code: &str| Fate::Later(code.to_owned()), |code: &str| Fate::Refused(code.to_owned()));
        let cases = [
            (row(Accepted, Some(3), None), Fate::Logged(3)),
            (row(Duplicate, Some(3), None), Fate::Logged(3)),
            (row(Accepted, None, None), later("NET-ANSWER")),
            (row(Rejected, None, Some("RPT-RATE")), Fate::TooFast),
            (row(Rejected, None, Some("RPT-FUTURE")), later("RPT-FUTURE")),
            (row(Rejected, None, Some("RPT-UNKNOWN-DEVICE")), later("RPT-UNKNOWN-DEVICE")),
            (row(Rejected, None, Some("LOG-FULL")), later("LOG-FULL")),
            (row(Rejected, None, Some("RPT-TOO-LATE")), refused("RPT-TOO-LATE")),
            (row(Rejected, None, Some("CLS-RANGE")), refused("CLS-RANGE")),
            (row(Rejected, None, None), refused("RPT-REFUSED")),
        ];
        for (row, expected) in cases {
            assert_eq!(fate(&row), expected, "{row:?}");
        }
    }
}
