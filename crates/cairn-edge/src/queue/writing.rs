//! Writing records, and forgetting segments.

use cairn_core::report::REPORT_BYTES_MAX;

use super::Queue;
use super::record::{BODY_BYTES_MAX, Record, Scan, frame};
use super::segment::{self, Segment, Writing};
use crate::EdgeError;

impl Queue {
    /// Gives up the oldest segments until so many bytes more have room; answers how many items went with them.
    pub(super) fn make_room(&mut self, bytes: u64) -> Result<u64, EdgeError> {
        let mut lost = 0;
        while self.bytes() + bytes > self.limits.bytes_max && self.segments.len() > usize::from(self.writing.is_some())
        {
            let Some(oldest) = self.segments.front_mut() else { break };
            let open = oldest.open;
            oldest.counts.lost += open;
            oldest.open = 0;
            self.remove_oldest().inspect_err(|_| {
                let Some(oldest) = self.segments.front_mut() else { return };
                oldest.counts.lost -= open;
                oldest.open = open;
            })?;
            lost += open;
        }
        Ok(lost)
    }

    /// Removes segments from the front in which nothing waits.
    pub(super) fn forget_finished(&mut self) -> Result<(), EdgeError> {
        while self.segments.len() > usize::from(self.writing.is_some())
            && self.segments.front().is_some_and(|segment| segment.open == 0)
        {
            self.remove_oldest()?;
        }
        Ok(())
    }

    /// Removes the oldest segment, once what it counted is durable elsewhere. When it fails the segment is still there.
    fn remove_oldest(&mut self) -> Result<(), EdgeError> {
        let Some(oldest) = self.segments.front() else { return Ok(()) };
        let number = oldest.number;
        let mut before = self.before.clone();
        before.upto = number + 1;
        before.floor = oldest.items.map_or(before.floor, |(_, last)| last + 1);
        before.counts.add(oldest.counts);
        before.marks.extend(oldest.marks.clone());
        before.write(&*self.disk)?;
        self.before = before;
        self.segments.pop_front();
        let written = self.segments.iter().find_map(|segment| segment.items).map(|(first, _)| first);
        let held = || self.unsynced.iter().find_map(Record::item_ordinal);
        let kept = written.or_else(held).unwrap_or(self.next_ordinal);
        self.window.retain(|waiting| waiting.ordinal >= kept);
        self.sealed = self.sealed.split_off(&kept);
        self.done.forget_below(kept);
        self.beyond = self.beyond.max(kept);
        // A file that stays is removed at the next start.
        let _ = segment::remove(&*self.disk, number);
        Ok(())
    }

    /// Writes records durably. When it fails they are held, to be written elsewhere.
    pub(super) fn write(&mut self, records: &[Record]) -> Result<(), EdgeError> {
        self.append(records)?;
        self.sync()
    }

    /// Writes records, and holds them until they are synced.
    pub(super) fn append(&mut self, records: &[Record]) -> Result<(), EdgeError> {
        if records.is_empty() && (self.writing.is_some() || self.unsynced.is_empty()) {
            return Ok(());
        }
        let is_full = self.segments.back().is_some_and(|segment| segment.bytes >= self.limits.segment_bytes);
        if is_full && self.writing.is_some() {
            // Where it fails, what was not synced is held, and goes before these.
            let _ = self.sync();
            self.writing = None;
        }
        let held = if self.writing.is_none() { core::mem::take(&mut self.unsynced) } else { Vec::new() };
        let all = [held.as_slice(), records].concat();
        let mut bytes = Vec::new();
        frame(all.iter(), &mut bytes);
        if let Err(error) = self.append_bytes(&bytes, held.is_empty()) {
            self.abandon();
            self.unsynced.extend(all);
            return Err(error);
        }
        if let Some(segment) = self.segments.back_mut() {
            all.iter().for_each(|record| segment.wrote(record));
        }
        self.unsynced.extend(all);
        Ok(())
    }

    fn append_bytes(&mut self, bytes: &[u8], is_sure: bool) -> Result<(), EdgeError> {
        let mut head = Vec::new();
        if self.writing.is_none() {
            let number = self.next_segment;
            self.next_segment += 1;
            self.unsure_from = if is_sure { number } else { self.unsure_from };
            frame([Record::Begins { unsure_from: self.unsure_from }].iter(), &mut head);
            self.segments.push_back(Segment::numbered(number));
            self.writing = Some(Writing::begin(&*self.disk, number)?);
        }
        let (Some(writing), Some(segment)) = (&mut self.writing, self.segments.back_mut()) else { return Ok(()) };
        segment.bytes += (head.len() + bytes.len()) as u64;
        writing.append(&[head.as_slice(), bytes].concat())
    }

    /// Makes what was written durable. When that fails, what was written is held, to be written elsewhere.
    pub(super) fn sync(&mut self) -> Result<(), EdgeError> {
        let Some(writing) = &self.writing else { return Ok(()) };
        if let Err(error) = writing.file.sync() {
            self.abandon();
            return Err(error.into());
        }
        let durable = core::mem::take(&mut self.unsynced);
        if let Some(segment) = self.segments.back_mut() {
            durable.iter().for_each(|record| segment.keeps(record));
        }
        Ok(())
    }

    /// Lets go of items whose write failed, and holds that they are void instead: they may be on disk all the same.
    pub(super) fn take_back(&mut self, first: u64, last: u64) {
        // What was to be sent goes with its item.
        let is_of = |ordinal: &u64| (first..=last).contains(ordinal);
        self.unsynced.retain(|record| match record {
            Record::Item { .. } => false,
            Record::Sealed { ordinal, .. } => !is_of(ordinal),
            _ => true,
        });
        (first..=last).for_each(|ordinal| _ = self.done.insert(ordinal));
        match self.unsynced.last_mut() {
            Some(Record::Void { last: earlier, .. }) if *earlier + 1 == first => *earlier = last,
            _ => self.unsynced.push(Record::Void { first, last }),
        }
    }

    /// Never writes into the last segment again: its unsynced records count as not written.
    fn abandon(&mut self) {
        self.writing = None;
        let Some(segment) = self.segments.back_mut() else { return };
        self.unsynced.iter().rev().for_each(|record| segment.unwrote(record));
    }
}

/// How many bytes records are, each of which is read back as what it is.
pub(super) fn check(records: &[Record]) -> Result<u64, EdgeError> {
    let mut bytes = Vec::new();
    frame(records.iter(), &mut bytes);
    let mut read = Scan::over(&bytes);
    let is_small = |record: &Record| match record {
        Record::Item { item, .. } => item.body.encode().len() <= REPORT_BYTES_MAX,
        Record::Sealed { payload, .. } => payload.len() <= REPORT_BYTES_MAX,
        _ => true,
    };
    // What is held goes into the same frame; it is never half of one.
    let holds = bytes.len() <= BODY_BYTES_MAX / 2
        && records.iter().all(|record| is_small(record) && read.next().as_ref() == Some(record));
    if holds { Ok(bytes.len() as u64) } else { Err(EdgeError::TooLarge { bytes_max: REPORT_BYTES_MAX }) }
}
