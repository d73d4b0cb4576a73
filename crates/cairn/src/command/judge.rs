//! `cairn judge`: a class's judge over a recording, without a network: what would be said of each row, or of each station.
//!
//! Stations become devices, each of an owner of its own unless the file has an `owner` column, in the order in which they
//! first appear. The rows are judged range by range of whole slots and copy windows, so that what is held beside the rows
//! stays bounded; the ranges follow from the data alone, and so do the verdicts.

mod account;
pub mod recording;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cairn_classes::sensing::{self, Code, Document, Outcome, REVISIONS, SCHEMA, assess};
use cairn_classes::{ClassError, Judged};
use cairn_core::PPM;
use clap::Subcommand;

use crate::dataset::Dataset;
use crate::failure::Failure;
use crate::output::Output;
use crate::words::count;

/// Arguments of `cairn judge`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    class: ClassArgs,
}

#[derive(Debug, Subcommand)]
enum ClassArgs {
    /// Judge readings of weather and air quality.
    ///
    /// Prints every good row with its verdict, score and reasons; or, with --summary or --explain, what stations would be
    /// paid for and why.
    Sensing(SensingArgs),
}

/// Arguments of `cairn judge sensing`.
#[derive(Debug, clap::Args)]
struct SensingArgs {
    /// The recording, plain or gzipped CSV: timestamp|date, station|sensor_id, lat, lon, optional elevation and owner,
    /// and any of temperature, humidity, pressure_pa, pm10, pm25, …
    #[arg(long, value_name = "CSV")]
    data: PathBuf,
    /// Where the stations are, when the recording does not say: CSV of station, lat, lon.
    #[arg(long, value_name = "CSV")]
    stations: Option<PathBuf>,
    /// The profile: a file, or the name of one that comes with Cairn [default: the one that fits the data]
    #[arg(long, value_name = "FILE")]
    profile: Option<String>,
    /// The revision of the judge [default: the newest]
    #[arg(long, value_name = "N")]
    revision: Option<u32>,
    /// Print one line for each station instead of the rows: how many of its slots are worth how much, and the worst reason.
    #[arg(long, conflicts_with_all = ["explain", "station"])]
    summary: bool,
    /// Print an account of each station in words instead of the rows.
    #[arg(long)]
    explain: bool,
    /// Print the account of this station only; may be given more than once.
    #[arg(long, value_name = "NAME")]
    station: Vec<String>,
}

/// What is said of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RowVerdict {
    outcome: Outcome,
    score_ppm: u32,
    /// One bit for each of [`Code::ALL`].
    reasons: u64,
}

impl RowVerdict {
    const UNSCORED: Self = Self { outcome: Outcome::Unscored, score_ppm: 0, reasons: 0 };

    /// The codes in the order of the checks.
    fn codes(self) -> impl Iterator<Item = &'static str> {
        let has = move |(bit, _): &(usize, Code)| self.reasons & (1 << bit) != 0;
        Code::ALL.into_iter().enumerate().filter(has).map(|(_, code)| code.as_str())
    }
}

/// Runs the command.
///
/// # Errors
/// When the recording, the profile or the revision is refused. Rows that are bad or fail are no error.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let ClassArgs::Sensing(args) = &args.class;
    if let Some(revision) = args.revision.filter(|revision| !REVISIONS.contains(revision)) {
        return Err(ClassError::UnknownRevision { schema: SCHEMA, revision }.into());
    }
    let dataset = recording::open(&args.data, args.stations.as_deref())?;
    let (name, document) = recording::profile(args.profile.as_deref(), args.revision, &dataset)?;
    let profile = Document::parse(&document)?;
    recording::check_revision(&name, &profile, args.revision)?;
    let bar = output.progress("judging", dataset.readings.len() as u64);
    let done = |rows: usize| bar.inc(rows as u64);
    if args.summary || args.explain || !args.station.is_empty() {
        let accounts = account::Accounts::of(&dataset, &profile, &name, &args.station, done)?;
        bar.finish_and_clear();
        return if args.summary { accounts.show_summary(output) } else { accounts.show(output) };
    }
    let verdicts = judge_all(&dataset, &profile, done)?;
    bar.finish_and_clear();
    rows::print(&args.data, &dataset, &verdicts, output)?;
    output.say(summary(&dataset, &verdicts, &name));
    Ok(())
}

fn summary(dataset: &Dataset, verdicts: &[RowVerdict], profile: &str) -> String {
    let mut outcomes: BTreeMap<Outcome, u64> = BTreeMap::new();
    for verdict in verdicts {
        *outcomes.entry(verdict.outcome).or_default() += 1;
    }
    let listed: Vec<String> = outcomes.iter().map(|(outcome, rows)| format!("{rows} {}", outcome.as_str())).collect();
    let rows = count(verdicts.len() as u64, "row", "rows");
    let stations = count(dataset.stations.len() as u64, "station", "stations");
    let skipped = count(dataset.bad_rows.len() as u64, "bad row", "bad rows");
    format!("{rows} of {stations} under {profile}: {}; {skipped} skipped", listed.join(", "))
}

/// The verdict over every row, in the order of the file.
fn judge_all(
    dataset: &Dataset,
    profile: &Document,
    mut done: impl FnMut(usize),
) -> Result<Vec<RowVerdict>, ClassError> {
    let mut verdicts = vec![RowVerdict::UNSCORED; dataset.readings.len()];
    recording::replay(dataset, profile, |docket| {
        let (assessed, judged): (Vec<sensing::Assessed>, Judged) = assess(profile, docket)?;
        for values in assessed.chunk_by(|a, b| a.index == b.index) {
            verdicts[recording::row_of(values[0].index)] = row_verdict(values);
        }
        done(docket.fresh.len());
        Ok(judged)
    })?;
    Ok(verdicts)
}

/// A row is as good as its worst value, like a slot; values that nobody asked for do not count while others do.
fn row_verdict(values: &[sensing::Assessed]) -> RowVerdict {
    let scored = || values.iter().filter(|value| value.outcome != Outcome::Unscored);
    let has = |outcome| values.iter().any(|value| value.outcome == outcome);
    let ranked = [Outcome::Fail, Outcome::Suspect, Outcome::Pass, Outcome::Untested];
    let outcome = ranked.into_iter().find(|outcome| has(*outcome)).unwrap_or(Outcome::Unscored);
    let counted: Vec<&sensing::Assessed> =
        if outcome == Outcome::Unscored { values.iter().collect() } else { scored().collect() };
    let codes: BTreeSet<&str> =
        counted.iter().flat_map(|value| &value.reasons).map(|reason| reason.code.as_str()).collect();
    let bits = Code::ALL.iter().enumerate().filter(|(_, code)| codes.contains(code.as_str()));
    let score_ppm = scored().map(|value| value.score.get()).min().unwrap_or(0).min(PPM);
    RowVerdict { outcome, score_ppm, reasons: bits.fold(0, |bits, (bit, _)| bits | (1 << bit)) }
}
