//! Readings in a row that were given before, whatever times they claim.
//!
//! Every run of `run_readings` rows with at least `run_values` different ones has a fingerprint; runs with equal ones are
//! compared row by row, value by value, where both are at hand, and taken as equal where one is only remembered (`prints`
//! says why). The original is the one whose rows were received earlier in most places of the run: to be made a copy, an
//! honest device would have to be forestalled in half of its rows. A run met in memory is held against others only when it
//! was complete before the chunk of slots began in which this one begins.
//!
//! A device that repeats itself is found the same way; its later readings, by time, are the repetition.
//!
//! Late readings are a series of their own. They are held against everything; what is on time never against what is late.
//!
//! Harmless by their sameness: still air, fog at 99.9 %, zero dust, unless there are enough different rows among them. Rows
//! hold every quantity that the profile judges, so one who changes a single value in each run is not seen here.

use rayon::prelude::*;

use super::Copy;
use super::prints::{Ghost, Karp, row_number};
use super::receipt::{junior, seniority};
use crate::sensing::judge::case::{Case, Phase, Standing, small};
use crate::sensing::judge::memory::Memory;
use crate::sensing::judge::own::Finding;
use crate::sensing::quantity::Quantity;
use crate::sensing::words::{Check, Code};

/// With how many runs of a group each is compared, by receipt and again by enrolment, where there are more than twice as
/// many.
const ELDERS_MAX: usize = 4;

/// All usable values of one reading.
#[derive(Debug)]
struct Row {
    time_ms: u64,
    received_ms: u64,
    number: u64,
    /// Where its values stand in [`Series::values`].
    values: (u32, u32),
    /// Index into the case's reports.
    report: u32,
    due: bool,
}

/// A device's rows of one kind, on time or late.
#[derive(Debug)]
struct Series {
    device: u32,
    late: bool,
    rows: Vec<Row>,
    values: Vec<(Quantity, i64)>,
}

/// Rows one after the other of one series.
#[derive(Debug, Clone, Copy)]
struct Run {
    print: u64,
    /// Index into the series.
    series: u32,
    /// The last row.
    last: u32,
    /// Slot of the first row, which may be one that is only remembered.
    first_slot: u64,
    /// Whether all rows are at hand.
    whole: bool,
}

/// A run found to be another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Match {
    device: u32,
    window: i64,
    original: u32,
    series: u32,
    last: u32,
    /// A report of the original's, where it is at hand.
    shown: Option<u32>,
}

/// Every repetition; takes the rows of on-time readings into the memories.
pub(super) fn among(case: &Case<'_>, memories: &mut [Memory]) -> Vec<Copy> {
    let devices: Vec<u32> = case.devices().collect();
    let series: Vec<Series> = devices.par_iter().flat_map_iter(|&device| series_of(case, device)).collect();
    let runs_of = |(n, series): (usize, &Series)| {
        let tail = if series.late { &[] } else { memories[series.device as usize].prints.tail() };
        runs(case, small(n), series, tail)
    };
    let mut runs: Vec<Run> = series.par_iter().enumerate().flat_map_iter(runs_of).collect();
    let hall = Hall { case, series: &series };
    let mut matches = hall.remembered(&sorted_prints(memories), &mut runs);
    remember(case, &series, &runs, memories);
    let groups: Vec<&[Run]> = runs.chunk_by(|a, b| a.print == b.print).filter(|group| group.len() > 1).collect();
    matches.par_extend(groups.par_iter().flat_map_iter(|group| hall.repeated(group)));
    matches.par_sort_unstable();
    hall.copies(&matches)
}

/// A device's on-time and late series.
fn series_of(case: &Case<'_>, device: u32) -> Vec<Series> {
    let usable = |n: &usize| {
        let sample = &case.samples[*n];
        sample.standing == Standing::Usable && sample.phase != Phase::Later
    };
    let mut samples: Vec<usize> = case.of_device(device).filter(usable).collect();
    // Stable and adaptive: samples are sorted by time within each quantity.
    samples.sort_by_key(|&n| {
        let sample = &case.samples[n];
        (sample.time_ms, sample.report, sample.reading)
    });
    let late_until = samples.partition_point(|&n| case.samples[n].time_ms < case.docket.start_ms);
    let (late, on_time) = samples.split_at(late_until);
    let kinds = [(true, late), (false, on_time)].into_iter().filter(|(_, samples)| !samples.is_empty());
    kinds.map(|(late, samples)| series(case, device, late, samples)).collect()
}

fn series(case: &Case<'_>, device: u32, late: bool, samples: &[usize]) -> Series {
    let mut values = Vec::with_capacity(samples.len());
    let mut rows = Vec::new();
    let same = |a: &usize, b: &usize| {
        let (a, b) = (&case.samples[*a], &case.samples[*b]);
        (a.report, a.reading) == (b.report, b.reading)
    };
    for reading in samples.chunk_by(same) {
        let first = &case.samples[reading[0]];
        let from = small(values.len());
        values.extend(reading.iter().map(|&n| (case.samples[n].quantity, case.samples[n].value)));
        let of_row = &values[from as usize..];
        rows.push(Row {
            time_ms: first.time_ms,
            received_ms: case.reports[first.report as usize].received_ms,
            number: row_number(of_row.iter().map(|(quantity, value)| (quantity.number(), *value))),
            values: (from, small(values.len())),
            report: first.report,
            due: first.phase == Phase::Due,
        });
    }
    // Readings of one time stand in an order that arrival does not make; what is said twice counts once, when first received.
    let said = |row: &Row| &values[row.values.0 as usize..row.values.1 as usize];
    rows.sort_by(|a, b| {
        let key = |row: &Row| (row.time_ms, row.number);
        key(a).cmp(&key(b)).then_with(|| said(a).cmp(said(b))).then(a.received_ms.cmp(&b.received_ms))
    });
    rows.dedup_by(|again, row| {
        let same = again.time_ms == row.time_ms && said(again) == said(row);
        // A row stays due only where none of its reports was judged before.
        row.due &= !same || again.due;
        same
    });
    Series { device, late, rows, values }
}

/// Every run of a series that has enough different rows, the rows before it included.
fn runs(case: &Case<'_>, number: u32, series: &Series, tail: &[Ghost]) -> Vec<Run> {
    let length = case.profile.copies.run_readings as usize;
    let tail = &tail[tail.len().saturating_sub(length - 1)..];
    let all = |n: usize| -> Ghost {
        match tail.get(n) {
            Some(&ghost) => ghost,
            None => (series.rows[n - tail.len()].number, case.slot(series.rows[n - tail.len()].time_ms)),
        }
    };
    let mut karp = Karp::of_runs(case.profile.copies.run_readings);
    let mut runs = Vec::new();
    let mut apart = Apart::default();
    for n in 0..tail.len() + series.rows.len() {
        let row = all(n).0;
        let leaves = n.checked_sub(length).map(|n| all(n).0);
        let print = karp.roll(row, leaves);
        apart.shift(row, leaves);
        let Some(first) = (n + 1).checked_sub(length).filter(|_| n >= tail.len()) else { continue };
        if apart.different() >= case.profile.copies.run_values {
            let last = small(n - tail.len());
            runs.push(Run { print, series: number, last, first_slot: all(first).1, whole: first >= tail.len() });
        }
    }
    runs
}

/// How many different rows there are among the last.
#[derive(Debug, Default)]
struct Apart {
    counts: Vec<(u64, u32)>,
}

impl Apart {
    fn shift(&mut self, comes: u64, leaves: Option<u64>) {
        if let Some(at) = leaves.and_then(|row| self.counts.iter().position(|(of, _)| *of == row)) {
            self.counts[at].1 -= 1;
            if self.counts[at].1 == 0 {
                self.counts.swap_remove(at);
            }
        }
        match self.counts.iter_mut().find(|(of, _)| *of == comes) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((comes, 1)),
        }
    }

    fn different(&self) -> u32 {
        small(self.counts.len())
    }
}

/// What is remembered of every device, ascending: fingerprint, chunk, device.
fn sorted_prints(memories: &[Memory]) -> Vec<(u64, u64, u32)> {
    let of_device = |(n, memory): (usize, &Memory)| {
        memory.prints.kept().map(|(print, chunk)| (print, chunk, small(n))).collect::<Vec<_>>()
    };
    let mut prints: Vec<(u64, u64, u32)> = memories.par_iter().enumerate().flat_map_iter(of_device).collect();
    prints.par_sort_unstable();
    prints
}

fn chunk(case: &Case<'_>, slot: u64) -> u64 {
    slot / u64::from(case.profile.copies.window_slots)
}

/// Takes the runs of on-time series into the memories. `runs` are sorted by fingerprint.
fn remember(case: &Case<'_>, series: &[Series], runs: &[Run], memories: &mut [Memory]) {
    let mut by_series: Vec<(u32, u32, u64)> = runs.iter().map(|run| (run.series, run.last, run.print)).collect();
    by_series.par_sort_unstable();
    let most = case.profile.copies.run_readings as usize - 1;
    for (n, of) in series.iter().enumerate().filter(|(_, of)| !of.late) {
        let from = by_series.partition_point(|(series, ..)| *series < small(n));
        let runs = by_series[from..].iter().take_while(|(series, ..)| *series == small(n));
        let slot = |row: u32| case.slot(of.rows[row as usize].time_ms);
        let prints = &mut memories[of.device as usize].prints;
        let mut tail = prints.tail().to_vec();
        tail.extend(of.rows.iter().map(|row| (row.number, case.slot(row.time_ms))));
        tail.drain(..tail.len().saturating_sub(most));
        prints.keep(runs.map(|&(_, last, print)| (print, chunk(case, slot(last)))), tail);
    }
}

/// Runs to compare.
struct Hall<'a> {
    case: &'a Case<'a>,
    series: &'a [Series],
}

impl Hall<'_> {
    fn of(&self, run: &Run) -> &Series {
        &self.series[run.series as usize]
    }

    fn rows(&self, run: &Run) -> &[Row] {
        let last = run.last as usize;
        &self.of(run).rows[last + 1 - self.case.profile.copies.run_readings as usize..=last]
    }

    fn last(&self, run: &Run) -> &Row {
        &self.of(run).rows[run.last as usize]
    }

    fn found(&self, copy: &Run, original: u32, shown: Option<u32>) -> Match {
        let window = self.case.window(self.case.slot(self.last(copy).time_ms));
        Match { device: self.of(copy).device, window, original, series: copy.series, last: copy.last, shown }
    }

    /// Sorts the runs by fingerprint, and finds those that were given before the epoch.
    fn remembered(&self, prints: &[(u64, u64, u32)], runs: &mut [Run]) -> Vec<Match> {
        runs.par_sort_unstable_by_key(|run| (run.print, run.series, run.last));
        let mut found = Vec::new();
        let mut prints = prints.chunk_by(|a, b| a.0 == b.0).peekable();
        for run in runs.iter() {
            while prints.next_if(|same| same[0].0 < run.print).is_some() {}
            let Some(same) = prints.peek().filter(|same| same[0].0 == run.print) else { continue };
            let (device, begins) = (self.of(run).device, chunk(self.case, run.first_slot));
            let others = |&&(_, chunk, other): &&(u64, u64, u32)| chunk < begins && self.may_accuse(other, device);
            // Ascending by chunk: the first is the eldest.
            if let Some(&(_, _, original)) = same.iter().find(others).filter(|_| self.last(run).due) {
                found.push(self.found(run, original, None));
            }
        }
        found
    }

    fn may_accuse(&self, original: u32, device: u32) -> bool {
        let owner = |device: u32| self.case.station(device).owner;
        original == device || owner(original) != owner(device)
    }

    /// The repetitions among runs of one fingerprint.
    fn repeated(&self, group: &[Run]) -> Vec<Match> {
        let whole: Vec<&Run> = group.iter().filter(|run| run.whole).collect();
        let elders = self.elders(&whole);
        let mut found = Vec::new();
        for run in &whole {
            for elder in &elders {
                // Each pair once from either side: the one asked about is the copy or nothing is said.
                if self.copies_from(run, elder) && self.last(run).due {
                    found.push(self.found(run, self.of(elder).device, Some(self.last(elder).report)));
                }
            }
        }
        found
    }

    /// The few that said it first and the few that were enrolled first; all of a small group.
    fn elders<'r>(&self, group: &[&'r Run]) -> Vec<&'r Run> {
        if group.len() <= 2 * ELDERS_MAX {
            return group.to_vec();
        }
        let device = |run: &Run| self.of(run).device;
        let mut elders: Vec<&Run> = Vec::with_capacity(2 * ELDERS_MAX);
        let mut by_enrolment = group.to_vec();
        by_enrolment.sort_by_key(|run| (seniority(self.case, device(run)), self.last(run).time_ms));
        let mut by_receipt = group.to_vec();
        by_receipt.sort_by_key(|run| (self.rows(run)[0].received_ms, seniority(self.case, device(run)), run.last));
        for order in [by_enrolment, by_receipt] {
            let from = elders.len();
            for run in order {
                if elders.len() - from < ELDERS_MAX && elders[from..].iter().all(|elder| device(elder) != device(run)) {
                    elders.push(run);
                }
            }
        }
        elders
    }

    /// Whether the run repeats the other.
    fn copies_from(&self, run: &Run, other: &Run) -> bool {
        let (own, others) = (self.of(run), self.of(other));
        if (run.series, run.last) == (other.series, other.last) || (others.late && !own.late) {
            return false;
        }
        if !self.may_accuse(others.device, own.device) || !self.equal(run, other) {
            return false;
        }
        if own.device == others.device {
            return self.last(other).time_ms < self.last(run).time_ms;
        }
        let (mut later, mut earlier) = (0, 0);
        for (own, other) in self.rows(run).iter().zip(self.rows(other)) {
            later += u32::from(own.received_ms > other.received_ms);
            earlier += u32::from(own.received_ms < other.received_ms);
        }
        later > earlier || (later == earlier && junior(self.case, own.device, others.device) == own.device)
    }

    fn equal(&self, run: &Run, other: &Run) -> bool {
        let said = |run: &Run, row: &Row| {
            let (from, to) = row.values;
            &self.of(run).values[from as usize..to as usize]
        };
        self.rows(run).iter().zip(self.rows(other)).all(|(a, b)| said(run, a) == said(other, b))
    }

    /// One copy for each device, window and original; matches ascend.
    fn copies(&self, matches: &[Match]) -> Vec<Copy> {
        let key = |found: &Match| (found.device, found.window, found.original);
        let rule = &self.case.profile.copies;
        let copy = |same: &[Match]| {
            let longest = same.chunk_by(|a, b| a.series == b.series && b.last <= a.last + 1);
            let longest = longest.max_by_key(|streak| streak[streak.len() - 1].last - streak[0].last);
            let longest = longest.expect("there is one");
            let (first, last) = (&longest[0], &longest[longest.len() - 1]);
            let rows = &self.series[first.series as usize].rows;
            let from = (first.last + 1).saturating_sub(rule.run_readings) as usize;
            // A few of each, so that both are seen within the bound of a reason's evidence.
            let mut evidence: Vec<u32> = rows[from..=last.last as usize].iter().map(|row| row.report).collect();
            evidence.dedup();
            evidence.truncate(6);
            evidence.extend(longest.iter().filter_map(|found| found.shown).take(6));
            let finding = Finding {
                code: Code::Repeated,
                check: Check::RowsOf(self.case.station(first.original).id),
                observed: i64::from(last.last - first.last) + i64::from(rule.run_readings),
                threshold: rule.run_readings.into(),
                lost_ppm: cairn_core::PPM,
                evidence,
            };
            Copy { window: first.window, device: first.device, original: first.original, finding }
        };
        matches.chunk_by(|a, b| key(a) == key(b)).map(copy).collect()
    }
}
