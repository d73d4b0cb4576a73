//! The thresholds of compute, as data: one strict TOML document, integers only, every key required.
//!
//! A profile is logged whole and named by its hash. Times are in ms, shares in parts per million, gas as the gas table counts
//! it. What is true of one job was fixed when it was ordered, or when it was drawn: a later profile changes neither.

use cairn_core::PPM;
use serde::Deserialize;

use super::SCHEMA;
use crate::ClassError;

/// A commented profile to start from.
pub const COMPUTE: &str = include_str!("../../profiles/compute.toml");

/// Everything that the market and the judge of compute are told beyond the log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The class, `compute/1`.
    pub class: String,
    /// The gas table that orders must name: the rules a module runs by.
    pub gas_table: u32,
    /// The least time to commit that an order may give, from receipt: 1 s to `commit_ms_max`. Shorter ones are a trap for workers.
    pub commit_ms_min: u64,
    /// The most time to commit that an order may give, at most 31 days.
    pub commit_ms_max: u64,
    /// How long after the time to commit results may be revealed: 1 s to 31 days.
    pub reveal_ms: u64,
    /// How long a drawn job waits for auditors: 1 s to 31 days.
    pub replay_ms: u64,
    /// How long after its receipt an order may be cancelled, at most 31 days; 0: never.
    pub cancel_ms: u64,
    /// Epochs that settled jobs and their blobs are kept: the time of dispute, at most 1,000.
    pub keep_epochs: u64,
    /// The least chance that a job is run again, in parts per million.
    pub sample_min_ppm: u32,
    /// A job whose agreeing workers' scores sum up to less is always drawn: at most 8 times `score_max`.
    pub probation: u32,
    /// The best score, 1 to 1,000,000: right results that are remembered.
    pub score_max: u32,
    /// A job of less gas than this earns no score.
    pub score_gas_min: u64,
    /// Of so many times the workers needed the lottery takes its pick: 1 to 64.
    pub lottery_pool: u32,
    /// The least that an order must lock, base units: what it costs to fill the market with orders.
    pub lock_min: u64,
    /// Jobs of one buyer that are not settled, 1 to `open_jobs`.
    pub open_jobs_per_buyer: u32,
    /// Jobs that are not settled, 1 to 1,000,000.
    pub open_jobs: u32,
    /// Licences of one owner, 1 to `licences`.
    pub licences_per_owner: u32,
    /// Licences in all, 1 to 1,000,000.
    pub licences: u32,
}

const DAYS_31_MS: i64 = 31 * 86_400_000;

impl Profile {
    /// Parses and checks a document.
    ///
    /// # Errors
    /// [`ClassError::ProfileSyntax`], [`ClassError::ProfileValue`] or [`ClassError::UnknownClass`] naming what is refused.
    pub fn parse(document: &str) -> Result<Self, ClassError> {
        let profile: Self = toml::from_str(document).map_err(|error| {
            let line = error.span().map_or(0, |span| document[..span.start].lines().count().max(1));
            ClassError::ProfileSyntax { what: format!("line {line}: {}", error.message()) }
        })?;
        profile.check()?;
        Ok(profile)
    }

    fn check(&self) -> Result<(), ClassError> {
        if self.class != SCHEMA {
            return Err(ClassError::UnknownClass { schema: self.class.clone() });
        }
        let month = "1,000 (a second) to 2,678,400,000 (31 days)";
        let million = "1 to 1,000,000";
        within("gas_table", self.gas_table.into(), 1, u32::MAX.into(), "at least 1")?;
        within("commit_ms_max", signed(self.commit_ms_max), 1_000, DAYS_31_MS, month)?;
        let commit_ms_max = signed(self.commit_ms_max);
        within("commit_ms_min", signed(self.commit_ms_min), 1_000, commit_ms_max, "1,000 (a second) to commit_ms_max")?;
        within("reveal_ms", signed(self.reveal_ms), 1_000, DAYS_31_MS, month)?;
        within("replay_ms", signed(self.replay_ms), 1_000, DAYS_31_MS, month)?;
        within("cancel_ms", signed(self.cancel_ms), 0, DAYS_31_MS, "0 to 2,678,400,000 (31 days)")?;
        within("keep_epochs", signed(self.keep_epochs), 0, 1_000, "0 to 1,000")?;
        within("sample_min_ppm", self.sample_min_ppm.into(), 0, PPM.into(), "0 to 1,000,000")?;
        within("score_max", self.score_max.into(), 1, 1_000_000, million)?;
        within("probation", self.probation.into(), 0, 8 * i64::from(self.score_max), "0 to 8 times score_max")?;
        within("score_gas_min", signed(self.score_gas_min), 0, i64::MAX, "0 or more")?;
        within("lottery_pool", self.lottery_pool.into(), 1, 64, "1 to 64")?;
        within("lock_min", signed(self.lock_min), 0, i64::MAX, "0 or more")?;
        within("open_jobs", self.open_jobs.into(), 1, 1_000_000, million)?;
        within("open_jobs_per_buyer", self.open_jobs_per_buyer.into(), 1, self.open_jobs.into(), "1 to open_jobs")?;
        within("licences", self.licences.into(), 1, 1_000_000, million)?;
        within("licences_per_owner", self.licences_per_owner.into(), 1, self.licences.into(), "1 to licences")
    }
}

/// For integers that TOML can hold.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn within(key: &str, value: i64, low: i64, high: i64, rule: &'static str) -> Result<(), ClassError> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(ClassError::ProfileValue { key: key.to_owned(), value, rule })
    }
}
