//! What a device reported in an epoch, as far as it was judged, and which of it lost score.

use std::collections::{BTreeMap, BTreeSet};

use cairn_api::VerdictInfo;
use cairn_classes::sensing;
use cairn_core::entry::Entry;
use cairn_core::report::Report;
use maud::{Markup, html};
use serde::Serialize;

use crate::error::ConsoleError;
use crate::markup::chart::{Axes, Point, line};
use crate::markup::link;
use crate::markup::table::{numbers, table, words};
use crate::reader::Reader;
use crate::words::utc;

/// Entries that are read for one page.
const ENTRIES_MAX: usize = 400;
/// Readings of one quantity that are drawn,
const POINTS_MAX: usize = 300;
/// quantities,
const SERIES_MAX: usize = 4;
/// and readings that lost score, in the table below a chart.
const FLAGGED_MAX: usize = 20;
/// Marks in a chart.
const MARKS_MAX: usize = 100;

/// What a device reported in an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub(crate) struct Readings {
    /// Entries that its verdicts name,
    entries: u64,
    /// and how many of them were read for this.
    entries_read: u64,
    series: Vec<Series>,
}

/// The readings of one quantity, ascending in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Series {
    quantity: String,
    unit: String,
    /// One integer step is `10^-decimals` of the unit.
    decimals: u8,
    points: Vec<Reading>,
    /// Readings left out, since there are too many.
    left_out: u64,
}

/// One reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Reading {
    time_ms: u64,
    /// In the quantity's integer unit.
    value: i64,
    /// The entry that holds it.
    entry: u64,
    /// The codes of what its slot lost score for.
    lost: Vec<String>,
}

/// What entries were judged for, and the codes of what that lost.
fn judged(verdicts: &[VerdictInfo]) -> BTreeMap<u64, BTreeSet<String>> {
    let mut entries: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    for verdict in verdicts.iter().filter(|verdict| verdict.class == sensing::SCHEMA) {
        let losing = || verdict.reasons.iter().filter(|reason| reason.lost_ppm > 0);
        for index in &verdict.entries {
            let names = |evidence: &[u64]| evidence.contains(index);
            // Where the evidence names some of the slot's own entries, the others are not what it is about.
            let is_own = |evidence: &[u64]| verdict.entries.iter().any(|own| evidence.contains(own));
            let codes = losing().filter(|reason| names(&reason.evidence) || !is_own(&reason.evidence));
            entries.entry(*index).or_default().extend(codes.map(|reason| reason.code.clone()));
        }
    }
    entries
}

impl Readings {
    /// Reads what the entries of the verdicts hold; the first ones where they are too many.
    ///
    /// # Errors
    /// [`ConsoleError`] when the log cannot be read.
    pub fn read(reader: &Reader<'_>, verdicts: &[VerdictInfo]) -> Result<Self, ConsoleError> {
        let judged = judged(verdicts);
        let mut series: BTreeMap<sensing::Quantity, Vec<Reading>> = BTreeMap::new();
        for (index, codes) in judged.iter().take(ENTRIES_MAX) {
            let bytes = reader.log.entry(*index)?;
            let codes: Vec<String> = codes.iter().cloned().collect();
            for (quantity, time_ms, value) in readings_of(&bytes) {
                let reading = Reading { time_ms, value, entry: *index, lost: codes.clone() };
                series.entry(quantity).or_default().push(reading);
            }
        }
        let series = series.into_iter().take(SERIES_MAX).map(|(quantity, points)| Series::of(quantity, points));
        Ok(Self {
            entries: judged.len() as u64,
            entries_read: judged.len().min(ENTRIES_MAX) as u64,
            series: series.collect(),
        })
    }

    /// Charts, and tables of what lost score.
    pub fn markup(&self) -> Markup {
        html! {
            @if self.series.is_empty() {
                p.empty { "Nothing that can be drawn was judged." }
            }
            @if self.entries_read < self.entries {
                p.quiet { "Drawn from the first " (self.entries_read) " of " (self.entries) " entries that were judged." }
            }
            @for series in &self.series { (series.markup()) }
        }
    }
}

/// What an entry says, as (quantity, time in ms since 1970 UTC, value); nothing if it is no report of this class.
fn readings_of(bytes: &[u8]) -> Vec<(sensing::Quantity, u64, i64)> {
    let Ok(entry) = Entry::decode(bytes) else { return Vec::new() };
    let Ok(report) = Report::parse(entry.body) else { return Vec::new() };
    let Ok(body) = sensing::Body::parse(&report.body.body) else { return Vec::new() };
    let start_ms = report.body.measured_ms(entry.received_ms);
    let values = |reading: &sensing::Reading| {
        let time_ms = start_ms.saturating_add(reading.after_ms);
        reading.values.iter().map(move |(quantity, value)| (*quantity, time_ms, *value)).collect::<Vec<_>>()
    };
    body.readings().iter().flat_map(values).collect()
}

/// An integer with a decimal point: `-512` with 2 places is `-5.12`.
pub(crate) fn decimal(value: i64, decimals: u8) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}", cairn_core::Amount(value.unsigned_abs().into()).display(decimals))
}

impl Series {
    fn of(quantity: sensing::Quantity, mut points: Vec<Reading>) -> Self {
        points.sort_by_key(|point| (point.time_ms, point.entry));
        let left_out = points.len().saturating_sub(POINTS_MAX) as u64;
        points.truncate(POINTS_MAX);
        let (name, unit) = (quantity.name().to_owned(), quantity.unit().to_owned());
        Self { quantity: name, unit, decimals: quantity.decimals(), points, left_out }
    }

    fn show(&self, value: i64) -> String {
        format!("{} {}", decimal(value, self.decimals), self.unit)
    }

    fn markup(&self) -> Markup {
        let point = |reading: &Reading| Point {
            x: reading.time_ms.into(),
            y: reading.value.into(),
            is_flagged: !reading.lost.is_empty(),
        };
        let mut points: Vec<Point> = self.points.iter().map(point).collect();
        // Where nearly everything is marked, marks say no more.
        points.iter_mut().filter(|point| point.is_flagged).skip(MARKS_MAX).for_each(|point| point.is_flagged = false);
        let (low, high) = self
            .points
            .iter()
            .fold((i64::MAX, i64::MIN), |(low, high), reading| (low.min(reading.value), high.max(reading.value)));
        let day = |reading: Option<&Reading>| reading.map_or_else(String::new, |reading| utc(reading.time_ms));
        let axes = Axes {
            x: (day(self.points.first()), day(self.points.last())),
            y: ((low.into(), self.show(low)), (high.into(), self.show(high))),
        };
        let flagged: Vec<&Reading> = self.points.iter().filter(|reading| !reading.lost.is_empty()).collect();
        let row = |reading: &&Reading| {
            vec![
                link::time(reading.time_ms),
                html! { (self.show(reading.value)) },
                link::entry(reading.entry),
                html! { @for code in &reading.lost { (link::text(code)) " " } },
            ]
        };
        let rows: Vec<Vec<Markup>> = flagged.iter().take(FLAGGED_MAX).map(row).collect();
        let label = format!("{}: {} readings, {} flagged", self.quantity, points.len(), flagged.len());
        let columns = [words("Measured"), numbers("Value"), numbers("Entry"), words("What it lost score for")];
        html! {
            h3 { (link::text(&self.quantity)) }
            (line(&label, &points, &axes))
            @if self.left_out > 0 { p.quiet { (self.left_out) " later readings are not drawn." } }
            @if rows.len() < flagged.len() {
                p.quiet { (flagged.len()) " flagged readings; the first " (rows.len()) " are listed." }
            }
            @if !rows.is_empty() { (table("Flagged readings", &columns, &rows, "")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use cairn_api::ReasonInfo;

    use super::*;

    #[test]
    fn integers_have_their_point() {
        for (value, decimals, text) in
            [(0, 2, "0"), (-512, 2, "-5.12"), (7, 1, "0.7"), (i64::MIN, 0, "-9223372036854775808"), (100, 1, "10")]
        {
            assert_eq!(decimal(value, decimals), text);
        }
    }

    #[test]
    fn what_lost_score_is_what_the_evidence_names_or_the_whole_slot() {
        let reason = |code: &str, lost_ppm, evidence: &[u64]| ReasonInfo {
            code: code.into(),
            check: String::new(),
            observed: 0,
            threshold: 0,
            lost_ppm,
            evidence: evidence.to_vec(),
            sentence: String::new(),
        };
        let verdict = |entries: &[u64], reasons| VerdictInfo {
            class: sensing::SCHEMA.into(),
            device: String::new(),
            slot_ms: 0,
            report: None,
            account: String::new(),
            amount: 1,
            score_ppm: 1,
            weight: 1,
            reasons,
            entries: entries.to_vec(),
        };
        let verdicts = [
            verdict(&[1, 2], vec![reason("A", 5, &[2, 9]), reason("NOTE", 0, &[1])]),
            verdict(&[3, 4], vec![reason("B", 5, &[8])]),
            verdict(&[5], vec![]),
        ];
        let found = judged(&verdicts);
        let codes = |index| found[&index].iter().map(String::as_str).collect::<Vec<_>>();
        for (index, expected) in [(1, vec![]), (2, vec!["A"]), (3, vec!["B"]), (4, vec!["B"]), (5, vec![])] {
            assert_eq!(codes(index), expected, "{index}");
        }
    }

    #[test]
    fn the_charts_of_a_busy_device_are_small() {
        let busy = |quantity: sensing::Quantity| {
            let lost: Vec<String> = (0..4).map(|n| format!("SEN-SOMETHING-LONG-{n}")).collect();
            let reading = |n: u64| Reading {
                time_ms: u64::MAX - 10_000 + n,
                value: i64::MIN,
                entry: u64::MAX,
                lost: lost.clone(),
            };
            Series::of(quantity, (0..5_000).map(reading).collect())
        };
        let series = sensing::Quantity::all().take(SERIES_MAX).map(busy).collect();
        let readings = Readings { entries: 9_000, entries_read: 400, series };
        let html = readings.markup().into_string();
        assert!(html.len() < 75_000, "{} bytes", html.len());
        assert_eq!(html.matches("class=\"flagged\"").count(), SERIES_MAX * MARKS_MAX);
    }
}
