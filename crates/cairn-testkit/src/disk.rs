//! A disk in memory that does everything that disks are allowed to do, and some things they are not, from a seed.
//!
//! * At a **power cut** every write since the last sync of its file is kept, lost or torn, each for itself: later ones may
//!   survive earlier ones, and what was never written reads as zeros. Names keep their order, as in a journal: some of
//!   the last creations, renames and removals are lost. What was synced stays.
//! * A **killed process** loses nothing: the page cache stays.
//! * A **failed sync** leaves some writes durable and forgets that the others are not: a later sync succeeds without them,
//!   as on Linux. They stay readable until the power is cut. Whoever syncs the same open file again is found out. A folder
//!   that could not be synced can be synced again.
//! * Room that is asked for ahead is sometimes refused, even where there is some.
//! * A **full disk** takes the beginning of a write, perhaps all of it, and says no, until there is room again.
//! * **Bad hardware** turns bits and cuts files short, durably.
//!
//! The same seed and the same calls give the same disk.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cairn_log::{Disk, DiskFile, WriterLock};

use crate::random::Random;

/// When the disk fails next. Operations are numbered from 1; reads do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// The operation that the machine does not survive: it may happen in part, and every later call fails.
    pub crash_at: Option<u64>,
    /// The operation from which on a file or the folder cannot be synced, once.
    pub fail_sync_at: Option<u64>,
    /// The operation from which on nothing more can be written.
    pub full_at: Option<u64>,
}

impl Faults {
    /// None, one or several of them, each among so many operations after `from`.
    pub fn soon(random: &mut Random, from: u64, within: u64) -> Self {
        let mut at = |odds: u64| random.one_in(odds).then(|| from + 1 + random.below(within));
        Self { crash_at: at(2), fail_sync_at: at(4), full_at: at(6) }
    }
}

/// The disk; clones are the same disk. [`FaultyDisk::twin`] is another one.
#[derive(Clone)]
pub struct FaultyDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Clone)]
struct State {
    random: Random,
    faults: Faults,
    operations: u64,
    crashed: bool,
    locked: bool,
    /// Counts restarts; files and locks of an earlier run are dead.
    run: u64,
    inodes: Vec<Inode>,
    /// Names as running programs see them.
    names: BTreeMap<String, usize>,
    /// Names as they are after a power cut.
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
    /// Whether somebody synced an open file again whose sync had failed.
    synced_again: bool,
}

#[derive(Default, Clone)]
struct Inode {
    content: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// The run in which a sync of it failed.
    failed_in: Option<u64>,
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Grow { size: usize },
    Truncate { size: usize },
}

#[derive(Clone)]
enum NameChange {
    Create { name: String, inode: usize },
    Rename { from: String, to: String },
    Remove { name: String },
}

/// Writes are torn at multiples of this many bytes from the start of the file, and at their own ends.
const SECTOR_BYTES: usize = 512;

impl FaultyDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(seed: u64, faults: Faults) -> Self {
        let state = State {
            random: Random::of(seed),
            faults,
            operations: 0,
            crashed: false,
            locked: false,
            run: 0,
            inodes: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            synced_again: false,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Operations so far, for choosing where to fail next.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Another disk that holds the same, and goes its own way from `seed` on.
    #[must_use]
    pub fn twin(&self, seed: u64) -> Self {
        let state = State { random: Random::of(seed), ..self.state().clone() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Gives a full disk room again, while everything goes on.
    pub fn make_room(&self) {
        self.state().faults.full_at = None;
    }

    /// Has the machine not survive an operation to come, while everything goes on.
    pub fn crash_at(&self, operation: u64) {
        self.state().faults.crash_at = Some(operation);
    }

    /// Fills the disk, while everything goes on.
    pub fn fill(&self) {
        self.state().faults.full_at = Some(0);
    }

    /// Whether a sync failed and the same open file was synced again: what that one says is worth nothing.
    #[must_use]
    pub fn was_synced_again(&self) -> bool {
        self.state().synced_again
    }

    /// The files, with their content as running programs see it.
    #[must_use]
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.state();
        state.names.iter().map(|(name, inode)| (name.clone(), state.inodes[*inode].content.clone())).collect()
    }

    /// Kills the process and starts another one: locks are released, open files are dead, all writes stay.
    pub fn kill(&self, faults: Faults) {
        let mut state = self.state();
        state.faults = faults;
        state.crashed = false;
        state.locked = false;
        state.run += 1;
    }

    /// Cuts the power and starts again: of what was not synced, some is kept, some lost, some torn.
    pub fn cut_power(&self, faults: Faults) {
        self.state().lose_unsynced();
        self.kill(faults);
    }

    /// Flips one bit of a file, durably, as bad hardware would. `false` if there is no such byte.
    #[must_use]
    pub fn flip(&self, name: &str, offset: usize, bit: u8) -> bool {
        let mut state = self.state();
        let Some(inode) = state.names.get(name).copied() else { return false };
        let inode = &mut state.inodes[inode];
        let Some(byte) = inode.content.get_mut(offset) else { return false };
        *byte ^= 1 << bit;
        inode.durable = inode.content.clone();
        inode.pending.clear();
        true
    }

    /// Cuts a file to `size` bytes, durably, as a file system that lost its end. `false` if it is not longer.
    #[must_use]
    pub fn cut(&self, name: &str, size: usize) -> bool {
        let mut state = self.state();
        let Some(inode) = state.names.get(name).copied() else { return false };
        let inode = &mut state.inodes[inode];
        let is_longer = inode.content.len() > size;
        inode.content.truncate(size);
        inode.durable = inode.content.clone();
        inode.pending.clear();
        is_longer
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn crashed() -> io::Error {
    io::Error::other("the machine is down")
}

impl State {
    /// Counts an operation. `Ok(true)` means: this is the last one, it happens and nobody hears of it.
    fn operate(&mut self) -> io::Result<bool> {
        if self.crashed {
            return Err(crashed());
        }
        self.operations += 1;
        self.crashed = self.faults.crash_at.is_some_and(|at| self.operations >= at);
        Ok(self.crashed)
    }

    fn is_full(&self) -> bool {
        self.faults.full_at.is_some_and(|at| self.operations >= at)
    }

    /// Whether this is the sync that fails.
    fn fails_to_sync(&mut self) -> bool {
        let fails = self.faults.fail_sync_at.is_some_and(|at| self.operations >= at);
        if fails {
            self.faults.fail_sync_at = None;
        }
        fails
    }

    /// A sync may also find out late that there is no room for what was taken.
    fn unsynced(&mut self) -> io::Error {
        match self.random.place(2) {
            0 => io::ErrorKind::StorageFull.into(),
            _ => io::Error::other("the disk could not write"),
        }
    }

    fn lose_unsynced(&mut self) {
        let kept = self.pending_names.len();
        let kept = self.random.place(kept + 1);
        let kept: Vec<NameChange> = self.pending_names.drain(..).take(kept).collect();
        for change in kept {
            apply_name(&mut self.durable_names, change);
        }
        self.names = self.durable_names.clone();
        for number in 0..self.inodes.len() {
            self.keep_some(number);
            let inode = &mut self.inodes[number];
            inode.content = inode.durable.clone();
        }
    }

    /// Makes some of the pending changes of a file durable, whole or in part, and forgets the others.
    fn keep_some(&mut self, number: usize) {
        let pending = std::mem::take(&mut self.inodes[number].pending);
        for change in pending {
            let parts = match self.random.place(4) {
                0 => continue,
                1 => self.torn(change),
                _ => vec![change],
            };
            for part in parts {
                apply(&mut self.inodes[number].durable, &part);
            }
        }
    }

    /// Some of the sectors of a write.
    fn torn(&mut self, change: Change) -> Vec<Change> {
        let Change::Write { offset, bytes } = change else { return vec![change] };
        let mut parts = Vec::new();
        let mut start = 0;
        while start < bytes.len() {
            let sector_end = (offset + start) / SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES;
            let end = (sector_end - offset).min(bytes.len());
            if self.random.place(2) == 0 {
                // Even a sector may end early: the file system may have grown the file to the middle of it.
                let end = if self.random.place(4) == 0 { start + self.random.place(end - start) } else { end };
                parts.push(Change::Write { offset: offset + start, bytes: bytes[start..end].to_vec() });
            }
            start = end;
        }
        parts
    }

    fn change_name(&mut self, change: NameChange) -> io::Result<()> {
        let last = self.operate()?;
        apply_name(&mut self.names, change.clone());
        self.pending_names.push(change);
        if last { Err(crashed()) } else { Ok(()) }
    }
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes } => {
            let end = offset + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[*offset..end].copy_from_slice(bytes);
        }
        Change::Grow { size } => content.resize(content.len().max(*size), 0),
        Change::Truncate { size } => content.resize(*size, 0),
    }
}

fn apply_name(names: &mut BTreeMap<String, usize>, change: NameChange) {
    match change {
        NameChange::Create { name, inode } => {
            names.insert(name, inode);
        }
        NameChange::Rename { from, to } => {
            if let Some(inode) = names.remove(&from) {
                names.insert(to, inode);
            }
        }
        NameChange::Remove { name } => {
            names.remove(&name);
        }
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    inode: usize,
    run: u64,
}

impl FaultyFile {
    fn live(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.crashed || state.run != self.run { Err(crashed()) } else { Ok(state) }
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.live()?;
        let last = state.operate()?;
        // A full disk lets files become shorter.
        let full = state.is_full() && !matches!(change, Change::Truncate { .. });
        let change = match change {
            Change::Write { offset, mut bytes } if full => {
                let kept = state.random.place(bytes.len() + 1);
                bytes.truncate(kept);
                Change::Write { offset, bytes }
            }
            change => change,
        };
        let inode = &mut state.inodes[self.inode];
        apply(&mut inode.content, &change);
        inode.pending.push(change);
        match (last, full) {
            (true, _) => Err(crashed()),
            (_, true) => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

impl DiskFile for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.live()?.inodes[self.inode].content.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.live()?;
        let content = &state.inodes[self.inode].content;
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let bytes = start.checked_add(buffer.len()).and_then(|end| content.get(start..end));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return self.live().map(|_| ());
        }
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.change(Change::Write { offset, bytes: bytes.to_vec() })
    }

    fn reserve(&self, size: u64) -> io::Result<()> {
        let mut state = self.live()?;
        let size = usize::try_from(size).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let is_refused = state.is_full() || state.random.place(8) == 0;
        // What is refused may have been taken in part.
        let part = if is_refused { state.random.place(size + 1) } else { size };
        drop(state);
        let changed = self.change(Change::Grow { size: part });
        if is_refused { changed.and(Err(io::ErrorKind::StorageFull.into())) } else { changed }
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let size = usize::try_from(size).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.change(Change::Truncate { size })
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.live()?;
        let last = state.operate()?;
        let run = state.run;
        if state.inodes[self.inode].failed_in == Some(run) {
            state.synced_again = true;
        }
        if state.fails_to_sync() {
            state.inodes[self.inode].failed_in = Some(run);
            state.keep_some(self.inode);
            return Err(state.unsynced());
        }
        if last {
            // The machine died during the sync: what the power cut leaves of it is decided there.
            return Err(crashed());
        }
        let inode = &mut state.inodes[self.inode];
        for change in std::mem::take(&mut inode.pending) {
            apply(&mut inode.durable, &change);
        }
        Ok(())
    }
}

struct FaultyLock {
    disk: FaultyDisk,
    run: u64,
}

impl WriterLock for FaultyLock {}

impl Drop for FaultyLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.run == self.run {
            state.locked = false;
        }
    }
}

impl Disk for FaultyDisk {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state();
        if state.crashed {
            return Err(crashed());
        }
        let inode = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(FaultyFile { disk: self.clone(), inode, run: state.run }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        if state.is_full() && !state.names.contains_key(name) {
            state.operate()?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        let existing = state.names.get(name).copied();
        let inode = existing.unwrap_or(state.inodes.len());
        let file = FaultyFile { disk: self.clone(), inode, run: state.run };
        if existing.is_none() {
            state.inodes.push(Inode::default());
            state.change_name(NameChange::Create { name: name.to_owned(), inode })?;
            return Ok(Arc::new(file));
        }
        drop(state);
        file.truncate(0)?;
        Ok(Arc::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        if !state.crashed && !state.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(NameChange::Rename { from: from.to_owned(), to: to.to_owned() })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        if !state.crashed && !state.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(NameChange::Remove { name: name.to_owned() })
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let state = self.state();
        if state.crashed { Err(crashed()) } else { Ok(state.names.keys().cloned().collect()) }
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.operate()? {
            return Err(crashed());
        }
        if state.fails_to_sync() {
            return Err(state.unsynced());
        }
        for change in std::mem::take(&mut state.pending_names) {
            apply_name(&mut state.durable_names, change);
        }
        Ok(())
    }

    fn lock_writer(&self) -> io::Result<Box<dyn WriterLock>> {
        let mut state = self.state();
        if state.crashed {
            return Err(crashed());
        }
        if state.locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.locked = true;
        Ok(Box::new(FaultyLock { disk: self.clone(), run: state.run }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(disk: &FaultyDisk, name: &str) -> Option<Vec<u8>> {
        let file = disk.open(name).ok()?;
        let mut bytes = vec![0; usize::try_from(file.size().ok()?).ok()?];
        file.read_at(0, &mut bytes).ok()?;
        Some(bytes)
    }

    #[test]
    fn what_was_synced_survives_every_power_cut() {
        for seed in 0..200 {
            let disk = FaultyDisk::new(seed, Faults::default());
            let file = disk.create("a").expect("no fault");
            file.write_at(0, b"kept").expect("no fault");
            file.sync().expect("no fault");
            disk.sync_folder().expect("no fault");
            file.write_at(4, b"maybe").expect("no fault");
            disk.cut_power(Faults::default());
            let bytes = read(&disk, "a").expect("the name was synced");
            assert_eq!(&bytes[..4], b"kept", "seed {seed}");
            assert!(file.sync().is_err(), "files of the earlier run are dead");
        }
    }

    #[test]
    fn unsynced_writes_and_names_are_sometimes_kept_lost_and_torn() {
        let mut outcomes = BTreeMap::<usize, u32>::new();
        for seed in 0..300 {
            let disk = FaultyDisk::new(seed, Faults::default());
            let file = disk.create("a").expect("no fault");
            file.write_at(0, &[7; 2000]).expect("no fault");
            disk.cut_power(Faults::default());
            let sevens = read(&disk, "a").map_or(9999, |bytes| bytes.iter().filter(|byte| **byte == 7).count());
            *outcomes.entry(sevens).or_default() += 1;
        }
        for outcome in [0, 2000, 9999] {
            assert!(outcomes.contains_key(&outcome), "{outcome}: {outcomes:?}");
        }
        assert!(outcomes.len() > 4, "some writes are torn: {outcomes:?}");
    }

    #[test]
    fn a_failed_sync_forgets_writes_that_stay_readable() {
        let lost = (0..100).any(|seed| {
            let disk = FaultyDisk::new(seed, Faults { fail_sync_at: Some(1), ..Faults::default() });
            disk.create("a").expect("no fault");
            disk.sync_folder().expect_err("this sync fails");
            disk.sync_folder().expect("names can be synced again");
            disk.kill(Faults { fail_sync_at: Some(0), ..Faults::default() });
            let file = disk.open("a").expect("it was created");
            file.write_at(0, b"x").expect("no fault");
            file.sync().expect_err("this sync fails");
            assert!(!disk.was_synced_again());
            file.sync().expect("the next one does not");
            assert!(disk.was_synced_again());
            assert_eq!(read(&disk, "a"), Some(b"x".to_vec()));
            disk.cut_power(Faults::default());
            read(&disk, "a") == Some(Vec::new())
        });
        assert!(lost, "in some run the write is gone although a later sync succeeded");
    }

    #[test]
    fn the_operation_of_the_crash_is_the_last() {
        let disk = FaultyDisk::new(1, Faults { crash_at: Some(2), ..Faults::default() });
        let file = disk.create("a").expect("operation 1");
        file.write_at(0, b"x").expect_err("operation 2");
        assert!(disk.list().is_err());
        disk.kill(Faults::default());
        assert_eq!(read(&disk, "a"), Some(b"x".to_vec()), "the page cache outlives the process");
    }

    #[test]
    fn a_full_disk_takes_the_beginning_of_a_write() {
        let disk = FaultyDisk::new(3, Faults { full_at: Some(2), ..Faults::default() });
        let file = disk.create("a").expect("operation 1");
        let refused = file.write_at(0, &[1; 100]).expect_err("full");
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        assert!(read(&disk, "a").is_some_and(|bytes| bytes.len() <= 100));
        assert_eq!(disk.create("b").map(|_| ()).expect_err("full").kind(), io::ErrorKind::StorageFull);
        disk.make_room();
        file.write_at(0, &[2; 100]).expect("there is room");
        assert_eq!(read(&disk, "a"), Some(vec![2; 100]));
    }

    #[test]
    fn a_twin_goes_its_own_way() {
        let disk = FaultyDisk::new(4, Faults::default());
        let file = disk.create("a").expect("no fault");
        file.write_at(0, b"both").expect("no fault");
        let twin = disk.twin(5);
        file.write_at(0, b"mine").expect("no fault");
        assert_eq!(twin.files(), [("a".to_owned(), b"both".to_vec())]);
        assert!(twin.cut("a", 3) && !twin.cut("a", 3) && twin.flip("a", 0, 0));
        assert_eq!(read(&twin, "a"), Some(b"cot".to_vec()));
        assert_eq!(read(&disk, "a"), Some(b"mine".to_vec()));
    }
}
