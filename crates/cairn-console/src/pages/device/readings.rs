//! What a device reported in an epoch, as far as it was judged, and which of it lost score.

use std::collections::{BTreeMap, BTreeSet};

use cairn_api::VerdictInfo;
use cairn_classes::{Flags, sensing};
use cairn_core::entry::Entry;
use cairn_core::report::Report;
use cairn_ledger::Compared;
use maud::{Markup, html};
use serde::Serialize;

use crate::address::encode;
use crate::error::ConsoleError;
use crate::markup::chart::{Axes, Behind, Point, line_over};
use crate::markup::link;
use crate::markup::table::{Column, numbers, table, words};
use crate::reader::Reader;
use crate::words::{count, utc};

/// Entries that are read for one page.
const ENTRIES_MAX: usize = 400;
/// Readings that are drawn,
const POINTS_MAX: usize = 300;
/// and readings in the table below a chart: all of them where they are so few, otherwise those that lost score.
const ROWS_MAX: usize = 60;
/// Marks in a chart.
const MARKS_MAX: usize = 100;

/// What a device reported in an epoch: the quantities, and the readings of one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub(crate) struct Readings {
    /// Entries that its verdicts name,
    entries: u64,
    /// and how many of them were read for this.
    entries_read: u64,
    /// Of those, reports that say themselves that they were measured earlier and sent late.
    backfilled: u64,
    /// What was measured.
    quantities: Vec<String>,
    /// The readings of the quantity that was asked for, or of the first.
    series: Option<Series>,
    /// Slots whose verdict came out otherwise when it was judged again for this, so that no band is told of them.
    not_reproduced: u64,
}

/// The readings of one quantity, ascending in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Series {
    pub quantity: String,
    pub unit: String,
    /// One integer step is `10^-decimals` of the unit.
    decimals: u8,
    pub points: Vec<Reading>,
    /// What its words were held against, slot by slot.
    bands: Vec<Beside>,
}

/// What the neighbours made likely in a slot: between `low` and `high` a word was not suspect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Beside {
    slot_ms: u64,
    /// The first millisecond after the slot.
    end_ms: u64,
    neighbours: u32,
    expected: i64,
    low: i64,
    high: i64,
    /// The word that was compared. Where it is none of the slot's readings, it was brought to what dry air would have given.
    compared: i64,
}

/// One reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Reading {
    pub time_ms: u64,
    /// In the quantity's integer unit.
    pub value: i64,
    /// The entry that holds it.
    pub entry: u64,
    /// The codes of what its slot lost score for.
    pub lost: Vec<String>,
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
    /// Reads what the entries of the verdicts hold, the first ones where they are too many, and takes the readings of the
    /// quantity whose name is `asked`.
    ///
    /// # Errors
    /// [`ConsoleError`] when the log cannot be read, or the quantity is none.
    pub fn read(reader: &Reader<'_>, verdicts: &[VerdictInfo], asked: Option<&str>) -> Result<Self, ConsoleError> {
        Self::of_entries(reader, verdicts, asked, ENTRIES_MAX)
    }

    /// The same of so many entries.
    ///
    /// # Errors
    /// [`ConsoleError`] when the log cannot be read, or the quantity is none.
    pub fn of_entries(
        reader: &Reader<'_>,
        verdicts: &[VerdictInfo],
        asked: Option<&str>,
        entries_max: usize,
    ) -> Result<Self, ConsoleError> {
        let named = |name: &str| sensing::Quantity::all().find(|quantity| quantity.name() == name);
        let unknown = |name| ConsoleError::bad("NET-QUERY", format!("there is no quantity `{name}`"));
        let asked = asked.map(|name| named(name).ok_or_else(|| unknown(name))).transpose()?;
        let judged = judged(verdicts);
        let mut backfilled = 0;
        let mut series: BTreeMap<sensing::Quantity, Vec<Reading>> = BTreeMap::new();
        let wanted: Vec<u64> = judged.keys().copied().take(entries_max).collect();
        for (index, bytes) in reader.entries(&wanted)? {
            let codes: Vec<String> = judged[&index].iter().cloned().collect();
            let (readings, is_backfilled) = readings_of(&bytes);
            backfilled += u64::from(is_backfilled);
            for (quantity, time_ms, value) in readings {
                let reading = Reading { time_ms, value, entry: index, lost: codes.clone() };
                series.entry(quantity).or_default().push(reading);
            }
        }
        let shown = asked.or_else(|| series.keys().next().copied());
        Ok(Self {
            entries: judged.len() as u64,
            entries_read: wanted.len() as u64,
            backfilled,
            quantities: series.keys().map(|quantity| quantity.name().to_owned()).collect(),
            series: shown.and_then(|quantity| Some(Series::of(quantity, series.remove(&quantity)?))),
            not_reproduced: 0,
        })
    }

    /// The same with what the words of its quantity were held against, in slots of so many milliseconds.
    pub fn beside(mut self, compared: &Compared, slot_ms: u64) -> Self {
        self.not_reproduced = compared.not_reproduced;
        if let Some(series) = &mut self.series {
            let of_it = compared.bands.iter().filter(|band| band.quantity.name() == series.quantity);
            let beside = of_it.map(|band| Beside {
                slot_ms: band.slot_ms,
                end_ms: band.slot_ms.saturating_add(slot_ms),
                neighbours: band.neighbours,
                expected: band.expected,
                low: band.low,
                high: band.high,
                compared: band.value,
            });
            series.bands = beside.collect();
        }
        self
    }

    /// The readings, of the quantity that was asked for.
    pub fn series(&self) -> Option<&Series> {
        self.series.as_ref()
    }

    /// The links to each quantity at a path that has a query already.
    pub fn switch(&self, path: &str) -> Markup {
        let shown = self.series.as_ref().map(|series| series.quantity.as_str());
        html! {
            @if self.quantities.len() > 1 {
                nav aria-label="What is shown" {
                    ul.plain {
                        @for name in &self.quantities {
                            @let to = format!("{path}&quantity={}#epoch", encode(name));
                            li { @if Some(name.as_str()) == shown { a href=(to) aria-current="true" { (name) } } @else { a href=(to) { (name) } } }
                        }
                    }
                }
            }
        }
    }

    /// The chart, and the table beside it. `path` is the device's page of this epoch.
    pub fn markup(&self, path: &str, device: &str, epoch: u64) -> Markup {
        html! {
            @match &self.series {
                None => p.empty { "Nothing that can be drawn was judged." },
                Some(series) => {
                    (self.switch(path))
                    (series.markup(&format!("{device}/readings?epoch={epoch}&quantity={}", encode(&series.quantity))))
                }
            }
            @if self.entries_read < self.entries {
                p.quiet { "Drawn from the first " (self.entries_read) " of " (self.entries) " entries that were judged." }
            }
            @if self.not_reproduced > 0 {
                p.quiet {
                    "For this page its slots were judged again with what stood around it. " (self.not_reproduced) " of them came out "
                    "otherwise than in the log (something further away played a part, or changed since), so no band is shown there."
                }
            }
            @if self.backfilled > 0 {
                p.quiet { (self.backfilled) " of its reports say of themselves that they were measured earlier and sent late." }
            }
        }
    }
}

/// What an entry says, as (quantity, time in ms since 1970 UTC, value), and whether it says that it was sent late; nothing if
/// it is no report of this class.
fn readings_of(bytes: &[u8]) -> (Vec<(sensing::Quantity, u64, i64)>, bool) {
    let nothing = (Vec::new(), false);
    let Ok(entry) = Entry::decode(bytes) else { return nothing };
    let Ok(report) = Report::parse(entry.body) else { return nothing };
    let Ok(body) = sensing::Body::parse(&report.body.body) else { return nothing };
    let start_ms = report.body.measured_ms(entry.received_ms);
    let values = |reading: &sensing::Reading| {
        let time_ms = start_ms.saturating_add(reading.after_ms);
        reading.values.iter().map(move |(quantity, value)| (*quantity, time_ms, *value)).collect::<Vec<_>>()
    };
    let is_backfilled = report.body.flags & u64::from(Flags::BACKFILLED) != 0;
    (body.readings().iter().flat_map(values).collect(), is_backfilled)
}

/// An integer with a decimal point: `-512` with 2 places is `-5.12`.
pub(crate) fn decimal(value: i64, decimals: u8) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}", cairn_core::Amount(value.unsigned_abs().into()).display(decimals))
}

impl Series {
    fn of(quantity: sensing::Quantity, mut points: Vec<Reading>) -> Self {
        points.sort_by_key(|point| (point.time_ms, point.entry));
        let (name, unit) = (quantity.name().to_owned(), quantity.unit().to_owned());
        Self { quantity: name, unit, decimals: quantity.decimals(), points, bands: Vec::new() }
    }

    /// A value with its point and its unit.
    pub fn show(&self, value: i64) -> String {
        format!("{} {}", decimal(value, self.decimals), self.unit)
    }

    /// A value with its point.
    pub fn decimal(&self, value: i64) -> String {
        decimal(value, self.decimals)
    }

    /// The least and the greatest word that was not suspect when a reading was judged; `None` where it was not compared.
    pub fn band(&self, reading: &Reading) -> Option<(i64, i64)> {
        self.bands.iter().find(|band| band.holds(reading)).map(|band| (band.low, band.high))
    }

    fn drawn(&self) -> &[Reading] {
        &self.points[..self.points.len().min(POINTS_MAX)]
    }

    fn chart(&self) -> Markup {
        let drawn = self.drawn();
        let point = |reading: &Reading| Point {
            x: reading.time_ms.into(),
            y: reading.value.into(),
            is_flagged: !reading.lost.is_empty(),
        };
        let mut points: Vec<Point> = drawn.iter().map(point).collect();
        // Where nearly everything is marked, marks say no more.
        points.iter_mut().filter(|point| point.is_flagged).skip(MARKS_MAX).for_each(|point| point.is_flagged = false);
        let behind: Vec<Behind> =
            self.bands.iter().filter(|band| self.is_as_measured(band)).map(Behind::from).collect();
        let values = drawn.iter().map(|reading| reading.value);
        let values = values.chain(behind.iter().flat_map(|band| [clamped(band.low), clamped(band.high)]));
        let (low, high) = values.fold((i64::MAX, i64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        // What is drawn ends where the last of both does.
        let times = drawn.iter().map(|reading| reading.time_ms);
        let first = times.clone().chain(behind.iter().map(|band| time_of(band.from))).min();
        let last = times.chain(behind.iter().map(|band| time_of(band.to))).max();
        let day = |time_ms: Option<u64>| time_ms.map_or_else(String::new, utc);
        let axes =
            Axes { x: (day(first), day(last)), y: ((low.into(), self.show(low)), (high.into(), self.show(high))) };
        let flagged = drawn.iter().filter(|reading| !reading.lost.is_empty()).count();
        let label =
            format!("{}: {} readings, {flagged} flagged; the table below has them", self.quantity, points.len());
        line_over(&label, &points, &behind, &axes)
    }

    /// Whether what was compared is a reading of the slot, and not one that was brought to dry air.
    fn is_as_measured(&self, band: &Beside) -> bool {
        self.points.iter().any(|reading| reading.value == band.compared && band.holds(reading))
    }

    /// A row of the table of readings.
    pub fn row(&self, reading: &Reading) -> Vec<Markup> {
        vec![
            link::time(reading.time_ms),
            html! { data value=(reading.value) { (self.show(reading.value)) } },
            link::entry(reading.entry),
            html! {
                @match self.bands.iter().find(|band| band.holds(reading)) {
                    None => span.quiet { "not compared" },
                    Some(band) => {
                        (decimal(band.low, self.decimals)) " to " (decimal(band.high, self.decimals))
                        " (" (count(band.neighbours.into(), "neighbour", "neighbours")) ")"
                        @if !self.is_as_measured(band) { ", compared as " (decimal(band.compared, self.decimals)) " in dry air" }
                    }
                }
            },
            html! { @for code in &reading.lost { (link::text(code)) " " } },
        ]
    }

    fn markup(&self, whole: &str) -> Markup {
        let flagged = || self.points.iter().filter(|reading| !reading.lost.is_empty());
        let are_all = self.points.len() <= ROWS_MAX;
        let rows: Vec<Vec<Markup>> = if are_all {
            self.points.iter().map(|reading| self.row(reading)).collect()
        } else {
            flagged().take(ROWS_MAX).map(|reading| self.row(reading)).collect()
        };
        let caption = if are_all { "Every reading" } else { "Readings that lost score" };
        html! {
            p {
                (link::text(&self.quantity)) ", read from its reports in the log. Rings mark readings whose slot lost score."
                @if !self.bands.is_empty() {
                    " The band behind is what its neighbours made likely, as the judge reckoned it: within it a word is not suspect."
                }
            }
            (self.chart())
            @if self.points.len() > POINTS_MAX {
                p.quiet { (self.points.len() - POINTS_MAX) " later readings are not drawn." }
            }
            p { a href=(whole) { "Every reading as a table" } }
            (table(caption, &COLUMNS, &rows, "None of them lost score."))
            @if !are_all && flagged().count() > ROWS_MAX { p.quiet { "The first " (ROWS_MAX) " of " (flagged().count()) "." } }
        }
    }
}

impl Beside {
    fn holds(&self, reading: &Reading) -> bool {
        (self.slot_ms..self.end_ms).contains(&reading.time_ms)
    }
}

impl From<&Beside> for Behind {
    fn from(band: &Beside) -> Self {
        Self { from: band.slot_ms.into(), to: band.end_ms.into(), low: band.low.into(), high: band.high.into() }
    }
}

fn time_of(x: i128) -> u64 {
    u64::try_from(x).unwrap_or(u64::MAX)
}

fn clamped(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

/// The columns of a table of readings.
pub(crate) const COLUMNS: [Column; 5] = [
    words("Measured"),
    numbers("Value"),
    numbers("Entry"),
    words("Not suspect by its neighbours"),
    words("What its slot lost score for"),
];

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
            let series = Series::of(quantity, (0..5_000).map(reading).collect());
            let slot_ms = u64::MAX - 10_000;
            let band =
                Beside { slot_ms, end_ms: u64::MAX, neighbours: 15, expected: 0, low: i64::MIN, high: 1, compared: 7 };
            Series { bands: vec![band; 300], ..series }
        };
        let series = Some(busy(sensing::Quantity::Pm10));
        let quantities = sensing::Quantity::all().map(|quantity| quantity.name().to_owned()).collect();
        let readings =
            Readings { entries: 9_000, entries_read: 400, backfilled: 9, quantities, series, not_reproduced: 3 };
        let html = readings.markup("/devices/x?epoch=1", "/devices/x", 1).into_string();
        assert!(html.len() < 50_000, "{} bytes", html.len());
        assert_eq!(html.matches("class=\"flagged\"").count(), MARKS_MAX);
    }
}
