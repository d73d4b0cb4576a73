//! Reading a folder again after a start of the process ended, however it ended.
//!
//! What the last start wrote and did not see synced may be readable and still not be durable: the system's cache outlives the
//! process, not the power. So the segments of which that start was not sure are first written again, as one, in place of the
//! first of them. The same heals segments of which some disk lost a middle that a later segment has.

use std::collections::BTreeMap;

use cairn_core::report::ReportBody;
use cairn_log::{Disk, replace_whole};

use super::before::{self, Before};
use super::record::{Record, Scan, frame};
use super::runs::Runs;
use super::segment::{self, Segment};
use super::{DamagedSegment, Queue};
use crate::EdgeError;

impl Queue {
    pub(super) fn recover(&mut self) -> Result<(), EdgeError> {
        let (before, mended) = Before::read(&*self.disk)?;
        self.before = before;
        self.mended.extend(mended);
        (self.next_ordinal, self.beyond) = (self.before.floor, self.before.floor);
        let mut numbers: Vec<u64> = self.disk.list()?.iter().filter_map(|name| segment::number(name)).collect();
        numbers.sort_unstable();
        let (gone, mut numbers): (Vec<u64>, Vec<u64>) =
            numbers.into_iter().partition(|number| *number < self.before.upto);
        for number in gone {
            segment::remove(&*self.disk, number)?;
        }
        self.next_segment = numbers.last().map_or(self.before.upto, |last| last + 1);
        self.pass_over_too_long(&mut numbers)?;
        let (unsure, above) = self.survey(&numbers)?;
        if unsure < numbers.len() {
            self.merge(&numbers[unsure..])?;
            numbers.truncate(unsure + 1);
        }
        let mut there = Runs::default();
        for number in numbers {
            self.read_segment(number, &mut there)?;
        }
        // A record may outlive the item that it is of, and what was remembered of it: none that comes takes its place.
        self.next_ordinal = self.next_ordinal.max(above);
        self.forget_finished()
    }

    /// Leaves out files that are longer than any that is written: bad hardware, of which nobody knows how much memory it takes.
    fn pass_over_too_long(&mut self, numbers: &mut Vec<u64>) -> Result<(), EdgeError> {
        for number in core::mem::take(numbers) {
            match segment::too_long(&*self.disk, number)? {
                Some(bytes) => self.damaged.push(DamagedSegment { file: segment::name(number), bytes }),
                None => numbers.push(number),
            }
        }
        Ok(())
    }

    /// Looks at all segments, notes what is damaged, and answers from which of them on they are to be written again; and a number
    /// above every ordinal of which they hold anything.
    fn survey(&mut self, numbers: &[u64]) -> Result<(usize, u64), EdgeError> {
        let (mut unsure_from, mut overlapping, mut above) = (0, numbers.len(), 0);
        let (mut seen, mut sizes, mut lasts) = (Runs::default(), Vec::new(), Vec::new());
        for &number in numbers {
            let bytes = segment::read(&*self.disk, number)?;
            let (mut scan, mut last) = (Scan::over(&bytes), 0);
            for record in scan.by_ref() {
                above = above.max(record.ordinal().map_or(0, |ordinal| ordinal.saturating_add(1)));
                match record {
                    Record::Begins { unsure_from: told } => unsure_from = told,
                    Record::Void { first, last } => (first..=last).for_each(|ordinal| _ = self.done.insert(ordinal)),
                    Record::Item { ordinal, .. } if seen.insert(ordinal) => {
                        let earlier = lasts.iter().position(|last| *last > ordinal);
                        overlapping = overlapping.min(earlier.unwrap_or(overlapping));
                        last = ordinal;
                    }
                    _ => {}
                }
            }
            if scan.damaged_bytes > 0 {
                self.damaged.push(DamagedSegment { file: segment::name(number), bytes: scan.damaged_bytes });
            }
            sizes.push(bytes.len() as u64);
            lasts.push(last);
        }
        let mut from =
            numbers.iter().position(|number| *number >= unsure_from).unwrap_or(numbers.len()).min(overlapping);
        // Starts that follow each other quickly leave small segments; a few of them become one.
        while from > 0 && from < numbers.len() && sizes[from - 1..].iter().sum::<u64>() <= self.limits.segment_bytes / 4
        {
            from -= 1;
        }
        Ok((from, above))
    }

    /// `there` are the items that were read.
    fn read_segment(&mut self, number: u64, there: &mut Runs) -> Result<(), EdgeError> {
        let bytes = segment::read(&*self.disk, number)?;
        let mut segment = Segment { bytes: bytes.len() as u64, ..Segment::numbered(number) };
        for record in Scan::over(&bytes) {
            // What was not known to be synced was written again into the next segment: the first of each counts.
            let is_first = match &record {
                Record::Item { ordinal, .. } => *ordinal >= self.next_ordinal && !self.done.contains(*ordinal),
                Record::Done { ordinal, .. } => self.done.insert(*ordinal),
                Record::Sealed { ordinal, .. } => !self.sealed.contains_key(ordinal) && !self.done.contains(*ordinal),
                Record::Void { last, .. } => {
                    self.next_ordinal = self.next_ordinal.max(last + 1);
                    false
                }
                Record::Begins { .. } => false,
            };
            if !is_first {
                continue;
            }
            segment.wrote(&record);
            segment.keeps(&record);
            match record {
                Record::Item { ordinal, .. } => {
                    there.insert(ordinal);
                    self.next_ordinal = ordinal + 1;
                }
                Record::Sealed { ordinal, payload } => {
                    self.sealed.insert(ordinal, payload);
                }
                Record::Done { ordinal, .. } => {
                    self.sealed.remove(&ordinal);
                    if !there.contains(ordinal) {
                        continue;
                    }
                    match self.segments.iter_mut().find(|segment| segment.has(ordinal)) {
                        Some(earlier) => earlier.open = earlier.open.saturating_sub(1),
                        None if segment.has(ordinal) => segment.open = segment.open.saturating_sub(1),
                        None => {}
                    }
                }
                Record::Void { .. } | Record::Begins { .. } => {}
            }
        }
        self.segments.push_back(segment);
        Ok(())
    }

    /// Writes what segments say into the first of them, durably, and removes the others.
    fn merge(&self, numbers: &[u64]) -> Result<(), EdgeError> {
        let Some((&into, others)) = numbers.split_first() else { return Ok(()) };
        let (mut items, mut sealed) = (BTreeMap::new(), BTreeMap::new());
        let (mut done, mut void) = (BTreeMap::new(), Vec::new());
        for &number in numbers {
            for record in Scan::over(&segment::read(&*self.disk, number)?) {
                match record {
                    Record::Item { ordinal, .. } if self.done.contains(ordinal) => {}
                    Record::Item { ordinal, .. } => _ = items.entry(ordinal).or_insert(record),
                    Record::Sealed { ordinal, .. } => _ = sealed.entry(ordinal).or_insert(record),
                    Record::Done { ordinal, .. } => _ = done.entry(ordinal).or_insert(record),
                    Record::Void { .. } => void.push(record),
                    Record::Begins { .. } => {}
                }
            }
        }
        let mut bytes = Vec::new();
        let begins = [Record::Begins { unsure_from: into + 1 }];
        let all = begins.iter().chain(items.values()).chain(sealed.values()).chain(done.values()).chain(&void);
        all.for_each(|record| frame(core::iter::once(record), &mut bytes));
        replace_whole(&*self.disk, &segment::name(into), &bytes)?;
        for &number in others {
            segment::remove(&*self.disk, number)?;
        }
        Ok(())
    }
}

/// The highest boot counter of all that segments hold; `None` in a folder in which no queue was yet.
pub(super) fn highest_boot(disk: &dyn Disk) -> Result<Option<u32>, EdgeError> {
    let mut highest = None;
    for name in disk.list()? {
        let number = segment::number(&name);
        if number.is_some() || before::FILES.contains(&&*name) {
            highest = highest.max(Some(0));
        }
        let Some(number) = number else { continue };
        if segment::too_long(disk, number)?.is_some() {
            continue;
        }
        for record in Scan::over(&segment::read(disk, number)?) {
            highest = highest.max(match record {
                Record::Item { start, .. } => Some(start),
                Record::Sealed { payload, .. } => ReportBody::decode(&payload).ok().map(|body| body.boot),
                Record::Done { .. } | Record::Void { .. } | Record::Begins { .. } => None,
            });
        }
    }
    Ok(highest)
}
