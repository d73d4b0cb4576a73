//! What waits to be sent, on disk: taken once, named once, and gone only against a promise, a refusal or a counted loss.
//!
//! What it promises:
//! * When [`Queue::push`] has taken items they are on disk, with the marks of their sources; what it did not take it may be offered
//!   again. A crash at any write loses none and doubles none.
//! * A name `(boot, seq)` is given to one item for ever. What was sealed under a name is sealed again as the same payload, and what
//!   is on disk as sealed is durable before anybody sees it.
//! * Items come out in the order in which they were pushed.
//! * Damaged records are passed over and said; nothing before or behind them is lost.
//! * Memory is bounded whatever waits: a window of items, and a few numbers for each segment.
//!
//! What it does not do: send, sign, or know what time it is.
//!
//! When it is full it gives up the *oldest* items, a segment at a time, counts them and says so. Late rules pay old reports less
//! and in the end nothing, so the oldest are worth least; the order stays, since names are given when items are first sent.
//! A file is written in one start alone and never after a failed write or sync: what a disk did after an error is known only
//! after reading it back, so whatever was not synced is written again into another file.

mod before;
mod marks;
mod record;
mod recovery;
mod runs;
mod segment;
mod writing;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use before::Before;
pub use cairn_client::names::Mended;
use cairn_client::names::{self, QUEUE};
use cairn_core::report::ReportBody;
use cairn_core::{DeviceId, NetworkId};
use cairn_log::{Disk, WriterLock};
pub use record::Outcome;
use record::{Record, Scan};
use runs::Runs;
pub use segment::Counts;
use segment::{Segment, Writing};
use writing::check;

use crate::{EdgeError, Item, Mark, When};

/// Items in memory at once.
const WINDOW_ITEMS: usize = 512;
/// Records that may wait for a sync of something else.
const UNSYNCED_MAX: usize = 1_024;
/// More than records of an item take beside what it says.
const NAMED_COST_BYTES: u64 = 128;

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Bytes on disk.
    pub bytes_max: u64,
    /// Bytes of one segment: what is given up at once when there is no more room.
    pub segment_bytes: u64,
}

impl QueueLimits {
    /// So many bytes, in segments of an eighth of that, 256 KiB at most.
    #[must_use]
    pub fn of(bytes_max: u64) -> Self {
        Self { bytes_max, segment_bytes: (bytes_max / 8).clamp(1, 256 << 10) }
    }
}

impl Default for QueueLimits {
    /// 64 MiB: about half a million readings.
    fn default() -> Self {
        Self::of(64 << 20)
    }
}

/// An item that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its place, ascending for ever.
    pub ordinal: u64,
    /// What it says. A time that was only known within another start is [`When::Unknown`] here.
    pub item: Item,
    /// The payload that it is sent as, once it has a name.
    pub sealed: Option<Vec<u8>>,
}

/// Bytes of a segment that hold no records: bad hardware, or, where nothing was lost, the middle of what was being written when
/// the power failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedSegment {
    /// The file.
    pub file: String,
    /// How many bytes.
    pub bytes: usize,
}

/// A queue over a folder, held by this program alone.
pub struct Queue {
    disk: Arc<dyn Disk>,
    device: DeviceId,
    limits: QueueLimits,
    boot: u32,
    /// The boot counter when this start began: what items of this start are marked with.
    start: u32,
    next_seq: u32,
    next_ordinal: u64,
    next_segment: u64,
    /// Ascending; the last may be being written.
    segments: VecDeque<Segment>,
    writing: Option<Writing>,
    /// Records that were not synced yet, as they follow each other; items among them are shown to nobody.
    unsynced: Vec<Record>,
    /// What is left of segments that are gone.
    before: Before,
    /// The first segment of which it is not known that all it says is durable, in itself or in a later one.
    unsure_from: u64,
    window: VecDeque<Waiting>,
    /// The first ordinal that the window has not looked at.
    beyond: u64,
    sealed: BTreeMap<u64, Vec<u8>>,
    done: Runs,
    damaged: Vec<DamagedSegment>,
    mended: Vec<Mended>,
    _lock: Box<dyn WriterLock>,
}

impl Queue {
    /// Opens the folder of a device of a network, reads it, and counts a start.
    ///
    /// # Errors
    /// [`EdgeError`]: locked, another's, damaged, or the disk's.
    pub fn open(
        disk: Arc<dyn Disk>,
        network: NetworkId,
        device: DeviceId,
        limits: QueueLimits,
    ) -> Result<Self, EdgeError> {
        let lock = disk.lock_writer().map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => EdgeError::Locked,
            _ => EdgeError::Io(error),
        })?;
        let identity = QUEUE.check_identity(&*disk, network, device)?;
        let (boot, counter) = QUEUE.count_start(&*disk, device, None, || recovery::highest_boot(&*disk))?;
        let mut queue = Self {
            disk,
            device,
            limits,
            boot,
            start: boot,
            next_seq: 0,
            next_ordinal: 0,
            next_segment: 0,
            segments: VecDeque::new(),
            writing: None,
            unsynced: Vec::new(),
            before: Before::default(),
            unsure_from: 0,
            window: VecDeque::new(),
            beyond: 0,
            sealed: BTreeMap::new(),
            done: Runs::default(),
            damaged: Vec::new(),
            mended: identity.into_iter().chain(counter).collect(),
            _lock: lock,
        };
        queue.recover()?;
        Ok(queue)
    }

    /// The network whose reports a folder holds; `None` where none was ever opened there, or what says so is damaged. It may be asked while another has the lock.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn network_of(disk: &dyn Disk) -> Result<Option<NetworkId>, EdgeError> {
        Ok(QUEUE.network(disk)?)
    }

    /// The boot counter of names that are given now.
    #[must_use]
    pub const fn boot(&self) -> u32 {
        self.boot
    }

    /// Hears the highest boot counter that the network was told of: whoever restored an old copy of the folder gives no name
    /// again. To be called before anything is sealed in a start.
    ///
    /// # Errors
    /// [`EdgeError::Names`] for one that is not believed, or the disk's.
    pub fn heard_of_boot(&mut self, told: u32) -> Result<(), EdgeError> {
        if self.next_seq == 0 {
            self.boot = QUEUE.hear(&*self.disk, self.device, self.boot, told)?;
        }
        Ok(())
    }

    /// Whether the counter of starts was damaged or gone: who keeps other records of names, such as receipts, lets the queue see the
    /// highest boot counter in them before anything is sealed.
    #[must_use]
    pub fn has_lost_count(&self) -> bool {
        self.mended.iter().any(|mended| mended.file == names::BOOT)
    }

    /// Sees the highest boot counter of names that this device's own records show.
    ///
    /// # Errors
    /// [`EdgeError::Names`] where none is left above it, or the disk's.
    pub fn saw_boot(&mut self, seen: u32) -> Result<(), EdgeError> {
        if self.next_seq == 0 {
            self.boot = QUEUE.saw(&*self.disk, self.device, self.boot, seen)?;
        }
        Ok(())
    }

    /// Takes items, durably and in this order; answers how many of the oldest were given up for them.
    ///
    /// # Errors
    /// [`EdgeError::TooLarge`] when one of them is no report; those of the disk. Then none was taken, and they may be pushed again.
    /// Should the process end before anything else is written, a later start may find all of them, with their marks.
    pub fn push(&mut self, items: Vec<Item>) -> Result<u64, EdgeError> {
        self.take(items.into_iter().map(|item| (item, None)).collect())
    }

    /// Takes the payloads of reports that have their names already, durably and in this order, to be sent as they are; those that
    /// are seen to wait already are not taken twice. Answers whether there was room: nothing that waits is given up for what comes
    /// again.
    ///
    /// # Errors
    /// [`EdgeError::Damaged`] for what is no payload; those of the disk. Then none was taken.
    pub fn push_named(&mut self, payloads: Vec<Vec<u8>>) -> Result<bool, EdgeError> {
        let no_report = |_| EdgeError::Damaged { file: "a payload".to_owned(), what: "it is no report" };
        let mut named = Vec::with_capacity(payloads.len());
        let mut bytes = 0;
        self.waiting(WINDOW_ITEMS)?;
        for payload in payloads {
            if self.window.iter().any(|waiting| waiting.sealed.as_ref() == Some(&payload)) {
                continue;
            }
            let item = Item::of_report(ReportBody::decode(&payload).map_err(no_report)?);
            // It stands there twice: as what it says, and as what is signed.
            bytes += 2 * payload.len() as u64 + NAMED_COST_BYTES;
            named.push((item, Some(payload)));
        }
        let has_room = self.bytes() + bytes <= self.limits.bytes_max;
        if has_room {
            self.take(named)?;
        }
        Ok(has_room)
    }

    fn take(&mut self, items: Vec<(Item, Option<Vec<u8>>)>) -> Result<u64, EdgeError> {
        let (start, first) = (self.start, self.next_ordinal);
        let count = items.len() as u64;
        let mut records = Vec::with_capacity(items.len());
        for (ordinal, (item, payload)) in (first..).zip(items) {
            records.push(Record::Item { ordinal, start, item });
            records.extend(payload.map(|payload| Record::Sealed { ordinal, payload }));
        }
        let bytes = check(&records)?;
        if records.is_empty() {
            return self.flush().map(|()| 0);
        }
        let lost = self.make_room(bytes)?;
        self.next_ordinal = first + count;
        if let Err(error) = self.write(&records) {
            self.take_back(first, self.next_ordinal - 1);
            return Err(error);
        }
        let shows = self.beyond == first;
        for record in records {
            match record {
                Record::Item { ordinal, item, .. } if shows && self.window.len() < WINDOW_ITEMS => {
                    self.window.push_back(Waiting { ordinal, item, sealed: None });
                    self.beyond = ordinal + 1;
                }
                Record::Sealed { ordinal, payload } => match self.window.back_mut() {
                    Some(last) if last.ordinal == ordinal => last.sealed = Some(payload),
                    _ => _ = self.sealed.insert(ordinal, payload),
                },
                _ => {}
            }
        }
        Ok(lost)
    }

    /// Writes what a failed write left behind, if there is such a thing.
    ///
    /// # Errors
    /// Those of the disk; it may be called again.
    pub fn flush(&mut self) -> Result<(), EdgeError> {
        if self.unsynced.is_empty() { Ok(()) } else { self.write(&[]) }
    }

    /// The oldest items that wait, in order; at most `most`, and no more than fit in memory.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn waiting(&mut self, most: usize) -> Result<Vec<Waiting>, EdgeError> {
        if self.writing.is_none() {
            self.flush()?;
        }
        if self.window.len() < most.min(WINDOW_ITEMS) && self.beyond < self.next_ordinal {
            self.fill_window()?;
        }
        Ok(self.window.iter().take(most).cloned().collect())
    }

    /// The next name in this start, which nothing has had. It is used up whether something is sealed under it or not.
    ///
    /// # Errors
    /// [`EdgeError::Names`] after 2^32 of them.
    pub fn next_name(&mut self) -> Result<(u32, u32), EdgeError> {
        let names = EdgeError::Names { device: self.device, told: self.boot, own: self.boot };
        let seq = self.next_seq;
        self.next_seq = seq.checked_add(1).ok_or(names)?;
        Ok((self.boot, seq))
    }

    /// Writes down what items are sent as, durably. Only then may they be sent.
    ///
    /// # Errors
    /// Those of the disk: then none of them may be sent before [`Queue::flush`] has written them.
    pub fn seal(&mut self, payloads: Vec<(u64, Vec<u8>)>) -> Result<(), EdgeError> {
        let record =
            |(ordinal, payload): &(u64, Vec<u8>)| Record::Sealed { ordinal: *ordinal, payload: payload.clone() };
        let records: Vec<Record> = payloads.iter().map(record).collect();
        check(&records)?;
        for (ordinal, payload) in payloads {
            // Also where the disk fails: what may be there as sealed gets no second name.
            if let Some(waiting) = self.window.iter_mut().find(|waiting| waiting.ordinal == ordinal) {
                waiting.sealed = Some(payload);
            }
        }
        self.write(&records)
    }

    /// Lets items go. It need not be durable: what is forgotten is sent again and answered as known.
    ///
    /// # Errors
    /// Those of the disk: the items are gone all the same, unless the process ends before a [`Queue::flush`].
    pub fn settle(&mut self, outcomes: &[(u64, Outcome)]) -> Result<(), EdgeError> {
        let mut records = Vec::with_capacity(outcomes.len());
        for &(ordinal, outcome) in outcomes {
            let Some(segment) = self.segments.iter_mut().find(|segment| segment.has(ordinal)) else { continue };
            if self.done.insert(ordinal) {
                segment.open = segment.open.saturating_sub(1);
                records.push(Record::Done { ordinal, outcome });
            }
            self.sealed.remove(&ordinal);
        }
        self.window.retain(|waiting| !outcomes.iter().any(|(ordinal, _)| *ordinal == waiting.ordinal));
        self.append(&records)?;
        if self.unsynced.len() > UNSYNCED_MAX {
            self.sync()?;
        }
        self.forget_finished()
    }

    /// Items that wait.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.segments.iter().map(|segment| segment.open).sum()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes on disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// How much may wait.
    #[must_use]
    pub const fn limits(&self) -> QueueLimits {
        self.limits
    }

    /// What became of everything that this folder ever took.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = self.before.counts;
        self.segments.iter().for_each(|segment| counts.add(segment.counts));
        counts
    }

    /// Where each source goes on, by its name: the last mark that came with an item, once that is durable, also after the item
    /// has left; and what is kept beyond it.
    #[must_use]
    pub fn marks(&self) -> BTreeMap<String, Mark> {
        let mut marks = self.before.marks.clone();
        self.segments.iter().for_each(|segment| marks.extend(segment.marks.clone()));
        marks
    }

    /// What was found damaged when the queue was opened, and passed over.
    #[must_use]
    pub fn damaged(&self) -> &[DamagedSegment] {
        &self.damaged
    }

    /// Small files that were damaged or gone when the queue was opened, and what was done about it.
    #[must_use]
    pub fn mended(&self) -> &[Mended] {
        &self.mended
    }

    fn fill_window(&mut self) -> Result<(), EdgeError> {
        let due: Vec<u64> = self
            .segments
            .iter()
            .filter(|segment| segment.open > 0 && segment.items.is_some_and(|(_, last)| last >= self.beyond))
            .map(|segment| segment.number)
            .collect();
        for number in due {
            let bytes = segment::read(&*self.disk, number)?;
            for record in Scan::over(&bytes) {
                let Record::Item { ordinal, start, mut item } = record else { continue };
                if ordinal < self.beyond {
                    continue;
                }
                if self.window.len() >= WINDOW_ITEMS {
                    return Ok(());
                }
                self.beyond = ordinal + 1;
                if self.done.contains(ordinal) {
                    continue;
                }
                if matches!(item.when, When::Since { .. }) && start != self.start {
                    item.when = When::Unknown;
                }
                let sealed = self.sealed.remove(&ordinal);
                self.window.push_back(Waiting { ordinal, item, sealed });
            }
        }
        self.beyond = self.next_ordinal;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
